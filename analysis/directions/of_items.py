"""Directions from the items of a collection, or from pairs of prompts, saved under a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.collection.directions import SavedDirection
from thoughtspace.explorer.errors import AnalysisError

from .fit import Direction, fit_direction
from .leakage import Leakage, leakage
from .selection import chosen

if TYPE_CHECKING:
    from thoughtspace.explorer import Collection, Explorer
    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.points import Points

Selection = str | Sequence[str]
"""A condition such as `weather=rain`, or ids; see `selection.chosen`."""


@dataclass(frozen=True)
class Sides:
    """The two sides of a direction, among the items of one kind.

    Attributes:
        positive: the items that have the property.
        negative: those that lack it; by default all others of the kind.
    """

    positive: Selection
    negative: Selection | None = None
    kind: Kind = "image"

    def rows(self, collection: Collection) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which rows of `items(kind)` are on either side.

        Raises:
            AnalysisError: as `selection.chosen`; or items that are on both sides.
        """
        items = collection.items(self.kind)
        positive = chosen(items, self.positive)
        negative = ~positive if self.negative is None else chosen(items, self.negative)
        both = np.count_nonzero(positive & negative)
        if both:
            raise AnalysisError(f"Got {both} items on both sides, expected each on one; change a side.", code="sides")
        return positive, negative

    def to_json(self) -> dict[str, Any]:
        """The sides as JSON values."""
        sides = {"positive": self.positive, "negative": self.negative}
        return {name: each if isinstance(each, str | None) else list(each) for name, each in sides.items()} | {
            "kind": self.kind
        }

    @classmethod
    def of(cls, direction: SavedDirection) -> Sides | None:
        """The sides that a saved direction was fitted on; None if it came from prompts."""
        told = direction.sides
        return cls(told["positive"], told["negative"], told["kind"]) if "kind" in told else None


def from_items(
    collection: Collection,
    sides: Sides,
    *,
    space: str = "joint",
    method: str = "mean",
    n_null: int = 99,
    random_state: int = 0,
) -> Direction:
    """The direction from items without a property to items with it; see `fit_direction`.

    Raises:
        AnalysisError: as `Sides.rows` and `fit_direction`.
        CollectionError, SpaceError: as `Collection.points`.
    """
    positive, negative = sides.rows(collection)
    x = _rows(collection.points(space, sides.kind))
    return fit_direction(x[positive], x[negative], method=method, n_null=n_null, random_state=random_state)


def from_prompts(
    explorer: Explorer,
    pairs: Sequence[tuple[str, str]],
    *,
    space: str = "joint",
    method: str = "mean",
    n_null: int = 99,
    random_state: int = 0,
) -> Direction:
    """The direction from the second prompt of each pair to the first: `[("a smiling man", "a man"), …]`.

    Raises:
        AnalysisError: fewer than eight pairs, or pairs of equal prompts only.
        SpaceError: a space that reads no texts.
    """
    read = explorer.space(space)
    if not pairs:
        raise AnalysisError("Got no pairs of prompts, expected eight at least; write some.", code="too few")
    positive, negative = (_rows(read.text(*texts)) for texts in zip(*pairs, strict=True))
    return fit_direction(positive, negative, method=method, paired=True, n_null=n_null, random_state=random_state)


def save(
    collection: Collection,
    name: str,
    fitted: Direction,
    *,
    space: str,
    told: dict[str, Any],
    without: Sequence[str] = (),
) -> SavedDirection:
    """Save a direction, so that `dir("name")` is one step of it.

    Args:
        told: where it came from, such as `Sides.to_json`.
        without: saved directions of the space whose span is taken out of it first. The step is then what is left.

    Raises:
        AnalysisError: nothing is left, or a direction of another space.
        CollectionError: an unknown direction, an invalid name, or a folder that cannot be written.
    """
    others = [collection.directions.load(each) for each in without]
    wrong = next((each for each in others if each.space != space), None)
    if wrong is not None:
        message = f"Got direction {wrong.name!r} of the space {wrong.space!r} to take out, expected one of {space!r}."
        raise AnalysisError(message, code="other space")
    left = fitted.without([each.step.ravel() for each in others])
    step = (fitted.step * (fitted.vector @ left) * left).astype(np.float32)
    evidence = fitted.to_json() | ({"without": list(without), "kept": float(fitted.vector @ left)} if without else {})
    shape = collection.explorer.space(space).shape
    return collection.directions.save(SavedDirection(name, space, step.reshape(shape), told, evidence))


def leakages(
    collection: Collection,
    names: Sequence[str] | None = None,
    *,
    space: str = "joint",
    n_null: int = 99,
    random_state: int = 0,
) -> Leakage:
    """What each saved direction tells apart of the properties of the others.

    Each is fitted again on one random half of the items, and measured on the other. Only directions that were fitted
    on items of one kind, in one space, are compared; a property is that of their positive side.

    Args:
        names: of the directions; by default all of the space that came from items.

    Raises:
        AnalysisError: no such directions, or several kinds of items; or as `leakage`.
    """
    found = {name: collection.directions.load(name) for name in names or collection.directions.names()}
    sides = {name: sides for name, each in found.items() if each.space == space and (sides := Sides.of(each))}
    if not sides or (names and len(sides) < len(names)) or len({each.kind for each in sides.values()}) > 1:
        message = f"Got {', '.join(found) or 'no directions'}, expected directions of the space {space!r} from items "
        raise AnalysisError(f"{message}of one kind; name some that are.", code="directions")
    x = _rows(collection.points(space, next(iter(sides.values())).kind))
    half = np.random.default_rng(random_state).permutation(len(x)) < len(x) // 2
    vectors, labels = {}, {}
    for name, each in sides.items():
        positive, negative = each.rows(collection)
        method = str(found[name].evidence.get("method", "mean"))
        fitted = fit_direction(x[positive & half], x[negative & half], method=method, n_null=1, n_samples=2)
        vectors[name], labels[name] = fitted.vector, positive[~half]
    return leakage(x[~half], vectors, labels, n_null=n_null, random_state=random_state)


def _rows(points: Points) -> NDArray[np.float64]:
    return np.asarray(points.flat.double().cpu().numpy())
