"""Archives as folders: a file inside a zip or tar has the path of the archive, a slash, and its name in there.

Nothing is unpacked to disk, except that a compressed tar, which cannot be read from the middle, is unpacked into one
temporary file without a name.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import posixpath
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from threading import Lock
from typing import IO, Protocol, TypeVar

from ..errors import reason

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""File endings of archives, lower case."""

LARGE, MOST_TIMES = 2**28, 10
"""A compressed tar may unpack to so many bytes, or to so many times its own size if that is more."""

LARGE_FILE, MOST_TIMES_FILE = 64 * 2**20, 100
"""The same for one file in a zip, or in a tar with holes. Pictures hardly shrink; what unpacks to more is a trap."""

_Packed = gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile
_PACKED: Mapping[bytes, Callable[[str], _Packed]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
_ERRORS = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)
_MOST_LINKS = 40  # that lead from one to the next, as in Linux
_OPENING, _COPIED = Lock(), 2**20
_About = TypeVar("_About")


class Members(Protocol):
    """The files of one open archive."""

    problem: str
    """Why not all of it can be read; else empty."""

    @property
    def names(self) -> Collection[str]:
        """The names of its files, in no order; with slashes, and with no part `..`."""

    def read(self, name: str, most: int) -> bytes:
        """The bytes of one file, or an OSError."""


def is_archive(path: str) -> bool:
    """Whether a file of this name is an archive that can be read as a folder."""
    return path.lower().endswith(SUFFIXES)


def split(path: str) -> tuple[str, str] | None:
    """The archive that a path leads into, and the name in there; None for a path that leads into none."""
    archive, inner = os.path.split(os.path.abspath(path))
    while inner and not os.path.lexists(archive):
        archive, last = os.path.split(archive)
        inner = f"{last}/{inner}" if last else ""
    return (archive, inner) if inner and is_archive(archive) and os.path.isfile(archive) else None


def exists(path: str) -> bool:
    """Whether there is a file of this path, in a folder or in an archive."""
    if os.path.lexists(path):
        return True
    inside = split(path)
    try:
        return inside is not None and inside[1] in members(inside[0]).names
    except OSError:
        return False


def contents(path: str | os.PathLike[str], most: int) -> bytes:
    """The bytes of a file, in a folder or in an archive.

    Raises:
        OSError: it cannot be read, is no regular file, or has more than `most` bytes.
    """
    inside = None if os.path.exists(path) else split(os.fsdecode(path))
    if inside is not None:
        return members(inside[0]).read(inside[1], most)
    if regular(path).st_size > most:
        raise OSError(f"it has more than {most} bytes")
    with open(path, "rb") as file:
        return file.read(most)


def regular(path: str | os.PathLike[str]) -> os.stat_result:
    """What the system says of a regular file. To open another one, such as a pipe, could take forever.

    Raises:
        OSError: it is missing, or no regular file.
    """
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        raise OSError("it is no regular file")
    return about


def members(archive: str) -> Members:
    """The files of an archive. The last few archives stay open.

    Raises:
        OSError: it is no archive or no regular file, or damaged from its beginning.
    """
    about = regular(archive)
    with _OPENING:
        return _members(archive, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=8)
def _members(archive: str, size: int, _changed: int) -> Members:
    try:
        with open(archive, "rb") as file:
            start = file.read(6)
        if start.startswith(b"PK"):
            return _Zip(archive)
        unpack = next((each for mark, each in _PACKED.items() if start.startswith(mark)), None)
        if unpack is None:
            return _Tar(open(archive, "rb"))
        unpacked, problem = _unpacked(unpack(archive), max(LARGE, MOST_TIMES * size))
        return _Tar(unpacked, problem)
    except OSError:
        raise
    except _ERRORS as error:
        raise OSError(f"it is no zip or tar, or is damaged: {_words(error)}") from error


class _Zip:
    """A zip. Names that are UTF-8 without saying so, as macOS writes them, are read as such."""

    problem = ""

    def __init__(self, path: str) -> None:
        self._zip = zipfile.ZipFile(path)  # several threads may read from it
        self._files = {_plain(_named(each)): each for each in self._zip.infolist() if not each.is_dir()}

    @property
    def names(self) -> Collection[str]:
        return self._files.keys()

    def read(self, name: str, most: int) -> bytes:
        about = _found(self._files, name)
        if about.flag_bits & 1:
            raise OSError("it is encrypted; unpack it with its password")
        if about.file_size > max(LARGE_FILE, MOST_TIMES_FILE * about.compress_size) or about.file_size > most:
            raise OSError(f"it unpacks to {about.file_size} bytes, which is too large; leave it out")
        try:
            with self._zip.open(about) as file:
                return file.read()
        except NotImplementedError as error:
            raise OSError("it is packed in a way that is not read; pack it again as an ordinary zip") from error
        except _ERRORS as error:
            raise OSError(f"it is damaged ({_words(error)}); pack it again") from error


class _Tar:
    """A tar that is not compressed, in a file that stays open."""

    def __init__(self, file: IO[bytes], problem: str = "") -> None:
        self._lock = Lock()
        self._files: dict[str, tarfile.TarInfo] = {}
        self.problem = problem
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._tar = tarfile.TarFile(fileobj=file)
        try:
            for each in self._tar:
                if each.isreg() and each.sparse is None and each.offset_data + each.size > end:
                    raise tarfile.ReadError("unexpected end of data")
                if each.isreg() or each.islnk() or each.issym():
                    self._files[_plain(each.name)] = each
        except tarfile.TarError as error:
            self.problem = problem or f"it is cut off or damaged after {len(self._files)} files: {_words(error)}"

    @property
    def names(self) -> Collection[str]:
        return self._files.keys()

    def read(self, name: str, most: int) -> bytes:
        about = self._target(name)
        if about.size > (most if about.sparse is None else min(most, LARGE_FILE)):
            raise OSError(f"it has {about.size} bytes, which is too large; leave it out")
        try:
            with self._lock:
                file = self._tar.extractfile(about)
                data = None if file is None else file.read(most)
        except _ERRORS as error:
            raise OSError(f"it is damaged ({_words(error)}); pack it again") from error
        return data or b""

    def _target(self, name: str) -> tarfile.TarInfo:
        """The file of a name; of a link, that to which it leads."""
        about = _found(self._files, name)
        for _ in range(_MOST_LINKS):
            if about.isreg():
                return about
            folder = posixpath.dirname(name) if about.issym() else ""
            name = _plain(posixpath.join(folder, about.linkname))
            if name not in self._files:
                raise OSError("it is a link to what is no file of the archive; pack the file itself")
            about = self._files[name]
        raise OSError("it is a link in a circle, or a chain of too many links; pack the file itself")


def _unpacked(packed: _Packed, most: int) -> tuple[IO[bytes], str]:
    """A temporary file with what is in a compressed one, and why that is not all; else an empty text."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it stays open for the members
    problem = ""
    try:
        with packed:
            while part := packed.read1(_COPIED):
                file.write(part)
                if file.tell() > most:
                    raise OSError(f"it unpacks to more than {most} bytes; unpack it, and give the folder")
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        if not file.tell():
            raise
        problem = f"it is cut off or damaged: {_words(error)}"
    file.seek(0)
    return file, problem


def _named(about: zipfile.ZipInfo) -> str:
    name = about.filename.replace("\\", "/")  # as some programs of Windows write it
    if about.flag_bits & 0x800:
        return name
    try:
        return name.encode("cp437").decode()
    except UnicodeError:
        return name


def _plain(name: str) -> str:
    """A name without a root and without parts `.` and `..`, which could lead out of the archive."""
    return posixpath.normpath("/" + name).lstrip("/")


def _found(files: Mapping[str, _About], name: str) -> _About:
    if name not in files:
        raise OSError("the archive has no such file; check the name")
    return files[name]


def _words(error: BaseException) -> str:
    return " ".join(reason(error).split())[:100] or type(error).__name__
