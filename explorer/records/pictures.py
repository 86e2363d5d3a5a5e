"""Open pictures of every source in one way, with a list of formats, a size limit and one kind of error."""

from __future__ import annotations

import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from ..errors import PictureError, reason
from . import archives
from .picture_colours import to_srgb
from .picture_depth import from_array
from .picture_ends import with_end_marker
from .picture_notes import without_notes
from .picture_traps import trap_in_bytes, trap_in_pixels

FORMATS = (
    *("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO", "ICNS", "CUR", "DIB", "PSD"),
    *("DDS", "QOI", "SGI", "PCX", "DCX", "SUN", "FITS", "FLI", "MSP", "XBM", "XPM", "TGA"),
    "HEIF",
)
"""Pillow's decoders that may be used, likeliest first. Left out: those that start a program or ask the system to draw
(EPS, WMF), those that need a handler from elsewhere (GRIB, HDF5, BUFR, MPEG), and formats of a few old games. HEIF is
that of the package pillow-heif."""

SUFFIXES = frozenset(
    (
        *(".apng", ".avif", ".avifs", ".bmp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit", ".fits", ".flc", ".fli"),
        *(".gif", ".icb", ".icns", ".ico", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg"),
        *(".jpx", ".mpo", ".msp", ".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".ras"),
        *(".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff", ".vda", ".vst", ".webp", ".xbm", ".xpm"),
    )
)
"""File endings of pictures, lower case."""

HEIF_SUFFIXES = frozenset((".heic", ".heics", ".heif", ".heifs", ".hif"))
"""File endings of pictures that are read if the package pillow-heif is installed, lower case."""

MAX_PIXELS = 89_478_485
"""Most pixels, 268 MB decoded: where Pillow warns of a decompression bomb, this is an error."""

MAX_BYTES = 512 * 2**20
"""Largest picture file read into memory."""

THUMBNAIL_SIDE = 96
"""Longest side of a thumbnail in pixels."""

_ALLOWED = f"one of {', '.join(FORMATS[:7])} and {len(FORMATS) - 7} more"
_OPENING = threading.Lock()  # `warnings` filters are shared by all threads, so headers are read one at a time


def open_picture(source: Any) -> Image.Image:
    """Open a picture as a PIL picture in 8-bit sRGB, mode `RGB`: the same pixels from every kind of source.

    The picture is turned upright and transparency shows white; 16-bit values and floats are scaled (see
    `picture_depth`), a colour profile is applied (see `picture_colours`), and an animation gives its first frame.

    Args:
        source: a path, in which `~` is the home folder; the bytes of a file, or a binary file; a PIL picture, loaded or
            not, at its current frame; or an array `(h, w)` or `(h, w, c)` of uint8, uint16, bool, or floats in
            [0, 1]. A tensor `(3, h, w)` is `tensor.permute(1, 2, 0).numpy(force=True)`.

    Raises:
        PictureError: missing, not a regular file, of no allowed format, damaged, cut short, too large, or an array of
            another shape, type or range.

    >>> open_picture(np.full((20, 10), 0.5)).getpixel((0, 0))
    (128, 128, 128)
    """
    if isinstance(source, Image.Image):
        return _from_pillow(source)
    if isinstance(source, np.ndarray):
        with _one_kind_of_error("an array"):
            return _loaded(from_array(source), "an array")
    if isinstance(source, bytes | bytearray | memoryview):
        return decode_picture(_some_bytes(bytes(source), "bytes"))
    if isinstance(source, str | os.PathLike):
        return decode_picture(read_bytes(source), name=os.path.basename(os.fsdecode(source)))
    if isinstance(source, io.RawIOBase | io.BufferedIOBase):
        return decode_picture(_some_bytes(source.read(MAX_BYTES + 1) or b"", "a file"))
    raise PictureError(
        f"Got a {type(source).__name__} as a picture, expected a path, bytes, a PIL picture or an array; several "
        "pictures are several arguments, a tensor (3, h, w) is tensor.permute(1, 2, 0).numpy(force=True).",
        code="not a picture",
    )


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read the bytes of a regular file of at most `MAX_BYTES`; `~` is the home folder, and an archive is a folder.

    Raises:
        PictureError: a file that is missing, unreadable, empty or too large, or a folder or a device.
    """
    name = printable(os.path.basename(os.fsdecode(path)))
    path = os.path.expanduser(os.fsdecode(path))
    try:
        if not os.path.exists(path) and (inside := archives.split(path)) is not None:
            return _some_bytes(_in_archive(*inside, name), name)
        about = os.stat(path)
        if not stat.S_ISREG(about.st_mode):
            raise PictureError(f"Got {name}, which is not a regular file, expected a picture file.", code="not a file")
        if about.st_size > MAX_BYTES:
            raise _too_large(name, f"{about.st_size} bytes", MAX_BYTES)
        data = Path(path).read_bytes()
    except PictureError:
        raise
    except (OSError, ValueError) as error:
        message = f"Got {name}, which cannot be read ({reason(error)}); check the path and its permissions."
        raise PictureError(message, code="cannot read") from error
    return _some_bytes(data, name)


def _in_archive(archive: str, inner: str, name: str) -> bytes:
    try:
        return archives.members(archive).read(inner, MAX_BYTES)
    except OSError as error:  # which says what to do, where that is known
        where = printable(os.path.basename(archive))
        raise PictureError(f"Got {name} in {where}: {error}.", code="cannot read") from error


def decode_picture(data: bytes, name: str = "picture") -> Image.Image:
    """Decode a picture from the bytes of its file, as `open_picture` does; `name` is its name in errors.

    >>> decode_picture(thumbnail(Image.new("L", (20, 10)))).mode
    'RGB'
    >>> try:
    ...     decode_picture(b"hello", name="hello.png")
    ... except PictureError as error:
    ...     print(str(error)[:53])
    Got hello.png, which is not a picture of an allowed f
    """
    name = printable(name)
    with _one_kind_of_error(name):
        try:
            return _decode(data, name)
        except (PictureError, UnidentifiedImageError):
            raise
        except OSError:
            ended = with_end_marker(data)
            if ended is None:
                raise
            return _decode(ended, name)
        except ValueError:  # Pillow rejects a whole picture for one long text
            bare = without_notes(data)
            if bare is None:
                raise
            return _decode(bare[0], name, profile=bare[1])


def thumbnail(picture: Image.Image) -> bytes:
    """A JPEG of the picture, its longest side at most `THUMBNAIL_SIDE`; small pictures are not enlarged."""
    small = picture.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    small.convert("RGB").save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()


def is_readable(suffix: str) -> bool:
    """Whether files with this ending, in lower case, are pictures that can be read here."""
    if suffix in HEIF_SUFFIXES:
        return "HEIF" in _available()
    if suffix in (".avif", ".avifs"):
        return "AVIF" in _available()
    return suffix in SUFFIXES


def printable(text: str) -> str:
    """Make text safe to store, send and show: undecodable bytes become a question mark, control characters a space.

    >>> printable("caf\\udce9\\n.png")
    'caf? .png'
    """
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else " " for character in plain)


def _from_pillow(picture: Image.Image) -> Image.Image:
    name = "picture"
    if isinstance(picture, ImageFile.ImageFile):
        name = printable(os.path.basename(os.fsdecode(picture.filename))) or name
        if picture.format not in (*FORMATS, "MPO"):
            raise PictureError(
                f"Got {name} of the format {picture.format}, expected {_ALLOWED}; if you trust it, pass "
                'picture.convert("RGB").',
                code="format",
            )
    with _one_kind_of_error(name):
        return _loaded(picture, name)


def _decode(data: bytes, name: str, *, profile: bytes | None = None) -> Image.Image:
    if trap := trap_in_bytes(data):
        raise _too_slow(name, trap)
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        picture = Image.open(io.BytesIO(data), formats=_available())
    _check_size(picture, name)
    if trap := trap_in_pixels(picture, data):
        raise _too_slow(name, trap)
    return _loaded(picture, name, profile)


def _loaded(picture: Image.Image, name: str, profile: bytes | None = None) -> Image.Image:
    """Load the pixels, convert them to sRGB from their own colour profile or this one."""
    _check_size(picture, name)
    picture.load()
    _check_size(picture, name)  # the true size of icons and some others is known only now
    if profile is not None:
        picture.info["icc_profile"] = profile
    return to_srgb(picture)


@contextmanager
def _one_kind_of_error(name: str) -> Iterator[None]:
    try:
        yield
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, "more pixels", MAX_PIXELS) from error
    except UnidentifiedImageError as error:
        message = f"Got {name}, which is not a picture of an allowed format, expected {_ALLOWED}; convert it."
        raise PictureError(message, code="format") from error
    except MemoryError as error:
        raise PictureError(f"Got {name}, which does not fit in memory; save it smaller.", code="memory") from error
    except Exception as error:  # damage makes decoders raise many kinds of errors; for the user it is one
        # Only these are raised on purpose; the words of other errors are about Python.
        detail = " ".join(str(error).split())[:120] if isinstance(error, OSError | SyntaxError) else ""
        said = f" ({detail})" if detail else ""
        raise PictureError(
            f"Got {name}, whose data are damaged or cut short{said}, expected a whole picture; export it again.",
            code="damaged",
        ) from error


@cache
def _available() -> tuple[str, ...]:
    Image.init()
    if find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)  # Pillow may be built without some of them


def _some_bytes(data: bytes, name: str) -> bytes:
    if not data:
        message = f"Got {name}, an empty file, expected a picture; export it again or leave it out."
        raise PictureError(message, code="empty")
    if len(data) > MAX_BYTES:
        raise _too_large(name, f"{len(data)} bytes", MAX_BYTES)
    return data


def _check_size(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width} × {height} pixels", MAX_PIXELS)
    if not width or not height:
        message = f"Got {name} of {width} × {height} pixels, expected at least one; leave it out."
        raise PictureError(message, code="empty")


def _too_large(name: str, size: str, most: int) -> PictureError:
    return PictureError(f"Got {name} of {size}, expected at most {most}; save it smaller.", code="too large")


def _too_slow(name: str, what: str) -> PictureError:
    message = f"Got {name} with {what}, which takes too long to decode; export it again as an ordinary PNG or JPEG."
    return PictureError(message, code="too slow")
