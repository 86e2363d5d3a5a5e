"""The recipe: it resumes exactly, its losses say what they claim, and its export is what unmodified libraries load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from thoughtspace.datasets import captions, world
from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.training import clip, denoiser, finished, reader, words
from thoughtspace.explorer.training.__main__ import main
from thoughtspace.explorer.training.export import export
from thoughtspace.explorer.training.fit import Budget, Step, _schedule, fit
from thoughtspace.explorer.training.pool import Pool
from thoughtspace.explorer.training.recipe import BUDGETS, Recipe
from thoughtspace.explorer.training.stages import STAGES, run
from thoughtspace.explorer.training.workshop import Workshop

from .tiny_recipe import QUICK, TINY

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Every stage of a tiny recipe, run."""
    folder = tmp_path_factory.mktemp("training")
    made = opened(TINY, folder)
    for stage in STAGES:
        run(made, stage)
    return made


def opened(recipe: Recipe, folder: Path, start: Path | None = None) -> Workshop:
    return Workshop(recipe, folder / "runs", folder / "out", device=CPU, compiled=False, start=start)


def test_scenes_are_written_and_joined_while_autocast_is_on(tmp_path: Path):
    """As they are where the CPU has bfloat16; its autocast takes no float16."""

    class Workers:
        begin = staticmethod(
            lambda scenes: lambda: (np.zeros((len(scenes), 4, 4, 3), np.uint8), np.zeros((len(scenes), 5), np.int64))
        )

    def encode(x: Tensor) -> dict[str, Tensor]:
        return {"vectors": x.flatten(1)[:, :3], "latents": x}

    pool = Pool(tmp_path, made_of="this", shard=8, workers=Workers(), encode=encode, device=CPU)
    with torch.autocast("cpu", torch.bfloat16):
        pool.grow(2)
    assert pool.column("vectors", 2).shape == (16, 3)


def linear_problem() -> tuple[nn.Module, callable]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))

    def loss(step: Step) -> tuple[Tensor, dict[str, float]]:
        x = torch.from_numpy(step.generator.standard_normal((8, 3), dtype=np.float32))
        error = (model(x) - x.sum(1, keepdim=True)).float().square().mean()
        return error, {"error": float(error.detach())}

    return model, loss


def test_a_run_cut_in_two_ends_where_an_uncut_one_does(tmp_path: Path) -> None:
    whole, loss = linear_problem()
    budget = Budget(steps=40, minutes=1e9, batch=8, lr=1e-2, checkpoint_minutes=0)
    fit(whole, loss, budget, tmp_path / "whole", seed=1, device=CPU)

    class CutError(Exception):
        """The machine goes away."""

    first, loss = linear_problem()
    calls = 0

    def cut(step: Step) -> tuple[Tensor, dict[str, float]]:
        nonlocal calls
        calls += 1
        if calls > 17:
            raise CutError
        return loss(step)

    with pytest.raises(CutError):
        fit(first, cut, budget, tmp_path / "cut", seed=1, device=CPU)
    second, loss = linear_problem()
    fit(second, loss, budget, tmp_path / "cut", seed=1, device=CPU)
    for a, b in zip(whole.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_finished_stage_is_loaded_and_not_trained_again(tmp_path: Path) -> None:
    model, loss = linear_problem()
    budget = Budget(steps=5, minutes=1e9, batch=8, lr=1e-2)
    fit(model, loss, budget, tmp_path, seed=1, device=CPU)

    def never(step: Step) -> tuple[Tensor, dict[str, float]]:
        raise AssertionError("a finished stage was trained again")

    again, _ = linear_problem()
    fit(again, never, budget, tmp_path, seed=1, device=CPU)
    torch.testing.assert_close(again[0].weight, model[0].weight, rtol=0, atol=0)


def test_a_finished_stage_that_is_given_more_goes_on(tmp_path: Path) -> None:
    first, loss = linear_problem()
    fit(first, loss, Budget(steps=5, minutes=1e9, batch=8, lr=1e-2), tmp_path, seed=1, device=CPU)
    seen: list[int] = []

    def counted(step: Step) -> tuple[Tensor, dict[str, float]]:
        seen.append(step.number)
        return loss(step)

    again, _ = linear_problem()
    found = fit(again, counted, Budget(steps=8, minutes=1e9, batch=8, lr=1e-2), tmp_path, seed=1, device=CPU)
    assert seen == [5, 6, 7]
    assert found["steps"] == 8


def test_a_caption_matches_every_picture_it_is_true_of() -> None:
    scenes = list(world.sample(300, "train"))
    labels = world.labels(scenes)
    generator = np.random.default_rng(0)
    said = [captions.caption(scene, generator) for scene in scenes]
    named = np.stack([clip._named_labels(row, c.named) for row, c in zip(labels, said, strict=True)])
    match = clip._true_of(labels, named)
    assert match.diagonal().all()
    for picture, text in ((0, 3), (0, 1), (5, 11), (7, 10)):
        true = scenes[picture].kind == scenes[text].kind and all(
            scenes[picture].factors.get(name) == scenes[text].factors[name] for name in said[text].named
        )
        assert match[picture, text] == true
    assert match.sum() > len(scenes)  # short captions are true of more than their own picture


def test_the_contrast_is_the_usual_one_where_each_caption_has_one_picture() -> None:
    logits = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    target = torch.arange(6)
    usual = 0.5 * (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target))
    torch.testing.assert_close(clip._contrast(logits, torch.eye(6, dtype=torch.bool)), usual)


def test_a_second_true_picture_is_not_held_against_a_caption() -> None:
    logits = torch.tensor([[9.0, 9.0, -9.0], [9.0, 9.0, -9.0], [-9.0, -9.0, 9.0]])
    alike = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    assert clip._contrast(logits, alike) < 1e-6 < 0.3 < clip._contrast(logits, torch.eye(3, dtype=torch.bool))


def test_the_word_classifier_counts_only_factors_that_are_there() -> None:
    vocabulary = clip.Vocabulary.of_the_world()
    starts = [0, *accumulate(vocabulary.sizes)]
    assert len(vocabulary.phrases) == starts[-1] == sum(len(factor.values) for _, factor in world.HEADS)
    labels = torch.from_numpy(world.labels(list(world.sample(9, "train"))))
    logits = torch.zeros(9, starts[-1])
    for head, start in enumerate(starts[:-1]):
        rows = (labels[:, head] >= 0).nonzero().flatten()
        logits[rows, start + labels[rows, head]] = 50.0
    assert float(vocabulary.read(logits, labels)) < 1e-6
    assert float(vocabulary.read(-logits, labels)) > 10


def test_shorter_padding_changes_no_vector(workshop: Workshop) -> None:
    model, tokenizer = finished.load_clip(workshop)
    texts = ["a smiling person", "a large red star to the left of a small blue circle, on a gray background"]
    trimmed = words.encode(tokenizer, texts, context=TINY.context)
    full = nn.functional.pad(trimmed, (0, TINY.context - trimmed.shape[1]))
    torch.testing.assert_close(clip.encode_text(model, trimmed)[1], model.encode_text(full), rtol=1e-4, atol=1e-5)


def test_no_text_is_unknown_to_the_tokenizer(workshop: Workshop) -> None:
    _, tokenizer = finished.load_clip(workshop)
    for text in ("a smiling person", "zyzzyva 42?", "un éléphant", "狐"):
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == tokenizer.bos_token_id
        assert ids[-1] == tokenizer.eos_token_id == len(tokenizer) - 1
        assert all(i < tokenizer.bos_token_id for i in ids[1:-1])
        assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == text.replace(" ", "")


def test_unmodified_libraries_load_the_export(workshop: Workshop) -> None:
    import open_clip
    from diffusers import StableUnCLIPImg2ImgPipeline

    name = f"local-dir:{workshop.out / 'clip'}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    tokens = open_clip.get_tokenizer(name)(["a red star"])
    assert tokens.shape == (1, TINY.context)
    picture = world.render(next(world.sample(1, "fresh")))
    with torch.no_grad():
        vector = model.eval().encode_image(preprocess(picture)[None])
        own, _ = finished.load_clip(workshop)
        torch.testing.assert_close(vector, own.encode_image(preprocess(picture)[None]), rtol=0.02, atol=0.02)
    pipeline = StableUnCLIPImg2ImgPipeline.from_pretrained(workshop.out / "diffusion")
    pipeline.set_progress_bar_config(disable=True)
    for conditions in ({"prompt": "a red star", "image_embeds": torch.zeros(1, 32)}, {"image_embeds": vector}):
        made = pipeline(**conditions, num_inference_steps=2, generator=torch.Generator().manual_seed(0)).images[0]
        assert made.size == (64, 64)


def test_unmodified_libraries_load_the_few_step_weights_of_the_export(workshop: Workshop) -> None:
    from diffusers import StableUnCLIPImg2ImgPipeline

    from thoughtspace.explorer import Explorer

    explorer = Explorer.open(workshop.out, device="cpu")
    assert explorer.model.denoiser.few_steps == (4, 1.0)
    pipeline = StableUnCLIPImg2ImgPipeline.from_pretrained(workshop.out / "diffusion")
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(workshop.out / "diffusion" / "few_steps")
    point = explorer.joint.text("a red star")
    asked = {"num_inference_steps": 4, "guidance_scale": 1.0, "generator": torch.Generator().manual_seed(0)}
    expected = pipeline(image_embeds=explorer.joint.vectors(point), output_type="pt", **asked).images[0]
    made = explorer.joint.decode(point, few_steps=True).pixels[0]
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=0)
    unet, few = explorer.model.denoiser.unet, explorer.model.denoiser.with_few_steps().unet
    assert any(not torch.equal(a, b) for a, b in zip(unet.parameters(), few.parameters(), strict=True))


def test_an_export_without_few_step_weights_leaves_none_of_an_older_one(workshop: Workshop, tmp_path: Path) -> None:
    without = replace(workshop, runs=Path(shutil.copytree(workshop.runs, tmp_path / "runs")), out=tmp_path / "out")
    export(without)
    folder = without.out / "diffusion"
    assert json.loads((folder / "thoughtspace.json").read_text())["few_steps"] == {"steps": 4, "guidance": 1.0}
    assert (folder / "few_steps").is_dir()
    shutil.rmtree(without.runs / "few_steps")
    export(without)
    assert "few_steps" not in json.loads((folder / "thoughtspace.json").read_text())
    assert not (folder / "few_steps").exists()


def test_the_toolkit_opens_the_export(workshop: Workshop) -> None:
    from thoughtspace.explorer import Explorer

    explorer = Explorer.open(workshop.out)
    assert explorer.decode("a red star", steps=2)[0].size == (64, 64)


def test_a_saved_reader_reads_as_before(workshop: Workshop) -> None:
    saved = reader.load(workshop.out / "reader")
    pictures = [
        world.render(scene, size) for scene, size in zip(world.sample(4, "fresh"), (64, 128, 64, 32), strict=True)
    ]
    scenes = saved.read(pictures)
    for scene in scenes:
        world.validate(scene)


def test_a_reader_of_another_world_is_refused(refused: Callable, workshop: Workshop, tmp_path: Path) -> None:
    for name in ("reader.safetensors", "heads.json"):
        (tmp_path / name).write_bytes((workshop.out / "reader" / name).read_bytes())
    heads = json.loads((tmp_path / "heads.json").read_text())
    (tmp_path / "heads.json").write_text(json.dumps(heads[1:]))
    with refused(ModelError, "other reader", str(tmp_path)):
        reader.load(tmp_path)
    with refused(ModelError, "no reader", str(tmp_path / "nowhere")):
        reader.load(tmp_path / "nowhere")


def test_recipes_round_trip_and_refuse_what_they_do_not_know(refused: Callable, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(TINY.to_json())
    assert Recipe.read(path) == TINY
    path.write_text('{"sizes": 64}')
    with refused(ModelError, "cannot read", str(path), "'sizes'"):
        Recipe.read(path)
    with refused(ModelError, "size", "60", "multiple of 8"):
        opened(replace(TINY, size=60), tmp_path)


def test_a_folder_begun_with_another_recipe_is_refused(refused: Callable, tmp_path: Path) -> None:
    opened(TINY, tmp_path)
    opened(replace(TINY, clip=replace(QUICK, minutes=20)), tmp_path)  # learning longer is no other model
    with refused(ModelError, "other recipe", "embedding", str(tmp_path / "runs")):
        opened(replace(TINY, embedding=64), tmp_path)


def test_scenes_encoded_by_other_weights_are_encoded_again(workshop: Workshop) -> None:
    shard = workshop.runs / "denoiser" / "pool" / "00000.safetensors"
    before = shard.stat().st_mtime_ns
    denoiser.prepare(workshop)
    assert shard.stat().st_mtime_ns == before
    model = workshop.runs / "clip" / "model.safetensors"
    whole = model.read_bytes()
    save_file({name: tensor + 1 for name, tensor in load_file(model).items()}, model)
    denoiser.prepare(workshop)
    assert shard.stat().st_mtime_ns > before
    model.write_bytes(whole)
    denoiser.prepare(workshop)


def test_a_finished_model_can_be_the_start_of_another(workshop: Workshop, tmp_path: Path) -> None:
    from thoughtspace.explorer import Explorer

    fewer = opened(replace(TINY, latent_channels=4), tmp_path, start=workshop.out)
    for stage in STAGES:
        run(fewer, stage)
    for kept in ("clip/vocab.json", "reader/reader.safetensors"):
        assert (fewer.out / kept).read_bytes() == (workshop.out / kept).read_bytes()
    old, new = (load_file(made.out / "clip" / "open_clip_model.safetensors") for made in (workshop, fewer))
    assert all(torch.equal(old[name], new[name]) for name in old if name.startswith("visual."))  # the pictures' vectors
    assert not torch.equal(old["text_projection"], new["text_projection"])
    assert Explorer.open(fewer.out).decode("a red star", steps=2)[0].size == (64, 64)
    # Two steps away from its start, and no other: what was begun from nothing has nothing to do with it.
    name = "unet.mid_block.resnets.0.conv1.weight"
    old, new = (load_file(made.runs / "denoiser" / "checkpoint.safetensors") for made in (workshop, fewer))
    near = nn.functional.cosine_similarity(old[f"average.{name}"].flatten(), new[f"average.{name}"].flatten(), dim=0)
    assert near > 0.9


def test_the_export_draws_vectors_of_a_text_in_the_library_and_here(workshop: Workshop) -> None:
    from diffusers.pipelines.stable_diffusion import StableUnCLIPPipeline

    from thoughtspace.explorer import Explorer

    ex = Explorer.open(workshop.out, device="cpu")
    assert ex.joint.imagine("a red star", n=2).shape == (2, TINY.embedding)
    assert ex.model.clip.reference.text_map is not None
    assert ex.model.closes == "linear"
    pipeline = StableUnCLIPPipeline.from_pretrained(workshop.out / "diffusion")
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline("a red star", num_inference_steps=1, prior_num_inference_steps=2, output_type="np").images
    assert made.shape == (1, 64, 64, 3)


def test_the_decoder_that_learns_on_changes_no_latent(workshop: Workshop) -> None:
    first, last = (finished.load_autoencoder(workshop, stage) for stage in ("autoencoder", "decoder"))
    x = workshop.pictures.batch(np.arange(4))
    with torch.inference_mode():
        z = first.encode(x).latent_dist.mean
        torch.testing.assert_close(last.encode(x).latent_dist.mean, z, rtol=0, atol=0)
        assert not torch.equal(last.decode(z).sample, first.decode(z).sample)


def test_a_start_that_is_no_model_is_refused(refused: Callable, tmp_path: Path) -> None:
    with refused(ModelError, "no start", str(tmp_path), "'clip'"):
        opened(TINY, tmp_path, start=tmp_path)


def test_a_budget_is_shared_by_the_stages() -> None:
    short = Recipe().within(9)
    minutes = [getattr(short, name).minutes for name in BUDGETS]
    assert sum(minutes) == pytest.approx(9)
    assert short.denoiser.minutes / short.clip.minutes == pytest.approx(
        Recipe().denoiser.minutes / Recipe().clip.minutes
    )
    assert not short.differences(Recipe())


def test_a_run_that_may_be_made_longer_keeps_its_rate_until_it_falls() -> None:
    rates = [_schedule(progress, 0.1, 0.25) for progress in (0, 0.05, 0.1, 0.4, 0.75, 0.875, 1)]
    assert rates == sorted(rates[:3]) + sorted(rates[3:], reverse=True)
    assert rates[2:5] == [1, 1, 1]
    assert rates[-2] == pytest.approx(0.5, abs=1e-3)
    assert rates[-1] < 0.01


def test_the_command_refuses_a_budget_that_is_no_time_and_a_device_that_is_not_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--budget", "9 apples"])
    assert "9m or 8h" in capsys.readouterr().err
    assert main(["--runs", str(tmp_path), "--device", "abacus"]) == 2
    assert "cpu" in capsys.readouterr().err


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(TINY.to_json())
    arguments = ["--recipe", str(recipe), "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--stage", "denoiser", "--device", "cpu", "--no-compile"]) == 2
    assert "'autoencoder'" in capsys.readouterr().err
