"""What commands take in common: options, checked numbers, and places that can be written."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from thoughtspace.explorer.errors import CollectionError, PictureError, ThoughtspaceError
from thoughtspace.explorer.options import Decoding

Run = Callable[[argparse.Namespace, Any], int]
"""A command's work: its arguments and the console -> the exit code."""


class UsageError(ThoughtspaceError):
    """Arguments that a command does not take."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}; see `{self.prog} --help`.")


def command(commands: Any, name: str, run: Run, *, help: str, description: str | None = None) -> Parser:
    """A new command of the program, with the options that all have."""
    parser = commands.add_parser(name, help=help, description=description or f"{help[0].upper()}{help[1:]}.")
    parser.add_argument("--json", action="store_true", help="answer with one JSON document on standard output")
    parser.set_defaults(run=run)
    return parser


def model_option(parser: argparse.ArgumentParser, default: str | None = "pocket") -> None:
    note = "default: pocket" if default else "default: the one that it was made with"
    parser.add_argument("--model", default=default, metavar="NAME", help=f"name, folder or hub id of a model ({note})")


def fields_of(parser: argparse.ArgumentParser, kind: type) -> None:
    """An option of a command for each field of a dataclass of options, with the field's description as its help.

    What is not given is left out of the arguments, so that the dataclass alone has defaults and checks.
    """
    for each in fields(kind):
        flag, help = f"--{each.name.replace('_', '-')}", each.metadata["help"]
        if each.default is False:
            parser.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=help)
            continue
        usual = each.metadata["usual"] or each.default
        parser.add_argument(
            flag,
            type=_READS[str(each.type).partition(" ")[0]],
            choices=each.metadata["choices"] or None,
            default=argparse.SUPPRESS,
            metavar=None if each.metadata["choices"] else each.name.upper(),
            help=f"{help} (default: {usual})",
        )


def given(args: argparse.Namespace, *kinds: type) -> dict[str, Any]:
    """The options of dataclasses that were given on the command line."""
    names = {each.name for kind in kinds for each in fields(kind)}
    return {name: value for name, value in vars(args).items() if name in names}


def decoding_options(parser: argparse.ArgumentParser) -> None:
    """The options of everything that decodes expressions."""
    model_option(parser)
    parser.add_argument(
        "--space",
        help="of the expression: joint, latent, prompt, noise, bottleneck, some at once (prompt+noise), or prompt-x2 "
        "for texts of up to two chunks (default: joint, or prompt without it)",
    )
    fields_of(parser, Decoding)
    parser.add_argument("--size", type=whole(1), metavar="N", help="side in pixels (default: the model's own)")
    parser.add_argument("--collection", metavar="FOLDER", help='where item("id") is looked up')
    _placement_options(parser)


def _placement_options(parser: argparse.ArgumentParser) -> None:
    """How a large model is brought onto a small machine."""
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or mps (default: the best there is)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), help="precision (default: what suits)")
    parser.add_argument("--offload", choices=("model", "sequential"), help="keep parts off the card until needed")
    parser.add_argument("--tiling", action="store_true", help="let the autoencoder work tile by tile")


def placed(args: argparse.Namespace) -> dict[str, Any]:
    """What `Explorer.open` takes of the options that say how."""
    import torch

    from thoughtspace.explorer.models.placement import Placement

    return {
        "size": args.size,
        "device": args.device,
        "dtype": getattr(torch, args.dtype) if args.dtype else None,
        "placement": Placement(offload=args.offload, tiling=args.tiling),
    }


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Reads a whole number in a range.

    >>> whole(1)("12")
    12
    """
    wanted = f"a whole number from {least} to {most}" if most is not None else f"a whole number of at least {least}"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"got {text!r}, expected {wanted}")
        return value

    return read


def number(text: str) -> float:
    """Reads a finite number.

    >>> number("2.5")
    2.5
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number")
    return value


_READS: dict[str, Callable[[str], Any]] = {
    "int": whole(0),
    "float": number,
    "str": str,
    "Spacing": str,
    "Attention": str,
}
"""By the type of an option, what reads it from the command line; ranges are the dataclass's to check."""


def model_name(name: str) -> str:
    """A model's name with local folders as absolute paths, so that what records it can be used from anywhere."""
    from thoughtspace.explorer.models.find.names import parse_spec

    return str(parse_spec(name).absolute())


def check_model(name: str) -> None:
    """Find out within a moment what opening the model would say after seconds.

    Raises:
        ModelError: nothing goes by this name.
    """
    from thoughtspace.explorer.models.find.sources import is_local, source

    if is_local(name):
        source(name)


def check_output(path: str, suffixes: Sequence[str]) -> None:
    """Make sure before the work that its result can be written.

    Raises:
        PictureError: another ending, the name of a folder, no folder around it, or one that may not be written.
    """
    target = Path(os.path.abspath(path))
    if target.suffix.lower() not in suffixes:
        raise PictureError(f"Got {path!r} to write, expected a name ending in {', '.join(suffixes)}; change the name.")
    if target.exists() and not target.is_file():
        raise PictureError(f"Got {path!r} to write, where a folder or device is, expected a file; change the name.")
    if not target.parent.is_dir():
        raise PictureError(f"Got {path!r} in a folder that does not exist, expected one that does; make it first.")
    reason = _refusal(target.parent)
    if reason:
        raise PictureError(f"Got {path!r} in a folder that cannot be written ({reason}); choose another.")


def check_folder(path: str) -> None:
    """Make sure before the work that a folder, or the one it is to be made in, can be written.

    Raises:
        CollectionError: it cannot, or something on the way there is a file.
    """
    there = Path(os.path.abspath(path))
    while not os.path.lexists(there):
        there = there.parent
    reason = _refusal(there) if there.is_dir() else os.strerror(errno.ENOTDIR)
    if reason:
        raise CollectionError(f"Got {path!r}, which cannot be written ({reason}), expected a folder; choose another.")


def _refusal(folder: Path) -> str:
    """Why no file can be made in a folder, found out by making one; empty when it can."""
    from tempfile import TemporaryFile

    try:
        with TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)
