"""What decoded pictures show as a direction is added more and more: the test of a direction is what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..evidence import LAYOUT
from ..resampling import mean_interval, rows_drawn

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from PIL.Image import Image

    from thoughtspace.explorer import Collection
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.progress import Progress
    from thoughtspace.explorer.records.images import Images
    from thoughtspace.explorer.spaces.rendering import DecodingSpace

    from .of_items import Sides

Values = NDArray[np.float64]
See = Callable[["Sequence[Image]"], ArrayLike]
"""How much of a property each of `n` pictures shows: `(n,)` finite numbers, such as probabilities."""

DOSES = (0.0, 0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True, eq=False)
class DoseResponse:
    """What is seen of a property in pictures of points that were moved along a direction.

    Attributes:
        doses: `(k,)` steps that were added.
        seen: `(k, n)` what was seen, for each dose and start.
        random: the same after steps of equal length in a random direction, another one for each start: the null.
        images: the `k·n` pictures along the direction, dose by dose.
        random_images: the same of the null.
    """

    doses: Values
    seen: Values = field(repr=False)
    random: Values = field(repr=False)
    images: Images = field(repr=False)
    random_images: Images = field(repr=False)
    _seed: int = field(default=0, repr=False)

    @property
    def effect(self) -> tuple[float, float, float]:
        """How much more is seen at the largest dose than a random step shows, and its 95 % interval over starts."""
        difference = self.seen[-1] - self.random[-1]
        low, high = mean_interval(difference, rows_drawn(len(difference), self._seed))
        return float(difference.mean()), low, high

    def table(self) -> pd.DataFrame:
        """A row for each dose: `dose, seen, low, high, random, random_low, random_high`; means over starts, 95 %."""
        import pandas as pd

        drawn, rows = rows_drawn(self.seen.shape[1], self._seed), []
        for dose, seen, random in zip(self.doses, self.seen, self.random, strict=True):
            (low, high), (random_low, random_high) = mean_interval(seen, drawn), mean_interval(random, drawn)
            rows.append((dose, seen.mean(), low, high, random.mean(), random_low, random_high))
        return pd.DataFrame(rows, columns=["dose", "seen", "low", "high", "random", "random_low", "random_high"])

    def plot(self) -> go.Figure:
        """Both curves over the dose, with their intervals."""
        import plotly.graph_objects as go

        figure, table = go.Figure(layout={"template": "plotly_white"}), self.table()
        series = (("random", "random_low", "random_high", "#9aa0a8"), ("seen", "low", "high", "#4f5bd5"))
        for name, low, high, colour in series:
            around = {"array": table[high] - table[name], "arrayminus": table[name] - table[low]}
            label = "along it" if name == "seen" else "random direction"
            figure.add_scatter(x=table["dose"], y=table[name], error_y=around, name=label, line_color=colour)
        return figure.update_layout(xaxis_title="steps added", yaxis_title="seen in decoded pictures", **LAYOUT)

    def save(self, folder: str | Path) -> None:
        """Write `along/` and `random/`, the pictures with their records, dose by dose, and `sheet.png`.

        A row of the sheet is a start, from the first dose to the last along the direction, then along the random one.
        """
        from thoughtspace.explorer.records.images import contact_sheet

        base, (k, n) = Path(folder), self.seen.shape
        for name, images in (("along", self.images), ("random", self.random_images)):
            images.save(base / name)
        series = (self.images, self.random_images)
        shown = [images[dose * n + start] for start in range(n) for images in series for dose in range(k)]
        contact_sheet(shown, 2 * k).save(base / "sheet.png")

    def to_json(self) -> dict[str, Any]:
        """The table and the effect as JSON values."""
        value, low, high = self.effect
        return {
            "n": self.seen.shape[1],
            "doses": self.table().to_dict("records"),
            "effect": {"value": value, "low": low, "high": high},
        }


def dose_response(
    space: DecodingSpace,
    starts: Points,
    step: Points,
    see: See,
    *,
    doses: Sequence[float] = DOSES,
    random_state: int = 0,
    progress: Progress | None = None,
) -> DoseResponse:
    """Add a step to each start, decode with one seed for each, and see how much of the property there is.

    Args:
        starts: `n` points of the space, at least two.
        step: one step of the direction, such as `ex.points('dir("smile")', items=collection.lookup())`.
        see: a judge of pictures, best one that had no part in finding the direction.
        doses: steps to add; 0 shows what is seen without any.
        random_state: of the random directions; start `i` is decoded with seed `random_state + i`.

    Raises:
        AnalysisError: fewer than two starts, no doses, several steps or one of length zero, or a judge that gives
            something else than one finite number for each picture.
        SpaceError: points of another space.
    """
    import torch

    from thoughtspace.explorer.options import Decoding
    from thoughtspace.explorer.points import Points

    starts, step = space.owned(starts), space.owned(step)
    whole("random_state", random_state, 0, 2**31, error=AnalysisError, hint="any seed does")
    amounts = np.asarray(doses, np.float64)
    if amounts.ndim != 1 or not len(amounts) or not np.isfinite(amounts).all():
        raise AnalysisError(f"Got doses {doses!r}, expected finite numbers, such as 0 0.5 1.", code="doses")
    if len(starts) < 2 or len(step) != 1:
        got = f"{len(starts)} starts and {len(step)} steps"
        raise AnalysisError(f"Got {got}, expected two or more starts, and one step.", code="too few")
    length = float(step.flat.norm())
    if not length > 0:
        raise AnalysisError("Got a step of length zero, expected one that leads somewhere.", code="no variation")
    generator = torch.Generator().manual_seed(random_state)
    drawn = torch.randn(starts.flat.shape, generator=generator).to(starts.values)
    other = (length * drawn / drawn.norm(dim=1, keepdim=True)).view_as(starts.values)
    seeds = [random_state + row for row in range(len(starts))] * len(amounts)
    found = []
    for steps, label in ((step.values.expand_as(starts.values), "a dose"), (other, "a random dose")):
        moved = torch.cat([starts.values + float(amount) * steps for amount in amounts])
        points = Points.given(moved, space.info, label)
        images = space.render(points, Decoding(seed=seeds), progress=progress)
        found.append((images, _judged(see, images, (len(amounts), len(starts)))))
    (images, seen), (random_images, random) = found
    return DoseResponse(amounts, seen, random, images, random_images, random_state)


def probe(collection: Collection, sides: Sides) -> See:
    """A judge from the collection itself: a linear probe on the joint vectors of its pictures, as probabilities.

    It learned from the items that a direction from the same sides was fitted on, so it shares their accidents; the
    random direction does not. A judge of another make, such as a classifier of your own, says more.

    Raises:
        AnalysisError: as `Sides.rows`; or sides of texts.
    """
    from sklearn.linear_model import LogisticRegression

    if sides.kind != "image":
        message = f"Got sides of kind {sides.kind!r} for a judge of pictures, expected 'image'; choose pictures."
        raise AnalysisError(message, code="kind")
    positive, negative = sides.rows(collection)
    if not negative.any():
        raise AnalysisError("Got all pictures on one side, expected some on each; change it.", code="one class")
    joint, used = collection.explorer.joint, positive | negative
    x = collection.points("joint", "image").flat.double().cpu().numpy()[used]
    fitted = LogisticRegression(C=100.0, max_iter=2000).fit(x, positive[used])

    def see(pictures: Sequence[Image]) -> Values:
        vectors = joint.image(*pictures).flat.double().cpu().numpy()
        return np.asarray(fitted.predict_proba(vectors)[:, 1])

    return see


def _judged(see: See, images: Images, shape: tuple[int, int]) -> Values:
    values = np.asarray(see(images), np.float64)
    if values.shape != (len(images),) or not np.isfinite(values).all():
        raise AnalysisError(
            f"Got values of shape {values.shape} from `see` for {len(images)} pictures, expected one finite number for "
            "each.",
            code="judge",
        )
    return values.reshape(shape)
