"""Small random models of families that have no adapter of their own, of the real classes, as diffusers saves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import torch
import transformers

from .conftest import autoencoder, t5_text

WIDTH, CONTEXT = 16, 2048

TEMPLATE = (
    "{% for message in messages %}{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for each in message.content %}{{ each.text }}{% endfor %}{% endif %}; {% endfor %}"
)


def letters(**config: Any) -> Any:
    """A tokenizer of single characters that knows a chat template."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    names = ["<pad>", "<unk>", "</s>", *(chr(code) for code in range(32, 127))]
    inner = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=CONTEXT,
        **config,
    )
    made.chat_template = TEMPLATE
    return made


def language(**config: Any) -> dict[str, Any]:
    """Sizes of a language model that reads `letters`."""
    return {
        "vocab_size": 98,
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": CONTEXT,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 2,
        **config,
    }


def flow(**config: Any) -> Any:
    return diffusers.FlowMatchEulerDiscreteScheduler(**{"shift": 3.0, **config})


def pixart() -> Any:
    """PixArt-Sigma: T5 with masks, predicts noise and its variance."""
    encoder, tokenizer = t5_text()
    tokenizer.model_max_length = 300
    return diffusers.PixArtSigmaPipeline(
        tokenizer=tokenizer,
        text_encoder=encoder,
        vae=autoencoder(scaling_factor=0.13025),
        transformer=diffusers.PixArtTransformer2DModel(
            sample_size=8,
            num_layers=1,
            patch_size=2,
            attention_head_dim=8,
            num_attention_heads=3,
            caption_channels=32,
            cross_attention_dim=24,
            in_channels=4,
            out_channels=8,
            norm_type="ada_norm_single",
            use_additional_conditions=False,
        ),
        scheduler=diffusers.EulerDiscreteScheduler(),
    )


def sana() -> Any:
    """Sana: Gemma 2 behind an instruction, deep compression."""
    blocks = ("ResBlock", "EfficientViTBlock")
    return diffusers.SanaPipeline(
        tokenizer=letters(),
        text_encoder=transformers.Gemma2Model(transformers.Gemma2Config(**language(query_pre_attn_scalar=8))),
        vae=diffusers.AutoencoderDC(
            in_channels=3,
            latent_channels=4,
            attention_head_dim=2,
            encoder_block_types=blocks,
            decoder_block_types=blocks,
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            encoder_qkv_multiscales=((), (5,)),
            decoder_qkv_multiscales=((), (5,)),
            encoder_layers_per_block=(1, 1),
            decoder_layers_per_block=(1, 1),
            downsample_block_type="conv",
            upsample_block_type="interpolate",
            decoder_norm_types="rms_norm",
            decoder_act_fns="silu",
            scaling_factor=0.41407,
        ),
        transformer=diffusers.SanaTransformer2DModel(
            patch_size=1,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_attention_heads=2,
            attention_head_dim=4,
            num_cross_attention_heads=2,
            cross_attention_head_dim=4,
            cross_attention_dim=8,
            caption_channels=WIDTH,
            sample_size=32,
        ),
        scheduler=flow(shift=7.0),
    )


def qwen_image() -> Any:
    """Qwen-Image: states as long as the prompt, packed latents, the autoencoder of a video model."""
    config = transformers.Qwen2_5_VLConfig(
        text_config=language(
            rope_parameters={"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1000000.0}
        ),
        vision_config={
            "depth": 1,
            "hidden_size": WIDTH,
            "intermediate_size": WIDTH,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
        },
    )
    return diffusers.QwenImagePipeline(
        scheduler=flow(use_dynamic_shifting=True, shift=1.0),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=24,
            z_dim=4,
            dim_mult=[1, 2, 4],
            num_res_blocks=1,
            temperal_downsample=[False, True],
            latents_mean=[0.1, -0.2, 0.0, 0.3],
            latents_std=[1.5, 2.0, 1.0, 0.7],
        ),
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config),
        tokenizer=letters(),
        transformer=diffusers.QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            axes_dims_rope=(8, 4, 4),
        ),
    )


def z_image() -> Any:
    """Z-Image: a list of states of Qwen 3."""
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=WIDTH,
        axes_dims=[8, 4, 4],
        axes_lens=[2048, 64, 64],
    )
    for token in (transformer.x_pad_token, transformer.cap_pad_token):  # made empty, to be filled from weights
        torch.nn.init.normal_(token, std=0.02)
    return diffusers.ZImagePipeline(
        scheduler=flow(),
        vae=autoencoder(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=transformers.Qwen3Model(transformers.Qwen3Config(**language())),
        tokenizer=letters(),
        transformer=transformer,
    )


def flux_2() -> Any:
    """Flux 2 [klein]: three layers of Qwen 3, latents packed by the call and normalised by their statistics."""
    return diffusers.Flux2KleinPipeline(
        scheduler=flow(use_dynamic_shifting=True, shift=3.0),
        vae=diffusers.AutoencoderKLFlux2(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(8, 8, 16, 16),
            latent_channels=4,
            norm_num_groups=4,
            sample_size=64,
        ),
        text_encoder=transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**language(num_hidden_layers=28))),
        tokenizer=letters(),
        transformer=diffusers.Flux2Transformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=3 * WIDTH,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        is_distilled=False,
    )


def aura_flow() -> Any:
    """AuraFlow: a T5 whose states are zero where the prompt ends."""
    encoder, tokenizer = t5_text()
    return diffusers.AuraFlowPipeline(
        tokenizer=tokenizer,
        text_encoder=encoder,
        vae=autoencoder(scaling_factor=0.13025),
        transformer=diffusers.AuraFlowTransformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            num_mmdit_layers=1,
            num_single_dit_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=32,
            caption_projection_dim=32,
            pos_embed_max_size=64,
        ),
        scheduler=flow(shift=1.73),
    )


PIPELINES: dict[str, Callable[[], Any]] = {
    made.__name__: made for made in (pixart, sana, qwen_image, z_image, flux_2, aura_flow)
}
