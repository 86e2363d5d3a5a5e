"""Each family of text-to-image models against its own unmodified pipeline: equal pictures, equal prompts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.loop import seeded
from thoughtspace.explorer.errors import ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer, replay
from thoughtspace.explorer.models.abilities import abilities_of_generator

from .conftest import unmodified

SIDE = 64

TOLERANCE = 1e-4  # in [0, 1]
STEPS = 3
PROMPTS = ["a red fox", "a smiling face with a hat", "a blue cat"]

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


@pytest.fixture(scope="module")
def explorer(family: Explorer) -> Explorer:
    return family


@pytest.fixture(scope="module")
def pipeline(family_folder: Path) -> Any:
    return unmodified(family_folder)


def theirs(pipeline: Any, *, prompts: list[str], seeds: list[int], guidance: float, **options: Any) -> Any:
    return pipeline(
        prompt=prompts,
        height=SIDE,
        width=SIDE,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=seeded(seeds),
        **{"output_type": "pt", **options},
    ).images


def ours(explorer: Explorer, *, prompts: list[str], seeds: list[int], guidance: float, negative: str = "") -> Any:
    how = {"seed": seeds, "steps": STEPS, "guidance": guidance, "negative": negative}
    return explorer.decode(explorer.prompt.text(*prompts), **how).pixels


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_equal_pictures(explorer, pipeline, guidance):
    asked = {"prompts": PROMPTS, "seeds": [3, 1, 4], "guidance": guidance}
    made, expected = ours(explorer, **asked), theirs(pipeline, **asked)
    assert expected.std() > 0.01
    torch.testing.assert_close(made, expected, atol=TOLERANCE, rtol=0)


def test_a_picture_does_not_depend_on_its_company(explorer, pipeline):
    together = ours(explorer, prompts=PROMPTS, seeds=[3, 1, 4], guidance=4.0)
    alone = theirs(pipeline, prompts=PROMPTS[1:2], seeds=[1], guidance=4.0)
    torch.testing.assert_close(together[1:2], alone, atol=TOLERANCE, rtol=0)


def test_another_prompt_or_seed_is_seen(explorer, pipeline):
    """Negative control: the tolerance tells pictures apart."""
    made = ours(explorer, prompts=PROMPTS[:1], seeds=[3], guidance=4.0)
    for prompts, seeds in ((PROMPTS[1:2], [3]), (PROMPTS[:1], [4])):
        other = theirs(pipeline, prompts=prompts, seeds=seeds, guidance=4.0)
        assert (made - other).abs().max() > 3 * TOLERANCE


def test_latents_are_scaled_as_the_pipeline_scales_them(explorer, pipeline, pictures):
    autoencoder, config = explorer.model.autoencoder, pipeline.vae.config
    mean, std = (
        torch.tensor(values or [usual]).view(1, -1, 1, 1)
        for values, usual in ((config.get("latents_mean"), 0.0), (config.get("latents_std"), 1.0))
    )
    pixels = torch.stack([torch.from_numpy(np.array(each)).permute(2, 0, 1) for each in pictures]).float() / 127.5 - 1
    latents = autoencoder.encode(pictures)
    with torch.inference_mode():
        encoded = pipeline.vae.encode(pixels)
        mode = encoded.latent_dist.mode() if "latent_dist" in encoded else encoded.latents
        decoded = pipeline.vae.decode(latents * std / config.scaling_factor + mean + (config.shift_factor or 0)).sample
    expected = (mode - mean - (config.shift_factor or 0)) * config.scaling_factor / std
    torch.testing.assert_close(latents, expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(autoencoder.decode(latents), decoded, atol=1e-4, rtol=1e-4)


def test_the_four_lines_of_the_readme_work(explorer, tmp_path):
    of_a_unet = ["bottleneck"] if explorer.model.denoiser.unet is not None else []
    assert list(explorer.spaces) == ["latent", "prompt", "noise", *of_a_unet]
    walk = explorer.walk(["a red fox", "a blue cat"], frames=3, steps=2)
    assert (len(walk.images), len(walk.distances)) == (3, 2)
    (path,) = explorer.decode('"a red fox" + ("a smiling face" - "a face")', steps=2, seed=5).save(tmp_path / "a.png")
    assert explorer.replay(path).identical
    assert explorer.noise.decode(explorer.noise.draw(1, 2), steps=2, prompt="a fox")[1].size == (SIDE, SIDE)


def test_a_file_finds_its_model_again(explorer, tmp_path):
    explorer.decode("a red fox", steps=2).save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png").identical


def test_what_the_model_lacks_is_one_clear_error(refused, explorer):
    with refused(SpaceError, "no such space", "'joint'", "latent, prompt, noise"):
        explorer.decode("a fox", space="joint")
    with refused(ModelError, "no part", "CLIP"):
        _ = explorer.joint
    with refused(ModelError, "joint vectors", explorer.model.denoiser.facts.pipeline):
        explorer.model.denoiser.conditioning(seeded([0]), joint=torch.zeros(1, 8))


@pytest.mark.parametrize("part", ["text_encoder", "vae"])
def test_a_pickled_part_is_refused_and_never_read(refused, family_folder, tmp_path, part):
    copy = Path(shutil.copytree(family_folder, tmp_path / "copy"))
    (weights,) = (copy / part).glob("*.safetensors")
    weights.rename(weights.with_name("pytorch_model.bin"))
    with refused(ModelError, "pickle", "pytorch_model.bin", str(copy / part)):
        Explorer.open(copy, device="cpu")


def test_long_prompts_are_recognised(explorer):
    assert explorer.prompt.truncated("a fox", "a fox " * 400) == [False, True]


@pytest.mark.parametrize("part", ["text_encoder", "tokenizer", "scheduler", "vae"])
def test_a_folder_that_lacks_a_component_is_one_line(refused, family_folder, tmp_path, part):
    copy = Path(shutil.copytree(family_folder, tmp_path / "copy"))
    shutil.rmtree(copy / part)
    with refused(ModelError, "incomplete", f"{part}/"):
        Explorer.open(copy, device="cpu")


def test_half_precision_shows_the_same_picture(family_folder, explorer):
    half = Explorer.open(family_folder, device="cpu", dtype=torch.bfloat16)
    assert half.model.denoiser.dtype == torch.bfloat16
    ours, theirs = (np.asarray(each.decode("a red fox", steps=2)[0], dtype=float) for each in (half, explorer))
    assert np.abs(ours - theirs).mean() < 0.1 * theirs.std() + 2


def test_another_size_is_the_pipelines_own(refused, family_folder, pipeline):
    explorer = Explorer.open(family_folder, size=SIDE // 2, device="cpu")
    asked = {"prompts": PROMPTS[:1], "seeds": [3], "guidance": 4.0}
    half = {"height": SIDE // 2, "width": SIDE // 2, "original_size": (SIDE // 2,) * 2, "target_size": (SIDE // 2,) * 2}
    if "XL" not in type(pipeline).__name__:
        half = {"height": SIDE // 2, "width": SIDE // 2}
    expected = pipeline(
        prompt=PROMPTS[:1],
        num_inference_steps=STEPS,
        guidance_scale=4.0,
        generator=seeded([3]),
        output_type="pt",
        **half,
    ).images
    torch.testing.assert_close(ours(explorer, **asked), expected, atol=TOLERANCE, rtol=0)
    with refused(ModelError, "size", f"{SIDE + 1}", "a multiple of"):
        Explorer.open(family_folder, size=SIDE + 1, device="cpu")


def test_guidance_is_seen_whichever_way_the_network_learns_of_it(explorer):
    """Negative control: equal pictures at two scales would also come of a scale that is not looked at."""
    denoiser = explorer.model.denoiser
    embedded = any(denoiser.network.config.get(name) for name in ("time_cond_proj_dim", "guidance_embeds"))
    blind = denoiser.distilled and not embedded  # Flux of a few steps
    asked = {"prompts": PROMPTS[:1], "seeds": [3]}
    low, high = (ours(explorer, **asked, guidance=scale) for scale in (1.0, 4.0))
    assert ((low - high).abs().max() < TOLERANCE) == blind


def test_a_network_with_guidance_inside_refuses_a_negative_prompt(explorer):
    asked = {"prompts": PROMPTS[:1], "seeds": [3], "guidance": 4.0}
    takes = abilities_of_generator(explorer.model.generator)["negative prompts"].there
    assert takes != explorer.model.denoiser.distilled
    if takes:
        plain, away = ours(explorer, **asked), ours(explorer, **asked, negative="a blue cat")
        assert (plain - away).abs().max() > TOLERANCE
        return
    with pytest.raises(
        ModelError, match=r"Got a negative prompt for a .*Pipeline whose guidance is an input"
    ) as caught:
        ours(explorer, **asked, negative="a blue cat")
    assert caught.value.code == "negative prompt"


def test_a_unet_takes_sides_that_it_cannot_halve_evenly(family_folder, pipeline):
    """Nine places of latents, which the UNets of Stable Diffusion bring back; a transformer's patches are whole."""
    odd = SIDE + 8
    if hasattr(pipeline, "unet"):
        explorer = Explorer.open(family_folder, device="cpu", size=odd)
        sides = {"height": odd, "width": odd}
        scale, steps = 4.0, 2
        (expected,) = pipeline(
            prompt="a red fox", num_inference_steps=steps, guidance_scale=scale, generator=seeded([3]), **sides
        ).images
        (made,) = explorer.decode("a red fox", steps=steps, guidance=scale, seed=3)
        assert np.abs(np.asarray(made, dtype=float) - np.asarray(expected, dtype=float)).max() <= 1
