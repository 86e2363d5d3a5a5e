"""What the denoiser learns from and what guides it: every shape as often, text vectors among picture vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from thoughtspace.datasets import captions, world
from thoughtspace.explorer.models.reference import Reference
from thoughtspace.explorer.training import alignment, clip, denoiser, examples, guidance, pictures, pool, words
from thoughtspace.explorer.training.pictures import Workers
from thoughtspace.explorer.training.recipe import Recipe

D = 8
RECIPE = Recipe(size=64, patch=8, embedding=D, width=64, image_layers=2, text_layers=1, vocabulary=50)


class Letters:
    """A tokenizer of single letters."""

    def __call__(self, texts: list[str], **_: object) -> dict[str, torch.Tensor]:
        ids = [[47, *(ord(letter) % 47 for letter in text[:30]), 48] for text in texts]
        longest = max(map(len, ids))
        return {"input_ids": torch.tensor([each + [0] * (longest - len(each)) for each in ids])}


@pytest.fixture(scope="module")
def joint() -> guidance.Joint:
    torch.manual_seed(0)
    model = clip.build(RECIPE, vocabulary=49).eval().requires_grad_(False)
    scenes = examples.drawn(60, start=0)
    vectors = 3 + torch.randn(60, D, generator=torch.Generator().manual_seed(1))
    return guidance.measure(model, Letters(), context=RECIPE.context, scenes=scenes, vectors=vectors, seed=0)


class Pool:
    """`n` scenes whose vectors are all `value`; `before` and `change` as given."""

    def __init__(self, n: int, value: float, **columns: torch.Tensor) -> None:
        said = torch.randint(1, 47, (n, examples.SAID, RECIPE.context), generator=torch.Generator().manual_seed(2))
        said[:, :, -1] = 48  # the end
        self.columns = {
            "vectors": torch.full((n, D), value),
            "tokens": said,
            "before": torch.zeros(n, D),
            "change": torch.full((n, 2), examples.NONE),
        } | columns

    def rows(self, name: str, rows: np.ndarray) -> torch.Tensor:
        return self.columns[name][torch.from_numpy(rows)]


def drawn(joint: guidance.Joint, n: int = 300, value: float = 5.0) -> tuple[torch.Tensor, torch.Tensor]:
    return guidance.Guidance(joint).draw(Pool(n, value), np.arange(n), np.random.default_rng(0))


def test_each_way_of_guiding_has_its_share(joint: guidance.Joint) -> None:
    states, classes = drawn(joint)
    nothing = guidance.text_features(joint.clip, joint.tokenizer, [""], context=joint.context)[0]
    texted = (states != nothing).flatten(1).any(1)
    # Without a vector: zeros, or zeros beside the level 0. Levels are cosines first.
    zero = classes[:, :D].abs().max(1).values < 0.5
    assert float(texted.float().mean()) == pytest.approx(guidance.TEXT + guidance.BOTH, abs=0.1)
    assert float(zero.float().mean()) == pytest.approx(1 - guidance.VECTOR - guidance.BOTH, abs=0.1)
    assert 0.35 < float((classes[zero] == 0).all(1).float().mean()) < 0.65


def test_some_vectors_are_those_of_captions_as_long_as_a_pictures(joint: guidance.Joint) -> None:
    guide = guidance.Guidance(joint)
    texts = torch.randn(20, D)
    moved = guide.as_picture(texts)
    torch.testing.assert_close(moved.norm(dim=1), torch.full((20,), joint.norm))
    _, classes = drawn(joint, 600)
    clean = (classes[:, D : D + D // 2] == 1).all(1)  # the level beside them is 0: cosines first
    own = clean & ((classes[:, :D] - 5).abs().max(1).values < 0.2)
    spoken = clean & ~own & ((classes[:, :D].norm(dim=1) - joint.norm).abs() < 0.2)
    assert int(own.sum()) > int(spoken.sum()) > 0


def test_most_captions_name_everything() -> None:
    generator = np.random.default_rng(0)
    scenes = examples.drawn(200, start=0)
    lengths = [len(examples.say(scene, generator).split()) for scene in scenes]
    assert np.median(lengths) > 12
    assert min(lengths) < 8


def test_every_first_shape_is_drawn_as_often() -> None:
    scenes = examples.drawn(4000, start=0)
    weights = examples.weights(scenes)
    shapes = np.array([scene.factors.get("shape", "") for scene in scenes])
    totals = {shape: weights[shapes == shape].sum() for shape in set(shapes) - {""}}
    np.testing.assert_allclose(list(totals.values()), np.mean(list(totals.values())))
    counts = [int((shapes == shape).sum()) for shape in totals]
    assert max(counts) > 1.2 * min(counts)  # Negative control: without weights they are not.
    assert weights[shapes != ""].sum() == pytest.approx(len(scenes) / 2)


def test_a_pool_grows_and_is_found_again(tmp_path: Path) -> None:
    encoded: list[int] = []

    def encode(x: torch.Tensor) -> dict[str, torch.Tensor]:
        encoded.append(len(x))
        return {"vectors": x.mean((1, 2, 3))[:, None]}

    def opened(made_of: str) -> pool.Pool:
        workers = Workers(look, 0)
        here = torch.device("cpu")
        return pool.Pool(tmp_path, made_of=made_of, shard=12, workers=workers, encode=encode, device=here)

    first = opened("a")
    first.grow(1)
    first.grow(2)
    assert len(first.scenes) == 24
    rows, changed = np.arange(24), examples.changes(first.scenes)
    assert sum(encoded) == 24 + len(changed)
    expected = [brightness(scene) for scene in first.scenes]
    torch.testing.assert_close(first.rows("vectors", rows)[:, 0], torch.tensor(expected), rtol=0, atol=2e-3)
    assert torch.equal(first.rows("tokens", rows)[:, 0, 0], torch.tensor([s.seed % 1000 for s in first.scenes]))
    for each in changed:
        row = np.array([each.row])
        assert first.rows("change", row).tolist() == [[each.less, each.more]]
        assert float(first.rows("before", row)) == pytest.approx(brightness(each.before), abs=2e-3)
    without = [row for row in range(24) if row not in {each.row for each in changed}]
    assert (first.rows("change", np.array(without)) == examples.NONE).all()
    again = opened("a")
    again.grow(2)
    for name in ("vectors", "tokens", "before", "change"):
        assert torch.equal(again.rows(name, rows), first.rows(name, rows))
    assert sum(encoded) == 24 + len(changed)
    opened("b").grow(1)
    assert sum(encoded) > 24 + len(changed)


def look(scenes: Sequence[world.Scene]) -> pictures.Arrays:
    """Small pictures of scenes, and a token that tells one scene from another."""
    return pictures.render(scenes, 16), np.array([[[scene.seed % 1000]] for scene in scenes], dtype=np.int16)


def brightness(scene: world.Scene) -> float:
    return float(np.asarray(world.render(scene, 16), np.float32).mean() / 127.5 - 1)


def test_a_change_is_the_word_that_makes_the_scene_of_the_other() -> None:
    scenes = examples.drawn(200, start=0)
    changed = examples.changes(scenes)
    assert 20 < len(changed) < 60
    for each in changed:
        scene, (kind, name, value) = scenes[each.row], examples.WORDS[each.more]
        assert (scene.kind, scene.factors[name]) == (kind, value)
        less = examples.WORDS[each.less]
        assert less[:2] == (kind, name)
        assert each.before == world.change(scene, name, less[2])
        assert not world.is_held_out(each.before.kind, each.before.factors)


def test_what_workers_prepare_is_the_same_in_other_processes(tmp_path: Path) -> None:
    words.build_tokenizer(tmp_path, vocabulary=600, context=40)
    work = examples.Prepare(16, tmp_path, 40)
    scenes = examples.drawn(3, start=0)
    here, there = Workers(work, 0).begin(scenes)(), Workers(work, 1).begin(scenes)()
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one, other)
    pixels, tokens = here
    assert pixels.shape == (3, 3, 16, 16)
    assert tokens.shape == (3, examples.SAID, 40)
    said = examples.say(scenes[1], np.random.default_rng([scenes[1].seed, examples.SENTENCES, 2]))
    expected = words.encode(examples._tokenizer(tmp_path), [said], context=40)[0]
    assert tokens[1, 2, : len(expected)].tolist() == expected.tolist()


def test_a_sum_guides_as_the_joint_space_would_decode_it(joint: guidance.Joint) -> None:
    """Centred, unit, summed, and carried back to where it has the length of a picture's vector."""
    guide = guidance.Guidance(joint)
    before, change = torch.randn(4, D, generator=torch.Generator().manual_seed(3)), torch.tensor([[3, 4], [9, 7]] * 2)
    change[3] = examples.NONE
    pool = Pool(4, 5.0, before=before, change=change)
    made = guide._summed(pool, np.arange(4), torch.tensor([True, True, False, True]))
    assert (made[2:] == 5).all()  # one that is not to be a sum, and one without a change
    said = [captions.word(*word) for word in examples.WORDS]
    texts = guidance.text_features(joint.clip, joint.tokenizer, said, context=joint.context)[1]
    reference = Reference(joint.mean_image, joint.mean_text, joint.norm, joint.text_map)
    for row in range(2):
        less, more = (point(guide.as_picture(texts[each : each + 1])[0], reference) for each in change[row])
        expected = point(before[row], reference) - less + more
        found = made[row].double()
        assert float(found.norm()) == pytest.approx(joint.norm, rel=1e-5)
        torch.testing.assert_close(point(found, reference), unit(expected), atol=1e-5, rtol=0)


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm()


def point(vector: torch.Tensor, reference: Reference) -> torch.Tensor:
    """The joint space's point of an un-normalised vector of a picture."""
    return unit(unit(vector.double()) - reference.mean_image.double())


def test_times_cover_the_schedule_and_crowd_in_its_middle() -> None:
    t = torch.cat([denoiser.times(128, np.random.default_rng(seed)) for seed in range(50)])
    assert int(t.min()) < 20
    assert int(t.max()) > 980
    middle = float(((t > 250) & (t < 750)).float().mean())
    assert middle == pytest.approx(0.25 * 0.5 + 0.75 * 0.728, abs=0.02)


def test_the_teachers_features_are_those_of_its_patches_in_their_places() -> None:
    torch.manual_seed(0)
    model = clip.build(RECIPE, vocabulary=49).eval()
    x = torch.randn(2, 3, 64, 64)
    features = alignment.patch_features(model, x, 8)
    assert features.shape == (2, 64, 64)
    torch.testing.assert_close(alignment.patch_features(model, x, 4)[:, 0], features[:, [0, 1, 8, 9]].mean(1))
    assert float(alignment.distance(features, features)) == pytest.approx(0, abs=1e-6)
    assert float(alignment.distance(-features, features)) == pytest.approx(2, abs=1e-6)


def test_the_student_predicts_as_its_unet_and_its_head_learns() -> None:
    recipe = Recipe(size=64, patch=8, denoiser_widths=(32, 64), width=64, embedding=D, latent_channels=4)
    torch.manual_seed(0)
    unet = denoiser.build(recipe)
    student = alignment.Student(unet, features=64)
    given = (torch.randn(2, 4, 8, 8), torch.tensor([3, 500]), torch.randn(2, 5, 64), torch.randn(2, 2 * D))
    predicted, middle = student(*given)
    alone = unet(given[0], given[1], encoder_hidden_states=given[2], class_labels=given[3]).sample
    torch.testing.assert_close(predicted, alone)
    assert middle.shape == (2, 16, 64)
    alignment.distance(middle, torch.randn(2, 16, 64)).backward()
    assert float(unet.conv_in.weight.grad.abs().sum()) > 0
    assert unet.conv_out.weight.grad is None


def test_a_scene_without_shapes_has_weight_one() -> None:
    scenes = [SimpleNamespace(factors={}) for _ in range(3)]
    np.testing.assert_array_equal(examples.weights(scenes), np.ones(3))


def test_rendering_goes_on_where_it_was_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "CHUNK", 4)
    whole = pictures.prepare(tmp_path / "whole", 10, split="train", size=16, workers=0)
    rendered: list[slice] = []
    render = pictures._render_block

    def cut(job: tuple[slice, str, int]) -> np.ndarray:
        rendered.append(job[0])
        if len(rendered) == 3:
            raise KeyboardInterrupt
        return render(job)

    monkeypatch.setattr(pictures, "_render_block", cut)
    with pytest.raises(KeyboardInterrupt):
        pictures.prepare(tmp_path / "cut", 10, split="train", size=16, workers=0)
    again = pictures.prepare(tmp_path / "cut", 10, split="train", size=16, workers=0)
    np.testing.assert_array_equal(again.pixels, whole.pixels)
    assert rendered[2:] == [slice(8, 10), slice(8, 10)]
