"""Mixed spaces of the other families: their parts alone decode as in their own spaces, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from thoughtspace.explorer.errors import SpaceError
from thoughtspace.explorer.explorer import Explorer

from . import joint_models as small
from .conftest import stable_diffusion
from .joint_models import saved, theirs

FOX, CAT, STEPS = "a red fox", "a blue cat", 2
TEXTS, SEEDS = [FOX, CAT], [3, 5]

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),  # of diffusers, under NumPy 2
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def same(one, other) -> bool:
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module", params=["stable_diffusion", "stable_diffusion_3", "pixart", "qwen_image"])
def explorer(request, families, opened) -> Explorer:
    """Two that our loop runs and two that run themselves, one with prompts as long as their words."""
    return opened(families(request.param))


@pytest.fixture(scope="module")
def kandinsky(families, opened) -> Explorer:
    """Its sampler draws noise as it goes."""
    return opened(families("kandinsky"))


@pytest.fixture(scope="module")
def adapted(tiny_model, tmp_path_factory) -> Explorer:
    """Stable Diffusion with an IP-Adapter: a prompt and a joint vector."""
    folder: Path = tmp_path_factory.mktemp("mixed") / "adapted"
    saved(tiny_model, folder / "diffusion", stable_diffusion)
    place = folder / "adapter" / "models" / "ip-adapter_sd15.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(1)
        small.save_adapter(place.parent, theirs(folder / "diffusion").unet, name=place.name)
    return Explorer.open(folder, device="cpu")


def test_the_noise_of_a_seed_beside_a_prompt_is_that_seed(explorer):
    mix, prompts = explorer.mixed("prompt", "noise"), explorer.prompt.text(*TEXTS)
    expected = explorer.prompt.decode(prompts, seed=SEEDS, steps=STEPS)
    for noise in (explorer.noise.draw(*SEEDS), explorer.noise.start(*SEEDS)):
        assert same(mix.decode(mix.of(prompt=prompts, noise=noise), seed=SEEDS, steps=STEPS), expected)
    crossed = mix.of(prompt=prompts, noise=explorer.noise.draw(*SEEDS[::-1]))
    assert not same(mix.decode(crossed, seed=SEEDS, steps=STEPS), expected)  # negative control


def test_walks_of_both_and_their_replays(explorer, tmp_path):
    mix = explorer.mixed("prompt", "noise")
    stops = mix.of(prompt=explorer.prompt.text(*TEXTS), noise=explorer.noise.draw(*SEEDS))
    walk = explorer.walk(stops, frames=3, spacing="uniform", steps=STEPS)
    assert same(walk.images[::2], mix.decode(stops, steps=STEPS, batch=4))
    walk.save(tmp_path / "a.mp4")
    (frame,) = walk.images[1:2].save(tmp_path / "a.png")
    assert explorer.replay(tmp_path / "a.mp4").identical
    assert explorer.replay(frame).identical


def test_what_is_not_there_cannot_be_mixed(refused, explorer, kandinsky):
    with refused(SpaceError, "parts", "'joint', 'noise'", "ones of prompt"):
        explorer.space("joint+noise")
    with refused(SpaceError, "parts", "'prompt', 'noise'", "ones of joint, noise"):
        kandinsky.mixed("prompt", "noise")


def test_a_sampler_that_draws_as_it_goes_draws_the_same(kandinsky, pictures):
    mix, vectors = kandinsky.mixed("joint", "noise"), kandinsky.joint.image(*pictures[:2])
    expected = kandinsky.joint.decode(vectors, seed=SEEDS, steps=STEPS)
    made = mix.of(joint=vectors, noise=kandinsky.noise.start(*SEEDS))
    assert same(mix.decode(made, seed=SEEDS, steps=STEPS), expected)
    assert not same(mix.decode(made, seed=SEEDS[::-1], steps=STEPS), expected)


def test_an_adapter_guides_beside_prompt_and_noise(adapted, pictures, tmp_path):
    mix, joint = adapted.space("prompt+joint+noise"), adapted.joint.image(pictures[0])
    made = mix.of(prompt=adapted.prompt.text(FOX), joint=joint, noise=adapted.noise.start(3))
    images = mix.decode(made, seed=3, steps=STEPS)
    assert same(images, adapted.joint.decode(joint, prompt=FOX, seed=3, steps=STEPS))
    assert images.provenances[0].record["options"]["adapter_scale"] == adapted.model.generator.adapter_scale
    (file,) = images.save(tmp_path / "a.png")
    assert adapted.replay(file).identical
    other = mix.of(
        prompt=adapted.prompt.text(FOX), joint=adapted.joint.image(pictures[1]), noise=adapted.noise.start(3)
    )
    assert not same(mix.decode(other, seed=3, steps=STEPS), images)
