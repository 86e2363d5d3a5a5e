"""One picture with known noise: added, predicted and compared, with the pictures to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..evidence import Score, plot, table
from .errors import Level
from .latents import latents_of, pictures_of
from .predicting import Sampler, conditionings, unguided

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from PIL.Image import Image

    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.points import Points

Values = NDArray[Any]


@dataclass(frozen=True, eq=False)
class KnownNoise:
    """What a model makes of one picture under known noise.

    Attributes:
        levels: `k` amounts of noise.
        error: `(k,)` mean of (ε - ε̂)² over the numbers of the latent.
        agreement: by level, the cosine of ε and ε̂; its null is that of ε̂ with other noise.
        noisy: `k` pictures of x_t, brought to the scale of latents.
        predicted: `k` pictures of x̂0.
    """

    levels: tuple[Level, ...]
    error: Values
    agreement: tuple[Score, ...] = field(repr=False)
    noisy: tuple[Image, ...] = field(repr=False)
    predicted: tuple[Image, ...] = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each level: `t, snr, error`, and the cosine with its null as in `evidence.Measured.to_json`."""
        frame = table(self._named()).reset_index(drop=True).drop(columns=["low", "high", "calibrated"])
        frame.insert(0, "error", self.error)
        frame.insert(0, "snr", [level.snr for level in self.levels])
        frame.insert(0, "t", [level.t for level in self.levels])
        return frame

    def plot(self) -> go.Figure:
        """The cosine of ε and ε̂ at each level, over its null."""
        return plot(self._named(), title="cosine of the noise and its prediction")

    def sheet(self) -> Image:
        """Two rows: x_t from the most noise to the least, and x̂0 below."""
        from thoughtspace.explorer.records.images import contact_sheet

        return contact_sheet([*self.noisy, *self.predicted], len(self.levels))

    def save(self, folder: str | Path) -> None:
        """Write `sheet.png` into a folder, which is made if it is missing."""
        base = Path(folder)
        base.mkdir(parents=True, exist_ok=True)
        self.sheet().save(base / "sheet.png")

    def to_json(self) -> dict[str, Any]:
        """The rows of the table."""
        return {"levels": self.table().to_dict("records")}

    def _named(self) -> dict[str, Score]:
        return {f"t = {level.t:g}": score for level, score in zip(self.levels, self.agreement, strict=True)}


def known_noise(
    explorer: Explorer,
    picture: Any,
    guide: str | Points | None = None,
    *,
    levels: int = 8,
    random_state: int = 0,
    n_null: int = 99,
) -> KnownNoise:
    """Add the noise of a seed to a picture, let the model predict it, and compare.

    Args:
        picture: a path, a picture of PIL, or a point of the latent space.
        guide: its caption, or one point of the prompt or the joint space; None for no guide.
        levels: timesteps of the model's own sampler.
        random_state: the seed of the noise, and of the other noise of the null.

    Raises:
        AnalysisError, ModelError, SpaceError, PictureError: as `measure_noise`; several pictures or guides.
    """
    from thoughtspace.explorer.points import Points

    whole("n_null", n_null, 19, 10**5, error=AnalysisError, hint="99 is usual")
    denoiser = explorer.model.denoiser
    sampler = Sampler.of(denoiser, levels)
    x0 = latents_of(explorer, picture if isinstance(picture, Points) else [picture])
    point = explorer.space("prompt").text(guide) if isinstance(guide, str) else guide
    if len(x0) != 1 or (point is not None and len(point) != 1):
        got = f"{len(x0)} pictures and {0 if point is None else len(point)} guides"
        raise AnalysisError(f"Got {got}, expected one picture and at most one guide.", code="one picture")
    scale = unguided(denoiser) if point is None else 1.0
    predict = sampler.predict(conditionings(explorer, point, [random_state], 1), guidance=scale)
    noise = np.asarray(denoiser.start([random_state]).float().cpu().numpy())
    noises = np.random.default_rng(random_state).standard_normal((n_null, noise.size))
    errors, scores, noisy, predicted = [], [], [], []
    for level in sampler.levels:
        x_t = level.alpha * x0 + level.sigma * noise
        found, guess = predict(x_t, level.t)
        if not np.isfinite(found).all():
            message = f"Got a prediction that is not finite at timestep {level.t:g}; open the model in a wider dtype."
            raise AnalysisError(message, code="not finite")
        errors.append(np.square(noise - found).mean())
        scores.append(Score(float(_cosines(noise, found)[0]), _cosines(noises, found)))
        # A state of σ-space is the same picture, divided by α.
        noisy.append(x_t / np.hypot(level.alpha, level.sigma))
        predicted.append(guess)
    shown = [pictures_of(explorer, np.concatenate(each)) for each in (noisy, predicted)]
    return KnownNoise(sampler.levels, np.array(errors), tuple(scores), *shown)


def _cosines(rows: Values, one: Values) -> Values:
    x, y = rows.reshape(len(rows), -1).astype(np.float64), one.reshape(-1).astype(np.float64)
    return np.asarray(x @ y / (np.linalg.norm(x, axis=1) * np.linalg.norm(y)))
