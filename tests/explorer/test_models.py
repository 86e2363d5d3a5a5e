"""Opening models: what libraries would read is read the same, and everything else is one clear refusal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.models.autoencoder import Autoencoder
from thoughtspace.explorer.models.find import sources
from thoughtspace.explorer.models.find.folder import fingerprint, one_line
from thoughtspace.explorer.models.find.presets import presets
from thoughtspace.explorer.models.model import open_model
from thoughtspace.explorer.models.opening import family

CPU = torch.device("cpu")


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model in a folder of its own, to be damaged."""
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


def change_json(file: Path, **values) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.fixture
def not_opened(refused) -> Callable[..., None]:
    """`not_opened(name, code, *facts)`: no such model is opened, and the line that says so is not too long."""

    def check(name: str | Path, code: str, *facts: str) -> None:
        with refused(ModelError, code, *facts) as caught:
            open_model(name, device="cpu")
        assert len(str(caught.value)) < 600

    return check


# --- what is read


def test_clip_encodes_as_open_clip_does(tiny_model, tiny_explorer, pictures):
    import open_clip

    name = f"local-dir:{tiny_model / 'clip'}"
    network, _, preprocess = open_clip.create_model_and_transforms(name)
    network.eval()
    clip, texts = tiny_explorer.model.clip, ["a red fox", ""]
    with torch.inference_mode():
        images = network.encode_image(torch.stack([preprocess(picture) for picture in pictures]))
        words = network.encode_text(open_clip.get_tokenizer(name)(texts))
    torch.testing.assert_close(clip.encode_images(pictures), images, atol=1e-5, rtol=0)
    torch.testing.assert_close(clip.encode_texts(texts), words, atol=1e-5, rtol=0)
    assert (clip.dim, clip.image_size, clip.context_length) == (64, 64, 24)


def test_no_pictures_and_no_texts_are_no_rows(tiny_explorer):
    model = tiny_explorer.model
    assert model.clip.encode_images([]).shape == model.clip.encode_texts([]).shape == (0, 64)
    assert model.clip.truncated([]) == []
    assert model.autoencoder.encode([]).shape == (0, 16, 8, 8)
    assert model.denoiser.encode_prompts([]).shape == (0, 24, 64)


def test_long_texts_are_distinguished_from_fitting_ones(tiny_explorer):
    texts = ["a", "a " * 22, "a " * 23]  # with its start and end, the second fills the context of 24 exactly
    assert tiny_explorer.model.clip.truncated(texts) == [False, False, True]
    assert tiny_explorer.model.denoiser.truncated(texts) == [False, False, True]


def test_half_precision_weights_are_computed_with_in_float32(copy, tiny_explorer, pictures):
    for file in copy.rglob("*.safetensors"):
        save_file({name: weight.half() for name, weight in load_file(file).items()}, file, metadata={"format": "pt"})
    model = open_model(copy, device="cpu")
    raw = model.clip.encode_images(pictures)
    assert raw.dtype == model.autoencoder.encode(pictures).dtype == torch.float32
    torch.testing.assert_close(raw, tiny_explorer.model.clip.encode_images(pictures), atol=2e-2, rtol=2e-2)


def test_bfloat16_still_decodes(tiny_model, tiny_explorer):
    explorer = Explorer.open(tiny_model, device="cpu", dtype=torch.bfloat16)
    (made,), (exact,) = explorer.decode("a red fox", steps=2), tiny_explorer.decode("a red fox", steps=2)
    assert made.size == exact.size
    assert made.info["provenance"].record["machine"]["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("shift", "means", "stds"),
    [(None, None, None), (0.3, None, None), (None, [0.1, -0.2, 0.3, 0.0], [1.0, 2.0, 0.5, 1.5])],
)
def test_latents_are_scaled_as_the_configuration_says(shift, means, stds):
    torch.manual_seed(0)
    config = {"scaling_factor": 0.4, "shift_factor": shift, "latents_mean": means, "latents_std": stds}
    network = AutoencoderKL(
        block_out_channels=(8,), norm_num_groups=4, latent_channels=4, sample_size=8, **config
    ).eval()
    autoencoder = Autoencoder(network.requires_grad_(False))
    pixels = torch.rand(2, 3, 8, 8) * 2 - 1
    mode = network.encode(pixels).latent_dist.mode()
    mean = torch.tensor(means or [0.0] * 4).view(1, -1, 1, 1)
    std = torch.tensor(stds or [1.0] * 4).view(1, -1, 1, 1)
    latents = autoencoder.encode(pixels)
    torch.testing.assert_close(latents, (mode - mean - (shift or 0)) * 0.4 / std)
    torch.testing.assert_close(autoencoder.decode(latents), network.decode(mode).sample, atol=1e-5, rtol=1e-5)


def test_pictures_of_any_shape_are_cropped_about_the_centre(tiny_explorer, pictures):
    wide = pictures[0].resize((128, 64)).convert("L")
    assert tiny_explorer.model.autoencoder.encode([wide]).shape == (1, 16, 8, 8)
    square = wide.crop((32, 0, 96, 64))
    torch.testing.assert_close(*(tiny_explorer.model.autoencoder.encode([each]) for each in (wide, square)))


def test_an_autoencoder_alone_is_a_model_of_one_space(refused, tiny_model, tiny_explorer, pictures, tmp_path):
    explorer = Explorer.open(tiny_model / "diffusion" / "vae", device="cpu")
    assert list(explorer.spaces) == ["latent"]
    points = explorer.latent.image(*pictures[:2])
    torch.testing.assert_close(points.values, tiny_explorer.latent.image(*pictures[:2]).values)
    saved = explorer.latent.decode(points).save(tmp_path)
    assert explorer.replay(saved[1]).identical
    with refused(ModelError, "no part", "generator"):
        _ = explorer.prompt.shape


def test_steps_and_guidance_come_with_the_model(tiny_explorer, copy):
    assert (tiny_explorer.model.steps, tiny_explorer.model.guidance) == (4, 2.0)
    (copy / "diffusion" / "thoughtspace.json").unlink()
    model = open_model(copy, device="cpu")
    assert (model.steps, model.guidance) == (20, 5.0)
    assert model.hash == tiny_explorer.model.hash, "default options are no part of a model"


# --- identity


def test_the_hash_sees_weights_and_configurations_and_nothing_else(copy, tiny_explorer):
    first = fingerprint(copy)
    assert first == tiny_explorer.model.hash
    (copy / "README.md").write_text("a card")
    (copy / "figures.json").write_text("{}")
    (copy / "reader").mkdir()
    (copy / "reader" / "heads.json").write_text("[]")
    config = copy / "diffusion" / "scheduler" / "scheduler_config.json"
    config.write_bytes(config.read_bytes().replace(b"\n", b"\r\n"))
    assert fingerprint(copy) == first
    config.write_text(config.read_text().replace("v_prediction", "epsilon"))
    second = fingerprint(copy)
    weights = copy / "clip" / "reference.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert len({first, second, fingerprint(copy)}) == 3


# --- the registry


def test_pocket_is_known_and_lies_beside_its_world():
    preset = presets()["pocket"]
    assert preset.folder.name == "pocket"
    assert (preset.folder.parent / "factors.py").is_file()
    assert preset.installed


def test_a_preset_without_its_folder_says_so(not_opened, monkeypatch, tmp_path):
    absent = replace(presets()["pocket"], source=str(tmp_path / "absent"))
    monkeypatch.setattr(sources, "presets", lambda: {"pocket": absent})
    not_opened("pocket", "not installed", "'pocket'", str(tmp_path / "absent"))


@pytest.mark.parametrize("name", ["no-such-model", "a b/c d", "../nowhere"])
def test_unknown_names_are_refused_with_the_known_ones(not_opened, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    not_opened(name, "no such model", repr(name), *presets())


def test_an_empty_name_is_refused(not_opened):
    not_opened("", "model name", "''")


def test_a_hub_id_is_fetched_without_pickles_or_code(monkeypatch, tiny_model):
    import huggingface_hub
    from huggingface_hub.utils import filter_repo_objects

    asked = {}

    def fetch(repository, *, revision, allow_patterns, ignore_patterns):
        asked.update(repository=repository, revision=revision, patterns=allow_patterns)
        asked.update(
            taken={*filter_repo_objects(THERE, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns)}
        )
        return str(tiny_model)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert sources.resolve("someone/some-model@v1.2") == tiny_model
    assert asked["repository"] == "someone/some-model"
    assert asked["revision"] == "v1.2"
    assert not any(pattern.endswith((".bin", ".pt", ".ckpt", ".py", "*")) for pattern in asked["patterns"])
    assert asked["taken"] == {each for each in THERE if not each.endswith(LEFT)}


def test_a_hub_id_that_cannot_be_had_is_one_line(not_opened, monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise OSError("no network\nat all")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    not_opened("someone/some-model", "hub", "'someone/some-model'", "no network at all")


THERE = [
    *("model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "tokenizer/merges.txt"),
    *(
        "text_encoder_2/model-00001-of-00002.safetensors",
        "tokenizer_2/spiece.model",
        "clip/open_clip_model.safetensors",
    ),
    *("unet/diffusion_pytorch_model.fp16.safetensors", "v1-5-pruned.safetensors", "v1-5-pruned.ckpt"),
    *("unet/diffusion_pytorch_model.non_ema.safetensors", "unet/diffusion_pytorch_model.bin", "pipeline.py"),
]
LEFT = (".fp16.safetensors", "pruned.safetensors", ".ckpt", ".non_ema.safetensors", ".bin", ".py")

# --- what is refused

PARTS = (
    "clip",
    "clip/open_clip_config.json",
    "clip/open_clip_model.safetensors",
    "diffusion",
    "diffusion/model_index.json",
    "diffusion/vae",
    "diffusion/unet",
    "diffusion/unet/diffusion_pytorch_model.safetensors",
    "diffusion/text_encoder/model.safetensors",
    "diffusion/image_normalizer",
    "diffusion/image_noising_scheduler",
    "diffusion/scheduler/scheduler_config.json",
    "diffusion/tokenizer",
)


OTHERWISE = {  # the file alone is missing, and the one who reads it says so
    "clip/open_clip_config.json": "cannot read",
    "diffusion/model_index.json": "cannot read",
    "diffusion/text_encoder/model.safetensors": "does not open",
}


@pytest.mark.parametrize("part", PARTS)
def test_a_folder_that_lacks_a_part_names_it(refused, copy, part):
    place = copy / part
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
    with refused(ModelError, OTHERWISE.get(part, "incomplete"), place.name.partition(".")[0]):
        open_model(copy, device="cpu")


@pytest.mark.parametrize(
    ("part", "pickle"),
    [
        ("clip/open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
        ("diffusion/unet/diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"),
        ("diffusion/vae/diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.ckpt"),
        ("diffusion/text_encoder/model.safetensors", "pytorch_model.pt"),
    ],
)
def test_pickled_weights_are_refused_and_never_read(not_opened, copy, part, pickle):
    place = copy / part
    place.rename(place.with_name(pickle))
    not_opened(copy, "pickle", pickle, str(place.parent))


@pytest.mark.parametrize("part", ["clip/open_clip_model", "diffusion/unet/diffusion_pytorch_model"])
def test_damaged_weights_are_refused(refused, copy, part):
    file = copy / f"{part}.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with refused(ModelError, "damaged", str(file)):
        open_model(copy, device="cpu")


@pytest.mark.parametrize(("text", "code"), [("{", "cannot read"), ("[]", "not json"), ("\x00", "cannot read")])
def test_damaged_configurations_are_refused(refused, copy, text, code):
    (copy / "clip" / "open_clip_config.json").write_text(text)
    with refused(ModelError, code, "open_clip_config.json"):
        open_model(copy, device="cpu")


def test_a_clip_that_does_not_fit_the_denoiser_is_refused(not_opened, copy):
    unet = copy / "diffusion" / "unet" / "config.json"
    change_json(unet, projection_class_embeddings_input_dim=96)
    weights = unet.with_name("diffusion_pytorch_model.safetensors")
    tensors = load_file(weights)
    tensors["class_embedding.linear_1.weight"] = tensors["class_embedding.linear_1.weight"][:, :96].contiguous()
    save_file(tensors, weights, metadata={"format": "pt"})
    not_opened(copy, "width", "'projection'", "width 96", "width 64")


def test_a_denoiser_of_another_clip_is_refused(not_opened, copy):
    """UNet and normalizer agree with each other, and not with the CLIP."""
    from diffusers import UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer

    part = copy / "diffusion" / "unet"
    config = UNet2DConditionModel.load_config(part) | {"projection_class_embeddings_input_dim": 64}
    UNet2DConditionModel.from_config(config).save_pretrained(part)
    StableUnCLIPImageNormalizer(embedding_dim=32).save_pretrained(copy / "diffusion" / "image_normalizer")
    not_opened(copy, "width", "a CLIP of width 64", "width 32")


def test_reference_means_of_another_clip_are_refused(not_opened, copy):
    wrong = {"mean_image": torch.zeros(8), "mean_text": torch.zeros(8), "norm": torch.tensor(1.0)}
    save_file(wrong, copy / "clip" / "reference.safetensors")
    not_opened(copy, "width", "width 8", "width 64")
    save_file({"norm": torch.tensor(1.0)}, copy / "clip" / "reference.safetensors")
    not_opened(copy, "incomplete", "reference.safetensors", "mean_image, mean_text")


def test_code_in_a_model_folder_is_never_run(not_opened, copy):
    marker = copy / "ran"
    (copy / "diffusion" / "evil.py").write_text(f"open({str(marker)!r}, 'w')")
    index = copy / "diffusion" / "model_index.json"
    change_json(index, unet=["evil", "Evil"])
    not_opened(copy, "code", "part 'unet' from 'evil'")
    change_json(index, unet=["diffusers", "UNet2DConditionModel"], _class_name=["evil", "Evil"])
    not_opened(copy, "class", "['evil', 'Evil']")
    change_json(index, _class_name="StableUnCLIPImg2ImgPipeline")
    config = json.loads((copy / "clip" / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
    (copy / "clip" / "open_clip_config.json").write_text(json.dumps(config))
    not_opened(copy, "code", "a CLIP in", str(copy / "clip"))
    assert not marker.exists()


def test_a_family_without_an_adapter_is_named(not_opened, copy):
    change_json(copy / "diffusion" / "model_index.json", _class_name="StableCascadeDecoderPipeline")
    assert family(copy / "diffusion") == "StableCascadeDecoderPipeline"
    not_opened(copy, "class", "'StableCascadeDecoderPipeline'")


@pytest.mark.parametrize("options", [{"steps": 0}, {"steps": 2.5}, {"guidance": "high"}, {"guidance": -1}])
def test_default_options_that_cannot_be_meant_are_refused(refused, copy, options):
    change_json(copy / "diffusion" / "thoughtspace.json", **options)
    ((name, value),) = options.items()
    with refused(ModelError, name, repr(value)):
        open_model(copy, device="cpu")


def test_a_scheduler_that_is_none_is_refused(not_opened, copy):
    change_json(copy / "diffusion" / "scheduler" / "scheduler_config.json", _class_name="AutoencoderKL")
    not_opened(copy, "scheduler", "'AutoencoderKL'")


def test_a_device_that_is_not_there_is_refused(refused, tiny_model):
    for device in ("cuda:99", "abacus"):
        with refused(ModelError, "device", repr(device)):
            open_model(tiny_model, device=device)


def test_errors_of_libraries_are_cut_to_one_line():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert len(one_line(ValueError("x" * 999))) == 160
    assert one_line(KeyError()) == "KeyError"
