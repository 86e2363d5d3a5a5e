"""What guidance buys and costs: agreement with the prompt against the variety of its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import number, whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import numbers
from ..resampling import mean_interval, rows_drawn

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.progress import Progress
    from thoughtspace.explorer.records.images import Images

SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)
_MEASURES = ("agreement", "other", "spread", "between")

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GuidanceSweep:
    """Pictures of `p` prompts, each from the same seeds, at `g` scales of guidance.

    Attributes:
        scales: `(g,)`.
        agreement: `(g, p)` mean cosine of the pictures of a prompt with it.
        other: `(g, p)` the same with another prompt: the null, which pictures of anything have.
        spread: `(g, p)` mean of 1 - cosine between pictures of one prompt from two seeds.
        between: `(g, p)` the same between pictures of two prompts, from two seeds: what they would have that had no
            prompt in common.
        images: the pictures, scale by scale, prompt by prompt, seed by seed; None for given vectors.
    """

    scales: Values
    agreement: Values = field(repr=False)
    other: Values = field(repr=False)
    spread: Values = field(repr=False)
    between: Values = field(repr=False)
    images: tuple[Images, ...] | None = field(default=None, repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each scale: the four means over prompts, each with the ends of its 95 % interval.

        Columns `scale, agreement, agreement_low, agreement_high, other, …, spread, …, between, …`; the intervals are by
        the bootstrap over prompts.
        """
        import pandas as pd

        drawn, rows = rows_drawn(self.agreement.shape[1], 0), []
        for row, scale in enumerate(self.scales):
            found = {"scale": float(scale)}
            for name, values in zip(_MEASURES, self._measures, strict=True):
                low, high = mean_interval(values[row], drawn)
                found |= {name: float(values[row].mean()), f"{name}_low": low, f"{name}_high": high}
            rows.append(found)
        return pd.DataFrame(rows)

    def plot(self) -> go.Figure:
        """Agreement and spread over the scale, each over its null in grey."""
        from plotly.subplots import make_subplots

        figure, table = make_subplots(rows=2, cols=1, shared_xaxes=True), self.table()
        series = (
            (1, "other", "cosine with another prompt", "#9aa0a8"),
            (1, "agreement", "cosine with the prompt", "#4f5bd5"),
            (2, "between", "spread over prompts", "#9aa0a8"),
            (2, "spread", "spread over seeds", "#d5564f"),
        )
        for row, name, label, colour in series:
            error = {"array": table[f"{name}_high"] - table[name], "arrayminus": table[name] - table[f"{name}_low"]}
            figure.add_scatter(
                x=table["scale"], y=table[name], error_y=error, name=label, line_color=colour, row=row, col=1
            )
        return figure.update_layout(template="plotly_white").update_xaxes(title="guidance", row=2)

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"n": self.agreement.shape[1], "scales": self.table().to_dict("records")}

    @property
    def _measures(self) -> tuple[Values, ...]:
        return self.agreement, self.other, self.spread, self.between


def guidance_sweep(pictures: ArrayLike, prompts: ArrayLike, scales: Sequence[float]) -> GuidanceSweep:
    """Measure vectors of pictures at several scales.

    Args:
        pictures: `(g, p, s, d)`, of `s` seeds for each of `p` prompts at each scale; at least two seeds and prompts.
        prompts: `(p, d)`, of the prompts.

    Raises:
        AnalysisError: other shapes, fewer prompts or seeds, numbers that are not finite, or a zero vector.
    """
    x, texts = numbers(pictures, "pictures"), numbers(prompts, "prompts")
    numbers(scales, "scales")
    if x.ndim != 4 or texts.shape != (x.shape[1], x.shape[3]) or len(x) != len(scales):
        message = f"Got pictures {x.shape}, prompts {texts.shape} and {len(scales)} scales, expected (g, p, s, d)"
        raise AnalysisError(f"{message}, (p, d) and g.", code="shape")
    if min(x.shape[1:3]) < 2:
        message = f"Got {x.shape[1]} prompts and {x.shape[2]} seeds, expected two of each, or there is no spread."
        raise AnalysisError(message, code="too few")
    x, texts = _unit(x), _unit(texts)
    n = x.shape[2]
    own, other = (np.einsum("gpsd,pd->gp", x, each) / n for each in (texts, np.roll(texts, 1, axis=0)))
    spread, between = (1 - _over_two_seeds(x, each) for each in (x, np.roll(x, 1, axis=1)))
    return GuidanceSweep(np.asarray(scales, np.float64), own, other, spread, between)


def measure_guidance(
    explorer: Explorer,
    prompts: Sequence[str],
    scales: Sequence[float] = SCALES,
    *,
    seeds: int = 4,
    reader: Explorer | None = None,
    space: str | None = None,
    progress: Progress | None = None,
) -> GuidanceSweep:
    """Decode prompts at several scales of guidance from the same seeds, and measure agreement and spread.

    Args:
        prompts: at least two that differ.
        seeds: for each prompt, from 0.
        reader: reads pictures and prompts in its joint space, by default the model itself. A model that is guided by
            its own vectors agrees with itself: another reader is a fairer judge.
        space: where prompts are read to be decoded, by default the usual one of the model.

    Raises:
        AnalysisError: too few prompts or seeds, or a model on which the scale has no effect.
        ModelError: a scale out of range.
        SpaceError: a model that does not decode texts, or a reader that cannot read them.
    """
    whole("seeds", seeds, 2, 10**4, error=AnalysisError, hint="4 is usual")
    if len(dict.fromkeys(prompts)) != len(prompts) or len(prompts) < 2:
        message = f"Got {len(prompts)} prompts, of which {len(set(prompts))} differ, expected two or more that differ."
        raise AnalysisError(message, code="too few")
    if not len(scales):
        raise AnalysisError("Got no scales of guidance, expected some, such as 1 4 8.", code="scales")
    for scale in scales:
        number("guidance", scale, 0, 1000, error=AnalysisError, hint="1 turns guidance off")
    joint = (reader or explorer).space("joint")
    texts = joint.text(*prompts).flat.double().cpu().numpy()
    points = explorer.points(list(prompts), space)
    where = explorer.space(points.space.name)
    repeated = points[[row for row in range(len(points)) for _ in range(seeds)]]
    found, images = [], []
    for scale in progress(scales, total=len(scales), desc="decoding") if progress else scales:
        made = where.decode(repeated, seed=[*range(seeds)] * len(prompts), guidance=float(scale))
        vectors = [joint.image(*made[at : at + _AT_ONCE]).flat.double().cpu().numpy() for at in _starts(len(made))]
        found.append(np.concatenate(vectors).reshape(len(prompts), seeds, -1))
        images.append(made)
    if len(scales) > 1 and all(np.array_equal(images[0].numpy(), each.numpy()) for each in images[1:]):
        message = f"Got {explorer.model.name!r}, whose pictures are the same at every scale: guidance does nothing"
        raise AnalysisError(f"{message} in it, expected a model that is guided.", code="no guidance")
    return replace(guidance_sweep(np.stack(found), texts, scales), images=tuple(images))


_AT_ONCE = 64


def _over_two_seeds(x: Values, y: Values) -> Values:
    """`(g, p)` mean cosine of `(g, p, s, d)` unit vectors over pairs of two seeds: of all pairs without equal seeds."""
    n = x.shape[2]
    everything = np.einsum("gpd,gpd->gp", x.sum(2), y.sum(2))
    return np.asarray((everything - np.einsum("gpsd,gpsd->gp", x, y)) / (n * (n - 1)))


def _starts(n: int) -> range:
    return range(0, n, _AT_ONCE)


def _unit(vectors: Values) -> Values:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        message = "Got vectors of which one is zero or not finite, expected finite ones; check the pictures."
        raise AnalysisError(message, code="not finite")
    return np.asarray(vectors / lengths)
