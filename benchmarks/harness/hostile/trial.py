"""Ingest a folder in a process of its own, with its seconds and its memory, and what it says of each file."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thoughtspace.explorer import Explorer
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import ThoughtspaceError

_CAPABILITIES = 0x20080522  # version 3 of the call: two words each of effective, permitted and inheritable ones
_POLL = 0.005


@dataclass(frozen=True)
class Trial:
    """How a process ended.

    Attributes:
        seconds: of wall time.
        mib: its peak memory, that of the libraries and the model included.
        stopped: why it did not end well; empty if it did.
        failed: `{source, reason}` of what could not be read.
        tables: of the report, used or not.
        unread: formats that are not read.
        sources: where the items come from.
    """

    seconds: float
    mib: float
    stopped: str = ""
    failed: list[dict[str, str]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def reasons(self, path: str) -> list[str]:
        """Why a file was refused, or rows, members or files of it."""
        found = [each["reason"] for each in self.failed if is_of(each["source"], path)]
        # A table of captions that cannot be read is in both lists, with one reason.
        unused = (each for each in self.tables if not each["used"] and each["why"] not in found)
        found += [each["why"] for each in unused if is_of(each["source"], path)]
        return found + [f"{each['format']}: {each['remedy']}" for each in self.unread if is_of(each["example"], path)]

    def has(self, path: str) -> bool:
        """Whether a file is a picture of the collection or a table that was used, or has some."""
        used = [each["source"] for each in self.tables if each["used"]]
        return any(is_of(source, path) for source in (*self.sources, *used))


def in_a_child(work: Callable[[], object], *, seconds: float) -> tuple[float, float, str]:
    """Run in a forked process, which is killed when its time is over; its seconds, its MiB and how it failed."""
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    killed = False
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        past = time.perf_counter() - start
        if ended:
            break
        if past > seconds and not killed:
            os.kill(child, signal.SIGKILL)
            killed = True
        time.sleep(_POLL)
    why = f"killed after {seconds:g} s" if killed else f"ended with status {status}" if status else ""
    return past, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), why


def trial(explorer: Explorer, folder: Path, work: Path, *, seconds: float) -> Trial:
    """Ingest a folder; the collection is made in the folder `work`, which is empty."""
    answer = work / "answer.json"

    def run() -> None:
        _quiet(work / "said")
        obey_permissions()
        answer.write_text(json.dumps(_ingested(explorer, folder, work / "out")), encoding="utf-8")

    past, mib, stopped = in_a_child(run, seconds=seconds)
    if stopped or not answer.exists():
        said = (work / "said").read_text(errors="replace").strip().splitlines()
        return Trial(past, mib, f"{stopped or 'no answer'}: {said[-1] if said else ''}")
    return Trial(past, mib, **json.loads(answer.read_text(encoding="utf-8")))


def _ingested(explorer: Explorer, folder: Path, out: Path) -> dict[str, Any]:
    try:
        report = ingest(explorer, folder, out).to_json()
    except ThoughtspaceError as error:
        return {"stopped": str(error)}
    sources = list(Collection.open(out).items()["source"])
    return {**{name: report[name] for name in ("failed", "tables", "unread")}, "sources": sources}


def is_of(source: str, path: str) -> bool:
    """Whether a source is a file, or a row, a member or a file of it."""
    return source == path or source.startswith((f"{path}/", f"{path}:"))


def _quiet(said: Path) -> None:
    """Send what libraries print to a file."""
    warnings.simplefilter("ignore")
    handle = os.open(said, os.O_WRONLY | os.O_CREAT)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def obey_permissions() -> None:
    """Make even root obey the permissions of files, on Linux."""
    if sys.platform != "linux":
        return
    header, words = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capget(header, words) == 0:
        words[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which only root has
        libc.capset(header, words)
