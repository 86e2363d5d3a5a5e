"""What identifies a model: which files count, its commits, and the names that mean the same."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest

from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.explorer import Explorer, replay
from thoughtspace.explorer.models import memory
from thoughtspace.explorer.models.find import sources
from thoughtspace.explorer.models.find.folder import contents, fingerprint
from thoughtspace.explorer.models.find.parts import Parts, parts_in
from thoughtspace.explorer.models.find.presets import presets
from thoughtspace.explorer.replays import recorded_origin

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "89abcdef0123456789abcdef0123456789abcdef"


@pytest.fixture
def pipeline(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model's pipeline alone."""
    return Path(shutil.copytree(tiny_model / "diffusion", tmp_path / "pipeline"))


def flip(file: Path) -> None:
    """Another last byte."""
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


# --- the files that count


def test_a_part_behind_a_link_is_hashed_and_counted(pipeline, tmp_path):
    first, counted = fingerprint(pipeline), memory.weights_of(pipeline)
    shutil.move(pipeline / "unet", tmp_path / "elsewhere")
    (pipeline / "unet").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert fingerprint(pipeline) == first
    assert memory.weights_of(pipeline) == counted
    flip(tmp_path / "elsewhere" / "diffusion_pytorch_model.safetensors")
    assert fingerprint(pipeline) != first


def test_a_link_within_a_plain_folder_is_entered_and_one_to_itself_ends(pipeline, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "vae").symlink_to(pipeline / "vae", target_is_directory=True)
    (outer / "again").symlink_to(outer, target_is_directory=True)
    names = {file.relative_to(outer).as_posix() for file in contents(outer)}
    assert names == {"vae/config.json", "vae/diffusion_pytorch_model.safetensors"}


def test_files_that_are_not_read_do_not_count(pipeline):
    first, counted = fingerprint(pipeline), memory.weights_of(pipeline)
    weights = pipeline / "unet" / "diffusion_pytorch_model.safetensors"
    for name in ("diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.non_ema.safetensors"):
        shutil.copyfile(weights, weights.with_name(name))
    shutil.copyfile(weights, pipeline / "whole.safetensors")
    shutil.copytree(pipeline / "unet", pipeline / "unet_onnx")
    index = json.loads((pipeline / "model_index.json").read_text())
    assert fingerprint(pipeline) == first
    assert memory.weights_of(pipeline) == counted
    # What is named, and the index itself, do count.
    (pipeline / "model_index.json").write_text(json.dumps(index | {"unet_onnx": ["diffusers", "UNet2DConditionModel"]}))
    named = fingerprint(pipeline)
    flip(pipeline / "unet_onnx" / "diffusion_pytorch_model.safetensors")
    assert len({first, named, fingerprint(pipeline)}) == 3
    assert memory.weights_of(pipeline).parameters > counted.parameters


def test_weights_that_are_there_in_one_precision_only_count(pipeline):
    weights = pipeline / "unet" / "diffusion_pytorch_model.safetensors"
    weights = weights.rename(weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    first = fingerprint(pipeline)
    flip(weights)
    assert fingerprint(pipeline) != first


# --- names that mean the same


@pytest.mark.parametrize(
    ("name", "main", "preset"),
    [
        ("stabilityai/sdxl-turbo@v1", "stabilityai/sdxl-turbo@v1", "sdxl-turbo"),
        ("sdxl-turbo@v1", "stabilityai/sdxl-turbo@v1", "sdxl-turbo"),
        ("stabilityai/sdxl-turbo@v1+vae:org/vae@v2", "stabilityai/sdxl-turbo@v1", "sdxl-turbo"),
        ("sdxl-lightning@v1", "stabilityai/stable-diffusion-xl-base-1.0@v1", "sdxl-lightning"),
        ("stabilityai/sdxl-turbo-other@v1", "stabilityai/sdxl-turbo-other@v1", None),
    ],
)
def test_a_revision_of_a_preset_keeps_its_steps_guidance_and_side(name, main, preset):
    spec, found = sources.spec_of(name)
    assert spec.main == main
    assert found is (presets()[preset] if preset else None)
    assert spec.vae == ("org/vae@v2" if "+vae" in name else None)


def test_a_folder_named_like_a_revision_is_that_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sd15@old").mkdir()
    assert sources.spec_of("sd15@old")[0].main == "sd15@old"
    assert sources.spec_of("sd15@old")[1] is None


@pytest.mark.parametrize(
    ("name", "part", "value"),
    [
        ("pocket+vae:sd-vae", "vae", "stabilityai/sd-vae-ft-mse"),
        ("sd15+clip:clip-h14", "clip", "ViT-H-14/laion2b_s32b_b79k"),
        ("sd15+vae:sdxl", "vae", "stabilityai/stable-diffusion-xl-base-1.0"),
        ("clip:kandinsky22", "clip", "kandinsky-community/kandinsky-2-2-prior"),
        ("sdxl+unet:sdxl-lightning", "unet", "ByteDance/SDXL-Lightning/sdxl_lightning_4step_unet.safetensors"),
        ("clip:pocket", "clip", presets()["pocket"].source),
        ("sd15+vae:org/other", "vae", "org/other"),
    ],
)
def test_a_preset_names_a_part(name, part, value):
    assert getattr(sources.spec_of(name)[0], part) == value


def test_a_preset_opens_as_a_part(refused, monkeypatch, tmp_path):
    folder = Path(presets()["pocket"].source)
    assert sources.source("clip:pocket").parts.clip == folder / "clip"
    assert sources.source("vae:pocket").parts.autoencoder == folder / "diffusion" / "vae"
    assert sources.is_local("clip:pocket")
    assert not sources.is_local("pocket+vae:sd-vae")
    with refused(ModelError, "preset", "clip:sd-vae", "'vae:stabilityai/sd-vae-ft-mse'"):
        sources.source("clip:sd-vae")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sd-vae").mkdir()
    assert sources.spec_of("pocket+vae:sd-vae")[0].vae == "sd-vae"  # a folder of that name comes first


@pytest.mark.parametrize("name", ["someone/tiny", "someone/tiny@v1", "vae:someone/tiny", "clip:someone/tiny"])
def test_a_cache_filled_in_part_is_named_by_the_hub_id(refused, name, monkeypatch, tmp_path):
    snapshot = tmp_path / "models--someone--tiny" / "snapshots" / COMMIT
    (snapshot / "unet").mkdir(parents=True)
    (snapshot / "README.md").write_text("all that was fetched")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(snapshot))
    hub_id = name.rpartition(":")[2]
    with refused(ModelError, "incomplete", f"model '{hub_id}'"):
        sources.source(name)
    with refused(ModelError, "no such model", str(snapshot)) as caught:  # a folder is named by its path
        sources.source(snapshot)
    assert f"model '{hub_id}'" not in str(caught.value)


# --- commits


@pytest.fixture
def hub(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """A hub with the tiny model as `someone/tiny` and its autoencoder as `other/vae`; what was asked of it."""
    asked: list[tuple[str, str | None]] = []
    places = {}
    for name, commit, part in (("someone/tiny", COMMIT, "."), ("other/vae", OTHER, "diffusion/vae")):
        folder = tmp_path / "hub" / f"models--{name.replace('/', '--')}" / "snapshots" / commit
        places[name] = shutil.copytree(tiny_model / part, folder)

    def fetch(repository, *, revision, **_):
        asked.append((repository, revision))
        return str(places[repository])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    return asked


def test_a_picture_of_a_hub_id_is_made_again_at_its_commit(hub, tmp_path):
    explorer = Explorer.open("someone/tiny", device="cpu")
    (path,) = explorer.decode("a fox", steps=1).save(tmp_path / "a.png")
    assert recorded_origin(path).model == f"someone/tiny@{COMMIT}"
    assert replay(path).identical
    assert hub == [("someone/tiny", None), ("someone/tiny", COMMIT)]
    assert "revisions" not in explorer.decode("a fox", steps=1).provenances[0].record["model"]


def test_the_commits_of_parts_are_recorded(hub, tmp_path):
    explorer = Explorer.open("someone/tiny+vae:other/vae", device="cpu")
    images = explorer.decode("a fox", steps=1)
    model = images.provenances[0].record["model"]
    assert (model["revision"], dict(model["revisions"])) == (COMMIT, {"autoencoder": OTHER})
    (path,) = images.save(tmp_path / "a.png")
    assert recorded_origin(path).model == "someone/tiny+vae:other/vae"
    assert replay(path).identical


def test_a_name_with_its_own_revision_or_of_a_folder_is_left_as_it_is(hub, tiny_explorer, tmp_path):
    for name in ("someone/tiny@v1", None):
        explorer = Explorer.open(name, device="cpu") if name else tiny_explorer
        (path,) = explorer.decode("a fox", steps=1).save(tmp_path / "a.png")
        assert recorded_origin(path).model == (name or tiny_explorer.model.name)


# --- memory


def test_only_what_is_opened_is_counted(tiny_model, tiny_explorer, pipeline):
    model = tiny_explorer.model
    opened = (model.denoiser.unet, model.denoiser.pipeline.text_encoder, model.autoencoder.network, model.clip.network)
    numbers = sum(each.numel() for module in opened for each in module.state_dict().values())
    needed = memory.weights_to_load(parts_in(tiny_model)).parameters
    assert abs(needed - numbers) < 0.01 * numbers  # the means of its vectors beside it
    every_file = sum(memory.weights_of(tiny_model / part).parameters for part in ("clip", "diffusion"))
    assert every_file > 1.05 * needed, "the picture tower in the pipeline, whose place clip/ takes, would show"

    alone = memory.weights_to_load(parts_in(pipeline))
    checker = pipeline / "safety_checker"
    shutil.copytree(pipeline / "image_encoder", checker)
    index = json.loads((pipeline / "model_index.json").read_text())
    named = index | {"safety_checker": ["transformers", "CLIPVisionModelWithProjection"]}
    (pipeline / "model_index.json").write_text(json.dumps(named))
    assert memory.weights_to_load(parts_in(pipeline)) == alone


def test_a_preview_is_counted_once_and_a_file_for_the_unet_not(tiny_model):
    plain = parts_in(tiny_model)
    unet = tiny_model / "diffusion" / "unet" / "diffusion_pytorch_model.safetensors"
    vae = tiny_model / "diffusion" / "vae"
    assert memory.weights_to_load(replace(plain, unet=unet)) == memory.weights_to_load(plain)
    assert memory.weights_to_load(replace(plain, preview=vae)) == memory.weights_to_load(plain)  # the same files
    other = replace(plain, diffusion=None, autoencoder=None)
    added = memory.weights_to_load(replace(other, preview=vae)).parameters - memory.weights_to_load(other).parameters
    assert added == memory.weights_of(vae).parameters


def test_of_a_prior_only_the_towers_are_counted(pipeline, tmp_path):
    prior = tmp_path / "prior"
    for part in ("image_encoder", "text_encoder", "prior"):
        shutil.copytree(pipeline / ("unet" if part == "prior" else part), prior / part)
    index = {part: ["diffusers", "X"] for part in ("image_encoder", "text_encoder", "prior")}
    (prior / "model_index.json").write_text(json.dumps(index | {"_class_name": "KandinskyV22PriorPipeline"}))
    towers = memory.weights_of(prior / "image_encoder", prior / "text_encoder")
    assert memory.weights_to_load(Parts(clip=prior)) == towers
    assert memory.weights_of(prior).parameters > towers.parameters


def test_one_of_several_formats_of_a_clip_is_counted(tiny_model, tmp_path):
    clip = Path(shutil.copytree(tiny_model / "clip", tmp_path / "clip"))
    alone = memory.weights_to_load(Parts(clip=clip))
    shutil.copyfile(clip / "open_clip_model.safetensors", clip / "model.safetensors")
    assert memory.weights_to_load(Parts(clip=clip)) == alone


@pytest.mark.parametrize(("sample", "side"), [(8, 64), ([8, 16], 128), (None, 512), (128, 1024)])
def test_the_side_is_read_in_the_configurations(pipeline, sample, side):
    file = pipeline / "unet" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"sample_size": sample}))
    assert memory.side_of(parts_in(pipeline)) == side
    assert memory.side_of(Parts()) == 512


def test_a_model_that_is_no_preset_is_weighed_at_its_own_side(refused, tiny_model, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1 << 20)
    with refused(ModelError, "memory", " 1 MiB to decode a picture"):  # of 64 pixels; 56 MiB of 512
        Explorer.open(tiny_model, device="cpu")
