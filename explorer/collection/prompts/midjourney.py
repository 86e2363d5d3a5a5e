"""Midjourney: a description that ends with `Job ID: <uuid>`; as the last resort, the name of the file.

The prompt comes first, then parameters such as `--ar 2:1 --v 6 --no text`: `--no` is the negative prompt.
"""

from __future__ import annotations

import html
import re
from types import MappingProxyType

from .carried import Carried
from .settings import Settings, further, integer, safe

NAME_SOURCE = "midjourney file name"

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_JOB = re.compile(rf"Job ID:\s*({_UUID})", re.IGNORECASE)
_PARAMETER = re.compile(r"(?<!\S)(?:--|—)([a-z]+)(?![^\s])", re.IGNORECASE)
_IMAGE = re.compile(r"\s*<?https?://\S+\s*")
_NAME = re.compile(rf"([^_]+)_(.+?)_({_UUID})(?:_(\d+))?", re.IGNORECASE)


def read(carried: Carried) -> Settings | None:
    """Settings from a description with a job's id: of the PNG or the EXIF data, else of the XMP."""
    for raw in (carried.description, _xmp_description(carried.xmp)):
        job = _JOB.search(raw)
        if job is not None:
            return _of_description(safe(raw[: job.start()]), job[1], raw)
    return None


def read_name(carried: Carried) -> Settings | None:
    """The words in a file name `{user}_{words}_{uuid}_{number}`, which lacks punctuation and may be cut short."""
    stem = carried.name.rpartition(".")[0]
    found = _NAME.fullmatch(stem)
    if found is None:
        return None
    words = safe(found[2]).replace("_", " ").partition(" --")[0].split()
    if not any(word.isalpha() for word in words) or (found[4] is None and len(words) < 3):
        return None  # any program may name a file `photo_2024_<uuid>`
    return Settings(
        source=NAME_SOURCE,
        prompt=" ".join(words),
        raw=safe(carried.name),
        more=MappingProxyType({"job": found[3]}),
        note="from the file name: without punctuation, perhaps cut short, perhaps with a part of the user's name",
    )


def _xmp_description(xmp: str) -> str:
    """The first `dc:description`. Cut out by hand: an XML parser would have to be guarded against hostile entities."""
    inside = xmp.partition("<dc:description>")[2].partition("</dc:description>")[0]
    return html.unescape(inside.partition("<rdf:li")[2].partition(">")[2].partition("</rdf:li>")[0])


def _of_description(described: str, job: str, raw: str) -> Settings:
    marks = list(_PARAMETER.finditer(described))
    starts = [*(mark.start() for mark in marks), len(described)]
    prompt = described[: starts[0]]
    values = {mark[1].lower(): described[mark.end() : end].strip() for mark, end in zip(marks, starts[1:], strict=True)}
    images = []
    while (image := _IMAGE.match(prompt)) is not None:
        images.append(image[0].strip().strip("<>"))
        prompt = prompt[image.end() :]
    version = values.get("v") or values.get("version")
    model = f"niji {values['niji']}".strip() if "niji" in values else f"midjourney {version}" if version else None
    return Settings(
        source="midjourney",
        prompt=prompt.strip(),
        negative=values.get("no"),
        seed=integer(values.get("seed")),
        model=model,
        raw=raw,
        more=further({**values, "job": job, "images": " ".join(images)}, but=("no", "seed", "v", "version", "niji")),
    )
