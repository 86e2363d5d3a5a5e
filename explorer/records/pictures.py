"""Pictures from files nobody vouched for: opened with a list of formats, a size limit and one clear error."""

from __future__ import annotations

import io
import os
import stat
import threading
import warnings
from functools import cache
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import PictureError

FORMATS = (
    *("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO", "ICNS", "CUR", "DIB", "PSD"),
    *("DDS", "QOI", "SGI", "PCX", "DCX", "SUN", "FITS", "FLI", "MSP", "XBM", "XPM", "TGA"),
)
"""Pillow's decoders that may be used, likeliest first. Left out: those that start a program or ask the system to draw
(EPS, WMF), those that need a handler from elsewhere (GRIB, HDF5, BUFR, MPEG), and formats of a few old games."""

SUFFIXES = frozenset(
    (
        *(".apng", ".avif", ".avifs", ".bmp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit", ".fits", ".flc", ".fli"),
        *(".gif", ".icb", ".icns", ".ico", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg"),
        *(".jpx", ".mpo", ".msp", ".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".ras"),
        *(".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff", ".vda", ".vst", ".webp", ".xbm", ".xpm"),
    )
)
"""File endings that promise a picture, lower case."""

MAX_PIXELS = 89_478_485
"""Where Pillow starts to suspect a decompression bomb; here it is the end (268 MB decoded)."""

MAX_BYTES = 512 * 2**20
"""Largest picture file read into memory."""

THUMBNAIL_SIDE = 96
"""Longest side of a thumbnail in pixels."""

_OPENING = threading.Lock()  # `warnings` filters belong to the whole process, so headers are read one at a time


def open_picture(path: str | os.PathLike[str]) -> Image.Image:
    """The picture in a file, upright, as RGB; transparency is laid on white, animations give their first frame.

    Raises:
        PictureError: missing, not a regular file, of no allowed format, damaged, cut short or too large.
    """
    return decode_picture(read_bytes(path), name=os.path.basename(os.fspath(path)))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file of reasonable size.

    Raises:
        PictureError: it is missing, unreadable, a folder or a device, empty, or over `MAX_BYTES`.
    """
    name = printable(os.path.basename(os.fspath(path)))
    try:
        about = os.stat(path)
        if not stat.S_ISREG(about.st_mode):
            raise PictureError(f"Got {name}, which is not a regular file, expected a picture; give a picture file.")
        if about.st_size > MAX_BYTES:
            raise PictureError(
                f"Got {name} of {about.st_size} bytes, expected at most {MAX_BYTES}; save it smaller or compressed."
            )
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, PictureError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PictureError(
            f"Got {name}, which cannot be read ({reason}); check the path and its permissions."
        ) from error
    if not data:
        raise PictureError(f"Got {name}, an empty file, expected a picture; export it again or leave it out.")
    return data


def decode_picture(data: bytes, *, name: str = "picture", max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture in `data` as `open_picture` gives it; `name` is what errors call it, `max_pixels` its largest area.

    >>> decode_picture(thumbnail(Image.new("L", (20, 10)))).mode
    'RGB'
    >>> try:
    ...     decode_picture(b"hello", name="hello.png")
    ... except PictureError as error:
    ...     print(str(error)[:53])
    Got hello.png, which is no picture of an allowed form
    """
    name = printable(name)
    try:
        picture = _decode(data, name, max_pixels)
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, "more", max_pixels) from error
    except UnidentifiedImageError as error:
        raise PictureError(
            f"Got {name}, which is no picture of an allowed format, expected one of {', '.join(FORMATS[:7])} and "
            f"{len(FORMATS) - 7} more; convert it."
        ) from error
    except MemoryError as error:
        raise PictureError(f"Got {name}, which needs more memory than there is; save it smaller.") from error
    except Exception as error:  # whatever damage makes a decoder raise, it is one thing to who gave the file
        detail = " ".join(str(error).split())[:120] or type(error).__name__
        raise PictureError(
            f"Got {name}, whose data are damaged or cut short ({detail}), expected a whole picture; export it again."
        ) from error
    return picture


def thumbnail(picture: Image.Image, *, side: int = THUMBNAIL_SIDE) -> bytes:
    """A JPEG of the picture, its longest side at most `side` pixels; small pictures are not enlarged."""
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    small.convert("RGB").save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()


def printable(text: str) -> str:
    """Text that can be stored, sent and shown: bytes of no encoding become a question mark, controls a space.

    >>> printable("caf\\udce9\\n.png")
    'caf? .png'
    """
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else " " for character in plain)


def _decode(data: bytes, name: str, max_pixels: int) -> Image.Image:
    picture = _open(data)
    _check_size(picture, name, max_pixels)
    try:
        picture.load()
    except ValueError:
        bare = _without_texts(data)
        if bare is None:
            raise
        picture = _open(bare)
        picture.load()
    _check_size(picture, name, max_pixels)  # icons and some others know their true size only now
    return _rgb(_upright(picture))


def _open(data: bytes) -> Image.Image:
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return Image.open(io.BytesIO(data), formats=_available())
        except UnidentifiedImageError:
            raise
        except ValueError:
            bare = _without_texts(data)
            if bare is None:
                raise
            return Image.open(io.BytesIO(bare), formats=_available())


@cache
def _available() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)  # a Pillow may be built without some


def _without_texts(data: bytes) -> bytes | None:
    """A PNG without its text chunks, `None` when there are none: Pillow gives up a whole picture for one long text."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    kept, at = [data[:8]], 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in (b"tEXt", b"zTXt", b"iTXt"):
            kept.append(data[at:end])
        at = end
    bare = b"".join(kept)
    return None if len(bare) == len(data) else bare


def _check_size(picture: Image.Image, name: str, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        raise _too_large(name, f"{width} × {height}", max_pixels)
    if not width or not height:
        raise PictureError(f"Got {name} of {width} × {height} pixels, expected at least one; leave it out.")


def _too_large(name: str, size: str, max_pixels: int) -> PictureError:
    return PictureError(f"Got {name} of {size} pixels, expected at most {max_pixels}; save it smaller.")


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # a camera's malformed notes say nothing about the pixels
        return picture


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        picture = picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    elif picture.mode in ("I", "F"):
        picture = _stretched(picture)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return picture.convert("RGB")


def _stretched(picture: Image.Image) -> Image.Image:
    """Numbers without a fixed white (measurements, depths) as greys from their least to their greatest."""
    low, high = (float(value) for value in picture.convert("F").getextrema())  # type: ignore[arg-type]
    if not (high - low) * 0 == 0:
        raise PictureError("Got a picture of values that are not finite, expected numbers; export it as 8-bit.")
    scale = 255 / (high - low) if high > low else 0.0
    return picture.convert("F").point(lambda value: value * scale + (-low * scale)).convert("L")
