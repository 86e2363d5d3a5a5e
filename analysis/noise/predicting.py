"""A model's own prediction of noise, at the levels of its own sampler, as functions of arrays."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .errors import Level, Predict, Values

if TYPE_CHECKING:
    from torch import Tensor

    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.models.generator import Conditioning, Denoiser
    from thoughtspace.explorer.points import Points

MOST_LEVELS = 1000
_SAID = "16 shows the curve"


@dataclass(frozen=True)
class Sampler:
    """The model's own scheduler, laid out in a number of steps.

    Attributes:
        denoiser: the model.
        scheduler: of diffusers. It counts its calls, so each use takes a copy that has had none.
        levels: of its timesteps, each once.
    """

    denoiser: Denoiser
    scheduler: Any
    levels: tuple[Level, ...]

    @classmethod
    def of(cls, denoiser: Denoiser, n: int) -> Sampler:
        """The sampler with `n` steps.

        Raises:
            AnalysisError: a number of steps out of range.
        """
        from thoughtspace.explorer.diffusion.schedule import alpha_sigma

        whole("levels", n, 1, MOST_LEVELS, error=AnalysisError, hint=_SAID)
        scheduler = denoiser.scheduler()
        denoiser.set_timesteps(scheduler, n)
        levels = []
        for t in dict.fromkeys(scheduler.timesteps.tolist()):  # samplers of two stages visit a timestep twice
            alpha, sigma = alpha_sigma(copy(scheduler), t)
            levels.append(Level(float(t), float(alpha), float(sigma)))
        return cls(denoiser, scheduler, tuple(levels))

    def predict(self, conditionings: list[Conditioning], *, guidance: float) -> Predict:
        """Predict by the model's own way of guidance; see `diffusion.loop.guided`.

        Args:
            conditionings: of batches, one after the other, which have as many rows as will be predicted.
        """
        import torch

        from thoughtspace.explorer.diffusion.loop import guided
        from thoughtspace.explorer.diffusion.schedule import noise_from, x0_from

        predictors = [guided(self.denoiser, each, guidance) for each in conditionings]
        sizes = [len(each) for each in conditionings]
        timesteps = {float(t): t for t in self.scheduler.timesteps}

        @torch.inference_mode()
        def predicted(x_t: Values, at: float) -> tuple[Values, Values]:
            noises, pictures = [], []
            rows = torch.from_numpy(x_t).to(self.denoiser.device).split(sizes)
            for predictor, x in zip(predictors, rows, strict=True):
                fresh, t = copy(self.scheduler), timesteps[at]
                prediction = predictor(fresh, x, t)[:, : x.shape[1]]  # a learned variance follows
                noises.append(_array(noise_from(prediction, x, t, fresh)))
                pictures.append(_array(x0_from(prediction, x, t, fresh)))
            return np.concatenate(noises), np.concatenate(pictures)

        return predicted


def conditionings(explorer: Explorer, points: Points | None, seeds: list[int], size: int) -> list[Conditioning]:
    """What guides the network by points of the prompt or the joint space, in batches of `size`.

    Args:
        points: one for each seed, or None for the empty prompt and no vector.

    Raises:
        AnalysisError: points that are no prompts and no joint vectors.
        SpaceError: points that the model cannot decode, or of another model.
    """
    from thoughtspace.explorer.diffusion.loop import seeded
    from thoughtspace.explorer.models.guide import Guide
    from thoughtspace.explorer.options import Decoding

    denoiser, guide = explorer.model.denoiser, Guide()
    if points is not None:
        space = explorer.space(points.space.name)
        guide = space.guide(space.owned(points).values, space.settled(points, Decoding()))
        if not {*guide.parts} <= {"prompts", "joint"}:
            message = f"Got points of the {points.space} as guides, expected some of 'prompt' or 'joint'."
            raise AnalysisError(message, code="guides")
    found = []
    for start in range(0, len(seeds), size):
        rows = slice(start, start + size)
        prompts, joint = (None if part is None else part[rows] for part in (guide.prompts, guide.joint))
        found.append(denoiser.conditioning(seeded(seeds[rows]), prompts=prompts, joint=joint))
    return found


def unguided(denoiser: Denoiser) -> float:
    """The guidance at which nothing guides: 0 is the negative side, which a distilled network does not have."""
    return 1.0 if denoiser.distilled else 0.0


def _array(values: Tensor) -> Values:
    return np.asarray(values.to("cpu").float().numpy() if values.dtype.itemsize < 4 else values.cpu().numpy())
