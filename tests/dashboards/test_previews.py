"""Few-step weights draw what a page shows first; what it measures and keeps is the full model's."""

from __future__ import annotations

import numpy as np

from thoughtspace.dashboards.arithmetic import task as arithmetic_task
from thoughtspace.dashboards.arithmetic.form import ArithmeticRequest
from thoughtspace.dashboards.arithmetic.view import answer
from thoughtspace.dashboards.serving.worker import Progress, run_task
from thoughtspace.dashboards.tiles import picture_address
from thoughtspace.dashboards.walk import task as walk_task
from thoughtspace.dashboards.walk.form import WalkRequest
from thoughtspace.explorer.options import Decoding


def run(task, name: str, workspace, folder, request) -> tuple[dict, list[dict]]:
    shown: list[dict] = []
    watched = Progress(lambda done, total, desc: None, show=shown.append)
    return run_task(f"{task.__name__}:{name}", request.to_json(), workspace, watched, folder / "job"), shown


def test_a_click_is_decoded_in_few_steps_where_the_model_has_them(few_step_workspace, workspace):
    point = few_step_workspace.points("a fox")
    images, how = few_step_workspace.decode_or_find(point, steps=8)
    assert how == "seed 0, 3 steps"
    assert images.provenances[0].record["options"]["few_steps"] is True
    full = few_step_workspace.decode(point)
    assert np.asarray(images[0]).tobytes() != np.asarray(full[0]).tobytes()
    usual, _ = workspace.decode_or_find(workspace.points("a fox"), steps=2)
    assert "few_steps" not in usual.provenances[0].record["options"]


def test_the_strip_of_a_walk_is_filled_at_once_and_the_film_is_the_full_models(few_step_workspace, tmp_path):
    request = WalkRequest.read(["a fox", "a house"], frames=4, spacing="uniform", seed=5)
    result, shown = run(walk_task, "render", few_step_workspace, tmp_path, request)
    points = few_step_workspace.explorer.walk(["a fox", "a house"], 4, spacing="uniform", seed=5)
    quick = few_step_workspace.decode(points.path.points, Decoding(seed=5, few_steps=True))
    assert shown[0]["tiles"] == [picture_address(each) for each in quick]
    full = [picture_address(each) for each in points.images]
    assert shown[-1]["tiles"] == result["tiles"] == full
    assert shown[0]["tiles"] != full


def test_arithmetic_shows_quick_pictures_before_the_measured_ones(few_step_workspace, workspace, tmp_path):
    request = ArithmeticRequest.read('"a fox" + "a house"', pictures=2, seed=3)
    result, shown = run(arithmetic_task, "evaluate_arithmetic", few_step_workspace, tmp_path, request)
    point = few_step_workspace.points('"a fox" + "a house"')
    quick = few_step_workspace.decode(point[[0, 0]], Decoding(seed=[3, 4], few_steps=True))
    assert shown[-1]["previews"] == [picture_address(each) for each in quick]
    assert "previews" not in shown[0]
    assert "previews" not in result
    page = str(answer(few_step_workspace, shown[-1], None).to_plotly_json())
    assert page.count("decoded quick") == 2
    urls = {name: f"/job/{name}" for name in (*result["files"], *result["baseline"]["files"])}
    assert "decoded quick" not in str(answer(few_step_workspace, result, urls).to_plotly_json())
    _, others = run(arithmetic_task, "evaluate_arithmetic", workspace, tmp_path / "usual", request)
    assert all("previews" not in each for each in others)


def test_tiles_are_small_pictures(pictures):
    address = picture_address(pictures[0])
    assert address.startswith("data:image/webp;base64,")
    assert len(address) < 8000
