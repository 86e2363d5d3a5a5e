"""Aligned maps: what moved is found, what did not is left, and the maps that are saved open again."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from thoughtspace.analysis import CollectionMap
from thoughtspace.analysis.aligned_maps import align_maps
from thoughtspace.analysis.comparison.aligned import align_items, save_aligned
from thoughtspace.analysis.comparison.projections import compare_projections
from thoughtspace.dashboards.cli import main
from thoughtspace.explorer.collection.items import Item, content_hash
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import AnalysisError

MOVED = 8


@pytest.fixture(scope="module")
def two_spaces(clusters):
    """A space, and the same turned into fewer numbers with eight items put among others."""
    x, label = clusters(160, noise=0.15)
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((24, 24)))
    y = (x @ turn).astype(np.float32)
    elsewhere = [np.flatnonzero(label != label[row])[3 * row] for row in range(MOVED)]
    y[:MOVED] = y[elsewhere] + 0.01
    return x, y


@pytest.fixture(scope="module")
def aligned(two_spaces):
    return align_maps(*two_spaces, k=10)


def test_the_items_that_moved_are_found_and_the_others_are_not(aligned):
    assert set(aligned.most(MOVED - 1)) <= set(range(MOVED))
    assert aligned.moved[:MOVED].mean() > 0.8
    assert aligned.moved[MOVED:].mean() < 0.15  # 5 % are meant, by the null
    assert aligned.movement.distances[:MOVED].mean() > 5 * aligned.threshold
    assert (aligned.still > aligned.threshold).mean() == pytest.approx(0.05, abs=0.01)
    table = aligned.table()
    assert table["kept"][:MOVED].mean() < 0.3 < 0.8 < table["kept"][MOVED:].mean()
    assert json.loads(json.dumps(aligned.to_json(), allow_nan=False))["n"] == 160
    assert len(aligned.plot().data) == 5


def test_the_same_seed_gives_the_same_maps(two_spaces, aligned):
    again = align_maps(*two_spaces, k=10)
    assert all(np.array_equal(a, b) for a, b in zip(again.maps, aligned.maps, strict=True))


def test_what_cannot_be_aligned_is_refused(two_spaces, refused):
    x, y = two_spaces
    for call, code in (
        (lambda: align_maps(x, y[:-1]), "shape"),
        (lambda: align_maps(x[:20], y[:20]), "too few"),
        (lambda: align_maps(x, y, k=2), "k"),
        (lambda: align_maps(x, y, alignment=2), "alignment"),
        (lambda: align_maps(x, np.full_like(y, np.nan)), "not finite"),
    ):
        with refused(AnalysisError, code):
            call()


@pytest.fixture(scope="module")
def collection(tmp_path_factory, tiny_explorer, clusters) -> Collection:
    """Pictures with planted vectors: in `latent`, six are elsewhere than in `joint`."""
    joint, latent = tiny_explorer.joint.shape[0], tiny_explorer.latent.shape
    x, label = clusters(60, d=joint, n_clusters=3, noise=0.05)
    turn = np.random.default_rng(0).standard_normal((joint, int(np.prod(latent)))) / np.sqrt(joint)
    y = x @ turn
    y[:6] = y[[np.flatnonzero(label != label[row])[row] for row in range(6)]]
    made = Collection.create(tmp_path_factory.mktemp("aligned") / "collection", tiny_explorer)
    with made.writer() as writer:
        writer.append(
            [
                Item(
                    id=content_hash(f"{row}")[:16],
                    kind="image",
                    source=f"{row}.png",
                    caption=f"picture {row}",
                    pair=None,
                    sha256=content_hash(f"{row}"),
                    width=8,
                    height=8,
                    vectors={"joint": x[row], "latent": y[row].reshape(latent).astype(np.float32)},
                )
                for row in range(60)
            ]
        )
    return Collection.open(made.path, tiny_explorer)


def test_two_spaces_of_a_collection_are_aligned_and_their_maps_open(collection):
    found = align_items(collection, by=partial(align_maps, k=8), spaces=("joint", "latent"))
    most = found.table().iloc[:4]
    assert set(most["source"]) <= {f"{row}.png" for row in range(6)}
    assert found.to_json()["most"][0]["caption"].startswith("picture")
    saved = save_aligned(found, collection)
    assert [each.name for each in saved] == ["joint-aligned", "latent-aligned"]
    shown = CollectionMap.open(collection, "joint-aligned")
    np.testing.assert_array_equal(shown.coordinates, found.aligned.maps[0])
    np.testing.assert_allclose(shown.saved.columns["moved"], found.aligned.movement.distances)
    place, agreement = shown.place(shown.points[7])
    np.testing.assert_allclose(place[0], shown.coordinates[7], atol=1e-5)
    assert agreement[0] == pytest.approx(1, abs=1e-3)
    assert 0 < shown.at(shown.coordinates[7]).confidence <= 1


def test_the_commands(collection, tmp_path: Path, capsys):
    page = tmp_path / "maps.html"
    assert main(["align", str(collection.path), "-k", "8", "--save", "--plot", str(page), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["saved"] == ["joint-aligned", "latent-aligned"]
    assert "plotly" in page.read_text(encoding="utf-8")
    assert main(["projections", str(collection.path), "--seeds", "2", "--labels", "caption", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["score"] for each in told["scores"]} >= {"trustworthiness", "one_minus_stress", "neighborhood_hit"}
    assert {each["mean"] for each in told["scores"] if each["score"] == "neighborhood_hit"} == {0}  # all differ
    assert told["kept_between_seeds"]["pca"] == 1.0
    assert 0 < told["kept_between_seeds"]["umap"] <= 1
    for arguments, fact in (
        (["align", str(collection.path), "--space", "joint"], "the space 'joint' twice"),
        (["align", str(collection.path), *["--space", "x"] * 3], "3 spaces"),
        (["projections", str(collection.path), "--methods", "tsne"], "tsne"),
        (["projections", str(collection.path), "--kind", "text"], "0 items"),
        (["projections", str(collection.path), "--labels", "nothing"], "'nothing'"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert fact in error, error
        assert len(error.strip().splitlines()) == 1


def test_maps_of_several_methods_are_compared_with_shared_neighbours(collection, refused):
    found = compare_projections(collection, ["pca", "umap", "umap"], seeds=1)
    assert list(found.scores) == ["pca", "umap"]
    assert np.isnan(found.kept["pca"]).all()
    with refused(AnalysisError, "methods"):
        compare_projections(collection, [])
    with refused(AnalysisError, "seeds"):
        compare_projections(collection, seeds=0)
