"""The map page without a browser: what a click, a text and a picture turn out to be, and what is shown of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from thoughtspace.analysis import CollectionMap
from thoughtspace.dashboards.cli import main
from thoughtspace.dashboards.map import page
from thoughtspace.dashboards.map import view as map_view
from thoughtspace.dashboards.map.columns import MOST_CATEGORIES, NOTHING, Column, columns_of, first_shown, with_pairs
from thoughtspace.dashboards.map.page import Ids
from thoughtspace.dashboards.map.view import confidence_bar
from thoughtspace.dashboards.serving.context import Context, open_context
from thoughtspace.dashboards.serving.settings import Settings
from thoughtspace.dashboards.serving.workspace import Workspace
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError, ExpressionError, MapError, ThoughtspaceError


@pytest.fixture(scope="module")
def context(collection: Path, workspace: Workspace) -> Iterator[Context]:
    if not Collection.open(collection).maps():
        CollectionMap.fit(Collection.open(collection, workspace.explorer))
    made = open_context(Settings(collection, token=None))
    made.workspace.__dict__["explorer"] = workspace.explorer
    yield made
    made.close()


def click(context: Context, **place: Any) -> Any:
    return page.asked(context, Ids.CLICK, {"row": None, **place}, None, None)


def test_a_place_is_what_its_expression_says(context: Context):
    x, y = context.view.coordinates[:4].mean(0)
    answer = click(context, x=float(x), y=float(y))
    assert answer.place == pytest.approx((x, y))
    assert 0 <= answer.confidence <= 1
    assert sum(weight for _, weight in answer.links) == pytest.approx(1, abs=0.05)
    lifted = context.view.map.lifter([x, y])
    np.testing.assert_array_equal(answer.point.flat[0].numpy(), lifted.vectors[0])
    assert answer.confidence == lifted.confidence[0]
    again = context.workspace.points(answer.expression)
    np.testing.assert_allclose(again.flat.numpy(), answer.point.flat.numpy(), atol=3e-7)


def test_a_point_is_its_item_exactly(context: Context):
    for row in (0, len(context.view) - 1):
        answer = click(context, x=0.0, y=0.0, row=row)
        np.testing.assert_array_equal(answer.point.flat[0].numpy(), context.view.map.projection.points[row])
        assert answer.place == pytest.approx(tuple(context.view.coordinates[row]))
        assert answer.expression == f'item("{context.view.saved.ids[row]}")'
        same = page.asked(context, Ids.CLICK, {"item": context.view.saved.ids[row]}, None, None)
        assert same.expression == answer.expression


def test_an_items_own_point_lands_on_its_place(context: Context):
    for row in range(0, len(context.view), 5):
        answer = page.asked(context, Ids.FIND, None, f' item("{context.view.saved.ids[row]}") ', None)
        assert answer.place == pytest.approx(tuple(context.view.coordinates[row]))
        assert answer.confidence == pytest.approx(1, abs=1e-5)


def test_a_dropped_picture_of_the_collection_lands_on_its_place(context: Context):
    from thoughtspace.explorer.records.pictures import open_picture

    row = int(np.flatnonzero(context.view.kinds == 0)[0])
    key = context.workspace.add_upload(open_picture(context.view.frame["source"][row]))
    answer = page.asked(context, Ids.DROP, None, None, {"id": key})
    assert answer.place == pytest.approx(tuple(context.view.coordinates[row]), abs=1e-3)


@pytest.mark.parametrize(
    ("value", "error", "code", "fact"),
    [
        ({"x": float("nan"), "y": 0.0}, MapError, "not finite", "places"),
        ({"x": 0.0, "y": 0.0, "row": 10**6}, MapError, "row", "1000000"),
        ({"x": 0.0, "y": 0.0, "row": -1}, MapError, "row", "-1"),
        ({"item": "nothing"}, CollectionError, "no item", "nothing"),
    ],
)
def test_an_invalid_click_is_refused(
    context: Context, value: dict[str, Any], error: type[ThoughtspaceError], code: str, fact: str, refused: Any
):
    with refused(error, code, fact):
        click(context, **value)


@pytest.fixture(scope="module")
def latent(collection: Path, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """The same pictures and captions with a map of the latent space, which has no points for captions."""
    folder = tmp_path_factory.mktemp("latent") / "collection"
    ingest(workspace.explorer, collection.parent / "pictures", folder, spaces=("joint", "latent"))
    CollectionMap.fit(Collection.open(folder, workspace.explorer), space="latent", method="pca")
    made = open_context(Settings(folder, token=None))
    made.workspace.__dict__["explorer"] = workspace.explorer
    yield made
    made.close()


def test_a_map_of_a_space_without_texts_is_clicked_like_any(latent: Context, refused: Any):
    view, items = latent.view, latent.workspace.collection.items("image")
    assert (len(view), int(view.kinds.sum())) == (8, 0)
    expected = latent.workspace.explorer.latent.image(*items["source"])
    np.testing.assert_allclose(view.map.projection.points, expected.flat.numpy(), atol=1e-4)
    row = click(latent, x=0.0, y=0.0, row=3)
    assert row.expression == f'item("{items["id"][3]}")'
    np.testing.assert_array_equal(latent.workspace.points(row.expression, "latent").flat, row.point.flat)
    place = click(latent, x=float(view.coordinates[:, 0].mean()), y=float(view.coordinates[:, 1].mean()))
    for answer in (row, place):
        panel, nearest, _, _ = map_view.answer(latent, answer, matches=False)
        assert "/data/picture/" in str(panel)
        assert len(nearest) == 1  # of pictures alone
    text = latent.workspace.collection.items("text")["id"][0]
    with refused(CollectionError, "no vector", "1 item", "'latent'"):
        latent.workspace.points(f'item("{text}")', "latent")


def test_an_item_is_decoded_in_a_space_without_texts(latent: Context, tmp_path: Path, capsys: Any):
    where, item = latent.workspace.collection.path, latent.workspace.collection.items("image")["id"][2]
    options = ["--space", "latent", "--model", latent.workspace.model_name]
    decode = ["decode", f'item("{item}")', "-o", str(tmp_path / "out.png"), "--collection", str(where), *options]
    assert main(decode) == 0, capsys.readouterr().err
    point = latent.workspace.points(f'item("{item}")', "latent")
    made = Image.open(tmp_path / "out.png")
    assert np.abs(np.asarray(made, int) - np.asarray(latent.workspace.decode(point)[0], int)).max() <= 1
    capsys.readouterr()
    assert main(["search", str(where), f'item("{item}")', "-k", "3", "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)["items"]
    assert (found[0]["id"], {each["kind"] for each in found}) == (item, {"image"})


@pytest.mark.parametrize(
    ("text", "code"), [('"a" +', "operand"), ("", "length"), (None, "length"), ("king - man", "unquoted")]
)
def test_a_text_that_does_not_parse_is_refused(context: Context, text: str | None, code: str, refused: Any):
    with refused(ExpressionError, code):
        page.asked(context, Ids.FIND, None, text, None)


def test_an_answer_has_picture_confidence_and_neighbours(context: Context):
    answer = click(context, x=0.0, y=0.0)
    panel, nearest, mark, kept = map_view.answer(context, answer, matches=True)
    text = str(panel)
    assert "/data/picture/" in text
    assert answer.expression in text
    assert kept == {"expression": answer.expression}
    assert len(nearest) == 2
    assert len(mark["rings"]) == 12
    assert all(0 <= row < len(context.view) for row in mark["rings"])
    again = map_view.answer(context, answer, matches=False)
    assert again[2]["rings"] == []


def test_pictures_of_which_there_is_only_the_vector_are_shown_by_their_words(workspace: Workspace, tmp_path: Path):
    vectors = workspace.explorer.model.clip.encode_texts(["one", "two", "three", "four", "five"]).cpu().numpy()
    (tmp_path / "rows.csv").write_text("file,caption\n" + "".join(f"{n}.png,number {n}\n" for n in range(5)))
    ingest(workspace.explorer, vectors, tmp_path / "given", captions=tmp_path / "rows.csv")
    CollectionMap.fit(Collection.open(tmp_path / "given", workspace.explorer), method="pca")
    context = open_context(Settings(tmp_path / "given", token=None))
    context.workspace.__dict__["explorer"] = workspace.explorer
    answer = click(context, x=0.0, y=0.0, row=0)
    shown = str(map_view.answer(context, answer, matches=False)[1])
    context.close()
    assert "number 0" in shown
    assert "/data/thumbnail/" not in shown


def test_decoding_twice_gives_one_picture(context: Context):
    points = context.workspace.points("a red fox")
    first, second = (context.workspace.decode(points) for _ in range(2))
    assert first[0].tobytes() == second[0].tobytes()


def test_quality_shows_scores_beside_their_nulls():
    scores = {"trustworthiness": 0.97, "knn_recall": 0.5, "null": {"trustworthiness": 0.5, "knn_recall": 0.02}}
    rows = map_view.quality_rows(scores)
    text = str(rows)
    assert "0.970" in text
    assert "at random: 0.020" in text
    assert len(rows) == 3
    assert "Not measured" in str(map_view.quality_rows({}))


def test_a_selection_is_counted_and_shown(context: Context):
    rows = np.arange(len(context.view))
    texts = int(context.view.kinds.sum())
    shown = str(map_view.gallery(context, {"id": context.selections.add(rows)}))
    assert f"{len(rows) - texts} pictures, {texts} prompts" in shown
    assert map_view.gallery(context, {"id": "unknown"}) == []
    assert map_view.gallery(context, None) == []


def test_stops_are_added_in_order():
    stops, note = page.add_stop(1, ["a"], {"expression": "b"})
    assert (stops, note) == (["a", "b"], "2 stops in the walk")
    assert page.add_stop(1, None, {"expression": "b"})[1] == "1 stop in the walk"


def test_captions_are_never_markup(context: Context):
    from thoughtspace.dashboards.components import item_grid

    grid = item_grid([{"id": "x", "caption": "<img src=x onerror=alert(1)>", "thumbnail": None}])
    assert "dangerously" not in str(grid)
    assert grid.children[0].children[0].children == "<img src=x onerror=alert(1)>"


def frame(**columns: Any) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"id": [str(i) for i in range(n)], "kind": ["image", "text"] * (n // 2), **columns})


def test_columns_become_codes_or_numbers():
    n = 40
    made = {
        column.name: column
        for column in columns_of(
            frame(
                hair=["red", "blue", "red", None] * 10,
                score=np.linspace(0, 1, n),
                name=[f"n{i}" * 3 for i in range(n)],
                same=["x"] * n,
                many=[f"v{i % 30}" for i in range(n)],
            ),
            {"trust": np.ones(n, np.float32), "neighbors": np.ones((n, 3), np.int32)},
        )
    }
    assert set(made) == {"kind", "hair", "score", "name", "many", "trust"}
    assert made["kind"].categories == ("picture", "prompt")
    assert made["hair"].categories == ("red", "blue")
    assert made["hair"].values[:4].tolist() == [0, 1, 0, NOTHING]
    assert made["score"].kind == "number"
    assert len(made["many"].categories) == MOST_CATEGORIES
    assert made["many"].categories[-1] == "other"
    assert made["hair"].values.dtype == np.uint8


def test_captions_take_the_colour_of_their_picture():
    table = frame(pair=["1", "0", None, None], hair=["red", None, "blue", None])
    filled = with_pairs(table)
    assert filled["hair"].tolist()[:3] == ["red", "red", "blue"]
    assert pd.isna(filled["hair"][3])
    assert pd.isna(table["hair"][1])


def test_whole_numbers_stay_exact_where_some_are_missing():
    seeds = pd.array([2**64 - 1, None, 2**53 + 1, None], dtype="UInt64")
    table = pd.DataFrame(
        {"id": ["a", "b", "c", "d"], "kind": ["image", "text", "image", "text"], "pair": ["b", "a", "d", "c"]}
    ).assign(seed=seeds, note=["x", None, None, "y"])
    filled = with_pairs(table)
    assert filled["seed"].tolist() == [2**64 - 1, 2**64 - 1, 2**53 + 1, 2**53 + 1]
    assert filled["note"].tolist()[:2] == ["x", "x"]
    assert "seed" in [column.name for column in columns_of(filled, {})]


def test_a_map_begins_with_a_column_of_the_users_own():
    def column(name: str, n: int, kind: str = "category") -> Column:
        return Column(name, name, kind, np.zeros(3), tuple("abcdefghijklmnop"[:n]))  # type: ignore[arg-type]

    kind, size, world, many = column("kind", 2), column("size", 0, "number"), column("world", 3), column("many", 16)
    assert first_shown((kind, size, many, world)) == 3
    assert first_shown((kind, size, many)) == 0
    assert first_shown((kind,)) == 0


def test_what_is_unsure_looks_unsure():
    """An empty place must not have as proud a picture as a sure one."""
    low, high = (
        json.dumps(confidence_bar(SimpleNamespace(confidence=value, links=[(0, 1.0)])), default=encoded)  # type: ignore[arg-type]
        for value in (0.1, 0.9)
    )
    assert "a guess" in low
    assert "a guess" not in high
    words = json.dumps(confidence_bar(SimpleNamespace(confidence=0.2, links=[])), default=encoded)  # type: ignore[arg-type]
    assert "Nothing on this map is like it" in words


def encoded(component: Any) -> Any:
    return component.to_plotly_json()
