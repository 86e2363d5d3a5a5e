"""The errors of a model's denoiser on pictures that are given, with their captions or vectors as guides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .errors import NONE, RIGHT, WRONG, NoiseErrors, noise_errors
from .latents import latents_of
from .predicting import Sampler, conditionings, unguided

if TYPE_CHECKING:
    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.progress import Progress

LEVELS = 16
_MOST_SEED = 2**31


def measure_noise(
    explorer: Explorer,
    pictures: Sequence[Any] | Points,
    guides: Sequence[str] | Points | None = None,
    *,
    levels: int = LEVELS,
    random_state: int = 0,
    progress: Progress | None = None,
) -> NoiseErrors:
    """Measure how well a model predicts the noise in pictures, guided rightly, wrongly and not at all.

    Args:
        pictures: at least two paths or pictures of PIL, or points of the latent space.
        guides: of each picture its caption, or its point of the prompt or the joint space. A wrong guide is that of
            another picture that has another one. Without guides only `"none"` is measured.
        levels: timesteps of the model's own sampler.
        random_state: of the noise, the wrong guides, the intervals and the nulls.

    Raises:
        AnalysisError: too few pictures, another number of guides, or guides that are all equal.
        ModelError: a model without a denoiser, or whose own loop runs it.
        SpaceError: a model without an autoencoder, or that cannot read these guides.
        PictureError: a picture that cannot be read.
    """
    whole("random_state", random_state, 0, _MOST_SEED, error=AnalysisError, hint="any seed does")
    denoiser = explorer.model.denoiser
    sampler = Sampler.of(denoiser, levels)
    n = len(pictures)
    if n < 2:
        message = f"Got {n} pictures, expected at least two, over which an error has an interval."
        raise AnalysisError(message, code="too few")
    points = None if guides is None else _points(explorer, guides, n)
    latents = latents_of(explorer, pictures)
    seeds = list(range(random_state, random_state + n))
    size = max(1, explorer.model.batch.largest // 2)
    nothing = sampler.predict(conditionings(explorer, None, seeds, size), guidance=unguided(denoiser))
    predict = {NONE: nothing}
    if points is not None:
        wrong = points[others(_labels(points), random_state)]
        right, wronged = (
            sampler.predict(conditionings(explorer, each, seeds, size), guidance=1.0) for each in (points, wrong)
        )
        predict = {RIGHT: right, WRONG: wronged, NONE: nothing}
    noise = np.asarray(denoiser.start(seeds).float().cpu().numpy())
    return noise_errors(latents, noise, sampler.levels, predict, random_state=random_state, progress=progress)


def others(labels: Sequence[Any], random_state: int) -> list[int]:
    """For each row a random other row of another label.

    Raises:
        AnalysisError: all labels are equal.

    >>> others(["cat", "fox", "cat"], 0)[1] in (0, 2)
    True
    """
    codes = np.unique([str(label) for label in labels], return_inverse=True)[1]
    generator = np.random.default_rng(random_state)
    found = []
    for code in codes:
        different = np.flatnonzero(codes != code)
        if not len(different):
            message = f"Got {len(labels)} guides that are all equal, expected some that differ to be wrong ones."
            raise AnalysisError(message, code="no variation")
        found.append(int(generator.choice(different)))
    return found


def _points(explorer: Explorer, guides: Sequence[str] | Points, n: int) -> Points:
    from thoughtspace.explorer.points import Points

    if len(guides) != n:
        raise AnalysisError(f"Got {len(guides)} guides for {n} pictures, expected one for each.", code="guides")
    return guides if isinstance(guides, Points) else explorer.space("prompt").text(*guides)


def _labels(points: Points) -> list[str]:
    """A name for each row, equal for equal points."""
    import hashlib

    return [hashlib.sha256(row.tobytes()).hexdigest() for row in points.flat.cpu().float().numpy()]
