"""What identifies a model: which files count, its commits, and the names that mean the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from thoughtspace.explorer.models import memory
from thoughtspace.explorer.models.files import contents, fingerprint

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
