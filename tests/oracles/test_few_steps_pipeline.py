"""Few-step weights fused into the UNet against the same file in an unmodified diffusers, where peft applies it."""

from __future__ import annotations

import shutil

import diffusers
import numpy as np
import pytest
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from thoughtspace.explorer.diffusion.loop import seeded
from thoughtspace.explorer.explorer import Explorer

TOLERANCE = 1e-5  # in [0, 1]

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


def opened(folder, lora=None):
    pipeline = diffusers.StableUnCLIPImg2ImgPipeline.from_pretrained(folder / "diffusion")
    pipeline.set_progress_bar_config(disable=True)
    if lora is not None:
        pipeline.load_lora_weights(lora)
    return pipeline


@pytest.fixture(scope="module")
def pipeline(few_step_model):
    """With the few-step weights, as its documentation says."""
    return opened(few_step_model, few_step_model / "diffusion" / "few_steps")


def theirs(pipeline, seed, joint, *, prompt="", steps=3, guidance=1.0):
    made = pipeline(
        prompt=prompt,
        image_embeds=joint.clone(),
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=seeded([seed]),
        output_type="pt",
    )
    return made.images[0]


def test_every_layer_of_the_unet_is_one_that_the_library_knows(pipeline):
    plain = diffusers.UNet2DConditionModel.from_config(pipeline.unet.config)
    layers = {name for name, each in plain.named_modules() if isinstance(each, torch.nn.Linear | torch.nn.Conv2d)}
    assert {name for name, each in pipeline.unet.named_modules() if hasattr(each, "lora_A")} == layers


@torch.no_grad()
def test_the_fused_unet_computes_what_the_library_computes(few_step_explorer, few_step_model, pipeline):
    denoiser = few_step_explorer.model.denoiser
    config, draw = denoiser.unet.config, torch.Generator().manual_seed(0)
    ranks = {each.lora_A["default_0"].weight.shape[0] for each in pipeline.unet.modules() if hasattr(each, "lora_A")}
    assert len(ranks) > 1
    x = torch.randn(2, *denoiser.latent_shape, generator=draw)
    asked = {
        "encoder_hidden_states": torch.randn(2, 7, config.cross_attention_dim, generator=draw),
        "class_labels": torch.randn(2, config.projection_class_embeddings_input_dim, generator=draw),
    }
    t = torch.tensor([10, 700])
    fused, base, expected = (
        unet(x, t, **asked).sample for unet in (denoiser.with_few_steps().unet, denoiser.unet, pipeline.unet)
    )
    torch.testing.assert_close(fused, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(base, opened(few_step_model).unet(x, t, **asked).sample, atol=1e-5, rtol=1e-5)
    assert (fused - base).abs().max() > 0.1  # negative control


@pytest.mark.parametrize("asked", [{}, {"steps": 2, "guidance": 2.5}])
def test_decoding_is_one_call_of_the_librarys_pipeline(few_step_explorer, few_step_model, pipeline, asked):
    joint, point = few_step_explorer.joint, few_step_explorer.points('"a king" - 0.5 * "a man"')
    made = few_step_explorer.decode(point, seed=11, few_steps=True, **asked).pixels[0].cpu()
    expected = theirs(pipeline, 11, joint.vectors(point), **asked)
    torch.testing.assert_close(made, expected, atol=2 * TOLERANCE, rtol=0)
    without = theirs(opened(few_step_model), 11, joint.vectors(point), **asked)
    assert (expected - without).abs().max() > 0.02  # negative control: the weights matter


def test_a_prompt_is_decoded_as_the_library_decodes_it(few_step_explorer, pipeline):
    made = few_step_explorer.prompt.decode(few_step_explorer.prompt.text("a red fox"), seed=2, few_steps=True)
    nothing = torch.zeros(1, few_step_explorer.model.clip.dim)
    expected = theirs(pipeline, 2, nothing, prompt="a red fox").permute(1, 2, 0).numpy()
    assert np.abs(np.asarray(made[0]) / 255 - expected).max() <= 0.5 / 255 + TOLERANCE


@torch.no_grad()
def test_a_file_that_the_library_saved_is_read(tiny_model, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    theirs_alone = opened(folder)
    torch.manual_seed(0)
    some = LoraConfig(r=5, lora_alpha=5, init_lora_weights=False, target_modules=["to_q", "conv1", "proj_in"])
    theirs_alone.unet.add_adapter(some)
    theirs_alone.save_lora_weights(
        folder / "diffusion" / "few_steps", unet_lora_layers=get_peft_model_state_dict(theirs_alone.unet)
    )
    explorer = Explorer.open(folder, device="cpu")
    assert explorer.model.denoiser.few_steps == (4, 1.0)
    point = explorer.joint.text("a red fox")
    made = explorer.joint.decode(point, few_steps=True).pixels[0].cpu()
    expected = theirs(theirs_alone, 0, explorer.joint.vectors(point), steps=4)
    torch.testing.assert_close(made, expected, atol=2 * TOLERANCE, rtol=0)
