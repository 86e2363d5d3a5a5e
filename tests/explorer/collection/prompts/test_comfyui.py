"""Graphs of ComfyUI: nodes by their real classes and inputs, as `SaveImage` writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from thoughtspace.explorer.collection.prompts import comfyui
from thoughtspace.explorer.collection.prompts.carried import Carried, read_carried

SEED = 2**64 - 1


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}}


def sampler(**inputs: Any) -> dict[str, Any]:
    usual = {"seed": SEED, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    return node("KSampler", **{**usual, **links, **inputs})


def graph(**nodes: dict[str, Any]) -> dict[str, Any]:
    """The default workflow of ComfyUI, with some nodes in place of its own: `graph(_6=…)`."""
    default = {
        "3": sampler(),
        "4": node("CheckpointLoaderSimple", ckpt_name="v1-5-pruned-emaonly-fp16.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=512, batch_size=1),
        "6": node("CLIPTextEncode", text="a red fox", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
    }
    return {**default, **{name.removeprefix("_"): each for name, each in nodes.items()}}


def read(nodes: Mapping[str, Any]):
    return comfyui.read(Carried(texts={"prompt": json.dumps(nodes)}))


def check_default(found):
    assert (found.source, found.prompt, found.negative) == ("comfyui", "a red fox", "blurry")
    assert (found.seed, found.steps, found.sampler, found.guidance) == (SEED, 20, "euler", 8.0)
    assert found.model == "v1-5-pruned-emaonly-fp16.safetensors"
    assert (found.more, found.note) == ({"scheduler": "normal"}, "")


def test_the_default_workflow_in_a_png(png):
    raw = json.dumps(graph())
    found = comfyui.read(read_carried(png({"prompt": raw, "workflow": '{"nodes": []}'})))
    check_default(found)
    assert found.raw == raw


def test_the_default_workflow_in_a_webp(holding, exif):
    """SaveAnimatedWEBP writes into Model and Make."""
    data = holding("WEBP", exif(Model=f"prompt:{json.dumps(graph())}", Make='workflow:{"nodes": []}'))
    check_default(comfyui.read(read_carried(data)))


def test_the_encoder_of_sdxl_has_two_texts():
    same = read(graph(_6=node("CLIPTextEncodeSDXL", text_g="a fox", text_l="a fox", width=1024, clip=["4", 1])))
    two = read(graph(_6=node("CLIPTextEncodeSDXL", text_g="a fox", text_l="oil", width=1024, clip=["4", 1])))
    assert (same.prompt, two.prompt) == ("a fox", "a fox, oil")


@pytest.mark.parametrize(
    "string",
    [
        node("PrimitiveString", value="a blue fox"),
        node("PrimitiveStringMultiline", value="a blue fox"),
        node("String Literal", string="a blue fox"),
        node("Text Multiline", text="a blue fox"),
        node("ImpactWildcardProcessor", wildcard_text="a {blue|red} fox", populated_text="a blue fox", seed=1),
        node("StringConcatenate", string_a="a blue", string_b=["21", 0], delimiter=" "),
        node("Text Concatenate", text_a="a", text_b="blue", text_c=["21", 0], text_d="", delimiter=" "),
        node("JoinStrings", string1="a blue", string2=["21", 0], delimiter=" "),
        node("CR Text Concatenate", text1="a blue", text2=["21", 0], separator=" "),
        node("Reroute", **{"": ["22", 0]}),
    ],
)
def test_a_text_may_come_from_a_node(string):
    found = read(
        graph(
            _6=node("CLIPTextEncode", text=["20", 0], clip=["4", 1]),
            _20=string,
            _21=node("PrimitiveString", value="fox"),
            _22=node("PrimitiveString", value="a blue fox"),
        )
    )
    assert (found.prompt, found.negative, found.note) == ("a blue fox", "blurry", "")


def test_numbers_may_come_from_nodes():
    found = read(
        graph(
            _3=sampler(seed=["20", 0], steps=["21", 0]), _20=node("CR Seed", seed=7), _21=node("PrimitiveInt", value=9)
        )
    )
    assert (found.seed, found.steps) == (7, 9)


@pytest.mark.parametrize(
    ("between", "prompt", "noted"),
    [
        (node("ConditioningCombine", conditioning_1=["20", 0], conditioning_2=["21", 0]), "a fox, in snow", "joins 2"),
        (
            node("ConditioningConcat", conditioning_to=["20", 0], conditioning_from=["21", 0]),
            "a fox, in snow",
            "joins 2",
        ),
        (node("ConditioningCombine", conditioning_1=["20", 0], conditioning_2=["20", 0]), "a fox", ""),
        (
            node("ControlNetApply", conditioning=["20", 0], control_net=["30", 0], image=["31", 0], strength=1),
            "a fox",
            "",
        ),
        (node("ConditioningSetArea", conditioning=["20", 0], width=64, height=64, x=0, y=0), "a fox", ""),
        (node("SomebodysEncoder", embedding="x"), "", "SomebodysEncoder"),
    ],
)
def test_conditioning_passes_through_nodes(between, prompt, noted):
    texts = {"_20": node("CLIPTextEncode", text="a fox"), "_21": node("CLIPTextEncode", text="in snow")}
    found = read(graph(_6=between, **texts))
    assert (found.prompt, found.negative) == (prompt, "blurry")
    assert noted in found.note
    assert bool(noted) == bool(found.note)


def test_a_controlnet_for_both_keeps_them_apart():
    both = node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], control_net=["30", 0], strength=1.0)
    found = read(graph(_3=sampler(positive=["20", 0], negative=["20", 1]), _20=both))
    assert (found.prompt, found.negative) == ("a red fox", "blurry")


def test_a_loader_that_holds_the_texts():
    loader = node("Efficient Loader", ckpt_name="x.safetensors", positive="a fox", negative="ugly", lora_name="None")
    links = {"model": ["20", 0], "positive": ["20", 1], "negative": ["20", 2], "latent_image": ["20", 3]}
    found = read(graph(_3={**sampler(**links), "class_type": "KSampler (Efficient)"}, _20=loader))
    assert (found.prompt, found.negative, found.model) == ("a fox", "ugly", "x.safetensors")


def test_loras_are_named_and_the_model_behind_them_found():
    lora = node("LoraLoader", lora_name="fox.safetensors", strength_model=1, model=["4", 0], clip=["4", 1])
    found = read(graph(_3=sampler(model=["20", 0]), _20=lora))
    assert (found.model, found.more["loras"]) == ("v1-5-pruned-emaonly-fp16.safetensors", "fox.safetensors")


def test_the_advanced_sampler_and_a_refiner_after_it():
    """The settings are those of the base, which makes the picture; the refiner is mentioned."""
    base = node(
        "KSamplerAdvanced", add_noise="enable", noise_seed=5, steps=25, cfg=7.5, sampler_name="dpmpp_2m",
        scheduler="karras", start_at_step=0, end_at_step=20, return_with_leftover_noise="enable",
        model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0],
    )  # fmt: skip
    refiner = {**base["inputs"], "noise_seed": 6, "cfg": 3.0, "positive": ["20", 0], "latent_image": ["3", 0]}
    found = read(
        graph(
            _3=base,
            _20=node("CLIPTextEncodeSDXLRefiner", text="sharp", ascore=6.0),
            _21=node("KSamplerAdvanced", **refiner),
            _8=node("VAEDecode", samples=["21", 0]),
        )
    )
    assert (found.prompt, found.seed, found.steps, found.guidance) == ("a red fox", 5, 25, 7.5)
    assert (found.sampler, found.more["scheduler"]) == ("dpmpp_2m", "karras")
    assert "2 samplers" in found.note


def flux() -> dict[str, Any]:
    """The example workflow of Flux: SamplerCustomAdvanced with its parts."""
    return {
        "1": node(
            "SamplerCustomAdvanced",
            noise=["2", 0],
            guider=["3", 0],
            sampler=["4", 0],
            sigmas=["5", 0],
            latent_image=["6", 0],
        ),
        "2": node("RandomNoise", noise_seed=SEED),
        "3": node("BasicGuider", model=["7", 0], conditioning=["8", 0]),
        "4": node("KSamplerSelect", sampler_name="euler"),
        "5": node("BasicScheduler", scheduler="simple", steps=20, denoise=1, model=["7", 0]),
        "6": node("EmptySD3LatentImage", width=1024, height=1024, batch_size=1),
        "7": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
        "8": node("FluxGuidance", guidance=3.5, conditioning=["9", 0]),
        "9": node("CLIPTextEncode", text="a red fox", clip=["10", 0]),
        "10": node("DualCLIPLoader", clip_name1="t5", clip_name2="clip_l", type="flux"),
        "11": node("SaveImage", images=["1", 0]),
    }


def test_the_custom_sampler_of_flux():
    found = read(flux())
    assert (found.prompt, found.negative, found.seed, found.steps) == ("a red fox", None, SEED, 20)
    assert (found.sampler, found.guidance, found.model) == ("euler", 3.5, "flux1-dev.safetensors")
    assert (found.more, found.note) == ({"scheduler": "simple", "distilled guidance": "3.5"}, "")


def test_a_guider_with_both_texts():
    guider = node("CFGGuider", model=["7", 0], positive=["9", 0], negative=["12", 0], cfg=4.0)
    found = read({**flux(), "3": guider, "12": node("CLIPTextEncode", text="ugly", clip=["10", 0])})
    assert (found.prompt, found.negative, found.guidance) == ("a red fox", "ugly", 4.0)


def test_the_older_custom_sampler():
    custom = node(
        "SamplerCustom", add_noise=True, noise_seed=3, cfg=1.0, model=["4", 0], positive=["6", 0], negative=["7", 0],
        sampler=["20", 0], sigmas=["21", 0], latent_image=["5", 0],
    )  # fmt: skip
    parts = {
        "_20": node("KSamplerSelect", sampler_name="lcm"),
        "_21": node("SDTurboScheduler", steps=1, model=["4", 0]),
    }
    found = read(graph(_3=custom, **parts))
    assert (found.seed, found.steps, found.sampler, found.guidance) == (3, 1, "lcm", 1.0)
    assert (found.prompt, found.negative) == ("a red fox", "blurry")


def test_a_negative_of_zeros_is_empty():
    found = read(graph(_7=node("ConditioningZeroOut", conditioning=["6", 0])))
    assert (found.prompt, found.negative) == ("a red fox", "")
    assert "negative" not in found.columns()


def test_samplers_that_differ_are_ambiguous_and_nothing_is_guessed():
    other = {
        "_20": sampler(positive=["21", 0], seed=1),
        "_21": node("CLIPTextEncode", text="a cat"),
        "_22": node("LatentComposite", samples_to=["3", 0], samples_from=["20", 0], x=0, y=0),
        "_8": node("VAEDecode", samples=["22", 0]),
    }
    found = read(graph(**other))
    assert (found.prompt, found.seed) == ("", None)
    assert (found.negative, found.steps, found.model) == ("blurry", 20, "v1-5-pruned-emaonly-fp16.safetensors")
    assert "ambiguous: 2 samplers that differ in prompt, seed" in found.note
    assert found.more["prompts"] == "a cat\na red fox"
    assert "ambiguous" in found.columns()["prompt_note"]
    del other["_8"]  # now the second sampler leads to no picture that is saved
    check_default(read(graph(**other)))


def test_a_graph_without_a_known_sampler():
    one = {"1": node("CLIPTextEncode", text="a fox"), "2": node("Mystery", conditioning=["1", 0])}
    assert read(one).prompt == "a fox"
    assert "without a known sampler" in read(one).note
    two = read({**one, "3": node("CLIPTextEncode", text="blurry")})
    assert (two.prompt, two.negative) == ("", None)
    assert "2 texts" in two.note


def test_a_workflow_alone_is_kept_and_said():
    raw = json.dumps({"nodes": [{"id": 1, "type": "KSampler", "widgets_values": [1, "fixed", 20]}], "links": []})
    found = comfyui.read(Carried(texts={"workflow": raw}))
    assert (found.prompt, found.raw) == ("", raw)
    assert "workflow" in found.note


def test_cycles_end():
    looped = node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["20", 0])
    self_text = node("PrimitiveString", value=["21", 0])
    found = read(
        graph(
            _3=sampler(latent_image=["8", 0], model=["3", 0], seed=["21", 0]),
            _6=looped,
            _20=node("CLIPTextEncode", text="a fox"),
            _7=node("CLIPTextEncode", text=["21", 0]),
            _21=self_text,
        )
    )
    assert (found.prompt, found.negative, found.seed, found.steps) == ("a fox", None, None, 20)
    joined = node("StringConcatenate", string_a=["20", 0], string_b=["20", 0], delimiter="")
    assert read(graph(_6=node("CLIPTextEncode", text=["20", 0]), _20=joined)).prompt == ""


@pytest.mark.parametrize(
    "nodes",
    [
        {"1": "no node"},
        {"1": {"class_type": 3, "inputs": {}}},
        {"1": {"class_type": "KSampler", "inputs": []}},
        {},
        {"a red fox": 1},
    ],
)
def test_json_that_is_no_graph(nodes):
    assert read(nodes) is None


@pytest.mark.parametrize("wrong", [None, 3, True, [], [[]], ["6"], ["99", 0], [{}, 0], {"a": 1}, float("nan"), 10**400])
@pytest.mark.parametrize(
    "name", ["seed", "steps", "cfg", "sampler_name", "positive", "negative", "model", "latent_image"]
)
def test_inputs_of_wrong_types_are_not_known(wrong, name):
    found = read(graph(_3=sampler(**{name: wrong})))
    known = {
        "positive": found.prompt == "a red fox",
        "negative": found.negative == "blurry",
        "seed": found.seed == SEED,
    }
    assert all(right != (name == each) for each, right in known.items())
    assert found.raw


def test_a_prompt_of_plain_text_is_another_program_s():
    """Negative control: Easy Diffusion writes its prompt into the same text."""
    assert comfyui.read(Carried(texts={"prompt": "a red fox", "seed": "1"})) is None


def test_many_samplers_are_not_followed():
    many = {f"_{number}": sampler(seed=number) for number in range(100, 200)}
    found = read({**graph(**many), "9": node("Mystery")})
    assert "101 samplers" in found.note
    assert found.prompt == ""


def test_the_note_names_the_node_that_is_not_known():
    chain = {"_6": node("CLIPTextEncode", text=["20", 0]), "_20": node("OllamaGenerate", prompt_in=["21", 0])}
    found = read(graph(**chain, _21=node("SomethingElse")))
    assert found.prompt == ""
    assert "OllamaGenerate" in found.note
    assert "CLIPTextEncode" not in found.note


def test_the_texts_of_a_loader_count_where_no_sampler_is_known():
    found = read(
        {
            "1": node("easy fullLoader", ckpt_name="dream.safetensors", positive="a red fox", negative="blurry"),
            "2": node("easy kSampler", pipe=["1", 0], seed=SEED, steps=25, cfg=6, sampler_name="euler"),
        }
    )
    assert (found.prompt, found.negative, found.seed, found.steps) == ("a red fox", "blurry", SEED, 25)
    assert (found.guidance, found.sampler, found.model) == (6, "euler", "dream.safetensors")
    assert "easy fullLoader" in found.note
    video = {
        "1": node("WanVideoTextEncode", positive_prompt="a red fox runs", negative_prompt="still"),
        "2": node("WanVideoSampler", text_embeds=["1", 0], seed=3, steps=30, cfg=5),
    }
    found = read(video)
    assert (found.prompt, found.negative, found.seed, found.steps) == ("a red fox runs", "still", 3, 30)
    two = read({**video, "3": node("WanVideoTextEncode", positive_prompt="an owl", negative_prompt="")})
    assert two.prompt == ""
    assert "ambiguous" in two.note
