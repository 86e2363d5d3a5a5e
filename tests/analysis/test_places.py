"""Scores of heat maps: closed forms, scikit-learn, planted places, and nulls that say nothing where nothing is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.metrics import average_precision_score, jaccard_score

from thoughtspace.analysis.places.localisation import CENTRE, MAPS, USUAL, localisation
from thoughtspace.analysis.places.of_model import Sighting, measure_places
from thoughtspace.analysis.places.priors import SPREAD, centred, usual_places
from thoughtspace.analysis.places.scores import average_precision, overlap, pointing
from thoughtspace.explorer.errors import AnalysisError, SpaceError

SIDE = 8


def rng(seed=0):
    return np.random.default_rng(seed)


def random_maps(n, seed=0, levels=None):
    """With `levels`, of that many different heats."""
    maps = rng(seed).random((n, SIDE, SIDE))
    return maps if levels is None else np.floor(maps * levels)


def squares(n, seed=0, side=3):
    """Masks of a square somewhere."""
    masks = np.zeros((n, SIDE, SIDE), dtype=bool)
    for mask, (y, x) in zip(masks, rng(seed).integers(SIDE - side + 1, size=(n, 2)), strict=True):
        mask[y : y + side, x : x + side] = True
    return masks


def flat(x):
    return x.reshape(len(x), -1)


@pytest.mark.parametrize("levels", [None, 4])
def test_average_precision_and_overlap_are_those_of_scikit_learn(levels):
    maps, masks = flat(random_maps(5, levels=levels)), flat(squares(4, seed=1))
    found, overlaps = average_precision(maps, masks), overlap(maps, masks, 0.3)
    for i, heat in enumerate(maps):
        above = heat >= heat.min() + 0.3 * (heat.max() - heat.min())
        for j, mask in enumerate(masks):
            assert found[i, j] == pytest.approx(average_precision_score(mask, heat))
            assert overlaps[i, j] == pytest.approx(jaccard_score(mask, above))


def test_a_perfect_map_a_flat_one_and_the_opposite():
    masks = squares(3)
    share, own = 9 / SIDE**2, flat(masks)
    for score in (pointing, overlap, average_precision):
        np.testing.assert_allclose(score(own.astype(float), own).diagonal(), 1)
        np.testing.assert_allclose(score(np.ones((1, SIDE**2)), own), share)
        opposite = score(1.0 - own, own).diagonal()
        assert (opposite <= share + 1e-12).all()
    np.testing.assert_allclose(pointing(1.0 - own, own).diagonal(), 0)
    np.testing.assert_allclose(overlap(1.0 - own, own).diagonal(), 0)


def test_overlap_of_squares_that_are_shifted():
    """Two 3 x 3 squares one column apart: 6 pixels of 12."""
    one, other = np.zeros((2, 1, SIDE, SIDE), dtype=bool)
    one[0, 2:5, 2:5], other[0, 2:5, 3:6] = True, True
    assert overlap(flat(one).astype(float), flat(other)) == pytest.approx(0.5)
    assert pointing(flat(one).astype(float), flat(other)) == pytest.approx(6 / 9)


def test_all_scores_but_the_overlap_are_unchanged_by_what_keeps_the_order():
    maps, masks = flat(random_maps(4)), flat(squares(4))
    for score in (pointing, average_precision):
        np.testing.assert_allclose(score(np.exp(5 * maps), masks), score(maps, masks))
    np.testing.assert_allclose(overlap(3 * maps + 7, masks), overlap(maps, masks))
    assert np.abs(overlap(np.exp(5 * maps), masks) - overlap(maps, masks)).max() > 0.01  # it has a threshold


def test_priors():
    guess = centred(6, 10)
    assert guess.shape == (6, 10)
    np.testing.assert_allclose(guess, guess[::-1, ::-1])
    y, x = (0.5 / 6 - 0.5) / SPREAD, (0.5 / 10 - 0.5) / SPREAD
    assert guess[0, 0] == pytest.approx(np.exp(-(x**2 + y**2) / 2))
    masks = squares(4)
    found = usual_places(masks, ["hat", "hat", "hat", "fox"])
    np.testing.assert_allclose(found[0], masks[1:3].mean(0))
    np.testing.assert_allclose(found[3], masks[:3].mean(0))


def test_planted_maps_are_found_and_beat_both_priors():
    masks = squares(30, seed=2)
    found = localisation(masks + random_maps(30, seed=3), masks, ["fox"] * 30)
    for name, score in found.scores.items():
        assert score.value > 0.9 if name != "iou" else score.value > 0.5
        assert score.p_value == pytest.approx(1 / 1000)
        assert score.interval[0] <= score.value <= score.interval[1]
        for prior in (CENTRE, USUAL):
            assert found.differences[name, prior].p_value < 0.01
            more = (found.each[name][MAPS] - found.each[name][prior]).mean()
            assert found.differences[name, prior].value == pytest.approx(more)


def test_a_map_that_knows_the_usual_place_alone_does_not_beat_it():
    """Negative control: things of one name are always in one corner, and so are the maps, whatever the picture."""
    hats, boats = np.zeros((2, 12, SIDE, SIDE), dtype=bool)
    hats[:, :3, :4], boats[:, 5:, 3:7] = True, True
    masks, names = np.concatenate([hats, boats]), ["hat"] * 12 + ["boat"] * 12
    found = localisation(masks.astype(float), masks, names)
    assert found.scores["ap"].p_value < 0.01  # it tells hats from boats
    assert found.differences["ap", CENTRE].p_value < 0.01
    assert found.differences["ap", USUAL].value == pytest.approx(0)
    assert found.differences["ap", USUAL].p_value == 1


def test_p_values_are_uniform_where_maps_say_nothing():
    found = [localisation(random_maps(6, seed), squares(6, 1000 + seed), ["x"] * 6) for seed in range(150)]
    p = [each.scores["ap"].p_value for each in found]
    assert kstest(p, "uniform").pvalue > 0.01
    assert 0.02 < np.mean(np.array(p) <= 0.1) < 0.2
    planted = squares(6, 7)
    assert localisation(planted.astype(float), planted, ["x"] * 6).scores["ap"].p_value < 0.05


def test_the_table_the_names_the_plot_and_the_document():
    masks, names = squares(9), ["hat", "fox", "hat", "hat", "fox", "sun", "hat", "fox", "sun"]
    found = localisation(random_maps(9), masks, names, threshold=0.4)
    table = found.table()
    assert list(table["score"]) == ["pointing", "iou", "ap"]
    for row in table.itertuples():
        assert row.value == pytest.approx(found.each[row.score][MAPS].mean())
        assert row.usual_place == pytest.approx(found.each[row.score][USUAL].mean())
    by_name = found.by_name()
    assert by_name.loc[0, "name"] == "hat"
    assert by_name["n"].sum() == 9
    assert by_name.loc[0, "ap"] == pytest.approx(found.each["ap"][MAPS][[0, 2, 3, 6]].mean())
    assert {trace.name for trace in found.plot().data} >= {CENTRE, USUAL, "null"}
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (document["n"], document["threshold"]) == (9, 0.4)
    again = localisation(random_maps(9), masks, names, threshold=0.4)
    assert again.to_json() == found.to_json()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"maps": random_maps(6)[:, :4]}, "shape"),
        ({"masks": squares(6).astype(int)}, "shape"),
        ({"names": ["x"] * 5}, "shape"),
        ({"maps": random_maps(4), "masks": squares(4), "names": ["x"] * 4}, "too few"),
        ({"maps": np.full((6, SIDE, SIDE), np.nan)}, "not finite"),
        ({"masks": np.zeros((6, SIDE, SIDE), dtype=bool)}, "mask"),
        ({"threshold": 1.0}, "threshold"),
    ],
)
def test_what_cannot_be_scored_is_refused(refused, change, code):
    with refused(AnalysisError, code):
        localisation(**{"maps": random_maps(6), "masks": squares(6), "names": ["x"] * 6, **change})


@pytest.fixture(scope="module")
def sightings(pictures):
    masks = np.zeros((6, 64, 64), dtype=bool)
    for row, mask in enumerate(masks):
        mask[8 * row : 8 * row + 16, 20:40] = True
    return [
        Sighting(picture, f"a {word} with a face", word, mask, ("face", "background"))
        for picture, mask, word in zip(pictures, masks, ("fox", "cat", "hat") * 2, strict=False)
    ]


def test_the_maps_of_a_model_are_scored(tiny_explorer, sightings):
    for by in ("words", "concepts"):
        found = measure_places(tiny_explorer, sightings, by=by, steps=2, seed=3)
        thing = sightings[1]
        if by == "words":
            maps = tiny_explorer.heat_maps(thing.prompt, picture=thing.picture, steps=2, seed=3, keep=())
        else:
            maps = tiny_explorer.heat_maps(
                tiny_explorer.prompt.text(""),
                picture=thing.picture,
                concepts=["cat", "face", "background"],
                steps=2,
                seed=3,
                keep=(),
            )
        heat = maps.on_picture("cat").numpy().astype(float).reshape(1, -1)
        assert found.each["ap"][MAPS][1] == pytest.approx(average_precision(heat, thing.mask.reshape(1, -1))[0, 0])
        assert found.names == ("fox", "cat", "hat", "fox", "cat", "hat")


def test_another_way_to_look_or_a_word_that_is_not_there_is_refused(refused, tiny_explorer, sightings):
    with refused(AnalysisError, "by", "'letters'"):
        measure_places(tiny_explorer, sightings, by="letters")
    wrong = Sighting(sightings[0].picture, "a fox", "dog", sightings[0].mask)
    with refused(SpaceError, "word", "'dog'"):
        measure_places(tiny_explorer, [wrong], steps=1)
