"""A prior draws points of pictures that a text could be of: as the library's pipeline does, and each by its seed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import diffusers
import pytest
import torch
from diffusers.pipelines.stable_diffusion import StableUnCLIPPipeline
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from thoughtspace.explorer import Explorer
from thoughtspace.explorer.errors import CannotError, ModelError, SpaceError

STEPS = 4


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a random prior, in the layout of `StableUnCLIPPipeline`."""
    place = tmp_path_factory.mktemp("imagining") / "model"
    shutil.copytree(tiny_model, place)
    diffusion = place / "diffusion"
    width = json.loads((diffusion / "image_encoder" / "config.json").read_text())["projection_dim"]
    text = json.loads((diffusion / "text_encoder" / "config.json").read_text())
    torch.manual_seed(0)
    config = CLIPTextConfig(**{**text, "projection_dim": width})
    CLIPTextModelWithProjection(config).save_pretrained(diffusion / "prior_text_encoder")
    prior = diffusers.PriorTransformer(
        num_attention_heads=2,
        attention_head_dim=text["hidden_size"] // 2,
        num_layers=1,
        embedding_dim=width,
        num_embeddings=text["max_position_embeddings"],
        encoder_hid_proj_type=None,
    )
    torch.nn.init.normal_(prior.clip_std, std=2.0)
    torch.nn.init.normal_(prior.positional_embedding)
    prior.save_pretrained(diffusion / "prior")
    shutil.copytree(diffusion / "tokenizer", diffusion / "prior_tokenizer")
    scheduler = diffusers.DDIMScheduler(prediction_type="sample", clip_sample=False, timestep_spacing="trailing")
    scheduler.save_pretrained(diffusion / "prior_scheduler")
    index = json.loads((diffusion / "model_index.json").read_text())
    index |= {
        "prior": ["diffusers", "PriorTransformer"],
        "prior_text_encoder": ["transformers", "CLIPTextModelWithProjection"],
        "prior_tokenizer": index["tokenizer"],
        "prior_scheduler": ["diffusers", "DDIMScheduler"],
    }
    (diffusion / "model_index.json").write_text(json.dumps(index))
    return place


@pytest.fixture(scope="module")
def imagining(folder: Path) -> Explorer:
    return Explorer.open(folder, device="cpu")


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_draws_are_those_of_the_librarys_pipeline(imagining, folder, guidance):
    """Oracle: what an unmodified `StableUnCLIPPipeline` hands to its decoder."""
    pipeline = StableUnCLIPPipeline.from_pretrained(folder / "diffusion")
    pipeline.set_progress_bar_config(disable=True)
    seen = []
    pipeline.noise_image_embeddings = lambda image_embeds, **_: (
        seen.append(image_embeds.clone()) or torch.cat([image_embeds] * 2, dim=1)
    )
    pipeline(
        "a red fox",
        num_inference_steps=1,
        generator=torch.Generator().manual_seed(5),
        prior_num_inference_steps=STEPS,
        prior_guidance_scale=guidance,
        guidance_scale=1.0,
        output_type="latent",
    )
    drawn = imagining.model.prior.draw(["a red fox"], [5], steps=STEPS, guidance=guidance)
    torch.testing.assert_close(drawn, seen[0], rtol=1e-4, atol=1e-4)
    other = imagining.model.prior.draw(["a blue cat"], [5], steps=STEPS, guidance=guidance)
    assert not torch.allclose(drawn, other, atol=1e-2)  # negative control: it reads the text


def test_the_pipeline_of_pictures_still_opens_the_folder(folder):
    pipeline = diffusers.StableUnCLIPImg2ImgPipeline.from_pretrained(folder / "diffusion")
    assert "prior" not in pipeline.components


def test_a_draw_belongs_to_its_seed_alone(imagining):
    several = imagining.joint.imagine("a red fox", n=3, seed=4)
    assert several.shape == (3, imagining.model.clip.dim)
    alone = imagining.joint.imagine("a red fox", n=1, seed=5)
    assert torch.equal(several.values[1:2], alone.values)
    assert not torch.allclose(several.values[0], several.values[1])
    torch.testing.assert_close(several.values.norm(dim=1), torch.ones(3))
    assert "seed 5" in str(several.origin[1])


def test_variety_leads_from_the_texts_own_point_to_the_draw(imagining):
    joint = imagining.joint
    own, drawn = joint.text("a red fox"), joint.imagine("a red fox", n=2)
    none = joint.imagine("a red fox", n=2, variety=0)
    torch.testing.assert_close(none.values, own.values.expand(2, -1), atol=1e-6, rtol=0)
    half = joint.imagine("a red fox", n=2, variety=0.5)
    for end in (own.values.expand(2, -1), drawn.values):  # half of the angle to either
        whole = torch.acos((own.values * drawn.values).sum(1))
        torch.testing.assert_close(torch.acos((half.values * end).sum(1)), whole / 2, atol=1e-3, rtol=0)


def test_a_sentence_is_decoded_into_a_draw_for_each_seed(imagining, tmp_path):
    seeds = [3, 4]
    images = imagining.decode("a red fox", seed=seeds, steps=2, variety=1.0)
    drawn = imagining.joint.imagine("a red fox", n=2, seed=3)
    expected = imagining.joint.decode(drawn, seed=seeds, steps=2)
    torch.testing.assert_close(images.pixels, expected.pixels, rtol=0, atol=0)
    plain = imagining.decode("a red fox", seed=seeds, steps=2)
    assert not torch.equal(images.pixels, plain.pixels)
    record = images.provenances[0].record
    assert "variety" not in record["options"]  # the record holds the drawn point
    paths = images.save(tmp_path / "foxes")
    assert all(imagining.replay(path).identical for path in paths)


@pytest.fixture(scope="module")
def usual(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Explorer:
    """The same model, whose sentences are drawn halfway unless asked otherwise."""
    place = Path(shutil.copytree(folder, tmp_path_factory.mktemp("usual") / "model"))
    file = place / "diffusion" / "thoughtspace.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"variety": 0.5}))
    return Explorer.open(place, device="cpu")


def test_a_sentence_is_drawn_as_the_model_usually_does_and_a_point_is_decoded_as_it_is(usual, imagining):
    assert usual.model.hash == imagining.model.hash  # it changes no weights
    how = {"seed": [3, 4], "steps": 2}
    plain, halfway = (imagining.decode("a red fox", **how, **more).pixels for more in ({}, {"variety": 0.5}))
    assert torch.equal(usual.decode("a red fox", **how).pixels, halfway)
    assert torch.equal(usual.decode("a red fox", **how, variety=0).pixels, plain)
    assert torch.equal(usual.decode(usual.joint.text("a red fox"), **how).pixels, plain)
    assert torch.equal(usual.joint.decode(usual.joint.text("a red fox"), **how).pixels, plain)
    for calculated in ('"a red fox" + "a cat"', '0.5 * "a red fox"'):
        expected = imagining.decode(calculated, **how).pixels
        assert torch.equal(usual.decode(calculated, **how).pixels, expected)
    ends = usual.walk(["a red fox", "a cat"], 2, spacing="uniform", steps=2, seed=3).images.pixels
    assert torch.equal(
        ends, imagining.walk(["a red fox", "a cat"], 2, spacing="uniform", steps=2, seed=3).images.pixels
    )


def test_a_usual_variety_out_of_range_is_refused(refused, folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "diffusion" / "thoughtspace.json").write_text('{"variety": 2}')
    with refused(ModelError, "variety", "2", "thoughtspace.json"):
        Explorer.open(copy, device="cpu")


def test_what_cannot_be_imagined_is_refused(refused, imagining, tiny_explorer):
    with refused(SpaceError, "variety", "1 are not those of a text"):
        imagining.decode('"a fox" + "a cat"', variety=1.0, steps=1)
    with refused(CannotError, "no prior", "no prior"):
        tiny_explorer.joint.imagine("a red fox")
    with refused(ModelError, "variety", "variety=0.5"):
        tiny_explorer.decode("a red fox", variety=0.5, steps=1)
    for name, wrong in (("n", 0), ("seed", -1), ("variety", 1.5)):
        with refused(SpaceError, name, str(wrong)):
            imagining.joint.imagine("a red fox", **{name: wrong})


def test_half_a_prior_is_refused(refused, folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "diffusion" / "prior" / "diffusion_pytorch_model.safetensors").unlink()
    with refused(ModelError, "does not open", "a prior", str(copy)):
        Explorer.open(copy, device="cpu")
