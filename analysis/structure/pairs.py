"""Two kinds of items in one space, such as pictures and their texts: how near pairs are, and the gap between kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import Matrix, blocks, pairwise, prepare
from ..evidence import Measured, Score, half_samples, interval

Measure = Callable[[Matrix, Matrix], float]
Found = TypeVar("Found", bound=Measured)

FEWEST = 20
_TEMPERATURE = 2.0  # t of the uniformity, as in the paper
_ALL = 4000  # items of which all pairs are taken
_PAIRS = 1_000_000  # most pairs that the uniformity is averaged over
_ASKED = 2000  # most texts whose nearest picture is looked for


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of pictures and texts, on the unit sphere.

    Attributes:
        alignment: mean squared distance of the two of a pair, in [0, 4]; its null is that of shuffled pairs.
        gap: distance of the means of both kinds; its null is that of items that exchange their kinds in random pairs.
        kinds: AUC of a linear probe that tells the kinds apart on held-out pairs; .5 is chance. Its null is that of
            kinds that are exchanged.
        recall: share of texts whose picture is the nearest of all pictures; its null is that of shuffled pairs. Of
            more than 2,000 texts a random 2,000 are looked up, with a standard error of at most .011.
        n: the number of pairs.
    """

    alignment: Measured
    gap: Measured
    kinds: Score
    recall: Score
    n: int

    @property
    def measures(self) -> dict[str, Measured]:
        """The four by their names."""
        return {"alignment": self.alignment, "gap": self.gap, "kinds": self.kinds, "recall": self.recall}


def uniformity(x: ArrayLike, *, random_state: int = 0) -> float:
    """`log E exp(-2 |x - y|²)` over pairs of different items on the unit sphere (Wang & Isola, 2020): lower is evener.

    Above 4,000 items, a random million of pairs is taken. `uniformity_of_a_sphere` is what items that are spread evenly
    have.

    Raises:
        AnalysisError: fewer than two items, or a zero row.
    """
    rows = prepare(x, "cosine")
    n = len(rows)
    if n < 2:
        raise AnalysisError(f"Got {n} items, expected at least 2; add some.", code="too few")
    total = 0.0
    if n <= _ALL:
        for block in blocks(n, n):
            squared = 2 * pairwise(rows[block], rows, "cosine")
            total += float(np.exp(-_TEMPERATURE * squared).sum(dtype=np.float64))
        return float(np.log((total - n) / (n * (n - 1))))  # without each item and itself
    first, second = _random_pairs(n, np.random.default_rng(random_state))
    for block in blocks(len(first), rows.shape[1]):
        squared = np.square(rows[first[block]] - rows[second[block]]).sum(1, dtype=np.float64)
        total += float(np.exp(-_TEMPERATURE * squared).sum())
    return float(np.log(total / len(first)))


def uniformity_of_a_sphere(d: int) -> float:
    """The uniformity of items that are spread evenly over the unit sphere of dimension `d`, exactly.

    `E exp(-2 |x - y|²) = e⁻⁴ ₀F₁(d/2; 4)`; for large `d` it is about `-4 + 8/d`.

    >>> round(uniformity_of_a_sphere(512), 3)
    -3.984
    """
    from scipy.special import hyp0f1

    whole("d", d, 2, 10**9, error=AnalysisError, hint="it is the number of columns")
    return float(-2 * _TEMPERATURE + np.log(hyp0f1(d / 2, _TEMPERATURE**2)))


def pairs(
    pictures: ArrayLike,
    texts: ArrayLike,
    *,
    n_null: int = 99,
    n_samples: int = 100,
    random_state: int = 0,
) -> Pairs:
    """Measure pairs of pictures and texts.

    Args:
        pictures, texts: `(n, d)`, of which row i of each is a pair; their directions count.
        n_null: draws of each null.
        n_samples: half-samples for the intervals; 0 for none.
        random_state: seed of all of them.

    Raises:
        AnalysisError: arrays of other shapes, or fewer than 20 pairs.
    """
    x, y = prepare(pictures, "cosine", what="pictures"), prepare(texts, "cosine", what="texts")
    if x.shape != y.shape:
        message = f"Got pictures {x.shape} and texts {y.shape}, expected pairs in one space, row by row."
        raise AnalysisError(message, code="shape")
    if len(x) < FEWEST:
        raise AnalysisError(f"Got {len(x)} pairs, expected at least {FEWEST}; add some.", code="too few")
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="99 allows p-values down to .01")
    whole("n_samples", n_samples, 0, 10**6, error=AnalysisError, hint="100 gives a rough interval, 0 none")
    generator = np.random.default_rng(random_state)
    n = len(x)
    shuffled = [generator.permutation(n) for _ in range(n_null)]
    swapped = [generator.random(n) < 0.5 for _ in range(n_null)]
    halves = list(half_samples(n, n_samples, generator))
    trained = np.sort(generator.permutation(n)[: n // 2])
    asked = _some(n, random_state)
    nearest = _nearest(x, y[asked])  # shuffled, a text still has this nearest picture, but at another place
    shuffled_recall = [float((nearest == np.argsort(order)[asked]).mean()) for order in shuffled]

    def recall(x: Matrix, y: Matrix) -> float:
        some = _some(len(x), random_state)
        return float((_nearest(x, y[some]) == some).mean())

    def with_interval(kind: type[Found], of: Measure, null: list[float], best: float) -> Found:
        value = of(x, y)
        drawn = [of(x[half], y[half]) for half in halves]
        return kind(value, np.asarray(null), interval(value, drawn, best=best) if drawn else None)

    probed = [_told_apart(*_exchanged(x, y, swap), trained) for swap in swapped]
    return Pairs(
        with_interval(Measured, _alignment, [_alignment(x, y[order]) for order in shuffled], 4.0),
        with_interval(Measured, _gap, [_gap(*_exchanged(x, y, swap)) for swap in swapped], 2.0),
        Score(_told_apart(x, y, trained), np.asarray(probed)),
        with_interval(Score, recall, shuffled_recall, 1.0),
        n,
    )


def _alignment(x: Matrix, y: Matrix) -> float:
    return float(np.square(x - y).sum(1, dtype=np.float64).mean())


def _gap(x: Matrix, y: Matrix) -> float:
    return float(np.linalg.norm(x.mean(0, dtype=np.float64) - y.mean(0, dtype=np.float64)))


def _exchanged(x: Matrix, y: Matrix, swap: NDArray[np.bool_]) -> tuple[Matrix, Matrix]:
    """The two sides, with picture and text exchanged in some pairs: then the kinds mean nothing."""
    at = swap[:, None]
    return np.where(at, y, x), np.where(at, x, y)


def _told_apart(x: Matrix, y: Matrix, trained: NDArray[np.intp]) -> float:
    """AUC of a linear probe on the pairs that it was not fitted on."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.metrics import roc_auc_score

    held_out = np.setdiff1d(np.arange(len(x)), trained)
    labels = np.repeat([1, -1], len(trained))
    probe = RidgeClassifier().fit(np.concatenate([x[trained], y[trained]]), labels)
    scores = probe.decision_function(np.concatenate([x[held_out], y[held_out]]))
    return float(roc_auc_score(np.repeat([1, 0], len(held_out)), scores))


def _some(n: int, random_state: int) -> NDArray[np.intp]:
    return np.sort(np.random.default_rng(random_state).permutation(n)[:_ASKED])


def _nearest(x: Matrix, y: Matrix) -> NDArray[np.intp]:
    """The row of `x` that is nearest to each of `y`."""
    found = np.empty(len(y), dtype=np.intp)
    for block in blocks(len(y), len(x)):
        found[block] = (y[block] @ x.T).argmax(1)
    return found


def _random_pairs(n: int, generator: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    first = generator.integers(n, size=_PAIRS)
    return first, (first + 1 + generator.integers(n - 1, size=_PAIRS)) % n
