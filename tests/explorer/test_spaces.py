"""Spaces: what centring keeps, what decoding depends on, and what each space says it cannot do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thoughtspace.explorer.errors import Cancelled, CannotError, ModelError, PictureError, SpaceError
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.geometry.interpolation import Geometry
from thoughtspace.explorer.models.reference import Reference
from thoughtspace.explorer.options import Decoding
from thoughtspace.explorer.points import Points
from thoughtspace.explorer.records.images import Images
from thoughtspace.explorer.records.provenance import pixel_hash
from thoughtspace.explorer.spaces.joint import JointSpace
from thoughtspace.explorer.spaces.space import unit

D = 16


class FakeModel:
    """A model that has nothing but a CLIP's reference means, `(D,)`, of lengths below one."""

    name, hash, device = "fake", "0" * 64, torch.device("cpu")

    def __init__(self, seed: int = 0, length: float = 0.8):
        generator = torch.Generator().manual_seed(seed)
        means = [length * torch.nn.functional.normalize(torch.randn(D, generator=generator), dim=0) for _ in range(2)]
        self.opened_generator = self.gap = self.prior = None
        self.clip = type("Clip", (), {"dim": D, "reads_texts": True, "reference": Reference(*means, norm=7.0)})()


def joint(gap="mean", **options) -> JointSpace:
    return JointSpace(FakeModel(**options), gap=gap)


def random(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, D, generator=torch.Generator().manual_seed(seed))


def same_pixels(a, b) -> bool:
    return pixel_hash(list(a)) == pixel_hash(list(b))


# --- the joint space: centring and its inverse


@pytest.mark.parametrize("gap", ["mean", "open"])
@pytest.mark.parametrize("length", [0.0, 0.5, 0.99])
def test_a_picture_comes_back_exactly(gap, length):
    """Centring is undone by the positive root of |s·c + m| = 1, for every mean inside the sphere."""
    space, raw = joint(gap, length=length), random(200)
    points = space.points(space.centred(raw, "image"))
    torch.testing.assert_close(space.vectors(points), 7.0 * unit(raw).float(), atol=2e-5, rtol=0)


def test_points_and_vectors_have_the_lengths_they_should():
    space = joint()
    values = space.centred(random(50), "text")
    torch.testing.assert_close(values.norm(dim=-1), torch.ones(50))
    torch.testing.assert_close(space.vectors(space.points(values)).norm(dim=-1), torch.full((50,), 7.0))


def test_only_the_direction_of_a_point_counts():
    space = joint()
    points = space.points(space.centred(random(9), "image"))
    torch.testing.assert_close(space.vectors(3 * points), space.vectors(points), atol=1e-5, rtol=0)


def test_every_direction_is_some_pictures():
    """Onto: any direction is decoded as a unit vector whose centred direction it is."""
    space = joint()
    directions = unit(random(100, seed=5)).float()
    again = space.centred(space.vectors(space.points(directions)), "image")
    torch.testing.assert_close(again, directions, atol=2e-5, rtol=0)


def test_the_other_root_would_be_wrong():
    """Negative control: the inverse without its square root does not bring pictures back."""
    space, raw = joint(), random(20)
    values, mean = space.centred(raw, "image").double(), space.model.clip.reference.mean_image.double()
    naive = unit(values + mean)
    assert (naive - unit(raw)).abs().max() > 0.05


def test_centring_closes_the_gap_tenfold_and_texts_find_their_pictures():
    """Two cones about two far means, paired content: the gap falls at least tenfold and retrieval does not."""
    content = 0.3 * random(300, seed=2)
    generator = torch.Generator().manual_seed(3)
    cones = torch.nn.functional.normalize(torch.randn(2, D, generator=generator), dim=-1)
    raw = [cone + content + 0.02 * random(300, seed=4 + side) for side, cone in enumerate(cones)]
    model = FakeModel()
    model.clip.reference = Reference(*(unit(each).mean(0).float() for each in raw), norm=7.0)
    centred, bare = (JointSpace(model, gap=gap) for gap in ("mean", "open"))

    def gap_and_recall(space):
        pictures, texts = (space.centred(each, kind) for each, kind in zip(raw, ("image", "text"), strict=True))
        found = (texts @ pictures.T).argmax(1) == torch.arange(300)
        return float((pictures.mean(0) - texts.mean(0)).norm()), float(found.float().mean())

    (closed, recall), (open_gap, before) = gap_and_recall(centred), gap_and_recall(bare)
    assert closed < open_gap / 10
    assert recall >= before
    assert recall > 0.9


def test_rows_can_be_of_either_kind():
    space, raw = joint(), random(2)
    mixed = space.centred(raw, ["image", "text"])
    torch.testing.assert_close(mixed[:1], space.centred(raw[:1], "image"))
    torch.testing.assert_close(mixed[1:], space.centred(raw[1:], "text"))


def test_points_without_a_direction_are_refused(refused):
    space = joint()
    zero = space.points(torch.zeros(1, D))
    for points in (zero, space.points(torch.full((1, D), float("nan")))):
        with refused(SpaceError, "no direction", "a direction"):
            space.vectors(points)


def test_a_model_without_reference_means_has_no_joint_space(refused):
    model = FakeModel()
    model.clip.reference = None
    with refused(ModelError, "no reference", "clip/reference.safetensors"):
        JointSpace(model)


def test_centred_and_bare_points_do_not_mix(refused, tiny_explorer):
    ours, bare = tiny_explorer.joint.text("a fox"), tiny_explorer.joint_raw.text("a fox")
    with refused(SpaceError, "other space", "joint space", "joint-raw space"):
        ours + bare
    with refused(SpaceError, "other space", "joint-raw space", "the joint space"):
        tiny_explorer.joint.decode(bare)


# --- what spaces are and can do


def test_spaces_say_what_they_are(tiny_explorer):
    described = {name: (space.shape, space.geometry) for name, space in tiny_explorer.spaces.items()}
    assert described == {
        "joint": ((64,), Geometry.SPHERE),
        "latent": ((16, 8, 8), Geometry.EUCLIDEAN),
        "prompt": ((24, 64), Geometry.EUCLIDEAN),
        "noise": ((16, 8, 8), Geometry.GAUSSIAN),
        "bottleneck": ((64, 4, 4), Geometry.EUCLIDEAN),
        "joint-raw": ((64,), Geometry.SPHERE),
    }
    assert all(space.info.name == name for name, space in tiny_explorer.spaces.items())


def test_a_space_says_what_it_encodes(tiny_explorer):
    assert {name: set(space.encodes) for name, space in tiny_explorer.spaces.items()} == {
        "joint": {"image", "text"},
        "latent": {"image"},
        "prompt": {"text", "weighted"},
        "noise": {"image"},
        "bottleneck": {"image", "text"},
        "joint-raw": {"image", "text"},
    }
    assert {name for name, space in tiny_explorer.spaces.items() if space.keeps_raw} == {"joint", "joint-raw"}


def test_spaces_refuse_what_they_do_not_encode(refused, tiny_explorer, pictures):
    given = {"image": pictures[0], "text": "a fox", "weighted": "a (fox:1.2)"}
    for space in tiny_explorer.spaces.values():
        for what in given.keys() - space.encodes:
            with refused(CannotError, f"no {what}", space.name):
                getattr(space, what)(given[what])


def test_asking_for_what_a_space_cannot_names_one_that_can(refused, tiny_explorer):
    with refused(CannotError, "no text", "noise space", "'joint' or 'prompt'"):
        tiny_explorer.noise.text("a fox")
    with refused(CannotError, "no image", "prompt space", "'joint' or 'latent' or 'noise'"):
        tiny_explorer.points('img("fox.png")', "prompt")


def test_encoding_takes_pictures_paths_and_texts(tiny_explorer, pictures, tmp_path):
    pictures[0].save(tmp_path / "a.png")
    for space in (tiny_explorer.joint, tiny_explorer.latent):
        both = space.image(pictures[0], tmp_path / "a.png")
        torch.testing.assert_close(both.values[0], both.values[1])
        assert both.expressions[1] == f'img("{tmp_path / "a.png"}")'
    assert tiny_explorer.prompt.text("a", "b").values.shape == (2, 24, 64)


def test_encoding_anything_else_is_refused(refused, tiny_explorer, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    with refused(PictureError, "format", "broken.png"):
        tiny_explorer.joint.image(tmp_path / "broken.png")
    with refused(PictureError, "cannot read", "missing.png"):
        tiny_explorer.latent.image(tmp_path / "missing.png")
    with refused(PictureError, "not a picture", "list"):
        tiny_explorer.joint.image([np.zeros((4, 4, 3))])
    with refused(SpaceError, "not a text", "list"):
        tiny_explorer.joint.text(["a", "b"])
    for space in (tiny_explorer.joint, tiny_explorer.prompt):
        with refused(SpaceError, "not utf-8", "character 4 "):
            space.text("a cat", "caf\udce9")


def test_texts_past_the_context_are_warned_of(tiny_explorer):
    for space in (tiny_explorer.joint, tiny_explorer.prompt):
        with pytest.warns(UserWarning, match="longer than the model reads"):
            space.text("fine", "a red fox " * 30)


def test_noise_is_that_of_its_seed(tiny_explorer):
    drawn = tiny_explorer.noise.draw(4, 5)
    generator = torch.Generator().manual_seed(5)
    assert torch.equal(drawn.values[1], torch.randn(16, 8, 8, generator=generator))
    assert drawn.expressions == ('given("noise 4")', 'given("noise 5")')


# --- decoding


def test_latents_decode_as_the_autoencoder_does(tiny_explorer, pictures):
    latent, autoencoder = tiny_explorer.latent, tiny_explorer.model.autoencoder
    points = latent.image(*pictures[:2])
    made = np.stack([np.asarray(picture) for picture in latent.decode(points, batch=2)])
    exact = (autoencoder.decode(points.values) / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    assert np.abs(made / 255 - exact).max() <= 0.5 / 255 + 1e-6


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2
def test_pictures_depend_on_point_seed_steps_guidance_prompt_and_sampler(tiny_explorer):
    decode = tiny_explorer.joint.decode
    fox, cat = (tiny_explorer.joint.text(text) for text in ("a red fox", "a blue cat"))
    base = decode(fox)
    assert same_pixels(base, decode(fox))
    changed = {"seed": 1}, {"steps": 3}, {"guidance": 4.0}, {"prompt": "a hat"}, {"scheduler": "dpm++"}
    assert not any(same_pixels(base, decode(fox, **options)) for options in changed)
    assert not same_pixels(base, decode(cat))


def test_a_picture_is_the_same_to_the_last_bit_in_every_row_and_batch(tiny_explorer):
    """What `render_again` relies on: with the size of the batch kept, neighbours do not matter."""
    joint_space = tiny_explorer.joint
    points = joint_space.text("a", "red", "fox", "cat", "king")
    together = joint_space.decode(points, seed=[5, 6, 7, 8, 9], batch=3, steps=2)
    for row, (picture, provenance) in enumerate(zip(together, together.provenances, strict=True)):
        assert provenance.record["batch"] == {"size": 3, "row": row % 3}
        again = joint_space.render_again(points[row], Decoding(**provenance.record["options"]), size=3, rows=[row % 3])
        assert same_pixels([picture], again)


def test_batches_are_chosen_by_need(tiny_explorer):
    points = tiny_explorer.latent.points(torch.zeros(20, 16, 8, 8))
    sizes = {
        n: tiny_explorer.latent.decode(points[:n]).provenances[0].record["batch"]["size"] for n in (1, 2, 3, 9, 20)
    }
    assert sizes == {1: 1, 2: 2, 3: 4, 9: 16, 20: 32}


def test_one_point_with_several_seeds(tiny_explorer):
    made = tiny_explorer.joint.decode(tiny_explorer.joint.text("a fox"), seed=[1, 2, 3], steps=2)
    assert [provenance.record["options"]["seed"] for provenance in made.provenances] == [1, 2, 3]
    assert len({pixel_hash(picture) for picture in made}) == 3
    (again,) = tiny_explorer.joint.decode(tiny_explorer.joint.text("a fox"), seed=np.int64(2), steps=2, batch=4)
    assert pixel_hash(again) == pixel_hash(made[1])


def test_nothing_decodes_to_nothing(tiny_explorer):
    empty = tiny_explorer.latent.points(torch.zeros(0, 16, 8, 8))
    assert len(tiny_explorer.latent.decode(empty)) == 0


def test_noise_is_decoded_under_its_prompt(tiny_explorer):
    start = tiny_explorer.noise.draw(3)
    plain, hat = (tiny_explorer.noise.decode(start, prompt=prompt, steps=2) for prompt in ("", "a hat"))
    assert not same_pixels(plain, hat)


def test_progress_counts_the_steps_and_may_cancel(tiny_explorer):
    counted = []

    def progress(iterable, *, total, desc):
        for count, each in enumerate(iterable):
            counted.append((count, total, desc))
            yield each

    points = tiny_explorer.joint.text("a", "red", "fox")
    tiny_explorer.joint.decode(points, batch=2, steps=3, progress=progress)
    assert counted == [(count, 6, "decoding") for count in range(6)]

    def cancel(iterable, *, total, desc):
        for count, each in enumerate(iterable):
            if count == 2:
                raise Cancelled
            yield each

    with pytest.raises(Cancelled):
        tiny_explorer.joint.decode(points, batch=2, steps=3, progress=cancel)


@pytest.mark.parametrize(
    ("options", "error", "code", "fact"),
    [
        ({"seed": -1}, SpaceError, "seed", "seed -1"),
        ({"seed": 0.5}, SpaceError, "seed", "seed 0.5"),
        ({"seed": [1, 2]}, SpaceError, "seed", "2 seeds for 3 points"),
        ({"steps": 0}, ModelError, "steps", "steps 0"),
        ({"guidance": 1e9}, ModelError, "guidance", "guidance 1000000000.0"),
        ({"batch": 0}, ModelError, "batch", "batch 0"),
        ({"batch": 10**9}, ModelError, "batch", "batch 1000000000"),
        ({"scheduler": "magic"}, ModelError, "scheduler", "'magic'"),
        ({"prompt": 5}, SpaceError, "not a text", "int"),
        ({"prompt": "caf\udce9"}, SpaceError, "not utf-8", "character 4 "),
    ],
)
def test_options_out_of_range_are_refused(refused, tiny_explorer, options, error, code, fact):
    with refused(error, code, fact):
        tiny_explorer.joint.decode(tiny_explorer.joint.text("a", "red", "fox"), **options)


def test_a_prompt_beside_prompts_is_refused(refused, tiny_explorer):
    with refused(SpaceError, "prompt", "prompt='b'", "prompt space"):
        tiny_explorer.prompt.decode(tiny_explorer.prompt.text("a"), prompt="b")


def test_points_of_other_spaces_are_refused(refused, tiny_explorer, tiny_model):
    with refused(SpaceError, "other space", "latent space", "the noise space"):
        tiny_explorer.noise.decode(tiny_explorer.latent.points(torch.zeros(1, 16, 8, 8)))
    with refused(SpaceError, "not points", "Tensor in the joint space"):
        tiny_explorer.joint.decode(torch.zeros(1, 64))
    with refused(SpaceError, "values", "(1, 63)", "(n, 64)"):
        tiny_explorer.joint.points(torch.zeros(1, 63))


# --- images


def test_images_save_what_they_carry(refused, tiny_explorer, tmp_path):
    made = tiny_explorer.latent.decode(tiny_explorer.latent.points(torch.zeros(3, 16, 8, 8)))
    assert [path.name for path in made.save(tmp_path / "some")] == ["0000.png", "0001.png", "0002.png"]
    assert made[:1].save(tmp_path / "one.png") == [tmp_path / "one.png"]
    with refused(PictureError, "file name", "one.jpg"):
        made[:1].save(tmp_path / "one.jpg")
    assert not (tmp_path / "one.jpg").exists()
    assert made[1].info["provenance"] is made.provenances[1]
    assert isinstance(made[1:], Images)
    assert len(made[1:]) == 2
    with refused(PictureError, "several pictures", "3 pictures", "one.png"):
        made.save(tmp_path / "one.png")
    (tmp_path / "file").write_text("")
    with refused(PictureError, "cannot write", "file'"):
        made.save(tmp_path / "file")
    with refused(PictureError, "records", "1 pictures and 0 records"):
        Images(made.pictures[:1], ())


def test_records_say_what_a_picture_was_made_of(tiny_explorer: Explorer):
    points: Points = tiny_explorer.points('"a king" - 0.5 * "a man"')
    record = tiny_explorer.joint.decode(points, seed=7, prompt="a hat", negative="sad").provenances[0].record
    assert record["kind"] == "decode"
    assert record["model"] == {"name": tiny_explorer.model.name, "hash": tiny_explorer.model.hash}
    assert (record["space"], record["expression"]) == ("joint", '"a king" - 0.5 * "a man"')
    options = {"steps": 4, "guidance": 2.0, "prompt": "a hat", "negative": "sad", "scheduler": None}
    assert record["options"] == {"seed": 7, **options}
    assert set(record["machine"]) >= {"cpu", "threads", "torch", "device", "dtype"}
    assert set(record["versions"]) >= {"diffusers", "transformers"}


def test_the_cut_end_of_a_text_that_guides_is_warned_of(tiny_explorer: Explorer):
    long = "a red fox " * 20
    points = tiny_explorer.noise.draw(0)
    for option in ("prompt", "negative"):
        with pytest.warns(UserWarning, match="longer than the model reads"):
            tiny_explorer.noise.decode(points, steps=1, **{option: long})


def test_values_that_are_not_finite_are_refused(refused, tiny_explorer: Explorer):
    endless = tiny_explorer.noise.points(torch.full((1, *tiny_explorer.noise.shape), float("nan")))
    with refused(SpaceError, "not finite", "not finite"):
        tiny_explorer.noise.decode(endless, steps=1)
    with refused(SpaceError, "latents", "finite"):
        tiny_explorer.noise.inversion(endless.values, steps=1)
    with refused(ModelError, "not finite", "the network overflows"):
        tiny_explorer.decode('1e30 * "a face"', "prompt", steps=1)


def test_a_walk_and_a_blend_have_one_seed(refused, tiny_explorer: Explorer):
    for make in (tiny_explorer.walk, tiny_explorer.blend):
        with refused(SpaceError, "seed", "2 seeds"):
            make(["a face", "a hat"], 2, seed=[0, 1])


@pytest.mark.parametrize("guidance", ["abc", True, float("nan"), -1])
def test_guidance_is_a_number(refused, tiny_explorer: Explorer, guidance):
    with refused(ModelError, "guidance", f"guidance {guidance!r}", "a number from"):
        tiny_explorer.decode("a face", guidance=guidance, steps=1)


def test_a_space_has_a_name(refused, tiny_explorer: Explorer):
    with refused(SpaceError, "no such space", "space None", "one of joint"):
        tiny_explorer.space(None)  # type: ignore[arg-type]
