"""Every result is a frozen dataclass with `table`, `plot` and `to_json`; those whose own tests do not look are here."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import torch

import thoughtspace.analysis
from thoughtspace.analysis.directions.fit import fit_direction
from thoughtspace.analysis.map_quality import quality
from thoughtspace.analysis.paths.geodesic import pullback_geodesic
from thoughtspace.analysis.space_maps import fit_space_map
from thoughtspace.explorer.geometry.interpolation import Geometry
from thoughtspace.explorer.points import Points, SpaceInfo

PARTS = {"Measured", "Score", "Sides"}
"""A score of a result, and what a direction is asked for."""


def test_what_has_one_of_the_three_has_all():
    lacking = []
    for path in Path(thoughtspace.analysis.__file__).parent.rglob("*.py"):
        for each in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(each, ast.ClassDef) and each.name not in PARTS:
                found = {one.name for one in each.body if isinstance(one, ast.FunctionDef)}
                if found & {"table", "plot", "to_json"} and not {"table", "plot", "to_json"} <= found:
                    lacking.append(each.name)
    assert lacking == []


def results():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3))
    yield "direction", fit_direction(x[:20] + 1, x[20:], n_null=9, n_samples=4), "auc"
    yield "quality", quality(x, x[:, :2], k=3), "knn_recall"
    ends = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.5])
    yield "geodesic", pullback_geodesic(lambda z: torch.sin(z), *ends, n=4, iterations=3), "straight line"
    spaces = [SpaceInfo("toy", "0", name, (3,), Geometry.EUCLIDEAN) for name in ("prompt", "latent")]
    points = [Points.given(torch.from_numpy(x.astype(np.float32)), space, "toy") for space in spaces]
    yield "crossing", fit_space_map(*points, n_permutations=9).score, 0


def test_a_result_is_a_table_a_figure_and_json():
    for name, found, row in results():
        assert row in found.table().index, name
        assert len(found.plot().data) >= 1, name
        json.dumps(found.to_json(), allow_nan=False)
