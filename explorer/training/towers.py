"""The two towers of an open_clip CLIP as the transformers classes that diffusers pipelines are made of.

A StableUnCLIP folder holds a `CLIPTextModel` (the tokens that the denoiser attends to) and a
`CLIPVisionModelWithProjection` (the vector that it is conditioned on). Both are the same network as open_clip's with
other names for its weights, so a model trained by open_clip is carried over exactly.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import ModelError

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPVisionModelWithProjection


def text_model(clip: Any, tokenizer: Any) -> CLIPTextModel:
    """The text tower of `clip` without its projection, in evaluation mode and float32.

    `last_hidden_state` equals open_clip's `ln_final(transformer(...))` and `pooler_output` its pooled token, of which
    `text_projection` makes the joint vector. open_clip pools where the token id is highest, transformers where it
    first equals `eos_token_id`: the same place as long as the end token has the highest id, which is checked.

    Args:
        clip: an open_clip `CLIP` or `CustomTextCLIP` with an ordinary causal text tower.
        tokenizer: its tokenizer, an open_clip or a transformers one; its ids go into the config.

    Raises:
        ModelError: the tower has parts that `CLIPTextModel` has not, or the tokenizer does not fit it.
    """
    from transformers import CLIPTextConfig, CLIPTextModel

    tower = getattr(clip, "text", clip)
    _refuse(getattr(tower, "cls_emb", None) is not None, "a class token in the text tower")
    _refuse(tower.attn_mask is None, "a text tower without a causal mask")
    pooling = getattr(tower, "pool_type", None) or getattr(tower, "text_pool_type", "argmax")
    _refuse(pooling not in ("argmax", "eos"), f"text pooling {pooling!r}")

    vocab_size, width = tower.token_embedding.weight.shape
    ids = _special_ids(tokenizer)
    if ids["eos_token_id"] != vocab_size - 1:
        raise ModelError(
            f"Got an end token with id {ids['eos_token_id']} in a vocabulary of {vocab_size}, expected the highest id "
            f"{vocab_size - 1}, where open_clip pools; renumber the tokenizer's vocabulary.",
            code="tokenizer",
        )
    projection = tower.text_projection
    config = CLIPTextConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        projection_dim=width if projection is None else _matrix(projection).shape[0],
        max_position_embeddings=len(tower.positional_embedding),
        layer_norm_eps=tower.ln_final.eps,
        **_block_sizes(tower.transformer.resblocks),
        **ids,
    )
    weights = {
        "embeddings.token_embedding.weight": tower.token_embedding.weight,
        "embeddings.position_embedding.weight": tower.positional_embedding,
        **_layer_norm("final_layer_norm", tower.ln_final),
        **_blocks(tower.transformer.resblocks),
    }
    return _filled(CLIPTextModel(config), weights)


def vision_model(clip: Any) -> CLIPVisionModelWithProjection:
    """The image tower of `clip` with its projection, in evaluation mode and float32.

    `image_embeds` equals open_clip's un-normalised `encode_image`.

    Args:
        clip: an open_clip model whose image tower is a plain ViT that pools its class token.

    Raises:
        ModelError: the tower has parts that `CLIPVisionModelWithProjection` has not.
    """
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    tower = clip.visual
    _refuse(type(tower).__name__ != "VisionTransformer", f"an image tower of class {type(tower).__name__}")
    _refuse(tower.attn_pool is not None, "attentional pooling")
    _refuse(tower.pool_type != "tok", f"image pooling {tower.pool_type!r}")
    _refuse(isinstance(tower.ln_pre, nn.Identity), "an image tower without its first layer norm")
    height, width = tower.image_size
    _refuse(height != width, f"pictures of {width}x{height}, not square,")

    config = CLIPVisionConfig(
        hidden_size=tower.conv1.out_channels,
        projection_dim=tower.proj.shape[1],
        image_size=height,
        patch_size=tower.conv1.kernel_size[0],
        layer_norm_eps=tower.ln_post.eps,
        **_block_sizes(tower.transformer.resblocks),
    )
    body = {
        "embeddings.class_embedding": tower.class_embedding,
        "embeddings.patch_embedding.weight": tower.conv1.weight,
        "embeddings.position_embedding.weight": tower.positional_embedding,
        **_layer_norm("pre_layrnorm", tower.ln_pre),
        **_layer_norm("post_layernorm", tower.ln_post),
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


def _special_ids(tokenizer: Any) -> dict[str, Any]:
    inner = getattr(tokenizer, "tokenizer", tokenizer)  # open_clip's HFTokenizer wraps the transformers one
    if hasattr(inner, "sot_token_id"):  # open_clip's own tokenizer pads with zeros
        return {"bos_token_id": inner.sot_token_id, "eos_token_id": inner.eot_token_id, "pad_token_id": 0}
    return {
        "bos_token_id": inner.bos_token_id,
        "eos_token_id": inner.eos_token_id,
        "pad_token_id": inner.pad_token_id,
    }


def _block_sizes(blocks: Any) -> dict[str, Any]:
    block = blocks[0]
    _refuse(type(block).__name__ != "ResidualAttentionBlock", f"blocks of class {type(block).__name__}")
    _refuse(not isinstance(block.ls_1, nn.Identity), "layer scale")
    return {
        "num_hidden_layers": len(blocks),
        "num_attention_heads": block.attn.num_heads,
        "intermediate_size": block.mlp.c_fc.out_features,
        "hidden_act": _activation(block.mlp.gelu),
    }


def _activation(layer: nn.Module) -> str:
    if isinstance(layer, nn.GELU):
        return "gelu" if layer.approximate == "none" else "gelu_pytorch_tanh"
    _refuse(type(layer).__name__ != "QuickGELU", f"activation {type(layer).__name__}")
    return "quick_gelu"


def _blocks(blocks: Any) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for index, block in enumerate(blocks):
        at = f"encoder.layers.{index}"
        for kind in ("weight", "bias"):
            # open_clip keeps query, key and value in one matrix, in this order.
            stacked = getattr(block.attn, f"in_proj_{kind}").chunk(3)
            for name, part in zip(("q_proj", "k_proj", "v_proj"), stacked, strict=True):
                weights[f"{at}.self_attn.{name}.{kind}"] = part
            weights[f"{at}.self_attn.out_proj.{kind}"] = getattr(block.attn.out_proj, kind)
            weights[f"{at}.mlp.fc1.{kind}"] = getattr(block.mlp.c_fc, kind)
            weights[f"{at}.mlp.fc2.{kind}"] = getattr(block.mlp.c_proj, kind)
        weights |= _layer_norm(f"{at}.layer_norm1", block.ln_1) | _layer_norm(f"{at}.layer_norm2", block.ln_2)
    return weights


def _layer_norm(name: str, layer: Any) -> dict[str, Tensor]:
    return {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}


def _matrix(projection: Tensor | nn.Linear) -> Tensor:
    return projection.weight if isinstance(projection, nn.Linear) else projection.T


def _filled(model: Any, weights: dict[str, Tensor]) -> Any:
    with torch.no_grad():
        copies = {name: weight.detach().float().cpu().clone() for name, weight in weights.items()}
        model.load_state_dict(copies, strict=True)
    return model.eval()


def _refuse(condition: bool, what: str) -> None:
    if condition:
        raise ModelError(
            f"Got a CLIP with {what}, expected the plain CLIP layout that transformers knows; "
            "choose an open_clip ViT without extras.",
            code="layout",
        )
