"""The bottleneck: h read and moved, Asyrp's step against its equation, and the space of offsets Δh."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.bottleneck import (
    AsymmetricStep,
    alpha_after,
    nudged,
    reading,
    require_first_order,
)
from thoughtspace.explorer.diffusion.loop import denoise, guided, noise_for, seeded
from thoughtspace.explorer.diffusion.schedule import noise_from, x0_from
from thoughtspace.explorer.errors import ModelError, SpaceError

SEEDS, STEPS = [3, 8], 4

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


@pytest.fixture
def denoiser(tiny_explorer):
    return tiny_explorer.model.denoiser


def setting(denoiser):
    generators = seeded(SEEDS)
    prompts = denoiser.encode_prompts(["a red fox", "a blue cat"])
    conditioning = denoiser.conditioning(generators, prompts=prompts)
    return conditioning, noise_for(generators, denoiser.latent_shape)


def delta_of(size: float, n: int = len(SEEDS)) -> torch.Tensor:
    return size * torch.randn(n, 64, 4, 4, generator=torch.Generator().manual_seed(1))


def moved(denoiser, delta, *, name="ddim", guidance=2.0, edited=STEPS):
    conditioning, noise = setting(denoiser)
    sampler = denoiser.scheduler(name)
    step = AsymmetricStep(denoiser, conditioning, delta, sampler=sampler, guidance=guidance, steps=edited)
    options = {"steps": STEPS, "guidance": guidance, "scheduler": sampler}
    return list(denoise(denoiser, conditioning, noise, **options, hook=step))


def ordinary(denoiser, *, name="ddim", guidance=2.0):
    conditioning, noise = setting(denoiser)
    return list(
        denoise(denoiser, conditioning, noise, steps=STEPS, guidance=guidance, scheduler=denoiser.scheduler(name))
    )


def pixels(images):
    return np.stack([np.asarray(image, dtype=int) for image in images])


def n_hooks(denoiser) -> int:
    return len(denoiser.unet.mid_block._forward_hooks)


# --- hooks


def test_reading_takes_what_the_middle_puts_out_and_changes_nothing(denoiser):
    conditioning, noise = setting(denoiser)
    before = denoiser.predict(noise, torch.tensor(500), conditioning.positive)
    with reading(denoiser.unet) as seen:
        during = denoiser.predict(noise, torch.tensor(500), conditioning.positive)
    assert [tuple(h.shape) for h in seen] == [(2, 64, 4, 4)]
    assert torch.equal(before, during)


def test_a_nudge_adds_its_offset_to_both_halves(denoiser):
    conditioning, noise = setting(denoiser)
    delta = delta_of(1.0)
    both = torch.cat([noise, noise])
    with reading(denoiser.unet) as plain:
        denoiser.predict(both, torch.tensor(500), conditioning.both)
    with nudged(denoiser.unet, delta), reading(denoiser.unet) as shifted:
        denoiser.predict(both, torch.tensor(500), conditioning.both)
    torch.testing.assert_close(shifted[0] - plain[0], torch.cat([delta, delta]), atol=1e-5, rtol=0)


def test_hooks_go_even_after_an_exception(refused, denoiser):
    for context in (reading(denoiser.unet), nudged(denoiser.unet, delta_of(1.0))):
        with pytest.raises(ZeroDivisionError), context:
            _ = n_hooks(denoiser) / (n_hooks(denoiser) - 1)  # which fails if, and only if, there is one hook
        assert n_hooks(denoiser) == 0
    with refused(ModelError, "shift", str(tuple(delta_of(1.0)[:, :3].shape))):
        moved(denoiser, delta_of(1.0)[:, :3])
    assert n_hooks(denoiser) == 0


# --- the asymmetric step


@pytest.mark.parametrize("guidance", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("name", ["ddim", "euler"])
def test_an_offset_of_zero_changes_no_bit(denoiser, name, guidance):
    options = {"name": name, "guidance": guidance}
    for ours, plain in zip(moved(denoiser, delta_of(0.0), **options), ordinary(denoiser, **options), strict=True):
        assert torch.equal(ours.x_next, plain.x_next)


@torch.inference_mode()
def asyrp(denoiser, delta, *, guidance=2.0, both=False):
    """Equation 6, word for word, for DDIM; `both` moves D_t as well, which is what the paper argues against."""
    conditioning, x = setting(denoiser)
    sampler = denoiser.scheduler("ddim")
    denoiser.set_timesteps(sampler, STEPS)
    predict = guided(denoiser, conditioning, guidance)
    bars = sampler.alphas_cumprod
    for t in sampler.timesteps:
        plain = predict(sampler, x, t)
        with nudged(denoiser.unet, delta):
            shifted = predict(sampler, x, t)
        after = int(t) - 1000 // STEPS
        bar = bars[after] if after >= 0 else sampler.final_alpha_cumprod
        p_t, d_t = x0_from(shifted, x, t, sampler), noise_from(shifted if both else plain, x, t, sampler)
        x = bar.sqrt() * p_t + (1 - bar).sqrt() * d_t
    return x


def test_ddim_is_the_equation(denoiser):
    delta = delta_of(2.0)
    ours, plain = moved(denoiser, delta)[-1].x_next, ordinary(denoiser)[-1].x_next
    torch.testing.assert_close(ours, asyrp(denoiser, delta), atol=1e-4, rtol=1e-4)
    assert (ours - plain).abs().max() > 0.01
    # Negative control: the symmetric process is another one, and the comparison can tell.
    assert (ours - asyrp(denoiser, delta, both=True)).abs().max() > 0.001


def test_only_the_predicted_picture_moves(denoiser):
    """Of the first step, whose state is the same: x_next moves by α_next times a change of x̂0, and ε̂ not at all."""
    delta = delta_of(2.0)
    ours, plain = moved(denoiser, delta)[0], ordinary(denoiser)[0]
    assert torch.equal(ours.noise_pred, plain.noise_pred)
    conditioning, noise = setting(denoiser)
    sampler = denoiser.scheduler("ddim")
    denoiser.set_timesteps(sampler, STEPS)
    with torch.inference_mode(), nudged(denoiser.unet, delta):
        shifted = x0_from(guided(denoiser, conditioning, 2.0)(sampler, noise, ours.t), noise, ours.t, sampler)
    expected = alpha_after(sampler, ours.t) * (shifted - plain.x0)
    torch.testing.assert_close(ours.x_next - plain.x_next, expected, atol=1e-5, rtol=1e-4)


def test_euler_moves_the_picture_much_as_ddim_does(denoiser):
    """They discretise one equation, with other first noises; so a coarse step of both is near, and not equal."""
    change = [
        moved(denoiser, delta_of(2.0), name=name)[-1].x_next - ordinary(denoiser, name=name)[-1].x_next
        for name in ("ddim", "euler")
    ]
    similarity = torch.nn.functional.cosine_similarity(change[0].flatten(), change[1].flatten(), dim=0)
    assert similarity > 0.8


def test_clipping_limits_the_moved_picture_as_it_limits_the_other(denoiser):
    def clipping():
        sampler = denoiser.scheduler("ddim")
        sampler.register_to_config(clip_sample=True, clip_sample_range=0.5)
        return sampler

    conditioning, noise = setting(denoiser)
    sampler = clipping()
    step = AsymmetricStep(denoiser, conditioning, delta_of(9.0), sampler=sampler, guidance=2.0, steps=STEPS)
    *_, last = denoise(denoiser, conditioning, noise, steps=STEPS, guidance=2.0, scheduler=sampler, hook=step)
    bar = sampler.final_alpha_cumprod
    clipped = last.x_next - (1 - bar).sqrt() * last.noise_pred
    assert (clipped / bar.sqrt()).abs().max() < 0.5 + 1e-3


def test_the_window_edits_the_first_steps_alone(denoiser):
    whole, half = moved(denoiser, delta_of(2.0)), moved(denoiser, delta_of(2.0), edited=2)
    assert torch.equal(whole[1].x_next, half[1].x_next)
    assert not torch.equal(whole[2].x_next, half[2].x_next)
    assert torch.equal(moved(denoiser, delta_of(2.0), edited=0)[-1].x_next, ordinary(denoiser)[-1].x_next)


def test_other_samplers_are_refused_by_name(refused, tiny_explorer, denoiser):
    with refused(ModelError, "scheduler", "UniPCMultistepScheduler", "one of 'ddim', 'euler'"):
        require_first_order(denoiser.scheduler("unipc"))
    zero = tiny_explorer.bottleneck.points(torch.zeros(1, 64, 4, 4))
    with refused(ModelError, "scheduler", "HeunDiscreteScheduler", "first-order"):
        tiny_explorer.bottleneck.decode(zero, scheduler="heun")


# --- the space


def test_the_origin_decodes_to_the_ordinary_picture(tiny_explorer):
    prompt, bottleneck = tiny_explorer.prompt, tiny_explorer.bottleneck
    zero = bottleneck.points(torch.zeros(1, 64, 4, 4))
    for name in ("ddim", "euler"):
        plain = prompt.decode(prompt.text("a red fox"), seed=3, scheduler=name)
        assert (pixels(bottleneck.decode(zero, seed=3, prompt="a red fox", scheduler=name)) == pixels(plain)).all()
    elsewhere = bottleneck.points(delta_of(3.0, 1))
    assert (pixels(bottleneck.decode(elsewhere, seed=3, prompt="a red fox", scheduler="euler")) != pixels(plain)).any()


def test_texts_are_offsets_from_the_empty_prompt(tiny_explorer):
    empty, fox = tiny_explorer.bottleneck.text("", "a red fox", n_seeds=2, steps=2)
    assert not empty.values.any()
    assert fox.values.norm() > 0.01


def test_encodings_are_means_over_seeds(tiny_explorer, pictures):
    space = tiny_explorer.bottleneck
    pair = space.text("a red fox", seed=5, n_seeds=2, steps=2)
    each = [space.text("a red fox", seed=seed, n_seeds=1, steps=2) for seed in (5, 6)]
    torch.testing.assert_close(pair.values, (each[0].values + each[1].values) / 2, atol=1e-5, rtol=0)
    assert (each[0].values - each[1].values).abs().max() > 1e-4  # negative control: seeds do differ
    a, b = pictures[:2]
    direction = [space.image(a, n_seeds=n, steps=2) - space.image(b, n_seeds=n, steps=2) for n in (1, 2)]
    assert direction[0].values.shape == direction[1].values.shape == (1, 64, 4, 4)


def test_an_encoding_does_not_depend_on_its_batch(tiny_explorer, pictures):
    space = tiny_explorer.bottleneck
    options = {"n_seeds": 1, "steps": 2}
    assert torch.equal(space.text("a", "a red fox", **options)[1].values, space.text("a red fox", **options).values)
    together = space.image(*pictures[:3], **options)
    assert torch.equal(together[2].values, space.image(pictures[2], **options).values)
    assert not torch.equal(together[2].values, together[1].values)


def test_the_models_own_pictures_are_around_the_origin(tiny_explorer):
    """The baseline is the mean over the model's own: their offsets from it sum to nothing."""
    space = tiny_explorer.bottleneck
    made = [space._denoised("", [seed], 2)[1] for seed in (0, 1)]
    usual = space._h_of_own_pictures([0, 1], 2)
    offsets = [space._h_of_latents(latents, [0, 1], 2) - usual for latents in made]
    torch.testing.assert_close(offsets[0] + offsets[1], torch.zeros(64, 4, 4), atol=1e-4, rtol=0)
    assert offsets[0].norm() > 1e-3


def test_expressions_walks_and_replays(tiny_explorer, tmp_path):
    space = tiny_explorer.bottleneck
    direction = tiny_explorer.points('"a smiling face" - "a face"', "bottleneck")
    assert direction.expressions == ('"a smiling face" - "a face"',)
    options = {"seed": 3, "prompt": "a face", "negative": "a fox", "steps": 3, "until": 0.5}
    made = space.decode(8 * direction, **options)
    recorded = made.provenances[0].record["options"]
    assert (recorded["prompt"], recorded["negative"], recorded["scheduler"]) == ("a face", "a fox", "ddim")
    assert (recorded["steps"], recorded["until"]) == (3, 0.5)
    (path,) = made.save(tmp_path / "a.png")
    assert tiny_explorer.replay(path).identical
    walk = tiny_explorer.walk([0 * direction, 8 * direction], 3, spacing="uniform", steps=2)
    walk.save(tmp_path / "walk.gif")
    assert tiny_explorer.replay(tmp_path / "walk.gif").identical


def test_points_encoded_with_other_options_have_a_label_with_them(tiny_explorer):
    (label,) = tiny_explorer.bottleneck.text("a fox", seed=5, n_seeds=1, steps=2).expressions
    assert "seeds 5 to 5, 2 steps" in label


@pytest.mark.parametrize("until", [-0.1, 1.5, True, "half", float("nan")])
def test_a_share_of_the_steps_out_of_range_is_refused(refused, tiny_explorer, until):
    zero = tiny_explorer.bottleneck.points(torch.zeros(1, 64, 4, 4))
    with refused(ModelError, "until", repr(until), "from 0 to 1"):
        tiny_explorer.bottleneck.decode(zero, until=until)


def test_bad_inputs_raise_an_error(refused, tiny_explorer):
    space = tiny_explorer.bottleneck
    with refused(SpaceError, "not a text", "list"):
        space.text(["a", "b"])
    with refused(SpaceError, "seed", "seed -1"):
        space.text("a", seed=-1)
    with refused(ModelError, "n_seeds", "n_seeds 0"):
        space.image(n_seeds=0)
    with refused(ModelError, "steps", "steps 0"):
        space.text("a", steps=0)
    with refused(SpaceError, "other space", "noise space", "the bottleneck space"):
        space.decode(tiny_explorer.noise.draw(1))
    assert len(space.text()) == len(space.image()) == 0
