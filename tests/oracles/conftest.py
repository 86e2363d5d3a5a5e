"""Small models of the real classes of each family, random but fixed, saved as `save_pretrained` saves them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers

from thoughtspace.explorer.explorer import Explorer

SIDE, CHANNELS, WIDTH, TOKENS = 64, 4, 32, 24


def autoencoder(channels: int = CHANNELS, **config: Any) -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=SIDE,
        **{"scaling_factor": 0.18215, **config},
    )


def clip_text(vocabulary: int, *, projected: bool = False) -> Any:
    config = transformers.CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=0,
    )
    return (transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel)(config)


def t5_text() -> tuple[Any, Any]:
    """A T5 encoder and a tokenizer of single letters."""
    from tokenizers import Tokenizer, models, processors

    pieces = [
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", -9.0),
        *((f"{letter}", -3.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"),
    ]
    inner = Tokenizer(models.Unigram(pieces, unk_id=2))
    inner.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=TOKENS
    )
    config = transformers.T5Config(
        vocab_size=len(pieces), d_model=WIDTH, d_kv=16, d_ff=2 * WIDTH, num_layers=1, num_heads=2
    )
    return transformers.T5EncoderModel(config), tokenizer


def unet(**config: Any) -> diffusers.UNet2DConditionModel:
    return diffusers.UNet2DConditionModel(
        sample_size=SIDE // 8,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        **{"cross_attention_dim": WIDTH, "attention_head_dim": 4, **config},
    )


def discrete(**config: Any) -> diffusers.EulerDiscreteScheduler:
    """As Stable Diffusion's."""
    return diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, **config
    )


def stable_diffusion(tokenizer: Any) -> Any:
    """1.5: predicts noise."""
    return diffusers.StableDiffusionPipeline(
        vae=autoencoder(),
        text_encoder=clip_text(len(tokenizer)),
        tokenizer=tokenizer,
        unet=unet(),
        scheduler=diffusers.PNDMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_tiny(tokenizer: Any) -> Any:
    """1.5 with a small autoencoder in place of its own."""
    made = stable_diffusion(tokenizer)
    made.register_modules(
        vae=diffusers.AutoencoderTiny(
            encoder_block_out_channels=(8,) * 4,
            decoder_block_out_channels=(8,) * 4,
            num_encoder_blocks=(1,) * 4,
            num_decoder_blocks=(1,) * 4,
        )
    )
    return made


def stable_diffusion_2(tokenizer: Any) -> Any:
    """2.1: predicts velocity."""
    made = stable_diffusion(tokenizer)
    made.scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    return made


def latent_consistency(tokenizer: Any) -> Any:
    """1.5 distilled to a few steps: guidance is an input of its UNet."""
    made = stable_diffusion(tokenizer)
    made.register_modules(unet=unet(time_cond_proj_dim=16), scheduler=consistency())
    return made


def latent_consistency_xl(tokenizer: Any) -> Any:
    """SDXL distilled in the same way."""
    return stable_diffusion_xl(tokenizer, scheduler=consistency(), time_cond_proj_dim=16)


def consistency() -> diffusers.LCMScheduler:
    return diffusers.LCMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)


def stable_diffusion_xl(tokenizer: Any, *, zeros: bool = True, scheduler: Any = None, **config: Any) -> Any:
    sizes = 6
    return diffusers.StableDiffusionXLPipeline(
        vae=autoencoder(scaling_factor=0.13025),
        text_encoder=clip_text(len(tokenizer)),
        text_encoder_2=clip_text(len(tokenizer), projected=True),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet(
            cross_attention_dim=2 * WIDTH,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=8 * sizes + WIDTH,
            **config,
        ),
        scheduler=scheduler or discrete(),
        force_zeros_for_empty_prompt=zeros,
    )


def playground(tokenizer: Any) -> Any:
    """An SDXL of its own: latents with means and deviations, and the empty prompt as the negative."""
    made = stable_diffusion_xl(tokenizer, zeros=False)
    made.vae = autoencoder(scaling_factor=0.5, latents_mean=[-1.6, 1.1, 0.3, 0.4], latents_std=[8.4, 9.3, 7.4, 9.2])
    return made


def stable_diffusion_3(tokenizer: Any, **scheduler: Any) -> Any:
    third, third_tokenizer = t5_text()
    third_width = 64  # both CLIPs side by side are padded to the T5's width
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=SIDE // 8,
        patch_size=1,
        in_channels=16,
        out_channels=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=third_width,
        caption_projection_dim=32,
        pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=16,
    )
    config = third.config
    config.d_model = third_width
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(**{"shift": 3.0, **scheduler}),
        vae=autoencoder(16, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=clip_text(len(tokenizer), projected=True),
        tokenizer=tokenizer,
        text_encoder_2=clip_text(len(tokenizer), projected=True),
        tokenizer_2=tokenizer,
        text_encoder_3=transformers.T5EncoderModel(config),
        tokenizer_3=third_tokenizer,
    )


def stable_diffusion_3_without_t5(tokenizer: Any) -> Any:
    """As many run it: the largest encoder left out, zeros in the place of its states."""
    made = stable_diffusion_3(tokenizer)
    made.register_modules(text_encoder_3=None, tokenizer_3=None)
    return made


def stable_diffusion_35(tokenizer: Any) -> Any:
    """3.5: its noise shifts with the number of patches."""
    return stable_diffusion_3(tokenizer, use_dynamic_shifting=True, shift=1.0)


def flux(tokenizer: Any, *, guided: bool = True) -> Any:
    second, second_tokenizer = t5_text()
    return diffusers.FluxPipeline(
        transformer=diffusers.FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=guided,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=guided, shift=3.0 if guided else 1.0),
        vae=autoencoder(4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=clip_text(len(tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=second,
        tokenizer_2=second_tokenizer,
    )


def schnell(tokenizer: Any) -> Any:
    """Flux of a few steps, without an input for guidance."""
    return flux(tokenizer, guided=False)


FAMILIES: dict[str, Callable[[Any], Any]] = {
    made.__name__: made
    for made in (
        stable_diffusion,
        stable_diffusion_tiny,
        stable_diffusion_2,
        latent_consistency,
        stable_diffusion_xl,
        latent_consistency_xl,
        playground,
        stable_diffusion_3,
        stable_diffusion_3_without_t5,
        stable_diffusion_35,
        flux,
        schnell,
    )
}


@pytest.fixture(scope="session")
def families(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a small model of a family by its name; each is written once.

    Of those here, those of `joint_models`, and those without an adapter of their own.
    """
    from . import joint_models, more_generic_models

    joint = {
        made.__name__: made for made in (joint_models.unclip, joint_models.unclip_of_texts, joint_models.kandinsky)
    }
    root, tokenizer = (
        tmp_path_factory.mktemp("families"),
        transformers.CLIPTokenizer.from_pretrained(tiny_model / "clip"),
    )

    @cache
    def folder(name: str) -> Path:
        if name in FAMILIES or name in joint:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                (FAMILIES | joint)[name](tokenizer).save_pretrained(root / name)
        else:
            more_generic_models.built(name).save_pretrained(root / name)
            (root / name / "thoughtspace.json").write_text(json.dumps({"size": SIDE, "steps": 3}))
        return root / name

    return folder


@pytest.fixture(scope="session")
def opened() -> Callable[[Path], Explorer]:
    """Opens a folder, once; for tests that change nothing in the model."""
    return cache(lambda folder: Explorer.open(folder, device="cpu"))


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family_folder(request: pytest.FixtureRequest, families: Callable[[str], Path]) -> Path:
    """A small model of each family in turn, on disk."""
    return families(request.param)


@pytest.fixture(scope="module")
def family(family_folder: Path, opened: Callable[[Path], Explorer]) -> Explorer:
    """The same, opened."""
    return opened(family_folder)


def unmodified(folder: Path) -> Any:
    """The pipeline of diffusers in a folder, as it is."""
    index = json.loads((folder / "model_index.json").read_text())
    without = {part: None for part, origin in index.items() if origin == [None, None]}  # which it wants to be named
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, **without)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
