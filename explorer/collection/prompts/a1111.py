"""Infotext of AUTOMATIC1111's web UI, Forge and those that write like them: `parameters`, UserComment, sidecars.

The prompt on some lines, then `Negative prompt: …` on some lines, then one line of settings,
`Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1`. A value with a comma, a colon or a line end is a JSON string.
See `create_infotext` and `parse_generation_parameters` in modules/processing.py and modules/infotext_utils.py there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from .carried import Carried
from .settings import Settings, further, integer, number, safe, size, text

NEGATIVE = "Negative prompt:"

_PAIR = re.compile(r'(\w[\w \-/]{1,80}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_JSON = re.compile(r'\s*\{\s*"')
_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
_BEFORE_NEGATIVE = re.compile(rf"(?<=\S),? +(?={NEGATIVE})")
_BEFORE_STEPS = re.compile(r"(?<=\S),? +(?=Steps: \d+, )")
_LINES, _MOST = 32, 64 * 1024  # lines at the end among which one may be settings, and its most characters
_NUMBERS = ("Steps", "Seed", "CFG scale")
_KNOWN = (*_NUMBERS, "Sampler", "Size", "Model", "Model hash")
_FIELDS = ("Steps", "Sampler", "CFG scale", "Seed", "Model", "Size")


def read(carried: Carried) -> Settings | None:
    """Settings from the PNG text `parameters`, where a prompt may stand alone, else from UserComment."""
    parameters = carried.texts.get("parameters", "")
    if _JSON.match(parameters):
        return None  # another program's, perhaps cut short
    if parameters.strip():
        return read_text(parameters) or Settings("a1111", safe(parameters.strip()), raw=parameters)
    return read_text(carried.user_comment)


def read_text(infotext: str) -> Settings | None:
    """Settings from infotext; None if the text has neither a negative prompt nor a line of settings.

    A line of settings has at least three pairs `Key: value`, or two below a negative prompt. Two of the keys are known
    ones and one of these has a number, so that "Steps: we walked" is no settings.

    >>> found = read_text("a fox\\nNegative prompt: blurry\\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1")
    >>> found.prompt, found.negative, found.steps, found.sampler, found.guidance, found.seed
    ('a fox', 'blurry', 20, 'Euler a', 7.0, 1)
    """
    lines = _parted(safe(infotext).strip().split("\n"))
    negatives = [row for row, line in enumerate(lines) if line.startswith(NEGATIVE)]
    at, values = _settings_line(lines, least=2 if negatives else 3)
    if not negatives and not values:
        return None
    above = [line.strip() for line in lines[:at]]
    first = next((row for row in negatives if row < at), at)
    below = [line.removeprefix(NEGATIVE).strip() for line in above[first:]]
    note = f"{len(negatives)} lines start with {NEGATIVE!r}: the first ends the prompt" if len(negatives) > 1 else ""
    after = "\n".join(lines[at + 1 :]).strip()  # as dynamic prompts write their template
    return Settings(
        source="a1111",
        prompt="\n".join(above[:first]).strip(),
        negative="\n".join(below).strip() if first < at else None,
        seed=integer(values.get("Seed")),
        steps=integer(values.get("Steps")),
        sampler=text(values.get("Sampler")),
        guidance=number(values.get("CFG scale")),
        model=text(values.get("Model")),
        size=size(*_width_height(values)),
        raw=infotext,
        more=further({**values, "after the settings": after}, but=_FIELDS),
        note=note,
    )


def _parted(lines: list[str]) -> list[str]:
    """The lines, of which some program or web page may have made one of several."""
    parted = _BEFORE_NEGATIVE.sub("\n", lines[0]).split("\n") if len(lines) == 1 else lines
    if len(parted) > 1 and not parted[-1].startswith(NEGATIVE):
        return lines
    parted = [*parted[:-1], *_BEFORE_STEPS.sub("\n", parted[-1], count=1).split("\n")]
    return parted if _settings_line(parted, least=2)[1] else lines


def _settings_line(lines: list[str], *, least: int) -> tuple[int, Mapping[str, str]]:
    """Number and values of the last line of settings; the number of lines and nothing if there is none."""
    for at in range(len(lines) - 1, max(-1, len(lines) - 1 - _LINES), -1):
        values = _values(lines[at])
        known = [name for name in _KNOWN if name in values]
        numbers = [name for name in _NUMBERS if number(values.get(name)) is not None]
        if len(values) >= least and len(known) >= 2 and numbers:
            return at, values
    return len(lines), {}


def _values(line: str) -> dict[str, str]:
    if len(line) > _MOST or sum(f"{name}:" in line for name in _KNOWN) < 2:  # the pattern is slow on long texts
        return {}
    return {name: _unquoted(value) for name, value in _PAIR.findall(line)}


def _unquoted(value: str) -> str:
    value = value.strip()
    if not (value.startswith('"') and value.endswith('"')):
        return value
    try:
        return text(json.loads(value)) or ""
    except ValueError:
        return value


def _width_height(values: Mapping[str, str]) -> tuple[str | None, str | None]:
    found = _SIZE.fullmatch(values.get("Size", ""))
    return (found[1], found[2]) if found else (None, None)
