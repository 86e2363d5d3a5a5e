"""Small random models of families that decode a joint vector, on disk as their pipelines and their makers save them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer

from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.models.generator import Guide
from thoughtspace.explorer.options import Settled
from thoughtspace.explorer.progress import run

from .conftest import CHANNELS, SIDE, TOKENS, WIDTH, autoencoder, clip_text, unet

JOINT, SEEN = 48, 32
"""Width of the joint vectors, which is not that of the text encoder; side of what the image tower sees."""


def image_tower(width: int = JOINT) -> Any:
    return transformers.CLIPVisionModelWithProjection(
        transformers.CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            projection_dim=width,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=SEEN,
            patch_size=8,
        )
    )


def processor() -> Any:
    return transformers.CLIPImageProcessor(size={"shortest_edge": SEEN}, crop_size=SEEN)


def text_tower(vocabulary: int, width: int = JOINT) -> Any:
    config = clip_text(vocabulary, projected=True).config
    config.projection_dim = width
    return transformers.CLIPTextModelWithProjection(config)


def velocity() -> Any:
    """As Stable Diffusion 2.1's."""
    return diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def normalizer() -> Any:
    made = StableUnCLIPImageNormalizer(embedding_dim=JOINT)
    made.mean.data.normal_(std=0.1)
    made.std.data.uniform_(0.5, 1.5)
    return made


TOLERANCE = 1e-4  # in [0, 1]
STEPS, SEEDS, PROMPTS = 3, [3, 1, 4], ["a red fox", "a smiling face with a hat", "a blue cat"]

UNCLIP_PARTS = (
    "image_normalizer",
    "image_noising_scheduler",
    "tokenizer",
    "text_encoder",
    "unet",
    "scheduler",
    "vae",
)


def unclip_parts(tokenizer: Any) -> dict[str, Any]:
    return {
        "image_normalizer": normalizer(),
        "image_noising_scheduler": diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        "tokenizer": tokenizer,
        "text_encoder": clip_text(len(tokenizer)),
        "unet": unet(class_embed_type="projection", projection_class_embeddings_input_dim=2 * JOINT),
        "scheduler": velocity(),
        "vae": autoencoder(),
    }


def unclip(tokenizer: Any) -> Any:
    """2.1-unCLIP: decodes pictures' vectors, with the encoder of them inside."""
    return diffusers.StableUnCLIPImg2ImgPipeline(
        feature_extractor=processor(), image_encoder=image_tower(), **unclip_parts(tokenizer)
    )


def unclip_of_texts(tokenizer: Any) -> Any:
    """2.1-unCLIP with a prior, which makes the vector from a text."""
    return diffusers.StableUnCLIPPipeline(
        prior_tokenizer=tokenizer,
        prior_text_encoder=text_tower(len(tokenizer)),
        prior=prior(),
        prior_scheduler=diffusers.UnCLIPScheduler(prediction_type="sample", num_train_timesteps=10),
        **unclip_parts(tokenizer),
    )


def prior() -> Any:
    made = diffusers.PriorTransformer(
        num_attention_heads=2, attention_head_dim=8, num_layers=1, embedding_dim=JOINT, num_embeddings=TOKENS
    )
    made.clip_mean.data.normal_(std=0.1)
    made.clip_std.data.uniform_(0.5, 1.5)
    return made


def kandinsky(tokenizer: Any, *, scheduler: Any = None) -> Any:
    """2.2, all in one folder: the decoder, and the towers and the prior under `prior_`."""
    return diffusers.KandinskyV22CombinedPipeline(
        unet=kandinsky_unet(),
        scheduler=scheduler or ddpm(),
        movq=movq(),
        prior_prior=prior(),
        prior_image_encoder=image_tower(),
        prior_text_encoder=text_tower(len(tokenizer)),
        prior_tokenizer=tokenizer,
        prior_scheduler=diffusers.UnCLIPScheduler(prediction_type="sample", num_train_timesteps=10),
        prior_image_processor=processor(),
    )


def ddpm(**config: Any) -> Any:
    return diffusers.DDPMScheduler(beta_start=0.00085, beta_end=0.012, clip_sample=False, **config)


def kandinsky_unet() -> Any:
    return diffusers.UNet2DConditionModel(
        sample_size=SIDE // 8,
        in_channels=CHANNELS,
        out_channels=2 * CHANNELS,  # the second half is a variance
        addition_embed_type="image",
        encoder_hid_dim_type="image_proj",
        encoder_hid_dim=JOINT,
        cross_attention_dim=16,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        block_out_channels=(32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=4,
        resnet_time_scale_shift="scale_shift",
    )


def movq() -> Any:
    return diffusers.VQModel(
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"),
        block_out_channels=(32, 32, 32, 32),  # its spatial norm is of 32 groups, whatever is asked
        latent_channels=CHANNELS,
        vq_embed_dim=CHANNELS,
        num_vq_embeddings=32,
        norm_num_groups=4,
        norm_type="spatial",
    )


def save_adapter(folder: Path, unet: Any, *, name: str, width: int = JOINT) -> Path:
    """An IP-Adapter as its makers lay it out: the weights in one file, the image tower beside it."""
    from safetensors.torch import save_file

    attends = unet.config.cross_attention_dim
    tensors = {
        "image_proj.proj.weight": torch.randn(4 * attends, width) / width**0.5,
        "image_proj.proj.bias": torch.randn(4 * attends) / 10,
        "image_proj.norm.weight": torch.ones(attends),
        "image_proj.norm.bias": torch.zeros(attends),
    }
    # Numbered as the attention of the UNet is, self-attention with even numbers and no weights.
    for index, (place, processor_) in enumerate(unet.attn_processors.items()):
        if place.endswith("attn2.processor"):
            attention = unet.get_submodule(place.removesuffix(".processor"))
            for letter in "kv":
                shape = getattr(attention, f"to_{letter}").weight.shape
                tensors[f"ip_adapter.{index}.to_{letter}_ip.weight"] = torch.randn(shape) / shape[1] ** 0.5
        del processor_
    folder.mkdir(parents=True)
    save_file(tensors, folder / name)
    image_tower(width).save_pretrained(folder / "image_encoder")
    return folder / name


def saved(tiny_model: Path, folder: Path, build: Callable[[Any], Any]) -> Path:
    """A pipeline written to a folder, its weights random but fixed."""
    tokenizer = transformers.CLIPTokenizer.from_pretrained(tiny_model / "clip")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        build(tokenizer).save_pretrained(folder)
    return folder


def theirs(folder: Path) -> Any:
    """The unmodified pipeline."""
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def ours(
    explorer: Explorer,
    vectors: torch.Tensor | None,
    *,
    seeds: list[int],
    prompts: list[str] | None = None,
    guidance: float = 4.0,
    scale: float | None = None,
) -> torch.Tensor:
    """Pictures `(n, 3, h, w)` in [0, 1] of joint vectors of any length, and of a prompt for each."""
    model = explorer.model
    texts = None if prompts is None else model.generator.encode_prompts(prompts)
    options = Settled(steps=STEPS, guidance=guidance, adapter_scale=scale)
    guide = Guide(prompts=texts, joint=vectors)
    return (run(model.generator.run(guide, seeds, options, model.autoencoder.decode)) / 2 + 0.5).clamp(0, 1)
