"""Jobs: a table of long tasks, and the one process that runs them. Pages submit, poll and cancel.

A page writes its task as a function at the top of its own module and submits it with a JSON request:

    def render(work: Work) -> dict[str, Any]:              # runs in the worker's process
        workspace, request = work.workspace, work.request
        walk = workspace.explorer.walk(workspace.points(request["stops"]), request["frames"], progress=work.progress)
        walk.save(work.file("walk.mp4"))                   # has the address job.urls["walk.mp4"] when the task is done
        return {"distances": walk.distances.tolist()}      # job.result

    key = context.jobs.submit(render, {"stops": ["a fox", "a cat"], "frames": 48})
    job = context.jobs.get(key)                            # job.state, .fraction, .message, .error, .result, .urls
    context.jobs.cancel(key)

One task runs at a time, in the order of submission, in a process of its own, so that the server stays free for clicks.
A result is kept whole or not at all: the folder of its files is renamed when the task returns. `components.JobPanel`
does the polling, the progress bar and the cancel button of a page.
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from .settings import DashboardError
from .worker import PACKAGE, Task, Work

__all__ = ["Job", "JobState", "Jobs", "Task", "Work"]

KEPT = 32
"""Number of finished jobs that are kept; older ones are deleted with their files."""

GRACE = 8.0
"""Seconds after which the process of a cancelled task is killed, when the task does not stop by itself."""


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
        """Whether the job is done, failed or cancelled."""
        return self.state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

    @property
    def fraction(self) -> float:
        """Share of the present stage that is done, in [0, 1]."""
        if self.finished:
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0


class Jobs:
    """The table of jobs and their worker, which starts with the first job or by `start`.

    Args:
        command: the command that starts the worker.
        folder: for results; the worker writes to the same folder.
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
        """Queue a task and return the key of its job at once.

        Raises:
            DashboardError: the server is shutting down, or the task is not a function at the top of a module of this
                package.
        """
        name = f"{task.__module__}:{task.__qualname__}"
        if not name.startswith(PACKAGE) or "<" in name:
            message = f"Got task {name}, expected a function at the top of a module of this package."
            raise DashboardError(message, code="task")
        key = secrets.token_urlsafe(12)
        with self._lock:
            if self._closed:
                raise DashboardError("Got a task while the server shuts down; start the server again.", code="closed")
            self._jobs[key] = Job(key, name, json.loads(json.dumps(request)))
            self._forget()
            self._next()
        return key

    def get(self, key: str | None) -> Job | None:
        """A snapshot of the job, or `None` when no job of that key is kept."""
        with self._lock:
            # Checked whichever job is asked for: a newer job waits while a cancelled one still blocks the worker.
            if time.monotonic() - self._cancelled_at.get(self._running or "", math.inf) > GRACE:
                self._kill()
            return self._jobs.get(key or "")

    def done(self, key: str | None) -> Job | None:
        """A job that is done, with its result and the addresses of its files; `None` for any other."""
        job = self.get(key)
        return job if job is not None and job.state is JobState.DONE else None

    def cancel(self, key: str | None) -> None:
        """Stop a job, or remove it from the queue; nothing of it is kept."""
        with self._lock:
            job = self._jobs.get(key or "")
            if job is None or job.finished:
                return
            if job.state is JobState.WAITING:
                self._jobs[job.key] = replace(job, state=JobState.CANCELLED)
            elif job.key not in self._cancelled_at:
                self._cancelled_at[job.key] = time.monotonic()
                self._jobs[job.key] = replace(job, message="cancelling")
                self._send({"do": "cancel", "id": job.key})

    def file(self, key: str, name: str) -> Path | None:
        """The file of a finished job, only by a name in its `urls`; any other name gives `None`."""
        with self._lock:
            job = self._jobs.get(key)
            return self.folder / job.key / name if job is not None and name in job.urls else None

    def start(self) -> None:
        """Start the worker, so that it has opened its model when the first job comes."""
        with self._lock:
            if self._process is None and not self._closed:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
                )
                threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def close(self) -> None:
        """Kill the worker and refuse further jobs."""
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
                self._send({"do": "run", "id": job.key, "task": job.task, "request": job.request})

    def _send(self, message: Mapping[str, Any]) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            try:
                process.stdin.write(json.dumps(message) + "\n")
                process.stdin.flush()
            except OSError:
                self._kill()  # the listening thread then ends its job

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
            error = f"Got no result, the worker ended with code {code}; try again with less to do."
            self._jobs[job.key] = replace(job, state=JobState.FAILED, error=error, message="")

    def _forget(self) -> None:
        finished = [key for key, job in self._jobs.items() if job.finished]
        for key in finished[: max(0, len(finished) - KEPT)]:
            del self._jobs[key]
            shutil.rmtree(self.folder / key, ignore_errors=True)


def open_jobs(settings: Mapping[str, Any], *, folder: Path | None = None) -> Jobs:
    """Make the table of jobs with the worker of `worker.py`; `settings` has its `collection`, `model` and `uploads`."""
    place = Path(tempfile.mkdtemp(prefix="thoughtspace-jobs-")) if folder is None else folder
    argument = json.dumps({**settings, "folder": str(place)})
    return Jobs([sys.executable, "-m", "thoughtspace.dashboards.serving.worker", argument], place)
