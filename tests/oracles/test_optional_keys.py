"""Configurations whose keys are missing or null: a model opens as diffusers opens it, or is refused in one line.

All keys that this code reads by itself are tried; what is wrong with others is an error of diffusers, which `opened`
makes one line.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers

from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.models.model import open_model
from thoughtspace.explorer.models.scheduler_facts import uses_learned_variance

MODELS = Path(__file__).parents[2] / "explorer" / "models"
READ = re.compile(r'config\.([a-z_]+)\b(?!\()|(?:config|options|read_if_there\(.*\))\.get\(\s*"([a-z_]+)"')
PARTS = ("model_index.json", "unet/config.json", "transformer/config.json", "vae/config.json", "movq/config.json")
ONE_OF_EACH = ("stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux", "unclip", "kandinsky")


def keys_read() -> set[str]:
    sources = [file.read_text(encoding="utf-8") for file in MODELS.rglob("*.py")]
    return {key for source in sources for pair in READ.findall(source) for key in pair if key}


@pytest.fixture
def unchanged_parts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text encoders and tokenizers, which no case changes, are read once and not at each opening."""
    for kind in (transformers.PreTrainedModel, transformers.PreTrainedTokenizerBase):
        monkeypatch.setattr(kind, "from_pretrained", classmethod(kept(kind.from_pretrained.__func__)))


def kept(read: Any) -> Any:
    found: dict[Any, Any] = {}

    def once(kind: type, place: Any, *rest: Any, **options: Any) -> Any:
        key = (kind, str(place), str(options.get("subfolder")))
        if key not in found:
            found[key] = read(kind, place, *rest, **options)
        return found[key]

    return once


def variants(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key in sorted(keys_read().union({"scheduler"}).intersection(document)):
        yield f"{key} missing", {name: value for name, value in document.items() if name != key}
        yield f"{key} null", document | {key: None}


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_model_opens_or_is_refused_in_one_line(families, tmp_path, unchanged_parts_once, name):
    folder = Path(shutil.copytree(families(name), tmp_path / name, copy_function=os.link))
    outcomes: dict[str, ModelError | None] = {}
    for file in (folder / part for part in PARTS if (folder / part).is_file()):
        text = file.read_text()
        file.unlink()  # and with it the link to the folder of all tests
        for case, document in variants(json.loads(text)):
            file.write_text(json.dumps(document))
            try:
                generator = open_model(folder, device="cpu").generator
                assert all(generator.latent_shape), case
                outcomes[case] = None
            except ModelError as error:
                outcomes[case] = error
        file.write_text(text)
    refusals = [error for error in outcomes.values() if error is not None]
    assert not [error for error in refusals if not error.code or "\n" in str(error) or len(str(error)) > 600]
    assert 0 < len(refusals) < len(outcomes), "some are refused, and some open"


@pytest.mark.parametrize("name", [*ONE_OF_EACH, "stable_diffusion_2", "latent_consistency", "chroma"])
def test_a_scheduler_lays_out_its_steps_or_the_model_is_refused(families, tmp_path, unchanged_parts_once, name):
    folder = Path(shutil.copytree(families(name), tmp_path / name, copy_function=os.link))
    file = folder / "scheduler" / "scheduler_config.json"
    document, refused = json.loads(file.read_text()), {}
    file.unlink()
    for key in document:
        file.write_text(json.dumps(document | {key: None}))
        try:
            generator = open_model(folder, device="cpu").generator
        except ModelError as error:
            refused[key] = str(error)
        else:
            sampler = generator.scheduler()
            generator.set_timesteps(sampler, 4)
            assert len(sampler.timesteps) >= 4
            x_t = torch.zeros(2, *generator.latent_shape)
            output = torch.cat([x_t, x_t], dim=1) if uses_learned_variance(sampler) else x_t
            for t in sampler.timesteps:
                x_t = sampler.step(output, t, x_t, return_dict=False)[0]
            assert x_t.isfinite().all()
    assert {"_class_name", "num_train_timesteps"} <= {*refused} < {*document}
    assert not [said for said in refused.values() if "\n" in said or len(said) > 600]


def test_a_key_that_breaks_only_where_steps_are_laid_out_is_refused_at_the_opening(families, tmp_path):
    """Negative control of the test above: diffusers itself makes such a scheduler."""
    folder = Path(shutil.copytree(families("stable_diffusion_2"), tmp_path / "copy"))
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"timestep_spacing": None}))
    assert diffusers.DDIMScheduler.from_pretrained(folder, subfolder="scheduler").config.timestep_spacing is None
    with pytest.raises(ModelError, match=r"Got a scheduler in .*scheduler that does not open") as caught:
        open_model(folder, device="cpu")
    assert caught.value.code == "does not open"


def test_keys_are_found_where_they_are_read():
    """Negative control: of a list that finds too few, nothing would be tried."""
    assert {
        "sample_size",
        "block_out_channels",
        "time_cond_proj_dim",
        "encoder_hid_dim",
        "scaling_factor",
    } <= keys_read()


def test_a_decoder_of_no_named_size_makes_pictures_of_the_pipelines_own(families, tmp_path):
    folder = Path(shutil.copytree(families("kandinsky"), tmp_path / "copy"))
    config = folder / "unet" / "config.json"
    document = json.loads(config.read_text())
    for changed in (
        document | {"sample_size": None},
        {name: document[name] for name in document if name != "sample_size"},
    ):
        config.write_text(json.dumps(changed))
        assert open_model(folder, device="cpu").generator.latent_shape == (4, 64, 64)
        assert open_model(folder, device="cpu", size=64).generator.latent_shape == (4, 8, 8)


def test_a_unet_of_no_named_size_wants_one(refused, families, tmp_path):
    folder = Path(shutil.copytree(families("stable_diffusion"), tmp_path / "copy"))
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"sample_size": None}))
    with refused(ModelError, "size", "StableDiffusionPipeline", "sample_size"):
        open_model(folder, device="cpu")
    assert open_model(folder, device="cpu", size=64).generator.latent_shape == (4, 8, 8)


def test_an_index_is_read_once_for_an_opening(families, monkeypatch, tmp_path):
    from thoughtspace.explorer.models.find import folder as reading

    read, seen = reading.read_json, []

    def counted(file: Path) -> Any:
        seen.append(file.name)
        return read(file)

    monkeypatch.setattr(reading, "read_json", counted)
    folder = Path(shutil.copytree(families("kandinsky"), tmp_path / "copy"))
    open_model(folder, device="cpu")
    assert seen.count("model_index.json") == 1
