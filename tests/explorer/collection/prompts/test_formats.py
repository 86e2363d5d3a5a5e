"""Files in exactly the format of each program, and the order in which formats are asked."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from thoughtspace.explorer.collection.prompts.carried import Carried, read_carried
from thoughtspace.explorer.collection.prompts.find import settings_of

SEED = 2**64 - 1
UUID = "8f3c2b1a-0d4e-4f6a-9b8c-7d6e5f4a3b2c"


def found_in(data: bytes, name: str = "picture"):
    return settings_of(read_carried(data, name))


def test_invokeai_since_version_3(png):
    raw = json.dumps(
        {
            "app_version": "4.2.0",
            "generation_mode": "sdxl_txt2img",
            "positive_prompt": "a red fox [not a bracket]",
            "negative_prompt": "blurry",
            "width": 1024,
            "height": 768,
            "seed": 4294967295,
            "rand_device": "cpu",
            "cfg_scale": 7.5,
            "steps": 30,
            "scheduler": "dpmpp_2m_sde_k",
            "model": {"key": "7a", "hash": "blake3:1b", "name": "juggernaut-xl", "base": "sdxl", "type": "main"},
            "loras": [],
        }
    )
    found = found_in(png({"invokeai_metadata": raw, "invokeai_graph": '{"nodes": {}}'}))
    assert (found.source, found.prompt, found.negative) == ("invokeai", "a red fox [not a bracket]", "blurry")
    assert (found.seed, found.steps, found.sampler, found.guidance) == (4294967295, 30, "dpmpp_2m_sde_k", 7.5)
    assert (found.model, found.size, found.raw) == ("juggernaut-xl", (1024, 768), raw)
    assert found.more["generation_mode"] == "sdxl_txt2img"
    older = json.dumps({"positive_prompt": "a fox", "model": {"model_name": "sd-1", "base_model": "sd-1"}})
    assert found_in(png({"invokeai_metadata": older})).model == "sd-1"
    flux = {"generation_mode": "flux_txt2img", "positive_prompt": "a fox", "guidance": 4, "steps": 20}
    assert found_in(png({"invokeai_metadata": json.dumps(flux)})).guidance == 4
    assert found_in(png({"invokeai_metadata": json.dumps({**flux, "cfg_scale": 1})})).guidance == 1


def test_invokeai_before_version_3(png):
    image = {
        "prompt": [{"prompt": "a red fox [blurry] in snow [ugly]", "weight": 1.0}],
        "steps": 50,
        "cfg_scale": 7.5,
        "threshold": 0.0,
        "height": 512,
        "width": 640,
        "seed": 42,
        "type": "txt2img",
        "sampler": "k_lms",
    }
    raw = json.dumps({"model": "stable diffusion", "model_weights": "sd-1.5", "app_version": "2.2.4", "image": image})
    dream = '"a red fox [blurry] in snow [ugly]" -s 50 -S 42 -W 640 -H 512 -C 7.5 -A k_lms'
    found = found_in(png({"Dream": dream, "sd-metadata": raw}))
    assert (found.source, found.prompt, found.negative) == ("invokeai", "a red fox in snow", "blurry ugly")
    assert (found.seed, found.steps, found.sampler, found.guidance) == (42, 50, "k_lms", 7.5)
    assert (found.model, found.size, found.raw, found.note) == ("sd-1.5", (640, 512), raw, "")
    image["prompt"] = [{"prompt": "a fox", "weight": 0.5}, {"prompt": "a cat", "weight": 0.5}]
    blended = found_in(png({"sd-metadata": json.dumps({"image": image})}))
    assert (blended.prompt, "2 weighted prompts" in blended.note) == ("a fox, a cat", True)


@pytest.mark.parametrize(
    "dream",
    [
        '"a "red" fox -s 9 [blurry]" -s50 -S42 -W640 -H512 -C7.5 -Ak_lms',
        '"a "red" fox -s 9 [blurry]" -s 50 -S 42 -W 640 -H 512 -C 7.5 -A k_lms --seamless',
    ],
)
def test_the_command_of_invokeai(png, dream):
    found = found_in(png({"Dream": dream}))
    assert (found.prompt, found.negative) == ('a "red" fox -s 9', "blurry")
    assert (found.steps, found.seed, found.size, found.guidance, found.sampler) == (50, 42, (640, 512), 7.5, "k_lms")
    assert found.raw == dream


MIDJOURNEY = f"<https://s.mj.run/abc> a red fox::2 in snow, oil --ar 2:1 --v 6.1 --no text, hat --seed 7 Job ID: {UUID}"
MIDJOURNEY_XMP = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description iptcExt:DigImageGUID="{UUID}"
 iptcExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta>"""


def check_midjourney(found):
    assert (found.source, found.prompt, found.negative) == ("midjourney", "a red fox::2 in snow, oil", "text, hat")
    assert (found.seed, found.model, found.steps, found.guidance) == (7, "midjourney 6.1", None, None)
    assert found.more == {"ar": "2:1", "job": UUID, "images": "https://s.mj.run/abc"}
    assert (found.raw, found.note) == (MIDJOURNEY, "")


def test_midjourney_in_a_png(png):
    texts = {"Author": "fox", "Creation Time": "Tue, 02 Apr 2024 12:00:00 GMT", "Description": MIDJOURNEY}
    check_midjourney(found_in(png({**texts, "XML:com.adobe.xmp": MIDJOURNEY_XMP})))


def test_midjourney_in_a_jpeg(holding, exif):
    check_midjourney(found_in(holding("JPEG", exif(ImageDescription=MIDJOURNEY))))


def test_midjourney_in_xmp():
    described = MIDJOURNEY.replace("<", "&lt;").replace(">", "&gt;")
    xmp = f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{described}</rdf:li></rdf:Alt></dc:description>'
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", xmp=f"<x:xmpmeta>{xmp}</x:xmpmeta>".encode())
    check_midjourney(found_in(buffer.getvalue()))


def test_midjourney_without_parameters_and_of_other_versions():
    plain = settings_of(Carried(texts={"Description": f"a red-fox -- in snow Job ID: {UUID}"}))
    assert (plain.prompt, plain.model, plain.negative) == ("a red-fox -- in snow", None, None)
    niji = settings_of(Carried(texts={"Description": f"a fox --niji 6 --tile Job ID: {UUID}"}))
    assert (niji.prompt, niji.model) == ("a fox", "niji 6")


@pytest.mark.parametrize(
    "caption", ["A fox in the snow, Norway 2019.", "Job ID: 12 for the printer", "fox --ar 2:1", ""]
)
def test_an_ordinary_description_is_not_midjourney_s(png, holding, exif, caption):
    """Negative control: cameras, photographers and offices describe pictures too."""
    assert found_in(holding("JPEG", exif(ImageDescription=caption, Software="Camera 1.0"))) is None
    assert found_in(png({"Description": caption, "Comment": caption, "Software": "GIMP"})) is None


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        (f"fox_lover_a_red_fox_in_snow_{UUID}_0.png", "lover a red fox in snow"),
        (f"anna_a_red_fox_--ar_21_{UUID}_3.webp", "a red fox"),
        (f"anna_a_red_fox_{UUID}.png", "a red fox"),
    ],
)
def test_the_file_name_is_the_marked_last_resort(png, name, prompt):
    found = found_in(png(), name)
    assert (found.source, found.prompt, found.more["job"]) == ("midjourney file name", prompt, UUID)
    assert "file name" in found.note
    assert found_in(png({"Description": MIDJOURNEY}), name).source == "midjourney"


@pytest.mark.parametrize("name", [f"photo_2024_{UUID}.jpg", f"{UUID}.png", f"a_b_{UUID}.png", "a_red_fox_0.png", ""])
def test_other_file_names_say_nothing(png, name):
    """Negative control."""
    assert found_in(png(), name) is None


NOVELAI = {
    "prompt": "1girl, {fox ears}",
    "steps": 28,
    "height": 1216,
    "width": 832,
    "scale": 5.0,
    "cfg_rescale": 0.0,
    "seed": 3816166865,
    "n_samples": 1,
    "noise_schedule": "karras",
    "sampler": "k_euler_ancestral",
    "uc": "lowres, {bad}",
    "request_type": "PromptGenerateRequest",
}


def novelai(**comment: object) -> dict[str, str]:
    return {
        "Title": "NovelAI generated image",
        "Description": "1girl, {fox ears}",
        "Software": "NovelAI",
        "Source": "NovelAI Diffusion V3 7BCCAA2C",
        "Generation time": "3.5",
        "Comment": json.dumps({**NOVELAI, **comment}),
    }


def test_novelai(png):
    found = found_in(png(novelai()))
    assert (found.source, found.prompt, found.negative) == ("novelai", "1girl, {fox ears}", "lowres, {bad}")
    assert (found.seed, found.steps, found.sampler, found.guidance) == (3816166865, 28, "k_euler_ancestral", 5.0)
    assert (found.model, found.size) == ("NovelAI Diffusion V3 7BCCAA2C", (832, 1216))
    assert (found.more["noise_schedule"], found.raw) == ("karras", novelai()["Comment"])


def test_novelai_4_has_a_prompt_for_each_character(png):
    def structured(base, *characters):
        captions = [{"char_caption": each, "centers": [{"x": 0.5, "y": 0.5}]} for each in characters]
        return {"caption": {"base_caption": base, "char_captions": captions}, "use_coords": False, "use_order": True}

    v4 = {"v4_prompt": structured("two foxes", "a red fox", "a blue fox"), "v4_negative_prompt": structured("ugly", "")}
    found = found_in(png(novelai(**v4)))
    assert (found.prompt, found.negative) == ("two foxes | a red fox | a blue fox", "ugly")


def test_novelai_in_a_webp(holding, exif):
    comment = b"ASCII\0\0\0" + json.dumps(novelai()).encode()
    found = found_in(holding("WEBP", exif(comment)))
    assert (found.source, found.prompt, found.seed) == ("novelai", "1girl, {fox ears}", 3816166865)


def test_novelai_with_a_damaged_comment_has_its_prompt(png):
    found = found_in(png({**novelai(), "Comment": '{"prompt": "1gi'}))
    assert (found.prompt, found.seed) == ("1girl, {fox ears}", None)
    assert "Comment" in found.note


SWARMUI = json.dumps(
    {
        "sui_image_params": {
            "prompt": "a red fox <lora:snow>",
            "negativeprompt": "blurry",
            "model": "OfficialStableDiffusion/sd_xl_base_1.0",
            "seed": SEED,
            "steps": 20,
            "cfgscale": 7.0,
            "aspectratio": "1:1",
            "width": 1024,
            "height": 1024,
            "sampler": "euler",
            "scheduler": "normal",
            "automaticvae": True,
            "swarm_version": "0.9.3.1",
        },
        "sui_extra_data": {"date": "2025-01-25", "generation_time": "4.84 sec"},
        "sui_models": [{"name": "sd_xl_base_1.0.safetensors", "param": "model", "hash": "0xd7a9"}],
    },
    indent=2,
)


def check_swarmui(found):
    assert (found.source, found.prompt, found.negative) == ("swarmui", "a red fox <lora:snow>", "blurry")
    assert (found.seed, found.steps, found.sampler, found.guidance) == (SEED, 20, "euler", 7.0)
    assert (found.model, found.size) == ("OfficialStableDiffusion/sd_xl_base_1.0", (1024, 1024))
    assert (found.more["scheduler"], found.more["aspectratio"], found.raw) == ("normal", "1:1", SWARMUI)


def test_swarmui(png, holding, exif):
    check_swarmui(found_in(png({"parameters": SWARMUI})))
    check_swarmui(found_in(holding("JPEG", exif(b"UNICODE\0" + SWARMUI.encode("utf-16-le")))))
    check_swarmui(found_in(holding("JPEG", exif(Model=SWARMUI))))


FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "juggernautXL_v8Rundiffusion",
    "base_model_hash": "aeb7e9e689",
    "full_negative_prompt": ["blurry", "low quality"],
    "full_prompt": ["cinematic still a red fox . emotional", "a red fox, intricate, elegant"],
    "guidance_scale": 4,
    "loras": [["sd_xl_offset", 0.1, "4852686128"]],
    "metadata_scheme": "fooocus",
    "negative_prompt": "blurry",
    "performance": "Speed",
    "prompt": "a red fox",
    "resolution": "(1152, 896)",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": str(SEED),
    "steps": 30,
    "version": "Fooocus v2.5.5",
}


def check_fooocus(found):
    assert (found.source, found.prompt, found.negative) == ("fooocus", "a red fox", "blurry")
    assert (found.seed, found.steps, found.sampler, found.guidance) == (SEED, 30, "dpmpp_2m_sde_gpu", 4.0)
    assert (found.model, found.size) == ("juggernautXL_v8Rundiffusion", (1152, 896))
    assert found.more["full prompt"] == "cinematic still a red fox . emotional, a red fox, intricate, elegant"
    assert found.raw == json.dumps(FOOOCUS)


def fooocus_exif(parameters: str, scheme: str) -> Image.Exif:
    """As get_exif of Fooocus."""
    exif = Image.Exif()
    exif[0x9286], exif[0x0131], exif[0x927C] = parameters, "Fooocus v2.5.5", scheme
    return exif


def in_jpeg(exif: Image.Exif) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def test_fooocus_in_its_own_scheme(png):
    check_fooocus(found_in(png({"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"})))
    check_fooocus(found_in(in_jpeg(fooocus_exif(json.dumps(FOOOCUS), "fooocus"))))


FOOOCUS_INFOTEXT = (
    "cinematic still a red fox, in snow . emotional, intricate\n"
    "Negative prompt: blurry, low quality\n"
    f"Steps: 30, Sampler: DPM++ 2M SDE Karras, Seed: {SEED}, Size: 1152x896, CFG scale: 4, Sharpness: 2, "
    'ADM Guidance: "(1.5, 0.8, 0.3)", Model: juggernautXL_v8Rundiffusion, Model hash: aeb7e9e689, Performance: Speed, '
    'Scheduler: karras, VAE: Default (model), Raw prompt: "a red fox,\\nin snow", Raw negative prompt: blurry, '
    'Lora hashes: "sd_xl_offset: 4852686128", Version: Fooocus v2.5.5'
)


def test_fooocus_in_the_scheme_of_a1111(png):
    for data in (
        png({"parameters": FOOOCUS_INFOTEXT, "fooocus_scheme": "a1111"}),
        png({"parameters": FOOOCUS_INFOTEXT}),
        in_jpeg(fooocus_exif(FOOOCUS_INFOTEXT, "a1111")),
    ):
        found = found_in(data)
        assert (found.source, found.prompt, found.negative) == ("fooocus", "a red fox,\nin snow", "blurry")
        assert (found.seed, found.steps, found.sampler) == (SEED, 30, "DPM++ 2M SDE Karras")
        assert (found.guidance, found.model, found.size) == (4.0, "juggernautXL_v8Rundiffusion", (1152, 896))
        assert found.more["full prompt"] == "cinematic still a red fox, in snow . emotional, intricate"
        assert "Raw prompt" not in found.more


def test_infotext_beside_a_graph_comes_first(png):
    """Nodes that save pictures for A1111's readers write both."""
    graph = json.dumps({"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "a {red|blue} fox"}}})
    infotext = "a red fox\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1"
    found = found_in(png({"prompt": graph, "parameters": infotext}))
    assert (found.source, found.prompt) == ("a1111", "a red fox")


def test_a_photograph_has_no_settings(holding, exif, png):
    """Negative control."""
    camera = exif(b"ASCII\0\0\0", Make="Canon", Model="Canon EOS 5D", Software="Adobe Photoshop 25.0")
    assert found_in(holding("JPEG", camera), "IMG_0001.JPG") is None
    assert found_in(png({"Title": "Fox", "Comment": "Steps: we walked", "prompt": "", "parameters": ""})) is None
    assert found_in(b"GIF89a") is None
