"""Kandinsky 2.2 against its own unmodified decoder and prior."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.loop import seeded
from thoughtspace.explorer.errors import ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer, replay
from thoughtspace.explorer.models.reference import trained_norm

from . import joint_models as small
from .joint_models import PROMPTS, SEEDS, STEPS, TOLERANCE, ours, saved, theirs

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


SCHEDULERS = {
    "fixed": small.ddpm,  # the variance that the network learned is dropped
    "learned": lambda: small.ddpm(variance_type="learned_range"),
    "ddim": lambda: diffusers.DDIMScheduler(beta_start=0.00085, beta_end=0.012, clip_sample=False),
}


def kandinsky_saved(tiny_model: Path, folder: Path, scheduler: str) -> Path:
    return saved(tiny_model, folder, lambda each: small.kandinsky(each, scheduler=SCHEDULERS[scheduler]()))


@pytest.fixture(scope="module")
def kandinsky_folder(families) -> Path:
    return families("kandinsky")


@pytest.fixture(scope="module", params=sorted(SCHEDULERS))
def scheduled_folder(request, tiny_model, tmp_path_factory) -> Path:
    """A decoder with each kind of scheduler in turn."""
    return kandinsky_saved(tiny_model, tmp_path_factory.mktemp("scheduled") / request.param, request.param)


@pytest.fixture(scope="module")
def kandinsky(kandinsky_folder) -> Explorer:
    return Explorer.open(kandinsky_folder, device="cpu")


def kandinskys(folder: Path, vectors: torch.Tensor, *, seeds: list[int], guidance: float = 4.0) -> Any:
    """Pictures in [0, 1] of the unmodified decoder, with the unmodified prior's vector for no picture."""
    combined = theirs(folder)
    combined.decoder_pipe.set_progress_bar_config(disable=True)
    made = combined.decoder_pipe(
        image_embeds=vectors,
        negative_image_embeds=combined.prior_pipe.get_zero_embed(len(vectors)),
        height=small.SIDE,
        width=small.SIDE,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=seeded(seeds),
        output_type="pt",
    ).images
    return (made / 2 + 0.5).clamp(0, 1)


def test_kandinsky_makes_the_pipelines_pictures(scheduled_folder, pictures):
    opened = Explorer.open(scheduled_folder, device="cpu")
    vectors = opened.model.clip.encode_images(pictures[:3])
    for guidance in (1.0, 4.0):
        expected = kandinskys(scheduled_folder, vectors, seeds=SEEDS, guidance=guidance)
        made = ours(opened, vectors, seeds=SEEDS, guidance=guidance)
        torch.testing.assert_close(made, expected, atol=TOLERANCE, rtol=0)


def test_kandinsky_alone_is_as_in_company(kandinsky, kandinsky_folder, pictures):
    vectors = kandinsky.model.clip.encode_images(pictures[:3])
    guidance = 2.0  # more would magnify what kernels round by the shape of a batch, and by the number of threads
    together = ours(kandinsky, vectors, seeds=SEEDS, guidance=guidance)
    for row in range(3):
        alone = kandinskys(kandinsky_folder, vectors[row : row + 1], seeds=SEEDS[row : row + 1], guidance=guidance)
        torch.testing.assert_close(together[row], alone[0], atol=TOLERANCE, rtol=0)
    assert (together[0] - together[1]).abs().max() > 3 * TOLERANCE  # negative control


def test_both_towers_are_the_priors(kandinsky, kandinsky_folder, pictures):
    """Its pictures as the prior's `interpolate` encodes them, its texts as its `_encode_prompt` does."""
    prior, clip = theirs(kandinsky_folder).prior_pipe, kandinsky.model.clip
    pixels = prior.image_processor(pictures[:2], return_tensors="pt").pixel_values
    with torch.inference_mode():
        images = prior.image_encoder(pixels)["image_embeds"]
        texts, _, _ = prior._encode_prompt(PROMPTS, prior.device, 1, False)
    torch.testing.assert_close(clip.encode_images(pictures[:2]), images, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(clip.encode_texts(PROMPTS), texts, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(clip.encode_nothing(), prior.get_zero_embed(1), atol=1e-5, rtol=1e-5)
    assert clip.truncated(["a fox", "a fox " * 40]) == [False, True]
    kept = prior.prior
    assert kandinsky.joint.norm == trained_norm(kept.clip_mean, kept.clip_std)


def test_the_movq_is_the_pipelines(kandinsky, kandinsky_folder, pictures):
    movq, autoencoder = theirs(kandinsky_folder).movq, kandinsky.model.autoencoder
    pixels = torch.stack([torch.from_numpy(np.array(each)).permute(2, 0, 1) for each in pictures]).float() / 127.5 - 1
    latents = autoencoder.encode(pictures)
    with torch.inference_mode():
        expected = movq.encode(pixels).latents
        decoded = movq.decode(expected, force_not_quantize=True)["sample"]
        quantised = movq.decode(expected)["sample"]
    torch.testing.assert_close(latents, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(autoencoder.decode(latents), decoded, atol=1e-4, rtol=1e-4)
    assert (autoencoder.decode(latents) - quantised).abs().max() > 0.01  # negative control


def test_kandinsky_walks_replays_and_reads_no_prompt(refused, kandinsky, pictures, tmp_path):
    assert list(kandinsky.spaces) == ["joint", "latent", "noise", "bottleneck", "joint-raw"]
    walk = kandinsky.walk([kandinsky.joint.image(pictures[0]), "a red fox"], frames=3, steps=2)
    assert len(walk.images) == 3
    (file,) = kandinsky.decode('"a king" - "a man" + "a woman"', steps=2, seed=5).save(tmp_path / "a.png")
    assert kandinsky.replay(file).identical
    assert replay(file).identical
    assert len(kandinsky.noise.decode(kandinsky.noise.draw(1, 2), steps=2)) == 2
    for option in ("prompt", "negative"):
        with refused(ModelError, "no text", "'a cat'"):
            kandinsky.decode("a fox", steps=2, **{option: "a cat"})
    for name in ("prompt", "prompt-x2"):
        with refused(SpaceError, "no such space", f"'{name}'", "joint, latent, noise"):
            kandinsky.decode("a fox", name)
    with refused(ModelError, "no text", "Kandinsky"):
        _ = kandinsky.model.denoiser.prompt_layout
    with refused(ModelError, "chunks", "2 chunks", "KandinskyV22Pipeline"):
        kandinsky.model.denoiser.chunked(2)


def test_a_measured_reference_closes_the_gap(refused, kandinsky, pictures):
    texts = [f"a {colour} {thing}" for colour in ("red", "green", "blue") for thing in ("fox", "cat", "hat")]

    def gap(explorer: Explorer) -> float:
        means = (explorer.joint.image(*pictures).values.mean(0), explorer.joint.text(*texts).values.mean(0))
        return float((means[0] - means[1]).norm())

    centred = kandinsky.with_reference(kandinsky.measure_reference(pictures, texts))
    assert gap(centred) < gap(kandinsky) / 2
    with refused(ModelError, "too few", f"{len(pictures)} pictures", "0 texts"):
        kandinsky.measure_reference(pictures)


def test_a_decoder_and_a_prior_are_a_pair(refused, kandinsky, kandinsky_folder, pictures, tmp_path):
    """As they are published: two folders, here `diffusion/` and `clip/`; and the decoder alone says what it lacks."""
    combined = theirs(kandinsky_folder)
    combined.decoder_pipe.save_pretrained(tmp_path / "pair" / "diffusion")
    combined.prior_pipe.save_pretrained(tmp_path / "pair" / "clip")
    pair, vectors = Explorer.open(tmp_path / "pair", device="cpu"), kandinsky.model.clip.encode_images(pictures[:2])
    assert torch.equal(pair.model.clip.encode_images(pictures[:2]), vectors)
    assert torch.equal(ours(pair, vectors, seeds=SEEDS[:2]), ours(kandinsky, vectors, seeds=SEEDS[:2]))
    alone = Explorer.open(tmp_path / "pair" / "diffusion", device="cpu")
    assert list(alone.spaces) == ["latent", "noise", "bottleneck"]
    with refused(ModelError, "no clip", "clip/", "diffusion/"):
        alone.noise.decode(alone.noise.draw(1), steps=2)


def test_a_size_is_one_that_its_unet_can_halve(refused, kandinsky_folder, kandinsky):
    with refused(ModelError, "size", "72", "a multiple of 16"):
        Explorer.open(kandinsky_folder, device="cpu", size=72)
    larger = Explorer.open(kandinsky_folder, device="cpu", size=80)
    assert larger.decode("a fox", steps=2)[0].size == (80, 80)
    denoiser, x = kandinsky.model.denoiser, torch.zeros(1, small.CHANNELS, 9, 9)
    inputs = denoiser.conditioning(seeded([0])).positive
    with pytest.raises(RuntimeError, match="size"):  # negative control: why 72 is none
        denoiser.predict(x, torch.tensor(5), inputs)


@pytest.mark.parametrize("part", ["unet", "movq", "prior_text_encoder"])
def test_a_pickled_part_of_kandinsky_is_refused(refused, kandinsky_folder, tmp_path, part):
    copy = Path(shutil.copytree(kandinsky_folder, tmp_path / "copy"))
    (weights,) = (copy / part).glob("*.safetensors")
    weights.rename(weights.with_name("pytorch_model.bin"))
    with refused(ModelError, "pickle", "pytorch_model.bin", str(copy / part)):
        Explorer.open(copy, device="cpu")
