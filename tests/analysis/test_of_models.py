"""Comparisons and the codec on collections and models, in Python and on the command line."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thoughtspace.analysis.codec.of_model import measure_codec
from thoughtspace.analysis.comparison.collections import compare_items
from thoughtspace.analysis.comparison.compare import compare
from thoughtspace.analysis.structure.gaps import gaps_of
from thoughtspace.analysis.structure.pairs import pairs
from thoughtspace.dashboards.cli import main
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import AnalysisError, CollectionError


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "pictures"
    folder.mkdir()
    for index in range(24):
        small = np.random.default_rng(index).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{index:02}.png")
        (folder / f"{index:02}.txt").write_text(f"picture {index}")
    return folder


@pytest.fixture(scope="module")
def collection(pictures: Path, tiny_explorer) -> Collection:
    ingest(tiny_explorer, pictures, pictures.parent / "collection", spaces=("joint", "latent"))
    return Collection.open(pictures.parent / "collection")


def quick(*collections, **how):
    return compare_items(*collections, by=partial(compare, n_null=19, n_samples=10, k=4), **how)


def test_two_spaces_of_a_collection_are_compared_without_a_model(collection):
    found = quick(collection)
    assert [side.rpartition(" ")[2] for side in found.sides] == ["joint", "latent"]
    assert len(found.comparison.rows) == 24
    least = found.least(3)
    assert list(least["agreement"]) == sorted(found.comparison.agreement)[:3]
    assert set(least["kind"]) == {"image"}
    json.dumps(found.to_json(), allow_nan=False)


def test_items_of_two_collections_are_matched_by_content(collection, pictures, tiny_explorer, tmp_path):
    part = tmp_path / "part"
    part.mkdir()
    for index in (7, 3, 9, *range(12, 23)):
        (part / f"renamed {index}.png").write_bytes((pictures / f"{index:02}.png").read_bytes())
    ingest(tiny_explorer, part, tmp_path / "other")
    found = quick(collection, Collection.open(tmp_path / "other"), spaces=("joint", "joint"))
    assert len(found.comparison.rows) == 14
    assert found.comparison.scores["cka"].value == pytest.approx(1, abs=1e-5)
    assert list(found.items["caption"])[:2] == ["picture 3", "picture 7"]


def test_what_has_nothing_to_compare_is_refused(collection, tiny_explorer, tmp_path, refused):
    with refused(AnalysisError, "same space", "'joint'"):
        quick(collection, spaces=("joint", "joint"))
    with refused(AnalysisError, "nothing in common", "text"):
        quick(collection, kind="text")  # latents have no texts
    with refused(CollectionError, "no vectors", "'bottleneck'"):
        quick(collection, spaces=("joint", "bottleneck"))


def test_the_autoencoder_is_measured_on_pictures(pictures, tiny_explorer, refused):
    some = sorted(pictures.glob("*.png"))[:3]
    found = measure_codec(tiny_explorer, some, steps=[0.1, 1.0], formats=["webp"])
    ours = found.curves["autoencoder"]
    assert ours.sizes.shape == ours.psnr.shape == ours.distance.shape == (2, 3)
    assert (ours.sizes[0] > ours.sizes[1]).all()
    decoded = tiny_explorer.latent.decode(tiny_explorer.latent.image(*some)).pixels.permute(0, 2, 3, 1).numpy()
    originals = np.stack([np.asarray(Image.open(path).convert("RGB")) / 255 for path in some])
    expected = -10 * np.log10(np.square(decoded - originals).mean((1, 2, 3)))
    np.testing.assert_allclose(found.raw, expected, atol=1e-3)
    assert measure_codec(tiny_explorer, some[:1], steps=[1.0], formats=[], perceptual=False).curves.keys() == {
        "autoencoder"
    }
    with refused(AnalysisError, "no pictures"):
        measure_codec(tiny_explorer, [])


def answered(capsys, *arguments) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_commands_answer_as_the_functions(collection, pictures, tiny_model, tmp_path, capsys):
    page = tmp_path / "figure.html"
    told = answered(capsys, "compare", collection.path, "--null", 19, "-k", 4, "--plot", page)
    assert told["scores"]["rsa"]["value"] == quick(collection).comparison.scores["rsa"].value
    assert "plotly" in page.read_text(encoding="utf-8")
    (pictures / "broken.png").write_bytes(b"\x89PNG no picture")
    told = answered(capsys, "codec", pictures, "--model", tiny_model, "--most", 3)
    (pictures / "broken.png").unlink()
    assert told["n"] + len(told["failed"]) == 3
    assert {row["codec"] for row in told["rates"]} >= {"autoencoder", "jpeg"}


def test_mistakes_on_the_command_line_are_one_line(collection, tmp_path, capsys):
    (tmp_path / "prompts.txt").write_text("a red fox\n")
    for arguments in (
        ["compare", collection.path, "--space", "joint", "--space", "latent", "--space", "noise"],
        ["compare", collection.path, "--plot", tmp_path / "figure.png"],
        ["codec", tmp_path / "prompts.txt"],
    ):
        assert main(list(map(str, arguments))) == 2
        error = capsys.readouterr().err.strip()
        assert error.count("\n") == 0, error
        assert "expected" in error


def test_the_gap_of_a_collection_is_that_of_its_pairs(collection, tiny_explorer):
    found = gaps_of(collection.bound(tiny_explorer), n_null=5)
    pictures = [each for each in collection.items()["source"] if each.endswith(".png")]
    texts = [f"picture {Path(each).stem.lstrip('0') or 0}" for each in pictures]
    root = collection.path.parent / "pictures"
    for way, of in found.by_gap.items():
        joint = tiny_explorer.with_gap(way).joint
        shown, said = joint.image(*(root / each for each in pictures)), joint.text(*texts)
        direct = pairs(shown.flat.numpy(), said.flat.numpy(), n_null=5)
        assert of.n == 24
        assert of.alignment.value == pytest.approx(direct.alignment.value, abs=1e-4)
        assert of.gap.value == pytest.approx(direct.gap.value, abs=1e-4)
    assert {"open", "mean"} <= set(found.by_gap)
    assert list(found.table().loc["open"].index) == ["alignment", "gap", "kinds", "recall"]
    assert len(found.plot().data) == 2 * 4 * len(found.by_gap)


def test_a_collection_without_enough_captions_has_no_gap_to_measure(pictures, tiny_explorer, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    for index in range(21):
        (alone / f"{index}.png").write_bytes((pictures / f"{index:02}.png").read_bytes())
    (alone / "0.txt").write_text("the only caption")
    ingest(tiny_explorer, alone, tmp_path / "collection")
    with pytest.raises(AnalysisError, match="Got 1 pictures with captions"):
        gaps_of(Collection.open(tmp_path / "collection", tiny_explorer))


def test_structure_answers_with_the_gaps(collection, tiny_model, tmp_path, capsys):
    page = tmp_path / "gaps.html"
    how = ["--gaps", "--null", "3", "--model", str(tiny_model), "--plot", str(page)]
    assert main(["structure", str(collection.path), *how, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["n"] == 24
    assert answer["gaps"]["open"]["recall"]["n_null"] == 3
    assert "plotly" in page.read_text(encoding="utf-8")
    assert main(["structure", str(collection.path), "--gaps", "--space", "latent"]) == 2
    assert "expected it alone" in capsys.readouterr().err
    assert main(["structure", str(collection.path), "--model", str(tiny_model)]) == 2
    assert "Got --model without --gaps" in capsys.readouterr().err
