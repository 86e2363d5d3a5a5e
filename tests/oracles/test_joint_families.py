"""Stable Diffusion 2.1-unCLIP against its own unmodified pipeline, and joint spaces of pictures alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from thoughtspace.explorer.diffusion.loop import seeded
from thoughtspace.explorer.errors import CannotError, ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer, replay
from thoughtspace.explorer.models.reference import Reference, trained_norm

from . import joint_models as small
from .joint_models import PROMPTS, SEEDS, STEPS, TOLERANCE, ours, theirs

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


@pytest.fixture(scope="module")
def unclip_folder(families) -> Path:
    return families("unclip")


@pytest.fixture(scope="module")
def unclip(unclip_folder) -> Explorer:
    return Explorer.open(unclip_folder, device="cpu")


def unclips(pipeline: Any, image: Any, *, prompts: list[str], seeds: list[int], guidance: float = 4.0) -> Any:
    vectors = {"image_embeds": image} if isinstance(image, torch.Tensor) else {"image": image}
    return pipeline(
        **vectors,
        prompt=prompts,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=seeded(seeds),
        output_type="pt",
    ).images


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_unclip_makes_the_pipelines_pictures_of_pictures(unclip, unclip_folder, pictures, guidance):
    """From the picture itself: the pipeline's own encoder, noising and guidance, in a batch of different items."""
    expected = unclips(theirs(unclip_folder), pictures[:3], prompts=PROMPTS, seeds=SEEDS, guidance=guidance)
    vectors = unclip.model.clip.encode_images(pictures[:3])
    made = ours(unclip, vectors, seeds=SEEDS, prompts=PROMPTS, guidance=guidance)
    torch.testing.assert_close(made, expected, atol=TOLERANCE, rtol=0)


def test_unclip_alone_is_as_in_company(unclip, unclip_folder, pictures):
    pipeline = theirs(unclip_folder)
    vectors = unclip.model.clip.encode_images(pictures[:3])
    together = ours(unclip, vectors, seeds=SEEDS, prompts=PROMPTS)
    for row in range(3):
        alone = unclips(pipeline, pictures[row], prompts=PROMPTS[row : row + 1], seeds=SEEDS[row : row + 1])
        torch.testing.assert_close(together[row], alone[0], atol=TOLERANCE, rtol=0)


def test_another_picture_is_seen(unclip, unclip_folder, pictures):
    """Negative control: the tolerance tells one picture's vector from another's."""
    expected = unclips(theirs(unclip_folder), pictures[0], prompts=PROMPTS[:1], seeds=[3])
    made = ours(unclip, unclip.model.clip.encode_images(pictures[1:2]), seeds=[3], prompts=PROMPTS[:1])
    assert (made - expected).abs().max() > 3 * TOLERANCE


def test_unclip_with_a_prior_opens_with_its_decoder_alone(families):
    folder = families("unclip_of_texts")
    explorer, vectors = Explorer.open(folder, device="cpu"), torch.randn(3, small.JOINT)
    assert list(explorer.spaces) == ["latent", "prompt", "noise", "bottleneck"]
    pipeline = theirs(folder)
    decoder = diffusers.StableUnCLIPImg2ImgPipeline(
        **{name: getattr(pipeline, name) for name in small.UNCLIP_PARTS},
        feature_extractor=None,
        image_encoder=small.image_tower(),
    )
    decoder.set_progress_bar_config(disable=True)
    expected = unclips(decoder, vectors.clone(), prompts=PROMPTS, seeds=SEEDS)
    torch.testing.assert_close(ours(explorer, vectors, seeds=SEEDS, prompts=PROMPTS), expected, atol=TOLERANCE, rtol=0)


def test_the_usual_length_is_that_of_the_statistics(unclip, unclip_folder):
    """√E|x|² of vectors drawn from the normaliser's mean and deviation."""
    kept = unclip.model.denoiser.pipeline.image_normalizer
    drawn = kept.mean.detach() + kept.std.detach() * torch.randn(
        20_000, small.JOINT, generator=torch.Generator().manual_seed(0)
    )
    length = float((drawn**2).sum(-1).mean().sqrt())
    assert unclip.joint.norm == pytest.approx(length, rel=0.01)
    assert unclip.joint.norm == trained_norm(kept.mean, kept.std)


# --- joint spaces of pictures alone


def test_a_walk_and_its_file(unclip, pictures, tmp_path):
    assert list(unclip.spaces) == ["joint", "latent", "prompt", "noise", "bottleneck", "joint-raw"]
    walk = unclip.walk(unclip.joint.image(*pictures[:2]), frames=3, steps=2)
    assert (len(walk.images), len(walk.distances)) == (3, 2)
    (file,) = unclip.joint.decode(unclip.joint.image(pictures[0]), steps=2, seed=5).save(tmp_path / "a.png")
    assert unclip.replay(file).identical
    assert replay(file).identical


def test_texts_are_refused_in_one_line_that_says_what_to_do(refused, unclip):
    assert "text" not in unclip.joint.encodes
    with refused(CannotError, "no text", "img(…)", "clip/ and diffusion/"):
        unclip.joint.text("a fox")
    with refused(CannotError, "no text", "img(…)"):
        unclip.decode('"a fox" - "a cat"', "joint")
    with refused(ModelError, "no text", "img(…)"):
        unclip.model.clip.encode_texts(["a fox"])
    assert unclip.usual_space == "prompt"


def test_a_measured_reference_centres_and_is_another_model(refused, unclip, pictures, tmp_path):
    reference = unclip.measure_reference(pictures)
    again = Reference.load(reference.save(tmp_path / "reference.safetensors"))
    assert again.digest == reference.digest
    centred = unclip.with_reference(again)
    raw = unclip.model.clip.encode_images(pictures)
    torch.testing.assert_close(centred.joint.norm, float(raw.norm(dim=-1).mean()))
    assert centred.joint.image(*pictures).values.mean(0).norm() < unclip.joint.image(*pictures).values.mean(0).norm()
    # A picture's own point still is its own direction, at the usual length.
    vectors = centred.joint.vectors(centred.joint.image(*pictures))
    torch.testing.assert_close(torch.nn.functional.normalize(vectors), torch.nn.functional.normalize(raw))
    with refused(SpaceError, "other space", str(centred.joint.info), str(unclip.joint.info)):
        centred.decode(unclip.joint.image(pictures[0]))
    (file,) = centred.decode(centred.joint.image(pictures[0]), steps=2).save(tmp_path / "a.png")
    assert unclip.with_reference(again).replay(file).identical
    with refused(ModelError, "other model", centred.model.hash[:12], unclip.model.hash[:12]):
        unclip.replay(file)


def test_a_reference_beside_the_encoder_is_found(unclip, unclip_folder, pictures, tmp_path):
    copy = Path(shutil.copytree(unclip_folder, tmp_path / "copy"))
    reference = unclip.measure_reference(pictures)
    reference.save(copy / "reference.safetensors")
    opened = Explorer.open(copy, device="cpu")
    assert opened.model.clip.reference.digest == reference.digest
    assert opened.model.hash != unclip.model.hash


@pytest.mark.parametrize(
    ("reference", "code", "fact"), [(Reference.uncentred(7, 1.0), "width", "width 7"), (None, "too few", "1 pictures")]
)
def test_a_bad_reference_is_refused(refused, unclip, pictures, reference, code, fact):
    with refused(ModelError, code, fact):
        unclip.with_reference(reference or unclip.measure_reference(pictures[:1]))


def test_a_pickled_image_encoder_is_refused(refused, unclip_folder, tmp_path):
    copy = Path(shutil.copytree(unclip_folder, tmp_path / "copy"))
    weights = copy / "image_encoder" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with refused(ModelError, "pickle", "pytorch_model.bin", "image_encoder"):
        Explorer.open(copy, device="cpu")
