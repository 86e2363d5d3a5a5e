"""The worker: one process that holds a model and runs the tasks of `jobs.py` one after another.

It reads one JSON object per line from standard input, `{"do": "run", "id", "task", "request"}` or
`{"do": "cancel", "id"}`, and writes one per event: `ready`, `progress`, `partial`, `done`, `failed`, `cancelled`. It
ends when its input ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from thoughtspace.explorer.errors import Cancelled, ThoughtspaceError

from .settings import DashboardError
from .workspace import Workspace

PACKAGE = "thoughtspace."
_EVERY = 0.1  # seconds between two reports of progress


@dataclass(frozen=True)
class Work:
    """The argument of a task.

    Attributes:
        request: the JSON object that was submitted.
        workspace: the model and the collection, which stay open between tasks.
        progress: pass it as `progress=`; it reports, and raises `Cancelled` when the job was cancelled.
        folder: for the files of the result; each gets an address, by its name.
    """

    request: Mapping[str, Any]
    workspace: Workspace
    progress: Progress
    folder: Path

    def file(self, name: str) -> Path:
        """The path of a file of the result, such as `walk.mp4`."""
        return self.folder / name


Task = Callable[[Work], Mapping[str, Any]]
"""A function at the top of a module of this package, which takes `Work` and returns a JSON object."""


@dataclass
class Progress:
    """`progress(iterable, total=, desc=)`: counts, reports a few times a second, and stops when `stop` is set."""

    report: Callable[[int, int | None, str], None]
    stop: threading.Event = field(default_factory=threading.Event)
    show: Callable[[Mapping[str, Any]], None] = lambda partial: None
    """Sends a partial result, a JSON object that becomes `job.partial`; each replaces the one before."""

    def __call__(self, iterable: Iterable[Any], total: int | None = None, desc: str = "") -> Iterator[Any]:
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        last, done = 0.0, 0
        self.report(0, total, desc)
        for done, item in enumerate(iterable):
            self.check()
            if time.monotonic() - last > _EVERY:
                last = time.monotonic()
                self.report(done, total, desc)
            yield item
        self.check()
        self.report(total or done + 1, total, desc)

    def check(self) -> None:
        """Raise `Cancelled` when the job was cancelled."""
        if self.stop.is_set():
            raise Cancelled


def find_task(name: str) -> Task:
    """The function named `package.module:function`, of this package only.

    Raises:
        DashboardError: the name is not one of a function of this package.
    """
    module, _, function = name.partition(":")
    if not module.startswith(PACKAGE) or not function.isidentifier():
        raise DashboardError(f"Got task {name!r}, expected a function of {PACKAGE[:-1]}.", code="task")
    task: Task = getattr(import_module(module), function)
    return task


def run_task(name: str, request: Mapping[str, Any], workspace: Workspace, progress: Progress, folder: Path) -> Any:
    """Run a task; its files appear in `folder` all at once when it is done, or not at all."""
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True)
    try:
        result = dict(find_task(name)(Work(request, workspace, progress, part)))
        progress.check()
        json.dumps(result, allow_nan=False)
        os.replace(part, folder)
        return result
    finally:
        shutil.rmtree(part, ignore_errors=True)


def serve(requests: IO[str], send: Callable[[Mapping[str, Any]], None], workspace: Workspace, folder: Path) -> None:
    """Run the requested tasks in order, until the input ends."""
    waiting: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
    stops: dict[str, threading.Event] = {}

    def listen() -> None:
        for line in requests:
            message = json.loads(line)
            if message["do"] == "cancel":
                stops.setdefault(message["id"], threading.Event()).set()
            else:
                waiting.put(message)
        os._exit(0)  # the server has ended, so the running task is of no use

    threading.Thread(target=listen, daemon=True).start()
    with contextlib.suppress(ThoughtspaceError):  # the first task raises it again, and its page shows it
        workspace.warm()
    send({"event": "ready"})
    while (message := waiting.get()) is not None:
        key = message["id"]
        _answer(message, send, workspace, folder / key, stops.setdefault(key, threading.Event()))
        stops.pop(key, None)


def _answer(
    message: Mapping[str, Any],
    send: Callable[[Mapping[str, Any]], None],
    workspace: Workspace,
    folder: Path,
    stop: threading.Event,
) -> None:
    key = message["id"]

    def report(done: int, total: int | None, desc: str) -> None:
        send({"event": "progress", "id": key, "done": done, "total": total, "desc": desc})

    def show(partial: Mapping[str, Any]) -> None:
        send({"event": "partial", "id": key, "partial": dict(partial)})

    try:
        progress = Progress(report, stop, show)
        result = run_task(message["task"], message["request"], workspace, progress, folder)
        send({"event": "done", "id": key, "result": result})
    except Cancelled:
        send({"event": "cancelled", "id": key})
    except ThoughtspaceError as error:
        send({"event": "failed", "id": key, "error": str(error)})
    except Exception as error:  # a bug ends this job, not the worker; its traceback goes to the log
        sys.excepthook(type(error), error, error.__traceback__)
        send({"event": "failed", "id": key, "error": f"Got an internal {type(error).__name__}: {error}; see the log."})


def main() -> None:
    """Run the worker: `python -m thoughtspace.dashboards.serving.worker SETTINGS`, where the settings are JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the server ends this one
    settings = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # prints of libraries go to the log
    sending = threading.Lock()

    def send(message: Mapping[str, Any]) -> None:
        with sending:
            answers.write(json.dumps(message, allow_nan=False) + "\n")
            answers.flush()

    workspace = Workspace(Path(settings["collection"]), settings["model"], uploads=Path(settings["uploads"]))
    serve(sys.stdin, send, workspace, Path(settings["folder"]))


if __name__ == "__main__":
    main()
