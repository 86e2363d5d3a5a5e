"""The joint encoder: an open_clip CLIP from a local folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..records.pictures import open_picture
from .find.folder import opened, read_json, refuse_any_pickle, require_weights
from .reference import Reference as Reference
from .reference import beside, checked
from .thin_pictures import MOST, middle

_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
_BATCH = 64


class ClipModel:
    """Pictures and texts as vectors of one space (Radford et al., 2021), by unmodified open_clip.

    Attributes:
        dim: width `d` of the joint vectors.
        image_size: side in pixels of what the image tower sees.
        context_length: tokens that the text tower reads, start and end included.
        reads_texts: always.
        reference: means and norm, or None where the folder has none.
    """

    def __init__(
        self,
        network: Any,
        preprocess: Callable[[Any], Tensor],
        tokenize: Callable[..., Tensor],
        reference: Reference | None,
        *,
        dim: int | None = None,
    ) -> None:
        self.network, self.reference = network, reference
        self._preprocess, self._tokenize = preprocess, tokenize
        size = network.visual.image_size
        self.image_size = int(size[0] if isinstance(size, tuple) else size)
        self.context_length = int(network.context_length)
        self.dim = int(dim or network.visual.output_dim)  # towers of timm do not tell it
        self.reads_texts = True
        # "shortest" enlarges a thin picture without bound, "longest" may shrink its short side to nothing.
        most = {"shortest": MOST, "longest": self.image_size, "squash": None}
        self._most = most[network.visual.preprocess_cfg["resize_mode"]]

    @classmethod
    def open(cls, folder: Path, *, device: torch.device, dtype: torch.dtype = torch.float32) -> ClipModel:
        """The CLIP of an open_clip `local-dir:` folder.

        Raises:
            ModelError: no safetensors weights, a configuration that asks for code or downloads, or damage.
        """
        chosen = require_weights(folder, *_WEIGHTS)
        if chosen.name == _WEIGHTS[-1]:
            refuse_any_pickle(folder)  # which open_clip would read before a file of this name
        config = read_json(folder / "open_clip_config.json").get("model_cfg")
        text = config.get("text_cfg") if isinstance(config, dict) else None
        if not isinstance(config, dict) or not isinstance(text, dict):
            raise ModelError(
                f"Got {folder / 'open_clip_config.json'} without model_cfg and text_cfg; restore it.", code="incomplete"
            )
        if text.get("hf_model_name") or "trust_remote_code" in (text.get("tokenizer_kwargs") or {}):
            raise ModelError(
                f"Got a CLIP in {folder} whose text tower comes from elsewhere or runs its own code, expected one "
                "that is complete in its folder; choose a plain open_clip model.",
                code="code",
            )

        def load() -> ClipModel:
            import open_clip

            name = f"local-dir:{folder}"
            network, _, preprocess = open_clip.create_model_and_transforms(name, device="cpu")
            tokenize = open_clip.get_tokenizer(name)
            network = network.eval().requires_grad_(False).to(device=device, dtype=dtype)
            return cls(network, preprocess, tokenize, beside(folder, device), dim=config.get("embed_dim"))

        clip = opened("a CLIP", folder, load)
        if clip.reference is not None:
            checked(clip.reference, clip.dim, folder)
        return clip

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Any]) -> Tensor:
        """`n` pictures, as `open_picture` takes them -> `(n, d)` un-normalised float32 vectors on the device."""
        batches = [
            self.network.encode_image(torch.stack([self._pixels(image) for image in batch]).to(self._weight))
            for batch in _batches(images)
        ]
        return self._joined(batches)

    def _pixels(self, image: Any) -> Tensor:
        picture = open_picture(image)
        return self._preprocess(middle(picture, most=self._most) if self._most else picture)

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """`n` texts -> `(n, d)` un-normalised float32 vectors; tokens past the context are left out."""
        return self._joined(
            [self.network.encode_text(self._tokenize(list(batch)).to(self._weight.device)) for batch in _batches(texts)]
        )

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Which texts are longer than the text tower reads."""
        if not texts:
            return []
        longest = max(len(text.encode()) for text in texts) + 2  # a token is at least a byte
        ids = self._tokenize(list(texts), context_length=max(longest, self.context_length) + 1)
        padding = ids[:, -1:]  # no text is as long as that
        return (ids[:, self.context_length :] != padding).any(1).tolist()

    @torch.inference_mode()
    def encode_nothing(self) -> Tensor:
        """`(1, d)` float32: the vector of pixels that are all zero after normalising."""
        blank = torch.zeros(1, 3, self.image_size, self.image_size).to(self._weight)
        return self.network.encode_image(blank).float()

    @property
    def _weight(self) -> Tensor:
        return next(self.network.parameters())

    def _joined(self, batches: list[Tensor]) -> Tensor:
        empty = torch.empty(0, self.dim, device=self._weight.device)
        return torch.cat([empty, *(batch.float() for batch in batches)])


def _batches(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
