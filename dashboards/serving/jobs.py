"""Jobs: a table of long tasks, and the one process that does them; pages submit, poll and cancel.

A page writes its task as a function at the top of its own module and submits it with a JSON request:

    def render(work: Work) -> dict[str, Any]:              # runs in the worker's process
        workspace, request = work.workspace, work.request
        walk = workspace.explorer.walk(workspace.points(request["stops"]), request["frames"], progress=work.progress)
        walk.save(work.file("walk.mp4"))                   # appears at job.urls["walk.mp4"] when the task has ended
        return {"distances": walk.distances.tolist()}      # job.result

    key = context.jobs.submit(render, {"stops": ["a fox", "a cat"], "frames": 48})
    job = context.jobs.get(key)                            # job.state, .fraction, .message, .error, .result, .urls
    context.jobs.cancel(key)

Only one task runs at a time, in the order of submission; the page's own process stays free for clicks. A result is
there whole or not at all: files are written beside and renamed when the task returns. `components.JobPanel` does the
polling, the progress bar and the cancel button for a page.
"""

from __future__ import annotations

import json
import math
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from .settings import DashboardError
from .worker import PACKAGE, Task, Work

__all__ = ["Job", "JobState", "Jobs", "Task", "Work"]

KEPT = 32
"""Finished jobs whose results stay; older ones are forgotten with their files."""

GRACE = 8.0
"""Seconds that a cancelled task has to notice before its process is killed."""


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Job:
    """A snapshot of a job.

    Attributes:
        key: opaque, what pages keep.
        state: see `JobState`.
        done, total, message: of the stage under way, as its progress said.
        error: one line to show, when it failed.
        result: what the task returned, when it is done.
        partial: what it showed last by `work.progress.show`, while it runs; `shown` counts how often it did.
        urls: address of each file of the result, by name.
    """

    key: str
    task: str
    request: Mapping[str, Any] = field(repr=False)
    state: JobState = JobState.WAITING
    done: int = 0
    total: int | None = None
    message: str = ""
    error: str = ""
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    urls: Mapping[str, str] = field(default_factory=dict)
    partial: Mapping[str, Any] | None = field(default=None, repr=False)
    shown: int = 0

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self.state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

    @property
    def fraction(self) -> float:
        """Share of the stage under way that is done, in [0, 1]."""
        if self.finished:
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0


class Jobs:
    """The table of jobs and their worker, which is started with the first job or by `start`.

    Args:
        command: what to start as the worker.
        folder: for results; the worker was told the same.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command, self.folder = list(command), folder
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._running: str | None = None
        self._cancelled_at: dict[str, float] = {}
        self._closed = False

    def submit(self, task: Task, request: Mapping[str, Any]) -> str:
        """Put a task at the end of the line and answer the job's key at once.

        Raises:
            DashboardError: the server is shutting down, or the task is no function at the top of a module of ours.
        """
        name = f"{task.__module__}:{task.__qualname__}"
        if not name.startswith(PACKAGE) or "<" in name:
            raise DashboardError(f"Got task {name}, expected a function at the top of a module of this package.")
        key = secrets.token_urlsafe(12)
        with self._lock:
            if self._closed:
                raise DashboardError("Got a task while the server shuts down; start it again.")
            self._jobs[key] = Job(key, name, json.loads(json.dumps(request)))
            self._forget()
            self._next()
        return key

    def get(self, key: str | None) -> Job | None:
        """The job as it stands; `None` if there is none of that key (any more)."""
        with self._lock:
            # Whoever asked anew polls another job, and that one waits for the deaf one.
            if time.monotonic() - self._cancelled_at.get(self._running or "", math.inf) > GRACE:
                self._kill()
            return self._jobs.get(key or "")

    def cancel(self, key: str | None) -> None:
        """Stop a job, or take it out of the line; nothing of it is kept."""
        with self._lock:
            job = self._jobs.get(key or "")
            if job is None or job.finished:
                return
            if job.state is JobState.WAITING:
                self._jobs[job.key] = replace(job, state=JobState.CANCELLED)
            elif job.key not in self._cancelled_at:
                self._cancelled_at[job.key] = time.monotonic()
                self._jobs[job.key] = replace(job, message="cancelling")
                self._tell({"do": "cancel", "id": job.key})

    def file(self, key: str, name: str) -> Path | None:
        """The file of a finished job by the name in its `urls`, which is looked up and never joined to a path."""
        with self._lock:
            job = self._jobs.get(key)
            return self.folder / job.key / name if job is not None and name in job.urls else None

    def start(self) -> None:
        """Start the worker, so that its model is warm when the first job comes."""
        with self._lock:
            if self._process is None and not self._closed:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
                )
                threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def close(self) -> None:
        """End the worker and forget everything."""
        with self._lock:
            self._closed = True
            self._kill()

    def _next(self) -> None:
        if self._running is None and not self._closed:
            job = next((job for job in self._jobs.values() if job.state is JobState.WAITING), None)
            if job is not None:
                self.start()
                self._running = job.key
                self._jobs[job.key] = replace(job, state=JobState.RUNNING, message="starting")
                self._tell({"do": "run", "id": job.key, "task": job.task, "request": job.request})

    def _tell(self, message: Mapping[str, Any]) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            try:
                process.stdin.write(json.dumps(message) + "\n")
                process.stdin.flush()
            except OSError:
                self._kill()  # its end is noticed by the thread that listens

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with self._lock:
                self._note(json.loads(line))
        process.wait()
        with self._lock:
            self._process = None
            key, self._running = self._running, None
            job = self._jobs.get(key or "")
            if job is not None and not job.finished:
                self._end(job, process.returncode)
            self._next()

    def _note(self, event: Mapping[str, Any]) -> None:
        job = self._jobs.get(event.get("id", ""))
        if job is None or job.finished:
            return
        match event["event"]:
            case "progress" if job.key not in self._cancelled_at:
                self._jobs[job.key] = replace(job, done=event["done"], total=event["total"], message=event["desc"])
                return
            case "partial":
                self._jobs[job.key] = replace(job, partial=event["partial"], shown=job.shown + 1)
                return
            case "done":
                names = sorted(path.name for path in (self.folder / job.key).iterdir())
                urls = {name: f"/data/job/{job.key}/{name}" for name in names}
                job = replace(job, state=JobState.DONE, result=event["result"], urls=urls, message="", partial=None)
            case "failed":
                job = replace(job, state=JobState.FAILED, error=event["error"], message="")
            case "cancelled":
                job = replace(job, state=JobState.CANCELLED, message="")
            case _:
                return
        self._jobs[job.key] = job
        self._cancelled_at.pop(job.key, None)
        self._running = None
        self._next()

    def _end(self, job: Job, code: int) -> None:
        shutil.rmtree(self.folder / f"{job.key}.part", ignore_errors=True)
        if self._cancelled_at.pop(job.key, None) is not None:
            self._jobs[job.key] = replace(job, state=JobState.CANCELLED, message="")
        else:
            error = f"Got a worker that ended with code {code}, expected a result; try again with less to do."
            self._jobs[job.key] = replace(job, state=JobState.FAILED, error=error, message="")

    def _forget(self) -> None:
        finished = [key for key, job in self._jobs.items() if job.finished]
        for key in finished[: max(0, len(finished) - KEPT)]:
            del self._jobs[key]
            shutil.rmtree(self.folder / key, ignore_errors=True)


def open_jobs(settings: Mapping[str, Any], *, folder: Path | None = None) -> Jobs:
    """Jobs with the worker of `worker.py`; `settings` are its `collection`, `model` and `uploads`."""
    place = Path(tempfile.mkdtemp(prefix="thoughtspace-jobs-")) if folder is None else folder
    argument = json.dumps({**settings, "folder": str(place)})
    return Jobs([sys.executable, "-m", "thoughtspace.dashboards.serving.worker", argument], place)


Submit = Callable[[Task, Mapping[str, Any]], str]
