"""Pipelines without an adapter of their own against their unmodified calls: equal pictures, equal prompts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.loop import seeded
from thoughtspace.explorer.errors import Cancelled, ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer, replay
from thoughtspace.explorer.models.abilities import abilities_of_generator
from thoughtspace.explorer.models.generator import Guide
from thoughtspace.explorer.models.pipelines import pipeline as own_call
from thoughtspace.explorer.models.pipelines.prompts import encoded
from thoughtspace.explorer.models.pipelines.signatures import guidance_name, options_of
from thoughtspace.explorer.options import Settled

from .conftest import unmodified
from .generic_models import PIPELINES
from .more_generic_models import MORE, built

SIDE, STEPS, TOLERANCE = 64, 3, 1e-4  # in [0, 1]
PROMPTS, SEEDS = ["a red fox", "a smiling face with a hat", "a blue cat"], [3, 1, 4]

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),  # of diffusers, under NumPy 2
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module", params=sorted(PIPELINES))
def folder(request: pytest.FixtureRequest, families: Callable[[str], Path]) -> Path:
    """A small model of each family in turn, on disk."""
    return families(request.param)


@pytest.fixture(scope="module")
def explorer(folder: Path, opened: Callable[[Path], Explorer]) -> Explorer:
    return opened(folder)


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    return unmodified(folder)


def theirs(pipeline: Any, *, prompts: list[str], seeds: list[int], guidance: float, **options: Any) -> Any:
    call = options_of(type(pipeline), "__call__")
    name = guidance_name(type(pipeline)) or ""
    if "use_resolution_binning" in call:
        options["use_resolution_binning"] = False  # small pictures are none of its usual sizes
    return pipeline(
        prompt=list(prompts),
        height=SIDE,
        width=SIDE,
        num_inference_steps=STEPS,
        generator=seeded(seeds),
        output_type="pt",
        **{name: guidance},
        **options,
    ).images


def ours(explorer: Explorer, *, prompts: list[str], seeds: list[int], guidance: float, negative: str = "") -> Any:
    options = {"steps": STEPS, "guidance": guidance, "negative": negative}
    return explorer.decode(explorer.prompt.text(*prompts), seed=seeds, **options).pixels


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_equal_pictures_alone_and_in_a_mixed_batch(explorer, pipeline, guidance):
    together = ours(explorer, prompts=PROMPTS, seeds=SEEDS, guidance=guidance)
    for row, (prompt, seed) in enumerate(zip(PROMPTS, SEEDS, strict=True)):
        expected = theirs(pipeline, prompts=[prompt], seeds=[seed], guidance=guidance)
        alone = ours(explorer, prompts=[prompt], seeds=[seed], guidance=guidance)
        assert expected.std() > 0.01
        torch.testing.assert_close(alone, expected, atol=TOLERANCE, rtol=0)
        torch.testing.assert_close(together[row : row + 1], expected, atol=TOLERANCE, rtol=0)


def test_another_prompt_or_seed_is_seen(explorer, pipeline):
    """Negative control: the tolerance tells pictures apart."""
    made = ours(explorer, prompts=PROMPTS[:1], seeds=[3], guidance=4.0)
    for prompts, seeds in ((PROMPTS[1:2], [3]), (PROMPTS[:1], [4])):
        other = theirs(pipeline, prompts=prompts, seeds=seeds, guidance=4.0)
        assert (made - other).abs().max() > 3 * TOLERANCE


def test_negative_prompts(explorer, pipeline):
    asked = {"prompts": PROMPTS[:1], "seeds": [3], "guidance": 4.0}
    if "negative_prompt" in options_of(type(pipeline), "__call__"):
        expected = theirs(pipeline, **asked, negative_prompt=["a grey dog"])
    else:  # it takes their embeddings alone
        found = {f"negative_{name}": value for name, value in encoded(pipeline, "a grey dog").items()}
        expected = theirs(pipeline, **asked, **found)
    made = ours(explorer, **asked, negative="a grey dog")
    torch.testing.assert_close(made, expected, atol=TOLERANCE, rtol=0)
    assert (made - ours(explorer, **asked)).abs().max() > 3 * TOLERANCE


def test_prompts_are_what_the_pipeline_encodes(explorer, pipeline):
    parts = explorer.model.generator.parts
    for prompt in PROMPTS:
        made, expected = parts.unpacked(explorer.prompt.text(prompt).values), encoded(pipeline, prompt)
        for part in parts.parts:
            torch.testing.assert_close(made[part.name], expected[part.name], atol=1e-5, rtol=1e-5)


def test_noise_is_what_the_pipeline_draws(explorer, pipeline):
    drawn = explorer.noise.draw(3, 1)
    made = explorer.noise.decode(drawn, seed=7, prompt="a fox", guidance=4.0)
    for row, seed in enumerate((3, 1)):
        expected = theirs(pipeline, prompts=["a fox"], seeds=[seed], guidance=4.0)[0].permute(1, 2, 0).numpy()
        assert np.abs(np.asarray(made[row]) / 255 - expected).max() < 0.5 / 255 + TOLERANCE
    assert torch.equal(explorer.noise.draw(1).values[0], drawn.values[1])
    assert 0.8 < drawn.values.std() < 1.2


def test_the_lines_of_the_readme_work(explorer, tmp_path):
    walk = explorer.walk(["a red fox", "a blue cat"], frames=3, steps=2)
    assert (len(walk.images), len(walk.distances)) == (3, 2)
    images = explorer.decode(['"a red fox" + ("a smiling face" - "a face")', "a blue cat"], steps=2, seed=5)
    for path in images.save(tmp_path):
        assert explorer.replay(path).identical
    (path,) = explorer.noise.decode(explorer.noise.draw(1), steps=2, prompt="a fox").save(tmp_path / "noise.png")
    assert explorer.replay(path).identical
    assert replay(path).identical


def test_steps_are_the_pipeline_s_own(explorer, pipeline):
    generator, how = explorer.model.generator, Settled(steps=STEPS, guidance=4.0)
    for row in range(2):
        guide = Guide(prompts=generator.encode_prompts(PROMPTS[row : row + 1]))
        made = list(generator.run(guide, SEEDS[row : row + 1], how, see=lambda latents: latents))
        assert len(made) == STEPS
        seen: list[Any] = []
        if "callback_on_step_end" in options_of(type(pipeline), "__call__"):
            watch = {"callback_on_step_end": lambda p, i, t, has, seen=seen: seen.append(has["latents"]) or has}
        else:
            watch = {"callback": lambda i, t, latents, seen=seen: seen.append(latents)}
        theirs(pipeline, prompts=PROMPTS[row : row + 1], seeds=SEEDS[row : row + 1], guidance=4.0, **watch)
        for step, expected in zip(made, seen, strict=True):
            torch.testing.assert_close(step, expected, atol=1e-3, rtol=1e-3)


def test_a_batch_tells_as_many_steps_as_one_picture(explorer):
    seen: list[Any] = []
    explorer.decode(PROMPTS, steps=2, batch=4, progress=lambda ticks, **_: _counted(ticks, seen))
    assert len(seen) == 2


def _counted(ticks: Any, seen: list[Any]) -> Any:
    for tick in ticks:
        seen.append(tick)
        yield tick


def test_cancelling_stops_the_pipeline(explorer):
    before, seen = threading.active_count(), []

    def impatient(ticks: Any, **_: Any) -> Any:
        for tick in ticks:
            seen.append(tick)
            raise Cancelled
        return iter(())

    with pytest.raises(Cancelled):
        explorer.decode("a fox", steps=50, progress=impatient)
    assert (len(seen), threading.active_count()) == (1, before)


def test_what_it_lacks_is_one_clear_line(refused, explorer, monkeypatch):
    generator = explorer.model.generator
    found = abilities_of_generator(generator)
    assert generator.facts.own_loop is not None
    assert all(found[name].there for name in ("prompt space", "noise space", "trajectories", "guidance"))
    assert all("\n" not in each.reason and (each.there or each.reason) for each in found)
    assert found["latent space"].there == ("latent" in explorer.spaces)
    with refused(SpaceError, "no such space", "'joint'", "prompt, noise"):
        explorer.space("joint")
    with refused(ModelError, "own loop", generator.facts.pipeline, "single steps"):
        _ = explorer.model.denoiser
    with refused(ModelError, "own loop", generator.facts.pipeline, "states and words"):
        explorer.prompt.weighted("a (red:1.4) fox")
    with refused(ModelError, "own loop", generator.facts.pipeline, "2 chunks of a prompt"):
        explorer.space("prompt-x2")
    with refused(ModelError, "own loop", "joint", generator.facts.pipeline):
        next(generator.run(Guide(joint=torch.zeros(1, 8)), [0], Settled(), see=lambda latents: latents))
    with refused(ModelError, "size", f"{SIDE + 1}", "a multiple of"):
        generator.sized(SIDE + 1)

    def unknown(*_: Any, **__: Any) -> None:
        raise ModelError("Got a vae of no known class.")

    monkeypatch.setattr(own_call, "Autoencoder", unknown)
    assert not abilities_of_generator(generator.sized(SIDE))["latent space"].there


def test_long_prompts_are_recognised(explorer):
    assert explorer.prompt.truncated("a fox", "a fox " * 400) == [False, True]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", sorted(MORE))
def test_more_families(name, families):
    explorer, pipeline = Explorer.open(families(name), device="cpu"), unmodified(families(name))
    made = ours(explorer, prompts=PROMPTS, seeds=SEEDS, guidance=4.0)
    for row, (prompt, seed) in enumerate(zip(PROMPTS, SEEDS, strict=True)):
        expected = theirs(pipeline, prompts=[prompt], seeds=[seed], guidance=4.0)
        torch.testing.assert_close(made[row : row + 1], expected, atol=TOLERANCE, rtol=0)
        other = theirs(pipeline, prompts=["some quite different words"], seeds=[seed], guidance=4.0)
        assert (other - expected).abs().max() > 3 * TOLERANCE


@pytest.mark.parametrize("name", ["pixart", "qwen_image"])
def test_half_precision_draws_and_scales_as_the_pipeline_does(name, families):
    explorer = Explorer.open(families(name), device="cpu", dtype=torch.bfloat16)
    pipeline = diffusers.DiffusionPipeline.from_pretrained(families(name), torch_dtype=torch.bfloat16)
    asked = {"prompts": PROMPTS[:1], "seeds": [3], "guidance": 4.0}
    torch.testing.assert_close(ours(explorer, **asked), theirs(pipeline, **asked).float(), atol=TOLERANCE, rtol=0)


def test_an_option_that_the_pipeline_refuses_is_one_line(refused, tmp_path):
    built("z_image").save_pretrained(tmp_path)
    (tmp_path / "thoughtspace.json").write_text(json.dumps({"size": SIDE}))
    explorer = Explorer.open(tmp_path, device="cpu")
    for name in ("dpm++", "unipc"):  # neither reads the list of noise levels that this pipeline gives
        with refused(ModelError, "options", "ZImagePipeline"):
            explorer.decode("a fox", steps=2, scheduler=name)
    with refused(ModelError, "scheduler", "'euler'", "dpm++ or unipc"):
        explorer.decode("a fox", steps=2, scheduler="euler")
    (tmp_path / "thoughtspace.json").write_text(json.dumps({"size": "large"}))
    with refused(ModelError, "size", "'large'"):
        Explorer.open(tmp_path, device="cpu")
