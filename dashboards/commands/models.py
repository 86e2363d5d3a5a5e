"""The command `models`: which models there are."""

from __future__ import annotations

import argparse
from typing import Any

from ..arguments import command
from ..console import Console


def register(commands: Any) -> None:
    """Add it to the program."""
    command(commands, "models", models, help="list the models known by name")


def models(args: argparse.Namespace, console: Console) -> int:
    """`{models: [{name, installed, folder, spaces, licence, note}]}`."""
    from thoughtspace.explorer.models.registry import presets

    known = [
        {
            "name": preset.name,
            "installed": preset.installed,
            "folder": str(preset.folder),
            "spaces": list(preset.spaces),
            "licence": preset.licence,
            "note": preset.note,
        }
        for preset in presets().values()
    ]
    lines = [f"{each['name']}{'' if each['installed'] else ' (not installed)'}: {each['note']}" for each in known]
    lines.append(
        "Models too: a folder that holds clip/ and diffusion/, a diffusers folder of Stable Diffusion 1, 2, XL or 3 or "
        "of Flux, an autoencoder of diffusers, or the hub id org/name of such a one."
    )
    console.answer({"models": known}, "\n".join(lines))
    return 0
