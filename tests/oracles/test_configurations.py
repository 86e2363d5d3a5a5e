"""Configurations that a library takes, and that would break or spoil the first picture, are refused at the opening."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.models.configurations import require_described
from thoughtspace.explorer.models.model import open_model


def changed(file: Path, *path: str, null: bool) -> None:
    """Make a key of a JSON file null, or remove it."""
    document = json.loads(file.read_text())
    inside = document
    for key in path[:-1]:
        inside = inside[key]
    inside.pop(path[-1]) if not null else inside.update({path[-1]: None})
    file.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("file", "path", "null", "code", "fact"),
    [
        ("diffusion/unet/config.json", ["norm_eps"], True, "null", "'norm_eps'"),
        ("diffusion/unet/config.json", ["freq_shift"], True, "null", "'freq_shift'"),
        ("diffusion/unet/config.json", ["mid_block_scale_factor"], True, "null", "'mid_block_scale_factor'"),
        ("diffusion/unet/config.json", ["downsample_padding"], True, "null", "'downsample_padding'"),
        ("diffusion/vae/config.json", ["up_block_types"], False, "other weights", "AutoencoderKL"),
        ("diffusion/text_encoder/config.json", ["eos_token_id"], True, "does not open", "text encoders"),
        ("diffusion/text_encoder/config.json", ["layer_norm_eps"], True, "does not open", "diffusion"),
        ("clip/open_clip_config.json", ["model_cfg", "text_cfg", "hf_tokenizer_name"], True, "does not open", "CLIP"),
        ("clip/open_clip_config.json", ["model_cfg", "text_cfg", "hf_tokenizer_name"], False, "does not open", "CLIP"),
    ],
)
def test_what_would_break_later_is_refused(refused, tiny_model, tmp_path, file, path, null, code, fact):
    folder = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    changed(folder / file, *path, null=null)
    with refused(ModelError, code, fact):
        open_model(folder, device="cpu")


def test_null_is_taken_where_the_code_takes_it(tiny_model, tmp_path):
    """Negative control: these are null in models that people use."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    for key in ("time_cond_proj_dim", "encoder_hid_dim", "class_embeddings_concat"):
        changed(folder / "diffusion" / "unet" / "config.json", key, null=True)
    assert open_model(folder, device="cpu").generator.latent_shape


def test_weights_of_another_precision_beside_the_usual_ones_do_not_count(tiny_model, tmp_path):
    unet = Path(shutil.copytree(tiny_model / "diffusion" / "unet", tmp_path / "unet"))
    network = open_model(tiny_model, device="cpu").generator.unet
    shutil.copy(unet / "diffusion_pytorch_model.safetensors", unet / "diffusion_pytorch_model.fp16.safetensors")
    require_described(network, unet)
    shutil.copy(unet / "diffusion_pytorch_model.safetensors", unet / "diffusion_pytorch_model-2.safetensors")
    with pytest.raises(ModelError, match="Got ") as caught:
        require_described(network, unet)
    assert caught.value.code == "other weights"
