"""Our open_clip CLIP as the transformers classes that diffusers pipelines are made of.

A StableUnCLIP folder holds a `CLIPTextModel` (the tokens that the denoiser attends to) and a
`CLIPVisionModelWithProjection` (the vector that it is conditioned on). Both are the same network as the one that
`clip.build` makes, with other names for its weights, so the trained model is carried over exactly.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import ModelError

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPVisionModelWithProjection

NAMES = {
    "transformer.resblocks": "encoder.layers",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "ln_pre": "pre_layrnorm",
    "ln_post": "post_layernorm",
    "ln_final": "final_layer_norm",
    "conv1": "embeddings.patch_embedding",
    "class_embedding": "embeddings.class_embedding",
    "token_embedding": "embeddings.token_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
}
"""open_clip's names of parts, and those of transformers."""


def text_model(clip: Any, tokenizer: Any) -> CLIPTextModel:
    """The text tower of `clip` without its projection, in evaluation mode and float32.

    `last_hidden_state` equals open_clip's `ln_final(transformer(...))` and `pooler_output` its pooled token, of which
    `text_projection` makes the joint vector. open_clip pools where the token id is highest, transformers where it
    first equals `eos_token_id`: the same place as long as the end token has the highest id, which is checked.

    Args:
        tokenizer: of transformers; its ids go into the config.

    Raises:
        ModelError: the tokenizer does not fit the tower.
    """
    from transformers import CLIPTextConfig, CLIPTextModel

    vocab_size, width = clip.token_embedding.weight.shape
    if tokenizer.eos_token_id != vocab_size - 1:
        raise ModelError(
            f"Got an end token with id {tokenizer.eos_token_id} in a vocabulary of {vocab_size}, expected the highest "
            f"id {vocab_size - 1}, where open_clip pools; renumber the tokenizer's vocabulary.",
            code="tokenizer",
        )
    config = CLIPTextConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        projection_dim=clip.text_projection.shape[1],
        max_position_embeddings=len(clip.positional_embedding),
        layer_norm_eps=clip.ln_final.eps,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **_block_sizes(clip.transformer.resblocks),
    )
    dropped = ("visual.", "text_projection", "logit_scale")
    weights = {name: weight for name, weight in clip.state_dict().items() if not name.startswith(dropped)}
    return _filled(CLIPTextModel(config), weights)


def projecting_text_model(clip: Any, tokenizer: Any) -> CLIPTextModelWithProjection:
    """The text tower of `clip` with its projection: `text_embeds` equals open_clip's un-normalised `encode_text`.

    Raises:
        ModelError: as `text_model`.
    """
    from transformers import CLIPTextModelWithProjection

    tower = text_model(clip, tokenizer)
    made = CLIPTextModelWithProjection(tower.config)
    made.text_model.load_state_dict(tower.state_dict())
    made.text_projection.load_state_dict({"weight": clip.text_projection.T})
    return made.eval()


def vision_model(clip: Any) -> CLIPVisionModelWithProjection:
    """The image tower of `clip` with its projection, in evaluation mode and float32.

    `image_embeds` equals open_clip's un-normalised `encode_image`.
    """
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    tower = clip.visual
    config = CLIPVisionConfig(
        hidden_size=tower.conv1.out_channels,
        projection_dim=tower.proj.shape[1],
        image_size=tower.image_size[0],
        patch_size=tower.conv1.kernel_size[0],
        layer_norm_eps=tower.ln_post.eps,
        **_block_sizes(tower.transformer.resblocks),
    )
    weights = {f"vision_model.{name}": weight for name, weight in tower.state_dict().items()}
    weights["visual_projection.weight"] = weights.pop("vision_model.proj").T
    return _filled(CLIPVisionModelWithProjection(config), weights)


def save_half(pipeline: Any, folder: Path) -> None:
    """Save a diffusers pipeline with weights in float16 that unmodified `from_pretrained` opens in float32.

    diffusers opens its own parts in float32, transformers its parts in the dtype that their configuration names: a
    pipeline that was merely cast before it was saved comes back in two precisions and fails at its first step.
    """
    pipeline.to(dtype=torch.float16).save_pretrained(folder, safe_serialization=True)
    open_in_float32(folder)


def open_in_float32(folder: Path) -> None:
    """Let the parts of a pipeline that were saved in float16 be opened in float32."""
    for file in sorted(Path(folder).glob("*/config.json")):
        config = json.loads(file.read_text(encoding="utf-8"))
        if config.get("dtype") == "float16":
            file.write_text(json.dumps(config | {"dtype": "float32"}, indent=2) + "\n", encoding="utf-8")


def _block_sizes(blocks: Any) -> dict[str, Any]:
    return {
        "num_hidden_layers": len(blocks),
        "num_attention_heads": blocks[0].attn.num_heads,
        "intermediate_size": blocks[0].mlp.c_fc.out_features,
        "hidden_act": "gelu",
    }


def _filled(model: Any, weights: dict[str, Tensor]) -> Any:
    """`model` with weights of open_clip's names."""
    found = {}
    for name, weight in weights.items():
        for theirs, own in NAMES.items():
            name = name.replace(theirs, own)
        if "attn.in_proj_" in name:
            # open_clip keeps query, key and value in one matrix, in this order.
            for part, rows in zip("qkv", weight.chunk(3), strict=True):
                found[name.replace("attn.in_proj_", f"self_attn.{part}_proj.")] = rows
        else:
            found[name] = weight
    model.load_state_dict(found)
    return model.eval()
