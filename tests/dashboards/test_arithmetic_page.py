"""The Arithmetic page without a browser: its form, the terms of an expression, its task, and what it shows."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from dash.exceptions import PreventUpdate
from PIL import Image

from thoughtspace.dashboards.arithmetic import page as arithmetic
from thoughtspace.dashboards.arithmetic import task as arithmetic_task
from thoughtspace.dashboards.arithmetic.form import ArithmeticRequest
from thoughtspace.dashboards.arithmetic.view import answer, numbers, terms_line
from thoughtspace.dashboards.expression_card import expression_card, weight_sign
from thoughtspace.dashboards.serving.job import Job
from thoughtspace.dashboards.serving.worker import Progress, run_task
from thoughtspace.explorer.errors import (
    CollectionError,
    ExpressionError,
    PictureError,
    SpaceError,
    ThoughtspaceError,
)
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.terms import baseline, operands, terms
from thoughtspace.explorer.records.provenance import read

SUM = '"a smiling face" - "a face" + 0.5 * "a cat"'


def run(workspace: Any, folder: Path, expression: str, **form: Any) -> tuple[dict[str, Any], list[Any]]:
    shown: list[Any] = []
    watched = Progress(lambda done, total, desc: None, show=shown.append)
    request = ArithmeticRequest.read(expression, **form).to_json()
    return run_task(
        f"{arithmetic_task.__name__}:evaluate_arithmetic", request, workspace, watched, folder / "job"
    ), shown


def encoded(component: Any) -> Any:
    return component.to_plotly_json()


@pytest.mark.parametrize(
    ("expression", "form", "error", "code", "fact"),
    [
        ("", {}, ExpressionError, "length", "empty"),
        ("king - man", {}, ExpressionError, "unquoted", "-"),
        ('"a" + ', {}, ExpressionError, "operand", "the end"),
        ("3 + 4", {}, ExpressionError, "number", "the number 7"),
        ('"a"', {"pictures": 9}, SpaceError, "pictures", "pictures 9, expected a whole number from 1 to 8"),
        ('"a"', {"seed": None}, SpaceError, "seed", "no seed"),
    ],
)
def test_a_form_with_a_mistake_is_refused(
    expression: str, form: dict[str, Any], error: type[ThoughtspaceError], code: str, fact: str, refused: Any
):
    with refused(error, code, fact):
        ArithmeticRequest.read(expression, **form)


def test_a_request_survives_json():
    request = ArithmeticRequest.read(SUM, seed=5, pictures=3)
    assert ArithmeticRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
    assert request.seeds == [5, 6, 7]


def test_the_terms_of_an_expression_add_up_to_it(workspace):
    for source in (SUM, '-("a" - 2 * ("b" / 4 - "c"))', 'slerp("a", "b", 0.5) - "c" * 3'):
        total = sum(
            (term.weight * workspace.points(str(term.node)).flat.numpy() for term in terms(parse(source))),
            start=np.zeros((1, 64), np.float32),
        )
        np.testing.assert_allclose(total, workspace.points(source).flat.numpy(), atol=1e-5)


def test_what_arithmetic_starts_from():
    assert str(baseline(parse(SUM))) == '"a smiling face"'
    assert str(baseline(parse('-"a" + "b"'))) == '"b"'
    assert str(baseline(parse('-"a" - "b"'))) == '"a"'
    assert str(baseline(parse('slerp("a", "b", 0.5)'))) == '"a"'
    assert baseline(parse("a sentence")) is None


def test_every_example_has_operands():
    for source in arithmetic.EXAMPLES:
        assert len(operands(parse(source))) >= 2
        ArithmeticRequest.read(source)


def test_signs_and_weights_read_as_arithmetic():
    assert [weight_sign(w) for w in (1, -1, 0.5, -2)] == ["+", "−", "+ 0.5 ×", "− 2 ×"]
    assert weight_sign(1, first=True) == ""


def test_an_expression_is_decoded_beside_what_it_starts_from(workspace, tmp_path):
    result, shown = run(workspace, tmp_path, SUM, pictures=2, seed=3)
    joint = workspace.explorer.joint
    point = workspace.points(SUM)
    expected = joint.decode(point, seed=[3, 4], batch=4)
    for row, name in enumerate(result["files"]):
        made = Image.open(tmp_path / "job" / name)
        assert made.tobytes() == expected[row].tobytes()
        record = read(tmp_path / "job" / name).record
        assert record["expression"] == SUM
        assert record["options"]["seed"] == 3 + row
    vectors = joint.image(*expected).flat.numpy()
    cosines = vectors @ point.flat.numpy()[0] / np.linalg.norm(point.flat.numpy())
    np.testing.assert_allclose(result["agreement"], cosines, atol=1e-3)
    start = workspace.points("a smiling face")
    base = Image.open(tmp_path / "job" / result["baseline"]["files"][1])
    assert base.tobytes() == joint.decode(start, seed=[3, 4], batch=4)[1].tobytes()
    assert result["norm"] == pytest.approx(float(point.flat.norm()))
    assert [each["weight"] for each in result["operands"]] == [1, -1, 0.5]
    assert json.loads(json.dumps(result)) == result
    # all but the pictures was there before them
    assert shown[0]["pictures"] == result["pictures"]
    assert "files" not in shown[0]


def test_neighbours_are_those_of_the_result_and_not_the_operand_itself(workspace, tmp_path):
    first = workspace.collection.items("image")["id"][0]
    result, _ = run(workspace, tmp_path, f'item("{first}")', pictures=1)
    assert result["baseline"] is None
    assert result["pictures"][0]["id"] == first  # the result is the item
    assert result["pictures"][0]["score"] == pytest.approx(1, abs=1e-4)
    assert first not in [each["id"] for each in result["operands"][0]["nearest"]]
    for kind, listed in (("image", result["pictures"]), ("text", result["prompts"])):
        scores = [each["score"] for each in listed]
        assert scores == sorted(scores, reverse=True)
        assert {each["kind"] for each in listed} == {kind}
    assert -1 <= result["null"]["median"] <= result["null"]["high"] <= 1


def test_a_sum_that_cancels_fails_and_leaves_nothing(workspace, tmp_path, refused):
    with refused(CollectionError, "no direction"):
        run(workspace, tmp_path, '"a cat" - "a cat"')
    assert list(tmp_path.iterdir()) == []


def test_a_text_longer_than_the_model_reads_is_marked(workspace, tmp_path):
    result, _ = run(workspace, tmp_path, '"' + "a red fox " * 40 + '" + "a fox"', pictures=1)
    assert [each["truncated"] for each in result["operands"]] == [True, False]


def test_the_form_checks_items_and_pictures_before_a_job_is_made(workspace, refused):
    form = {"seed": 0, "pictures": 4}
    with refused(CollectionError, "no item", "nobody"):
        arithmetic.read_form(workspace, 'item("nobody") + "a"', form)
    with refused(PictureError, "not dropped", "../secret.png"):
        arithmetic.read_form(workspace, 'img("../secret.png")', form)


def test_the_result_is_sent_to_a_walk_from_its_start():
    done = Job("k", "task", {}, result={"expression": SUM, "baseline": {"source": '"a smiling face"'}})
    context: Any = SimpleNamespace(jobs=SimpleNamespace(done=lambda key: done if key == "k" else None))
    assert arithmetic.to_walk(context, 1, "k") == (['"a smiling face"', SUM], "/walk")
    for clicks, key in ((0, "k"), (1, "another"), (1, None)):  # a button that has just been made, a job that is gone
        with pytest.raises(PreventUpdate):
            arithmetic.to_walk(context, clicks, key)


@pytest.mark.parametrize(
    ("state", "answered", "visible"),
    [
        ("", None, {"empty", "result"}),
        ("running", None, {"result"}),
        ("done", "pictures", {"result"}),
        ("failed", "pictures", {"empty"}),
        ("cancelled", None, {"empty"}),
    ],
)
def test_the_page_shows_what_fits_its_state(state: str, answered: Any, visible: set[str]):
    hidden = arithmetic.show_state(state, answered)
    assert {name for name, off in zip(("empty", "result"), hidden, strict=True) if not off} == visible


def test_what_is_typed_is_shown_as_terms_and_nothing_while_it_is_unfinished(workspace):
    line = json.dumps(terms_line(workspace, SUM), default=encoded, ensure_ascii=False)
    assert "a smiling face" in line
    assert "+ 0.5 ×" in line
    assert "term taken" in line
    assert terms_line(workspace, '"a" - ') == []
    assert "slerp of" in json.dumps(terms_line(workspace, 'slerp("a", "b", 0.5)'), default=encoded)


def test_the_answer_has_empty_tiles_before_the_pictures(workspace, tmp_path):
    result, shown = run(workspace, tmp_path, SUM, pictures=2)
    before = json.dumps(answer(workspace, shown[0], None), default=encoded)
    assert before.count("picture-to-come") == 2
    urls = {name: f"/data/job/k/{name}" for name in [*result["files"], *result["baseline"]["files"]]}
    after = json.dumps(answer(workspace, result, urls), default=encoded)
    assert "picture-to-come" not in after
    assert all(after.count(f'src": "{url}"') == 1 for url in urls.values())


def test_each_number_is_beside_one_to_compare_it_with(workspace, tmp_path):
    result, _ = run(workspace, tmp_path, SUM, pictures=1)
    text = json.dumps(numbers(result), default=encoded)
    assert f"without the arithmetic {result['baseline']['agreement'][0]:.2f}" in text
    assert f"95% of pictures here are below {result['null']['high']:.2f}" in text


def test_markup_in_captions_stays_text(workspace):
    """A card holds strings, never components made from them."""
    shown = expression_card(workspace, "<script>alert(1)</script>")
    assert shown.title == "<script>alert(1)</script>"
