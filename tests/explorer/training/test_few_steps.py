"""The LoRA of few steps: it begins as nothing, learns what guidance makes, and is exported as the library reads it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from thoughtspace.explorer.training import denoiser, few_steps, finished, guidance
from thoughtspace.explorer.training.export import GUIDANCE
from thoughtspace.explorer.training.fit import Budget, Step, fit
from thoughtspace.explorer.training.stages import run
from thoughtspace.explorer.training.workshop import Workshop

from .tiny_recipe import QUICK, TINY

CPU = torch.device("cpu")
RECIPE = replace(TINY, shard_steps=1000, few_steps_rank=4, few_steps=replace(QUICK, batch=6, steps=4))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A tiny recipe up to its denoiser."""
    folder = tmp_path_factory.mktemp("few-steps")
    made = Workshop(RECIPE, folder / "runs", folder / "out", device=CPU, compiled=False)
    for stage in ("autoencoder", "clip", "denoiser"):
        run(made, stage)
    return made


@pytest.fixture(scope="module")
def prepared(workshop):
    return denoiser.prepare(workshop)


def begun(workshop):
    """The teacher and a new LoRA on it."""
    torch.manual_seed(0)
    unet = finished.averaged_denoiser(denoiser.build(RECIPE), workshop)
    return unet, few_steps.Lora(unet, rank=RECIPE.few_steps_rank)


def step(number: int = 0) -> Step:
    return Step(number, 0.0, np.random.default_rng([0, number]))


def test_a_new_lora_changes_nothing_and_another_only_while_it_is_on(workshop):
    unet, lora = begun(workshop)
    plain = finished.averaged_denoiser(denoiser.build(RECIPE), workshop)
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(2, RECIPE.latent_channels, 8, 8, generator=draw)
    asked = (x, torch.tensor([3, 900]), torch.randn(2, 5, 64, generator=draw), torch.randn(2, 64, generator=draw))
    with torch.no_grad():
        expected = few_steps.predict(plain, *asked)
        assert torch.equal(few_steps.predict(unet, *asked), expected)
        for name, each in lora.named_parameters():
            if "lora_B" in name:
                each.fill_(0.1)
        assert not torch.allclose(few_steps.predict(unet, *asked), expected, atol=1e-2)
        with lora.off():
            assert torch.equal(few_steps.predict(unet, *asked), expected)


def test_only_the_lora_learns(workshop, prepared):
    unet, lora = begun(workshop)
    few_steps.loss(unet, lora, *prepared, workshop)(step())[0].backward()
    assert all(each.grad is None for each in unet.parameters())
    moved = {name for name, each in lora.named_parameters() if each.grad is not None and bool(each.grad.any())}
    assert moved == {name for name, _ in lora.named_parameters() if "lora_B" in name}  # A waits for B to leave zero
    assert sum(each.numel() for each in lora.parameters()) < sum(each.numel() for each in unet.parameters())


def test_the_target_is_what_guidance_makes_at_the_decoder(workshop, prepared):
    """v_u + g (v_c - v_u) with the negative of the pipeline; where nothing guides, the plain prediction."""
    unet, _ = begun(workshop)
    guide, (pool, joint) = guidance.Guidance(prepared[1]), prepared
    states, classes, guided = guide.draw_marked(pool, np.arange(20), np.random.default_rng(3))
    assert bool(guided.any())
    assert not bool(guided.all())
    empty = guidance.text_features(joint.clip, joint.tokenizer, [""], context=joint.context)[0]
    x, t = torch.randn(20, RECIPE.latent_channels, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(20)
    with torch.no_grad():
        towards = unet(x, t, encoder_hidden_states=states, class_labels=classes).sample
        without = unet(x, t, encoder_hidden_states=empty.expand(20, -1, -1), class_labels=0 * classes).sample
        scale = torch.where(guided, GUIDANCE, 1.0)
        target = few_steps.taught(unet, x, t, states, classes, guide.nothing, scale)
    expected = without + GUIDANCE * (towards - without)
    torch.testing.assert_close(target[guided], expected[guided], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(target[~guided], towards[~guided], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(target[guided], towards[guided], atol=1e-4)  # negative control


def test_nothing_is_to_be_learned_of_a_teacher_at_guidance_1(workshop, prepared):
    unet, lora = begun(workshop)
    assert few_steps.loss(unet, lora, *prepared, workshop, guidance_scale=1.0)(step())[0].item() < 1e-10
    assert few_steps.loss(unet, lora, *prepared, workshop)(step())[0].item() > 1e-6  # negative control


def test_the_guidance_of_a_batch_is_learned_by_heart(workshop, prepared, tmp_path: Path):
    unet, lora = begun(workshop)
    loss = few_steps.loss(unet, lora, *prepared, workshop)

    def same(each: Step):
        return loss(Step(0, each.progress, np.random.default_rng(9)))

    before = same(step())[0].item()
    fit(lora, same, Budget(steps=40, minutes=1e9, batch=6, lr=1e-2), tmp_path, seed=0, device=CPU)
    assert same(step())[0].item() < 0.1 * before


def test_the_stage_goes_on_where_it_was_cut(workshop, prepared, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("thoughtspace.explorer.training.fit.half_precision", lambda device: nullcontext())  # exact
    budget = replace(RECIPE.few_steps, checkpoint_minutes=0)

    class CutError(Exception):
        """The machine goes away."""

    def trained(folder: Path, cut_at: int | None = None):
        unet, lora = begun(workshop)
        loss = few_steps.loss(unet, lora, *prepared, workshop)

        def cut(each: Step):
            if each.number == cut_at:
                raise CutError
            return loss(each)

        fit(lora, cut, budget, folder, seed=0, device=CPU)
        return lora

    with pytest.raises(CutError):
        trained(tmp_path / "cut", 2)
    names = {name.partition(".")[0] for name in load_file(tmp_path / "cut" / "checkpoint.safetensors")}
    assert names == {"weight", "average", "optimizer"}
    again, whole = trained(tmp_path / "cut"), trained(tmp_path / "whole")
    for a, b in zip(again.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    pairs = zip(begun(workshop)[1].parameters(), whole.parameters(), strict=True)
    assert max(float((a - b).detach().abs().max()) for a, b in pairs) > 1e-4  # negative control


def test_a_stage_that_is_finished_is_what_the_library_names(workshop):
    run(workshop, "few_steps")
    weights, unet = finished.load_few_steps(workshop), denoiser.build(RECIPE)
    layers = {name for name, each in unet.named_modules() if isinstance(each, torch.nn.Linear | torch.nn.Conv2d)}
    assert weights.keys() == {f"unet.{name}.lora_{part}.weight" for name in layers for part in "AB"}
    assert any(bool(each.any()) for name, each in weights.items() if "lora_B" in name)


def test_a_compiled_network_is_teacher_and_student(workshop, prepared, monkeypatch):
    """The compiler sees whether the LoRA is on; here without its last stage, which needs a C++ compiler."""
    compiled = torch.compile
    monkeypatch.setattr(torch, "compile", lambda module: compiled(module, backend="eager"))
    values = []
    for each in (workshop, replace(workshop, compiled=True)):
        torch.manual_seed(0)
        unet = denoiser.build(replace(RECIPE, denoiser_widths=(32,)))  # tracing takes long
        lora = few_steps.Lora(unet.requires_grad_(False), rank=RECIPE.few_steps_rank)
        for name, factor in lora.named_parameters():
            if "lora_B" in name:
                torch.nn.init.constant_(factor, 0.01)
        values.append(few_steps.loss(unet, lora, *prepared, each)(step())[0])
    torch.testing.assert_close(values[0], values[1], rtol=1e-3, atol=1e-6)
