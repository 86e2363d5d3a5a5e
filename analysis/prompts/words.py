"""Which words of their prompts move pictures: one regression of all pictures on the words of all prompts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare
from ..evidence import Score

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from scipy.sparse import csr_array

Values = NDArray[np.float64]
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_FOLDS = 5
_PENALTY = 1.0  # of the ridge, in items: keeps words that always come together finite


@dataclass(frozen=True, eq=False)
class WordEffects:
    """How far each word moves the pictures whose prompts have it, the other words being equal.

    Attributes:
        words: those that stand out most from chance first.
        counts: `(w,)` prompts that have each.
        steps: `(w, d)` how it moves a picture.
        sizes: `(w,)` the lengths of the steps, in standard deviations of all pictures.
        times: `(w,)` the same over what chance gives the word: rare words have large steps by chance alone.
        p_values: `(w,)` the chance that *any* word has so large a `times` where prompts and pictures were shuffled.
        r2: the share of the variance of held-out pictures that their words predict; its null is shuffled.
    """

    words: tuple[str, ...]
    counts: NDArray[np.intp] = field(repr=False)
    steps: Values = field(repr=False)
    sizes: Values = field(repr=False)
    times: Values = field(repr=False)
    p_values: Values = field(repr=False)
    r2: Score

    def table(self) -> pd.DataFrame:
        """A row for each word: `n, size, times, p_value`."""
        import pandas as pd

        columns = {"n": self.counts, "size": self.sizes, "times": self.times, "p_value": self.p_values}
        return pd.DataFrame(columns, index=list(self.words))

    def plot(self, most: int = 30) -> go.Figure:
        """The first effects beside what chance gives them, 1; grey where chance is a sufficient reason."""
        import plotly.graph_objects as go

        table = self.table().head(most)[::-1]
        colours = ["#4f5bd5" if p <= 0.05 else "#9aa0a8" for p in table["p_value"]]
        figure = go.Figure(layout={"template": "plotly_white", "xaxis_title": "moved by (times chance)"})
        figure.add_bar(x=table["times"], y=table.index, orientation="h", marker_color=colours)
        return figure.add_vline(x=1.0, line_dash="dot", line_color="#9aa0a8")

    def to_json(self) -> dict[str, Any]:
        """The table and R² as JSON values."""
        return {"words": self.table().reset_index(names="word").to_dict("records"), "r2": self.r2.to_json()}


def words_of(prompt: str) -> set[str]:
    """The words of a prompt in lower case; marks and weights are left out.

    >>> sorted(words_of("A (red:1.3) fox, trending_on art-station"))
    ['a', 'art-station', 'fox', 'on', 'red', 'trending']
    """
    return {word for word in map(str.lower, _WORD.findall(prompt)) if not word.isnumeric()}


def word_effects(
    x: ArrayLike, prompts: Sequence[str], *, least: int = 8, n_null: int = 199, random_state: int = 0
) -> WordEffects:
    """Regress pictures on the words of their prompts.

    A word counts if `least` prompts have it and `least` lack it. Words that always come together share their effect.
    A pair of prompt and picture tells of an association: what a word *does* is shown by decoding with and without it.

    Args:
        x: `(n, d)` vectors of the pictures.
        prompts: of the pictures.
        n_null: shuffles of the prompts.

    Raises:
        AnalysisError: another number of prompts, no word that is frequent enough, or pictures that are all alike.
    """
    rows = prepare(x, "euclidean").astype(np.float64)
    whole("least", least, 2, 10**6, error=AnalysisError, hint="8 is usual")
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="199 allows p-values down to .005")
    if len(prompts) != len(rows):
        message = f"Got {len(prompts)} prompts for {len(rows)} pictures, expected one for each."
        raise AnalysisError(message, code="number of prompts")
    read = [words_of(prompt) for prompt in prompts]
    counted = Counter(word for each in read for word in each)
    known = sorted(word for word, n in counted.items() if least <= n <= len(rows) - least)
    if not known:
        raise AnalysisError(
            f"Got {len(rows)} prompts of {len(counted)} words, none of which {least} have and {least} lack; add "
            "prompts, or take a smaller `least`.",
            code="too few",
        )
    deviation = float(np.sqrt(rows.var(0, ddof=1).sum()))
    if not deviation > 1e-9:
        raise AnalysisError("Got pictures that are all alike, which no word can move.", code="no variation")
    has = _table(read, known)
    generator = np.random.default_rng(random_state)
    fold, whole_fit = generator.permutation(len(rows)) % _FOLDS, _Fit.of(has)
    folds = [(fold == each, _Fit.of(has[fold != each])) for each in range(_FOLDS)]
    drawn, explained = [], []
    for _ in range(n_null):
        shuffled = rows[generator.permutation(len(rows))]
        drawn.append(np.linalg.norm(whole_fit.steps(shuffled), axis=1) / deviation)
        explained.append(_r2(has, shuffled, folds))
    steps = whole_fit.steps(rows)
    sizes = np.linalg.norm(steps, axis=1) / deviation
    chance = np.mean(drawn, axis=0)
    times, largest = sizes / chance, (np.asarray(drawn) / chance).max(1)
    order = np.argsort(-times, kind="stable")
    p_values = np.array([(1 + np.count_nonzero(largest >= each)) / (1 + n_null) for each in times])
    return WordEffects(
        tuple(known[row] for row in order),
        has.sum(0).astype(np.intp)[order],
        steps[order],
        sizes[order],
        times[order],
        p_values[order],
        Score(_r2(has, rows, folds), np.asarray(explained)),
    )


def _table(read: Sequence[set[str]], known: Sequence[str]) -> csr_array:
    """Which prompts `(n,)` have which of the known words: 1 and 0, `(n, w)`, sparse since a prompt has few words."""
    from scipy.sparse import csr_array

    column = {word: place for place, word in enumerate(known)}
    places = [[column[word] for word in each if word in column] for each in read]
    ends = np.cumsum([0, *map(len, places)])
    ones = np.ones(int(ends[-1]))
    return csr_array(
        (ones, np.concatenate([np.array(each, np.intp) for each in places]), ends), (len(read), len(known))
    )


@dataclass(frozen=True, eq=False)
class _Fit:
    """A ridge regression on words, solved but for the pictures: shuffles of them have the same one."""

    has: csr_array
    mean: Values
    inverse: Values

    @classmethod
    def of(cls, has: csr_array) -> _Fit:
        mean = np.asarray(has.mean(0))
        products = (has.T @ has).toarray() - has.shape[0] * np.outer(mean, mean)
        return cls(has, mean, np.linalg.inv(products + _PENALTY * np.eye(len(mean))))

    def steps(self, rows: Values) -> Values:
        """The coefficients of pictures `(n, d)`: `(w, d)`."""
        return np.asarray(self.inverse @ (self.has.T @ rows - np.outer(self.mean, rows.sum(0))))


def _r2(has: csr_array, rows: Values, folds: Sequence[tuple[NDArray[np.bool_], _Fit]]) -> float:
    """Of held-out pictures, against the mean of the others."""
    wrong = around = 0.0
    for out, fit in folds:
        known = rows[~out]
        steps, mean = fit.steps(known), known.mean(0)
        predicted = has[out] @ steps + (mean - fit.mean @ steps)
        wrong += float(np.square(rows[out] - predicted).sum())
        around += float(np.square(rows[out] - mean).sum())
    return 1 - wrong / around
