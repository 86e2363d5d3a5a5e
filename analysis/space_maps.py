"""Crossings: a map from one space to another, learnt from items that are in both, and how far to believe it.

A direction found in one space can so be tried in another, and seen where points decode. The score is that of items
the map never saw, and beside it stands what the same procedure scores when the pairs are shuffled.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import AnalysisError, SpaceError

from . import ridge

if TYPE_CHECKING:
    from thoughtspace.explorer.points import Points, SpaceInfo

Kind = Literal["linear", "kernel"]
KINDS: tuple[Kind, ...] = ("linear", "kernel")
MIN_ITEMS = 20
_LABEL = 80  # letters of an expression that a label repeats


@dataclass(frozen=True)
class CrossingScore:
    """How well a map predicts items it never saw.

    Attributes:
        r2: `1 - Σ|y - ŷ|²/Σ|y - ȳ|²` over held-out rows: R² weighted by the variance of each dimension.
        null_mean: mean R² of maps fitted and scored in the same way on shuffled pairs.
        null_max: the best of them.
        p_value: `(1 + how many shuffles score as well)/(1 + n_permutations)`.
        n_fitted: items fitted on.
        n_held_out: items scored on.
        n_permutations: shuffles.
        source_dim: numbers in a point.
        target_dim: numbers in a point.
        alpha: the penalty chosen, in units of the kernel.
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

    def to_json(self) -> dict[str, Any]:
        """The figures as plain numbers."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class SpaceMap:
    """A fitted map between two spaces; `fit_space_map` makes one.

    Attributes:
        source: the space that it takes points of.
        target: the space that it makes points of; may be another model's.
        kind: `"linear"` or `"kernel"`.
        score: on held-out items.
        held_out: rows of the items that it never saw, in order.
    """

    source: SpaceInfo
    target: SpaceInfo
    kind: Kind
    score: CrossingScore
    held_out: NDArray[np.intp] = field(repr=False)
    regression: ridge.Ridge = field(repr=False)

    def map(self, points: Points) -> Points:
        """Points of the source as points of the target; on a sphere of unit length, and read as directions there.

        The origin is a label: no expression of the target brings these numbers back.

        Raises:
            SpaceError: points of another space.
        """
        predicted = self.regression.predict(_on(self.source, self._rows(points)))
        return self._made(_on(self.target, predicted), points, "carried")

    def direction(self, delta: Points, *, at: Points | None = None) -> Points:
        """What a step along `delta` in the source does in the target: the derivative of `map` times `delta`.

        Add it to points of the target as it is, or scaled. It is a difference of points, not a point: on a sphere it
        has no unit length.

        Args:
            delta: `n` differences of points of the source.
            at: where the derivative is taken: `n` points of the source, or one, or several for a single `delta`. Then
                it includes how both ends are brought onto a sphere. Without it a linear map gives its linear part,
                which is the same everywhere.

        Raises:
            SpaceError: points of another space, or a number of base points that does not fit.
            AnalysisError: a kernel map without base points.
        """
        if at is not None and len(delta) == 1:
            delta = delta[[0] * len(at)]
        steps = self._rows(delta)
        if at is None:
            if self.kind != "linear":
                raise AnalysisError(
                    f"Got no base points for a direction through a {self.kind} map, expected at=points, since it "
                    "bends; say where, or fit a linear map."
                )
            return self._made(self.regression.derivative(np.zeros_like(steps), steps), delta, "direction carried")
        if len(at) not in (1, len(delta)):
            raise SpaceError(f"Got {len(at)} base points for {len(delta)} directions, expected as many or one.")
        start = np.broadcast_to(self._rows(at), steps.shape)
        steps = _along(self.source, start, steps)
        start = _on(self.source, start)
        moved = _along(self.target, self.regression.predict(start), self.regression.derivative(start, steps))
        return self._made(moved, delta, "direction carried")

    def _rows(self, points: Points) -> ridge.Wide:
        if points.space != self.source:
            raise SpaceError(
                f"Got points of the {points.space}, expected the {self.source}; fit a map from that space, or encode "
                "the items there."
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
    """Learn the map from one space to another from items that are in both, row for row.

    `"linear"` is ridge regression. `"kernel"` is ridge regression with a Gaussian kernel, the one curved map offered:
    its fit is exact and has no start to depend on, its penalty and width are found as the linear map's, so a shuffle
    costs a matrix product, and its Jacobian is in closed form. The map is fitted on the rows that are not held out,
    and stays so. Items that are copies of one another should not be passed: one may be held out and the other not.

    Args:
        source: `n` points.
        target: `n` points of another space, of this model or another one.
        kind: how much the map may bend.
        held_out: the share of the items that the map is scored on.
        random_state: seed of the split and of the shuffles.
        n_permutations: shuffles behind the null; none leaves it at zero.

    Raises:
        SpaceError: points of one space twice.
        AnalysisError: unequal or too small numbers of items, items all alike or not finite, options out of range.

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
    order = generator.permutation(len(x))
    n_held_out = max(2, round(held_out * len(x)))
    tested, fitted = np.sort(order[:n_held_out]), np.sort(order[n_held_out:])
    for rows, what in ((x[fitted], "source"), (y[fitted], "target"), (y[tested], "held-out target")):
        if not np.ptp(rows, axis=0).max() > 1e-9 * np.abs(rows).max():
            raise AnalysisError(f"Got {what} points that are all alike, expected some that differ; pass other items.")
    candidates = ridge.bases(x[fitted], kind)
    made = ridge.fit(candidates, y[fitted])
    score = ridge.r2(y[tested], made.predict(x[tested]))
    shuffled = _coordinates(y)
    null = [0.0] if n_permutations == 0 else []
    for _ in range(n_permutations):
        wrong = shuffled[generator.permutation(len(y))]
        null.append(ridge.r2(wrong[tested], ridge.fit(candidates, wrong[fitted]).predict(x[tested])))
    as_well = sum(each >= score for each in null) if n_permutations else 0
    report = CrossingScore(
        r2=score,
        null_mean=float(np.mean(null)),
        null_max=float(np.max(null)),
        p_value=(1 + as_well) / (1 + n_permutations),
        n_fitted=len(fitted),
        n_held_out=len(tested),
        n_permutations=n_permutations,
        source_dim=x.shape[1],
        target_dim=y.shape[1],
        alpha=made.alpha,
    )
    return SpaceMap(source.space, target.space, kind, report, tested, made)


def _check(source: Points, target: Points, kind: str, held_out: float, n_permutations: int) -> None:
    if kind not in KINDS:
        raise AnalysisError(f"Got a map of kind {kind!r}, expected one of {', '.join(KINDS)}; choose one of these.")
    if source.space == target.space:
        raise SpaceError(f"Got points of the {source.space} twice, expected two spaces; encode the items in another.")
    if len(source) != len(target):
        raise AnalysisError(
            f"Got {len(source)} points and {len(target)} targets, expected the same items in the same order; "
            "encode both from one list."
        )
    if len(source) < MIN_ITEMS:
        raise AnalysisError(f"Got {len(source)} items, expected at least {MIN_ITEMS} to fit a map; add items.")
    if not 0 < held_out <= 0.5:
        raise AnalysisError(f"Got held_out={held_out}, expected a share above 0 and at most 0.5; 0.2 is usual.")
    if n_permutations < 0:
        raise AnalysisError(f"Got n_permutations={n_permutations}, expected 0 or more; 20 is usual.")


def _numbers(points: Points) -> ridge.Wide:
    """`(n, d)` float64 on the CPU, all finite."""
    rows: ridge.Wide = points.flat.double().cpu().numpy()
    if not np.isfinite(rows).all():
        raise AnalysisError(f"Got points of the {points.space} that are not finite; encode them again.")
    return rows


def _coordinates(y: ridge.Wide) -> ridge.Wide:
    """The same rows up to a rotation, in no more dimensions than rows: every score stays, shuffles become cheaper."""
    return y if y.shape[1] <= len(y) else np.asarray(np.linalg.qr(y.T, mode="r")).T


def _on(space: SpaceInfo, rows: ridge.Wide) -> ridge.Wide:
    """Rows brought onto the space: to unit length where it is a sphere."""
    from thoughtspace.explorer.geometry.interpolation import Geometry

    if space.geometry is not Geometry.SPHERE:
        return rows
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (norms > 1e-12).all():
        raise AnalysisError(
            f"Got the centre of the sphere as a point of the {space}, expected a direction; take another point."
        )
    return rows / norms


def _along(space: SpaceInfo, rows: ridge.Wide, steps: ridge.Wide) -> ridge.Wide:
    """How `_on` moves as `rows` move by `steps`: on a sphere what is at right angles, over the length."""
    unit = _on(space, rows)
    if unit is rows:
        return steps
    return (steps - unit * (unit * steps).sum(1, keepdims=True)) / np.linalg.norm(rows, axis=1, keepdims=True)
