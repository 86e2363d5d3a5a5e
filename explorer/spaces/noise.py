"""The noise space: the start of denoising, x_T, of a seed or of a picture."""

from __future__ import annotations

import warnings
from collections.abc import Generator as Steps
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..diffusion.anderson import Solver
from ..diffusion.inversion import InverseStep, Inversion, inverting, inverting_scheduler
from ..diffusion.loop import check_options, seeded
from ..errors import ModelError, SpaceError
from ..geometry.interpolation import Geometry
from ..language.nodes import Given, Image, Node
from ..models.generator import Guide
from ..models.model import Model
from ..options import Decoding, Settled
from ..points import Points
from ..progress import Progress, run
from .inputs import PICTURE, opened, require_texts
from .rendering import COMMON, DecodingSpace, few_step_option

_BATCH = 16
_SEED = 0  # the default of `decode`: some families draw their conditioning from it
_UNSOLVED = 0.02  # relative residual of a step above which the picture visibly changes


class NoiseSpace(DecodingSpace):
    """Standard normal latents; decoded by the denoiser under one prompt, the empty one by default.

    `draw` gives the noise of a seed, `image` that of a picture, from which the deterministic sampler decodes it. By
    default points with a picture in their origin are decoded by that sampler and at guidance 1, so that the picture
    comes back; prompt and steps should be those of `image`.
    """

    name = "noise"
    geometry = Geometry.GAUSSIAN
    encodes = frozenset({"image"})
    collectable = False  # the noise of a picture depends on the steps and the prompt of its inversion

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.takes = COMMON | few_step_option(model)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.model.generator.latent_shape

    def draw(self, *seeds: int) -> Points:
        """The noise of each seed, `(n, *shape)`: the same numbers as `torch.randn` draws with that seed."""
        checked = Decoding(seed=seeds).seeds
        drawn, origin = self.model.generator.draw(checked), tuple(Given(f"noise {seed}") for seed in checked)
        return Points(drawn.to(self.model.device), self.info, origin)

    def start(self, *seeds: int) -> Points:
        """The noise from which the other spaces decode with each seed, `(n, *shape)`.

        In most families it equals `draw`. Families whose conditioning is random (StableUnCLIP adds noise to its vector)
        draw that first, and then the noise from the same generator.
        """
        checked = Decoding(seed=seeds).seeds
        noise, origin = self.model.generator.start(checked), tuple(Given(f"start of seed {seed}") for seed in checked)
        return Points(noise.to(self.model.device), self.info, origin)

    def image(
        self,
        *images: Any,
        prompt: str = "",
        steps: int | None = None,
        solver: Solver | None = None,
        progress: Progress | None = None,
    ) -> Points:
        """Invert pictures (PIL) or their paths to noise, `(n, *shape)`, at guidance 1.

        See `diffusion.inversion`; nothing is trained. The noise is not a draw of N(0, I); `Inversion.norms` has its
        length.

        Args:
            prompt: the prompt of the inversion; decode under the same one.
            steps: of the sampler, by default the model's own number; decode with the same number.
            solver: tolerance and iterations.
            progress: wraps the steps; it may raise `Cancelled`.

        Raises:
            PictureError: a file that cannot be read as a picture.
            ModelError: a model without a sampler that can be inverted, or steps out of range.
        """
        pictures, origin = opened(images)
        if not pictures:
            return self.points(torch.empty(0, *self.shape))
        found = self.inversion(
            self.model.autoencoder.encode(pictures), prompt=prompt, steps=steps, solver=solver, progress=progress
        )
        _warn_unsolved(found, origin)
        return Points(found.noise, self.info, origin)

    def operand(self, image: Any, *, prompt: str, steps: int | None) -> Points:
        return self.image(image, prompt=prompt, steps=steps)

    def inversion(
        self,
        latents: Tensor,
        *,
        prompt: str = "",
        steps: int | None = None,
        solver: Solver | None = None,
        progress: Progress | None = None,
    ) -> Inversion:
        """The noise of latents `(n, *shape)`, with the residual of each step; the options are those of `image`."""
        steps = self.model.steps if steps is None else steps
        check_options(steps=steps, guidance=1.0)
        (prompt,) = require_texts([prompt])
        self.warn_cut([prompt] if prompt else [])
        if not isinstance(latents, Tensor) or tuple(latents.shape[1:]) != self.shape or not latents.isfinite().all():
            got = f"latents {tuple(latents.shape)}" if isinstance(latents, Tensor) else f"a {type(latents).__name__}"
            raise SpaceError(
                f"Got {got}, expected finite latents (n, {', '.join(map(str, self.shape))}); encode pictures with "
                "the autoencoder.",
                code="latents",
            )
        at_once = min(_BATCH, self.model.batch.largest)
        solver = solver or Solver()

        def inverted() -> Steps[InverseStep, None, list[Inversion]]:
            found = []
            for some in latents.split(at_once):
                found.append((yield from self._inverting(some, prompt, steps, solver)))
            return found

        batches = -(-len(latents) // at_once)
        return Inversion.cat(run(inverted(), progress, total=steps * batches, desc="inverting"))

    def _inverting(self, latents: Tensor, prompt: str, steps: int, solver: Solver) -> Any:
        denoiser = self.model.denoiser
        prompts = denoiser.encode_prompts([prompt]).expand(len(latents), *denoiser.prompt_shape)
        conditioning = denoiser.conditioning(seeded([_SEED] * len(latents)), prompts=prompts)
        return inverting(denoiser, conditioning, latents, steps=steps, solver=solver)

    def usual(self, points: Points) -> tuple[float, str | None]:
        return (1.0, inverting_scheduler(self.model.denoiser)) if _of_pictures(points) else super().usual(points)

    def settled(self, points: Points, how: Decoding) -> Settled:
        """The options with the model's own choices filled in; see `DecodingSpace.settled`.

        Raises:
            ModelError: `few_steps` for the noise of a picture, which other weights were inverted for.
        """
        settled = super().settled(points, how)
        self.check_few_steps(points, how)
        return settled

    def check_few_steps(self, points: Points, how: Decoding) -> None:
        """Raise ModelError for `few_steps` and the noise of a picture."""
        if how.few_steps and _of_pictures(points):
            raise ModelError(
                "Got few_steps=True for the noise of a picture, which the model's own weights lead back to it, "
                "expected drawn noise; leave few_steps out.",
                code="few_steps",
            )

    def guide(self, values: Tensor, how: Settled) -> Guide:
        return Guide(noise=values)


def _of_pictures(points: Points) -> bool:
    """Whether a picture is in the origin of a point."""
    return any(_is_picture(leaf) for node in points.origin for leaf in node.leaves())


def _is_picture(leaf: Node) -> bool:
    return isinstance(leaf, Image) or (isinstance(leaf, Given) and leaf.label.startswith(PICTURE))


def _warn_unsolved(found: Inversion, origin: Sequence[Node]) -> None:
    for node, residuals in zip(origin, found.residuals.T, strict=True):
        if not bool((residuals <= _UNSOLVED).all()):  # also where it is not finite
            warnings.warn(
                f"Got {node}, whose inversion has a step with a residual of {float(residuals.max()):.1%}, so the "
                "picture will come back changed; take more steps or iterations.",
                stacklevel=3,
            )
            return
