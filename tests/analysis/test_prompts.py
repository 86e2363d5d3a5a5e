"""Comparing prompts: trees, alignments, wording, styles, seeds and words, each on something planted and on nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import pdist

from thoughtspace.analysis.prompts.alignment import align
from thoughtspace.analysis.prompts.closeness import closeness
from thoughtspace.analysis.prompts.similarity import similarity
from thoughtspace.analysis.prompts.spread import spread, varying
from thoughtspace.analysis.prompts.styles import style_effects
from thoughtspace.analysis.prompts.wording import orders, sensitivity, without_each_word
from thoughtspace.analysis.prompts.words import word_effects, words_of
from thoughtspace.explorer.errors import AnalysisError


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def as_json(result) -> dict:
    return json.loads(json.dumps(result.to_json(), allow_nan=False))


# similarity


def test_the_tree_is_that_of_scipy_and_joins_what_is_alike():
    x = np.repeat(normal(3, 12), 4, axis=0) + 0.2 * normal(12, 12, seed=1)
    found = similarity(x, [f"p{row}" for row in range(12)], unrelated=normal(50, 12, seed=2))
    distances = pdist(x, "cosine")
    np.testing.assert_allclose(found.linkage[:, 2], linkage(distances, "average")[:, 2], atol=1e-5)
    assert found.cophenetic == pytest.approx(cophenet(linkage(distances, "average"), distances)[0], abs=1e-5)
    groups = found.groups(3)
    assert [len(set(groups[start : start + 4])) for start in (0, 4, 8)] == [1, 1, 1]
    assert len(set(groups)) == 3
    assert list(dict.fromkeys(groups[found.order])) == [0, 1, 2]
    assert found.null.mean() == pytest.approx(0, abs=0.1)
    assert found.table().shape == (12, 12)
    assert (np.diag(found.table()) == 1).all()
    assert found.plot().data[-1].type == "heatmap"
    assert as_json(found)["null_high"] > 0.2


def test_a_tree_of_equal_distances_is_believed_and_one_of_noise_is_not():
    assert similarity(np.eye(4), "abcd").cophenetic == 1.0
    assert similarity(normal(30, 40), [""] * 30).cophenetic < 0.7


def test_prompts_that_make_no_tree_are_refused(refused):
    with refused(AnalysisError, "too few", "2 prompts"):
        similarity(normal(2, 3), ["a", "b"])
    with refused(AnalysisError, "names", "4 prompts and 3 names"):
        similarity(normal(4, 3), ["a", "b", "c"])
    with refused(AnalysisError, "width"):
        similarity(normal(4, 3), "abcd", unrelated=normal(4, 5))
    with refused(AnalysisError, "method", "'ward'"):
        similarity(normal(4, 3), "abcd", method="ward")
    with refused(AnalysisError, "k"):
        similarity(normal(4, 3), "abcd").groups(5)


# alignment


def test_moved_tokens_are_found_again():
    states, order = normal(6, 16), np.array([3, 0, 5, 1, 4, 2])
    found = align(states, states[order], ("abcdef", "dafbec"), unrelated=[normal(7, 16, seed=s) for s in range(1, 20)])
    assert found.pairs[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert order[found.pairs[:, 1]].tolist() == [0, 1, 2, 3, 4, 5]
    assert found.table()["first"].tolist() == found.table()["second"].tolist() == list("abcdef")
    assert found.f1.value == pytest.approx(1)
    assert found.f1.p_value == 0.05
    assert found.plot().data[0].type == "heatmap"
    assert as_json(found)["f1"]["p_value"] == 0.05


def test_the_scores_are_those_of_bertscore():
    a, b = normal(4, 8), normal(6, 8, seed=1)
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b)]
    cosines = unit[0] @ unit[1].T
    found = align(a, b, (list("abcd"), list("abcdef")))
    precision, recall = cosines.max(1).mean(), cosines.max(0).mean()
    assert found.precision == pytest.approx(precision, abs=1e-6)
    assert found.recall == pytest.approx(recall, abs=1e-6)
    assert found.f1.value == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-6)
    assert len(found.pairs) == 4
    assert "p_value" not in as_json(found)["f1"]


def test_states_that_do_not_fit_are_refused(refused):
    with refused(AnalysisError, "width"):
        align(normal(2, 3), normal(2, 4), ("ab", "cd"))
    with refused(AnalysisError, "names"):
        align(normal(2, 3), normal(2, 3), ("abc", "cd"))


# wording


def test_other_orders_have_the_same_words():
    found = orders("a small red fox sleeps", 20, random_state=1)
    assert len(set(found)) == 20
    assert {tuple(sorted(each.split())) for each in found} == {("a", "fox", "red", "sleeps", "small")}
    assert "a small red fox sleeps" not in found
    assert orders("red fox", 20) == ["fox red"]


def test_a_word_is_left_out_where_it_stands():
    assert without_each_word("the cat and the  dog,") == [
        ("the", "cat and the  dog,"),
        ("cat", "the and the  dog,"),
        ("and", "the cat the  dog,"),
        ("the", "the cat and dog,"),
        ("dog,", "the cat and the"),
    ]


def test_texts_of_one_word_are_refused(refused):
    for each in ("fox", "", "fox fox"):
        with refused(AnalysisError, "one word"):
            orders(each)
    with refused(AnalysisError, "one word"):
        without_each_word("fox")


def test_how_far_variants_are_is_a_share_of_the_way_to_unrelated_prompts():
    own = np.eye(8)[0]
    half = np.cos(np.pi / 3) * np.eye(8)[0] + np.sin(np.pi / 3) * np.eye(8)[1]
    found = sensitivity(own, {"same": [own, 2 * own], "half": [half]}, np.eye(8)[2:])
    table = found.table()
    assert table["cosine"].tolist() == pytest.approx([1, 0.5])
    assert table["moved"].tolist() == pytest.approx([0, 0.5], abs=1e-6)
    assert table["null"].tolist() == [0, 0]
    assert [trace.name for trace in found.plot().data] == ["same", "half", "unrelated"]
    assert as_json(found)["variants"]["same"]["n"] == 2


def test_variants_without_a_measure_are_refused(refused):
    own = np.eye(3)[0]
    with refused(AnalysisError, "too few", "no variants"):
        sensitivity(own, {}, np.eye(3))
    with refused(AnalysisError, "too few", "unrelated"):
        sensitivity(own, {"a": [own]}, [own, own])
    with refused(AnalysisError, "width"):
        sensitivity(own, {"a": [np.ones(4)]}, np.eye(3))


# styles


def test_a_style_that_moves_all_prompts_one_way_is_told_from_one_that_does_not():
    plain, p, d = normal(20, 24), 20, 24
    noise = 0.5 * normal(3, p, d, seed=1)
    steady = np.zeros((3, 1, d))
    steady[0, :, 0] = 3.0
    both = 2.0 * np.eye(d)[5]  # what all styles do is no style's own
    found = style_effects(plain, plain + noise + steady + both, ["oil", "x", "y"], n_null=99)
    table = found.table()
    assert table["value"]["oil"] > 0.45
    assert table["p_value"]["oil"] == 0.01
    assert np.abs(found.steps[0]).argmax() == 0
    assert np.abs(found.steps[:, 5]).max() < 0.5
    assert found.size[0] > found.size[1]
    assert as_json(found)["styles"]["oil"]["p_value"] == 0.01
    assert len(found.plot().data) == 6


def test_styles_without_an_effect_have_even_p_values():
    p_values = []
    for seed in range(30):
        plain = normal(10, 12, seed=seed)
        found = style_effects(plain, plain + normal(3, 10, 12, seed=100 + seed), "abc", n_null=39, random_state=seed)
        p_values += found.table()["p_value"].tolist()
    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=0.08)
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.12)


def test_styles_that_do_not_fit_are_refused(refused):
    with refused(AnalysisError, "shape"):
        style_effects(normal(4, 3), normal(2, 5, 3), "ab")
    with refused(AnalysisError, "too few", "2 prompts"):
        style_effects(normal(2, 3), normal(2, 2, 3), "ab")
    with refused(AnalysisError, "too few", "1 styles"):
        style_effects(normal(4, 3), normal(1, 4, 3), "a")
    with refused(AnalysisError, "not finite"):
        style_effects(normal(4, 3), np.full((2, 4, 3), np.nan), "ab")


# seeds


def test_the_share_of_the_prompt_is_what_was_planted():
    """Variance τ² between prompts and σ² within: the intraclass correlation is τ² / (τ² + σ²)."""
    prompts, noise = 2.0 * normal(60, 1, 10), normal(60, 6, 10, seed=1)
    found = spread(prompts + noise, n_null=49)
    assert found.between.value == pytest.approx(4 / 5, abs=0.03)
    assert found.between.p_value == 0.02
    assert found.between.interval[0] < 0.8 < found.between.interval[1]
    assert found.within.mean() == pytest.approx(10, rel=0.05)
    assert found.table()["value"].tolist() == [found.between.value]
    nothing = spread(noise, n_null=49)
    assert nothing.between.value == pytest.approx(0, abs=0.03)
    assert nothing.between.p_value > 0.05
    assert as_json(nothing)["total"] == pytest.approx(10, rel=0.05)
    assert spread(noise[:2], n_null=9).between.interval is None


def test_what_varies_is_what_was_planted_beside_what_chance_gives():
    scale = np.array([6.0, 3.0, *[1.0] * 14])
    turn = np.linalg.qr(normal(16, 16))[0]
    x = (normal(200, 16, seed=3) * scale) @ turn
    found = varying(x, 4, n_null=49)
    assert abs(found.directions[0] @ turn[0]) > 0.99
    assert found.deviations[:2] == pytest.approx([6, 3], rel=0.12)
    assert [each.p_value for each in found.shares] == [0.02, 0.02, 1.0, 1.0]
    along = found.along(0, [-1, 0, 2])
    np.testing.assert_allclose(along[1], x.mean(0), atol=1e-5)
    np.testing.assert_allclose((along[2] - along[1]) @ found.directions[0], 2 * found.deviations[0])
    assert len(found.plot().data) == 8
    assert len(as_json(found)["directions"]) == 4


def test_pictures_without_a_spread_are_refused(refused):
    with refused(AnalysisError, "shape", "(3, 4)"):
        spread(normal(3, 4))
    with refused(AnalysisError, "shape"):
        spread(normal(3, 1, 4))
    with refused(AnalysisError, "not finite"):
        spread(np.full((3, 2, 4), np.nan))
    with refused(AnalysisError, "no variation"):
        spread(np.ones((3, 2, 4)))
    with refused(AnalysisError, "no variation"):
        varying(np.ones((5, 4)), 2)
    with refused(AnalysisError, "n"):
        varying(normal(5, 4), 5)


# words


def worded(n: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Pictures that `red` moves along one axis; `fox` often comes with it and moves nothing."""
    rng = np.random.default_rng(seed)
    red = rng.random(n) < 0.5
    fox = np.where(red, rng.random(n) < 0.9, rng.random(n) < 0.1)
    cat = rng.random(n) < 0.5
    x = rng.standard_normal((n, 10))
    x[:, 0] += 4 * red
    prompts = [
        " ".join(["a", *["red"] * r, *["fox"] * f, *["cat"] * c])
        for r, f, c in zip(red.tolist(), fox.tolist(), cat.tolist(), strict=True)
    ]
    return x, prompts


def test_the_word_that_moves_pictures_is_told_from_its_company():
    x, prompts = worded(300)
    found = word_effects(x, prompts, n_null=49)
    assert found.words[0] == "red"
    assert set(found.words) == {"red", "fox", "cat"}  # all have `a`, so nothing is known of it
    assert found.steps[0, 0] == pytest.approx(4, abs=0.5)
    table = found.table()
    assert table["p_value"]["red"] == 0.02
    assert table["p_value"]["fox"] > 0.05
    assert found.r2.value > 0.2
    assert found.r2.p_value == 0.02
    assert found.plot().data[0].orientation == "h"
    assert as_json(found)["words"][0]["word"] == "red"


def test_the_steps_are_those_of_scikit_learns_ridge():
    from sklearn.linear_model import Ridge

    x, prompts = worded(60)
    found = word_effects(x, prompts, n_null=1)
    has = np.array([[word in words_of(prompt) for word in found.words] for prompt in prompts], float)
    np.testing.assert_allclose(found.steps, Ridge(alpha=1.0).fit(has, x).coef_.T, atol=1e-6)


def test_words_that_move_nothing_are_said_to():
    wrong = 0
    for seed in range(20):
        _, prompts = worded(80, seed)
        found = word_effects(normal(80, 6, seed=500 + seed), prompts, n_null=39, random_state=seed)
        wrong += found.table()["p_value"].min() <= 0.05
    assert wrong <= 3


def test_words_are_read_from_prompts():
    assert words_of("A man's (hat:1.2), 35mm -- UPPER_case 1990, naïve") == {
        *("a", "man's", "hat", "35mm", "upper", "case", "naïve")
    }


def test_prompts_that_say_nothing_are_refused(refused):
    x, prompts = worded(30)
    with refused(AnalysisError, "number of prompts"):
        word_effects(x, prompts[1:])
    with refused(AnalysisError, "too few", "least"):
        word_effects(x, ["a fox"] * 30)
    with refused(AnalysisError, "no variation"):
        word_effects(np.ones((30, 4)), prompts, least=2)


# closeness


def test_pictures_are_close_to_their_own_prompts():
    texts, prompts = normal(40, 16), [f"p{row}" for row in range(40)]
    pictures = texts + 0.5 * normal(40, 16, seed=1)
    pictures[:10] = normal(10, 16, seed=2)  # one model ignores its prompts
    groups = ["bad"] * 10 + ["good"] * 30
    found = closeness(pictures, texts, prompts, groups=groups)
    table = found.table()
    assert table.index.tolist() == ["bad", "good", "all"]
    assert table["low"]["good"] > 0.5
    assert table["low"]["bad"] < 0 < table["high"]["bad"]
    assert table["rank"]["good"] < 0.02
    assert table["rank"]["bad"] == pytest.approx(0.5, abs=0.2)
    assert (found.farthest(5) < 10).all()
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (pictures, texts)]
    cosines = unit[0] @ unit[1].T
    np.testing.assert_allclose(found.own, np.diag(cosines), atol=1e-6)
    np.testing.assert_allclose(found.others, (cosines.sum(1) - np.diag(cosines)) / 39, atol=1e-6)
    assert [trace.name for trace in found.plot().data] == ["others' prompts", "own prompt"]
    assert as_json(found)["groups"][2]["n"] == 40


def test_among_many_prompts_the_rank_is_that_of_a_sample(monkeypatch):
    texts, prompts = normal(300, 8), [f"p{row % 250}" for row in range(300)]
    texts[250:] = texts[:50]
    whole = closeness(texts + normal(300, 8, seed=1), texts, prompts)
    monkeypatch.setattr("thoughtspace.analysis.prompts.closeness.MOST", 60)
    found = closeness(texts + normal(300, 8, seed=1), texts, prompts)
    np.testing.assert_array_equal(found.own, whole.own)
    np.testing.assert_array_equal(found.others, whole.others)
    error = np.sqrt(whole.rank * (1 - whole.rank) / 60)  # of a binomial; less, as none is drawn twice
    assert (np.abs(found.rank - whole.rank) <= 4 * error + 1 / 60).all()
    assert (found.rank != whole.rank).any()


def test_equal_prompts_are_no_null_of_each_other():
    texts = np.repeat(np.eye(4), 3, axis=0)
    found = closeness(texts, texts, [name for name in "abcd" for _ in range(3)])
    assert found.own.tolist() == [1] * 12
    assert found.others.tolist() == [0] * 12


def test_pictures_without_their_prompts_are_refused(refused):
    with refused(AnalysisError, "shape"):
        closeness(normal(4, 3), normal(4, 5), "abcd")
    with refused(AnalysisError, "shape", "3 prompts"):
        closeness(normal(4, 3), normal(4, 3), "abc")
    with refused(AnalysisError, "too few", "one prompt"):
        closeness(normal(4, 3), normal(4, 3), "aaaa")
