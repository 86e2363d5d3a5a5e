"""The `thoughtspace` command.

Only the argument parser is loaded to answer `--help`; each command loads what it needs when it runs. Exit codes: 0 on
success, 2 on a user's mistake, with one line on standard error, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from thoughtspace.explorer.errors import Cancelled, ThoughtspaceError

from .arguments import Parser, UsageError
from .commands import (
    analysis,
    collections,
    concepts,
    directions,
    features,
    maps,
    models,
    noise,
    paths,
    pictures,
    places,
    prompts,
    serving,
    structure,
)
from .console import Console

USER_MISTAKE = 2
INTERRUPTED = 130
READER_LEFT = 141
"""Exit code of a program whose output is no longer read, as shells report it: 128 + SIGPIPE."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the arguments; by default those of the process.
    """
    _survive_any_encoding()
    console = Console()
    try:
        args, unknown = parser().parse_known_args(argv)
        if unknown:
            name, extra = f"thoughtspace {args.command}", " ".join(unknown)
            raise UsageError(f"Got {extra}, which `{name}` does not take; see `{name} --help`.", code="arguments")
        console.json = args.json
        with _quiet_libraries(args.json):
            return args.run(args, console)
    except SystemExit as stop:  # argparse, after --help
        return int(stop.code or 0)
    except BrokenPipeError:
        _forget_output()
        return READER_LEFT
    except (KeyboardInterrupt, Cancelled):
        console.error("Stopped. What was finished before is kept.")
        return INTERRUPTED
    except ThoughtspaceError as error:
        console.error(str(error))
        return USER_MISTAKE
    except OSError as error:
        console.error(_os_error_message(error))
        return USER_MISTAKE


def parser() -> Parser:
    """The argument parser, with all commands."""
    program = Parser(
        prog="thoughtspace",
        description="Look into an image model: map its spaces, move through them, decode any point.",
    )
    program.add_argument("--version", action=_Version, help="print the version")
    commands = program.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    serving.register_demo(commands)
    collections.register(commands)
    pictures.register(commands)
    analysis.register(commands)
    structure.register(commands)
    maps.register(commands)
    directions.register(commands)
    noise.register(commands)
    prompts.register(commands)
    paths.register(commands)
    places.register(commands)
    concepts.register(commands)
    features.register(commands)
    models.register(commands)
    serving.register_serve(commands)
    return program


class _Version(argparse.Action):
    """Print the version, which is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"thoughtspace {version('thoughtspace')}")
        parser.exit()


@contextlib.contextmanager
def _quiet_libraries(json: bool) -> Iterator[None]:
    """Hide the warnings of libraries, which are for developers, and keep what they print out of a JSON answer."""
    os.environ.setdefault("LANCE_LOG", "error")
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", module=r"thoughtspace\b")
        warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
        if json:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield


def _survive_any_encoding() -> None:
    """Print characters that the terminal cannot show as escapes."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """Send the last flush to the null device, so that the interpreter does not report the closed pipe again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _os_error_message(error: OSError) -> str:
    what = f"Got {error.filename!r}" if error.filename is not None else "Got an error of the system"
    return f"{what} ({error.strerror or error}); check the file or folder, or choose another."


if __name__ == "__main__":
    sys.exit(main())
