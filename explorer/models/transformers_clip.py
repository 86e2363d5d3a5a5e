"""The CLIP towers that diffusers' pipelines carry: a picture tower of transformers, and a text tower where it fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import ModelError
from .encoder import Encoder
from .find.folder import opened, refuse_pickles, require_weights
from .find.parts import Towers
from .placement import Target
from .reference import Reference, beside, trained_norm
from .thin_pictures import middle

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


class TransformersClip(Encoder):
    """Pictures, and texts where there is a tower for them, as projections by unmodified transformers."""

    def __init__(self, image: Any, processor: Any, *, text: Any = None, tokenizer: Any = None) -> None:
        self.network, self.text = image, text
        self._processor, self._tokenizer = processor, tokenizer
        self.dim = int(image.config.projection_dim)
        self.image_size = int(image.config.image_size)
        self.reads_texts = text is not None
        self.reference = None
        if text is not None and text.config.projection_dim != self.dim:
            raise ModelError(
                f"Got a text tower of width {text.config.projection_dim} beside an image tower of width {self.dim}, "
                "expected one space; export both together.",
                code="width",
            )

    @classmethod
    def open(cls, folder: Path, parts: Towers, target: Target) -> TransformersClip:
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
                module = kind.from_pretrained(
                    folder / part, dtype=target.dtype, use_safetensors=True, local_files_only=True
                )
                return module.eval().requires_grad_(False).to(target.device)

            image = weights(CLIPVisionModelWithProjection, parts.image)
            text = weights(CLIPTextModelWithProjection, parts.text) if parts.text else None
            names = folder / parts.tokenizer if parts.tokenizer and text is not None else None
            tokenizer = CLIPTokenizer.from_pretrained(names, local_files_only=True) if names else None
            made = cls(image, _processor(folder / parts.processor, image), text=text, tokenizer=tokenizer)
            made.reference = beside(folder, made.dim, target.device)
            if made.reference is None and (norm := _trained_norm(folder, parts)):
                made.reference = Reference.uncentred(made.dim, norm, target.device)
            return made

        return opened("a CLIP", folder, load)

    def _pixels(self, pictures: list[Any]) -> Tensor:
        if self._processor.size.shortest_edge:  # the rest would be enlarged as well, and cropped away
            pictures = [middle(picture) for picture in pictures]
        return self._processor(images=pictures, return_tensors="pt").pixel_values

    def _of_pixels(self, pixels: Tensor) -> Tensor:
        return self.network(pixels).image_embeds

    def _of_texts(self, texts: Sequence[str]) -> Tensor:
        limit = self._tokenizer.model_max_length
        ids = self._tokenizer(
            list(texts), padding="max_length", max_length=limit, truncation=True, return_tensors="pt"
        ).input_ids
        return self.text(ids.to(self._weight.device)).text_embeds

    def _truncated(self, texts: list[str]) -> list[bool]:
        ids = self._tokenizer(texts, verbose=False).input_ids
        return [len(each) > self._tokenizer.model_max_length for each in ids]


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
