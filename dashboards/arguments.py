"""Arguments that several commands share: options, checked numbers, and checks of output paths."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from thoughtspace.explorer.errors import CollectionError, PictureError, ThoughtspaceError
from thoughtspace.explorer.options import GAPS, Decoding

Run = Callable[[argparse.Namespace, Any], int]
"""Runs a command: takes its arguments and the console, returns the exit code."""


class UsageError(ThoughtspaceError):
    """Arguments that a command cannot take."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises a `UsageError` of one line where argparse would print its usage."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}; see `{self.prog} --help`.", code="arguments")


def command(commands: Any, name: str, run: Run, *, help: str, description: str | None = None) -> Parser:
    """Add a command to the program, with the options that all commands have."""
    parser = commands.add_parser(name, help=help, description=description or f"{help[0].upper()}{help[1:]}.")
    parser.add_argument("--json", action="store_true", help="answer with one JSON document on standard output")
    parser.set_defaults(run=run)
    return parser


def model_option(parser: argparse.ArgumentParser, default: str | None = "pocket") -> None:
    """Add `--model`; without a default, the command takes the model from the collection or the record."""
    note = "default: pocket" if default else "default: the one it was made with"
    parser.add_argument("--model", default=default, metavar="NAME", help=f"name, folder or hub id of a model ({note})")


def gap_option(parser: argparse.ArgumentParser) -> None:
    """Add `--gap`."""
    parser.add_argument(
        "--gap",
        choices=GAPS,
        help="how texts enter the joint space: by a linear map to pictures, by the means of both kinds, or as they are "
        "(default: linear where the model has such a map, else mean)",
    )


def fields_of(parser: argparse.ArgumentParser, kind: type) -> None:
    """Add an option for each field of a dataclass of options, with the field's description as its help.

    An option that is not given is left out of the arguments, so that only the dataclass has defaults and checks.
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
    """The fields of these dataclasses that were given on the command line, by name."""
    names = {each.name for kind in kinds for each in fields(kind)}
    return {name: value for name, value in vars(args).items() if name in names}


def decoding_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of all commands that decode expressions."""
    model_option(parser)
    parser.add_argument(
        "--space",
        help="space of the expression: joint, latent, prompt, noise, bottleneck, several at once (prompt+noise), or "
        "prompt-x2 for texts of up to two chunks (default: joint, or prompt where the model has no joint space)",
    )
    gap_option(parser)
    fields_of(parser, Decoding)
    parser.add_argument("--collection", metavar="FOLDER", help='the collection of item("id")')
    placement_options(parser)


def placement_options(parser: argparse.ArgumentParser) -> None:
    """Add the size of pictures, and the options that bring a large model onto a small machine."""
    parser.add_argument("--size", type=whole(1), metavar="N", help="side in pixels (default: the model's own)")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or mps (default: the fastest one found)")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), help="precision (default: what suits the device)"
    )
    parser.add_argument("--offload", choices=("model", "sequential"), help="keep parts off the card until needed")
    parser.add_argument("--tiling", action="store_true", help="let the autoencoder work tile by tile")


def opening_options(args: argparse.Namespace) -> dict[str, Any]:
    """The keywords of `Explorer.open`: size, device, dtype, placement and gap."""
    import torch

    from thoughtspace.explorer.models.placement import Placement

    return {
        "size": args.size,
        "device": args.device,
        "dtype": getattr(torch, args.dtype) if args.dtype else None,
        "placement": Placement(offload=args.offload, tiling=args.tiling),
        "gap": args.gap,
    }


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A function that reads a whole number in a range; argparse reports what it refuses.

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
    """Read a finite number.

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
"""The function that reads each type of option from the command line; the dataclass checks the ranges."""


def model_name(name: str) -> str:
    """A model's name with local folders as absolute paths, so that records can be used from any folder."""
    from thoughtspace.explorer.models.find.names import parse_spec

    return str(parse_spec(name).absolute())


def check_model(name: str) -> None:
    """Check a model's name at once, before the seconds that opening it takes.

    Raises:
        ModelError: there is no such model.
    """
    from thoughtspace.explorer.models.find.sources import is_local, source

    if is_local(name):
        source(name)


def check_output(path: str, suffixes: Sequence[str]) -> None:
    """Check before the work that its result can be written.

    Raises:
        PictureError: the name has another ending, is that of a folder, or is in a folder that does not exist or that
            cannot be written.
    """
    target = Path(os.path.abspath(path))
    if target.suffix.lower() not in suffixes:
        expected = ", ".join(suffixes)
        raise PictureError(f"Got {path!r} to write, expected a name ending in {expected}.", code="file name")
    if target.exists() and not target.is_file():
        raise PictureError(f"Got {path!r}, a folder or device, expected the name of a file.", code="not a file")
    if not target.parent.is_dir():
        raise PictureError(f"Got {path!r} in a folder that does not exist; make the folder first.", code="no folder")
    reason = _why_not_writable(target.parent)
    if reason:
        message = f"Got {path!r} in a folder that cannot be written ({reason}); choose another."
        raise PictureError(message, code="cannot write")


def text_lines(path: str) -> list[str]:
    """The lines of a text file in UTF-8, with or without a byte order mark.

    Raises:
        UsageError: another encoding.
        OSError: a file that cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"Got {path}, which is not UTF-8; save it so.", code="not utf-8") from error


def check_folder(path: str) -> None:
    """Check before the work that a folder can be written, or made if it does not exist.

    Raises:
        CollectionError: it cannot, or a part of its path is a file.
    """
    there = Path(os.path.abspath(path))
    while not os.path.lexists(there):
        there = there.parent
    reason = _why_not_writable(there) if there.is_dir() else os.strerror(errno.ENOTDIR)
    if reason:
        message = f"Got folder {path!r}, which cannot be written ({reason}); choose another."
        raise CollectionError(message, code="cannot write")


def _why_not_writable(folder: Path) -> str:
    """The reason why no file can be made in a folder, empty when one can; it makes a temporary file to find out."""
    from tempfile import TemporaryFile

    try:
        with TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)
