"""What becomes of hostile files: is each refused for one reason, in little time and memory, and does none stop a run?

    python benchmarks/hostile.py --json

Files that are damaged, or made to do harm, are written: pictures of every format, tables, archives, arrays, names, and
things that are no files. Each is ingested beside a good picture, in a process of its own, whose seconds and peak memory
are measured. Then all are ingested in one run. Each file must be refused for exactly one reason of one plain line, or
be read, if its damage is rightly forgiven; and every good picture must be in the collection.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"of_each": 1, "seconds": 60.0})
ARGUMENTS.add_argument("--of-each", type=int, metavar="N", help="so many files of each kind instead of all")
ARGUMENTS.add_argument("--seconds", type=float, default=10.0, help="the most for one file")
ARGUMENTS.add_argument("--mib", type=float, default=1536.0, help="the most memory for one file")
ARGUMENTS.add_argument("--only", metavar="TEXT", help="files whose kind or damage has this text in it")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from harness.hostile.case import Case
from harness.hostile.every import every
from harness.hostile.judge import Verdict, good, judged, together
from harness.hostile.trial import Trial, in_a_child, trial
from harness.hostile.whole import photo
from harness.report import print_json

from thoughtspace.explorer import Explorer


def measured(explorer: Explorer, cases: Sequence[Case], *, seconds: float, mib: float) -> dict[str, Any]:
    """The verdict on each file by itself, and on all in one run."""
    with tempfile.TemporaryDirectory(prefix="hostile") as temporary:
        base, verdicts = Path(os.path.realpath(temporary)), []
        for number, case in enumerate(cases):
            folder = base / "files" / f"{number:03}"
            folder.mkdir(parents=True)
            good(folder, number)
            _, _, why = in_a_child(partial(case.write, folder / case.name), seconds=600)
            if why:
                raise RuntimeError(f"{case.label}: it could not be written ({why})")
            verdicts.append(judged(case, folder, _tried(explorer, folder, base, seconds), mib=mib))
            for problem in verdicts[-1].problems:
                print(f"wrong: {case.label}: {problem}", file=sys.stderr, flush=True)
        # A file that stops a run of its own would stop this one too.
        stopped = any(each.stopped for each in verdicts)
        whole = Trial(0, 0, "not tried") if stopped else _tried(explorer, base / "files", base, 3600)
        amiss = together(verdicts, whole)
        for problem in amiss:
            print(f"wrong: {problem}", file=sys.stderr, flush=True)
    return figures(verdicts, whole, amiss)


def _tried(explorer: Explorer, folder: Path, base: Path, seconds: float) -> Trial:
    with tempfile.TemporaryDirectory(dir=base) as work:
        return trial(explorer, folder, Path(work), seconds=seconds)


def figures(verdicts: Sequence[Verdict], whole: Trial, amiss: Sequence[str]) -> dict[str, Any]:
    """The figures; `amiss` is what is wrong with the run of all."""
    wrong = [f"{each.case.label}: {problem}" for each in verdicts for problem in each.problems]
    slowest, largest = (max(verdicts, key=lambda each: getattr(each, name)) for name in ("seconds", "mib"))
    kinds = Counter(each.case.kind for each in verdicts)
    return {
        "files": len(verdicts),
        "refused": sum(not each.case.read and not each.problems for each in verdicts),
        "read": sum(each.case.read and not each.problems for each in verdicts),
        "wrong": [*wrong, *amiss],
        "kinds": dict(kinds),
        "slowest": {"file": slowest.case.label, "seconds": round(slowest.seconds, 2)},
        "largest": {"file": largest.case.label, "mib": round(largest.mib)},
        "together": {"seconds": round(whole.seconds, 1), "mib": round(whole.mib)},
    }


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    cases = [case for case in every(chosen.of_each) if (chosen.only or "") in case.label]
    if not cases:
        ARGUMENTS.error(f"got --only {chosen.only!r}, which no file has in its kind or damage")
    torch.set_num_threads(1)  # the threads of a pool do not survive a fork
    explorer = Explorer.open("pocket", device="cpu")
    _warm(explorer)
    found = measured(explorer, cases, seconds=chosen.seconds, mib=chosen.mib)
    if chosen.json:
        print_json(found)
    else:
        _show(found)
    sys.exit(bool(found["wrong"]))


def _warm(explorer: Explorer) -> None:
    """Load before the forks what each would load. The library of collections is not among it: it starts threads."""
    for name in ("pandas", "psutil", "pyarrow.dataset", "pyarrow.parquet"):
        import_module(name)
    explorer.joint.text("a fox")
    explorer.joint.image(photo())


def _show(found: dict[str, Any]) -> None:
    for kind, count in found["kinds"].items():
        print(f"{kind:26} {count:4}")
    print(f"{found['files']} files: {found['refused']} refused for one reason, {found['read']} rightly read")
    print(f"slowest: {found['slowest']['seconds']:.1f} s, {found['slowest']['file']}")
    print(f"largest: {found['largest']['mib']} MiB, {found['largest']['file']}")
    print(f"all in one run: {found['together']['seconds']:.0f} s, {found['together']['mib']} MiB")


if __name__ == "__main__":
    main()
