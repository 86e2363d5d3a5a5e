"""Families that decode a joint vector against their own unmodified pipelines: equal pictures of pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
import transformers

from thoughtspace.explorer.diffusion.loop import denoise, noise_for, seeded
from thoughtspace.explorer.errors import ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer, replay
from thoughtspace.explorer.models.reference import Reference, trained_norm
from thoughtspace.explorer.spaces.space import EncodesTexts

from . import joint_models as small
from .conftest import stable_diffusion, stable_diffusion_xl

TOLERANCE = 1e-4  # in [0, 1]
STEPS, SEEDS, PROMPTS = 3, [3, 1, 4], ["a red fox", "a smiling face with a hat", "a blue cat"]

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


def saved(tiny_model: Path, folder: Path, build: Callable[[Any], Any]) -> Path:
    tokenizer = transformers.CLIPTokenizer.from_pretrained(tiny_model / "clip")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        build(tokenizer).save_pretrained(folder)
    return folder


def theirs(folder: Path) -> Any:
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def ours(explorer: Explorer, vectors: Any, *, seeds: list[int], prompts: Any = None, guidance: float = 4.0) -> Any:
    model = explorer.model
    generators = seeded(seeds)
    texts = None if prompts is None else model.denoiser.encode_prompts(prompts)
    conditioning = model.denoiser.conditioning(generators, prompts=texts, joint=vectors)
    noise = noise_for(generators, model.denoiser.latent_shape)
    *_, last = denoise(model.denoiser, conditioning, noise, steps=STEPS, guidance=guidance, generators=generators)
    return (model.autoencoder.decode(last.x_next) / 2 + 0.5).clamp(0, 1)


# --- Stable Diffusion 2.1-unCLIP


@pytest.fixture(scope="module")
def unclip_folder(tiny_model, tmp_path_factory) -> Path:
    return saved(tiny_model, tmp_path_factory.mktemp("unclip") / "unclip", small.unclip)


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


def test_unclip_with_a_prior_opens_with_its_decoder_alone(tiny_model, tmp_path):
    folder = saved(tiny_model, tmp_path / "texts", small.unclip_of_texts)
    explorer, vectors = Explorer.open(folder, device="cpu"), torch.randn(3, small.JOINT)
    assert list(explorer.spaces) == ["latent", "prompt", "noise"]
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
    kept = unclip.model.denoiser.normalizer
    drawn = kept.mean.detach() + kept.std.detach() * torch.randn(
        20_000, small.JOINT, generator=torch.Generator().manual_seed(0)
    )
    length = float((drawn**2).sum(-1).mean().sqrt())
    assert unclip.joint.norm == pytest.approx(length, rel=0.01)
    assert unclip.joint.norm == trained_norm(kept.mean, kept.std)


# --- joint spaces of pictures alone


def test_a_walk_and_its_file(unclip, pictures, tmp_path):
    assert list(unclip.spaces) == ["joint", "latent", "prompt", "noise", "joint-raw"]
    walk = unclip.walk(unclip.joint.image(*pictures[:2]), frames=3, steps=2)
    assert (len(walk.images), len(walk.distances)) == (3, 2)
    (file,) = unclip.joint.decode(unclip.joint.image(pictures[0]), steps=2, seed=5).save(tmp_path / "a.png")
    assert unclip.replay(file).identical
    assert replay(file).identical


def test_texts_are_refused_in_one_line_that_says_what_to_do(unclip):
    assert not isinstance(unclip.joint, EncodesTexts)
    with pytest.raises(SpaceError, match=r"encoder of pictures alone.*open a pair of clip/ and diffusion/"):
        unclip.joint.text("a fox")
    with pytest.raises(SpaceError, match="encoder of pictures alone"):
        unclip.decode('"a fox" - "a cat"', "joint")
    with pytest.raises(ModelError, match="encoder of pictures alone"):
        unclip.model.clip.encode_texts(["a fox"])
    assert unclip.usual_space == "prompt"


def test_a_measured_reference_centres_and_is_another_model(unclip, pictures, tmp_path):
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
    with pytest.raises(SpaceError, match="never mix"):
        centred.decode(unclip.joint.image(pictures[0]))
    (file,) = centred.decode(centred.joint.image(pictures[0]), steps=2).save(tmp_path / "a.png")
    assert unclip.with_reference(again).replay(file).identical
    with pytest.raises(ModelError, match="open the model that it was made with"):
        unclip.replay(file)


def test_a_reference_beside_the_encoder_is_found(unclip, unclip_folder, pictures, tmp_path):
    copy = Path(shutil.copytree(unclip_folder, tmp_path / "copy"))
    reference = unclip.measure_reference(pictures)
    reference.save(copy / "reference.safetensors")
    opened = Explorer.open(copy, device="cpu")
    assert opened.model.clip.reference.digest == reference.digest
    assert opened.model.hash != unclip.model.hash


@pytest.mark.parametrize(
    ("reference", "said"), [(Reference.uncentred(7, 1.0), "width 7 for a CLIP of width 48"), (None, "1 pictures")]
)
def test_a_bad_reference_is_refused(unclip, pictures, reference, said):
    with pytest.raises(ModelError, match=said):
        unclip.with_reference(reference or unclip.measure_reference(pictures[:1]))


def test_a_pickled_image_encoder_is_refused(unclip_folder, tmp_path):
    copy = Path(shutil.copytree(unclip_folder, tmp_path / "copy"))
    weights = copy / "image_encoder" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(ModelError, match=r"Got pickled weights pytorch_model\.bin"):
        Explorer.open(copy, device="cpu")


# --- IP-Adapter


ADAPTERS = {
    "sd15": (stable_diffusion, "models/ip-adapter_sd15.safetensors"),
    "sdxl": (stable_diffusion_xl, "sdxl_models/ip-adapter_sdxl.safetensors"),
}


@pytest.fixture(scope="module", params=sorted(ADAPTERS))
def adapter_folder(request, tiny_model, tmp_path_factory) -> Path:
    """`diffusion/` and `adapter/`, the latter as its makers lay it out."""
    build, weights = ADAPTERS[request.param]
    folder = tmp_path_factory.mktemp("adapter") / request.param
    saved(tiny_model, folder / "diffusion", build)
    place = folder / "adapter" / weights
    with torch.random.fork_rng():
        torch.manual_seed(1)
        small.save_adapter(place.parent, theirs(folder / "diffusion").unet, name=place.name)
    return folder


@pytest.fixture(scope="module")
def adapted(adapter_folder) -> Explorer:
    return Explorer.open(adapter_folder, device="cpu")


@pytest.fixture(scope="module")
def pipeline(adapter_folder) -> Any:
    """The unmodified pipeline with the adapter loaded as its documentation says."""
    made = theirs(adapter_folder / "diffusion")
    (weights,) = (adapter_folder / "adapter").glob("*/*.safetensors")
    made.load_ip_adapter(str(adapter_folder / "adapter"), subfolder=weights.parent.name, weight_name=weights.name)
    return made


def adapters(pipeline: Any, *, prompts: list[str], seeds: list[int], guidance: float = 4.0, **pictures: Any) -> Any:
    return pipeline(
        prompt=prompts,
        height=small.SIDE,
        width=small.SIDE,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=seeded(seeds),
        output_type="pt",
        **pictures,
    ).images


def embeds(vectors: torch.Tensor, guidance: float) -> list[torch.Tensor]:
    """One picture's vector as the pipeline's argument, the negative first if there is one.

    The pipeline shows one picture to all prompts of a call: a batch of several pictures it takes for many of each.
    """
    rows = vectors[:1, None]
    return [torch.cat([torch.zeros_like(rows), rows]) if guidance > 1 else rows]


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_an_adapter_makes_the_pipelines_pictures(adapted, pipeline, pictures, guidance):
    vectors = adapted.model.clip.encode_images(pictures[:1]).expand(3, -1)
    asked = {"prompts": PROMPTS, "seeds": SEEDS, "guidance": guidance}
    expected = adapters(pipeline, **asked, ip_adapter_image_embeds=embeds(vectors, guidance))
    torch.testing.assert_close(ours(adapted, vectors, **asked), expected, atol=TOLERANCE, rtol=0)


def test_an_adapter_alone_is_as_in_company_from_the_picture_itself(adapted, pipeline, pictures):
    together = ours(adapted, adapted.model.clip.encode_images(pictures[:3]), prompts=PROMPTS, seeds=SEEDS)
    for row in range(3):
        asked = {"prompts": PROMPTS[row : row + 1], "seeds": SEEDS[row : row + 1]}
        alone = adapters(pipeline, **asked, ip_adapter_image=pictures[row])
        torch.testing.assert_close(together[row], alone[0], atol=TOLERANCE, rtol=0)


def test_another_scale_is_the_pipelines_and_is_seen(adapted, pipeline, pictures):
    vectors = adapted.model.clip.encode_images(pictures[:1]).expand(2, -1)
    asked = {"prompts": PROMPTS[:2], "seeds": SEEDS[:2]}
    whole, model = ours(adapted, vectors, **asked), adapted.model
    half = Explorer(replace(model, opened_denoiser=model.denoiser.scaled(0.5)))
    pipeline.set_ip_adapter_scale(0.5)
    expected = adapters(pipeline, **asked, ip_adapter_image_embeds=embeds(vectors, 4.0))
    pipeline.set_ip_adapter_scale(1.0)
    torch.testing.assert_close(ours(half, vectors, **asked), expected, atol=TOLERANCE, rtol=0)
    assert (whole - expected).abs().max() > 3 * TOLERANCE  # negative control
    with pytest.raises(ModelError, match="Got adapter scale -1"):
        model.denoiser.scaled(-1)


def test_without_a_picture_it_is_the_model_without_the_adapter(adapted, adapter_folder):
    asked = {"prompts": PROMPTS, "seeds": SEEDS}
    plain = Explorer.open(adapter_folder / "diffusion", device="cpu")
    assert torch.equal(ours(adapted, None, **asked), ours(plain, None, **asked))


def test_an_adapter_walks_and_replays_with_its_scale(adapted, pictures, tmp_path):
    assert list(adapted.spaces) == ["joint", "latent", "prompt", "noise", "joint-raw"]
    walk = adapted.walk(adapted.joint.image(*pictures[:2]), frames=3, steps=2)
    assert len(walk.images) == 3
    half = Explorer(replace(adapted.model, opened_denoiser=adapted.model.denoiser.scaled(0.5)))
    images = half.joint.decode(half.joint.image(pictures[0]), steps=2, seed=5, prompt="a fox")
    assert images.provenances[0].record["options"]["adapter_scale"] == 0.5
    (file,) = images.save(tmp_path / "a.png")
    assert adapted.replay(file).identical  # by the record's scale, not by its own
    assert replay(file).identical


def test_the_adapter_belongs_to_the_model(adapted, adapter_folder, tmp_path):
    copy = Path(shutil.copytree(adapter_folder, tmp_path / "copy"))
    (weights,) = (copy / "adapter").glob("*/*.safetensors")
    torch.manual_seed(3)
    shutil.rmtree(weights.parent)
    small.save_adapter(weights.parent, adapted.model.denoiser.unet, name=weights.name)
    assert Explorer.open(copy, device="cpu").model.hash != adapted.model.hash


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pickled", r"Got pickled weights ip-adapter_\w+\.bin"),
        ("plus", "reads more of a picture than one vector"),
        ("other", "no IP-Adapter, expected a plain one"),
        ("encoder", "without the image encoder"),
        ("damaged", "which is damaged"),
        ("several", "Got 2 adapters .* give the file"),
        ("empty", "Got no IP-Adapter in"),
        ("family", "attends to width 16 and one of width"),
        ("width", "without the image encoder that makes them"),
    ],
)
def test_bad_adapters_are_one_clear_error(adapter_folder, tmp_path, change, said):
    from safetensors.torch import load_file, save_file

    copy = Path(shutil.copytree(adapter_folder, tmp_path / "copy"))
    (weights,) = (copy / "adapter").glob("*/*.safetensors")
    tensors = load_file(weights)
    weights.unlink()
    if change == "pickled":
        weights.with_suffix(".bin").write_bytes(b"")
    elif change == "damaged":
        weights.write_bytes(b"nothing")
    elif change == "plus":
        kept = {name: tensor for name, tensor in tensors.items() if "image_proj" not in name}
        save_file({**kept, "image_proj.latents": torch.zeros(1, 16, 8)}, weights)
    elif change == "other":
        save_file({"something": torch.zeros(1)}, weights)
    elif change == "several":
        for name in ("one", "two"):
            save_file(tensors, weights.with_name(f"{name}.safetensors"))
    elif change == "family":
        save_file({**tensors, "image_proj.proj.weight": torch.zeros(64, small.JOINT)}, weights)
    elif change == "width":
        save_file({**tensors, "image_proj.proj.weight": tensors["image_proj.proj.weight"][:, :40].clone()}, weights)
    elif change == "encoder":
        save_file(tensors, weights)
        shutil.rmtree(weights.parent / "image_encoder")
    with pytest.raises(ModelError, match=said):
        Explorer.open(copy, device="cpu")


def test_a_clip_of_another_width_is_one_clear_error(adapter_folder, tiny_model, tmp_path):
    copy = Path(shutil.copytree(adapter_folder, tmp_path / "copy"))
    shutil.copytree(tiny_model / "clip", copy / "clip")
    with pytest.raises(ModelError, match="Got a CLIP of width 64 and a denoiser for joint vectors of width 48"):
        Explorer.open(copy, device="cpu")


# --- Kandinsky 2.2


SCHEDULERS = {
    "fixed": small.ddpm,  # as the model's makers publish it: the learned variance is dropped
    "learned": lambda: small.ddpm(variance_type="learned_range"),
    "ddim": lambda: diffusers.DDIMScheduler(beta_start=0.00085, beta_end=0.012, clip_sample=False),
}


def kandinsky_saved(tiny_model: Path, folder: Path, scheduler: str) -> Path:
    return saved(tiny_model, folder, lambda each: small.kandinsky(each, scheduler=SCHEDULERS[scheduler]()))


@pytest.fixture(scope="module")
def kandinsky_folder(tiny_model, tmp_path_factory) -> Path:
    return kandinsky_saved(tiny_model, tmp_path_factory.mktemp("kandinsky") / "fixed", "fixed")


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
    together = ours(kandinsky, vectors, seeds=SEEDS)
    for row in range(3):
        alone = kandinskys(kandinsky_folder, vectors[row : row + 1], seeds=SEEDS[row : row + 1])
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


def test_kandinsky_walks_replays_and_reads_no_prompt(kandinsky, pictures, tmp_path):
    assert list(kandinsky.spaces) == ["joint", "latent", "noise", "joint-raw"]
    walk = kandinsky.walk([kandinsky.joint.image(pictures[0]), "a red fox"], frames=3, steps=2)
    assert len(walk.images) == 3
    (file,) = kandinsky.decode('"a king" - "a man" + "a woman"', steps=2, seed=5).save(tmp_path / "a.png")
    assert kandinsky.replay(file).identical
    assert replay(file).identical
    assert len(kandinsky.noise.decode(kandinsky.noise.draw(1, 2), steps=2)) == 2
    for option in ("prompt", "negative"):
        with pytest.raises(ModelError, match="reads no text"):
            kandinsky.decode("a fox", steps=2, **{option: "a cat"})
    with pytest.raises(SpaceError, match="Got space 'prompt'"):
        kandinsky.decode("a fox", "prompt")


def test_a_measured_reference_closes_the_gap(kandinsky, pictures):
    texts = [f"a {colour} {thing}" for colour in ("red", "green", "blue") for thing in ("fox", "cat", "hat")]

    def gap(explorer: Explorer) -> float:
        means = (explorer.joint.image(*pictures).values.mean(0), explorer.joint.text(*texts).values.mean(0))
        return float((means[0] - means[1]).norm())

    centred = kandinsky.with_reference(kandinsky.measure_reference(pictures, texts))
    assert gap(centred) < gap(kandinsky) / 2
    with pytest.raises(ModelError, match="expected many of each"):
        kandinsky.measure_reference(pictures)


def test_a_decoder_and_a_prior_are_a_pair(kandinsky, kandinsky_folder, pictures, tmp_path):
    """As they are published: two folders, here `diffusion/` and `clip/`; and the decoder alone says what it lacks."""
    combined = theirs(kandinsky_folder)
    combined.decoder_pipe.save_pretrained(tmp_path / "pair" / "diffusion")
    combined.prior_pipe.save_pretrained(tmp_path / "pair" / "clip")
    pair, vectors = Explorer.open(tmp_path / "pair", device="cpu"), kandinsky.model.clip.encode_images(pictures[:2])
    assert torch.equal(pair.model.clip.encode_images(pictures[:2]), vectors)
    assert torch.equal(ours(pair, vectors, seeds=SEEDS[:2]), ours(kandinsky, vectors, seeds=SEEDS[:2]))
    alone = Explorer.open(tmp_path / "pair" / "diffusion", device="cpu")
    assert list(alone.spaces) == ["latent", "noise"]
    with pytest.raises(ModelError, match="without the CLIP whose vectors it decodes"):
        alone.noise.decode(alone.noise.draw(1), steps=2)


@pytest.mark.parametrize("part", ["unet", "movq", "prior_text_encoder"])
def test_a_pickled_part_of_kandinsky_is_refused(kandinsky_folder, tmp_path, part):
    copy = Path(shutil.copytree(kandinsky_folder, tmp_path / "copy"))
    (weights,) = (copy / part).glob("*.safetensors")
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(ModelError, match=r"Got pickled weights pytorch_model\.bin"):
        Explorer.open(copy, device="cpu")
