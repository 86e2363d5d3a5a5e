"""Formats of pictures and tables that are not read, and how to convert them."""

from __future__ import annotations

from collections.abc import Sequence

from ...records import archives
from ...records.pictures import HEIF_SUFFIXES, is_readable

_KINDS: tuple[tuple[str, Sequence[str], str], ...] = (
    ("HEIC", tuple(HEIF_SUFFIXES), "pip install thoughtspace[heif] (pillow-heif), or export them as JPEG"),
    ("AVIF", (".avif", ".avifs"), "install a Pillow with AVIF, or export them as PNG"),
    ("JPEG XL", (".jxl",), "convert them: djxl in.jxl out.png"),
    (
        "camera RAW",
        (
            *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mos", ".mrw", ".nef", ".nrw"),
            *(".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
        ),
        "develop them and export JPEG, as darktable-cli does",
    ),
    ("SVG", (".svg", ".svgz"), "draw them as pixels: rsvg-convert -w 1024 in.svg -o out.png"),
    ("EPS or PDF", (".eps", ".ai", ".pdf"), "draw them as pixels: pdftoppm -png in.pdf out"),
    ("a drawing program's own", (".psb", ".xcf", ".kra", ".clip", ".afphoto"), "export them as PNG"),
    ("EXR or HDR", (".exr", ".hdr"), "export them as 8-bit PNG"),
    ("video", (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm"), "take frames: ffmpeg -i in.mp4 %05d.png"),
    ("spreadsheet", (".xlsx", ".xls", ".ods", ".numbers"), "save it as CSV UTF-8"),
    ("vectors", (".npy",), "give the file itself, with --captions and a table of the same rows"),
    # Also a zip or tar inside an archive.
    ("archive", (*archives.SUFFIXES, ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"), "unpack it"),
)
_BY_SUFFIX = {suffix: (name, remedy) for name, suffixes, remedy in _KINDS for suffix in suffixes}


def unread(suffix: str) -> tuple[str, str] | None:
    """The name of a format that is not read and how to convert it, by a lower-case ending; None for others."""
    return None if is_readable(suffix) else _BY_SUFFIX.get(suffix)
