"""The pocket model as it is shipped: small, safe, and opened by unmodified libraries."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from thoughtspace.datasets import captions, world
from thoughtspace.explorer import Explorer
from thoughtspace.explorer.training import reader
from thoughtspace.explorer.training.export import GUIDANCE

POCKET = Path(world.__file__).parent / "pocket"
LIMIT = 80 * 2**20
WEIGHTS = sorted(POCKET.rglob("*.safetensors"))


@cache
def pipeline() -> Any:
    from diffusers import StableUnCLIPImg2ImgPipeline

    opened = StableUnCLIPImg2ImgPipeline.from_pretrained(POCKET / "diffusion")
    opened.set_progress_bar_config(disable=True)
    return opened


@cache
def renders(n: int = 240) -> tuple[list[world.Scene], list[Any]]:
    scenes = list(world.sample(n, "fresh", start=500_000))
    return scenes, [world.render(scene) for scene in scenes]


def share_read(pictures: list[Any], scenes: list[world.Scene]) -> float:
    """Of the factors that the scenes show, how many the reader finds."""
    _, found = reader.load().labels(pictures)
    wanted = world.labels(scenes)
    return float((found == wanted)[wanted >= 0].mean())


def test_it_is_small() -> None:
    files = [file for file in POCKET.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < LIMIT
    assert not [file for file in files if file.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl")]


@pytest.mark.parametrize("file", WEIGHTS, ids=lambda file: file.relative_to(POCKET).as_posix())
def test_its_weights_are_half_precision_and_finite(file: Path) -> None:
    with safe_open(file, "pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - it is no mapping
            tensor = tensors.get_tensor(name)
            assert bool(torch.isfinite(tensor).all()), name
            # Means and norms of the joint space are few and decide directions: they stay exact.
            assert tensor.dtype == torch.float16 or file.name == "reference.safetensors" or tensor.numel() < 1024, name


def test_the_reader_reads_fresh_renders() -> None:
    scenes, pictures = renders()
    assert share_read(pictures, scenes) >= 0.98
    # Negative control: against the factors of other pictures it is far off.
    assert share_read(pictures, scenes[3:] + scenes[:3]) < 0.5


def test_unmodified_open_clip_opens_it_and_sees_what_the_toolkit_sees() -> None:
    import open_clip

    name = f"local-dir:{POCKET / 'clip'}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    tokenizer = open_clip.get_tokenizer(name)
    scenes, pictures = renders()
    texts = [captions.full_caption(scene, np.random.default_rng(0)).text for scene in scenes[:24]]
    raw = Explorer.open("pocket").joint_raw
    with torch.inference_mode():
        image = model.eval().encode_image(torch.stack([preprocess(picture) for picture in pictures[:24]]))
        text = model.encode_text(tokenizer(texts))
    for theirs, ours in ((image, raw.image(*pictures[:24])), (text, raw.text(*texts))):
        torch.testing.assert_close(torch.nn.functional.normalize(theirs, dim=-1), ours.flat, rtol=0, atol=1e-5)
    assert float(((text @ image.T).argmax(1) == torch.arange(24)).float().mean()) > 0.8


def joint_vectors(pictures: list[Image.Image]) -> torch.Tensor:
    """What the pipeline's own image encoder makes of pictures."""
    pixels = pipeline().feature_extractor(images=pictures, return_tensors="pt").pixel_values
    with torch.inference_mode():
        return pipeline().image_encoder(pixels).image_embeds.clone()


def test_an_unmodified_pipeline_draws_what_a_prompt_says() -> None:
    scenes, _ = renders()
    said = [captions.full_caption(scene, np.random.default_rng(0)).text for scene in scenes[:12]]
    drawn = pipeline()(
        prompt=said,
        image_embeds=torch.zeros(len(said), pipeline().image_normalizer.mean.shape[-1]),
        num_inference_steps=10,
        guidance_scale=2.0,
        generator=torch.Generator().manual_seed(0),
    ).images
    assert share_read(drawn, scenes[:12]) > share_read(drawn, scenes[3:15]) + 0.3


def test_an_unmodified_pipeline_draws_what_a_joint_vector_says() -> None:
    scenes, pictures = renders()
    vectors = joint_vectors(pictures[:12])
    drawn = pipeline()(
        prompt=[""] * 12,
        image_embeds=vectors,
        num_inference_steps=10,
        guidance_scale=2.0,
        generator=torch.Generator().manual_seed(0),
    ).images
    assert share_read(drawn, scenes[:12]) > share_read(drawn, scenes[3:15]) + 0.3


def test_an_unmodified_pipeline_imagines_a_vector_of_a_prompt_and_draws_it() -> None:
    from diffusers.pipelines.stable_diffusion import StableUnCLIPPipeline

    imagining = StableUnCLIPPipeline.from_pretrained(POCKET / "diffusion")
    imagining.set_progress_bar_config(disable=True)
    scenes, _ = renders()
    said = [captions.full_caption(scene, np.random.default_rng(0)).text for scene in scenes[:12]]
    drawn = imagining(
        prompt=said,
        num_inference_steps=8,
        guidance_scale=2.0,
        prior_num_inference_steps=16,
        prior_guidance_scale=1.5,
        generator=torch.Generator().manual_seed(0),
    ).images
    assert share_read(drawn, scenes[:12]) > share_read(drawn, scenes[3:15]) + 0.3


def test_an_unmodified_pipeline_takes_the_few_step_weights() -> None:
    scenes, pictures = renders()
    vectors = joint_vectors(pictures[:12])
    how = {"prompt": [""] * 12, "image_embeds": vectors, "num_inference_steps": 4}

    def made(guidance_scale: float) -> list[Image.Image]:
        generator = torch.Generator().manual_seed(0)
        return pipeline()(**how, guidance_scale=guidance_scale, generator=generator).images

    guided, plain = made(GUIDANCE), made(1.0)
    pipeline().load_lora_weights(POCKET / "diffusion" / "few_steps")
    drawn = made(1.0)
    pipeline().unload_lora_weights()
    assert share_read(drawn, scenes[:12]) > share_read(drawn, scenes[3:15]) + 0.3
    assert apart(drawn, guided) < 0.8 * apart(plain, guided)  # they have the guidance in them


def apart(some: list[Image.Image], others: list[Image.Image]) -> float:
    """Mean difference of pixels, of 255."""
    pairs = zip(some, others, strict=True)
    return float(np.mean([np.abs(np.asarray(a, np.float32) - np.asarray(b, np.float32)).mean() for a, b in pairs]))
