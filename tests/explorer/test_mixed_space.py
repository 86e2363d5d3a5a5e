"""Mixed spaces: what their parts alone decode to, walks of all parts at once, replays, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.loop import noise_for, seeded
from thoughtspace.explorer.errors import CannotError, GeometryError, ProvenanceError, SpaceError

FOX, CAT = "a red fox", "a blue cat"


def same(one, other) -> bool:
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def spoken(tiny_explorer):
    return tiny_explorer.mixed("prompt", "noise")


@pytest.fixture(scope="module")
def seen(tiny_explorer):
    return tiny_explorer.mixed("joint", "noise")


def test_a_prompt_and_the_start_of_a_seed_are_that_prompt_and_seed(tiny_explorer, spoken):
    prompts, seeds = tiny_explorer.prompt.text(FOX, CAT), [3, 5]
    mixed = spoken.of(prompt=prompts, noise=tiny_explorer.noise.start(*seeds))
    assert same(spoken.decode(mixed, seed=seeds, steps=2), tiny_explorer.prompt.decode(prompts, seed=seeds, steps=2))


def test_a_vector_and_the_start_of_a_seed_are_that_vector_and_seed(tiny_explorer, seen, pictures):
    vectors = tiny_explorer.joint.image(*pictures[:2])
    mixed = seen.of(joint=vectors, noise=tiny_explorer.noise.start(3))
    asked = {"seed": 3, "steps": 2, "prompt": "a hat", "negative": "a cat"}
    assert same(seen.decode(mixed, **asked), tiny_explorer.joint.decode(vectors, **asked))


def test_the_three_together_are_what_the_model_is_guided_by(tiny_explorer):
    mix = tiny_explorer.mixed("prompt", "joint", "noise")
    joint = tiny_explorer.joint.text(CAT)
    mixed = mix.of(prompt=tiny_explorer.prompt.text(FOX), joint=joint, noise=tiny_explorer.noise.start(2))
    assert same(mix.decode(mixed, seed=2, steps=2), tiny_explorer.joint.decode(joint, prompt=FOX, seed=2, steps=2))
    two = tiny_explorer.mixed("prompt", "joint")
    mixed = two.of(prompt=tiny_explorer.prompt.text(FOX), joint=joint)
    assert same(two.decode(mixed, seed=2, steps=2), tiny_explorer.joint.decode(joint, prompt=FOX, seed=2, steps=2))


def test_a_noise_is_decoded_as_the_noise_space_decodes_it(tiny_explorer, spoken):
    """For a drawn noise too, which this family's decoding from a seed does not start from."""
    noise = tiny_explorer.noise.draw(3)
    mixed = spoken.of(prompt=tiny_explorer.prompt.text(FOX), noise=noise)
    assert same(spoken.decode(mixed, seed=7, steps=2), tiny_explorer.noise.decode(noise, seed=7, prompt=FOX, steps=2))


def test_the_start_of_a_seed_comes_after_what_the_conditioning_draws(tiny_explorer):
    denoiser, generators = tiny_explorer.model.denoiser, seeded([3, 4])
    for generator in generators:
        torch.randn(1, denoiser.joint_dim, generator=generator)  # the augmentation noise of a StableUnCLIP
    assert torch.equal(tiny_explorer.noise.start(3, 4).values, noise_for(generators, denoiser.latent_shape))
    assert not torch.equal(tiny_explorer.noise.start(3).values, tiny_explorer.noise.draw(3).values)


def test_every_part_is_seen(tiny_explorer):
    """Negative control: each part changes the picture."""
    mix = tiny_explorer.mixed("prompt", "joint", "noise")
    prompt, joint, noise = tiny_explorer.prompt, tiny_explorer.joint, tiny_explorer.noise
    usual = {"prompt": prompt.text(FOX), "joint": joint.text(FOX), "noise": noise.draw(0)}
    (expected,) = mix.decode(mix.of(**usual), steps=2)
    for other in ({"prompt": prompt.text(CAT)}, {"joint": joint.text(CAT)}, {"noise": noise.draw(1)}):
        assert not same(mix.decode(mix.of(**{**usual, **other}), steps=2), [expected])


def test_parts_come_back_with_their_history(tiny_explorer, spoken):
    prompts, noise = tiny_explorer.prompt.text(FOX, CAT), tiny_explorer.noise.draw(4)
    mixed = spoken.of(prompt=prompts, noise=noise)
    assert mixed.expressions == ('mix("a red fox", given("noise 4"))', 'mix("a blue cat", given("noise 4"))')
    parts = spoken.parts(mixed[0] - 0.5 * mixed[1])
    assert list(parts) == ["prompt", "noise"]
    assert torch.equal(parts["prompt"].values, (prompts[0] - 0.5 * prompts[1]).values)
    assert parts["noise"].space == noise.space
    assert parts["prompt"].expressions == ('"a red fox" - 0.5 * "a blue cat"',)
    assert parts["noise"].expressions == ('given("noise 4") - 0.5 * given("noise 4")',)


def test_a_text_is_its_prompt_and_its_vector_and_the_first_noise(tiny_explorer):
    mix = tiny_explorer.mixed("noise", "joint", "prompt")
    assert mix.name == "prompt+joint+noise"
    parts = mix.parts(mix.text(FOX))
    for name in ("prompt", "joint"):
        assert torch.equal(parts[name].values, getattr(tiny_explorer, name).text(FOX).values)
        assert parts[name].expressions == ('"a red fox"',)
    assert torch.equal(parts["noise"].values, tiny_explorer.noise.start(0).values)
    assert parts["noise"].expressions == tiny_explorer.noise.start(0).expressions
    assert same(
        tiny_explorer.decode(FOX, space="prompt+noise", steps=2), tiny_explorer.decode(FOX, space="prompt", steps=2)
    )


@pytest.mark.filterwarnings("ignore:Got given")  # two steps invert a random model badly
def test_a_picture_is_its_vector_and_the_noise_it_is_made_of(tiny_explorer, seen, pictures):
    parts = seen.parts(seen.image(pictures[0], steps=2))
    assert torch.equal(parts["joint"].values, tiny_explorer.joint.image(pictures[0]).values)
    assert torch.equal(parts["noise"].values, tiny_explorer.noise.image(pictures[0], steps=2).values)
    options = seen.decode(seen.image(pictures[0], steps=2), steps=2).provenances[0].record["options"]
    assert options["guidance"] == 1.0  # as inverted noise is decoded
    drawn = seen.of(joint=parts["joint"], noise=tiny_explorer.noise.draw(0))  # a picture's vector is no inverted noise
    assert seen.decode(drawn, steps=2).provenances[0].record["options"]["guidance"] == tiny_explorer.model.guidance


def test_a_walk_moves_every_part_and_passes_its_stops(tiny_explorer, spoken):
    stops = [
        spoken.of(prompt=tiny_explorer.prompt.text(text), noise=tiny_explorer.noise.draw(seed))
        for text, seed in ((FOX, 1), (CAT, 2))
    ]
    walk = tiny_explorer.walk(stops, frames=4, steps=2)
    parts = spoken.parts(walk.path.points)
    t = walk.path.t.to(torch.float32)[:, None, None]
    prompts = torch.lerp(*(tiny_explorer.prompt.text(text).values for text in (FOX, CAT)), t)
    assert torch.allclose(parts["prompt"].values, prompts, atol=1e-6)
    norms = parts["noise"].flat.norm(dim=1)
    assert float(norms.max() / norms.min()) < 1.1
    assert torch.equal(walk.path.points.values[[0, -1]], torch.cat([stop.values for stop in stops]))
    assert walk.path.interpolant == "product"


def test_a_walk_between_words_is_a_walk_of_prompts_from_one_noise(tiny_explorer):
    asked = {"frames": 3, "spacing": "uniform", "steps": 2}
    mixed = tiny_explorer.walk([FOX, CAT], space="prompt+noise", **asked)
    plain = tiny_explorer.walk([FOX, CAT], space="prompt", **asked)
    difference = np.abs(np.stack(mixed.images).astype(int) - np.stack(plain.images).astype(int))
    assert difference.max() <= 1  # of the great circle between equal noises, to the last bit of float32


@pytest.mark.parametrize("space", ["prompt+joint", "prompt+noise", "joint+noise", "prompt+joint+noise"])
def test_what_is_saved_is_made_again_bit_for_bit(tiny_explorer, space, tmp_path):
    first, second = (tiny_explorer.space(space).text(text) for text in (FOX, CAT))
    tiny_explorer.decode(first + second * 0.2, seed=3, steps=2).save(tmp_path / "a.png")
    tiny_explorer.decode([first, second, first], seed=4, steps=2, batch=3)[2:].save(tmp_path / "b.png")
    tiny_explorer.walk([first, second], frames=3, steps=2).save(tmp_path / "c.mp4")
    tiny_explorer.blend([FOX, CAT, "a hat"], 2, space=space, steps=2).save(tmp_path / "d.png")
    for name in ("a.png", "b.png", "c.mp4", "d.png"):
        assert tiny_explorer.replay(tmp_path / name).identical, name


def test_frames_look_at_their_ends_from_one_noise_alone(refused, tiny_explorer, tmp_path):
    asked = {"frames": 3, "attention": "fused", "spacing": "uniform", "steps": 2}
    walk = tiny_explorer.walk([FOX, CAT], space="prompt+joint", **asked)
    (frame,) = walk.images[1:2].save(tmp_path / "a.png")
    walk.save(tmp_path / "a.mp4")
    assert tiny_explorer.replay(frame).identical
    assert tiny_explorer.replay(tmp_path / "a.mp4").identical
    with refused(SpaceError, "attention", "'fused'", "prompt+noise space"):
        tiny_explorer.walk([FOX, CAT], space="prompt+noise", **asked)


def test_spaces_are_found_by_name_and_their_points_mix(tiny_explorer, spoken):
    again = tiny_explorer.space("prompt+noise")
    assert again.info == spoken.info
    assert len(spoken.text(FOX) + again.text(CAT)) == 1
    assert tiny_explorer.space("noise+prompt").name == "prompt+noise"
    assert spoken.encodes == {"text"}
    assert tiny_explorer.mixed("joint", "noise").encodes == {"text", "image"}


@pytest.mark.parametrize(
    ("parts", "fact"),
    [
        (("prompt",), "'prompt' to mix"),
        ((), "nothing to mix"),
        (("noise", "noise"), "'noise', 'noise' to mix"),
        (("prompt", "latent"), "'prompt', 'latent' to mix"),
    ],
)
def test_parts_that_cannot_be_mixed_are_refused(refused, tiny_explorer, parts, fact):
    with refused(SpaceError, "parts", fact, "two or more different ones of prompt, joint, noise"):
        tiny_explorer.mixed(*parts)


@pytest.mark.parametrize("name", ["dreams", "prompt+dreams", "prompt+latent", "+", ""])
def test_other_names_are_refused_with_the_names_there_are(refused, tiny_explorer, name):
    with refused(SpaceError, "no such space", repr(name), "one of joint, latent, prompt"):
        tiny_explorer.space(name)


def test_parts_that_make_no_point_are_refused(refused, tiny_explorer, spoken):
    prompts, noise = tiny_explorer.prompt.text(FOX, CAT), tiny_explorer.noise.draw(1, 2, 3)
    with refused(SpaceError, "parts", "Got prompt for", "prompt+noise space"):
        spoken.of(prompt=prompts)
    with refused(SpaceError, "parts", "prompt, joint, noise for"):
        spoken.of(prompt=prompts, joint=tiny_explorer.joint.text(FOX), noise=noise)
    with refused(SpaceError, "number of points", "2, 3 points as prompt, noise"):
        spoken.of(prompt=prompts, noise=noise)
    with refused(SpaceError, "other space", "joint space", "prompt space"):
        spoken.of(prompt=tiny_explorer.joint.text(FOX), noise=noise)
    with refused(SpaceError, "not points", "str in the prompt space"):
        spoken.of(prompt=FOX, noise=noise)
    with refused(SpaceError, "other space", "prompt space", "prompt+noise space"):
        spoken.parts(prompts)


def test_unsuitable_options_and_interpolants_are_refused(refused, tiny_explorer, spoken, pictures):
    with refused(SpaceError, "prompt", "prompt='a hat'", "prompt+noise space"):
        tiny_explorer.decode(FOX, space="prompt+noise", prompt="a hat")
    with refused(GeometryError, "interpolant", "'lol'"):
        tiny_explorer.walk([FOX, CAT], space="prompt+noise", frames=3, interpolant="lol")
    with refused(CannotError, "no image", "prompt+noise space"):
        spoken.image(pictures[0])


def test_a_record_of_a_mixed_space_that_the_model_lacks_is_refused(refused, tiny_explorer, spoken, tmp_path):
    from thoughtspace.explorer.replays import replay

    spoken.decode(spoken.text(FOX), steps=2).save(tmp_path / "a.png")

    def without(name: str):
        raise SpaceError(f"Got space {name!r}, expected another.")

    with refused(ProvenanceError, "no such space", "'prompt+noise'"):
        replay(tmp_path / "a.png", without)
