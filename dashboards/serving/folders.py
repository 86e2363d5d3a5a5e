"""The folder of one server's uploads and results; those that a killed server left behind are removed by the next."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import psutil

_PREFIX, _OWNER = "thoughtspace-", "owner"


def temporary_folder() -> Path:
    """A new folder that says which process it belongs to; those of processes that have ended are removed."""
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if _is_left(old):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    process = psutil.Process()
    (folder / _OWNER).write_text(f"{process.pid} {process.create_time():.2f}", encoding="ascii")
    return folder


def _is_left(folder: Path) -> bool:
    """Whether a folder of ours belongs to a process that is no more; a number may since be another process's."""
    try:
        pid, started = (folder / _OWNER).read_text(encoding="ascii").split()
        return abs(psutil.Process(int(pid)).create_time() - float(started)) > 1
    except psutil.NoSuchProcess:
        return True
    except (OSError, ValueError, psutil.Error):
        return False  # not a folder of ours, or not ours to look at
