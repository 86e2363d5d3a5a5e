"""Probes: what is planted is read, also in unseen combinations; what only goes along with it is not claimed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from thoughtspace.analysis.probes.folds import combination_folds, row_folds, shuffled_within
from thoughtspace.analysis.probes.items import probe_items
from thoughtspace.analysis.probes.probe import fit_probe, plot_probes
from thoughtspace.explorer.collection.items import Item, content_hash
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import AnalysisError

D = 12


def world(n: int, seed: int, *, signal: float = 4.0, values: int = 3):
    """Items whose two factors each move them along axes of their own."""
    rng = np.random.default_rng([seed, 99])
    colour, shape = rng.integers(values, size=(2, n))
    x = rng.standard_normal((n, D))
    x[np.arange(n), colour] += signal
    x[np.arange(n), values + shape] += signal
    return x, np.array(["red", "green", "blue", "black"])[colour], shape


def test_wide_items_are_fitted_as_in_their_own_numbers():
    from sklearn.linear_model import LogisticRegression

    x, colour, _ = world(60, 3)
    wide = x @ np.linalg.qr(np.random.default_rng(5).standard_normal((200, D)))[0].T
    wide += 0.1 * np.random.default_rng(6).standard_normal(wide.shape)
    found = fit_probe(wide, colour, n_null=1, n_samples=0)
    scale = (wide - wide.mean(0)).std()
    plain = LogisticRegression(max_iter=5000, tol=1e-8, class_weight="balanced").fit(wide / scale, colour)
    told, plainly = wide @ found.weights.T + found.bias, plain.decision_function(wide / scale)
    centred = [each - each.mean(1, keepdims=True) for each in (told, plainly)]  # a common shift tells nothing
    np.testing.assert_allclose(*centred, atol=0.15)  # of 4: fits end at a tolerance
    assert found(wide) == plain.predict(wide / scale).tolist()


def test_several_probes_are_drawn_beside_the_chance_of_a_guess():
    x, colour, shape = world(90, 4)
    named = (("colour", "shape"), ("shape", "colour"))
    probes = [fit_probe(x, each, names=names, n_null=3) for each, names in zip((colour, shape), named, strict=True)]
    *_, chance = plot_probes(probes).data
    assert list(chance.y) == ["colour", "shape"]
    assert list(chance.x) == [each.chance for each in probes]


def quick(x, labels, **how):
    return fit_probe(x, labels, **{"n_null": 19, "n_samples": 0, **how})


def test_a_planted_factor_is_read_in_rows_and_in_unseen_combinations():
    x, colour, shape = world(400, 0)
    rows, unseen = quick(x, colour, n_samples=10), quick(x, colour, beside=shape, n_samples=10)
    for found in (rows, unseen):
        assert found.score.value > 0.9
        assert found.score.p_value == 0.05
        low, high = found.score.interval
        assert low <= found.score.value <= high <= 1
        assert found.recalls.mean() == pytest.approx(found.score.value)
        assert found.chance == pytest.approx(1 / 3)
    assert (rows.held_out, unseen.held_out) == ("rows", "combinations with beside")
    assert np.mean([a == b for a, b in zip(rows(x), colour, strict=True)]) > 0.95
    assert rows.plot().layout.shapes[0].x0 == rows.chance
    assert rows.table().loc["label", "held_out"] == "rows"
    json.dumps([rows.to_json(), unseen.to_json()], allow_nan=False)


@pytest.mark.parametrize("beside", [False, True])
def test_p_values_of_nothing_are_even(beside):
    """Under no effect a p-value of at most α comes about with a chance of α, in both ways of holding out."""
    p = []
    for seed in range(30):
        rng = np.random.default_rng([seed, 7])
        labels, others = rng.integers(2, size=(2, 40))
        x = rng.standard_normal((40, 3))
        p.append(quick(x, labels, beside=others if beside else None, n_null=9).score.p_value)
    np.testing.assert_allclose(np.quantile(p, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.2)
    assert np.mean(np.array(p) <= 0.1) <= 0.25


def bound_world(n: int, seed: int):
    """Only the shape moves items; the colour goes along with the shape in most of them."""
    rng = np.random.default_rng([seed, 3])
    shape = rng.integers(3, size=n)
    colour = np.where(rng.random(n) < 0.7, shape, rng.integers(3, size=n))
    x = rng.standard_normal((n, D))
    x[np.arange(n), shape] += 4
    return x, colour, shape


def test_what_only_goes_along_is_read_in_rows_and_not_in_unseen_combinations():
    """Negative control: why combinations are held out."""
    found = [
        (quick(x, colour), quick(x, colour, beside=shape)) for x, colour, shape in map(bound_world, [150] * 6, range(6))
    ]
    assert min(rows.score.value for rows, _ in found) > 0.6
    assert {rows.score.p_value for rows, _ in found} == {0.05}
    assert max(unseen.score.value for _, unseen in found) < 1 / 3
    assert np.mean([unseen.score.p_value <= 0.05 for _, unseen in found]) <= 0.4


def test_a_probe_turns_with_the_space_and_does_not_depend_on_scale_or_origin():
    x, colour, _ = world(200, 1, signal=1.5)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((D, D)))[0]
    first, other = quick(x, colour), quick(50 * x @ turn + 3, colour)
    assert other.score.value == pytest.approx(first.score.value, abs=0.011)
    assert other(50 * x @ turn + 3) == first(x)


def test_no_fold_of_combinations_shares_one_with_another_and_all_values_stay():
    for a, b in ((2, 2), (2, 3), (4, 3), (5, 5)):
        codes, others = (each.ravel() for each in np.indices((a, b)))
        fold = combination_folds(codes, others, np.random.default_rng(0))
        for each in np.unique(fold):
            rest = fold != each
            assert set(codes[rest]) == set(range(a))
            assert set(others[rest]) == set(range(b))
            assert np.unique(np.stack([codes, others])[:, rest], axis=1).shape[1] > max(a, b)  # still not bound
    repeated = np.tile(np.arange(6), 4)
    fold = combination_folds(repeated % 3, repeated % 2, np.random.default_rng(0))
    assert all(len(set(fold[repeated == each])) == 1 for each in range(6))


def test_rows_are_spread_evenly_and_labels_are_shuffled_within():
    generator = np.random.default_rng(0)
    codes = np.repeat([0, 1], [50, 10])
    fold = row_folds(codes, generator)
    assert {tuple(np.bincount(codes[fold == each])) for each in range(5)} == {(10, 2)}
    others = np.arange(60) % 4
    shuffled = shuffled_within(codes, others, generator)
    assert (shuffled != codes).any()
    for each in range(4):
        assert sorted(shuffled[others == each]) == sorted(codes[others == each])


def test_what_cannot_be_probed_is_refused(refused):
    x, colour, _ = world(60, 2)
    with refused(AnalysisError, "one class", "'label'"):
        quick(x, np.full(60, "red"))
    with refused(AnalysisError, "too few", "1 items", "'odd'"):
        quick(x, np.where(np.arange(60) == 3, "odd", colour))
    with refused(AnalysisError, "number of labels", "59"):
        quick(x, colour[1:])
    with refused(AnalysisError, "missing labels", "row 2"):
        quick(x, np.array([None if row == 2 else "a" for row in range(60)]))
    with refused(AnalysisError, "missing labels", "row 4"):
        quick(x, np.where(np.arange(60) == 4, np.nan, 1.0))
    with refused(AnalysisError, "type of labels", "int, str"):
        quick(x, np.array([row if row % 2 else "a" for row in range(60)], dtype=object))
    with refused(AnalysisError, "no variation"):
        quick(np.ones_like(x), colour)
    with refused(AnalysisError, "not finite"):
        quick(x * np.nan, colour)
    with refused(AnalysisError, "combinations", "'shape'"):
        quick(x, colour, beside=colour, names=("colour", "shape"))
    with refused(AnalysisError, "width"):
        quick(x, colour)(x[:, 1:])


def test_columns_of_a_collection_are_probed(tiny_explorer, tmp_path, refused):
    collection = Collection.create(tmp_path / "made", tiny_explorer)
    x, colour, shape = world(60, 3, signal=6)
    wide = np.zeros((60, tiny_explorer.model.clip.dim), np.float32)
    wide[:, :D] = x
    made = []
    for row in range(60):
        digest = content_hash(f"picture {row}")
        extras = {"colour": str(colour[row]), "shape": int(shape[row]), "name": f"n{row}"} if row else {}
        if row == 1:
            extras["colour"] = "odd"
        made.append(
            Item(digest[:16], "image", f"{row}.png", None, None, digest, extras=extras, vectors={"joint": wide[row]})
        )
    with collection.writer() as writer:
        writer.append(made)
    found = probe_items(collection, "colour", beside="shape", n_null=19, n_samples=0)
    assert found.probe.score.value > 0.8
    assert (found.probe.n, found.n_missing, found.rare) == (58, 1, ("colour odd",))
    assert found.to_json()["beside"] == "shape"
    with refused(AnalysisError, "column", "'size'", "colour"):
        probe_items(collection, "size")
    with refused(AnalysisError, "too few", "name"):
        probe_items(collection, "name")
