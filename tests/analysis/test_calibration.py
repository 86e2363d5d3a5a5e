"""Calibration of nulls: where there is no effect, a share α of all p-values is at most α.

One row for each score that has a p-value and is not checked so beside its method. Scores whose null is fitted to the
data, such as draws with their covariance, may have larger p-values than that: they are held to the upper bound alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
import torch

from thoughtspace.analysis.comparison.layers import compare_layers
from thoughtspace.analysis.concepts.autoencoder import Autoencoder
from thoughtspace.analysis.concepts.clusters import cluster
from thoughtspace.analysis.concepts.features import Features, fit_controls, fit_features
from thoughtspace.analysis.directions.fit import fit_direction
from thoughtspace.analysis.directions.leakage import leakage
from thoughtspace.analysis.map_agreement import neighborhood_hit, stress
from thoughtspace.analysis.map_comparison import movement
from thoughtspace.analysis.paths.steps import measure_steps
from thoughtspace.analysis.prompts.alignment import align
from thoughtspace.analysis.prompts.spread import spread, varying
from thoughtspace.analysis.prompts.words import word_effects
from thoughtspace.analysis.space_maps import fit_space_map
from thoughtspace.analysis.structure.of_items import structure
from thoughtspace.analysis.structure.pairs import pairs
from thoughtspace.analysis.structure.spread import norms
from thoughtspace.explorer.errors import AnalysisError
from thoughtspace.explorer.geometry.interpolation import Geometry
from thoughtspace.explorer.points import Points, SpaceInfo

Found = dict[str, float]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng([seed, 11]).standard_normal(shape)


def points(x: np.ndarray, name: str) -> Points:
    info = SpaceInfo("toy", "0", name, x.shape[1:], Geometry.EUCLIDEAN)
    return Points.given(torch.from_numpy(x.astype(np.float32)), info, "toy")


def maps(seed: int) -> Found:
    x, y = normal(seed, 50, 6), normal(seed + 10**6, 50, 2)
    labels = np.random.default_rng([seed, 1]).integers(3, size=50)
    how = {"n_null": 19, "random_state": seed}
    return {
        "neighbourhood hit": neighborhood_hit(y, labels, k=5, **how)[0].p_value,
        "stress": stress(x, y, metric="euclidean", **how).p_value,
        "movement": movement(x[:, :2], y, k=5, **how).agreement.p_value,
    }


def layers(seed: int) -> Found:
    xs, ys = ([normal(seed + at, 20, 4) for at in side] for side in ((0, 10**5), (2 * 10**5, 3 * 10**5)))
    found = compare_layers(xs, ys, measure="rsa", metric="euclidean", n_null=19, random_state=seed)
    return {"best of all layers": found.largest.p_value}


def crossing(seed: int) -> Found:
    x, y = points(normal(seed, 40, 4), "prompt"), points(normal(seed + 10**6, 40, 3), "latent")
    return {"crossing": fit_space_map(x, y, random_state=seed, n_permutations=19).score.p_value}


def prompts(seed: int) -> Found:
    how = {"n_null": 19, "random_state": seed}
    rng = np.random.default_rng([seed, 2])
    texts = [" ".join(word for word in ("a", "red", "fox", "hat") if rng.random() < 0.5) for _ in range(50)]
    words = word_effects(normal(seed, 50, 4), texts, **how)
    states = [normal(seed + at * 10**4, 6, 8) for at in range(21)]
    aligned = align(states[0], states[1], ("abcdef", "ghijkl"), unrelated=states[2:])
    return {
        "any word": float(words.p_values.min()),
        "all words": words.r2.p_value,
        "spread over prompts": spread(normal(seed, 8, 4, 3), n_samples=2, **how).between.p_value,
        "what varies": varying(normal(seed, 30, 5), 1, **how).shares[0].p_value,
        "aligned tokens": aligned.f1.p_value,
    }


def of_pairs(seed: int) -> Found:
    found = pairs(normal(seed, 40, 6), normal(seed + 10**6, 40, 6), n_null=19, n_samples=0, random_state=seed)
    return {
        "alignment": found.alignment.p_value,
        "gap": found.gap.p_value,
        "kinds": found.kinds.p_value,
    }


def directions(seed: int) -> Found:
    rng = np.random.default_rng([seed, 3])
    found = fit_direction(normal(seed, 20, 4), normal(seed + 10**6, 20, 4), n_null=19, n_samples=2, random_state=seed)
    x, labels = normal(seed + 1, 60, 4), {name: rng.random(60) < 0.5 for name in "ab"}
    leaks = leakage(x, dict(zip("ab", normal(seed, 2, 4), strict=True)), labels, n_null=19, random_state=seed)
    return {"direction": found.auc.p_value, "own": leaks.p_values[0, 0], "leak": leaks.p_values[0, 1]}


def walks(seed: int) -> Found:
    found = measure_steps(normal(seed, 12, 5), metric="euclidean", n_null=19, random_state=seed)
    return {name: each.p_value for name, each in found.measures.items()}


def shells(seed: int) -> Found:
    return {"norms": norms(normal(seed, 40, 30)).p_value}


def controls(seed: int) -> Found:
    """Codes whose features are independent; those of an autoencoder are not, since an item uses k and no more."""
    codes = np.maximum(normal(seed, 40, 6) - 0.5, 0).astype(np.float32)
    eye, zero = np.eye(6, dtype=np.float32), np.zeros(6, np.float32)
    features = Features(Autoencoder(eye, zero, eye, zero, 1.0, (2,)), codes, {}, {}, 0.0)
    return {"controls": fit_controls(features, 2, n_null=19, random_state=seed).score.p_value}


EXACT = {maps: 200, layers: 150, crossing: 150, prompts: 150, of_pairs: 40, directions: 30, shells: 200, controls: 50}


@pytest.mark.parametrize("case", EXACT, ids=lambda case: case.__name__)
def test_p_values_are_uniform_where_there_is_nothing(case):
    for name, p in drawn(case, EXACT[case]).items():
        # Within three standard errors; of p-values in steps of 1/20, these shares are exact.
        for level in (0.05, 0.25, 0.5, 0.75):
            error = 3 * np.sqrt(level * (1 - level) / len(p))
            assert np.mean(p <= level + 1e-9) == pytest.approx(level, abs=error), (name, level)


def features(seed: int) -> Found:
    """Normal draws near a plane of a wider space, where two trainings agree more than random directions do."""
    x = normal(seed, 40, 3) @ normal(seed + 10**6, 3, 40)
    found = fit_features(x, n_features=6, k=1, steps=150, n_null=3, random_state=100 * seed)
    return {name: score.p_value for name, score in found.scores.items()}


def clusters(seed: int) -> Found:
    x = normal(seed, 60, 4) * np.linspace(1, 3, 4)
    found = {"silhouette": 1.0, "stability": 1.0}  # where there are none at all
    with suppress(AnalysisError):
        scores = cluster(x, min_size=4, metric="euclidean", n_null=9, random_state=seed).scores
        found = {name: score.p_value for name, score in scores.items()}
    return found


def structures(seed: int) -> Found:
    found = structure(normal(seed, 60, 4) * [3, 2, 1, 1], metric="euclidean", n_null=19, random_state=seed)
    return {name: each.p_value for name, each in found.measures.items()}


FITTED = {features: 8, clusters: 25, structures: 40, walks: 150}


@pytest.mark.parametrize("case", FITTED, ids=lambda case: case.__name__)
def test_p_values_are_no_smaller_than_they_may_be(case):
    for name, p in drawn(case, FITTED[case]).items():
        for level in (0.1, 0.2, 0.5):
            assert np.mean(p <= level + 1e-9) <= level + 3 * np.sqrt(level * (1 - level) / len(p)), (name, level)
        assert p.min() < 0.5, name  # a test that never rejects would pass as well


def drawn(case: Callable[[int], Found], n: int) -> dict[str, np.ndarray]:
    rows = [case(seed) for seed in range(n)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
