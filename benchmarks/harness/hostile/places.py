"""Names that no program expects, things that are no files, and arrays of numpy."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .case import Case
from .whole import whole


def _picture(path: Path) -> None:
    path.write_bytes(whole("PNG"))


def _broken(path: Path) -> None:
    path.write_bytes(whole("PNG")[:500])


def _socket(path: Path) -> None:
    """A socket; the path of one is short, so it is bound from its own folder."""
    before = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(before)


def _unreadable(path: Path) -> None:
    _picture(path)
    path.chmod(0)


def _unreadable_folder(path: Path) -> None:
    path.mkdir()
    _picture(path / "y.png")
    path.chmod(0)


def _link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def _links_in_a_circle(path: Path) -> None:
    path.symlink_to("other.png")
    path.with_name("other.png").symlink_to(path.name)


def _folder_of_a_picture(path: Path) -> None:
    path.mkdir()
    _picture(path / "y.png")


def _folder_in_itself(path: Path) -> None:
    path.mkdir()
    _picture(path / "y.png")
    (path / "again").symlink_to(".")
    (path / "up").symlink_to("..")


def _deep(path: Path) -> None:
    """A folder so deep that its path is longer than the system takes at once."""
    before = os.getcwd()
    os.chdir(path.parent)
    os.mkdir(path.name)
    os.chdir(path.name)
    try:
        for _ in range(20):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
        Path("y.png").write_bytes(whole("PNG"))
    finally:
        os.chdir(before)


def _long(ending: str) -> str:
    return "n" * (255 - len(ending)) + ending


REFUSED: dict[str, tuple[str, Callable[[Path], None]]] = {
    "name of 255 bytes": (_long(".png"), _broken),
    "name of control characters": ("a\n\t\x1b[31m\x7f.png", _broken),
    "name that is no UTF-8": (os.fsdecode(b"\xff\xfe\xe9.png"), _broken),
    "name that turns the line around": ("a\u202egnp.png", _broken),
    "name of quotation marks": ("'\"`$(touch hacked).png", _broken),
    "name of a table with 255 bytes": (_long(".csv"), lambda path: path.write_bytes(b"\x89PNG\0\1\xff")),
    "pipe called a picture": ("x.png", os.mkfifo),
    "pipe called a table": ("captions.csv", os.mkfifo),
    "pipe called a table of Parquet": ("captions.parquet", os.mkfifo),
    "pipe called a text of a picture": ("good.txt", os.mkfifo),
    "pipe called prompts": ("prompts.txt", os.mkfifo),
    "pipe called an archive": ("x.zip", os.mkfifo),
    "socket": ("x.png", _socket),
    "socket called a table": ("captions.csv", _socket),
    "link to nothing": ("x.png", _link("missing.png")),
    "link to nothing, called a table": ("captions.csv", _link("missing.csv")),
    "link to nothing, called an archive": ("x.zip", _link("missing.zip")),
    "link to itself": ("x.png", _link("x.png")),
    "link to a device without end": ("x.png", _link("/dev/zero")),
    "link to a device without end, called a table": ("captions.csv", _link("/dev/zero")),
    "link to a device without end, called a text": ("good.txt", _link("/dev/zero")),
    "link to a device without end, called an archive": ("x.tar", _link("/dev/zero")),
    "picture that nobody may read": ("x.png", _unreadable),
    "folder that nobody may read": ("folder", _unreadable_folder),
    "table that nobody may read": ("captions.csv", _unreadable),
    "path of 5000 characters": ("deep", _deep),
}

READ: dict[str, tuple[str, Callable[[Path], None]]] = {
    "name of 255 bytes, whole": (_long("!.png"), _picture),
    "name of line ends": ("a\r\nb\u2028.png", _picture),
    "name of bytes that are no text": (os.fsdecode(b"caf\xe9.png"), _picture),
    "name of an expression": ('img("x") - "a".png', _picture),
    "folder called a picture": ("x.png", _folder_of_a_picture),
    "folder called a table": ("captions.csv", _folder_of_a_picture),
    "folder called an archive": ("x.zip", _folder_of_a_picture),
    "folder that leads into itself": ("folder", _folder_in_itself),
}


def cases() -> Iterator[Case]:
    for damage, (name, write) in REFUSED.items():
        yield Case("place", damage, name, write)
    for damage, (name, write) in READ.items():
        yield Case("place", damage, name, write, read=True)
    for damage, data in ARRAYS.items():
        yield Case(VECTORS, damage, "img_emb/img_emb_1.npy", _shard(data))


VECTORS, GOOD_VECTORS = "vectors", "img_emb/img_emb_0.npy"
DIM = 256  # of the pocket model


def _shard(data: Callable[[], bytes]) -> Callable[[Path], None]:
    """A file of a folder as clip-retrieval writes it, beside good vectors of the pocket model."""

    def write(path: Path) -> None:
        path.parent.mkdir()
        np.save(path.with_name(os.path.basename(GOOD_VECTORS)), np.ones((1, DIM), np.float32))
        path.write_bytes(data())

    return write


def _npy(about: str, data: bytes = b"") -> bytes:
    """A file of numpy with this header."""
    header = about.encode() + b"\n"
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + data


def _shaped(shape: str, kind: str = "<f4") -> bytes:
    return _npy(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}", bytes(256))


ARRAYS: dict[str, Callable[[], bytes]] = {
    "shape of 2^62 rows": lambda: _shaped(f"({2**62}, 32)"),
    "shape of 2^32 square": lambda: _shaped(f"({2**32}, {2**32})"),
    "shape below 0": lambda: _shaped("(-1, -64)"),
    "shape of 100 axes": lambda: _shaped(str((1,) * 100)),
    "shape that is no tuple": lambda: _shaped("'many'"),
    "shape of another space": lambda: _shaped("(1, 64)"),
    "no rows": lambda: _shaped("(0, 32)"),
    "no axes": lambda: _shaped("()"),
    "objects": lambda: _shaped("(2, 32)", "|O"),
    "whole numbers": lambda: _shaped("(2, 32)", "<i4"),
    "texts": lambda: _shaped("(2, 32)", "<U1"),
    "numbers that are not finite": lambda: _npy(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 256), }", np.full(256, np.nan, np.float32).tobytes()
    ),
    "cut": lambda: _shaped("(2, 32)")[:200],
    "header that is cut": lambda: _shaped("(2, 32)")[:40],
    "header of a program": lambda: _npy("__import__('os').system('touch hacked')"),
    "header of 60000 brackets": lambda: _npy("[" * 60_000),
    "header of 4 GB": lambda: b"\x93NUMPY\2\0\xff\xff\xff\xff" + bytes(99),
    "version 9": lambda: b"\x93NUMPY\x09\0" + _shaped("(2, 32)")[8:],
    "pickle": lambda: b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\6system\x94\x93\x94.",
    "zip of arrays": lambda: b"PK\3\4" + bytes(99),
    "empty": lambda: b"",
    "noise": lambda: np.random.default_rng(60).bytes(5000),
}
