"""The commands on probes and concepts, on a small model."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from thoughtspace.analysis.concepts.clusters import cluster
from thoughtspace.analysis.concepts.features import fit_features
from thoughtspace.analysis.concepts.item_features import item_features
from thoughtspace.analysis.concepts.items import cluster_items
from thoughtspace.dashboards.cli import main
from thoughtspace.explorer.collection.items import Item, content_hash
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import AnalysisError


def answered(capsys, *arguments) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments) -> str:
    assert main([*map(str, arguments)]) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    return error


def test_explain_answers_with_words_and_the_rest(tiny_model, tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("a red fox\na blue cat\n\na red fox\na smiling face\n", encoding="utf-8")
    page = tmp_path / "figure.html"
    how = ["--model", tiny_model, "--vocabulary", words, "--penalty", 0.1, "--plot", page]
    told = answered(capsys, "explain", "a red fox", *how)
    point = told["points"][0]
    assert point["words"][0]["word"] == "a red fox"
    assert point["rest"] == pytest.approx((1 - point["cosine"]["value"] ** 2) ** 0.5, abs=1e-6)
    assert told["n_words"] == 3
    assert "plotly" in page.read_text(encoding="utf-8")
    assert answered(capsys, "explain", "a red fox", "--model", tiny_model)["vocabulary"] == "the pocket world"


def test_a_vocabulary_that_cannot_be_used_is_refused(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("one\n")
    assert "1 words" in refusal(capsys, "explain", "a fox", "--vocabulary", words)
    words.write_bytes(b"caf\xe9\nfox\n")
    assert "UTF-8" in refusal(capsys, "explain", "a fox", "--vocabulary", words)
    assert "none.txt" in refusal(capsys, "explain", "a fox", "--vocabulary", tmp_path / "none.txt")


@pytest.fixture(scope="module")
def collection(tiny_explorer, tmp_path_factory) -> Collection:
    """Sixty items in three clear clusters, with a column that says which, and one that says nothing."""
    made = Collection.create(tmp_path_factory.mktemp("made") / "items", tiny_explorer)
    rng = np.random.default_rng(77)
    centres = 3 * rng.standard_normal((3, tiny_explorer.model.clip.dim))
    items = []
    for row in range(60):
        digest = content_hash(f"picture {row}")
        vector = centres[row % 3] + rng.standard_normal(centres.shape[1])
        extras = {"group": "abc"[row % 3], "coin": str(row // 3 % 2)}
        vectors = {"joint": vector.astype(np.float32)}
        items.append(Item(digest[:16], "image", f"{row}.png", None, None, digest, extras=extras, vectors=vectors))
    with made.writer() as writer:
        writer.append(items)
    return made


def test_probe_answers_for_each_column(collection, tmp_path, capsys):
    page = tmp_path / "probes.html"
    told = answered(capsys, "probe", collection.path, "group", "coin", "--null", 9, "--plot", page)
    assert page.stat().st_size > 1e6
    group, coin = told["probes"]
    assert group["score"]["value"] > 0.9
    assert group["score"]["p_value"] == 0.1
    assert abs(coin["score"]["value"] - 0.5) < 0.25
    beside = answered(capsys, "probe", collection.path, "group", "--beside", "coin", "--null", 9)["probes"][0]
    assert beside["beside"] == "coin"
    assert beside["score"]["value"] > 0.9
    assert "'size'" in refusal(capsys, "probe", collection.path, "size")
    axes = answered(capsys, "probe", collection.path, "group", "coin", "--null", 3, "--axes", "mig", "factor_vae")
    assert list(axes["scores"]) == ["mig", "factor_vae"]
    assert axes["scores"]["mig"]["value"] < 0.3  # the groups are no axes
    for wrong, fact in ((["group", "--axes"], "1 factors"), (["group", "coin", "--axes", "x"], "'x'")):
        assert fact in refusal(capsys, "probe", collection.path, *wrong)
    assert "--beside" in refusal(capsys, "probe", collection.path, "group", "--beside", "coin", "--axes")


def test_clusters_answers_with_names_and_central_items(collection, tiny_model, tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("a red fox\na blue cat\na smiling face\n", encoding="utf-8")
    page = tmp_path / "figure.html"
    how = ["--method", "kmeans", "-n", 3, "--null", 9, "--model", tiny_model, "--plot", page]
    told = answered(capsys, "clusters", collection.path, "--vocabulary", words, *how)
    assert [each["size"] for each in told["clusters"]] == [20, 20, 20]
    assert sorted(int(each["source"].removesuffix(".png")) % 3 for each in told["clusters"]) == [0, 1, 2]
    assert {len(each["names"]) for each in told["clusters"]} == {3}
    assert told["scores"]["silhouette"]["p_value"] == 0.1
    assert len(told["density"]["outliers"]) == 10
    assert "plotly" in page.read_text(encoding="utf-8")
    assert "at least 200" in refusal(capsys, "clusters", collection.path, "--min-size", 50, "--model", tiny_model)


def test_clusters_in_python_without_names(collection, tiny_explorer):
    found = cluster_items(
        collection.bound(tiny_explorer), fit=partial(cluster, method="kmeans", n_clusters=3, n_null=1)
    )
    assert found.names is None
    assert list(found.table()["size"]) == [20, 20, 20]
    assert found.plot().data


def test_features_answers_with_words_and_top_items(collection, tiny_model, tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("a red fox\na blue cat\na smiling face\n", encoding="utf-8")
    page = tmp_path / "figure.html"
    how = ["-n", 12, "-k", 2, "--steps", 60, "--null", 1, "--model", tiny_model, "--plot", page]
    told = answered(capsys, "features", collection.path, "--vocabulary", words, *how)
    assert told["n_features"] == 12
    assert told["l0"] <= 2
    assert {"explained", "agreement"} == set(told["scores"])
    first = told["features"][0]
    assert first["active"] == max(each["active"] for each in told["features"])
    amounts = [item["amount"] for item in first["top"]]
    assert amounts == sorted(amounts, reverse=True)
    assert "plotly" in page.read_text(encoding="utf-8")
    assert told["controls"] is None
    how = [*how[:-1], tmp_path / "controls.html", "--controls", 2]
    told = answered(capsys, "features", collection.path, "--vocabulary", words, *how)["controls"]
    assert [len(each["top"]) for each in told["controls"]] == [5, 5]
    assert {len(each["features"]) for each in told["controls"]} == {5}
    assert {word for each in told["controls"] for word in each["words"]} <= {
        "a red fox",
        "a blue cat",
        "a smiling face",
    }
    assert told["score"]["value"] > told["score"]["null_high"]  # items of a cluster share features
    amounts = [item["amount"] for item in told["controls"][0]["top"]]
    assert amounts == sorted(amounts, reverse=True)
    assert "2 controls" in (tmp_path / "controls.html").read_text(encoding="utf-8")
    assert "n 99" in refusal(capsys, "features", collection.path, *how[:-1], 99)
    assert "k 3" in refusal(capsys, "features", collection.path, "-n", 2, "-k", 3, "--model", tiny_model)


def test_a_point_is_steered_by_a_feature(collection, tiny_explorer, refused):
    found = item_features(
        collection.bound(tiny_explorer), fit=partial(fit_features, n_features=12, k=2, steps=60, n_null=1)
    )
    assert found.words is None
    feature = found.order[0]
    point = tiny_explorer.joint.text("a red fox")
    steered = found.steer(point, feature, 2.0)
    moved = steered.numpy()[0] - point.numpy()[0]
    np.testing.assert_allclose(moved, 2 * found.features.step(feature), atol=1e-5)
    assert len(tiny_explorer.joint.decode(steered, steps=1)) == 1
    assert list(found.table()["feature"]) == list(found.order)
    with refused(AnalysisError, "other space", "prompt"):
        found.steer(tiny_explorer.prompt.text("a red fox"), feature)
