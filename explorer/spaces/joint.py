"""The joint space: pictures and texts as directions on one sphere, with the gap between them closed.

CLIP's pictures and texts lie in two narrow cones, apart (Liang et al., 2022). Each side is centred by the mean of its
unit vectors, kept with the model, and brought back to length one, so that sums and paths over both kinds mean
something. Centring does not lose a picture: there is exactly one way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NoReturn, cast

import torch
from torch import Tensor

from ..errors import ModelError, SpaceError
from ..geometry.interpolation import Geometry
from ..language.nodes import Text
from ..models.model import Model
from ..models.transformers_clip import no_texts
from ..points import Points
from ..records.images import Images
from .between import InterpolatingSpace
from .rendering import Options, Render, denoised, seeds_for
from .space import CannotError, Progress, opened, require_texts, unit, warn_truncated

Kind = Literal["image", "text"]


class PictureSpace(InterpolatingSpace):
    """The space of an encoder, with points for pictures.

    With z = x/|x| and the mean m of the unit vectors of its kind, the point of x is (z - m)/|z - m|.
    A point is decoded as a picture's: with the one s > 0 for which |s·c + m_image| = 1, the denoiser is given
    s·c + m_image at the reference norm. Of an image's own point that is its own direction, exactly.

    Args:
        gap: `"centre"` closes the modality gap; `"none"` leaves vectors as they are, in a space named `joint-raw`
            whose points do not mix with centred ones.

    Raises:
        ModelError: the model has no reference means.
    """

    geometry = Geometry.SPHERE
    encodes = frozenset({"image"})
    keeps_raw = True

    def __init__(self, model: Model, *, gap: Literal["centre", "none"] = "centre") -> None:
        super().__init__(model)
        if gap not in ("centre", "none"):
            raise SpaceError(f"Got gap={gap!r}, expected 'centre' or 'none'; choose one.")
        if model.clip.reference is None:
            raise ModelError(
                f"Got model {model.name!r} without clip/reference.safetensors, expected the means of its vectors; "
                "measure them with measure_reference()."
            )
        reference = model.clip.reference
        self.gap, self.norm = gap, reference.norm
        self.name = "joint" if gap == "centre" else "joint-raw"
        closed = 1.0 if gap == "centre" else 0.0
        self._means: dict[str, Tensor] = {
            "image": closed * reference.mean_image.double(),
            "text": closed * reference.mean_text.double(),
        }

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.model.clip.dim,)

    def image(self, *images: Any) -> Points:
        """Pictures (PIL) or their paths as points, `(n, d)` unit vectors.

        Raises:
            PictureError: a file that cannot be read as a picture.
        """
        pictures, origin = opened(images)
        return Points(self.centred(self.model.clip.encode_images(pictures), "image"), self.info, origin)

    def centred(self, raw: Tensor, kind: Kind | Sequence[Kind]) -> Tensor:
        """CLIP's raw vectors as values of points: `(n, d) -> (n, d)` float32 of unit length.

        Args:
            raw: un-normalised vectors, as `ClipModel` gives and collections keep them.
            kind: `"image"` or `"text"`, for all rows or one a row.
        """
        vectors = raw.to(self.model.device)
        mean = self._means[kind] if isinstance(kind, str) else torch.stack([self._means[each] for each in kind])
        return unit(unit(vectors) - mean).float()

    def vectors(self, points: Points) -> Tensor:
        """The un-normalised picture vectors that points stand for: `(n, d)`, of the reference norm.

        Solves |s·c + m| = 1 for s > 0, which has one solution since |m| < 1: s = -c·m + √((c·m)² + 1 - |m|²).
        """
        return self._vectors(self.owned(points).values)

    def _vectors(self, values: Tensor) -> Tensor:
        mean, directions = self._means["image"], unit(values)
        along = directions @ mean
        scale = -along + (along**2 + 1 - mean @ mean).sqrt()
        return (self.norm * unit(scale[:, None] * directions + mean)).float()

    @property
    def decodes(self) -> bool:
        """Whether a denoiser of the model is guided by its vectors."""
        denoiser = self.model.opened_denoiser
        return denoiser is not None and bool(denoiser.joint_dim)

    def decode(
        self,
        points: Points,
        *,
        seed: int | Sequence[int] = 0,
        steps: int | None = None,
        guidance: float | None = None,
        prompt: str = "",
        negative: str = "",
        scheduler: str | None = None,
        preview: bool = False,
        batch: int | None = None,
        progress: Progress | None = None,
        adapter_scale: float | None = None,
    ) -> Images:
        """Points as pictures.

        Args:
            adapter_scale: how strongly the points guide a model through its IP-Adapter: 0 not at all, so that the
                prompt guides alone, 1 as it was trained, which is the default; up to 10. The rest is as in
                `DecodingSpace.decode`.

        Raises:
            SpaceError, ModelError: as `DecodingSpace.decode`; a scale for a model without an adapter, or none at all.
        """
        points, seeds = seeds_for(seed, self.owned(points))
        usual_guidance, usual_scheduler = self._usual(points)
        options = self._options(
            steps=steps,
            guidance=usual_guidance if guidance is None else guidance,
            prompt=prompt,
            negative=negative,
            scheduler=usual_scheduler if scheduler is None else scheduler,
            preview=preview,
            adapter_scale=adapter_scale,
        )
        return self._decoded(points, seeds, options, batch=batch, progress=progress)

    def _options(self, *, adapter_scale: float | None = None, **options: Any) -> dict[str, Any]:
        if not self.decodes:
            raise CannotError(
                f"Got points of the {self.info}, which no part of the model decodes, expected to show the nearest "
                "items instead: search a collection with them (`thoughtspace search`, Collection.retrieve), or open a "
                "generator that is guided by such vectors (sd15+ip:..., kandinsky22)."
            )
        checked = super()._options(**options)
        adapted: Any = self.model.denoiser if hasattr(self.model.denoiser, "scaled") else None
        if adapted is None:
            if adapter_scale is not None:
                raise ModelError(
                    f"Got adapter scale {adapter_scale!r} for model {self.model.name!r}, which has no IP-Adapter, "
                    "expected none; leave it out, or open a model with one (sd15+ip:h94/IP-Adapter)."
                )
            return checked
        # How strongly an IP-Adapter guides is its denoiser's; the record says it, and a replay takes the record's.
        return {**checked, "adapter_scale": (adapted if adapter_scale is None else adapted.scaled(adapter_scale)).scale}

    def _render(self, values: Tensor, seeds: Sequence[int], options: Options) -> Render:
        denoiser = self.guided_by(options)
        prompts = denoiser.encode_prompts([options["prompt"]]).expand(len(values), *denoiser.prompt_shape)
        latents = yield from denoised(denoiser, seeds, options, prompts=prompts, joint=self._vectors(values))
        return self._seen(latents, options)

    def guided_by(self, options: Options) -> Any:
        """The model's denoiser, guided by the vectors as strongly as the options say."""
        denoiser: Any = self.model.denoiser
        return denoiser.scaled(options["adapter_scale"]) if "adapter_scale" in options else denoiser

    def __getattr__(self, name: str) -> NoReturn:
        if name == "text":
            raise CannotError(no_texts())
        super().__getattr__(name)


class JointSpace(PictureSpace):
    """CLIP's space, with points for pictures and for texts; see `PictureSpace` for where they are."""

    encodes = frozenset({"image", "text"})

    def text(self, *texts: str) -> Points:
        """Texts as points, `(n, d)` unit vectors; what is past the context is not read, and warned of."""
        given = self._read(texts)
        return Points(self.centred(self.model.clip.encode_texts(given), "text"), self.info, tuple(map(Text, given)))

    def _read(self, texts: Sequence[str]) -> list[str]:
        given = require_texts(texts)
        warn_truncated(given, self.truncated(*given))
        return given

    def truncated(self, *texts: str) -> list[bool]:
        """Which texts are longer than the model reads."""
        return self.model.clip.truncated(require_texts(texts))


def joint_space(model: Model, *, gap: Literal["centre", "none"] = "centre") -> JointSpace:
    """The joint space of a model, with texts if its encoder reads them.

    Raises:
        ModelError: the model has no encoder, or no reference.
    """
    if model.clip.reads_texts:
        return JointSpace(model, gap=gap)
    # Asked for texts it answers in its own words; in all else it is the same.
    return cast(JointSpace, PictureSpace(model, gap=gap))
