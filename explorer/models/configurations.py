"""Configurations of networks, held against the code and the weights that they describe.

A library fills in what a `config.json` leaves out, takes a null for a value, and passes over weights that it has no
place for; what comes of it would show only later, as a traceback or as a wrong picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from ..errors import ModelError
from .find.folder import shapes_in

_VARIANT = re.compile(r"\.(fp16|bf16|non_ema)(?=[.-])")


def require_described(network: Any, folder: Path) -> None:
    """Raise ModelError unless the configuration of a network of diffusers fits its class and its weights."""
    for name, parameter in signature(type(network).__init__).parameters.items():
        if _never_null(parameter) and network.config.get(name, parameter.default) is None:
            raise ModelError(
                f"Got null for {name!r} in {folder / 'config.json'}, expected a value such as {parameter.default!r}; "
                "restore it.",
                code="null",
            )
    ignored = network._keys_to_ignore_on_load_unexpected or []
    stored = [name for name in _stored(folder) if not any(re.search(pattern, name) for pattern in ignored)]
    made = network.state_dict()
    if len(stored) != len(made):  # their names may differ: old ones are translated
        raise ModelError(
            f"Got {len(stored)} weights in {folder} and a config.json of a {type(network).__name__} with {len(made)}, "
            "expected one model's; restore both.",
            code="other weights",
        )


def _never_null(parameter: Parameter) -> bool:
    """Whether the code says what a parameter is, and that it is never None. A null means no all the same."""
    kind = parameter.annotation
    said = kind if isinstance(kind, str) else getattr(kind, "__name__", None) or str(kind)
    usual = parameter.default
    known = not any(usual is each for each in (Parameter.empty, None, False))
    return known and said in ("bool", "int", "float", "str")


def _stored(folder: Path) -> Iterator[str]:
    """The names of the weights in a folder, those of another precision left out where there are the usual ones."""
    files = sorted(folder.glob("*.safetensors"))
    usual = [file for file in files if not _VARIANT.search(file.name)]
    for file in usual or files:
        yield from shapes_in(file)
