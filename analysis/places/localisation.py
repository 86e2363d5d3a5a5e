"""How well heat maps show where things are, beside priors that see no picture and the masks of other pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

from ..arrays import numbers
from ..evidence import Measured, Score, plot
from ..resampling import mean_interval, rows_drawn, sign_flips
from .priors import centred, usual_places
from .scores import THRESHOLD, Scorer, scorers

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

LEAST, SHUFFLES = 5, 999
MAPS, CENTRE, USUAL = "maps", "centre", "usual place"

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Localisation:
    """Scores of `n` maps of things against the masks of these things.

    Attributes:
        names: of the things.
        each: by the score, then by what was scored (`maps`, `centre`, `usual place`), `(n,)` values. Scores are
            `pointing`, `iou` and `ap`, see `scores`; priors are a Gaussian at the centre and the mean mask of the other
            things of the same name.
        scores: by the score, the mean of the maps, with its interval over things. The null matches the maps with the
            masks of other things.
        differences: by the score and the prior, the mean of maps minus prior on the same things. The null turns the
            signs of these differences.
        threshold: of the range of a map, for `iou`.
    """

    names: tuple[str, ...]
    each: dict[str, dict[str, Values]] = field(repr=False)
    scores: dict[str, Score]
    differences: dict[tuple[str, str], Measured]
    threshold: float = THRESHOLD

    def table(self) -> pd.DataFrame:
        """A row for each score: `score, value, low, high, null_mean, p_value`, and for each prior its mean and p."""
        import pandas as pd

        return pd.DataFrame(self._rows())

    def by_name(self) -> pd.DataFrame:
        """A row for each name: `name, n` and the mean of each score of its maps, the most frequent first."""
        import pandas as pd

        values = pd.DataFrame({"name": self.names, **{score: each[MAPS] for score, each in self.each.items()}})
        grouped = values.groupby("name")
        found = grouped.mean()
        found.insert(0, "n", grouped.size())
        return found.sort_values("n", ascending=False, kind="stable").reset_index()

    def plot(self) -> go.Figure:
        """Each score with its interval, over the range of its null in grey, and the priors as marks."""
        figure = plot(self.scores, title="maps beside the masks of other things")
        for prior, symbol in ((CENTRE, "x"), (USUAL, "diamond-open")):
            figure.add_scatter(
                x=[float(self.each[name][prior].mean()) for name in self.scores],
                y=list(self.scores),
                mode="markers",
                marker={"symbol": symbol, "size": 10, "color": "#d1495b"},
                name=prior,
                showlegend=True,
            )
        return figure.update_layout(showlegend=True)

    def to_json(self) -> dict[str, Any]:
        """The table, the scores by name, the number of things and the threshold."""
        return {
            "n": len(self.names),
            "threshold": self.threshold,
            "scores": self._rows(),
            "names": self.by_name().to_dict("records"),
        }

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for name, score in self.scores.items():
            low, high = score.interval or (score.value, score.value)
            row: dict[str, Any] = {"score": name, "value": score.value, "low": low, "high": high}
            row |= {"null_mean": float(score.null.mean()), "p_value": score.p_value}
            for prior in (CENTRE, USUAL):
                difference, key = self.differences[name, prior], prior.replace(" ", "_")
                row |= {key: float(self.each[name][prior].mean()), f"{key}_p_value": difference.p_value}
            rows.append(row)
        return rows


def localisation(
    maps: ArrayLike, masks: ArrayLike, names: Sequence[str], *, threshold: float = THRESHOLD, random_state: int = 0
) -> Localisation:
    """Score heat maps `(n, h, w)` of `n` things against their masks `(n, h, w)`.

    Best one thing of each picture, so that the things are independent, as intervals and nulls take them to be.

    Args:
        threshold: of the range of a map, for `iou`, above 0 and below 1.
        random_state: of shuffles, signs and bootstrap samples.

    Raises:
        AnalysisError: fewer than five things, other shapes, an empty mask, numbers that are not finite, or a threshold
            out of range.
    """
    heat, mask = _checked(maps, masks, names, threshold)
    n, height, width = heat.shape
    flat, own = mask.reshape(n, -1), heat.reshape(n, -1)
    priors = {CENTRE: np.broadcast_to(centred(height, width), heat.shape), USUAL: usual_places(mask, names)}
    rows, generator = rows_drawn(n, random_state), np.random.default_rng(random_state)
    shuffles = [generator.permutation(n) for _ in range(SHUFFLES)]
    each: dict[str, dict[str, Values]] = {}
    scores: dict[str, Score] = {}
    differences: dict[tuple[str, str], Measured] = {}
    for name, scorer in scorers(threshold).items():
        pairs = scorer(own, flat)
        values = pairs.diagonal().copy()
        null = np.array([pairs[np.arange(n), order].mean() for order in shuffles])
        scores[name] = Score(float(values.mean()), null, mean_interval(values, rows))
        each[name] = {MAPS: values}
        for prior, guess in priors.items():
            each[name][prior] = _matched(scorer, guess.reshape(n, -1), flat)
            more = values - each[name][prior]
            signs = sign_flips(more, random_state)
            differences[name, prior] = Measured(float(more.mean()), signs, mean_interval(more, rows))
    return Localisation(tuple(names), each, scores, differences, threshold)


def _matched(scorer: Scorer, guesses: Values, masks: NDArray[np.bool_]) -> Values:
    """`(n,)` of each guess with its own mask."""
    return np.array([scorer(guesses[[row]], masks[[row]])[0, 0] for row in range(len(masks))])


def _checked(
    maps: ArrayLike, masks: ArrayLike, names: Sequence[str], threshold: float
) -> tuple[Values, NDArray[np.bool_]]:
    heat, mask = numbers(maps, "maps"), np.asarray(masks)
    if heat.ndim != 3 or heat.shape != mask.shape or len(names) != len(heat) or mask.dtype != np.bool_:
        raise AnalysisError(
            f"Got maps {heat.shape}, masks {mask.shape} of {mask.dtype} and {len(names)} names, expected (n, h, w), "
            "the same of bool, and n; resize the maps to the masks.",
            code="shape",
        )
    if len(heat) < LEAST:
        raise AnalysisError(f"Got {len(heat)} things, expected at least {LEAST}; add some.", code="too few")
    if not mask.any((1, 2)).all():
        row = int(np.argmin(mask.any((1, 2))))
        raise AnalysisError(f"Got an empty mask of thing {row}, expected one with a pixel; leave it out.", code="mask")
    if not 0 < threshold < 1:
        raise AnalysisError(f"Got threshold {threshold!r}, expected one above 0 and below 1.", code="threshold")
    return heat, mask
