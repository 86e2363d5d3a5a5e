"""Points in words: the optimum of the lasso, planted words, and nothing claimed of random directions."""

from __future__ import annotations

import json

import numpy as np
import pytest

from thoughtspace.analysis.concepts.decomposition import REST, decompose
from thoughtspace.analysis.concepts.explain import explain
from thoughtspace.datasets.captions import concepts as pocket_words
from thoughtspace.datasets.world import FACTORS
from thoughtspace.explorer.errors import AnalysisError

D, V = 64, 150
rng = np.random.default_rng(1234)  # not the seed of the random directions, which would be the words themselves
CONCEPTS = rng.standard_normal((V, D))
CONCEPTS /= np.linalg.norm(CONCEPTS, axis=1, keepdims=True)
WORDS = [f"word {j}" for j in range(V)]


def planted(n: int, seed: int, noise: float = 0.0):
    """Points that are sums of five words, which words, and their weights."""
    generator = np.random.default_rng(seed)
    chosen = np.stack([generator.permutation(V)[:5] for _ in range(n)])
    weights = generator.uniform(0.6, 1.0, (n, 5))
    x = np.einsum("nk,nkd->nd", weights, CONCEPTS[chosen])
    return x + noise * generator.standard_normal(x.shape) * np.linalg.norm(x, axis=1, keepdims=True) / D**0.5, chosen


def test_the_weights_are_those_of_the_optimum():
    """The conditions of Karush, Kuhn and Tucker: no word is closer to what is left than the penalty."""
    x, _ = planted(8, 1, noise=0.5)
    found = decompose(x, CONCEPTS, WORDS, penalty=0.1, n_null=9)
    z = x / np.linalg.norm(x, axis=1, keepdims=True)
    left = (z - found.weights @ CONCEPTS) @ CONCEPTS.T
    assert (found.weights >= 0).all()
    assert left.max() <= 0.1 + 1e-5
    np.testing.assert_allclose(left[found.weights > 0], 0.1, atol=1e-5)


def test_planted_words_are_found():
    x, chosen = planted(20, 2)
    found = decompose(x, CONCEPTS, WORDS, penalty=0.02, n_null=19)
    for row, words in enumerate(chosen):
        assert {name for name, _ in found.top(row, 5)} == {WORDS[j] for j in words}
    assert found.cosines.min() > 0.98
    assert {found.score(row).p_value for row in range(20)} == {0.05}


def test_at_a_penalty_above_every_cosine_there_are_no_words():
    x, _ = planted(4, 3)
    z = x / np.linalg.norm(x, axis=1, keepdims=True)
    largest = (z @ CONCEPTS.T).max()
    found = decompose(x, CONCEPTS, WORDS, penalty=largest * 1.001, n_null=9)
    assert not found.weights.any()
    assert found.rest_length(0) == pytest.approx(1)
    assert found.score(0).p_value == 1  # nothing was found, and nothing is claimed
    assert list(found.table()["word"]) == [REST] * 4
    assert decompose(x, CONCEPTS, WORDS, penalty=largest * 0.999, n_null=9).weights.any()


def test_the_rest_and_the_words_make_up_the_point():
    x, _ = planted(6, 4, noise=1.0)
    found = decompose(x, CONCEPTS, WORDS, penalty=0.15, n_null=9)
    z = x / np.linalg.norm(x, axis=1, keepdims=True)
    sums = found.weights @ CONCEPTS
    along = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    np.testing.assert_allclose(found.cosines[:, None] * along + found.rest, z, atol=1e-6)
    np.testing.assert_allclose((found.rest * along).sum(1), 0, atol=1e-6)
    lengths = found.table().set_index("word").loc[REST, "weight"]
    np.testing.assert_allclose(lengths, np.sqrt(1 - found.cosines**2), atol=1e-6)


def test_of_random_directions_no_more_is_claimed_than_of_chance():
    """By default 5 % of random directions have a word, and p-values are no smaller than they may be."""
    x = np.random.default_rng(5).standard_normal((400, D))
    found = decompose(x, CONCEPTS, WORDS, n_null=199)
    assert 0.01 < (found.weights.any(1)).mean() < 0.11
    forced = decompose(x, CONCEPTS, WORDS, penalty=0.2, n_null=199)
    p = np.array([forced.score(row).p_value for row in range(400)])
    np.testing.assert_allclose(np.quantile(p, [0.05, 0.25, 0.5, 0.75]), [0.05, 0.25, 0.5, 0.75], atol=0.1)


def test_it_does_not_depend_on_lengths_and_turns_with_the_space():
    x, _ = planted(3, 6, noise=0.5)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((D, D)))[0]
    first = decompose(x, CONCEPTS, WORDS, penalty=0.1, n_null=9)
    other = decompose(7 * x @ turn, 3 * CONCEPTS @ turn, WORDS, penalty=0.1, n_null=9)
    np.testing.assert_allclose(other.weights, first.weights, atol=1e-4)


def test_words_that_the_model_cannot_tell_apart_are_named():
    x, chosen = planted(1, 7)
    twin = CONCEPTS[chosen[0, :1]]
    found = decompose(x, np.concatenate([CONCEPTS, twin]), [*WORDS, "twin"], penalty=0.05, n_null=9)
    assert found.same == ("twin",)
    assert found.weights.shape == (1, V)


def test_what_cannot_be_put_in_words_is_refused(refused):
    x, _ = planted(2, 8)
    with refused(AnalysisError, "number of words", "150", "149"):
        decompose(x, CONCEPTS, WORDS[1:])
    with refused(AnalysisError, "repeated", "'word 1'"):
        decompose(x, CONCEPTS[:3], ["word 1", "word 2", "word 1"])
    with refused(AnalysisError, "width", "63", "64"):
        decompose(x[:, 1:], CONCEPTS, WORDS)
    with refused(AnalysisError, "too few"):
        decompose(x, CONCEPTS[:1], WORDS[:1])
    with refused(AnalysisError, "zero vector"):
        decompose(0 * x, CONCEPTS, WORDS)
    with refused(AnalysisError, "not finite"):
        decompose(x * np.nan, CONCEPTS, WORDS)
    with refused(AnalysisError, "penalty", "2"):
        decompose(x, CONCEPTS, WORDS, penalty=2)


def test_the_words_of_the_pocket_world_name_each_value_once():
    words = pocket_words()
    assert len(set(words)) == len(words) > 90
    assert {"a crown", "mountains", "a striped shape"} <= set(words)
    assert not [word for word in words if word.startswith(("no ", "an empty"))]
    assert len(words) < sum(len(factor.values) for factors in FACTORS.values() for factor in factors)


def test_an_expression_is_explained(tiny_explorer, refused):
    words = ["a red cat", "a blue fox", "a smiling face", "a hat", "a red hat"]
    found = explain(tiny_explorer, ["a red cat", '"a hat" - "a red hat"'], words, penalty=0.05, n_null=9)
    assert found.found.top(0)[0][0] == "a red cat"
    assert found.found.cosines[0] == pytest.approx(1, abs=0.01)
    table = found.table()
    assert list(table["point"].unique()) == ['"a red cat"', '"a hat" - "a red hat"']
    assert (table["word"] == REST).sum() == 2
    both = found.in_words + found.rest
    np.testing.assert_allclose(both.numpy()[0], found.points.numpy()[0], atol=1e-5)
    assert [trace.type for trace in found.plot().data] == ["bar", "box", "scatter"]
    json.dumps(found.to_json(), allow_nan=False)
    with refused(AnalysisError, "zero vector", '"a hat" - "a hat"'):
        explain(tiny_explorer, '"a hat" - "a hat"', words)
    with refused(AnalysisError, "too few"):
        explain(tiny_explorer, "a hat", [])
    with refused(AnalysisError, "no words", "point 0"):
        _ = explain(tiny_explorer, "a hat", ["a blue fox", "a smiling face"], penalty=1.0, n_null=9).in_words
