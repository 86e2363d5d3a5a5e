"""The prompts of each family against its own unmodified pipeline: encoded, weighed, in chunks, and led away from."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

from thoughtspace.explorer.diffusion.loop import seeded
from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.explorer import Explorer

from .conftest import FAMILIES, unmodified

TOLERANCE = 1e-4  # in [0, 1]
SIDE, STEPS, SEED = 64, 3, 5
PROMPT, NEGATIVE = "a red fox with a hat", "a sad man"
LONG = "a red fox and a blue cat with a green hat on the mountain and the king in a hat with a smiling queen"

TRANSFORMERS = ["flux", "schnell", "stable_diffusion_3", "stable_diffusion_3_without_t5", "stable_diffusion_35"]
DISTILLED = ["flux", "schnell", "latent_consistency", "latent_consistency_xl"]

of_unets, of_transformers, with_two_sides = (
    pytest.mark.parametrize("family_folder", names, indirect=True, scope="module")
    for names in (
        sorted({*FAMILIES} - {*TRANSFORMERS}),
        TRANSFORMERS,
        sorted({*FAMILIES} - {*DISTILLED}),  # guidance is an input of the others, which have no negative side
    )
)

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


@pytest.fixture(scope="module")
def explorer(family: Explorer) -> Explorer:
    return family


@pytest.fixture(scope="module")
def pipeline(family_folder: Path) -> Any:
    return unmodified(family_folder)


def encoded(pipeline: Any, prompt: str) -> dict[str, torch.Tensor]:
    """What the pipeline makes of a prompt, by the names of its call."""
    given = inspect.signature(pipeline.encode_prompt).parameters
    options = {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    asked = {name: value for name, value in {**options, "prompt_2": None, "prompt_3": None}.items() if name in given}
    with torch.inference_mode():
        answer = pipeline.encode_prompt([prompt], **asked)
    pooled = next((each for each in answer[1:] if each is not None and each.dim() == 2 and len(each) == 1), None)
    return {"prompt_embeds": answer[0]} | ({} if pooled is None else {"pooled_prompt_embeds": pooled})


def pictures(pipeline: Any, **options: Any) -> Any:
    size = {"height": SIDE, "width": SIDE, "num_inference_steps": STEPS, "output_type": "pt"}
    return pipeline(**size, generator=seeded([SEED]), guidance_scale=4.0, **options).images[0]


def decoded(space: Any, points: Any, negative: str) -> torch.Tensor:
    """The picture before it is rounded to bytes."""
    return space.decode(points, seed=SEED, steps=STEPS, guidance=4.0, negative=negative).pixels[0]


def test_points_are_what_the_pipeline_encodes(explorer, pipeline):
    space, expected = explorer.prompt, encoded(pipeline, PROMPT)
    points = space.text(PROMPT)
    torch.testing.assert_close(space.states(points), expected["prompt_embeds"], atol=1e-6, rtol=0)
    if "pooled_prompt_embeds" in expected:
        torch.testing.assert_close(space.pooled(points), expected["pooled_prompt_embeds"], atol=1e-6, rtol=0)
    else:
        assert space.pooled(points) is None
    other = encoded(pipeline, NEGATIVE)["prompt_embeds"]
    assert (space.states(points) - other).abs().max() > 1e-3  # negative control


@with_two_sides
def test_what_guidance_leads_away_from_is_encoded_as_the_pipeline_does(explorer, pipeline):
    denoiser, expected = explorer.model.denoiser, encoded(pipeline, NEGATIVE)
    guided = denoiser.conditioning(seeded([0]), negative=NEGATIVE).negative
    torch.testing.assert_close(guided["states"], expected["prompt_embeds"], atol=1e-6, rtol=0)
    if "pooled_prompt_embeds" in expected:
        torch.testing.assert_close(guided["pooled"], expected["pooled_prompt_embeds"], atol=1e-6, rtol=0)


def test_an_empty_negative_is_what_the_family_was_trained_with(explorer, pipeline):
    negative = explorer.model.denoiser.conditioning(seeded([0])).negative["states"]
    zeros = pipeline.config.get("force_zeros_for_empty_prompt", False)
    expected = encoded(pipeline, "")["prompt_embeds"] * (0 if zeros else 1)
    torch.testing.assert_close(negative, expected, atol=1e-6, rtol=0)


@with_two_sides
def test_a_negative_prompt_makes_the_pipelines_picture(explorer, pipeline):
    made = decoded(explorer.prompt, explorer.prompt.text(PROMPT), NEGATIVE)
    expected = pictures(pipeline, prompt=PROMPT, negative_prompt=NEGATIVE)
    assert (made - expected).abs().max() < TOLERANCE
    without = pictures(pipeline, prompt=PROMPT)
    assert (without - expected).abs().max() > 1e-3  # negative control


def test_every_row_has_a_name_and_words_are_found_in_it(explorer):
    space = explorer.prompt
    names, layout = space.tokens(PROMPT), space.layout
    assert len(names) == layout.tokens == space.states(space.text(PROMPT)).shape[1]
    start = PROMPT.index("red")
    for reading in layout.readings:
        rows = reading.rows(PROMPT, (start, start + 3))
        named = "".join(names[row] for row in rows).replace("</w>", "")
        assert named.strip("▁") == "red"


def test_weights_of_one_change_nothing_and_others_do(explorer):
    space = explorer.prompt
    plain = space.text(PROMPT)
    for method in ("blend", "scale"):
        same = space.weighted("a (red:1.0) fox with a hat", method=method)
        assert torch.equal(same.values, plain.values)
        other = space.weighted("a (red:1.4) fox with a hat", method=method)
        assert not torch.equal(other.values, plain.values)


def test_blend_moves_the_states_of_the_word_alone_on_the_line_from_the_empty_prompts(explorer):
    space = explorer.prompt
    plain, empty = space.states(space.text(PROMPT))[0], space.states(space.text(""))[0]
    at = PROMPT.index("red")
    word = torch.zeros_like(plain, dtype=torch.bool)
    for reading in space.layout.readings:
        word[reading.rows(PROMPT, (at, at + 3)), slice(*reading.columns)] = True
    assert 0 < int(word.sum()) < word.numel()
    for weight in (0.0, 0.5, 1.7):
        points = space.weighted(f"a (red:{weight}) fox with a hat")
        made = space.states(points)[0]
        assert torch.equal(made[~word], plain[~word])
        torch.testing.assert_close(made[word], (empty + weight * (plain - empty))[word], atol=1e-6, rtol=1e-6)
        pooled = space.pooled(points)
        assert pooled is None or torch.equal(pooled, space.pooled(space.text(PROMPT)))
    assert torch.equal(space.states(space.weighted("a (red:0) fox with a hat"))[0][word], empty[word])


def test_scale_restores_the_mean_of_what_each_encoder_wrote(explorer):
    space = explorer.prompt
    plain = space.states(space.text(PROMPT))[0]
    made = space.states(space.weighted("a (red:1.4) fox with a hat", method="scale"))[0]
    for reading in space.layout.readings:
        block = (slice(reading.first, reading.first + reading.limit), slice(*reading.columns))
        torch.testing.assert_close(made[block].mean(), plain[block].mean(), atol=1e-6, rtol=1e-4)


@of_unets
def test_two_chunks_are_what_the_pipeline_encodes_of_the_two_halves(explorer, pipeline):
    space = explorer.space("prompt-x2")
    limit = pipeline.tokenizer.model_max_length
    ids = pipeline.tokenizer(LONG, add_special_tokens=False).input_ids
    assert limit - 2 < len(ids) <= 2 * (limit - 2)
    halves = [pipeline.tokenizer.decode(some) for some in (ids[: limit - 2], ids[limit - 2 :])]
    expected = [encoded(pipeline, half) for half in halves]
    points = space.text(LONG)
    assert space.truncated(LONG) == [False]
    states = torch.cat([each["prompt_embeds"] for each in expected], dim=1)
    torch.testing.assert_close(space.states(points), states, atol=1e-6, rtol=0)
    if space.pooled(points) is not None:
        torch.testing.assert_close(space.pooled(points), expected[0]["pooled_prompt_embeds"], atol=1e-6, rtol=0)


@of_unets
def test_a_prompt_in_chunks_makes_the_picture_of_the_pipeline_that_is_given_its_states(explorer, pipeline):
    space = explorer.prompt.chunked(2)
    points, against = space.text(LONG), space.text(NEGATIVE)
    sides = {"": points} if explorer.model.denoiser.distilled else {"": points, "negative_": against}
    given = {f"{side}prompt_embeds": space.states(each) for side, each in sides.items()}
    if space.pooled(points) is not None:
        given |= {f"{side}pooled_prompt_embeds": space.pooled(each) for side, each in sides.items()}
    negative = NEGATIVE if len(sides) == 2 else ""
    made, expected = decoded(space, points, negative), pictures(pipeline, **given)
    assert (made - expected).abs().max() < TOLERANCE
    with pytest.warns(UserWarning, match="tokens longer than the model reads"):
        cut = decoded(explorer.prompt, explorer.prompt.text(LONG), negative)
    assert (made - cut).abs().max() > 3 * TOLERANCE  # negative control: what was cut is seen


@of_unets
def test_one_chunk_is_the_plain_space_and_the_first_of_two_has_its_bits(explorer):
    space = explorer.prompt
    assert space.chunked(1) is space
    assert explorer.space("prompt-x1") is space
    plain, two = space.text(PROMPT), space.chunked(2).text(PROMPT)
    tokens = space.layout.tokens
    assert torch.equal(space.chunked(2).states(two)[:, :tokens], space.states(plain))
    assert torch.equal(space.chunked(2).states(two)[:, tokens:], space.states(space.text("")))


@of_transformers
def test_transformers_say_that_they_read_one_chunk(refused, explorer):
    with refused(ModelError, "chunks", "2 chunks", explorer.model.denoiser.facts.pipeline):
        explorer.space("prompt-x2")
