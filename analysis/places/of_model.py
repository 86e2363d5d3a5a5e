"""The heat maps of a model on pictures that are given, against masks of what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.checks import choice
from thoughtspace.explorer.errors import AnalysisError
from thoughtspace.explorer.options import Keywords

from .localisation import Localisation, localisation
from .scores import THRESHOLD

if TYPE_CHECKING:
    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.progress import Progress

By = Literal["words", "concepts"]
BY: tuple[By, ...] = ("words", "concepts")


@dataclass(frozen=True, eq=False)
class Sighting:
    """A thing in a picture.

    Attributes:
        picture: as PIL or a path.
        prompt: what it shows; the thing's word is in it.
        word: of the thing.
        mask: `(h, w)` of bool, of the size of the model's pictures.
        others: words of what else a place may be, for `by="concepts"`.
    """

    picture: Any = field(repr=False)
    prompt: str
    word: str
    mask: NDArray[np.bool_] = field(repr=False)
    others: tuple[str, ...] = ("background",)


def measure_places(
    explorer: Explorer,
    things: Sequence[Sighting],
    *,
    by: By = "words",
    threshold: float = THRESHOLD,
    random_state: int = 0,
    progress: Progress | None = None,
    **how: Unpack[Keywords],
) -> Localisation:
    """Score a model's heat maps of given pictures: each is noised to the level of each step and looked at.

    Args:
        things: one of each picture; see `localisation`.
        by: `"words"` of the prompt, or `"concepts"`: the thing's word against its `others`, under an empty prompt.
        random_state: of the nulls.
        how: as in `Explorer.heat_maps`, such as `steps`; `seed` is that of the noise, the same for all pictures.

    Raises:
        AnalysisError: as `localisation`, or another way to look.
        ModelError, SpaceError, PictureError: as `Explorer.heat_maps`.
    """
    choice("by", by, BY, error=AnalysisError)
    maps = []
    wrapped = things if progress is None else progress(things, total=len(things), desc="looking")
    for thing in wrapped:
        concepts = (thing.word, *thing.others) if by == "concepts" else ()
        prompt = explorer.prompt.text("" if concepts else thing.prompt)
        found = explorer.heat_maps(prompt, picture=thing.picture, concepts=concepts, keep=(), **how)
        maps.append(found.on_picture(thing.word).numpy())
    names, masks = [thing.word for thing in things], np.stack([thing.mask for thing in things])
    return localisation(np.stack(maps), masks, names, threshold=threshold, random_state=random_state)
