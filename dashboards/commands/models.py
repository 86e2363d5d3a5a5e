"""The command `models`: the models known by name, and what one model can do."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..arguments import command
from ..console import Console

if TYPE_CHECKING:
    from thoughtspace.explorer.models.find.presets import Preset


def register(commands: Any) -> None:
    """Add the command to the program."""
    parser = command(commands, "models", models, help="list the models known by name")
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="list what this model can do, and why not the rest: a preset, folder or class",
    )
    parser.add_argument("--markdown", action="store_true", help="print the page docs/models.md")


def models(args: argparse.Namespace, console: Console) -> int:
    """List the presets, or what one model can do.

    Answers `{models: [{name, source, installed, family, spaces, joint, side, licence, parameters, memory_gib, ...}]}`.
    """
    from thoughtspace.explorer.models.find.presets import presets

    if args.name:
        return _abilities(args.name, console)
    known = [_row(preset) for preset in presets().values()]
    if args.markdown:
        from .models_page import models_page

        console.answer({"models": known}, models_page())
        return 0
    header = ("name", "spaces", "px", "memory", "licence", "what it is")
    rows = [
        (
            each["name"],
            " ".join(each["spaces"]),
            str(each["side"] or ""),
            f"{each['memory_gib']:.1f} GiB",
            each["licence"] + (", gated" if each["gated"] else ""),
            each["note"],
        )
        for each in known
    ]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    console.answer({"models": known}, "\n".join([*lines, "", *_MORE]))
    return 0


_MORE = (
    "Memory is that of the weights in 16 bits (pocket: 32). Models too: a folder or a hub id of these families,",
    "clip:ARCHITECTURE/TAG of open_clip, vae:NAME, and a generator with parts added: sd15+ip:h94/IP-Adapter,",
    "sdxl+vae:NAME, sdxl+unet:ORG/NAME/FILE, sd21-unclip+clip:NAME, sd15+preview:madebyollin/taesd.",
)


def _abilities(name: str, console: Console) -> int:
    """Answer `{name, class, abilities: [{name, there, reason}]}` without opening the model."""
    from thoughtspace.explorer.models.abilities import abilities_by_name

    kind, found = abilities_by_name(name)
    document = {"name": name, "class": kind, "abilities": [asdict(each) for each in found]}
    width = max(len(each.name) for each in found)
    lines = [
        f"{'yes' if each.there else 'no ':3} {each.name:{width}}{f'  {each.reason}' if each.reason else ''}"
        for each in found
    ]
    console.answer(document, "\n".join([f"{name}: {kind}", *lines]))
    return 0


def _row(preset: Preset) -> dict[str, Any]:
    from thoughtspace.explorer.models.abilities import abilities_of

    can = abilities_of(preset.family)
    folder = preset.folder
    return {
        "name": preset.name,
        "source": preset.source,
        "installed": preset.installed,
        "folder": None if folder is None else str(folder),
        "family": preset.family,
        "spaces": list(can.spaces) if can else [],
        "joint": can.joint if can else "",
        "side": preset.side,
        "licence": preset.licence,
        "parameters": preset.parameters * 1_000_000,
        "memory_gib": round(preset.parameters * 1e6 * (4 if folder else 2) / (1 << 30), 2),
        "gated": preset.gated,
        "note": preset.note,
    }
