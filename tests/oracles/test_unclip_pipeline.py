"""Our loop against the unmodified diffusers pipeline: the same pictures, alone and in any company."""

from __future__ import annotations

import copy
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.loop import denoise, noise_for, seeded
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.models.schedulers import scheduler_like
from thoughtspace.explorer.training.towers import save_half

TOLERANCE = 1e-5  # in [0, 1]; the promise is 1e-3
STEPS = 5
PROMPTS = ["a red fox", "a smiling face with a hat", "a blue cat on a mountain"]

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path):
    opened = diffusers.StableUnCLIPImg2ImgPipeline.from_pretrained(tiny_model / "diffusion")
    opened.set_progress_bar_config(disable=True)
    return opened


@pytest.fixture(scope="module")
def vectors(tiny_explorer: Explorer, pictures):
    return tiny_explorer.model.clip.encode_images(pictures[:3])


def ours(explorer: Explorer, *, seeds, prompts=None, joint=None, guidance=2.0, name=None, **options):
    """Pictures `(n, 3, h, w)` in [0, 1] and every step."""
    model = explorer.model
    generators = seeded(seeds)
    texts = None if prompts is None else model.denoiser.encode_prompts(prompts)
    conditioning = model.denoiser.conditioning(generators, prompts=texts, joint=joint)
    noise = options.pop("noise", None)
    done = list(
        denoise(
            model.denoiser,
            conditioning,
            noise_for(generators, model.denoiser.latent_shape) if noise is None else noise,
            steps=STEPS,
            guidance=guidance,
            scheduler=model.denoiser.scheduler(name),
            generators=generators,
            **options,
        )
    )
    return (model.autoencoder.decode(done[-1].x_next) / 2 + 0.5).clamp(0, 1), done


def theirs(pipeline, *, seeds, prompts=None, joint=None, guidance=2.0, **options):
    n = len(seeds)
    return pipeline(
        prompt=prompts or [""] * n,
        image_embeds=torch.zeros(n, pipeline.image_encoder.config.projection_dim) if joint is None else joint.clone(),
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=seeded(seeds),
        output_type="pt",
        **options,
    ).images


@pytest.mark.parametrize("guidance", [1.0, 2.0, 7.5])
@pytest.mark.parametrize("guide", ["prompt", "vector", "both"])
def test_equal_pictures(tiny_explorer, pipeline, vectors, guide, guidance):
    prompts = PROMPTS if guide != "vector" else None
    joint = vectors if guide != "prompt" else None
    asked = {"seeds": [3, 1, 4], "prompts": prompts, "joint": joint, "guidance": guidance}
    torch.testing.assert_close(ours(tiny_explorer, **asked)[0], theirs(pipeline, **asked), atol=TOLERANCE, rtol=0)


def test_a_prompt_in_chunks_makes_the_pipelines_picture_of_its_states(tiny_explorer, pipeline, vectors):
    chunked, long = tiny_explorer.prompt.chunked(2), " and ".join(PROMPTS * 2)
    points, negative = chunked.text(long), chunked.text("a hat")
    denoiser, generators = chunked.model.denoiser, seeded([3])
    guided = denoiser.conditioning(generators, prompts=points.values, joint=vectors[:1], negative="a hat")
    noise = noise_for(generators, denoiser.latent_shape)
    *_, last = denoise(denoiser, guided, noise, steps=STEPS, guidance=4.0, generators=generators)
    made = (chunked.model.autoencoder.decode(last.x_next) / 2 + 0.5).clamp(0, 1)
    expected, other = (
        pipeline(
            prompt_embeds=chunked.states(each),
            negative_prompt_embeds=chunked.states(negative),
            image_embeds=vectors[:1].clone(),
            num_inference_steps=STEPS,
            guidance_scale=4.0,
            generator=seeded([3]),
            output_type="pt",
        ).images
        for each in (points, chunked.text(PROMPTS[0]))
    )
    torch.testing.assert_close(made, expected, atol=TOLERANCE, rtol=0)
    assert (made - other).abs().max() > 3 * TOLERANCE  # negative control


def test_a_picture_does_not_depend_on_its_company(tiny_explorer, pipeline, vectors):
    together, _ = ours(tiny_explorer, seeds=[3, 1, 4], prompts=PROMPTS, joint=vectors)
    for row, seed in enumerate((3, 1, 4)):
        alone = theirs(pipeline, seeds=[seed], prompts=PROMPTS[row : row + 1], joint=vectors[row : row + 1])
        torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["euler", "dpm++", "unipc", "euler-ancestral", "ddpm"])  # the last two draw noise
def test_equal_pictures_with_other_samplers(tiny_explorer, tiny_model, vectors, name):
    pipeline = diffusers.StableUnCLIPImg2ImgPipeline.from_pretrained(tiny_model / "diffusion")
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = scheduler_like(pipeline.scheduler, name)
    asked = {"seeds": [3, 1, 4], "prompts": PROMPTS, "joint": vectors}
    made, expected = ours(tiny_explorer, **asked, name=name)[0], theirs(pipeline, **asked)
    torch.testing.assert_close(made, expected, atol=TOLERANCE, rtol=0)


def test_equal_pictures_from_a_noise_that_is_given(tiny_explorer, pipeline):
    noise = noise_for([9, 8], tiny_explorer.noise.shape)
    asked = {"seeds": [0, 0], "prompts": PROMPTS[:2]}
    made = ours(tiny_explorer, **asked, noise=noise)[0]
    torch.testing.assert_close(made, theirs(pipeline, **asked, latents=noise), atol=TOLERANCE, rtol=0)


def test_every_step_is_the_pipelines(tiny_explorer, pipeline, vectors):
    states = []
    asked = {"seeds": [3, 1, 4], "joint": vectors}
    theirs(pipeline, **asked, callback=lambda index, t, latents: states.append((int(t), latents.clone())))
    done = ours(tiny_explorer, **asked)[1]
    assert [int(step.t) for step in done] == [t for t, _ in states]
    for step, (_, latents) in zip(done, states, strict=True):
        torch.testing.assert_close(step.x_next, latents, atol=TOLERANCE, rtol=0)


def test_each_x0_is_the_schedulers(tiny_explorer, vectors):
    """DDIM is one of the few that return it."""
    done = ours(tiny_explorer, seeds=[3, 1, 4], joint=vectors, guidance=1.0)[1]
    scheduler = tiny_explorer.model.denoiser.scheduler()
    scheduler.set_timesteps(STEPS)
    for step in done:
        alpha, sigma = (f(scheduler.alphas_cumprod[int(step.t)]) for f in (torch.sqrt, lambda bar: (1 - bar).sqrt()))
        velocity = alpha * step.noise_pred - sigma * step.x0
        theirs_x0 = scheduler.step(velocity, step.t, step.x_t).pred_original_sample
        torch.testing.assert_close(step.x0, theirs_x0, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 4])
def test_decoding_a_point_is_one_call_of_the_pipeline(tiny_explorer, pipeline, batch):
    """All the way: expression -> point -> picture, 8 bits a colour, with the model's own steps and guidance."""
    model, joint = tiny_explorer.model, tiny_explorer.joint
    points = tiny_explorer.points('"a king" - 0.5 * "a man"')
    (made,) = tiny_explorer.decode(points, seed=11, batch=batch)
    (expected,) = pipeline(
        prompt="",
        image_embeds=joint.vectors(points).clone(),
        num_inference_steps=model.steps,
        guidance_scale=model.guidance,
        generator=torch.Generator().manual_seed(11),
    ).images
    assert np.abs(np.asarray(made, int) - np.asarray(expected, int)).max() <= 1  # a value at the edge of rounding


def test_prompt_points_are_the_pipelines_prompts(tiny_explorer, pipeline):
    (made,) = tiny_explorer.prompt.decode(tiny_explorer.prompt.text("a red fox"), seed=2, steps=STEPS, guidance=3)
    expected = theirs(pipeline, seeds=[2], prompts=["a red fox"], guidance=3)[0].permute(1, 2, 0).numpy()
    assert np.abs(np.asarray(made) / 255 - expected).max() <= 0.5 / 255 + TOLERANCE


def test_another_order_of_drawing_is_seen(tiny_explorer, pipeline, vectors):
    """Negative control: noise drawn from a fresh generator, not after the vector's, gives other pictures."""
    asked = {"seeds": [3, 1, 4], "joint": vectors}
    fresh = noise_for([3, 1, 4], tiny_explorer.noise.shape)
    assert (ours(tiny_explorer, **asked, noise=fresh)[0] - theirs(pipeline, **asked)).abs().max() > 0.05


def test_a_pipeline_saved_in_half_opens_and_generates_unmodified(pipeline, tmp_path):
    """And one that was only cast and saved does not, which is why `save_half` is there."""
    half = copy.deepcopy(pipeline)
    save_half(half, tmp_path / "half")
    opened = diffusers.StableUnCLIPImg2ImgPipeline.from_pretrained(tmp_path / "half")
    opened.set_progress_bar_config(disable=True)
    asked = {"seeds": [3], "prompts": PROMPTS[:1]}
    assert (theirs(opened, **asked) - theirs(pipeline, **asked)).abs().mean() < 0.02
    half.save_pretrained(tmp_path / "cast")
    cast = diffusers.StableUnCLIPImg2ImgPipeline.from_pretrained(tmp_path / "cast")
    with pytest.raises(RuntimeError, match="same dtype"):
        theirs(cast, **asked)
