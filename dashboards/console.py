"""The output of a command: its answer on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

_EVERY = 10.0  # seconds between two lines of progress in a log file


class Console:
    """One command's streams.

    Args:
        json: answer with one JSON document instead of text.
        out: where answers are printed; by default the present standard output, even when that is redirected later.
    """

    def __init__(self, *, json: bool = False, out: TextIO | None = None) -> None:
        self.json = json
        self._out = sys.stdout if out is None else out

    def answer(self, document: Mapping[str, Any], text: str) -> None:
        """Print `document` on one line under `--json`, else `text`; flushed, so that a server's address is seen."""
        # Escapes keep the document valid whatever encoding the terminal has.
        line = json.dumps(document, allow_nan=False, default=_plain) if self.json else text
        print(line, file=self._out, flush=True)

    def note(self, text: str) -> None:
        """Print a remark that is not a part of the answer."""
        print(text, file=sys.stderr, flush=True)

    def error(self, text: str) -> None:
        """Print a mistake as one line."""
        red, plain = ("\033[31m", "\033[0m") if _coloured(sys.stderr) else ("", "")
        print(f"{red}error:{plain} {' '.join(text.split())}", file=sys.stderr, flush=True)

    def progress(self, iterable: Iterable[Any], *, total: int | None = None, desc: str = "") -> Iterable[Any]:
        """Yield the same items and show how many are done: a bar on a terminal, a line every ten seconds in a log."""
        if not sys.stderr.isatty():
            return _logged(iterable, total, desc)
        from tqdm import tqdm

        return tqdm(iterable, total=total, desc=desc, leave=False, dynamic_ncols=True, file=sys.stderr)


def _logged(iterable: Iterable[Any], total: int | None, desc: str) -> Iterator[Any]:
    last = time.monotonic()
    for done, each in enumerate(iterable):
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            print(f"{desc}: {done}{f' of {total}' if total else ''}", file=sys.stderr, flush=True)
        yield each


def _coloured(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _plain(value: Any) -> Any:
    """Turn NumPy numbers into those of Python, and paths into text."""
    return value.item() if hasattr(value, "item") else str(value)
