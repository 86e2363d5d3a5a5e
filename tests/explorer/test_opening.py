"""Opening by name: parts put together, the hub's cache, sizes, and what happens when there is too little memory."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub import errors
from PIL import Image

from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.explorer import Explorer, replay
from thoughtspace.explorer.models import memory, placement
from thoughtspace.explorer.models.abilities import abilities_of
from thoughtspace.explorer.models.batch_limit import Batch
from thoughtspace.explorer.models.find import sources
from thoughtspace.explorer.models.find.hub import revision_of
from thoughtspace.explorer.models.find.names import Spec, parse_spec
from thoughtspace.explorer.models.find.parts import parts_in
from thoughtspace.explorer.models.find.presets import presets
from thoughtspace.explorer.models.model import open_model
from thoughtspace.explorer.models.placement import Placement, Target, choose_dtype
from thoughtspace.explorer.spaces.records import threads

COMMIT = "0123456789abcdef0123456789abcdef01234567"


# --- names


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("pocket", Spec(main="pocket")),
        ("org/name@v1.0", Spec(main="org/name@v1.0")),
        ("clip:ViT-B-32/laion2b_s34b_b79k", Spec(clip="ViT-B-32/laion2b_s34b_b79k")),
        ("vae:org/name", Spec(vae="org/name")),
        (
            "sd15+ip:h94/IP-Adapter+preview:madebyollin/taesd",
            Spec("sd15", ip="h94/IP-Adapter", preview="madebyollin/taesd"),
        ),
        ("a+b/c", Spec(main="a+b/c")),
    ],
)
def test_a_name_is_taken_apart_and_put_together(name, spec):
    assert parse_spec(name) == spec
    assert str(spec) == name


def test_a_folder_with_a_plus_in_its_name_is_that_folder(tmp_path):
    (tmp_path / "one+clip:two").mkdir()
    assert parse_spec(tmp_path / "one+clip:two").main == str(tmp_path / "one+clip:two")


@pytest.mark.parametrize(
    ("name", "code", "fact"),
    [
        ("pocket+clip:", "model name", "clip: without a name"),
        ("pocket+clip:a+clip:b", "model name", "clip: twice"),
        ("ip:h94/IP-Adapter", "no generator", "'ip:h94/IP-Adapter'"),
        ("preview:x", "no generator", "'preview:x'"),
    ],
)
def test_names_that_say_too_little_or_too_much_are_refused(refused, name, code, fact):
    with refused(ModelError, code, fact):
        open_model(name, device="cpu")


def test_every_preset_is_of_a_family_that_is_known_and_of_a_name_that_parses():
    for preset in presets().values():
        assert abilities_of(preset.family) is not None, preset.name
        assert parse_spec(preset.source).named


def test_a_hub_id_of_a_preset_is_the_preset():
    assert sources.spec_of("stabilityai/sdxl-turbo")[1] is presets()["sdxl-turbo"]
    spec, preset = sources.spec_of("sdxl+clip:ViT-H-14/laion2b_s32b_b79k")
    assert (spec.main, preset) == ("stabilityai/stable-diffusion-xl-base-1.0", presets()["sdxl"])
    assert spec.clip == "ViT-H-14/laion2b_s32b_b79k"


def test_what_is_on_the_hub_is_distinguished_from_what_is_here(tiny_model):
    assert sources.is_local("pocket")
    assert sources.is_local(tiny_model)
    assert not sources.is_local("sd15")
    assert not sources.is_local(f"{tiny_model}+preview:madebyollin/taesd")


def test_an_architecture_of_open_clip_is_asked_of_the_hub_by_its_own_id(refused, monkeypatch, tiny_model):
    asked = []

    def fetch(repository, **options):
        asked.append((repository, options["allow_patterns"]))
        return str(tiny_model / "clip")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    explorer = Explorer.open("clip:ViT-B-32/laion2b_s34b_b79k", device="cpu")
    ((repository, patterns),) = asked
    assert repository == "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    assert not any(each.endswith((".bin", ".pt", "*")) for each in patterns)
    assert explorer.model.clip.dim == 64
    for name, code, *facts in (
        ("ViT-B-32/no-such-tag", "no such clip", "'ViT-B-32'", "'no-such-tag'", "openai,"),
        ("no-such-folder", "no such model", "'no-such-folder'"),
        (tiny_model / "diffusion" / "unet", "no such clip", "open_clip_config.json"),
    ):
        with refused(ModelError, code, *facts):
            open_model(f"clip:{name}", device="cpu")


# --- the hub


OFFLINE = """
import json, sys
import torch
from thoughtspace.explorer import Explorer
from thoughtspace.explorer.errors import ModelError

torch.set_num_threads(1)

def opened(name):
    try:
        record = Explorer.open(name, device="cpu").decode("a red fox", steps=1).provenances[0].record
    except ModelError as error:
        return {"code": error.code, "message": str(error)}
    return dict(record["model"]) | {"pixels": record["pixels"]}

print(json.dumps([opened(name) for name in sys.argv[1:]]))
"""


def test_a_model_in_the_hubs_cache_opens_offline(tiny_model, tmp_path):
    """The cache's own layout (blobs, refs, snapshots of links), read with `HF_HUB_OFFLINE=1` by another process."""
    repository = tmp_path / "hub" / "models--someone--tiny"
    snapshot = repository / "snapshots" / COMMIT
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    for number, file in enumerate(sorted(each for each in tiny_model.rglob("*") if each.is_file())):
        blob = repository / "blobs" / f"{number:040d}"
        shutil.copyfile(file, blob)
        link = snapshot / file.relative_to(tiny_model)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", OFFLINE, "someone/tiny", "someone/absent"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    there, absent = json.loads(run.stdout)
    here = Explorer.open(tiny_model, device="cpu")
    with threads(1):  # sums round by their number, which a library may have changed in this process
        record = here.decode("a red fox", steps=1).provenances[0].record
    assert there == {"name": "someone/tiny", "hash": here.model.hash, "revision": COMMIT, "pixels": record["pixels"]}
    assert absent["code"] == "hub"
    assert "'someone/absent'" in absent["message"]
    assert "HF_HUB_OFFLINE" in absent["message"]


def response(status: int) -> Any:
    return SimpleNamespace(headers={}, request=None, status_code=status)


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (lambda: errors.GatedRepoError("401", response=response(401)), ["gated", "HF_TOKEN"]),
        (lambda: errors.RepositoryNotFoundError("404", response=response(404)), ["HF_TOKEN"]),
        (lambda: errors.RevisionNotFoundError("404", response=response(404)), ["revision", "@"]),
        (lambda: errors.LocalEntryNotFoundError("offline"), ["(offline)", "HF_HUB_OFFLINE"]),
        (lambda: OSError("disk full"), ["(disk full)"]),
    ],
)
def test_what_the_hub_refuses_is_said_with_the_id_and_the_way_out(refused, monkeypatch, error, facts):
    def fail(*_, **__):
        raise error()

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with refused(ModelError, "hub", "'someone/some-model'", *facts):
        open_model("someone/some-model", device="cpu")


def test_only_a_snapshot_has_a_revision(tiny_model):
    assert revision_of(tiny_model) is None
    assert revision_of(Path("/hub/models--a--b/snapshots") / COMMIT) == COMMIT


# --- parts put together


def test_a_part_alone_has_its_own_space(tiny_model, pictures):
    (name,) = Explorer.open(f"vae:{tiny_model}", device="cpu").spaces
    assert name == "latent"
    explorer = Explorer.open(f"vae:{tiny_model}", size=32, device="cpu")
    assert explorer.latent.decode(explorer.latent.image(pictures[0]))[0].size == (32, 32)


def test_another_autoencoder_takes_the_place_of_the_models_own(tiny_model, tiny_explorer, tmp_path, pictures):
    from diffusers import AutoencoderKL

    other = AutoencoderKL.from_pretrained(tiny_model / "diffusion" / "vae", scaling_factor=1.4)
    other.save_pretrained(tmp_path / "vae")
    explorer = Explorer.open(f"{tiny_model}+vae:{tmp_path / 'vae'}", device="cpu")
    ours, theirs = explorer.latent.image(pictures[0]).values, tiny_explorer.latent.image(pictures[0]).values
    torch.testing.assert_close(ours, 2 * theirs)
    assert explorer.model.hash != tiny_explorer.model.hash
    explorer.decode("a fox", steps=1).save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png").identical


def test_previews_are_made_by_a_tiny_autoencoder_and_replay(refused, tiny_model, tmp_path):
    from diffusers import AutoencoderTiny

    with torch.random.fork_rng():
        torch.manual_seed(0)
        tiny = AutoencoderTiny(
            encoder_block_out_channels=(8,) * 4,
            decoder_block_out_channels=(8,) * 4,
            latent_channels=16,
            num_encoder_blocks=(1,) * 4,
            num_decoder_blocks=(1,) * 4,
        )
    tiny.save_pretrained(tmp_path / "taesd")
    plain = Explorer.open(tiny_model, device="cpu")
    explorer = Explorer.open(f"{tiny_model}+preview:{tmp_path / 'taesd'}", device="cpu")
    assert explorer.model.hash == plain.model.hash
    full, quick = (explorer.decode("a fox", steps=1, preview=preview) for preview in (False, True))
    assert full.provenances[0].record["pixels"] == plain.decode("a fox", steps=1).provenances[0].record["pixels"]
    assert quick.provenances[0].record["pixels"] != full.provenances[0].record["pixels"]
    walk = explorer.walk(["a fox", "a cat"], frames=2, steps=1, preview=True)
    walk.save(tmp_path / "a.gif")
    assert replay(tmp_path / "a.gif").identical
    with refused(ModelError, "preview", plain.model.name, "+preview:"):
        plain.decode("a fox", preview=True)
    with refused(ModelError, "no autoencoder", str(tiny_model / "clip")):
        open_model(f"{tiny_model}+preview:{tiny_model / 'clip'}", device="cpu")


def test_weights_of_another_unet_are_read_or_refused(refused, tiny_model, tiny_explorer, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(tiny_model / "diffusion" / "unet" / "diffusion_pytorch_model.safetensors")
    save_file({name: 0.5 * value for name, value in weights.items()}, tmp_path / "distilled.safetensors")
    explorer = Explorer.open(f"{tiny_model}+unet:{tmp_path / 'distilled.safetensors'}", device="cpu")
    assert torch.equal(
        explorer.model.denoiser.unet.conv_in.weight, 0.5 * tiny_explorer.model.denoiser.unet.conv_in.weight
    )
    assert explorer.model.denoiser.scheduler().config.timestep_spacing == "trailing"
    assert explorer.model.hash != tiny_explorer.model.hash
    save_file({"conv_in.weight": weights["conv_in.weight"]}, tmp_path / "half.safetensors")
    for name, code, *facts in (
        ("half.safetensors", "other weights", "0 weights are unknown", f"{len(weights) - 1} are missing"),
        ("absent.bin", "format", "absent.bin", ".safetensors"),
    ):
        with refused(ModelError, code, *facts):
            open_model(f"{tiny_model}+unet:{tmp_path / name}", device="cpu")


# --- size, device, precision


def test_pictures_of_another_size_replay(refused, tiny_model, tmp_path):
    explorer = Explorer.open(tiny_model, size=96, device="cpu")
    (path,) = explorer.decode("a fox", steps=2).save(tmp_path / "a.png")
    with Image.open(path) as image:
        assert image.size == (96, 96)
    again = replay(path)
    assert again.identical
    assert again.provenance.record["model"]["size"] == 96
    with refused(ModelError, "size", "90", "a multiple of 8"):
        open_model(tiny_model, device="cpu", size=90)


def test_the_precision_suits_the_device(refused, monkeypatch):
    cuda, cpu, large, small = torch.device("cuda"), torch.device("cpu"), 10**9, 10**7
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert [choose_dtype(cuda, n) for n in (small, large)] == [torch.float32, torch.bfloat16]
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: False)
    assert choose_dtype(cuda, large) == torch.float16
    assert choose_dtype(cpu, large) == torch.float32
    assert choose_dtype(cpu, large, torch.bfloat16) == torch.bfloat16
    with refused(ModelError, "dtype", "torch.int8"):
        choose_dtype(cpu, large, torch.int8)


def test_the_best_device_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert placement.choose_device().type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert placement.choose_device().type == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert placement.choose_device().type == "cpu"


def test_slices_channels_last_and_compiling_change_no_more_than_the_last_bits(
    tiny_model, tiny_explorer, monkeypatch, tmp_path
):
    compiled = torch.nn.Module.compile
    asked = []

    def eager(module, *args, **options):
        asked.append(module)
        return compiled(module, *args, **options, backend="eager")  # no compiler of C++ is needed so

    monkeypatch.setattr(torch.nn.Module, "compile", eager)
    opened = Explorer.open(
        tiny_model, device="cpu", placement=Placement(slicing=True, channels_last=True, compile=True)
    )
    assert asked == [opened.model.denoiser.unet]
    options = {"steps": 2, "seed": [1, 2]}
    ours, plain = (explorer.decode("a fox", **options) for explorer in (opened, tiny_explorer))
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(torch.tensor(list(a.tobytes())), torch.tensor(list(b.tobytes())), atol=1, rtol=0)
    (path, _) = ours.save(tmp_path)
    again = replay(path)
    assert again.identical
    assert dict(again.provenance.record["model"]["placement"]) == {
        "slicing": True,
        "channels_last": True,
        "compile": True,
    }


def test_offloading_needs_a_card_and_a_known_way(refused, family_like):
    with refused(ModelError, "offload", "'model'", "CPU"):
        open_model(family_like, device="cpu", placement=Placement(offload="model"))
    with refused(ModelError, "offload", "'disk'", "model, sequential"):
        Placement(offload="disk")
    with refused(ModelError, "offload and compile"):
        Placement(offload="model", compile=True)


@pytest.fixture
def family_like(tmp_path: Path, tiny_model: Path) -> Path:
    """A small Stable Diffusion."""
    import diffusers
    from transformers import CLIPTextModel, CLIPTokenizer

    parts = tiny_model / "diffusion"
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        in_channels=16,
        out_channels=16,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        block_out_channels=(32,),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=8,
        cross_attention_dim=64,
    )
    diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL.from_pretrained(parts / "vae"),
        text_encoder=CLIPTextModel.from_pretrained(parts / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(parts / "tokenizer"),
        unet=unet,
        scheduler=diffusers.DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(tmp_path / "sd")
    return tmp_path / "sd"


# --- memory


def test_the_weights_are_counted_by_their_headers(tiny_model, tiny_explorer):
    unet = sum(each.numel() for each in tiny_explorer.model.denoiser.unet.parameters())
    counted = memory.weights_of(tiny_model / "diffusion" / "unet")
    assert (counted.parameters, counted.largest) == (unet, unet)
    both = memory.weights_of(tiny_model / "diffusion")
    assert both.parameters > unet
    assert both.largest >= unet


def test_a_model_that_does_not_fit_is_refused_with_the_numbers(refused, tiny_model, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1 << 20)
    whole = memory.gib(4 * memory.weights_to_load(parts_in(tiny_model)).parameters)
    with refused(ModelError, "memory", "on cpu", f"{whole} of weights in float32", " 1 MiB are free"):
        open_model(tiny_model, device="cpu")


def test_what_would_help_on_a_card_is_said(refused, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 8 * memory.GIB if device.type == "cuda" else memory.GIB)
    weights = memory.Weights(parameters=12 * 10**9, largest=2 * 10**9)
    card = Target(torch.device("cuda"), torch.bfloat16)
    with refused(ModelError, "memory", "22.4 GiB of weights in bfloat16", "Placement(offload='model')"):
        memory.require_memory("flux", weights, memory.GIB, card)
    with refused(ModelError, "memory", "22.4 GiB", "1.0 GiB are free"):
        memory.require_memory("flux", weights, memory.GIB, replace(card, placement=Placement(offload="model")))
    memory.require_memory("small", memory.Weights(10**9, 10**9), memory.GIB, card)


def test_damaged_headers_are_one_line(refused, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"\x00" * 3)
    with refused(ModelError, "damaged", str(tmp_path / "a.safetensors")):
        memory.weights_of(tmp_path)


def test_a_batch_that_is_too_large_halves_itself_and_replays(tiny_model, tmp_path, monkeypatch):
    explorer = Explorer.open(tiny_model, device="cpu")
    decode, refused = explorer.model.autoencoder.decode, []

    def small(latents):
        if len(latents) > 2:
            refused.append(len(latents))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        return decode(latents)

    monkeypatch.setattr(explorer.model.autoencoder, "decode", small)
    images = explorer.decode("a fox", seed=range(5), steps=1)
    assert [record.record["batch"]["size"] for record in images.provenances] == [2] * 5
    assert refused == [8, 4]
    assert explorer.decode("a fox", seed=range(5), steps=1).provenances[4].record["batch"]["size"] == 2
    assert refused == [8, 4]  # it is remembered
    paths = images.save(tmp_path)
    assert all(explorer.replay(path).identical for path in paths)
    plain = Explorer.open(tiny_model, device="cpu").decode("a fox", seed=range(5), steps=1, batch=2)
    assert [a.record["pixels"] for a in plain.provenances] == [b.record["pixels"] for b in images.provenances]


def test_too_little_memory_for_one_picture_is_one_line_and_other_errors_stay(refused):
    def never(size):
        raise torch.OutOfMemoryError("out of memory")

    with refused(ModelError, "memory", "a single picture", "out of memory"):
        Batch().fitted(4, never)

    def wrong(size):
        raise RuntimeError("a shape does not fit")

    with pytest.raises(RuntimeError, match="shape"):
        Batch().fitted(4, wrong)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_the_card_says_what_the_benchmark_measures_of_full_size_networks(family, monkeypatch):
    """Stable Diffusion's and SDXL's UNets in their published shapes, on fake tensors: parameters and GiB at work."""
    from thoughtspace.dashboards.commands.models_page import MEASURED

    scripts = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(scripts)  # where a script finds what it shares with others
    benchmark = runpy.run_path(str(scripts / "memory.py"))
    counted, working = benchmark["unet"](benchmark[family.upper()])
    printed = {count: at_work for _, _, count, at_work in MEASURED}
    assert printed[counted] == pytest.approx(working / memory.GIB, abs=0.01)
    assert counted < presets()[family].parameters * 1e6


@pytest.mark.parametrize(
    ("wrong", "code", "fact"),
    [
        ({"name": None}, "model name", "None"),
        ({"name": ["pocket"]}, "model name", "['pocket']"),
        ({"name": "x" * 5000}, "model name", "x" * 40),
        ({"size": "64"}, "size", "'64'"),
        ({"size": float("nan")}, "size", "nan"),
        ({"device": 1.5}, "device", "1.5"),
        ({"device": "meta"}, "device", "'meta'"),
        ({"placement": {"tiling": True}}, "placement", "{'tiling': True}"),
    ],
)
def test_arguments_that_cannot_be_meant_are_one_line(refused, tiny_model, wrong, code, fact):
    with refused(ModelError, code, fact):
        open_model(**{"name": tiny_model, "device": "cpu", **wrong})


def test_what_makes_no_pictures_has_no_size(refused, tiny_model):
    with refused(ModelError, "makes no pictures", str(tiny_model / "clip")):
        open_model(f"clip:{tiny_model / 'clip'}", device="cpu", size=64)


@pytest.mark.parametrize(
    ("file", "values", "code", "fact"),
    [
        ("diffusion/model_index.json", {"unet": []}, "code", "part 'unet'"),
        ("diffusion/vae/config.json", {"scaling_factor": float("nan")}, "scaling factor", "nan"),
        ("diffusion/scheduler/scheduler_config.json", {"_class_name": ["a"]}, "scheduler", "['a']"),
        ("clip/open_clip_config.json", {"model_cfg": []}, "incomplete", "model_cfg"),
    ],
)
def test_forged_configurations_are_one_line(refused, tiny_model, tmp_path, file, values, code, fact):
    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    document = json.loads((copy / file).read_text()) | values
    (copy / file).write_text(json.dumps(document))
    with refused(ModelError, code, fact):
        open_model(copy, device="cpu")


def test_an_autoencoder_of_no_known_class_is_one_line(refused, tiny_model, tmp_path):
    copy = Path(shutil.copytree(tiny_model / "diffusion" / "vae", tmp_path / "vae"))
    config = json.loads((copy / "config.json").read_text())
    for name, code, fact in ((["a"], "no autoencoder", str(copy)), ("UNet2DModel", "class", "'UNet2DModel'")):
        (copy / "config.json").write_text(json.dumps(config | {"_class_name": name}))
        with refused(ModelError, code, fact):
            open_model(f"vae:{copy}", device="cpu")


def test_a_pickle_that_open_clip_would_prefer_is_refused(refused, tiny_model, tmp_path):
    copy = Path(shutil.copytree(tiny_model / "clip", tmp_path / "clip"))
    (copy / "open_clip_model.safetensors").rename(copy / "model.safetensors")
    assert Explorer.open(f"clip:{copy}", device="cpu").model.clip.dim == 64
    (copy / "open_clip_pytorch_model.bin").write_bytes(b"")
    with refused(ModelError, "pickle", "open_clip_pytorch_model.bin", str(copy)):
        open_model(f"clip:{copy}", device="cpu")


def test_weights_are_not_loaded_into_what_is_offloaded_layer_by_layer(refused, tiny_model):
    """Parameters that wait elsewhere take any weights without a word, and keep none."""
    from thoughtspace.explorer.models.families.unclip import StableUnCLIP
    from thoughtspace.explorer.models.opening import load_unet

    denoiser = StableUnCLIP.open(tiny_model / "diffusion", placement.Target(torch.device("cpu")))
    file = tiny_model / "diffusion" / "unet" / "diffusion_pytorch_model.safetensors"
    load_unet(denoiser, file)
    denoiser.unet.to("meta")
    with refused(ModelError, "offload", "layer by layer", file.name):
        load_unet(denoiser, file)
