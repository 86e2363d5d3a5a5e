"""The option `--plot` of the commands that measure."""

from __future__ import annotations

import argparse
from typing import Any

from ..arguments import check_output


def plot_option(parser: argparse.ArgumentParser) -> None:
    """Add `--plot`."""
    parser.add_argument("--plot", metavar="FILE", help="write a figure as a page that needs no network (.html)")


def check_plot(args: argparse.Namespace) -> None:
    """Raise `PictureError` if the figure cannot be written, before the work."""
    if args.plot is not None:
        check_output(args.plot, [".html"])


def draw(result: Any, path: str | None) -> None:
    """Write the figure of a result, where one was asked for."""
    if path is not None:
        result.plot().write_html(path, include_plotlyjs=True)
