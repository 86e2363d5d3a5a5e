"""IP-Adapters on Stable Diffusion and SDXL against the unmodified pipelines with the same adapter loaded."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from thoughtspace.dashboards.cli import main
from thoughtspace.explorer.diffusion.loop import seeded
from thoughtspace.explorer.errors import ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer, replay
from thoughtspace.explorer.models import memory
from thoughtspace.explorer.models.find.parts import Parts, parts_in
from thoughtspace.explorer.models.opening import adapter_in
from thoughtspace.explorer.records.pictures import open_picture
from thoughtspace.explorer.records.provenance import read

from . import joint_models as small
from .conftest import stable_diffusion, stable_diffusion_xl
from .joint_models import PROMPTS, SEEDS, STEPS, TOLERANCE, ours, saved, theirs

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


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


def test_of_several_adapters_the_one_for_the_generator_is_counted(adapter_folder, tmp_path):
    def counted(parts: Parts) -> memory.Weights:
        return memory.weights_to_load(parts, adapter_in(parts))

    alone = counted(parts_in(adapter_folder))
    folder = Path(shutil.copytree(adapter_folder, tmp_path / "two"))
    (file,) = (folder / "adapter").glob("*/*.safetensors")
    tensors = load_file(file) | {"image_proj.proj.weight": torch.zeros(4, 16)}
    save_file(tensors | {"ip_adapter.more": torch.zeros(1000)}, file.with_name("ip-adapter_sd15.other.safetensors"))
    assert counted(parts_in(folder)) == alone
    given = counted(replace(parts_in(folder), adapter=file)).parameters
    assert given == alone.parameters
    without = counted(replace(parts_in(folder), adapter=None)).parameters
    assert alone.parameters - without == memory.weights_of(file, file.parent / "image_encoder").parameters


def test_prompts_keep_their_tokens_and_chunks(adapted):
    space, text = adapted.space("prompt-x2"), "a red fox " * 10
    plain = replace(adapted.model.denoiser, adapter=None)
    assert torch.equal(space.text(text).values, plain.chunked(2).encode_prompts([text]))
    assert space.tokens("a red fox").index("red</w>") == 2
    assert len(adapted.decode(space.text(text), steps=1)) == 1


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


def test_another_scale_is_the_pipelines_and_is_seen(refused, adapted, pipeline, pictures):
    vectors = adapted.model.clip.encode_images(pictures[:1]).expand(2, -1)
    asked = {"prompts": PROMPTS[:2], "seeds": SEEDS[:2]}
    whole = ours(adapted, vectors, **asked)
    pipeline.set_ip_adapter_scale(0.5)
    expected = adapters(pipeline, **asked, ip_adapter_image_embeds=embeds(vectors, 4.0))
    pipeline.set_ip_adapter_scale(1.0)
    torch.testing.assert_close(ours(adapted, vectors, **asked, scale=0.5), expected, atol=TOLERANCE, rtol=0)
    assert (whole - expected).abs().max() > 3 * TOLERANCE  # negative control
    with refused(ModelError, "adapter scale", "-1"):
        adapted.model.denoiser.scaled(-1)


def test_without_a_picture_it_is_the_model_without_the_adapter(adapted, adapter_folder):
    asked = {"prompts": PROMPTS, "seeds": SEEDS}
    plain = Explorer.open(adapter_folder / "diffusion", device="cpu")
    assert torch.equal(ours(adapted, None, **asked), ours(plain, None, **asked))


def test_an_adapter_walks_and_replays_with_its_scale(adapted, pictures, tmp_path):
    assert list(adapted.spaces) == ["joint", "latent", "prompt", "noise", "bottleneck", "joint-raw"]
    walk = adapted.walk(adapted.joint.image(*pictures[:2]), frames=3, steps=2)
    assert len(walk.images) == 3
    half = Explorer(replace(adapted.model, opened_generator=adapted.model.denoiser.scaled(0.5)))
    images = half.joint.decode(half.joint.image(pictures[0]), steps=2, seed=5, prompt="a fox")
    assert images.provenances[0].record["options"]["adapter_scale"] == 0.5
    (file,) = images.save(tmp_path / "a.png")
    assert adapted.replay(file).identical  # by the record's scale, not by its own
    assert replay(file).identical


def test_a_scale_may_be_asked_for_at_each_picture(refused, adapted, pictures, tmp_path):
    point, options = adapted.joint.image(pictures[0]), {"steps": 2, "seed": 5, "prompt": "a fox", "batch": 1}
    half = Explorer(replace(adapted.model, opened_generator=adapted.model.denoiser.scaled(0.5)))
    asked, own = adapted.joint.decode(point, **options, adapter_scale=0.5), half.joint.decode(point, **options)
    assert asked[0].tobytes() == own[0].tobytes()
    assert asked[0].tobytes() != adapted.joint.decode(point, **options)[0].tobytes()  # negative control
    none = adapted.joint.decode(point, **options, adapter_scale=0)
    assert none[0].tobytes() == adapted.decode("a fox", "prompt", steps=2, seed=5, batch=1)[0].tobytes()
    assert asked.provenances[0].record["options"]["adapter_scale"] == 0.5
    (file,) = asked.save(tmp_path / "a.png")
    assert adapted.replay(file).identical
    for bad in (-1, 11, True, "much", float("nan")):
        with refused(ModelError, "adapter scale", repr(bad), "from 0 to 10"):
            adapted.joint.decode(point, **options, adapter_scale=bad)


def test_a_walk_at_half_strength_is_the_pipelines_frame_by_frame(adapted, pipeline, pictures):
    asked = {"frames": 4, "spacing": "uniform", "steps": STEPS, "guidance": 4.0, "seed": 3}
    stops = [adapted.joint.image(each) for each in pictures[:2]]
    walk = adapted.walk(stops, **asked, adapter_scale=0.5)
    frames = adapted.joint.vectors(walk.path.points)
    pipeline.set_ip_adapter_scale(0.5)
    options = {"prompts": [""], "seeds": [3], "guidance": 4.0}
    expected = [adapters(pipeline, **options, ip_adapter_image_embeds=embeds(frame[None], 4.0))[0] for frame in frames]
    pipeline.set_ip_adapter_scale(1.0)
    torch.testing.assert_close(walk.images.pixels, torch.stack(expected), atol=TOLERANCE, rtol=0)
    whole = adapted.walk(stops, **asked)
    assert (walk.images.pixels - whole.images.pixels).abs().amax((1, 2, 3)).min() > 3 * TOLERANCE  # negative control
    record = walk.images.provenances[0].record
    assert record["options"]["adapter_scale"] == 0.5


def test_the_command_line_takes_a_scale(adapted, adapter_folder, pictures, tmp_path):
    pictures[0].save(tmp_path / "seen.png")
    source, options = f'img("{tmp_path / "seen.png"}")', ["--steps", "2", "--seed", "5", "--json"]
    out = tmp_path / "a.png"
    asked = ["decode", source, "-o", str(out), "--model", str(adapter_folder), "--adapter-scale", "0.5", *options]
    assert main(asked) == 2  # texts are usually prompts in this model, which an adapter does not read
    assert main([*asked, "--space", "joint"]) == 0
    expected = adapted.joint.decode(adapted.joint.image(pictures[0]), steps=2, seed=5, adapter_scale=0.5)
    assert open_picture(out).tobytes() == expected[0].tobytes()
    assert read(out).record["options"]["adapter_scale"] == 0.5


def test_a_scale_without_an_adapter_is_one_line(refused, tiny_explorer):
    point = tiny_explorer.joint.text("a red fox")
    with refused(ModelError, "adapter_scale", "adapter_scale=0.5", "joint space"):
        tiny_explorer.joint.decode(point, steps=1, adapter_scale=0.5)


def test_opening_an_adapter_says_nothing(adapter_folder, caplog, capsys):
    from diffusers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_warning()
    logging.enable_propagation()
    try:
        Explorer.open(adapter_folder, device="cpu")
        assert not [each for each in caplog.records if each.name.startswith("diffusers")]
        assert capsys.readouterr().err == ""
        theirs(adapter_folder / "diffusion").load_ip_adapter(
            str(adapter_folder / "adapter"),
            subfolder=next((adapter_folder / "adapter").glob("*/*.safetensors")).parent.name,
            weight_name=next((adapter_folder / "adapter").glob("*/*.safetensors")).name,
            image_encoder_folder=None,
        )
        assert [each for each in caplog.records if each.name.startswith("diffusers")]  # negative control
    finally:
        logging.disable_propagation()
        logging.set_verbosity(level)


def test_the_adapter_belongs_to_the_model(adapted, adapter_folder, tmp_path):
    copy = Path(shutil.copytree(adapter_folder, tmp_path / "copy"))
    (weights,) = (copy / "adapter").glob("*/*.safetensors")
    torch.manual_seed(3)
    shutil.rmtree(weights.parent)
    small.save_adapter(weights.parent, adapted.model.denoiser.unet, name=weights.name)
    assert Explorer.open(copy, device="cpu").model.hash != adapted.model.hash


@pytest.mark.parametrize(
    ("change", "code", "fact"),
    [
        ("pickled", "pickle", "ip-adapter_"),
        ("plus", "adapter kind", "more of a picture than one vector"),
        ("other", "adapter kind", "no IP-Adapter"),
        ("encoder", "incomplete", f"vectors of width {small.JOINT}"),
        ("damaged", "damaged", ".safetensors"),
        ("several", "several adapters", "2 adapters"),
        ("empty", "incomplete", "no IP-Adapter"),
        ("family", "width", "width 16"),
        ("width", "incomplete", "vectors of width 40"),
    ],
)
def test_bad_adapters_are_one_clear_error(refused, adapter_folder, tmp_path, change, code, fact):
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
    with refused(ModelError, code, fact):
        Explorer.open(copy, device="cpu")


def test_a_clip_of_another_width_is_one_clear_error(refused, adapter_folder, tiny_model, tmp_path):
    copy = Path(shutil.copytree(adapter_folder, tmp_path / "copy"))
    shutil.copytree(tiny_model / "clip", copy / "clip")
    with refused(ModelError, "width", "a CLIP of width 64", f"width {small.JOINT}"):
        Explorer.open(copy, device="cpu")


def test_watching_its_attention_changes_no_picture(adapted):
    plain = adapted.decode("a red fox", "prompt", steps=2, seed=3, batch=1)
    maps = adapted.heat_maps("a red fox", steps=2, seed=3)
    assert maps.image.tobytes() == plain[0].tobytes()
    assert maps.of("fox").max() > 0


def test_attention_walks_are_for_its_prompts_alone(refused, adapted, pictures):
    walk = adapted.walk(["a red fox", "a blue cat"], 3, space="prompt", attention="inner", spacing="uniform", steps=2)
    assert len(walk.images) == 3
    with refused(SpaceError, "attention", "'inner'", "IP-Adapter"):
        adapted.walk(adapted.joint.image(*pictures[:2]), 3, attention="inner", steps=2)
