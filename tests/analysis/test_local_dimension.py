"""The dimension around each item of a collection, by its command."""

from __future__ import annotations

import json

import numpy as np
import pytest

from thoughtspace.analysis.structure.local import local_dimension_of
from thoughtspace.dashboards.cli import main
from thoughtspace.explorer.collection.items import Item, content_hash
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import AnalysisError

N = 80


def stored(explorer, folder, vectors) -> Collection:
    made = Collection.create(folder, explorer)
    items = []
    for row, vector in enumerate(vectors):
        digest = content_hash(f"picture {row}")
        values = {"joint": vector.astype(np.float32)}
        items.append(Item(digest[:16], "image", f"{row}.png", None, None, digest, vectors=values))
    with made.writer() as writer:
        writer.append(items)
    return made


@pytest.fixture(scope="module")
def collection(tiny_explorer, tmp_path_factory) -> Collection:
    """Items on a line, then as many in six directions, far apart from each other."""
    rng, d = np.random.default_rng(5), tiny_explorer.model.clip.dim
    x = np.zeros((2 * N, d))
    x[:N, 0], x[:N, 1] = 10, rng.uniform(-1, 1, N)
    x[N:, 2], x[N:, 3:9] = 10, rng.uniform(-1, 1, (N, 6))
    return stored(tiny_explorer, tmp_path_factory.mktemp("local") / "c", x)


def test_the_command_tells_a_line_from_a_cloud(collection, tmp_path, capsys):
    page = tmp_path / "local.html"
    how = ["structure", str(collection.path), "--local", "--null", "3"]
    assert main([*how, "-k", "12", "--plot", str(page), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["k"]) == (2 * N, 12)
    found = {int(each["source"].removesuffix(".png")): each["dimension"] for each in told["items"]}
    assert np.median([found[row] for row in range(N)]) == pytest.approx(1, abs=0.2)
    assert np.median([found[row] for row in range(N, 2 * N)]) > 3.5
    spread = told["measures"]["spread"]
    assert spread["value"] > 2 * spread["null_high"]
    assert "plotly" in page.read_text(encoding="utf-8")
    assert main(how) == 0
    text = capsys.readouterr().out
    assert text.index("fewest directions") < text.index("most directions")
    for more, fact in ((["-k", "500"], "500"), (["--gaps"], "not allowed with")):
        assert main([*how, *more]) == 2
        assert fact in capsys.readouterr().err
    assert main(["structure", str(collection.path), "-k", "9"]) == 2
    assert "-k without --local" in capsys.readouterr().err


def test_one_even_cloud_is_no_finding_and_copies_are_refused(tiny_explorer, tmp_path, refused):
    rng, d = np.random.default_rng(6), tiny_explorer.model.clip.dim
    cloud = stored(tiny_explorer, tmp_path / "cloud", 10 * np.eye(d)[0] + rng.normal(size=(N, d)))
    found = local_dimension_of(cloud, k=12, n_null=9)
    assert found.measures["spread"].p_value > 0.2
    assert list(found.table()["dimension"]) == found.values.tolist()
    copies = stored(tiny_explorer, tmp_path / "copies", np.ones((N, d)))
    with refused(AnalysisError, "no variation"):
        local_dimension_of(copies, k=12)
