"""Small random models of more families without an adapter, whose pictures are compared alone."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
import transformers

from .conftest import autoencoder, t5_text
from .generic_models import PIPELINES, WIDTH, flow, language, letters


def lumina_2() -> Any:
    """Lumina-Image 2: Gemma 2 behind a system prompt."""
    return diffusers.Lumina2Pipeline(
        transformer=diffusers.Lumina2Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            hidden_size=24,
            num_layers=1,
            num_refiner_layers=1,
            num_attention_heads=3,
            num_kv_heads=1,
            multiple_of=16,
            scaling_factor=1.0,
            axes_dim_rope=(4, 2, 2),
            axes_lens=(512, 64, 64),
            cap_feat_dim=WIDTH,
        ),
        scheduler=flow(),
        vae=autoencoder(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=transformers.Gemma2Model(transformers.Gemma2Config(**language(query_pre_attn_scalar=8))),
        tokenizer=letters(),
    )


def chroma() -> Any:
    """Chroma: Flux's latents, a T5 with a mask of its own."""
    encoder, tokenizer = t5_text()
    return diffusers.ChromaPipeline(
        scheduler=flow(),
        vae=autoencoder(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=encoder,
        tokenizer=tokenizer,
        transformer=diffusers.ChromaTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            axes_dims_rope=(4, 4, 8),
            approximator_hidden_dim=32,
            approximator_layers=1,
            approximator_num_channels=16,
        ),
    )


def cogview_4() -> Any:
    """CogView 4: states of GLM, as long as the prompt rounded up to sixteens, without a mask."""
    from tokenizers import processors

    tokenizer = letters(padding_side="left")
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="</s> $A", special_tokens=[("</s>", 2)]
    )
    return diffusers.CogView4Pipeline(
        tokenizer=tokenizer,
        text_encoder=transformers.GlmModel(transformers.GlmConfig(**language())),
        vae=autoencoder(scaling_factor=1.0, shift_factor=0.0),
        transformer=diffusers.CogView4Transformer2DModel(
            patch_size=2,
            in_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            out_channels=4,
            text_embed_dim=WIDTH,
            time_embed_dim=8,
            condition_dim=4,
        ),
        scheduler=flow(base_shift=0.25, max_shift=0.75, use_dynamic_shifting=True, time_shift_type="linear"),
    )


MORE = {made.__name__: made for made in (lumina_2, chroma, cogview_4)}


def built(name: str) -> Any:
    """A pipeline whose prompts are seen: freshly made networks hardly listen to them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = (PIPELINES | MORE)[name]()
        for module in pipeline.transformer.modules():
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.normal_(module.weight, std=1.5 / module.in_features**0.5)
    return pipeline
