"""Few-step weights: asked for by name, fused into a copy, recorded, and never confused with the model's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from thoughtspace.dashboards.cli import main
from thoughtspace.explorer.diffusion.recording import Recording, recorded
from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.models.few_steps import FewSteps, fused
from thoughtspace.explorer.models.find.parts import parts_in
from thoughtspace.explorer.models.memory import weights_to_load
from thoughtspace.explorer.models.placement import Placement, Target

HERE = Path("diffusion") / "few_steps" / "pytorch_lora_weights.safetensors"


@pytest.fixture(scope="module")
def factors(few_step_model: Path) -> dict[str, torch.Tensor]:
    return load_file(few_step_model / HERE)


@pytest.fixture
def folder(few_step_model: Path, tmp_path: Path) -> Path:
    """The model with few-step weights, to be changed."""
    return shutil.copytree(few_step_model, tmp_path / "model")


def equal_weights(a: torch.nn.Module, b: torch.nn.Module) -> list[bool]:
    return [torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True)]


def test_factors_of_zero_change_nothing(few_step_explorer, factors):
    unet = few_step_explorer.model.denoiser.unet
    nothing = {name: each * 0 if "lora_B" in name else each for name, each in factors.items()}
    assert all(equal_weights(fused(unet, nothing), unet))
    assert not all(equal_weights(fused(unet, factors), unet))  # negative control


def test_a_fused_layer_computes_its_own_output_and_that_of_its_factors(few_step_explorer, factors):
    unet, name = few_step_explorer.model.denoiser.unet, "down_blocks.0.downsamplers.0.conv"
    layer, changed = unet.get_submodule(name), fused(unet, factors).get_submodule(name)
    a, b = (factors[f"unet.{name}.lora_{part}.weight"].float() for part in "AB")
    assert layer.stride == (2, 2)
    x = torch.randn(2, layer.in_channels, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        low = torch.nn.functional.conv2d(x, a, stride=layer.stride, padding=layer.padding)
        expected = layer(x) + torch.nn.functional.conv2d(low, b)
        torch.testing.assert_close(changed(x), expected, atol=1e-5, rtol=1e-5)


def test_the_models_own_network_stays_as_it_is(few_step_explorer, tiny_explorer):
    """And so do the pictures that it decodes, to the last bit."""
    point = few_step_explorer.joint.text("a red fox")
    few = few_step_explorer.joint.decode(point, few_steps=True, steps=2)
    own = few_step_explorer.joint.decode(point, steps=2)
    plain = tiny_explorer.decode("a red fox", steps=2)
    assert all(equal_weights(few_step_explorer.model.denoiser.unet, tiny_explorer.model.denoiser.unet))
    assert torch.equal(own.pixels, plain.pixels)
    assert (few.pixels - own.pixels).abs().max() > 0.02
    denoiser = few_step_explorer.model.denoiser
    assert denoiser.with_few_steps().unet is denoiser.with_few_steps().unet  # one copy, kept


@pytest.mark.parametrize("asked", [{}, {"steps": 2}, {"guidance": 1.5}, {"steps": 2, "guidance": 0.0}])
def test_their_steps_and_guidance_are_the_defaults_and_given_ones_win(few_step_explorer, asked):
    record = few_step_explorer.decode("a red fox", few_steps=True, **asked).provenances[0].record
    assert record["options"] == record["options"] | {"few_steps": True, "steps": 3, "guidance": 1.0} | asked
    usual = few_step_explorer.decode("a red fox", steps=1).provenances[0].record["options"]
    assert "few_steps" not in usual
    assert usual["guidance"] == 2.0


@pytest.mark.parametrize("name", ["joint", "prompt", "noise", "prompt+noise", "joint+noise", "prompt-x2"])
def test_every_space_that_denoises_takes_them_and_says_so(few_step_explorer, tiny_explorer, name):
    space = few_step_explorer.space(name)
    point = space.draw(3) if name == "noise" else space.text("a red fox")
    made = space.decode(point, few_steps=True)
    assert made.provenances[0].record["options"]["few_steps"] is True
    assert not torch.equal(made.pixels, space.decode(point, steps=3, guidance=1.0).pixels)
    assert "few_steps" not in tiny_explorer.space(name).takes


def test_points_that_they_do_not_decode_are_refused(refused: Callable, few_step_explorer, pictures):
    explorer = few_step_explorer
    for space in (explorer.latent, explorer.bottleneck):
        point = space.points(torch.zeros(1, *space.shape))
        with refused(ModelError, "few_steps", "few_steps=True", space.name):
            space.decode(point, few_steps=True)
    with pytest.warns(UserWarning, match="inversion"):  # one step is too few
        noise = explorer.noise.image(pictures[0], steps=1)
    mixed = explorer.space("prompt+noise")
    both = mixed.of(prompt=explorer.prompt.text("a fox"), noise=noise)
    for space, point in ((explorer.noise, noise), (mixed, both)):
        with refused(ModelError, "few_steps", "few_steps=True", "noise of a picture"):
            space.decode(point, few_steps=True)


def test_a_negative_prompt_that_would_have_no_effect_is_refused(refused: Callable, few_step_explorer):
    with refused(ModelError, "negative prompt", "'a hat'", "few_steps=True"):
        few_step_explorer.decode("a red fox", few_steps=True, negative="a hat")
    away, plain = (
        few_step_explorer.decode("a red fox", few_steps=True, guidance=2, steps=1, negative=negative).pixels
        for negative in ("a hat", "")
    )
    assert not torch.equal(away, plain)


def test_heat_maps_watch_the_network_that_decodes(few_step_explorer):
    explorer = few_step_explorer
    maps = explorer.heat_maps("a red fox", few_steps=True, steps=2)
    plain = explorer.prompt.decode(explorer.prompt.text("a red fox"), few_steps=True, steps=2, batch=1)
    assert maps.image.tobytes() == plain[0].tobytes()
    assert all(len(each) == 2 for each in maps.maps.values())
    assert not torch.equal(maps.of("fox"), explorer.heat_maps("a red fox", steps=2, guidance=1.0).of("fox"))
    # Negative control: whoever watches the model's own network sees nothing.
    with recorded(explorer.model.denoiser, Recording(n=1, steps=2)) as recording:
        explorer.prompt.decode(explorer.prompt.text("a red fox"), few_steps=True, steps=2, batch=1)
    assert recording.layers == ()


def test_an_attention_walk_changes_the_network_that_decodes(few_step_explorer, tmp_path):
    asked = {"spacing": "uniform", "few_steps": True, "steps": 2, "space": "prompt"}
    between = few_step_explorer.walk(["a red fox", "a blue cat"], 3, attention="outer", **asked)
    plain = few_step_explorer.walk(["a red fox", "a blue cat"], 3, **asked)
    assert (between.images.pixels[1] - plain.images.pixels[1]).abs().max() > 1e-3
    frame = tmp_path / "frame.png"
    between.images[1:2].save(frame)
    assert few_step_explorer.replay(frame).identical


def test_replays_are_identical(few_step_explorer, few_step_model, tmp_path):
    file, video = tmp_path / "fox.png", tmp_path / "walk.gif"
    few_step_explorer.decode("a red fox", few_steps=True, seed=[3]).save(file)
    few_step_explorer.walk(["a red fox", "a blue cat"], 2, spacing="uniform", few_steps=True).save(video)
    for each in (file, video):
        assert few_step_explorer.replay(each).identical
        assert Explorer.open(few_step_model, device="cpu").replay(each).identical


def test_the_command_decodes_with_them(few_step_model, tiny_model, tmp_path, capsys):
    arguments = ["decode", "a red fox", "-o", str(tmp_path / "fox.png"), "--few-steps", "--json"]
    assert main([*arguments, "--model", str(few_step_model)]) == 0
    options = json.loads(capsys.readouterr().out)["provenance"]["options"]
    assert (options["few_steps"], options["steps"], options["guidance"]) == (True, 3, 1.0)
    assert main([*arguments, "--model", str(tiny_model)]) == 2
    assert "few_steps=True" in capsys.readouterr().err


def test_the_models_hash_covers_them(few_step_model, tiny_model, folder, factors):
    hashes = {parts_in(each).fingerprint() for each in (tiny_model, few_step_model, folder)}
    assert len(hashes) == 2
    save_file({name: each * 2 for name, each in factors.items()}, folder / HERE)
    assert parts_in(folder).fingerprint() not in hashes


def test_they_are_counted_with_the_second_network(few_step_model, tiny_model, few_step_explorer, factors):
    with_them, without = (weights_to_load(parts_in(each)).parameters for each in (few_step_model, tiny_model))
    assert with_them - without == sum(each.numel() for each in few_step_explorer.model.denoiser.unet.parameters())


def test_half_precision_rounds_the_sum_once(few_step_explorer, factors):
    unet = few_step_explorer.model.denoiser.unet
    weight = unet.get_parameter("mid_block.resnets.0.conv1.weight")
    a, b = (factors[f"unet.mid_block.resnets.0.conv1.lora_{part}.weight"].float().flatten(1) for part in "AB")
    half = fused(fused(unet, {}).half(), factors).get_parameter("mid_block.resnets.0.conv1.weight")
    assert torch.equal(half, (weight.half().float() + (b @ a).view_as(weight)).half())


def test_a_network_that_is_offloaded_is_not_copied(refused: Callable, few_step_explorer, few_step_model):
    target = Target(torch.device("cuda"), placement=Placement(offload="model"))
    few = FewSteps.beside(few_step_model / "diffusion", few_step_explorer.model.denoiser.unet, target)
    with refused(ModelError, "offload", "few_steps=True"):
        few.network  # noqa: B018  # asking for it makes it


def _other_layer(factors):
    return {name.replace("mid_block", "middle"): each for name, each in factors.items()}


def _scales(factors):
    return factors | {"unet.conv_in.alpha": torch.tensor(8.0)}


def _text_encoder(factors):
    return factors | {"text_encoder.a.lora_A.weight": torch.zeros(1, 1), "text_encoder.a.lora_B.weight": torch.zeros(1)}


def _norm(factors):
    return factors | {f"unet.conv_norm_out.lora_{part}.weight": torch.zeros(1, 1) for part in "AB"}


def _alone(factors):
    return {name: each for name, each in factors.items() if name != "unet.conv_in.lora_B.weight"}


def _other_ranks(factors):
    return factors | {"unet.conv_in.lora_A.weight": factors["unet.conv_in.lora_A.weight"][:2]}


def _narrower(factors):
    return factors | {"unet.conv_in.lora_A.weight": factors["unet.conv_in.lora_A.weight"][:, :4]}


def _wide_kernel(factors):
    b = factors["unet.conv_in.lora_B.weight"]
    return factors | {"unet.conv_in.lora_B.weight": b.expand(*b.shape[:2], 3, 3)}


WRONG = [
    (_other_layer, "other weights", "unet.middle"),
    (_scales, "other weights", "unet.conv_in.alpha"),
    (_text_encoder, "other weights", "text_encoder"),
    (_norm, "other weights", "unet.conv_norm_out"),
    (lambda factors: {}, "other weights", "nothing"),
    (_alone, "incomplete", "lora_B of 'conv_in'"),
    (_other_ranks, "shape", "'conv_in'"),
    (_narrower, "shape", "'conv_in'"),
    (_wide_kernel, "shape", "'conv_in'"),
]


@pytest.mark.parametrize(("change", "code", "fact"), WRONG)
def test_weights_of_another_network_are_refused(refused, few_step_explorer, folder, factors, change, code, fact):
    changed = {name: each.contiguous() for name, each in change(factors).items()}
    save_file(changed, folder / HERE)
    with refused(ModelError, code, str(folder), fact):
        Explorer.open(folder, device="cpu")


def test_scales_in_the_metadata_are_refused(refused: Callable, folder, factors):
    save_file(factors, folder / HERE, metadata={"lora_adapter_metadata": '{"unet.lora_alpha": 64}'})
    with refused(ModelError, "scaled", "lora_adapter_metadata"):
        Explorer.open(folder, device="cpu")


def test_files_that_cannot_be_read_are_refused(refused: Callable, folder, factors):
    (folder / HERE).write_bytes(b"no tensors")
    with refused(ModelError, "damaged", HERE.name):
        Explorer.open(folder, device="cpu")
    (folder / HERE).rename((folder / HERE).with_suffix(".bin"))
    with refused(ModelError, "pickle", "pytorch_lora_weights.bin"):
        Explorer.open(folder, device="cpu")
    (folder / HERE).with_suffix(".bin").unlink()
    with refused(ModelError, "incomplete", HERE.name):
        Explorer.open(folder, device="cpu")


@pytest.mark.parametrize(
    ("options", "code"),
    [(4, "not json"), ({"steps": 0}, "few steps"), ({"guidance": "high"}, "few-step guidance")],
)
def test_wrong_defaults_are_refused(refused: Callable, folder, options, code):
    file = folder / "diffusion" / "thoughtspace.json"
    file.write_text(json.dumps({"few_steps": options}))
    with refused(ModelError, code, str(file)):
        Explorer.open(folder, device="cpu")


def test_a_network_that_is_no_unet_has_none(refused: Callable, few_step_model):
    with refused(ModelError, "no unet", HERE.name):
        FewSteps.beside(few_step_model / "diffusion", None, Target(torch.device("cpu")))
