"""Provenance: the record from which a decoded picture can be decoded again, and its place inside the file.

A record is plain JSON with the sha256 of its own canonical form. The hash shows that a record was altered after it was
written. It is not a signature, since anyone who rewrites the record can rewrite the hash too: only a replay shows that
the picture is what its record says.

Where it is kept: in a PNG, zTXt chunks called `thoughtspace`, `thoughtspace-2`, ... (Pillow refuses a picture with a
text over 1 MiB, so a long record is split); in MP4 and WebM, the container's tag `thoughtspace`; in a GIF, the comment.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image as Pillow
from PIL import UnidentifiedImageError
from PIL.Image import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import PictureError, ProvenanceError, reason
from .atomic import replacing, writing_to

KEY = "thoughtspace"
"""Name of the PNG text and of the video's tag."""

MAX_CHARACTERS = 12 << 20
"""Longest record: readers of WebM drop a tag of 16 MiB and more."""

_CHUNK = 1_000_000  # characters of one PNG text, under Pillow's 1 MiB
_MEND = "decode it again from its expression and seed"


@dataclass(frozen=True)
class Provenance:
    """How a picture or a video was made, as immutable JSON data.

    Attributes:
        record: names to JSON values. The explorer writes `kind, model, space, expression, points, options, batch,
            machine, pixels, versions, created`; a tensor is stored as `tensor_json.encode_tensor` makes it.

    Raises:
        ProvenanceError: a record that JSON cannot hold (NaN, an array, a class), or longer than `MAX_CHARACTERS`.

    >>> made = Provenance({"kind": "decode", "options": {"seed": 0}})
    >>> Provenance.from_json(made.to_json()) == made
    True
    >>> made.record["options"]["seed"]
    0
    """

    record: Mapping[str, Any] = field(compare=False)
    _text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text = _canonical(self.record)
        if not isinstance(self.record, Mapping) or "hash" in self.record:
            message = f"Got {text[:40]}… as a record, expected a mapping without the key 'hash', which is added."
            raise ProvenanceError(message, code="mapping")
        if len(text) > MAX_CHARACTERS:
            message = f"Got a record of {len(text)} characters, expected at most {MAX_CHARACTERS}; record fewer points."
            raise ProvenanceError(message, code="too large")
        object.__setattr__(self, "record", _frozen(json.loads(text)))
        object.__setattr__(self, "_text", text)

    @cached_property
    def hash(self) -> str:
        """Sha256 of the canonical JSON: sorted keys, no spaces, ASCII."""
        return hashlib.sha256(self._text.encode("ascii")).hexdigest()

    def to_json(self) -> str:
        """The canonical JSON with its `hash`, on one line of ASCII."""
        return _canonical(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """A fresh, plain copy of the record with its `hash`, ready for `json.dumps`."""
        return {**json.loads(self._text), "hash": self.hash}

    @classmethod
    def from_json(cls, text: str) -> Provenance:
        """Read a record that `to_json` wrote.

        Raises:
            ProvenanceError: text that is not a record, or a record that does not match its hash.
        """
        try:
            document = json.loads(text, object_pairs_hook=_unique)
            stated = document.pop("hash")
            provenance = cls(document)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            message = f"Got {text[:40]!r}… as a record, expected the JSON that thoughtspace writes; {_MEND}."
            raise ProvenanceError(message, code="not a record") from error
        if stated != provenance.hash:
            message = f"Got a record that was altered after it was written (its hash does not match); {_MEND}."
            raise ProvenanceError(message, code="altered")
        return provenance


def pixel_hash(images: Image | Sequence[Image]) -> str:
    """Sha256 of the RGB bytes of a picture, or of several in order.

    >>> pixel_hash(Pillow.new("RGB", (1, 1), (1, 2, 3))) == hashlib.sha256(bytes([1, 2, 3])).hexdigest()
    True
    """
    digest = hashlib.sha256()
    for image in images if isinstance(images, Sequence) else [images]:
        digest.update(image.convert("RGB").tobytes())
    return digest.hexdigest()


def stamp_png(image: Image, provenance: Provenance) -> bytes:
    """The picture as a PNG file that carries its record."""
    text, information = provenance.to_json(), PngInfo()
    for number, start in enumerate(range(0, len(text), _CHUNK), 1):
        information.add_text(_key(number), text[start : start + _CHUNK], zip=True)
    buffer = BytesIO()
    image.save(buffer, "PNG", pnginfo=information)
    return buffer.getvalue()


def write_png(path: str | os.PathLike[str], image: Image, provenance: Provenance) -> None:
    """Write the stamped picture whole or not at all; a PictureError unless it is a `.png` that can be written."""
    if Path(path).suffix.lower() != ".png":
        raise PictureError(
            f"Got {str(path)!r} as a picture to write, expected a name ending in .png.", code="file name"
        )
    data = stamp_png(image, provenance)
    with writing_to(path, PictureError), replacing(path) as beside:
        beside.write_bytes(data)


def read(path: str | os.PathLike[str]) -> Provenance:
    """Read the record inside a PNG, MP4, WebM or GIF file; the kind is found from the content, not the name.

    Raises:
        ProvenanceError: no such file, a file of another kind or damaged, one without a record, an altered record.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(16)
        text = _text_of(Path(path), start)
    except (ValueError, SyntaxError, EOFError, LookupError, Warning, struct.error, UnidentifiedImageError) as error:
        raise _unreadable(path, "is damaged or of another kind", _MEND, "damaged") from error
    except OSError as error:
        raise _unreadable(path, f"cannot be read ({reason(error)})", "check the name", "cannot read") from error
    if not text:
        remedy = "use the original file, since most editors and websites remove the record"
        raise _unreadable(path, "has no record", remedy, "no record")
    return Provenance.from_json(text)


def _unreadable(path: str | os.PathLike[str], what: str, remedy: str, code: str) -> ProvenanceError:
    expected = "a PNG, MP4, WebM or GIF saved by thoughtspace"
    return ProvenanceError(f"Got {str(path)!r}, which {what}, expected {expected}; {remedy}.", code=code)


def _text_of(path: Path, start: bytes) -> str:
    if start.startswith((b"\x89PNG", b"GIF8")):
        with warnings.catch_warnings():
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            with Pillow.open(path, formats=["PNG", "GIF"]) as image:
                if image.format == "GIF":
                    comment = image.info.get("comment", b"")
                    return comment.decode("utf-8", "replace") if comment.lstrip().startswith(b"{") else ""
                texts: Mapping[str, str] = image.text  # type: ignore[attr-defined]  # reads chunks after the pixels too
        numbers = range(1, len(texts) + 1)
        return "".join(texts.get(_key(number), "") for number in numbers)
    if start[4:8] == b"ftyp" or start.startswith(b"\x1aE\xdf\xa3"):
        import av

        with av.open(str(path), metadata_errors="replace") as container:
            return next((value for key, value in container.metadata.items() if key.lower() == KEY), "")
    raise ValueError("not a PNG, MP4, WebM or GIF")


def _key(number: int) -> str:
    return KEY if number == 1 else f"{KEY}-{number}"


def _canonical(record: Any) -> str:
    try:
        return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ProvenanceError(
            f"Got a record that JSON cannot hold ({error}), expected plain finite data; encode tensors and "
            "leave out NaN.",
            code="not json",
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is not JSON")


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(each) for key, each in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(each) for each in value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(document := dict(pairs)) != len(pairs):
        raise ValueError("a key appears twice")
    return document
