"""The noise space: where denoising starts, x_T, of a seed or of a picture."""

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
from ..errors import SpaceError
from ..geometry.interpolation import Geometry
from ..language.nodes import Given, Image, Node
from ..models.generator import Guide
from ..options import Decoding, Settled
from ..points import Points
from ..progress import Progress, run
from .rendering import DecodingSpace
from .space import PICTURE, opened, require_texts

_BATCH = 16
_SEED = 0  # as `decode` has it: what guides some families is drawn from it
_ASTRAY = 0.02  # relative residual of a step from which a picture visibly does not come back


class NoiseSpace(DecodingSpace):
    """Standard normal latents; decoded by the denoiser under one prompt, the empty one by default.

    A seed's noise is `draw`, a picture's is `image`: that from which the deterministic sampler makes the picture.
    Points with a picture in their origin are decoded by that sampler and at guidance 1 unless told otherwise, so that
    the picture comes back; prompt and steps should be those of `image`.
    """

    name = "noise"
    geometry = Geometry.GAUSSIAN
    encodes = frozenset({"image"})
    collectable = False  # the noise of a picture depends on the steps and the prompt of its inversion

    @property
    def shape(self) -> tuple[int, ...]:
        return self.model.generator.latent_shape

    def draw(self, *seeds: int) -> Points:
        """The noise of each seed, `(n, *shape)`: the same numbers as `torch.randn` gives that seed's generator."""
        checked = Decoding(seed=seeds).seeds
        drawn, origin = self.model.generator.draw(checked), tuple(Given(f"noise {seed}") for seed in checked)
        return Points(drawn.to(self.model.device), self.info, origin)

    def start(self, *seeds: int) -> Points:
        """The noise that decoding from each seed starts from in the other spaces, `(n, *shape)`.

        That is `draw` in most families. Those whose conditioning is random (StableUnCLIP noises its vector) draw for it
        first, and the noise after that from the same generator.
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
        """Pictures (PIL) or their paths as the noise they are made of, `(n, *shape)`, by inversion at guidance 1.

        No training: see `diffusion.inversion`. The noise is no draw of N(0, I); `Inversion.norms` says how long it is.

        Args:
            prompt: under which the picture is made again, and should be decoded.
            steps: of the sampler, the model's own number by default; decode with as many.
            solver: tolerance and iterations.
            progress: wraps the steps; it may raise `Cancelled`.

        Raises:
            PictureError: a file that cannot be read as a picture.
            ModelError: a model without a sampler that can be gone back, steps out of range.
        """
        pictures, origin = opened(images)
        if not pictures:
            return self.points(torch.empty(0, *self.shape))
        found = self.inversion(
            self.model.autoencoder.encode(pictures), prompt=prompt, steps=steps, solver=solver, progress=progress
        )
        _warn_astray(found, origin)
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
        """The noise of latents `(n, *shape)` with what each step left unsolved; the options are those of `image`."""
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

    def inversion_options(self, *, prompt: str = "", steps: int | None = None) -> dict[str, Any]:
        """The options of `decode` that bring an inverted picture back, to be passed on or changed.

        Without them such points are decoded so all the same, as far as `guidance` and `scheduler` go.
        """
        return {
            "steps": self.model.steps if steps is None else steps,
            "guidance": 1.0,
            "prompt": prompt,
            "scheduler": inverting_scheduler(self.model.denoiser),
        }

    def _inverting(self, latents: Tensor, prompt: str, steps: int, solver: Solver) -> Any:
        denoiser = self.model.denoiser
        prompts = denoiser.encode_prompts([prompt]).expand(len(latents), *denoiser.prompt_shape)
        conditioning = denoiser.conditioning(seeded([_SEED] * len(latents)), prompts=prompts)
        return inverting(denoiser, conditioning, latents, steps=steps, solver=solver)

    def usual(self, points: Points) -> tuple[float, str | None]:
        if not any(_is_picture(leaf) for node in points.origin for leaf in node.leaves()):
            return super().usual(points)
        return 1.0, inverting_scheduler(self.model.denoiser)

    def guide(self, values: Tensor, how: Settled) -> Guide:
        return Guide(noise=values)


def _is_picture(leaf: Node) -> bool:
    return isinstance(leaf, Image) or (isinstance(leaf, Given) and leaf.label.startswith(PICTURE))


def _warn_astray(found: Inversion, origin: Sequence[Node]) -> None:
    for node, residuals in zip(origin, found.residuals.T, strict=True):
        if not bool((residuals <= _ASTRAY).all()):  # also where it is not finite
            warnings.warn(
                f"Got {node}, of whose inversion a step left {float(residuals.max()):.1%} unsolved; it will not come "
                "back as it was. Take more steps or iterations.",
                stacklevel=3,
            )
            return
