"""Space maps: a regression from one space to another, fitted on items that are in both, with a held-out score.

With it a direction that was found in one space can be tried in another, where points decode. The score is measured on
held-out items, and reported beside the score of the same procedure on shuffled pairs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.checks import choice
from thoughtspace.explorer.errors import AnalysisError, SpaceError

from . import ridge

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer.points import Points, SpaceInfo

Kind = Literal["linear", "kernel"]
KINDS: tuple[Kind, ...] = ("linear", "kernel")
MIN_ITEMS = 20
_LABEL = 80  # letters of an expression in a label


@dataclass(frozen=True)
class CrossingScore:
    """How well a map predicts held-out items.

    Attributes:
        r2: `1 - Σ|y - ŷ|²/Σ|y - ȳ|²` over held-out rows: R² weighted by the variance of each dimension.
        null_mean: mean R² of maps that are fitted and scored in the same way on shuffled pairs.
        null_max: the best R² among them.
        p_value: `(1 + number of shuffles that score at least as well)/(1 + n_permutations)`.
        n_fitted: number of items for the fit.
        n_held_out: number of items for the score.
        n_permutations: number of shuffles.
        source_dim: dimension of the source.
        target_dim: dimension of the target.
        alpha: the chosen penalty, in units of the kernel.
    """

    r2: float
    null_mean: float
    null_max: float
    p_value: float
    n_fitted: int
    n_held_out: int
    n_permutations: int
    source_dim: int
    target_dim: int
    alpha: float

    def table(self) -> pd.DataFrame:
        """One row with all of them."""
        import pandas as pd

        return pd.DataFrame([self.to_json()])

    def plot(self) -> go.Figure:
        """R² as a dot; grey, from the mean to the best of shuffled pairs."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white", "xaxis_title": "R² of held-out items"})
        figure.add_vrect(self.null_mean, self.null_max, fillcolor="#9aa0a8", opacity=0.4, line_width=0)
        figure.add_scatter(x=[self.r2], y=[""], mode="markers", marker={"size": 10, "color": "#4f5bd5"})
        return figure.add_vline(self.null_mean, line_color="#9aa0a8")

    def to_json(self) -> dict[str, Any]:
        """The score as JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class SpaceMap:
    """A fitted map between two spaces; `fit_space_map` makes one.

    Attributes:
        source: the space that it maps from.
        target: the space that it maps to; may belong to another model.
        kind: `"linear"` or `"kernel"`.
        score: on held-out items.
        held_out: rows of the held-out items, in order.
    """

    source: SpaceInfo
    target: SpaceInfo
    kind: Kind
    score: CrossingScore
    held_out: NDArray[np.intp] = field(repr=False)
    regression: ridge.Ridge = field(repr=False)

    def map(self, points: Points) -> Points:
        """Map points of the source to points of the target. On a sphere only directions count, and results are unit.

        The origin of the results is a label, because no expression of the target gives these numbers.

        Raises:
            SpaceError: points of another space.
        """
        predicted = self.regression.predict(_on(self.source, self._rows(points)))
        return self._made(_on(self.target, predicted), points, "carried")

    def direction(self, delta: Points, *, at: Points | None = None) -> Points:
        """Map a step `delta` in the source to a step in the target: the derivative of `map` times `delta`.

        Add the result, scaled or not, to points of the target. It is a difference of points and has no unit length on
        a sphere.

        Args:
            delta: `n` differences of points of the source.
            at: where the derivative is taken: `n` points of the source, or one, or several for a single `delta`. The
                derivative then includes the normalisation on spheres. Without `at`, a linear map returns its linear
                part, which is the same everywhere.

        Raises:
            SpaceError: points of another space, or a wrong number of base points.
            AnalysisError: a kernel map without base points.
        """
        if at is not None and len(delta) == 1:
            delta = delta[[0] * len(at)]
        steps = self._rows(delta)
        if at is None:
            if self.kind != "linear":
                raise AnalysisError(
                    f"Got no base points for a direction through a {self.kind} map, whose derivative differs from "
                    "point to point; pass at=points, or fit a linear map.",
                    code="no base points",
                )
            return self._made(self.regression.derivative(np.zeros_like(steps), steps), delta, "direction carried")
        if len(at) not in (1, len(delta)):
            message = f"Got {len(at)} base points for {len(delta)} directions, expected {len(delta)} or 1."
            raise SpaceError(message, code="number of points")
        start = np.broadcast_to(self._rows(at), steps.shape)
        steps = _along(self.source, start, steps)
        start = _on(self.source, start)
        moved = _along(self.target, self.regression.predict(start), self.regression.derivative(start, steps))
        return self._made(moved, delta, "direction carried")

    def _rows(self, points: Points) -> ridge.Wide:
        if points.space != self.source:
            raise SpaceError(
                f"Got points of the {points.space}, expected the {self.source}; encode the items there, or fit a map "
                "from the other space.",
                code="other space",
            )
        return _numbers(points)

    def _made(self, rows: ridge.Wide, like: Points, done: str) -> Points:
        import torch

        from thoughtspace.explorer.language.nodes import Given
        from thoughtspace.explorer.points import Points

        values = torch.from_numpy(rows).to(like.device, like.dtype).reshape(len(rows), *self.target.shape)
        labels = [f"{str(node)[:_LABEL]} {done} from {self.source.name} to {self.target.name}" for node in like.origin]
        return Points(values, self.target, tuple(map(Given, labels)))


def fit_space_map(
    source: Points,
    target: Points,
    *,
    kind: Kind = "linear",
    held_out: float = 0.2,
    random_state: int = 0,
    n_permutations: int = 20,
) -> SpaceMap:
    """Fit a map from one space to another on items that are in both, row for row.

    `"linear"` is ridge regression. `"kernel"` is ridge regression with a Gaussian kernel. Both have an exact fit
    without a random start, a penalty in closed form (so that a shuffle costs one matrix product), and a Jacobian in
    closed form. The map is fitted on the rows that are not held out. Leave out copies of items: one copy may be held
    out while the other is fitted on.

    Args:
        source: `n` points.
        target: `n` points of another space, of this model or another one.
        kind: `"linear"`, or `"kernel"` for a curved map.
        held_out: the share of the items that are held out for the score.
        random_state: seed of the split and of the shuffles.
        n_permutations: number of shuffles for the null; with 0 the null is zero.

    Raises:
        SpaceError: points of the same space.
        AnalysisError: unequal or too small numbers of items, equal or not finite items, options out of range.

    >>> import torch
    >>> from thoughtspace.explorer.points import Points, SpaceInfo
    >>> from thoughtspace.explorer.geometry.interpolation import Geometry
    >>> spaces = [SpaceInfo("toy", "0", name, (3,), Geometry.EUCLIDEAN) for name in ("prompt", "latent")]
    >>> x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    >>> here, there = (Points.given(x * scale, space, "toy") for scale, space in zip((1, 2), spaces))
    >>> fitted = fit_space_map(here, there)
    >>> round(fitted.score.r2, 3), fitted.map(here[0]).space.name
    (1.0, 'latent')
    """
    _check(source, target, kind, held_out, n_permutations)
    x, y = (_on(points.space, _numbers(points)) for points in (source, target))
    generator = np.random.default_rng(random_state)
    tested, fitted = np.split(generator.permutation(len(x)), [max(2, round(held_out * len(x)))])
    tested, fitted = np.sort(tested), np.sort(fitted)
    for rows, what in ((x[fitted], "source"), (y[fitted], "target"), (y[tested], "held-out target")):
        if not np.ptp(rows, axis=0).max() > 1e-9 * np.abs(rows).max():
            raise AnalysisError(f"Got {what} points that are all equal; pass other items.", code="all equal")
    candidates = ridge.bases(x[fitted], kind)
    made = ridge.fit(candidates, y[fitted])
    score = ridge.r2(y[tested], made.predict(x[tested]))
    shuffled = _coordinates(y)
    shuffles = (shuffled[generator.permutation(len(y))] for _ in range(n_permutations))
    null = [ridge.r2(each[tested], ridge.fit(candidates, each[fitted]).predict(x[tested])) for each in shuffles]
    report = CrossingScore(
        r2=score,
        null_mean=float(np.mean(null or 0.0)),
        null_max=float(np.max(null or 0.0)),
        p_value=(1 + sum(each >= score for each in null)) / (1 + n_permutations),
        n_fitted=len(fitted),
        n_held_out=len(tested),
        n_permutations=n_permutations,
        source_dim=x.shape[1],
        target_dim=y.shape[1],
        alpha=made.alpha,
    )
    return SpaceMap(source.space, target.space, kind, report, tested, made)


def _check(source: Points, target: Points, kind: str, held_out: float, n_permutations: int) -> None:
    choice("kind", kind, KINDS, error=AnalysisError)
    if source.space == target.space:
        message = f"Got points of the {source.space} twice, expected two spaces; encode the items in another."
        raise SpaceError(message, code="same space")
    if len(source) != len(target):
        message = f"Got {len(source)} points and {len(target)} targets, expected the same items in the same order."
        raise AnalysisError(message, code="number of points")
    if len(source) < MIN_ITEMS:
        message = f"Got {len(source)} items, expected at least {MIN_ITEMS} to fit a map; add items."
        raise AnalysisError(message, code="too few items")
    if not 0 < held_out <= 0.5:
        message = f"Got held_out={held_out}, expected a share above 0 and at most 0.5; 0.2 is usual."
        raise AnalysisError(message, code="held_out")
    if n_permutations < 0:
        message = f"Got n_permutations={n_permutations}, expected 0 or more; 20 is usual."
        raise AnalysisError(message, code="n_permutations")


def _numbers(points: Points) -> ridge.Wide:
    """`(n, d)` float64 on the CPU, all finite."""
    rows: ridge.Wide = points.flat.double().cpu().numpy()
    if not np.isfinite(rows).all():
        message = f"Got points of the {points.space} that are not finite; encode them again."
        raise AnalysisError(message, code="not finite")
    return rows


def _coordinates(y: ridge.Wide) -> ridge.Wide:
    """Rotate the rows into at most as many dimensions as rows: scores stay the same, shuffles become cheaper."""
    return y if y.shape[1] <= len(y) else np.asarray(np.linalg.qr(y.T, mode="r")).T


def _on(space: SpaceInfo, rows: ridge.Wide) -> ridge.Wide:
    """Rows as points of the space: of unit length if it is a sphere."""
    from thoughtspace.explorer.geometry.interpolation import Geometry

    if space.geometry is not Geometry.SPHERE:
        return rows
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (norms > 1e-12).all():
        raise AnalysisError(
            f"Got a zero vector as a point of the {space}, expected a direction; pass another point.",
            code="zero vector",
        )
    return rows / norms


def _along(space: SpaceInfo, rows: ridge.Wide, steps: ridge.Wide) -> ridge.Wide:
    """The derivative of `_on` at `rows` along `steps`: on a sphere the tangent part, divided by the length."""
    unit = _on(space, rows)
    if unit is rows:
        return steps
    return (steps - unit * (unit * steps).sum(1, keepdims=True)) / np.linalg.norm(rows, axis=1, keepdims=True)
