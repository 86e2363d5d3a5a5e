"""How new decoded pictures are: how far from the nearest items, beside real pictures that are not among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..evidence import ALPHA, Measured
from ..resampling import RESAMPLED, mean_interval, rows_drawn

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer import Collection
    from thoughtspace.explorer.progress import Progress
    from thoughtspace.explorer.records.images import Images

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Novelty:
    """Distances of pictures to the nearest of `m` items.

    Attributes:
        decoded: `(n,)` 1 - cosine of each decoded picture with its nearest item.
        held_out: `(h,)` the same of real pictures that are not among the items: the null.
        nearest: `(n,)` row of the nearest item of each decoded picture.
        closer: the chance that a decoded picture is nearer to its nearest item than a held-out one is to its own: ½
            for pictures as new as real ones, 1 for copies, 0 for what is unlike anything. The null shuffles which are
            which.
        images: what was decoded; None for given vectors.
        ids: `(n,)` ids of the nearest items; None for given vectors.
    """

    decoded: Values = field(repr=False)
    held_out: Values = field(repr=False)
    nearest: NDArray[np.intp] = field(repr=False)
    closer: Measured
    images: Images | None = field(default=None, repr=False)
    ids: tuple[str, ...] | None = field(default=None, repr=False)

    @property
    def copies(self) -> float:
        """The share of decoded pictures nearer than all but 5 % of held-out ones: about .05 for new ones."""
        return float((self.decoded < np.quantile(self.held_out, ALPHA)).mean())

    def table(self) -> pd.DataFrame:
        """A row for each of `decoded` and `held out`: `pictures, n, distance, low, high, smallest`; means, 95 %."""
        import pandas as pd

        rows = []
        for name, values in (("decoded", self.decoded), ("held out", self.held_out)):
            low, high = mean_interval(values, rows_drawn(len(values), 0))
            rows.append((name, len(values), values.mean(), low, high, values.min()))
        return pd.DataFrame(rows, columns=["pictures", "n", "distance", "low", "high", "smallest"])

    def closest(self, k: int = 10) -> pd.DataFrame:
        """The `k` decoded pictures nearest to an item, nearest first: `picture, item, distance, share`.

        `share` is that of held-out pictures which are as near to an item of their own.
        """
        import pandas as pd

        rows = []
        for picture in np.argsort(self.decoded)[:k]:
            item: Any = int(self.nearest[picture]) if self.ids is None else self.ids[picture]
            distance = float(self.decoded[picture])
            rows.append((int(picture), item, distance, float((self.held_out <= distance).mean())))
        return pd.DataFrame(rows, columns=["picture", "item", "distance", "share"])

    def plot(self) -> go.Figure:
        """Both distributions of distances, that of held-out pictures in grey."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white", "barmode": "overlay"})
        for name, values, colour in (("held out", self.held_out, "#9aa0a8"), ("decoded", self.decoded, "#4f5bd5")):
            figure.add_histogram(x=values, name=name, histnorm="probability", marker_color=colour, opacity=0.6)
        return figure.update_layout(xaxis_title="1 - cosine with the nearest item", yaxis_title="share")

    def to_json(self) -> dict[str, Any]:
        """The table, the chance, the share of copies, and the ten closest."""
        return {
            "distances": self.table().to_dict("records"),
            "closer": self.closer.to_json(),
            "copies": self.copies,
            "closest": self.closest().to_dict("records"),
        }


def novelty(decoded: ArrayLike, items: ArrayLike, held_out: ArrayLike, *, random_state: int = 0) -> Novelty:
    """Compare the distances of decoded and of held-out pictures to their nearest items, in `(·, d)` vectors.

    Raises:
        AnalysisError: fewer than five decoded or held-out pictures, no items, other shapes, numbers that are not
            finite, or a zero vector.
    """
    from ..arrays import prepare

    named = (("decoded", decoded), ("items", items), ("held_out", held_out))
    new, old, real = (prepare(values, "cosine", what=name) for name, values in named)
    if not new.shape[1] == old.shape[1] == real.shape[1]:
        message = f"Got vectors of {new.shape[1]}, {old.shape[1]} and {real.shape[1]} numbers, expected equal widths."
        raise AnalysisError(message, code="shape")
    if min(len(new), len(real)) < _LEAST:
        message = f"Got {len(new)} decoded and {len(real)} held-out pictures, expected at least {_LEAST} of each."
        raise AnalysisError(message, code="too few")
    (far, nearest), (other, _) = (_nearest(rows, old) for rows in (new, real))
    generator = np.random.default_rng(random_state)
    both = np.concatenate([far, other])
    null = np.array([_closer(*np.split(generator.permutation(both), [len(far)])) for _ in range(_SHUFFLES)])
    drawn = [
        _closer(generator.choice(far, len(far)), generator.choice(other, len(other))) for _ in range(RESAMPLED // 4)
    ]
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    return Novelty(far, other, nearest, Measured(_closer(far, other), null, interval=(float(low), float(high))))


_LEAST, _SHUFFLES, _BLOCK = 5, 999, 2**22


def _nearest(rows: NDArray[np.float32], items: NDArray[np.float32]) -> tuple[Values, NDArray[np.intp]]:
    """The distance to the nearest item, and its row; a few rows at once, so that no n·m numbers are in memory."""
    distances, found = [], []
    at_once = max(1, _BLOCK // len(items))
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        best = (some @ items.T).argmax(1)
        # ½|a - b|² is 1 - cos, and exact for copies.
        distances.append(np.square(some.astype(np.float64) - items[best]).sum(1) / 2)
        found.append(best)
    return np.concatenate(distances), np.concatenate(found)


def _closer(near: Values, other: Values) -> float:
    """The chance that one of `near` is smaller than one of `other`; ties count half (Mann & Whitney, 1947)."""
    ordered = np.sort(other)
    larger = len(other) - np.searchsorted(ordered, near, "right")
    equal = np.searchsorted(ordered, near, "right") - np.searchsorted(ordered, near, "left")
    return float((larger + equal / 2).mean() / len(other))


def measure_novelty(
    collection: Collection,
    held_out: Sequence[Any],
    expressions: Sequence[str],
    *,
    space: str | None = None,
    random_state: int = 0,
    progress: Progress | None = None,
) -> Novelty:
    """Decode expressions, and measure how far the pictures are from those of a collection, such as a training set.

    Held-out pictures pass the model's autoencoder first, so that its traces are in both.

    Args:
        collection: bound to the explorer of its model.
        held_out: real pictures that are not among the items; paths or pictures of PIL.
        expressions: best the captions of the held-out pictures, so that both show the same kinds of things.
        space: where expressions are read, by default the usual one of the model.
        random_state: expression `i` is decoded with seed `random_state + i`.

    Raises:
        AnalysisError: too few pictures, or a held-out picture that is an item.
        CollectionError: no explorer, or no pictures.
        SpaceError: a model that decodes no such points.
        PictureError: a picture that cannot be read.
    """
    from dataclasses import replace

    whole("random_state", random_state, 0, 2**31, error=AnalysisError, hint="any seed does")
    explorer = collection.explorer
    items = collection.points("joint", "image")
    if min(len(held_out), len(expressions)) < _LEAST or not len(items):
        got = f"{len(held_out)} held-out pictures, {len(expressions)} expressions and {len(items)} items"
        message = f"Got {got}, expected at least {_LEAST} of the first two and one item."
        raise AnalysisError(message, code="too few")
    real, joint = explorer.latent.image(*held_out), explorer.joint
    _require_new(joint.image(*held_out).flat.cpu().numpy(), items.flat.cpu().numpy())
    images = explorer.decode(
        list(expressions),
        space,
        items=collection.lookup(space or explorer.usual_space),
        seed=[random_state + row for row in range(len(expressions))],
        progress=progress,
    )
    passed = explorer.latent.decode(real)
    vectors = [joint.image(*each).flat.cpu().numpy() for each in (images, passed)]
    found = novelty(vectors[0], items.flat.cpu().numpy(), vectors[1], random_state=random_state)
    ids = collection.items("image")["id"].to_numpy()[found.nearest]
    return replace(found, images=images, ids=tuple(map(str, ids)))


_SAME = 1e-6


def _require_new(held_out: NDArray[np.float32], items: NDArray[np.float32]) -> None:
    same = np.flatnonzero(_nearest(held_out, items)[0] < _SAME)
    if len(same):
        raise AnalysisError(
            f"Got {len(same)} of {len(held_out)} held-out pictures that are items of the collection, the first is "
            f"picture {same[0]}, expected others; take them out.",
            code="not held out",
        )
