"""The judge of hostile files passes one plain reason, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness.hostile.case import Case
from harness.hostile.every import every
from harness.hostile.judge import judged
from harness.hostile.trial import Trial

FOLDER = Path("/files/000")
GOOD, BAD = f"{FOLDER}/good.png", f"{FOLDER}/x.png"
ONE = {"source": BAD, "reason": "Got x.png, which is damaged; export it again."}


def judge(*, read: bool = False, mib: float = 100.0, **answer: Any) -> list[str]:
    """What is wrong with what an ingest says of `x.png`, which should be refused or `read`."""
    case, given = Case("kind", "damage", "x.png", Path.touch, read), {"sources": [GOOD], **answer}
    return judged(case, FOLDER, Trial(1.0, mib, **given), mib=200).problems


def test_one_plain_reason_or_a_picture_passes():
    assert judge(failed=[ONE]) == []
    assert judge(read=True, sources=[GOOD, BAD]) == []
    assert judge(tables=[{"source": BAD, "used": False, "why": "no column names files"}]) == []
    assert judge(failed=[ONE], tables=[{"source": BAD, "used": False, "why": ONE["reason"]}]) == []  # one reason, twice
    assert judge(unread=[{"example": BAD, "count": 1, "format": "RAR", "remedy": "unpack it"}]) == []


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        ({}, "0 reasons"),
        ({"failed": [ONE, {**ONE, "reason": "It is bad."}]}, "2 reasons"),
        ({"failed": [ONE], "sources": []}, "good.png is missing"),
        ({"failed": [{**ONE, "reason": "bad\nworse"}]}, "plain"),
        ({"failed": [{**ONE, "reason": "Traceback (most recent call last)"}]}, "plain"),
        ({"failed": [{**ONE, "reason": "bad (<Image object at 0x7f>)"}]}, "plain"),
        ({"failed": [{**ONE, "reason": "bad (b'PNG')"}]}, "plain"),
        ({"failed": [{**ONE, "reason": "bad (AssertionError)"}]}, "plain"),
        ({"failed": [{**ONE, "reason": "bad " * 100}]}, "400 characters"),
        ({"failed": [ONE], "mib": 300.0}, "300 MiB"),
        ({"failed": [ONE], "stopped": "killed after 10 s"}, "killed"),
        ({"read": True}, "not read"),
        ({"read": True, "sources": [GOOD, BAD], "failed": [ONE]}, "1 reasons"),
    ],
)
def test_anything_else_is_wrong(answer, fact):
    assert fact in " ".join(judge(**answer))


def test_every_file_is_made_differently_and_there_are_many():
    cases = every()
    assert len({each.label for each in cases}) == len(cases) >= 200
