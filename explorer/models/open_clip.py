"""The joint encoder: an open_clip CLIP from a local folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from .encoder import Encoder
from .find.folder import CLIP_WEIGHTS, opened, read_json, refuse_pickles, require_weights
from .placement import Target
from .reference import beside
from .thin_pictures import MOST, middle


class ClipModel(Encoder):
    """Pictures and texts as vectors of one space, by unmodified open_clip.

    Attributes:
        context_length: tokens that the text tower reads, start and end included.
    """

    def __init__(
        self,
        network: Any,
        preprocess: Callable[[Any], Tensor],
        tokenize: Callable[..., Tensor],
        *,
        dim: int | None = None,
    ) -> None:
        self.network, self.reference = network, None
        self._preprocess, self._tokenize = preprocess, tokenize
        size = network.visual.image_size
        self.image_size = int(size[0] if isinstance(size, tuple) else size)
        self.context_length = int(network.context_length)
        self.dim = int(dim or network.visual.output_dim)  # towers of timm do not tell it
        # "shortest" enlarges a thin picture without bound, "longest" may shrink its short side to nothing.
        most = {"shortest": MOST, "longest": self.image_size, "squash": None}
        self._most = most[network.visual.preprocess_cfg["resize_mode"]]

    @classmethod
    def open(cls, folder: Path, target: Target) -> ClipModel:
        """The CLIP of an open_clip `local-dir:` folder.

        Raises:
            ModelError: no safetensors weights, a configuration that asks for code or downloads, or damage.
        """
        chosen = require_weights(folder, *CLIP_WEIGHTS)
        if chosen.name == CLIP_WEIGHTS[-1]:
            refuse_pickles(
                folder, "safetensors alone", beside=True
            )  # which open_clip would read before a file of this name
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
            network = network.eval().requires_grad_(False).to(device=target.device, dtype=target.dtype)
            made = cls(network, preprocess, tokenize, dim=config.get("embed_dim"))
            made.reference = beside(folder, made.dim, target.device)
            made.encode_texts([""])  # another tokenizer than its own, such as a default one, is found out here
            return made

        return opened("a CLIP", folder, load)

    def _pixels(self, pictures: list[Any]) -> Tensor:
        if self._most:
            pictures = [middle(picture, most=self._most) for picture in pictures]
        return torch.stack([self._preprocess(picture) for picture in pictures])

    def _of_pixels(self, pixels: Tensor) -> Tensor:
        return self.network.encode_image(pixels)

    def _of_texts(self, texts: Sequence[str]) -> Tensor:
        return self.network.encode_text(self._tokenize(list(texts)).to(self._weight.device))

    def _truncated(self, texts: list[str]) -> list[bool]:
        longest = max(len(text.encode()) for text in texts) + 2  # a token is at least a byte
        ids = self._tokenize(texts, context_length=max(longest, self.context_length) + 1)
        padding = ids[:, -1:]  # no text is as long as that
        return (ids[:, self.context_length :] != padding).any(1).tolist()
