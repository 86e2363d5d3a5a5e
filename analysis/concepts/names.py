"""Names of clusters: the texts that are closer to a cluster than to the rest, beside shuffled clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import Matrix, prepare

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Names:
    """How characteristic each text is of each cluster.

    Attributes:
        words: v texts.
        contrasts: `(k, v)` the mean cosine of the text with items of the cluster minus that with all other items, in
            standard deviations of its cosines.
        largest: `(n_null, k)` the largest of all texts for each cluster, when the clusters of items are shuffled.
    """

    words: tuple[str, ...]
    contrasts: Values = field(repr=False)
    largest: Values = field(repr=False)

    def of(self, cluster: int, n: int = 3) -> list[tuple[str, float, float]]:
        """The `n` most characteristic texts of a cluster, each with its contrast and p-value.

        The p-value is held against the best text of shuffled clusters, so it allows for the choice among all texts.
        """
        order = np.argsort(-self.contrasts[cluster], kind="stable")[:n]
        return [(self.words[j], float(self.contrasts[cluster, j]), self._p_value(cluster, j)) for j in order]

    def table(self, n: int = 3) -> pd.DataFrame:
        """The `n` most characteristic texts of each cluster: `cluster, word, contrast, p_value`."""
        import pandas as pd

        rows = [(each, *name) for each in range(len(self.contrasts)) for name in self.of(each, n)]
        return pd.DataFrame(rows, columns=["cluster", "word", "contrast", "p_value"])

    def plot(self, n: int = 3) -> go.Figure:
        """The most characteristic texts of each cluster over the best of shuffled clusters in grey."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white", "showlegend": False})
        for each in range(len(self.contrasts)):
            names = self.of(each, n)
            figure.add_box(
                x=self.largest[:, each], y=[str(each)] * len(self.largest), orientation="h", marker_color="#9aa0a8"
            )
            figure.add_scatter(
                x=[contrast for _, contrast, _ in names],
                y=[str(each)] * len(names),
                text=[word for word, _, _ in names],
                mode="markers+text",
                textposition="top center",
                marker_color="#4f5bd5",
            )
        figure.update_yaxes(autorange="reversed", title="cluster", type="category")
        return figure.update_xaxes(title="contrast, in standard deviations; in grey the best of shuffled clusters")

    def to_json(self, n: int = 3) -> list[list[dict[str, Any]]]:
        """For each cluster its most characteristic texts as JSON values."""
        keys = ("word", "contrast", "p_value")
        return [
            [dict(zip(keys, name, strict=True)) for name in self.of(each, n)] for each in range(len(self.contrasts))
        ]

    def _p_value(self, cluster: int, word: int) -> float:
        beyond = np.count_nonzero(self.largest[:, cluster] >= self.contrasts[cluster, word])
        return float((1 + beyond) / (1 + len(self.largest)))


def name_clusters(
    x: ArrayLike, labels: ArrayLike, texts: ArrayLike, words: Sequence[str], *, n_null: int = 99, random_state: int = 0
) -> Names:
    """Find the texts that are characteristic of each cluster against the rest.

    Args:
        x: `(n, d)` items.
        labels: `(n,)` the cluster of each, from 0; -1 for none, which counts as the rest.
        texts: `(v, d)` vectors of texts in the same space.
        words: the v texts.
        n_null: shuffles of the clusters.

    Raises:
        AnalysisError: another number of labels or words, two widths, no cluster, or one that has all items.
    """
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="99 allows p-values down to .01")
    items, known = prepare(x, "cosine"), prepare(texts, "cosine", what="texts")
    clusters = np.asarray(labels)
    if clusters.shape != (len(items),) or len(words) != len(known):
        message = (
            f"Got {clusters.shape} labels for {len(items)} items and {len(words)} words for {len(known)} vectors, "
            "expected one for each."
        )
        raise AnalysisError(message, code="number of labels")
    if items.shape[1] != known.shape[1]:
        message = f"Got items of {items.shape[1]} numbers and texts of {known.shape[1]}, expected those of one space."
        raise AnalysisError(message, code="width")
    if clusters.max() < 0 or not (clusters != clusters[0]).any():
        raise AnalysisError("Got one cluster that has all items, or none, expected one and a rest.", code="one class")
    codes = clusters.astype(np.intp)
    generator = np.random.default_rng(random_state)
    cosines = items @ known.T
    null = [_contrasts(cosines, generator.permutation(codes)).max(1) for _ in range(n_null)]
    return Names(tuple(words), _contrasts(cosines, codes), np.stack(null))


def _contrasts(cosines: Matrix, codes: Rows) -> Values:
    k = int(codes.max()) + 1
    inside = np.zeros((k, len(codes)), np.float32)
    inside[codes[codes >= 0], np.flatnonzero(codes >= 0)] = 1
    counts = inside.sum(1, dtype=np.float64)[:, None]
    sums = (inside @ cosines).astype(np.float64)
    total = cosines.sum(0, dtype=np.float64)
    deviations = cosines.std(0, dtype=np.float64)
    contrasts = sums / counts - (total - sums) / (len(codes) - counts)
    return np.divide(contrasts, deviations, out=np.zeros_like(contrasts), where=deviations > 1e-7)
