"""Archives: bombs, archives in archives, encrypted and cut ones, names that lead out, links in circles."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from .case import Case, of_bytes
from .whole import whole


def zipped(*members: tuple[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as file:
        for name, data in members:
            file.writestr(zipfile.ZipInfo(name), data, packing)
    return buffer.getvalue()


def tarred(*members: tuple[str, bytes], links: Iterable[tuple[str, str]] = ()) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name, data in members:
            about = tarfile.TarInfo(name)
            about.size = len(data)
            file.addfile(about, io.BytesIO(data))
        for name, target in links:
            about = tarfile.TarInfo(name)
            about.type, about.linkname = tarfile.SYMTYPE, target
            file.addfile(about)
    return buffer.getvalue()


def _picture(name: str = "x.png") -> tuple[str, bytes]:
    return name, whole("PNG")


def _nothing(count: int, ending: str = ".log") -> list[tuple[str, bytes]]:
    return [(f"{number}{ending}", b"") for number in range(count)]


def _zeros(mib: int) -> bytes:
    return bytes(mib * 2**20)


def _changed(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """The file with other bytes after the first mark."""
    at = data.index(mark) + offset
    return data[:at] + value + data[at + len(value) :]


def _bomb(pack: Callable[[bytes], bytes], times: int) -> bytes:
    """Streams of zeros one after the other."""
    return pack(_zeros(64)) * times


REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "zip bomb of 300 MB": ("x.zip", lambda: zipped(("x.png", _zeros(300)))),
    "zip in a zip in a zip": ("x.zip", lambda: zipped(("y.zip", zipped(("z.zip", zipped(_picture())))))),
    "encrypted zip": ("x.zip", lambda: _encrypted()),
    "zip that is cut": ("x.zip", lambda: zipped(_picture(), _picture("y.png"))[:2500]),
    "zip of noise": ("x.zip", lambda: b"PK\3\4" + np.random.default_rng(50).bytes(5000)),
    "zip of an unknown packing": ("x.zip", lambda: _repacked(99)),
    "zip whose file has a wrong checksum": ("x.zip", lambda: _changed(zipped(_picture()), b"PK\1\2", 16, b"\0\0\0\0")),
    "zip with a directory behind its end": ("x.zip", lambda: _changed(zipped(_picture()), b"PK\5\6", 16, b"\xff" * 4)),
    "zip with a file behind its end": ("x.zip", lambda: _changed(zipped(_picture()), b"PK\1\2", 42, b"\xff\xff\0\0")),
    "zip that says 4 GB": ("x.zip", lambda: _changed(zipped(_picture()), b"PK\1\2", 24, b"\xfe\xff\xff\xff")),
    "zip that says 10 bytes": ("x.zip", lambda: _changed(zipped(_picture()), b"PK\1\2", 24, b"\x0a\0\0\0")),
    "tar called a zip": ("x.zip", lambda: tarred(("x.png", b"no picture"))),
    "picture called a zip": ("x.zip", lambda: whole("PNG")),
    "empty zip": ("x.zip", lambda: b""),
    "tar that is cut": ("x.tar", lambda: tarred(_picture(), _picture("y.png"))[:4000]),
    "tar of noise": ("x.tar", lambda: np.random.default_rng(51).bytes(50_000)),
    "tar with a size of 8 GB": ("x.tar", lambda: _sized_tar(b"77777777777\0")),
    "tar with a size below 0": ("x.tar", lambda: _sized_tar(b"\xff" * 12)),
    "tar with a name of 1 GB": ("x.tar", lambda: _long_name()),
    "tar with a link to itself": ("x.tar", lambda: tarred(links=([("x.png", "x.png")]))),
    "tar with links in a circle": ("x.tar", lambda: tarred(links=([("x.png", "y.bin"), ("y.bin", "x.png")]))),
    "tar with a link out of it": ("x.tar", lambda: tarred(links=([("x.png", "../../../../etc/passwd")]))),
    "tar with a link to a root": ("x.tar", lambda: tarred(links=([("x.png", "/etc/passwd")]))),
    "tar with a chain of 3000 links": (
        "x.tar",
        lambda: tarred(links=((f"{number}.bin" if number else "x.png", f"{number + 1}.bin") for number in range(3000))),
    ),
    "tar.gz bomb of 20 GB": ("x.tar.gz", lambda: _bomb(gzip.compress, 320)),
    "tar.bz2 bomb of 20 GB": ("x.tar.bz2", lambda: _bomb(bz2.compress, 320)),
    "tar.xz bomb of 20 GB": ("x.tar.xz", lambda: _bomb(lzma.compress, 320)),
    "tar.gz that is cut": ("x.tar.gz", lambda: gzip.compress(tarred(_picture("y.bin")))[:-20]),
    "tar.gz with a wrong checksum": ("x.tgz", lambda: gzip.compress(tarred(("a.bin", b"")))[:-8] + b"\0" * 8),
    "tar.gz of noise": ("x.tgz", lambda: b"\x1f\x8b\x08\0" + np.random.default_rng(52).bytes(5000)),
    "zip called a tar.xz, of an archive": ("x.tar.xz", lambda: zipped(("y.zip", b""))),
    "7z": ("x.7z", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(99)),
    "RAR": ("x.rar", lambda: b"Rar!\x1a\7\0" + bytes(99)),
}

READ: dict[str, tuple[str, Callable[[], bytes]]] = {
    "zip with names that lead out": ("x.zip", lambda: zipped(_picture("../../../../tmp/x.png"))),
    "zip with a name at the root": ("x.zip", lambda: zipped(_picture("/etc/x.png"))),
    "zip with backslashes": ("x.zip", lambda: zipped(_picture("..\\..\\x.png"))),
    "zip with a name of 60000 characters": ("x.zip", lambda: zipped(_picture("a/" * 30_000 + "x.png"))),
    "zip with control characters in a name": ("x.zip", lambda: zipped(_picture("a\n\x1b[31m\u202e.png"))),
    "zip with noise before it": ("x.zip", lambda: b"PK" + np.random.default_rng(53).bytes(999) + zipped(_picture())),
    "tar with names that lead out": ("x.tar", lambda: tarred(_picture("../../x.png"))),
    "tar called a zip, with a picture": ("x.zip", lambda: tarred(_picture())),
    "zip called a tar.gz, with a picture": ("x.tar.gz", lambda: zipped(_picture())),
    "zip of 20000 empty files": ("x.zip", lambda: zipped(*_nothing(20_000), _picture())),
    "zip of 20000 folders": ("x.zip", lambda: zipped(*_nothing(20_000, "/"), _picture())),
    "tar of 20000 empty files": ("x.tar", lambda: tarred(*_nothing(20_000), _picture())),
    "one name 1000 times": ("x.tar", lambda: tarred(*[_picture()] * 1000)),
}


def cases() -> Iterator[Case]:
    for damage, (name, data) in REFUSED.items():
        yield of_bytes("archive", damage, name, data)
    for damage, (name, data) in READ.items():
        yield of_bytes("archive", damage, name, data, read=True)


def _encrypted() -> bytes:
    """A zip whose file says that it is encrypted."""
    given = _changed(zipped(_picture()), b"PK\3\4", 6, b"\1\0")
    return _changed(given, b"PK\1\2", 8, b"\1\0")


def _repacked(how: int) -> bytes:
    given = _changed(zipped(_picture()), b"PK\3\4", 8, struct.pack("<H", how))
    return _changed(given, b"PK\1\2", 10, struct.pack("<H", how))


def _header(about: tarfile.TarInfo, size: bytes) -> bytes:
    """A header of a tar with another size, and the right checksum."""
    given = bytearray(about.tobuf())
    given[124:136] = size
    given[148:156] = b" " * 8
    given[148:156] = b"%06o\0 " % sum(given)
    return bytes(given)


def _sized_tar(size: bytes) -> bytes:
    return _header(tarfile.TarInfo("x.png"), size) + bytes(2000)


def _long_name() -> bytes:
    about = tarfile.TarInfo("././@LongLink")
    about.type = tarfile.GNUTYPE_LONGNAME
    return _header(about, b"07777777777\0") + b"a" * 2000
