"""Which requests are answered: the Host header, the origin, the token; and what pages may load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask, jsonify
from flask.testing import FlaskClient

from thoughtspace.dashboards.serving.security import content_policy, cookie_for, protect
from thoughtspace.dashboards.serving.settings import DashboardError, Settings, is_loopback

HERE = "http://127.0.0.1:8050"
TOKEN = "a secret"


def client(**options: object) -> FlaskClient:
    settings = Settings(Path("collection"), **({"token": TOKEN} | options))  # type: ignore[arg-type]
    server = Flask("guarded")
    protect(server, settings)
    server.config["CONTENT_SECURITY_POLICY"] = content_policy(["'sha256-abc'"])

    @server.route("/thing", methods=["GET", "POST"])
    def thing() -> object:
        return jsonify("yes")

    return server.test_client()


def get(asking: FlaskClient, path: str = "/thing", **options: object):
    return asking.get(path, base_url=HERE, **options)  # type: ignore[arg-type]


def test_without_the_token_nothing_is_answered():
    answer = get(client())
    assert answer.status_code == 401
    assert "token" in answer.text
    assert get(client(), "/thing?token=wrong").status_code == 401


def test_the_token_becomes_a_cookie_and_leaves_the_address():
    asking = client()
    answer = get(asking, f"/thing?token={TOKEN.replace(' ', '%20')}")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/thing"
    cookie, session = answer.headers.getlist("Set-Cookie")
    assert session.startswith("thoughtspace-session-8050=")
    assert "HttpOnly" in session
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert get(asking).text.strip() == '"yes"'


def test_cookies_of_two_ports_do_not_meet():
    ones = [cookie_for(Settings(Path("c"), port=port, token=TOKEN)) for port in (8050, 8051)]
    assert ones[0][0] != ones[1][0]


def test_a_cookie_of_another_token_is_no_use():
    asking = client()
    name, value = cookie_for(Settings(Path("c"), token="another"))
    asking.set_cookie(name, value, domain="127.0.0.1")
    assert get(asking).status_code == 401


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8050",
        "127.0.0.1.evil.example:8050",
        "localhost:8051",
        "192.168.0.7:8050",
        "",
        "[::1",
    ],
)
def test_other_hosts_are_refused_even_with_the_token(host: str):
    """What a page that rebinds its own name to this machine would send."""
    asking = client(token=None)
    assert asking.get("/thing", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8050", "localhost:8050", "LOCALHOST:8050", "[::1]:8050"])
def test_own_names_are_known(host: str):
    assert client(token=None).get("/thing", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": HERE}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_posts_come_from_own_pages_only(headers: dict[str, str], status: int):
    asking = client(token=None)
    assert asking.post("/thing", base_url=HERE, headers=headers).status_code == status


def test_headers_forbid_everything_from_elsewhere():
    answer = get(client(token=None))
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "'sha256-abc'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_an_address_beyond_loopback_needs_a_token(refused):
    with refused(DashboardError, "no token", "0.0.0.0"):
        Settings(Path("c"), host="0.0.0.0", token=None)
    wide = Settings(Path("c"), host="0.0.0.0")
    assert wide.token
    assert wide.knows("192.168.0.7:8050")
    assert not wide.knows("evil.example:8050")
    assert Settings(Path("c"), host="0.0.0.0", names=("lab.example",)).knows("lab.example:8050")


def test_every_dashboard_has_a_token_of_its_own():
    first, second = Settings(Path("c")), Settings(Path("c"))
    assert first.token != second.token
    assert first.token not in repr(first)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_out_of_range_are_refused(port: int, refused):
    with refused(DashboardError, "port", str(port)):
        Settings(Path("c"), port=port)


@pytest.mark.parametrize(
    ("host", "answer"), [("127.0.0.1", True), ("127.8.9.1", True), ("10.0.0.1", False), ("::", False)]
)
def test_loopback(host: str, answer: bool):
    check: Callable[[str], bool] = is_loopback
    assert check(host) is answer
