"""Routes: what they send is what the arrays hold, and no address leads out of the collection."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from thoughtspace.analysis import CollectionMap
from thoughtspace.dashboards.map import shown as mapping
from thoughtspace.dashboards.map.columns import columns_of
from thoughtspace.dashboards.map.shown import MapView
from thoughtspace.dashboards.map.view import ingest_notes
from thoughtspace.dashboards.serving import app as app_module
from thoughtspace.dashboards.serving import workspace as workspace_module
from thoughtspace.dashboards.serving.app import Settings, context_of, create_app
from thoughtspace.dashboards.serving.context import Context
from thoughtspace.dashboards.serving.routes import read_rows
from thoughtspace.dashboards.serving.workspace import Workspace
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError, MapError, PictureError
from thoughtspace.explorer.records.pictures import open_picture

HERE = "http://127.0.0.1:8050"


@pytest.fixture(scope="module")
def context(collection: Path, workspace: Workspace) -> Iterator[Context]:
    if not Collection.open(collection).maps():
        CollectionMap.fit(Collection.open(collection, workspace.explorer))
    app = create_app(Settings(collection, token=None))
    made = context_of(app)
    made.workspace.__dict__["explorer"] = workspace.explorer  # opened once for all tests
    made.__dict__["asking"] = app.server.test_client()
    yield made
    made.close()


def get(context: Context, path: str, **options: Any) -> Any:
    return context.__dict__["asking"].get(path, base_url=HERE, **options)


def post(context: Context, path: str, **options: Any) -> Any:
    return context.__dict__["asking"].post(path, base_url=HERE, **options)


def test_columns_are_the_arrays(context: Context):
    view = context.view
    base = f"/data/map/{view.key}"
    x, y = np.frombuffer(get(context, f"{base}/coordinates").data, "<f4").reshape(2, -1)
    np.testing.assert_array_equal(np.stack([x, y], 1), view.coordinates)
    np.testing.assert_array_equal(np.frombuffer(get(context, f"{base}/kinds").data, np.uint8), view.kinds)
    meta = json.loads(get(context, f"{base}/meta").data)
    assert (meta["n"], meta["texts"]) == (len(view), int(view.kinds.sum()))
    for index, column in enumerate(view.columns):
        data = get(context, f"{base}/column/{index}").data
        kind = np.uint8 if column.kind == "category" else "<f4"
        np.testing.assert_array_equal(np.frombuffer(data, kind), column.values)
    assert get(context, f"{base}/column/{len(view.columns)}").status_code == 404
    assert get(context, "/data/map/another/coordinates").status_code == 404


def test_other_bytes_have_another_address(
    collection: Path, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is sent of a map is kept for a year, so its key follows the data, the columns and the package."""
    pictures, folder = tmp_path / "pictures", tmp_path / "collection"
    shutil.copytree(collection.parent / "pictures", pictures, ignore=shutil.ignore_patterns("*.csv"))
    ingest(workspace.explorer, pictures, folder)
    CollectionMap.fit(Collection.open(folder, workspace.explorer), method="pca")

    def view() -> MapView:
        return MapView(Workspace(folder, uploads=tmp_path / "uploads"))

    keys = [view().key, view().key]
    assert keys[0] == keys[1]  # control: what has not changed is not sent again
    lines = [f"{index}.png,picture {index},{'odd' if index % 2 else 'even'}" for index in range(8)]
    (pictures / "captions.csv").write_text("\n".join(["file,caption,parity", *lines]))
    assert ingest(workspace.explorer, pictures, folder).updated == 8
    late = view()
    assert "parity" in [column.name for column in late.columns]
    keys.append(late.key)
    with monkeypatch.context() as patch:
        patch.setattr(mapping, "columns_of", lambda *given: columns_of(*given)[::-1])
        keys.append(view().key)
    with monkeypatch.context() as patch:
        patch.setattr(mapping, "versions", lambda name: {name: "99"})
        keys.append(view().key)
    CollectionMap.fit(Collection.open(folder, workspace.explorer), method="pca", name="joint-umap", seed=1)
    keys.append(view().key)
    assert len(set(keys)) == len(keys) - 1


def test_similarity_is_the_cosine(context: Context):
    answer = post(context, f"/data/map/{context.view.key}/similarity", json={"expression": "a red fox"})
    point = context.workspace.points("a red fox").flat[0].numpy()
    vectors = context.view.map.projection.points
    expected = vectors @ point / np.linalg.norm(vectors, axis=1) / np.linalg.norm(point)
    np.testing.assert_allclose(np.frombuffer(answer.data, "<f4"), expected, atol=1e-5)


@pytest.mark.parametrize("body", [{}, {"expression": 3}, [], {"expression": '"a" +'}, {"expression": ""}])
def test_a_bad_expression_is_one_line(context: Context, body: Any):
    answer = post(context, f"/data/map/{context.view.key}/similarity", json=body)
    assert answer.status_code == 400
    error = json.loads(answer.data)["error"]
    assert error.startswith("Got ")
    assert "\n" not in error


def test_an_expression_reads_no_file(context: Context, tmp_path: Path, refused: Any):
    """`img("…")` on the page is an uploaded picture, never a path, even of a picture that exists."""
    Image.new("RGB", (64, 64)).save(tmp_path / "secret.png")
    for name in (str(tmp_path / "secret.png"), "../secret", "/etc/passwd", "..%2fsecret"):
        with refused(PictureError, "not dropped", name[:40]):
            context.workspace.points(f'img("{name}")')


def test_items_thumbnails_and_atlas(context: Context):
    view = context.view
    picture = int(np.flatnonzero(view.kinds == 0)[0])
    card = json.loads(get(context, f"/data/map/{view.key}/item/{picture}").data)
    assert card["id"] == view.saved.ids[picture]
    assert Image.open(io.BytesIO(get(context, card["thumbnail"]).data)).format == "JPEG"
    about = json.loads(get(context, f"/data/map/{view.key}/atlas").data)
    assert sorted(about["rows"]) == np.flatnonzero(view.kinds == 0).tolist()
    sheet = Image.open(io.BytesIO(get(context, f"/data/map/{view.key}/atlas.jpg").data))
    assert sheet.width == about["columns"] * about["cell"]
    assert get(context, f"/data/map/{view.key}/item/{len(view)}").status_code == 404


FORMS = (
    "../collection.json",
    "..%2fcollection.json",
    "%2e%2e/collection.json",
    "..%252fcollection.json",
    "..\\collection.json",
    "..%5ccollection.json",
    "%00",
    "C:%5cWindows%5cwin.ini",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "....//collection.json",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("base", ["/data/thumbnail/", "/data/picture/", "/data/job/x/", "/data/selection/", "/assets/"])
def test_no_address_leads_out(context: Context, base: str, form: str):
    answer = get(context, base + form, follow_redirects=True)
    body = answer.data
    assert b'"format"' not in body
    assert b"root:" not in body
    # What is no file of ours is either refused or the page itself, as any unknown address is.
    assert answer.status_code in (400, 404, 405, 500) or b"<!DOCTYPE html>" in body
    assert answer.status_code != 500


def test_a_lasso_comes_back_as_csv(context: Context):
    rows = np.array([3, 1, 1, 5], dtype="<u4")
    answer = post(context, f"/data/map/{context.view.key}/selection", data=rows.tobytes())
    about = json.loads(answer.data)
    assert about["n"] == 3
    table = list(csv.DictReader(io.StringIO(get(context, f"/data/selection/{about['id']}.csv").text)))
    assert [row["id"] for row in table] == [context.view.saved.ids[row] for row in (1, 3, 5)]
    assert get(context, "/data/selection/unknown.csv").status_code == 404


@pytest.mark.parametrize(
    ("data", "code", "fact"),
    [(b"", "rows", "0 bytes"), (b"abc", "rows", "3 bytes"), (np.array([10**9], "<u4").tobytes(), "row", "1000000000")],
)
def test_invalid_rows_are_refused(context: Context, data: bytes, code: str, fact: str, refused: Any):
    assert post(context, f"/data/map/{context.view.key}/selection", data=data).status_code == 400
    with refused(MapError, code, fact):
        read_rows(data, 10)


def test_formulas_do_not_run_in_a_spreadsheet(context: Context, monkeypatch: pytest.MonkeyPatch):
    frame = context.view.frame.copy()
    frame.loc[0, "caption"] = "=cmd|' /C calc'!A0"
    monkeypatch.setattr(context.view, "frame", frame)
    about = json.loads(post(context, f"/data/map/{context.view.key}/selection", data=b"\0\0\0\0").data)
    (row,) = csv.DictReader(io.StringIO(get(context, f"/data/selection/{about['id']}.csv").text))
    assert row["caption"].startswith("'=")


def png(side: int = 32) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def test_an_upload_can_be_named_in_an_expression(context: Context):
    answer = post(context, "/data/upload", data={"picture": (io.BytesIO(png()), "../../fox.png")})
    about = json.loads(answer.data)
    assert (about["width"], about["height"]) == (32, 32)
    kept = context.workspace.upload(about["id"])
    assert kept.parent == context.workspace.uploads
    assert context.workspace.points(f'img("{about["id"]}")').flat.shape[0] == 1


def test_an_upload_is_opened_as_any_other_picture(context: Context):
    """Turned as the camera says, and what is clear is white."""
    turned, buffer = Image.Exif(), io.BytesIO()
    turned[0x0112] = 6
    picture = Image.new("RGBA", (32, 16), (0, 128, 128, 255))
    picture.paste((200, 0, 0, 0), (0, 0, 8, 16))
    picture.save(buffer, "PNG", exif=turned)
    answer = post(context, "/data/upload", data={"picture": (io.BytesIO(buffer.getvalue()), "a.png")})
    kept = context.workspace.upload(json.loads(answer.data)["id"])
    with Image.open(kept) as shown:
        assert shown.size == (16, 32)
        assert (shown.getpixel((0, 0)), shown.getpixel((0, 31))) == ((255, 255, 255), (0, 128, 128))
        assert shown.tobytes() == open_picture(buffer.getvalue()).tobytes()


def test_only_the_newest_uploads_are_kept(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Any
):
    monkeypatch.setattr(workspace_module, "UPLOADS_KEPT", 3)
    made = Workspace(workspace.collection.path, uploads=tmp_path / "uploads")
    keys = [made.add_upload(Image.new("RGB", (8, 8), (index, 0, 0))) for index in range(5)]
    assert {path.stem for path in made.uploads.iterdir()} == set(keys[2:])
    with refused(PictureError, "not dropped", keys[0]):
        made.upload(keys[0])
    assert made.upload(keys[-1]).is_file()


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        ({}, 400, "Got no picture"),
        ({"picture": (io.BytesIO(b"hello"), "x.png")}, 400, "x.png"),
        ({"picture": (io.BytesIO(png()[:60]), "cut.png")}, 400, "cut.png"),
    ],
)
def test_a_file_that_is_no_picture_is_refused(context: Context, files: Any, status: int, words: str):
    answer = post(context, "/data/upload", data=files, content_type="multipart/form-data")
    assert answer.status_code == status
    assert words in json.loads(answer.data)["error"]


def test_a_large_body_is_refused_before_it_is_read(context: Context, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("thoughtspace.dashboards.serving.routes.UPLOAD_BYTES", 1000)
    answer = post(context, "/data/upload", data={"picture": (io.BytesIO(b"x" * 5000), "large.png")})
    assert answer.status_code == 413
    large = post(context, f"/data/map/{context.view.key}/selection", data=b"\0" * (9 * 2**20))
    assert large.status_code == 413


def test_decoded_pictures_carry_their_records(context: Context, tmp_path: Path):
    from thoughtspace.explorer.records.provenance import read

    (url,) = context.show(context.workspace.decode(context.workspace.points("a red fox")))
    (tmp_path / "fox.png").write_bytes(get(context, url).data)
    assert read(tmp_path / "fox.png").record["expression"] == '"a red fox"'
    assert get(context, "/data/picture/unknown").status_code == 404


def test_two_dashboards_in_one_process(context: Context, collection: Path):
    other = create_app(Settings(collection, port=8051, token=None))
    try:
        page = other.server.test_client().get("/", base_url="http://127.0.0.1:8051")
        assert page.status_code == 200
        layout = other.server.test_client().get("/_dash-layout", base_url="http://127.0.0.1:8051")
        assert "map-plot" in layout.text
        assert "map-plot" in get(context, "/_dash-layout").text
    finally:
        context_of(other).close()


def test_every_callback_of_the_map_has_its_components(context: Context):
    layout = get(context, "/_dash-layout").text
    calls = json.loads(get(context, "/_dash-dependencies").data)
    named = {each["id"] for call in calls for each in (*call["inputs"], *call["state"])}
    missing = {name for name in named if name.startswith(("map-", "shared-", "color-")) and f'"{name}"' not in layout}
    assert missing == set()


def test_scripts_are_known_to_the_policy(context: Context):
    """Every inline script of the page has its hash in the policy, and nothing comes from elsewhere."""
    import base64
    import hashlib
    import re

    answer = get(context, "/")
    policy = answer.headers["Content-Security-Policy"]
    page = re.sub(r"<!--.*?-->", "", answer.text, flags=re.DOTALL)
    found = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    scripts = [body for attributes, body in found if body and "json" not in attributes]
    assert scripts
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)


def test_a_dashboard_needs_a_collection_with_its_map(workspace: Workspace, tmp_path: Path, refused: Any):
    Collection.create(tmp_path / "empty", workspace.explorer)
    with refused(MapError, "no map", "thoughtspace map"):
        create_app(Settings(tmp_path / "empty", token=None))
    with refused(CollectionError, "no collection", "nothing"):
        create_app(Settings(tmp_path / "nothing", token=None))
    with refused(MapError, "no such map", "'other'"):
        MapView(workspace, "other")


def test_pages_have_what_the_shell_needs():
    modules = app_module.pages()
    assert [module.PATH for module in modules] == ["/", "/walk", "/arithmetic"]
    for module in modules:
        assert module.TITLE
        assert (
            f".icon-{module.ICON}" in (Path(app_module.__file__).parents[1] / "assets" / "thoughtspace.css").read_text()
        )


@pytest.fixture
def untidy(workspace: Workspace, tmp_path: Path) -> Iterator[Any]:
    """A client of a served collection whose columns are called as values of the program's own."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    lines = ["file,caption,score,x,y,kind,id,=2+3,year,caption2"]
    for n in range(6):
        pixels = np.random.default_rng(n).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.png")
        lines.append(f"{n}.png,thing {n},{n / 10},{n},{-n},k{n},{n},f,{1990 + n},")
    (folder / "captions.csv").write_text("\n".join(lines))
    (folder / "notes.csv").write_text("day;rain\n1;2\n")
    (folder / "a.heic").write_bytes(b"\0" * 64)
    ingest(workspace.explorer, folder, tmp_path / "collection")
    CollectionMap.fit(Collection.open(tmp_path / "collection", workspace.explorer), method="pca")
    app = create_app(Settings(tmp_path / "collection", token=None))
    context = context_of(app)
    context.workspace.__dict__["explorer"] = workspace.explorer
    context.__dict__["asking"] = app.server.test_client()
    yield context
    context.close()


def test_columns_of_a_user_never_take_the_place_of_the_programs_own(untidy: Context):
    view = untidy.view

    def constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    for row in range(len(view)):
        card = json.loads(get(untidy, f"/data/map/{view.key}/item/{row}").data, parse_constant=constant)
        assert card["score"] is None
        assert card["id"] == view.saved.ids[row]
    labels = [column.label for column in view.columns]
    assert labels.count("Pictures and prompts") == 1
    assert {"Score", "X", "Y", "Kind", "Year", "Trust of the place"} <= set(labels)
    rows = np.arange(len(view), dtype="<u4")
    key = json.loads(post(untidy, f"/data/map/{view.key}/selection", data=rows.tobytes()).data)["id"]
    table = list(csv.DictReader(io.StringIO(get(untidy, f"/data/selection/{key}.csv").data.decode())))
    np.testing.assert_allclose([[float(each["x"]), float(each["y"])] for each in table], view.coordinates, rtol=1e-5)
    pictures = [each for each in table if each["kind"] == "image"]
    assert [each["x_"] for each in pictures] == [str(n) for n in range(6)]
    assert [each["year"] for each in pictures] == [str(1990 + n) for n in range(6)]
    assert "'=2+3" in table[0]
    assert "=2+3" not in table[0]
    found = untidy.workspace.nearest(view.at((0.0, 0.0)).point, 3, "image")
    assert all(-1 <= card["score"] <= 1 for card in view.cards(found))


def test_the_map_page_shows_what_was_read_and_what_was_not(untidy: Context):
    shown = str(ingest_notes(untidy.workspace.collection))
    for fact in ("captions.csv", "comma", "notes.csv", "day", "rain", "1 HEIC", "pillow-heif", "1 not read"):
        assert fact in shown
    (untidy.workspace.collection.path / "report.json").write_text("[")
    assert "damaged" in str(ingest_notes(untidy.workspace.collection))
    (untidy.workspace.collection.path / "report.json").unlink()
    assert ingest_notes(untidy.workspace.collection) == []  # a collection from before there were reports
