"""Directions that are saved with a collection: a step of a space, with its evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CollectionError, ProvenanceError, SpaceError
from ..records.pictures import printable
from .maps import NAME, plain
from .tables import reading, write_json

if TYPE_CHECKING:
    from ..points import Points
    from ..spaces.space import Space


@dataclass(frozen=True, eq=False)
class SavedDirection:
    """A step of a space that leads from items without a property to items with it.

    Attributes:
        name: the name in `dir("name")`.
        space: the name of the space.
        step: of the shape of a point: adding it once leads from the mean of one side to that of the other.
        sides: what each side is, `positive` and `negative`, as it was asked for.
        evidence: plain JSON values: the held-out AUC with its null, the stability.
        created: when it was saved, ISO 8601 in UTC.
    """

    name: str
    space: str
    step: NDArray[np.float32] = field(repr=False)
    sides: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    created: str = ""

    def points(self, space: Space) -> Points:
        """The step as one point of its space, whose origin is `dir("name")`.

        Raises:
            SpaceError: another space, or a step of another shape.
        """
        import torch

        from ..language.nodes import Direction
        from ..points import Points

        if space.name != self.space or space.shape != self.step.shape:
            raise SpaceError(
                f"Got dir({json.dumps(self.name)}) of the space {self.space!r} with shape {self.step.shape}, expected "
                f"one of {space.name!r} with shape {space.shape}; fit it there, or use its own space.",
                code="other space",
            )
        values = torch.from_numpy(self.step.copy())[None].to(space.model.device)
        return Points(values, space.info, (Direction(self.name),))


class Directions:
    """The directions in a folder, one file each, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """The names, sorted."""
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def load(self, name: str) -> SavedDirection:
        """The direction of this name.

        Raises:
            CollectionError: there is none, or its file is damaged.
        """
        from ..records.tensor_json import decode_tensor

        path = self._path(name)
        if not path.is_file():
            known = ", ".join(self.names()) or "none yet"
            message = f"Got direction {name!r}, expected one of those saved ({known}); make it with "
            raise CollectionError(f"{message}`thoughtspace direction`.", code="no such direction")
        try:
            with reading(path):
                document = json.loads(path.read_text(encoding="utf-8"))
            step = decode_tensor(document.pop("step")).numpy().astype(np.float32)
            return SavedDirection(name, step=step, **document)
        except (ProvenanceError, KeyError, TypeError, AttributeError) as error:
            raise CollectionError(
                f"Got direction {name!r} whose file is damaged; make it again.", code="damaged"
            ) from error

    def save(self, direction: SavedDirection) -> SavedDirection:
        """Save a direction, whole or not at all, in place of any of the same name; returns it as it would be loaded.

        Raises:
            CollectionError: an invalid name, a step that is not finite or zero, or a folder that cannot be written.
        """
        import torch

        from ..records.tensor_json import encode_tensor

        path, step = self._path(direction.name), np.ascontiguousarray(direction.step, np.float32)
        if not np.isfinite(step).all() or not step.any():
            message = f"Got direction {direction.name!r} with a step that is zero or not finite; fit it on other items."
            raise CollectionError(message, code="no direction")
        path.parent.mkdir(exist_ok=True)
        document = {
            "space": direction.space,
            "sides": plain(direction.sides),
            "evidence": plain(direction.evidence),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_json(path, {**document, "step": encode_tensor(torch.from_numpy(step))})
        return SavedDirection(direction.name, step=step, **document)

    def remove(self, name: str) -> None:
        """Delete the direction of this name; raises as `load` if there is none."""
        self.load(name)
        self._path(name).unlink()

    def _path(self, name: str) -> Path:
        check_name(name)
        return self._folder / f"{name}.json"


def check_name(name: str) -> None:
    """Raise CollectionError for a name that no direction can have."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise CollectionError(
            f"Got direction name {printable(str(name))[:64]!r}, expected up to 64 letters, digits, spaces, dots, "
            "dashes and underscores.",
            code="direction name",
        )
