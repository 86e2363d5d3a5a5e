"""Judge what became of hostile files: each refused for one reason of one plain line, or rightly read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from thoughtspace.explorer.collection.reading.names import stored

from .case import Case
from .places import GOOD_VECTORS, VECTORS
from .trial import Trial, is_of

LONGEST = 400
"""Most characters of a reason."""

_NOT_PLAIN = re.compile(r"\n|\r|Traceback|object at 0x|<class|\bb['\"]|\\x[0-9a-f]{2}|[a-z]Error\b|\[Errno|Exception\b")
GOOD = "good.png"


@dataclass(frozen=True)
class Verdict:
    """What became of one file, what is wrong with that, and how many are counted, not listed, in the run of all."""

    case: Case
    folder: str
    path: str
    seconds: float
    mib: float
    problems: list[str]
    stopped: bool
    counted: int


def good(folder: Path, number: int) -> None:
    """A picture of its own, in the collection whatever lies beside it."""
    Image.new("RGB", (16, 16), (number % 256, number // 256, 99)).save(folder / GOOD)


def judged(case: Case, folder: Path, trial: Trial, *, mib: float) -> Verdict:
    """The verdict on the file that was ingested with a good picture in its folder."""
    path = stored(folder / case.name)
    problems = [trial.stopped] if trial.stopped else list(_problems(case, path, trial, folder))
    problems += [f"{trial.mib:.0f} MiB"] if trial.mib > mib else []
    # Among all, arrays are no sources, and counted with those beside them.
    counted = 2 if case.kind == VECTORS else sum(each["count"] for each in trial.unread if is_of(each["example"], path))
    return Verdict(case, str(folder), path, trial.seconds, trial.mib, problems, bool(trial.stopped), counted)


def together(verdicts: Sequence[Verdict], trial: Trial) -> list[str]:
    """What is wrong with the run of all files in one folder, in which arrays are no sources but counted."""
    if trial.stopped:
        return [trial.stopped]
    counted = sum(each["count"] for each in trial.unread)
    found = []
    for each in verdicts:
        reasons = [] if each.counted else trial.reasons(each.path)
        counted -= each.counted
        if len(reasons) != (not each.case.read and not each.counted):
            found.append(f"{each.case.label}: {len(reasons)} reasons in the run of all")
        if not trial.has(f"{each.folder}/{GOOD}"):
            found.append(f"{each.case.label}: the good picture is missing in the run of all")
    return found + ([f"{counted} files too many are counted as not read"] if counted else [])


def _problems(case: Case, path: str, trial: Trial, folder: Path) -> Iterator[str]:
    reasons = trial.reasons(path)
    beside = GOOD_VECTORS if case.kind == VECTORS else GOOD
    if not trial.has(stored(folder / beside)):
        yield f"{beside} is missing"
    if case.read and not trial.has(path):
        yield "it was not read"
    if len(reasons) != (not case.read):
        yield f"{len(reasons)} reasons, such as: {reasons[0] if reasons else 'none'}"
    yield from (f"not a plain line: {each}" for each in reasons if _NOT_PLAIN.search(each))
    yield from (f"{len(each)} characters: {each}" for each in reasons if len(each) >= LONGEST)
