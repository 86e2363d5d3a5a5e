"""Points as sparse sums of words, and what no word accounts for (SpLiCE; Bhalla et al., NeurIPS 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import number, whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare
from ..evidence import ALPHA, LAYOUT, Score
from ..evidence import plot as plot_scores

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]

REST = "(no word)"
"""The row of tables and figures for what the words leave."""

_PENALTIES = (1e-4, 1.0)
_TRIALS = 1000  # random directions for the default penalty
_SAME = 1e-6  # squared distance of unit vectors below which two words are one to the model


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Unit vectors z as sums of a few word vectors c with weights w ≥ 0: the least `½|z - Σ wⱼ cⱼ|² + penalty · Σ wⱼ`.

    Attributes:
        words: of the vocabulary, v of them.
        same: words that the model cannot tell from an earlier one, which has their weight; they are not in `words`.
        weights: `(n, v)`, mostly 0.
        likeness: `(n, v)` the cosine of each point with each word.
        cosines: `(n,)` of each point with the sum of its words; 0 if it has none.
        rest: `(n, d)` what is left of each point, at right angles to the sum of its words. Its length is
            `√(1 - cosine²)`.
        penalty: a word that is no closer to what is left than this cosine has no weight.
        null: `(n_null,)` the cosines of random directions that are put in words in the same way.
    """

    words: tuple[str, ...]
    same: tuple[str, ...]
    weights: Values = field(repr=False)
    likeness: Values = field(repr=False)
    cosines: Values
    rest: Values = field(repr=False)
    penalty: float
    null: Values = field(repr=False)

    def score(self, row: int = 0) -> Score:
        """The cosine of a point with the sum of its words, beside those of random directions at the same penalty."""
        return Score(float(self.cosines[row]), self.null)

    def top(self, row: int = 0, k: int = 10) -> list[tuple[str, float]]:
        """The `k` words of a point with the largest weights, and these."""
        order = np.argsort(-self.weights[row], kind="stable")[:k]
        return [(self.words[j], float(self.weights[row, j])) for j in order if self.weights[row, j] > 0]

    def table(self) -> pd.DataFrame:
        """For each point a row for each of its words, largest first, and one for what is left: `REST`.

        Columns `point, word, weight, cosine`: that of the word alone with the point. The weight of the rest is its
        length.
        """
        import pandas as pd

        rows, index = [], {word: j for j, word in enumerate(self.words)}
        for row in range(len(self.weights)):
            for word, weight in self.top(row, len(self.words)):
                rows.append((row, word, weight, float(self.likeness[row, index[word]])))
            rows.append((row, REST, self.rest_length(row), self.rest_length(row)))
        return pd.DataFrame(rows, columns=["point", "word", "weight", "cosine"])

    def plot(self, row: int = 0, k: int = 12) -> go.Figure:
        """The largest weights of a point and its rest in grey; below, its cosine beside random directions."""
        from plotly.subplots import make_subplots

        top = self.top(row, k)
        figure = make_subplots(rows=2, cols=1, row_heights=[0.8, 0.2], vertical_spacing=0.26)
        names, weights = [*(word for word, _ in top), REST], [*(weight for _, weight in top), self.rest_length(row)]
        colours = ["#4f5bd5"] * len(top) + ["#9aa0a8"]
        figure.add_bar(x=weights, y=names, orientation="h", marker_color=colours, row=1, col=1)
        for trace in plot_scores({"cosine": self.score(row)}).data:
            figure.add_trace(trace, row=2, col=1)
        figure.update_yaxes(autorange="reversed", row=1, col=1)
        figure.update_xaxes(title="weight", row=1, col=1)
        figure.update_xaxes(title="cosine with the sum of the words; in grey that of random directions", row=2, col=1)
        return figure.update_layout(template="plotly_white", showlegend=False, margin=LAYOUT["margin"])

    def rest_length(self, row: int = 0) -> float:
        """The length of what no word accounts for, of 1."""
        return float(np.linalg.norm(self.rest[row]))

    def to_json(self) -> dict[str, Any]:
        """For each point its words, the length of its rest and its score, as JSON values."""
        table = self.table()
        found = []
        for row in range(len(self.weights)):
            mine = table[(table["point"] == row) & (table["word"] != REST)]
            words = mine[["word", "weight", "cosine"]].to_dict("records")
            found.append({"words": words, "rest": self.rest_length(row), "cosine": self.score(row).to_json()})
        return {"penalty": self.penalty, "n_words": len(self.words), "same": list(self.same), "points": found}


def decompose(
    x: ArrayLike,
    concepts: ArrayLike,
    words: Sequence[str],
    *,
    penalty: float | None = None,
    n_null: int = 99,
    random_state: int = 0,
) -> Decomposition:
    """Write each point as a sparse sum of words.

    Both sides are points of one space, centred and with the gap between pictures and texts closed, as those of `joint`
    are. Lengths are not used.

    Args:
        x: `(n, d)` points.
        concepts: `(v, d)` points of the words.
        words: v names.
        penalty: a cosine; a larger one gives fewer words. By default the cosine with its nearest word that only 5 % of
            random directions exceed: a word below it would not be told from chance. In the terms of the paper it is λ;
            its published code has twice that number.
        n_null: random directions.

    Raises:
        AnalysisError: zero vectors, words and vectors of another number, two widths, fewer than two words, a word given
            twice, or a penalty outside of [0.0001, 1].

    >>> found = decompose([[3.0, 1.0, 0.5]], np.eye(3), ["red", "round", "large"], penalty=0.4)
    >>> [(word, round(weight, 2)) for word, weight in found.top()]
    [('red', 0.54)]
    """
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="99 allows p-values down to .01")
    points, known = (_unit(each, what) for each, what in ((x, "x"), (concepts, "concepts")))
    names = _checked(words, known, points.shape[1])
    kept = _distinct(known)
    same = tuple(name for name, own in zip(names, kept, strict=True) if not own)
    names, known = tuple(name for name, own in zip(names, kept, strict=True) if own), known[kept]
    generator = np.random.default_rng(random_state)
    if penalty is None:
        nearest = (_random(_TRIALS, points.shape[1], generator) @ known.T).max(1)
        penalty = float(np.clip(np.quantile(nearest, 1 - ALPHA), *_PENALTIES))
    penalty = number("penalty", penalty, *_PENALTIES, error=AnalysisError, hint="it is a cosine, 0.1 to 0.3 is usual")
    weights = _weights(points, known, penalty)
    cosines, rest = _summed(points, known, weights)
    random = _random(n_null, points.shape[1], generator)
    null, _ = _summed(random, known, _weights(random, known, penalty))
    return Decomposition(names, same, weights, points @ known.T, cosines, rest, penalty, null)


def _unit(x: ArrayLike, what: str) -> Values:
    rows = prepare(x, "cosine", what=what).astype(np.float64)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _checked(words: Sequence[str], known: Values, width: int) -> tuple[str, ...]:
    names = tuple(words)
    if len(names) != len(known):
        message = f"Got {len(names)} words and {len(known)} vectors, expected one vector for each word."
        raise AnalysisError(message, code="number of words")
    if len(names) < 2:
        raise AnalysisError(f"Got {len(names)} words, expected at least 2; add some.", code="too few")
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise AnalysisError(f"Got the word {twice!r} twice, expected each once; leave one out.", code="repeated")
    if known.shape[1] != width:
        message = f"Got points of {width} numbers and words of {known.shape[1]}, expected those of one space."
        raise AnalysisError(message, code="width")
    return names


def _distinct(known: Values) -> NDArray[np.bool_]:
    """Which words are not the same vector as an earlier one."""
    own = np.ones(len(known), bool)
    for row in range(1, len(known)):
        own[row] = not (known[:row] @ known[row] > 1 - _SAME / 2).any()
    return own


def _random(n: int, d: int, generator: np.random.Generator) -> Values:
    rows = generator.standard_normal((n, d))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _weights(points: Values, known: Values, penalty: float) -> Values:
    """The lasso of scikit-learn, whose loss is that of a mean over d numbers: hence the penalty over d."""
    from sklearn.linear_model import Lasso

    lasso = Lasso(penalty / points.shape[1], positive=True, fit_intercept=False, max_iter=20_000, tol=1e-8)
    return np.atleast_2d(lasso.fit(known.T, points.T).coef_).astype(np.float64)


def _summed(points: Values, known: Values, weights: Values) -> tuple[Values, Values]:
    """The cosine of each point with the sum of its words, and what is left of the point across that sum."""
    sums = weights @ known
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    directions = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
    cosines = (points * directions).sum(1)
    return cosines, points - cosines[:, None] * directions
