"""The gap between pictures and their captions in a collection: open, closed by the means, closed by the linear map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from .pairs import FEWEST, Pairs, pairs

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from thoughtspace.explorer.collection.store import Collection
    from thoughtspace.explorer.options import Gap

LIMIT = 2000
"""Most pairs that are measured, a random choice of them."""
CLOSED = {"open": "open", "mean": "closed by the means", "linear": "closed by the linear map"}


@dataclass(frozen=True, eq=False)
class Gaps:
    """The same pairs of pictures and captions, with the gap between them closed in each way that the model has.

    Attributes:
        by_gap: `"open"`, `"mean"`, and `"linear"` where the reference has a map -> what `pairs` measures.
    """

    by_gap: Mapping[Gap, Pairs]

    @property
    def sentence(self) -> str:
        """How far apart the kinds lie, and whether a line still tells them apart, in plain words."""
        said = [
            f"{CLOSED[name]} {found.gap.value:.2f} (AUC {found.kinds.value:.2f})" for name, found in self.by_gap.items()
        ]
        return (
            f"The means of pictures and captions lie apart by: {', '.join(said)}. The AUC is that of a linear probe on "
            "pairs that it has not seen; at .5 it cannot tell pictures from captions."
        )

    def table(self) -> pd.DataFrame:
        """A row for each measure and way, with the columns of `Measured.to_json`, indexed by `gap` and `measure`."""
        import pandas as pd

        found = {
            (name, each): score.to_json() for name, of in self.by_gap.items() for each, score in of.measures.items()
        }
        return pd.DataFrame.from_dict(found, orient="index").rename_axis(["gap", "measure"])

    def plot(self) -> go.Figure:
        """Each measure in each way beside its null."""
        scores = {
            f"{each}, {CLOSED[name]}": score for name, of in self.by_gap.items() for each, score in of.measures.items()
        }
        return evidence.plot(scores, title=f"{next(iter(self.by_gap.values())).n:,} pictures and their captions")

    def to_json(self) -> dict[str, Any]:
        """The measures and the sentence as JSON values."""
        measures = {
            name: {each: score.to_json() for each, score in of.measures.items()} for name, of in self.by_gap.items()
        }
        return {"n": next(iter(self.by_gap.values())).n, "sentence": self.sentence, "gaps": measures}


def gaps_of(collection: Collection, *, most: int = LIMIT, n_null: int = 19, random_state: int = 0) -> Gaps:
    """Measure the gap between the pictures of a collection and their captions, by the stored vectors.

    Each caption counts once, with the picture that first had it.

    Args:
        collection: bound to the explorer of its model.
        most: the number of pairs above which a random choice is taken.
        n_null: draws of each null.

    Raises:
        CollectionError: no explorer, or no vectors of the joint space.
        AnalysisError: fewer than 20 pictures with captions of their own.
    """
    whole("most", most, FEWEST, 10**6, error=AnalysisError, hint=f"{LIMIT} take some seconds")
    picture, text = _rows(collection)
    if len(picture) < FEWEST:
        message = f"Got {len(picture)} pictures with captions of their own, expected at least {FEWEST}; add captions."
        raise AnalysisError(message, code="too few")
    if len(picture) > most:
        chosen = np.sort(np.random.default_rng(random_state).permutation(len(picture))[:most])
        picture, text = picture[chosen], text[chosen]
    import torch

    raw = torch.from_numpy(np.array(collection.vectors("joint")))
    explorer = collection.explorer
    reference = explorer.model.clip.reference
    ways: list[Gap] = ["open"] if reference is None else ["open", "mean"]
    if reference is not None and reference.text_map is not None:
        ways.append("linear")
    spaces = {way: explorer.with_gap(way).joint for way in ways}
    found = {
        way: pairs(
            space.centred(raw[picture], "image").cpu().numpy(),
            space.centred(raw[text], "text").cpu().numpy(),
            n_null=n_null,
            random_state=random_state,
        )
        for way, space in spaces.items()
    }
    return Gaps(found)


def _rows(collection: Collection) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows of pictures and of their captions, of which both have vectors."""
    items, vectors = collection.items(), collection.vectors("joint")
    there = np.asarray(np.isfinite(vectors).all(axis=1))
    rows = {id: row for row, id in enumerate(items["id"])}
    texts = items[(items["kind"] == "text") & items["pair"].notna()]
    both = [(rows[pair], rows[id]) for id, pair in zip(texts["id"], texts["pair"], strict=True) if pair in rows]
    kept = np.array([pair for pair in both if there[list(pair)].all()], dtype=np.intp).reshape(-1, 2)
    return kept[:, 0], kept[:, 1]
