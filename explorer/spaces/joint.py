"""The joint space: pictures and texts as directions on one sphere, with the gap between them closed.

CLIP's pictures and texts are in two separate, narrow cones (Liang et al., 2022). Pictures are centred by the mean of
their unit vectors and scaled back to length one, so that sums and paths are meaningful; that loses nothing of a
picture, since it has exactly one inverse. A text enters in one of two ways: centred by the mean of texts, or carried
among the pictures by a linear map that was fitted to captioned pictures, and centred as one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from ..checks import number, whole
from ..errors import CannotError, ModelError, SpaceError
from ..geometry.interpolation import Geometry, slerp
from ..language.nodes import Given, Text
from ..models.encoder import no_texts
from ..models.generator import Guide
from ..models.model import Model
from ..models.reference import closing
from ..options import MAX_SEED, Gap, Settled
from ..points import Points
from .inputs import opened, require_texts, warn_truncated
from .rendering import COMMON, Decoding, DecodingSpace, few_step_option
from .space import unit

Kind = Literal["image", "text"]
MAX_DRAWS = 1024


class JointSpace(DecodingSpace):
    """The space of an encoder, with points for pictures and, where it reads them, for texts.

    With z = x/|x| and the mean m of the unit vectors of its kind, the point of x is (z - m)/|z - m|. With a linear gap,
    z of a text is first the direction of zW + b, and m that of pictures.
    A point c is decoded as that of a picture: with the one s > 0 for which |s·c + m_image| = 1, the denoiser gets
    s·c + m_image at the reference norm. For the point of an image this is exactly the image's own direction.

    Args:
        gap: how the modality gap is closed: `"linear"` by the map of the model's reference, `"mean"` by the means of
            both kinds; by default as the model was opened. In both ways a picture is the same point. `"open"` leaves
            vectors as they are, in a space named `joint-raw` whose points do not mix with the others.

    Raises:
        ModelError: the model has no encoder, or no reference means; or no map where one is asked for.
    """

    geometry = Geometry.SPHERE
    keeps_raw = True
    attends = True

    def __init__(self, model: Model, *, gap: Gap | None = None) -> None:
        super().__init__(model)
        if model.clip.reference is None:
            raise ModelError(
                f"Got model {model.name!r} without clip/reference.safetensors, so the means of its vectors are "
                "unknown; measure them with measure_reference().",
                code="no reference",
            )
        reference = model.clip.reference
        self.gap, self.norm = closing(gap or model.gap, reference, model.name), reference.norm
        self.name = "joint-raw" if self.gap == "open" else "joint"
        self.encodes = frozenset({"image", "text"} if model.clip.reads_texts else {"image"})
        adapted = model.opened_generator is not None and model.opened_generator.adapter_scale is not None
        self.takes = COMMON | few_step_option(model)
        self.takes |= ({"adapter_scale"} if adapted else set()) | ({"variety"} if model.prior else set())
        # An IP-Adapter has attention of its own for pictures, which is not interpolated.
        self.attends = not adapted
        closed = 0.0 if self.gap == "open" else 1.0
        self._text_map = reference.text_map if self.gap == "linear" else None
        of_texts = reference.mean_text if self._text_map is None else reference.mean_image
        self._means = {"image": closed * reference.mean_image.double(), "text": closed * of_texts.double()}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.model.clip.dim,)

    def image(self, *images: Any) -> Points:
        """Encode pictures (PIL) or their paths as points, `(n, d)` unit vectors.

        Raises:
            PictureError: a file that cannot be read as a picture.
        """
        pictures, origin = opened(images)
        return Points(self.centred(self.model.clip.encode_images(pictures), "image"), self.info, origin)

    def text(self, *texts: str) -> Points:
        """Encode texts as points, `(n, d)` unit vectors; warns of texts longer than the context, whose end is not read.

        Raises:
            CannotError: an encoder without a text tower.
        """
        if "text" not in self.encodes:
            raise CannotError(no_texts(), code="no text")
        given = require_texts(texts)
        warn_truncated(given, self.truncated(*given))
        return Points(self.centred(self.model.clip.encode_texts(given), "text"), self.info, tuple(map(Text, given)))

    def imagine(self, text: str, *, n: int = 4, seed: int = 0, variety: float = 1.0) -> Points:
        """Points of pictures that a text could be of, `(n, d)`: draws of the model's prior.

        The text's own point is one for all of them, and its pictures share what the text leaves open. A draw makes up
        its mind about that.

        Args:
            seed: of the first draw; the next ones have the next seeds.
            variety: from 0, the text's own point, to 1, the draw itself.

        Raises:
            CannotError: a model without a prior.
            SpaceError: an invalid text, number, seed or variety.
        """
        whole("n", n, 1, MAX_DRAWS, error=SpaceError)
        whole("seed", seed, 0, MAX_SEED - n, error=SpaceError)
        number("variety", variety, 0, 1, error=SpaceError, hint="1 is the draw itself")
        return self.imagined(self.text(text), [text] * n, range(seed, seed + n), variety)

    def imagined(self, own: Points, texts: Sequence[str], seeds: Sequence[int], variety: float) -> Points:
        """A draw for each of `n` texts and seeds; `own` are the texts' points, or the one of all of them."""
        prior = self.model.prior
        if prior is None:
            raise CannotError(
                f"Model {self.model.name!r} has no prior that draws vectors of a text, expected a folder in the layout "
                "of StableUnCLIPPipeline; decode the text's own point.",
                code="no prior",
            )
        drawn = self.centred(prior.draw(texts, seeds), "image")
        values = slerp(own.values.to(drawn).expand_as(drawn), drawn, variety)
        labels = [f"{text!r} imagined from seed {seed}" for text, seed in zip(texts, seeds, strict=True)]
        return Points(values, self.info, tuple(map(Given, labels)))

    def varied(self, points: Points, seeds: Sequence[int], how: Decoding) -> tuple[Points, Decoding]:
        """Draws of the prior in place of the points of texts; see `DecodingSpace.varied`.

        Raises:
            SpaceError: points that are not those of texts.
        """
        if how.variety is None or self.model.prior is None:
            return points, how
        if how.variety == 0:
            return points, replace(how, variety=None)
        texts = [node.text for node in points.origin if isinstance(node, Text)]
        if len(texts) < len(points):
            raise SpaceError(
                f"Got variety {how.variety:g} for points of which {len(points) - len(texts)} are not those of a text, "
                "expected sentences alone; leave variety out, or decode joint.imagine(text) and calculate with that.",
                code="variety",
            )
        return self.imagined(points, texts, seeds, how.variety), replace(how, variety=None)

    def of_sentences(self, points: Points, how: Decoding) -> Decoding:
        """The options with the variety that the model's prior usually has; see `DecodingSpace.of_sentences`."""
        usual = self.model.prior.variety if self.model.prior is not None else None
        if how.variety is not None or usual is None or not all(isinstance(node, Text) for node in points.origin):
            return how
        return replace(how, variety=usual)

    def truncated(self, *texts: str) -> list[bool]:
        """Which texts are longer than the model reads."""
        return self.model.clip.truncated(require_texts(texts))

    def centred(self, raw: Tensor, kind: Kind | Sequence[Kind]) -> Tensor:
        """Centre and normalise CLIP's raw vectors: `(n, d) -> (n, d)` float32 of unit length, the values of points.

        Args:
            raw: un-normalised vectors, as `ClipModel` returns them and collections keep them.
            kind: `"image"` or `"text"`, for all rows or one for each.
        """
        if isinstance(kind, str):
            vectors, mean = self._entered(raw, kind), self._means[kind]
        else:
            texts = torch.tensor([each == "text" for each in kind], dtype=torch.bool, device=self.model.device)[:, None]
            vectors = torch.where(texts, self._entered(raw, "text"), self._entered(raw, "image"))
            mean = torch.where(texts, self._means["text"], self._means["image"])
        return unit(vectors - mean).float()

    def _entered(self, raw: Tensor, kind: Kind) -> Tensor:
        """Unit vectors; those of texts among the pictures', where a map leads there."""
        vectors = unit(raw.to(self.model.device))
        return self._text_map(vectors) if self._text_map is not None and kind == "text" else vectors

    def vectors(self, points: Points) -> Tensor:
        """Convert points back to un-normalised picture vectors: `(n, d)`, of the reference norm.

        Solves |s·c + m| = 1 for s > 0, which has one solution since |m| < 1: s = -c·m + √((c·m)² + 1 - |m|²).
        """
        return self.picture_vectors(self.owned(points).values)

    def picture_vectors(self, values: Tensor) -> Tensor:
        """As `vectors`, from the values of points, `(n, d)`."""
        mean, directions = self._means["image"], unit(values)
        along = directions @ mean
        scale = -along + (along**2 + 1 - mean @ mean).sqrt()
        return (self.norm * unit(scale[:, None] * directions + mean)).float()

    @property
    def decodes(self) -> bool:
        """Whether a generator of the model is guided by its vectors."""
        generator = self.model.opened_generator
        return generator is not None and bool(generator.joint_dim)

    def settled(self, points: Points, how: Decoding) -> Settled:
        """The options with the model's own choices filled in; see `DecodingSpace.settled`.

        Raises:
            CannotError: a model without a part that decodes joint vectors.
        """
        if not self.decodes:
            raise CannotError(
                f"Model {self.model.name!r} cannot decode points of the {self.info}. Show the nearest items with "
                "collection.retrieve(...), or open a generator that such vectors guide (sd15+ip:..., kandinsky22).",
                code="no decoder",
            )
        return super().settled(points, how)

    def guide(self, values: Tensor, how: Settled) -> Guide:
        return Guide(joint=self.picture_vectors(values))
