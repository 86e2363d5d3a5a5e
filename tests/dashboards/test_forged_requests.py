"""What no page sends is refused by a 4xx: paths that lead out, forged headers, and callbacks of other shapes."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from thoughtspace.analysis import CollectionMap
from thoughtspace.dashboards.serving.app import Settings, context_of, create_app
from thoughtspace.dashboards.serving.callbacks import CheckedDash, checked
from thoughtspace.explorer.collection.store import Collection

HERE = "http://127.0.0.1:8050"
UPDATE = "/_dash-update-component"


@pytest.fixture(scope="module")
def app(collection: Path, workspace: Any) -> Iterator[Any]:
    if not Collection.open(collection).maps():
        CollectionMap.fit(Collection.open(collection, workspace.explorer))
    made = create_app(Settings(collection, token="a secret"))
    context_of(made).workspace.__dict__["explorer"] = workspace.explorer
    yield made
    context_of(made).close()


@pytest.fixture(scope="module")
def asking(app: Any) -> Any:
    client = app.server.test_client()
    assert client.get("/?token=a%20secret", base_url=HERE).status_code == 303
    return client


@pytest.fixture(autouse=True)
def nothing_is_logged_as_a_bug(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


STEPS = ("..", "%2e%2e", "%252e%252e", "..%2f", "..%5c", "%c0%ae%c0%ae", "....", "..;", "%00", "C:", "~")
ENDS = ("etc/passwd", "pyproject.toml", "%2fetc%2fpasswd", "\\windows\\win.ini", "items.lance", "")
TRAVERSALS = ["/".join([*itertools.repeat(step, 3), end]) for step in STEPS for end in ENDS]
PLACES = (
    "/data/thumbnail/",
    "/data/picture/",
    "/data/job/key/",
    "/data/selection/",
    "/data/map/key/",
    "/data/",
    "/assets/",
    "/_dash-component-suites/dash/",
    "/_dash-component-suites/",
    "/",
)


@pytest.mark.parametrize("place", PLACES)
def test_no_path_leads_anywhere(asking: Any, place: str):
    assert len(TRAVERSALS) >= 60
    for path in TRAVERSALS:
        answer = asking.get(place + path, base_url=HERE)
        assert answer.status_code in (301, 308, 400, 404), (place + path, answer.status_code)
        assert b"root:" not in answer.data
        assert b"[project]" not in answer.data


def test_every_route_refuses_without_a_token(app: Any):
    stranger, seen = app.server.test_client(), set()
    for rule in app.server.url_map.iter_rules():
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(next(part for part in path.split("/") if f"{name}>" in part), "1")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = stranger.open(path, method=method, base_url=HERE)
            assert answer.status_code == 401, (method, path)
            assert "WWW-Authenticate" in answer.headers
            seen.add((method, path))
    assert len(seen) > 15


@pytest.mark.parametrize("host", ["127.0.0.1:" + "9" * 5000, "[::1", "127.0.0.1:-1", "127.0.0.1:８０５０", "a" * 9000])
def test_forged_hosts_are_refused(asking: Any, host: str):
    assert asking.get("/", headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize(
    "origin",
    ["http://[::1", "https://127.0.0.1:8050", "http://127.0.0.1:8050@evil.example", "file://", "http://", "\x7f"],
)
def test_forged_origins_are_refused(asking: Any, origin: str):
    answer = asking.post(UPDATE, base_url=HERE, headers={"Origin": origin}, json={})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/%09/evil.example", "//evil.example", "/%0d%0aSet-Cookie:%20a=b", "/\\evil.example"])
def test_the_token_leads_to_this_server_only(app: Any, path: str):
    answer = app.server.test_client().get(f"{path}?token=a%20secret", base_url=HERE)
    assert answer.status_code in (303, 308)
    if answer.status_code == 303:
        assert answer.headers["Location"] == "/"
    assert "a=b" not in answer.headers.get("Set-Cookie", "")


def test_the_rest_of_an_address_outlives_its_token(app: Any):
    answer = app.server.test_client().get("/walk?token=a%20secret&view=a%26b", base_url=HERE)
    assert answer.headers["Location"] == "/walk?view=a%26b"


@pytest.mark.parametrize("path", ["/nowhere", "/walk/more", "/data/nothing", "/data"])
def test_there_is_nothing_at_other_addresses(asking: Any, path: str):
    assert asking.get(path, base_url=HERE).status_code == 404
    assert asking.get("/walk", base_url=HERE).status_code == 200  # control


def bodies(app: Any) -> list[dict[str, Any]]:
    """A body of the right shape for each callback, without values."""
    made = []
    for name, known in app.callback_map.items():
        if "callback" not in known:  # it runs in the browser
            continue
        given = {
            key: [
                [] if each["id"].startswith("{") else {"id": each["id"], "property": each["property"], "value": None}
                for each in known[key]
            ]
            for key in ("inputs", "state")
        }
        outputs = [] if known["no_output"] else [part.rsplit(".", 1) for part in name.strip(".").split("...")]
        dicts = [{"id": id, "property": property} for id, property in outputs]
        made.append(
            {
                "output": name,
                "outputs": dicts if name.startswith("..") else dicts[0] if dicts else None,
                "changedPropIds": [f"{each['id']}.{each['property']}" for each in given["inputs"] if each][:1],
                **given,
            }
        )
    return made


def send(asking: Any, body: Any) -> Any:
    return asking.post(UPDATE, base_url=HERE, json=body)


def test_bodies_of_the_right_shape_are_answered(app: Any, asking: Any):
    """Control of the tests below: what they change is what is refused."""
    answers = {body["output"]: send(asking, body).status_code for body in bodies(app)}
    assert len(answers) > 12
    assert {name: code for name, code in answers.items() if code not in (200, 204)} == {}


def test_bodies_of_another_shape_are_refused(app: Any, asking: Any):
    for raw in (b"", b"{", b"null", b"[]", b'"a"', b"\xff", b"[" * 5000):
        answer = asking.post(UPDATE, base_url=HERE, data=raw, content_type="application/json")
        assert answer.status_code == 400, raw[:20]
    for body in bodies(app):
        wrong: list[Any] = [{**body, "output": each} for each in ("nothing.there", 3, None, [], "..", "")]
        for key in ("inputs", "state"):
            wrong += [{**body, key: each} for each in (3, None, {}, "a", [*body[key], {}], [[[]]])]
            if body[key] and not isinstance(body[key][0], list):
                for change in ({"id": "other"}, {"property": "other"}, {"id": None}, {"id": ["a"]}):
                    changed = copy.deepcopy(body)
                    changed[key][0].update(change)
                    wrong.append(changed)
        wrong += [{**body, "changedPropIds": each} for each in (3, None, [3], ["a"], {})]
        if body["outputs"] is not None:
            wrong += [{**body, "outputs": each} for each in (3, [], {}, [{"id": 3, "property": []}])]
        for each in wrong:
            assert send(asking, each).status_code == 400, each


VALUES: tuple[Any, ...] = (
    *(True, 0, -1, 1e300, 2**70, "", "a", "\x00", "=1+1", "../../etc/passwd", "<script>", "9" * 5000),
    *([], [None], ["a", 3], [[]], [{"id": 1}], {}, {"id": "../x"}, {"id": 3}, {"row": -5}, {"row": 10**9}, {"x": "a"}),
    *({"item": "nothing"}, {"expression": 3}, {"expression": '"a" +'}, {"error": ["a"]}, [["deep"] * 50] * 50),
)


def test_values_of_other_types_are_refused_or_answered_but_never_a_fault(app: Any, asking: Any):
    refused = 0
    for body in bodies(app):
        places = [(key, place) for key in ("inputs", "state") for place in range(len(body[key]))]
        for key, place in places:
            if isinstance(body[key][place], list):
                continue
            for value in VALUES:
                changed = copy.deepcopy(body)
                changed[key][place]["value"] = value
                answer = send(asking, changed)
                assert answer.status_code in (200, 204, 400), (changed, answer.status_code)
                assert b"internal" not in answer.data, changed
                refused += answer.status_code == 400
    assert refused > 100


def test_a_value_is_checked_by_the_annotation():
    def twice(n: int | None, words: list[str]) -> int:
        return 2 * (n or 0)

    server = Flask("checked")
    with server.test_request_context():
        assert checked(twice)(3, ["a"]) == 6
        assert checked(twice)(None, []) == 0
        for wrong in (("3", []), (3, "a"), (3, [1]), (3,), (3, [], 4)):
            with pytest.raises(Exception, match="400"):
                checked(twice)(*wrong)


def test_an_annotation_that_only_type_checkers_know_is_a_mistake_of_the_page():
    def page(value: "NotImported") -> None:  # noqa: F821, UP037
        """Bound at the start, as `partial` does it, such a name would do."""

    with pytest.raises(NameError):
        CheckedDash("mistaken").callback()(page)
