"""The CLIP towers that diffusers' pipelines carry: a picture tower of transformers, and a text tower where it fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..records.pictures import open_picture
from .find.folder import opened, refuse_pickles, require_weights
from .find.parts import Towers
from .reference import Reference, beside, checked, trained_norm
from .thin_pictures import middle

_BATCH = 64
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


class TransformersClip:
    """Pictures, and texts where there is a tower for them, as `(n, d)` projections (Radford et al., 2021).

    Attributes:
        dim: width `d` of the joint vectors.
        image_size: side in pixels of what the image tower sees.
        reads_texts: whether there is a text tower into the same space.
        reference: means and norm, or the norm alone where a prior knows it, or None.
    """

    def __init__(self, image: Any, processor: Any, *, text: Any = None, tokenizer: Any = None) -> None:
        self.image, self.text = image, text
        self._processor, self._tokenizer = processor, tokenizer
        self.dim = int(image.config.projection_dim)
        self.image_size = int(image.config.image_size)
        self.reads_texts = text is not None
        self.reference: Reference | None = None
        if text is not None and text.config.projection_dim != self.dim:
            raise ModelError(
                f"Got a text tower of width {text.config.projection_dim} beside an image tower of width {self.dim}, "
                "expected one space; export both together.",
                code="width",
            )

    @classmethod
    def open(
        cls, folder: Path, parts: Towers, *, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> TransformersClip:
        """The encoder inside a pipeline's folder.

        Raises:
            ModelError: a tower is missing, pickled or damaged, or they do not fit each other.
        """
        for part in (parts.image, parts.text):
            if part is not None:
                require_weights(folder / part, *_WEIGHTS)
                refuse_pickles(folder / part)

        def load() -> TransformersClip:
            from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

            def weights(kind: Any, part: str) -> Any:
                module = kind.from_pretrained(folder / part, dtype=dtype, use_safetensors=True, local_files_only=True)
                return module.eval().requires_grad_(False).to(device)

            image = weights(CLIPVisionModelWithProjection, parts.image)
            text = weights(CLIPTextModelWithProjection, parts.text) if parts.text else None
            names = folder / parts.tokenizer if parts.tokenizer and text is not None else None
            tokenizer = CLIPTokenizer.from_pretrained(names, local_files_only=True) if names else None
            made = cls(image, _processor(folder / parts.processor, image), text=text, tokenizer=tokenizer)
            norm = _trained_norm(folder, parts)
            made.reference = beside(folder, device) or (Reference.uncentred(made.dim, norm, device) if norm else None)
            return made

        made = opened("a CLIP", folder, load)
        if made.reference is not None:
            checked(made.reference, made.dim, folder)
        return made

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Any]) -> Tensor:
        """`n` pictures, as `open_picture` takes them -> `(n, d)` un-normalised float32 vectors on the device."""
        rows = []
        for start in range(0, len(images), _BATCH):
            some = [open_picture(image) for image in images[start : start + _BATCH]]
            if self._processor.size.shortest_edge:  # the rest would be enlarged as well, and cropped away
                some = [middle(picture) for picture in some]
            pixels = self._processor(images=some, return_tensors="pt").pixel_values
            rows.append(self.image(pixels.to(self._weight)).image_embeds)
        return self._joined(rows)

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """`n` texts -> `(n, d)` un-normalised float32 vectors; tokens past the context are left out.

        Raises:
            ModelError: there is no text tower.
        """
        if self.text is None:
            raise ModelError(no_texts(), code="no text")
        rows = []
        for start in range(0, len(texts), _BATCH):
            ids = self._tokenizer(
                list(texts[start : start + _BATCH]),
                padding="max_length",
                max_length=self._tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            ).input_ids
            rows.append(self.text(ids.to(self._weight.device)).text_embeds)
        return self._joined(rows)

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Which texts are longer than the text tower reads."""
        if self.text is None:
            raise ModelError(no_texts(), code="no text")
        ids = self._tokenizer(list(texts), verbose=False).input_ids if texts else []
        return [len(each) > self._tokenizer.model_max_length for each in ids]

    @torch.inference_mode()
    def encode_nothing(self) -> Tensor:
        """`(1, d)` float32: the vector of pixels that are all zero after normalising."""
        blank = torch.zeros(1, 3, self.image_size, self.image_size).to(self._weight)
        return self.image(blank).image_embeds.float()

    @property
    def _weight(self) -> Tensor:
        return next(self.image.parameters())

    def _joined(self, rows: list[Tensor]) -> Tensor:
        return torch.cat([torch.empty(0, self.dim, device=self._weight.device), *(row.float() for row in rows)])


def no_texts() -> str:
    """What is said of a text where the encoder reads pictures alone."""
    return (
        "Got a text for an encoder of pictures alone, expected pictures: img(…); open a pair of clip/ and diffusion/ "
        "with the whole CLIP whose vectors the model decodes."
    )


def _processor(folder: Path, image: Any) -> Any:
    from transformers import CLIPImageProcessor

    if (folder / "preprocessor_config.json").is_file():
        return CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
    # IP-Adapters come without one; diffusers makes this one for them.
    return CLIPImageProcessor(size=image.config.image_size, crop_size=image.config.image_size)


def _trained_norm(folder: Path, parts: Towers) -> float | None:
    """√E|x|² of the picture vectors that a prior was trained on, from the mean and deviation that it keeps."""
    from safetensors import safe_open

    file = folder / parts.prior / "diffusion_pytorch_model.safetensors" if parts.prior else None
    if file is None or not file.is_file():
        return None
    with safe_open(str(file), framework="pt") as weights:
        if not {"clip_mean", "clip_std"} <= set(weights.keys()):
            return None
        return trained_norm(weights.get_tensor("clip_mean"), weights.get_tensor("clip_std"))
