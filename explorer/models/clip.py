"""The joint encoder: an open_clip CLIP from a local folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from .files import opened, read_json, require_weights

_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
_BATCH = 64


@dataclass(frozen=True)
class Reference:
    """What is typical of a CLIP's vectors, measured once on many pictures and captions and kept with its weights.

    Attributes:
        mean_image: `(d,)` mean of the unit vectors of pictures.
        mean_text: `(d,)` mean of the unit vectors of captions.
        norm: mean length of the un-normalised vectors of pictures.
    """

    mean_image: Tensor
    mean_text: Tensor
    norm: float


class ClipModel:
    """Pictures and texts as vectors of one space (Radford et al., 2021), by unmodified open_clip.

    Attributes:
        dim: width `d` of the joint vectors.
        image_size: side in pixels of what the image tower sees.
        context_length: tokens that the text tower reads, start and end included.
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

    @classmethod
    def open(cls, folder: Path, *, device: torch.device, dtype: torch.dtype = torch.float32) -> ClipModel:
        """The CLIP of an open_clip `local-dir:` folder.

        Raises:
            ModelError: no safetensors weights, a configuration that asks for code or downloads, or damage.
        """
        require_weights(folder, *_WEIGHTS)
        config = read_json(folder / "open_clip_config.json").get("model_cfg", {})
        text = config.get("text_cfg", {})
        if text.get("hf_model_name") or "trust_remote_code" in (text.get("tokenizer_kwargs") or {}):
            raise ModelError(
                f"Got a CLIP in {folder} whose text tower comes from elsewhere or runs its own code, expected one "
                "that is complete in its folder; choose a plain open_clip model."
            )

        def load() -> ClipModel:
            import open_clip

            name = f"local-dir:{folder}"
            network, _, preprocess = open_clip.create_model_and_transforms(name, device="cpu")
            tokenize = open_clip.get_tokenizer(name)
            network = network.eval().requires_grad_(False).to(device=device, dtype=dtype)
            return cls(network, preprocess, tokenize, _read_reference(folder, device), dim=config.get("embed_dim"))

        clip = opened("a CLIP", folder, load)
        widths = (
            {len(mean) for mean in (clip.reference.mean_image, clip.reference.mean_text)} if clip.reference else set()
        )
        if widths - {clip.dim}:
            raise ModelError(
                f"Got reference means of width {max(widths)} for a CLIP of width {clip.dim} in {folder}; "
                "measure them again."
            )
        return clip

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Any]) -> Tensor:
        """`n` PIL pictures of any size -> `(n, d)` un-normalised float32 vectors on the model's device."""
        batches = [
            self.network.encode_image(torch.stack([self._preprocess(image) for image in batch]).to(self._weight))
            for batch in _batches(images)
        ]
        return self._joined(batches)

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

    @property
    def _weight(self) -> Tensor:
        return next(self.network.parameters())

    def _joined(self, batches: list[Tensor]) -> Tensor:
        empty = torch.empty(0, self.dim, device=self._weight.device)
        return torch.cat([empty, *(batch.float() for batch in batches)])


def _batches(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]


def _read_reference(folder: Path, device: torch.device) -> Reference | None:
    from safetensors.torch import load_file

    file = folder / "reference.safetensors"
    if not file.is_file():
        return None
    tensors = {name: tensor.float() for name, tensor in load_file(file).items()}
    missing = {"mean_image", "mean_text", "norm"} - set(tensors)
    if missing:
        raise ModelError(f"Got {file} without {', '.join(sorted(missing))}; measure the reference again.")
    mean_image, mean_text = (tensors[name].flatten().to(device) for name in ("mean_image", "mean_text"))
    return Reference(mean_image, mean_text, float(tensors["norm"].mean()))
