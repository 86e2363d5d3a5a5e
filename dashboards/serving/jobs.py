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

One task runs at a time, in a process of its own, so that the server stays free for clicks. Browsers take turns, each
with its own jobs in their order, and none sees or cancels those of another. A job whose page was closed makes way. A
result is kept whole or not at all: the folder of its files is renamed when the task returns. `components.JobPanel`
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .job import Job, JobState
from .settings import DashboardError
from .worker import PACKAGE, Task, Work

__all__ = ["Job", "JobState", "Jobs", "Task", "Work"]

KEPT = 32
"""Number of finished jobs that are kept; older ones are deleted with their files."""

GRACE = 8.0
"""Seconds after which the process of a cancelled task is killed, when the task does not stop by itself."""


WAITING = 4
"""Most jobs of one browser that wait."""

FORGOTTEN = 180.0
"""Seconds after which a job that no page asks for makes way for others. A hidden page's timers tick once a minute."""


class Jobs:
    """The table of jobs and their worker, which starts with the first job or by `start`.

    Args:
        command: the command that starts the worker.
        folder: for results; the worker writes to the same folder.
        owner: says who is asking; by default everybody is one.
    """

    def __init__(self, command: Sequence[str], folder: Path, *, owner: Callable[[], str] = str) -> None:
        self._command, self.folder, self._owner = list(command), folder, owner
        self._asked: dict[str, float] = {}
        self._turns: dict[str, int] = {}
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._running: str | None = None
        self._cancelled_at: dict[str, float] = {}
        self._closed = False

    def submit(self, task: Task, request: Mapping[str, Any]) -> str:
        """Queue a task and return the key of its job at once.

        Raises:
            DashboardError: the server is shutting down, the browser has too many jobs waiting, or the task is not a
                function at the top of a module of this package.
        """
        name = f"{task.__module__}:{task.__qualname__}"
        if not name.startswith(PACKAGE) or "<" in name:
            message = f"Got task {name}, expected a function at the top of a module of this package."
            raise DashboardError(message, code="task")
        key = secrets.token_urlsafe(12)
        with self._lock:
            if self._closed:
                raise DashboardError("Got a task while the server shuts down; start the server again.", code="closed")
            owner = self._owner()
            waiting = sum(job.owner == owner and job.state is JobState.WAITING for job in self._jobs.values())
            if waiting >= WAITING:
                message = f"Got another job while {waiting} of yours wait; cancel one of them, or wait."
                raise DashboardError(message, code="too many jobs")
            self._jobs[key] = Job(key, name, json.loads(json.dumps(request)), owner)
            self._asked[key] = time.monotonic()
            self._forget()
            self._next()
        return key

    def get(self, key: str | None) -> Job | None:
        """A snapshot of the job, or `None` when this browser has none of that key."""
        with self._lock:
            # Checked whichever job is asked for: a newer job waits while a cancelled one still blocks the worker.
            if time.monotonic() - self._cancelled_at.get(self._running or "", math.inf) > GRACE:
                self._kill()
            job = self._own(key)
            if job is None or job.finished:
                return job
            self._asked[job.key] = time.monotonic()
            self._drop_forgotten()
            job = self._jobs[job.key]
            if job.state is not JobState.WAITING:
                return job
            return replace(job, ahead=self._order().index(job.key) + (self._running is not None))

    def done(self, key: str | None) -> Job | None:
        """A job that is done, with its result and the addresses of its files; `None` for any other."""
        job = self.get(key)
        return job if job is not None and job.state is JobState.DONE else None

    def cancel(self, key: str | None) -> None:
        """Stop a job of this browser, or remove it from the queue; nothing of it is kept."""
        with self._lock:
            self._cancel(self._own(key))

    def _own(self, key: str | None) -> Job | None:
        job = self._jobs.get(key or "")
        return job if job is not None and job.owner == self._owner() else None

    def _cancel(self, job: Job | None) -> None:
        if job is None or job.finished:
            return
        if job.state is JobState.WAITING:
            self._jobs[job.key] = replace(job, state=JobState.CANCELLED)
        elif job.key not in self._cancelled_at:
            self._cancelled_at[job.key] = time.monotonic()
            self._jobs[job.key] = replace(job, message="cancelling")
            self._send({"do": "cancel", "id": job.key})

    def _drop_forgotten(self) -> None:
        """Cancel the jobs that no page has asked for lately, where others wait."""
        if any(job.state is JobState.WAITING for job in self._jobs.values()):
            for job in list(self._jobs.values()):
                if time.monotonic() - self._asked.get(job.key, 0.0) > FORGOTTEN:
                    self._cancel(job)

    def _order(self) -> list[str]:
        """Keys of the jobs that wait, in the order in which they will run: owners take turns."""
        rounds = dict(self._turns)
        placed = []
        for place, job in enumerate(self._jobs.values()):
            if job.state is JobState.WAITING:
                placed.append((rounds.get(job.owner, 0), place, job.key))
                rounds[job.owner] = rounds.get(job.owner, 0) + 1
        return [key for _, _, key in sorted(placed)]

    def file(self, key: str, name: str) -> Path | None:
        """The file of a finished job, only by a name in its `urls`; any other name gives `None`."""
        with self._lock:
            job = self._own(key)
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
            self._drop_forgotten()
            order = self._order()
            if order:
                job = self._jobs[order[0]]
                # Whoever comes anew stands beside those who have waited longest, and not before them.
                least = min((turns for owner, turns in self._turns.items() if owner != job.owner), default=0)
                self._turns[job.owner] = max(self._turns.get(job.owner, 0), least) + 1
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
            self._asked.pop(key, None)
            shutil.rmtree(self.folder / key, ignore_errors=True)


def open_jobs(settings: Mapping[str, Any], *, folder: Path | None = None, owner: Callable[[], str] = str) -> Jobs:
    """Make the table of jobs with the worker of `worker.py`; `settings` has its `collection`, `model` and `uploads`."""
    place = Path(tempfile.mkdtemp(prefix="thoughtspace-jobs-")) if folder is None else folder
    argument = json.dumps({**settings, "folder": str(place)})
    return Jobs([sys.executable, "-m", "thoughtspace.dashboards.serving.worker", argument], place, owner=owner)
