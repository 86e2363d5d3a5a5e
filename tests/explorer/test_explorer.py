"""Explorer: expressions, walks, blends, and files that are made again to the last bit."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from thoughtspace.explorer.errors import (
    Cancelled,
    ExpressionError,
    GeometryError,
    ModelError,
    ProvenanceError,
    SpaceError,
)
from thoughtspace.explorer.explorer import Explorer, replay
from thoughtspace.explorer.geometry.sphere import angle
from thoughtspace.explorer.records.provenance import Provenance, pixel_hash, read, write_png
from thoughtspace.explorer.records.video import save_video
from thoughtspace.explorer.replays import recorded_origin
from thoughtspace.explorer.spaces.records import threads

STOPS = ["a red fox", '"a king" - "a man" + "a queen"', "a blue mountain"]


@pytest.fixture(scope="module")
def walk(tiny_explorer: Explorer):
    return tiny_explorer.walk(STOPS, 19, spacing="uniform", steps=2)


# --- expressions


def test_expressions_are_arithmetic_on_points(tiny_explorer):
    joint = tiny_explorer.joint
    made = tiny_explorer.points('"a king" - 0.5 * "a man"')
    by_hand = joint.text("a king") - 0.5 * joint.text("a man")
    torch.testing.assert_close(made.values, by_hand.values)
    assert made.expressions == by_hand.expressions


def test_points_pass_through_and_rows_add_up(tiny_explorer, pictures):
    points = tiny_explorer.joint.image(*pictures[:2])
    assert len(tiny_explorer.points(["a fox", points, "a cat"])) == 4
    assert torch.equal(tiny_explorer.points(points).values, points.values)


class Held:
    """One point for every name."""

    def __init__(self, point):
        self.point = point

    def item(self, id):
        return self.point

    def direction(self, name):
        return self.point


def test_pictures_and_items_are_looked_up(refused, tiny_explorer, pictures, tmp_path):
    pictures[0].save(tmp_path / "a.png")
    made = tiny_explorer.points(f'img("{tmp_path / "a.png"}") + item("x")', items=Held(tiny_explorer.joint.text("hat")))
    by_hand = tiny_explorer.joint.image(pictures[0]) + tiny_explorer.joint.text("hat")
    torch.testing.assert_close(made.values, by_hand.values)
    with refused(SpaceError, "no items", 'item("x")'):
        tiny_explorer.points('item("x")')
    with refused(SpaceError, "no directions", 'dir("x")'):
        tiny_explorer.points('dir("x")')


def test_the_space_of_points_is_theirs(tiny_explorer):
    made = tiny_explorer.decode(tiny_explorer.prompt.text("a fox"), steps=2)
    assert made.provenances[0].record["space"] == "prompt"


def test_expressions_that_cannot_be_decoded_are_refused(refused, tiny_explorer):
    with refused(ExpressionError, "operand", "position 6"):
        tiny_explorer.decode('"a" +')
    with refused(SpaceError, "no such space", "'dreams'", "one of joint"):
        tiny_explorer.points("a", "dreams")
    with refused(SpaceError, "other space", "prompt space", "joint space"):
        tiny_explorer.points(["a fox", tiny_explorer.prompt.text("a fox")])
    with refused(SpaceError, "no direction", "a direction"):
        tiny_explorer.decode('"a" - "a"')


# --- walks


def test_a_walk_leads_from_stop_to_stop(tiny_explorer, walk):
    ends = tiny_explorer.joint.decode(tiny_explorer.points(STOPS), batch=16, steps=2)
    assert len(walk.images) == 19
    for frame, stop in ((0, 0), (9, 1), (18, 2)):
        torch.testing.assert_close(walk.path.points.values[frame], walk.path.stops.values[stop], atol=1e-5, rtol=0)
        difference = np.abs(np.asarray(walk.images[frame], int) - np.asarray(ends[stop], int)).max()
        assert difference <= 2, "a stop's frame is the stop's picture, up to the rounding of its batch"


def test_distances_are_those_of_the_models_own_eye(tiny_explorer, walk):
    vectors = tiny_explorer.model.clip.encode_images(list(walk.images)).double()
    np.testing.assert_allclose(walk.distances, angle(vectors[:-1], vectors[1:]).numpy(), atol=1e-6)
    assert walk.cv == pytest.approx(walk.distances.std() / walk.distances.mean())


def test_equal_spacing_is_more_equal_than_uniform(tiny_explorer):
    """Stops at very unequal distances: uniform places give very unequal steps."""
    fox, cat = tiny_explorer.joint.text("a red fox", "a blue cat")
    stops = [fox, 0.9 * fox + 0.1 * cat, cat]
    uniform, equal = (
        tiny_explorer.walk(stops, 12, spacing=spacing, steps=2, guidance=1.0) for spacing in ("uniform", "equal")
    )
    assert equal.cv < 0.5 * uniform.cv
    assert torch.equal(equal.path.points.values[0], uniform.path.points.values[0])
    assert len(equal.images) == len(equal.path.points) == 12
    assert equal.images[5].info["provenance"].record["points"]["shape"] == (1, 64)


def test_other_spaces_walk_too(tiny_explorer):
    noises = tiny_explorer.noise.draw(1, 2)
    assert tiny_explorer.walk(noises, 3, spacing="uniform", steps=2).path.interpolant == "lol"
    assert (
        tiny_explorer.walk(["a fox", "a cat"], 3, space="prompt", spacing="uniform", steps=2).path.interpolant == "lerp"
    )


@pytest.mark.parametrize(
    ("options", "error", "code", "fact"),
    [
        ({"frames": 1}, SpaceError, "frames", "frames 1"),
        ({"frames": 10**6}, SpaceError, "frames", "frames 1000000"),
        ({"spacing": "odd"}, SpaceError, "spacing", "'odd'"),
        ({"interpolant": "jump"}, GeometryError, "interpolant", "'jump'"),
        ({"stops": ["a fox"]}, GeometryError, "stops", "1 stops"),
    ],
)
def test_walks_that_cannot_be_walked_are_refused(refused, tiny_explorer, options, error, code, fact):
    with refused(error, code, fact):
        tiny_explorer.walk(**{"stops": STOPS, "frames": 3, "steps": 1, **options})


def test_a_cancelled_walk_leaves_nothing_behind(tiny_explorer, walk, tmp_path):
    def cancel(iterable, *, total, desc):
        raise Cancelled

    with pytest.raises(Cancelled):
        tiny_explorer.walk(STOPS, 3, progress=cancel)
    with pytest.raises(Cancelled):
        walk.save(tmp_path / "walk.mp4", progress=cancel)
    assert list(tmp_path.iterdir()) == []


# --- replay


@pytest.mark.parametrize("name", ["walk.mp4", "walk.webm", "walk.gif"])
def test_a_walk_is_made_again_from_its_video(tiny_explorer, walk, tmp_path, name):
    walk.save(tmp_path / name)
    again = tiny_explorer.replay(tmp_path / name)
    assert again.identical
    assert again.max_difference == 0
    assert pixel_hash(list(again.images)) == pixel_hash(list(walk.images))


def test_a_frame_of_a_walk_is_made_again_alone(tiny_explorer, walk, tmp_path):
    """To the last bit: its record knows the size of its batch and its row."""
    for row in (0, 7, 17):
        (path,) = walk.images[row : row + 1].save(tmp_path / f"{row}.png")
        again = tiny_explorer.replay(path)
        assert (again.identical, again.max_difference) == (True, 0.0)


@pytest.mark.parametrize("space", ["joint", "latent", "prompt", "noise", "bottleneck", "joint-raw"])
def test_pictures_of_every_space_are_made_again(tiny_explorer, pictures, tmp_path, space):
    ours = tiny_explorer.space(space)
    points = {"latent": lambda: ours.image(pictures[0]), "noise": lambda: ours.draw(3)}.get(
        space, lambda: ours.text("a fox")
    )()
    ours.decode(points, seed=5, steps=2, guidance=3.5).save(tmp_path / "a.png")
    assert tiny_explorer.replay(tmp_path / "a.png").identical


def test_a_blend_is_made_again_from_its_sheet(tiny_explorer, tmp_path):
    blend = tiny_explorer.blend(STOPS, 3, steps=2, seed=4)
    blend.save(tmp_path / "blend.png")
    assert len(blend) == 9
    assert blend.sheet().size == (3 * 66 - 2, 3 * 66 - 2)
    assert tiny_explorer.replay(tmp_path / "blend.png").identical
    blend[4:5].save(tmp_path / "cell.png")
    assert tiny_explorer.replay(tmp_path / "cell.png").identical


def test_corners_of_a_blend_are_the_corners_themselves(tiny_explorer):
    blend = tiny_explorer.blend(STOPS[:2], 4, steps=2)
    corners = tiny_explorer.joint.decode(tiny_explorer.points(STOPS[:2]), batch=4, steps=2)
    for cell, corner in ((0, 0), (3, 1)):
        assert np.abs(np.asarray(blend[cell], int) - np.asarray(corners[corner], int)).max() <= 2
    assert blend.columns == 4


@pytest.mark.parametrize("grid", [1, 1000, 2.5])
def test_grids_that_cannot_be_decoded_are_refused(refused, tiny_explorer, grid):
    with refused(SpaceError, "grid", f"grid {grid}"):
        tiny_explorer.blend(STOPS, grid)


def test_replay_computes_with_the_threads_of_the_record(tiny_explorer, tmp_path):
    before = torch.get_num_threads()
    with threads(before + 1):
        tiny_explorer.latent.decode(tiny_explorer.latent.points(torch.ones(1, 16, 8, 8))).save(tmp_path / "a.png")
    assert torch.get_num_threads() == before
    used = []
    decode = tiny_explorer.model.autoencoder.network.decode

    def watched(*arguments, **options):
        used.append(torch.get_num_threads())
        return decode(*arguments, **options)

    tiny_explorer.model.autoencoder.network.decode = watched
    try:
        assert tiny_explorer.replay(tmp_path / "a.png").identical
    finally:
        tiny_explorer.model.autoencoder.network.decode = decode
    assert used == [before + 1]
    assert torch.get_num_threads() == before


def test_replay_finds_the_model_by_its_record(tiny_explorer, tmp_path):
    tiny_explorer.decode("a fox", steps=2).save(tmp_path / "a.png")
    origin = recorded_origin(tmp_path / "a.png")
    assert (origin.model, origin.device, origin.dtype) == (tiny_explorer.model.name, "cpu", "float32")
    assert replay(tmp_path / "a.png", device="cpu").identical


def test_changed_pixels_are_detected(tiny_explorer, tmp_path):
    (path,) = tiny_explorer.decode("a fox", steps=2).save(tmp_path / "a.png")
    provenance = read(path)
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).copy()
    pixels[3, 4, 1] ^= 8
    write_png(path, Image.fromarray(pixels), provenance)
    again = tiny_explorer.replay(path)
    assert (again.identical, again.max_difference) == (False, 8.0)


def test_a_video_of_enlarged_pixels_is_compared_at_its_own_size(tiny_explorer, walk, tmp_path):
    record = json.loads(walk.provenance.to_json()) | {"pixels": "0" * 64}
    del record["hash"]
    save_video(list(walk.images), tmp_path / "a.mp4", scale=4, provenance=Provenance(record))
    again = tiny_explorer.replay(tmp_path / "a.mp4")
    assert not again.identical
    assert 0 < again.max_difference < 255  # what the compression did; frames of another size would be 255


def test_another_seed_in_the_record_is_detected(tiny_explorer, tmp_path):
    """Negative control: a record with a right hash and a wrong seed does not make the picture."""
    images = tiny_explorer.decode("a fox", steps=2)
    record = json.loads(images.provenances[0].to_json())
    del record["hash"]
    record["options"]["seed"] = 1
    write_png(tmp_path / "a.png", images[0], Provenance(record))
    again = tiny_explorer.replay(tmp_path / "a.png")
    assert not again.identical
    assert again.max_difference > 8


@pytest.mark.parametrize(
    ("change", "error", "code", "fact"),
    [
        ({"space": "dreams"}, ProvenanceError, "no such space", "'dreams'"),
        ({"kind": "film"}, ProvenanceError, "incomplete", "'film'"),
        ({"batch": {}}, ProvenanceError, "incomplete", "'size'"),
        ({"batch": {"size": 4, "row": 4}}, ModelError, "record", "rows [4] of batches of 4"),
        ({"batch": {"size": 10**9, "row": 0}}, ModelError, "batch", "batch 1000000000"),
        ({"options": {"seed": 0, "steps": 10**9, "guidance": 1.0}}, ModelError, "steps", "steps 1000000000"),
        ({"options": {"seed": 0, "magic": 1}}, ProvenanceError, "incomplete", "'magic'"),
        ({"options": {"seed": "x", "steps": 1}}, SpaceError, "seed", "seed 'x'"),
        ({"model": {"name": "other", "hash": "f" * 64}}, ModelError, "other model", "'other'"),
        ({"points": {"dtype": "float32", "shape": [1, 64], "data": "!"}}, ProvenanceError, "not a tensor", "("),
    ],
)
def test_records_that_cannot_be_replayed_are_refused(refused, tiny_explorer, tmp_path, change, error, code, fact):
    image = Image.new("RGB", (64, 64))
    record = json.loads(tiny_explorer.decode("a fox", steps=1).provenances[0].to_json())
    del record["hash"]
    write_png(tmp_path / "a.png", image, Provenance(record | change))
    with refused(error, code, fact):
        tiny_explorer.replay(tmp_path / "a.png")


def test_files_without_a_record_are_refused(refused, tiny_explorer, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    for name, code in (("plain.png", "no record"), ("missing.png", "cannot read")):
        with refused(ProvenanceError, code, name):
            tiny_explorer.replay(tmp_path / name)


@pytest.mark.parametrize("wrong", [None, 3])
def test_what_is_no_expression_is_refused(tiny_explorer, refused, wrong):
    for use in (tiny_explorer.points, tiny_explorer.decode):
        with refused(ExpressionError, "no expression", repr(wrong)):
            use(wrong)


def test_no_pictures_have_no_pixels(tiny_explorer):
    none = tiny_explorer.decode("a red fox", seed=[], steps=1)
    assert (none.pixels.shape, none.numpy().shape) == ((0, 3, 0, 0), (0, 0, 0, 3))
