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
    from transformers import CLIPTextModel, CLIPVisionModelWithProjection


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
    weights = {
        "embeddings.token_embedding.weight": clip.token_embedding.weight,
        "embeddings.position_embedding.weight": clip.positional_embedding,
        **_layer("final_layer_norm", clip.ln_final),
        **_blocks(clip.transformer.resblocks),
    }
    return _filled(CLIPTextModel(config), weights)


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
    body = {
        "embeddings.class_embedding": tower.class_embedding,
        "embeddings.patch_embedding.weight": tower.conv1.weight,
        "embeddings.position_embedding.weight": tower.positional_embedding,
        **_layer("pre_layrnorm", tower.ln_pre),
        **_layer("post_layernorm", tower.ln_post),
        **_blocks(tower.transformer.resblocks),
    }
    weights = {f"vision_model.{name}": weight for name, weight in body.items()}
    weights["visual_projection.weight"] = tower.proj.T
    return _filled(CLIPVisionModelWithProjection(config), weights)


def save_half(pipeline: Any, folder: Path) -> None:
    """Save a diffusers pipeline with weights in float16 that unmodified `from_pretrained` opens in float32.

    diffusers opens its own parts in float32, transformers its parts in the dtype that their configuration names: a
    pipeline that was merely cast before it was saved comes back in two precisions and fails at its first step.
    """
    pipeline.to(dtype=torch.float16).save_pretrained(folder, safe_serialization=True)
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


def _blocks(blocks: Any) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for index, block in enumerate(blocks):
        at = f"encoder.layers.{index}"
        # open_clip keeps query, key and value in one matrix, in this order.
        stacked = zip(block.attn.in_proj_weight.chunk(3), block.attn.in_proj_bias.chunk(3), strict=True)
        for name, (weight, bias) in zip(("q_proj", "k_proj", "v_proj"), stacked, strict=True):
            weights |= {f"{at}.self_attn.{name}.weight": weight, f"{at}.self_attn.{name}.bias": bias}
        weights |= _layer(f"{at}.self_attn.out_proj", block.attn.out_proj)
        weights |= _layer(f"{at}.mlp.fc1", block.mlp.c_fc) | _layer(f"{at}.mlp.fc2", block.mlp.c_proj)
        weights |= _layer(f"{at}.layer_norm1", block.ln_1) | _layer(f"{at}.layer_norm2", block.ln_2)
    return weights


def _layer(name: str, layer: Any) -> dict[str, Tensor]:
    return {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}


def _filled(model: Any, weights: dict[str, Tensor]) -> Any:
    with torch.no_grad():
        copies = {name: weight.detach().float().cpu().clone() for name, weight in weights.items()}
        model.load_state_dict(copies, strict=True)
    return model.eval()
