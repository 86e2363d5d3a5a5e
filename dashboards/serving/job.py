"""A job: what a page is told of a long task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """The state of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Job:
    """A snapshot of a job.

    Attributes:
        key: its opaque id, which pages keep.
        state: see `JobState`.
        done, total, message: progress of the present stage.
        error: one line to show, when it failed.
        result: what the task returned, when it is done.
        partial: the last partial result that `work.progress.show` sent; `shown` counts them.
        urls: address of each file of the result, by name.
        ahead: while it waits, how many jobs run before it.
    """

    key: str
    task: str
    request: Mapping[str, Any] = field(repr=False)
    owner: str = field(default="", repr=False)
    state: JobState = JobState.WAITING
    done: int = 0
    total: int | None = None
    message: str = ""
    error: str = ""
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    urls: Mapping[str, str] = field(default_factory=dict)
    partial: Mapping[str, Any] | None = field(default=None, repr=False)
    shown: int = 0
    ahead: int = 0

    @property
    def finished(self) -> bool:
        """Whether the job is done, failed or cancelled."""
        return self.state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

    @property
    def fraction(self) -> float:
        """Share of the present stage that is done, in [0, 1]."""
        if self.finished:
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0
