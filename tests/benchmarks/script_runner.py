"""Run scripts in fresh processes that need not load the libraries again: each is forked from this one.

Each line of standard input is JSON: the script, where its output and its errors go, and its arguments. The answer to
it is a line with the exit code.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from pathlib import Path


def run(script: str, out: str, err: str, *arguments: str) -> int:
    """Run a script as `python script arguments`, with its output in files."""
    for stream, file in ((sys.stdout, out), (sys.stderr, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), stream.fileno())
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).parent)
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def main() -> None:
    import torch

    from thoughtspace.explorer import Explorer

    torch.set_num_threads(1)  # the threads of a pool do not survive a fork
    Explorer.open("pocket", device="cpu")  # which imports all that opening and decoding need
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(run(*json.loads(line)))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
