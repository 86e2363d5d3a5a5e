"""Where the error of an autoencoder sits: at which places, at which frequencies, and how much of it at edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

from ..arrays import numbers
from ..evidence import Score, half_samples, interval
from .fidelity import error_map, error_spectrum

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]

N_SAMPLES = 100


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of decoded pictures.

    Attributes:
        places: `(h, w)` root mean squared error of each pixel over all pictures.
        frequencies: `(b,)` middles of bands, cycles per pixel.
        lost: `(b,)` power of the error as a share of the pictures' there; 1 where nothing is kept.
        power: `(b,)` share of the pictures' power that lies there.
        edges: mean rank correlation of a picture's error with its own edges, pixel by pixel. Its null is that with the
            edges of other pictures, so it says what is more than "errors are in the middle, and so are things".
        each: `(n,)` root mean squared error of each picture.
    """

    places: Values = field(repr=False)
    frequencies: Values = field(repr=False)
    lost: Values = field(repr=False)
    power: Values = field(repr=False)
    edges: Score
    each: Values = field(repr=False)

    def worst(self, n: int = 10) -> NDArray[np.intp]:
        """The pictures with the largest errors, largest first."""
        return np.argsort(-self.each, kind="stable")[:n]

    def table(self) -> pd.DataFrame:
        """A row for each band: `frequency, lost, power`."""
        import pandas as pd

        return pd.DataFrame({"frequency": self.frequencies, "lost": self.lost, "power": self.power})

    def plot(self) -> go.Figure:
        """The map of places, and the share lost over the frequency beside what the pictures have there."""
        from plotly.subplots import make_subplots

        titles = ("error by place", "error by frequency")
        figure = make_subplots(1, 2, subplot_titles=titles, column_widths=[0.4, 0.6])
        figure.add_heatmap(z=self.places[::-1], colorscale="Viridis", colorbar={"x": 0.36, "title": "rms"})
        figure.add_scatter(x=self.frequencies, y=self.lost, name="lost", row=1, col=2)
        figure.add_scatter(
            x=self.frequencies, y=self.power, name="power of the pictures", line_color="#9aa0a8", row=1, col=2
        )
        figure.update_xaxes(visible=False, constrain="domain", row=1, col=1)
        figure.update_yaxes(visible=False, scaleanchor="x", row=1, col=1)
        figure.update_xaxes(title="cycles per pixel", row=1, col=2)
        figure.update_yaxes(title="share", row=1, col=2)
        return figure.update_layout(template="plotly_white")

    def to_json(self) -> dict[str, Any]:
        """The bands, the score of edges and the worst pictures as JSON values; null where pictures have no power."""
        table = self.table().astype(object)
        bands = table.where(table.notna(), None).to_dict("records")
        return {
            "bands": bands,
            "edges": self.edges.to_json(),
            "rms": float(np.sqrt(np.square(self.each).mean())),
            "worst": self.worst().tolist(),
        }


def errors(originals: ArrayLike, decoded: ArrayLike, *, random_state: int = 0) -> Errors:
    """Measure where decoded pictures `(n, h, w, 3)` differ from their originals, both in [0, 1].

    Raises:
        AnalysisError: fewer than three pictures, or pictures of other shapes.
    """
    a, b = numbers(originals, "originals"), numbers(decoded, "decoded")
    places, (frequencies, lost, power) = error_map(a, b), error_spectrum(a, b)
    if a.ndim != 4 or len(a) < 3:
        message = f"Got pictures {a.shape}, expected three or more (n, h, w, 3): edges are compared with others'."
        raise AnalysisError(message, code="shape")
    off = np.sqrt(np.square(a - b).mean(3))
    return Errors(
        places, frequencies, lost, power, _at_edges(a, off, random_state), np.sqrt(np.square(off).mean((1, 2)))
    )


def _at_edges(x: Values, off: Values, random_state: int) -> Score:
    from scipy.ndimage import gaussian_gradient_magnitude
    from scipy.stats import rankdata

    def ranks(values: Values) -> Values:
        ranked = rankdata(values.reshape(len(values), -1), axis=1)
        ranked -= ranked.mean(1, keepdims=True)
        return np.asarray(ranked / np.maximum(np.linalg.norm(ranked, axis=1, keepdims=True), 1e-12))

    steep, wrong = ranks(np.stack([gaussian_gradient_magnitude(each.mean(2), 1.0) for each in x])), ranks(off)
    correlation = wrong @ steep.T  # of each picture's error with each picture's edges
    own, n = correlation.diagonal(), len(x)
    shifts = range(1, min(n, 100))  # with no picture at its own place
    null = np.array([correlation[np.arange(n), (np.arange(n) + shift) % n].mean() for shift in shifts])
    drawn = [own[half].mean() for half in half_samples(n, N_SAMPLES, np.random.default_rng(random_state))]
    return Score(float(own.mean()), null, interval(float(own.mean()), drawn, best=1.0))
