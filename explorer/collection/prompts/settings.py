"""The settings of a generated picture, and the few helpers that read them from text and JSON of any quality."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

MAX_INTEGER = 2**64 - 1
"""The largest seed that generators use."""

MAX_RAW = 64 * 1024
"""Most characters of the raw text that are kept in a collection; a longer one is left out and the note says so."""

COLUMNS = frozenset(
    ("negative", "seed", "steps", "sampler", "guidance", "model", "prompt_source", "prompt_raw", "prompt_note")
)
"""The columns of `Settings.columns`. Where settings are read, those that they lack are empty."""

_INTEGER = re.compile(r"[+-]?\d{1,20}")
_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})(e[+-]?\d{1,3})?", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Settings:
    """What a generator wrote about a picture; `None` where it did not say.

    Attributes:
        source: which program's format: `"a1111"`, `"comfyui"`, …
        prompt: the prompt alone, on as many lines as it was written; empty if it is not known.
        negative: the negative prompt.
        seed: exact, up to `MAX_INTEGER`.
        steps: sampling steps.
        sampler: its name as the program writes it.
        guidance: the scale of classifier-free guidance (CFG).
        model: name of the checkpoint.
        size: width and height in pixels.
        raw: the whole text that this was read from.
        more: further settings, as text, by the program's own names.
        note: what is ambiguous, lossy or left out, in words.
    """

    source: str
    prompt: str = ""
    negative: str | None = None
    seed: int | None = None
    steps: int | None = None
    sampler: str | None = None
    guidance: float | None = None
    model: str | None = None
    size: tuple[int, int] | None = None
    raw: str = ""
    more: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    note: str = ""

    def columns(self) -> dict[str, str | int | float]:
        """The columns of an item in a collection, without those that are not known.

        `negative` (text), `seed` and `steps` (integers), `sampler` (text), `guidance` (a float), `model` (text),
        `prompt_source` (the format), `prompt_raw` (the raw text) and `prompt_note` (what is ambiguous).
        """
        note, raw = self.note, self.raw
        if len(raw) > MAX_RAW:
            raw, note = "", joined_note(note, f"the raw text of {len(raw)} characters is not kept")
        values = {
            "negative": self.negative or None,
            "seed": self.seed,
            "steps": self.steps,
            "sampler": self.sampler or None,
            "guidance": self.guidance,
            "model": self.model or None,
            "prompt_source": self.source,
            "prompt_raw": safe(raw) or None,
            "prompt_note": note or None,
        }
        return {name: value for name, value in values.items() if value is not None}


def joined_note(*parts: str) -> str:
    """Several notes as one."""
    return "; ".join(part for part in parts if part)


def safe(text: str) -> str:
    """Text that can be stored: line ends are `\\n`, controls and lone surrogates are removed; nothing else changes."""
    return _UNSAFE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def integer(value: object) -> int | None:
    """A whole number of at most 64 bits, from a number or its digits.

    >>> integer("18446744073709551615"), integer(20.0), integer(2**64), integer("7.5"), integer(True)
    (18446744073709551615, 20, None, None, None)
    """
    if isinstance(value, str):
        value = int(value) if _INTEGER.fullmatch(value.strip()) else None
    elif isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < 2**53 else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -(2**63) <= value <= MAX_INTEGER else None


def number(value: object) -> float | None:
    """A finite number, from a number or its digits.

    >>> number("7.5"), number(7), number("nan"), number(None)
    (7.5, 7.0, None, None)
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or (isinstance(value, int) and abs(value) > 1e15):
        return None
    return float(value) if math.isfinite(value) else None


def text(value: object) -> str | None:
    """Text that can be stored, from text or a number; None for anything else.

    >>> text(" fox\\x00"), text(6), text([1]), text("")
    (' fox', '6', None, '')
    """
    if isinstance(value, str):
        return safe(value)
    return str(value) if integer(value) is not None or number(value) is not None else None


def size(width: object, height: object) -> tuple[int, int] | None:
    """Width and height in pixels, if both are known."""
    w, h = integer(width), integer(height)
    return None if w is None or h is None else (w, h)


def document(value: object) -> dict[str, Any] | None:
    """The JSON object in a text, or None if there is none; an object of JSON is itself."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):  # cut short, or nested too deeply
        return None
    return found if isinstance(found, dict) else None


def further(values: Mapping[str, Any], *, but: tuple[str, ...] = ()) -> Mapping[str, str]:
    """The values that are text or numbers, as text, without some names."""
    found = {safe(name): text(value) for name, value in values.items() if name not in but}
    return MappingProxyType({name: value for name, value in found.items() if value})


def of_values(
    source: str,
    values: Mapping[str, Any],
    names: Mapping[str, str],
    *,
    raw: str,
    but: tuple[str, ...] = (),
    note: str = "",
) -> Settings:
    """Settings from values of any type, by the program's own names for them.

    Args:
        names: field of `Settings`, or `width` or `height` where it is not called so -> its name in `values`.
        but: further values that are left out of `more`.
    """
    found = {field: values.get(name) for field, name in ({"width": "width", "height": "height"} | dict(names)).items()}
    return Settings(
        source,
        prompt=text(found.get("prompt")) or "",
        negative=text(found.get("negative")),
        seed=integer(found.get("seed")),
        steps=integer(found.get("steps")),
        sampler=text(found.get("sampler")),
        guidance=number(found.get("guidance")),
        model=text(found.get("model")),
        size=size(found["width"], found["height"]),
        raw=raw,
        more=further(values, but=(*names.values(), *but)),
        note=note,
    )
