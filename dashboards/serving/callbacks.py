"""Callbacks that take only what their pages send; any other request is answered by 400, and no callback runs.

A body must name a callback and give its inputs in their order. Each value must have the type that the parameter is
annotated with, so an annotation of a page's function says what its store or field holds.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, get_type_hints

from dash import Dash
from dash.fingerprint import check_fingerprint
from flask import abort, request
from pydantic import TypeAdapter, ValidationError

from .security import read_json

_UPDATE = "/_dash-update-component"
_SUITES = "/_dash-component-suites/"


class CheckedDash(Dash):
    """A Dash application whose callbacks check the values that they are given."""

    def callback(self, *args: Any, **options: Any) -> Callable[..., Any]:
        register = super().callback(*args, **options)
        return lambda function: register(checked(function))


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same callback; a value of another type than its parameter is answered by 400.

    >>> checked(lambda: 3)()
    3
    """
    signature = inspect.signature(function)
    plain = function
    while isinstance(plain, partial):
        plain = plain.func
    sent = {name: hint for name, hint in plain.__annotations__.items() if name in signature.parameters}
    # The rest, such as the context, is given by `partial`; it may be known to type checkers alone.
    holder = type("Holder", (), {"__annotations__": sent, "__module__": plain.__module__})
    hints = get_type_hints(holder, plain.__globals__)
    adapters = {name: TypeAdapter(hint) for name, hint in hints.items() if hint is not Any}

    @wraps(plain)
    def call(*args: Any, **named: Any) -> Any:
        try:
            given = signature.bind(*args, **named).arguments
        except TypeError:
            abort(400)
        for name, adapter in adapters.items():
            try:
                adapter.validate_python(given.get(name), strict=True)
            except ValidationError:
                abort(400)
        return function(*args, **named)

    return call


def refuse_forged(app: Dash) -> None:
    """Answer what no page of this application sends by 400, or by 404 where it asks for a file."""

    @app.server.before_request
    def guard() -> None:
        if request.path == _UPDATE and not _is_asked(app.callback_map, read_json()):
            abort(400)
        if request.path.startswith(_SUITES) and not _is_a_script(app.registered_paths, request.path):
            abort(404)


def _is_a_script(known: Mapping[str, Sequence[str]], path: str) -> bool:
    package, _, file = path.removeprefix(_SUITES).partition("/")
    return check_fingerprint(file)[0] in known.get(package, ())


def _is_asked(callbacks: Mapping[str, Any], body: Any) -> bool:
    if not isinstance(body, dict) or not isinstance(body.get("output"), str) or body["output"] not in callbacks:
        return False
    known = callbacks[body["output"]]
    changed, outputs = body.get("changedPropIds", []), body.get("outputs")
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return (
        _match(known["inputs"], body.get("inputs", []))
        and _match(known["state"], body.get("state", []))
        and (
            known["no_output"] or _match(_outputs(body["output"]), outputs if isinstance(outputs, list) else [outputs])
        )
        and isinstance(changed, list)
        and all(isinstance(each, str) and "." in each for each in changed)
    )


def _outputs(name: str) -> list[dict[str, str]]:
    """The outputs in a callback's name: `a.x`, or `..a.x...b.y..` for several."""
    parts = name[2:-2].split("...") if name.startswith("..") else [name]
    return [dict(zip(("id", "property"), part.rsplit(".", 1), strict=True)) for part in parts]


def _match(declared: Sequence[Mapping[str, str]], given: Any) -> bool:
    if not isinstance(given, list) or len(given) != len(declared):
        return False
    return all(_is_one(*pair) for pair in zip(declared, given, strict=True))


def _is_one(declared: Mapping[str, str], given: Any) -> bool:
    """Whether these are values of a declared property: one, or for an id with `ALL` a list of any length."""
    if not declared["id"].startswith("{"):
        return _has(given, declared["property"]) and given["id"] == declared["id"]
    pattern = json.loads(declared["id"])
    several = given if isinstance(given, list) else [given]
    return all(_has(each, declared["property"]) and _is_like(pattern, each["id"]) for each in several)


def _has(given: Any, name: str) -> bool:
    # An output that two callbacks have is told apart by what follows an @.
    return (
        isinstance(given, dict)
        and "id" in given
        and isinstance(given.get("property"), str)
        and given["property"].partition("@")[0] == name.partition("@")[0]
    )


def _is_like(pattern: Mapping[str, Any], id: Any) -> bool:
    if not isinstance(id, dict) or id.keys() != pattern.keys():
        return False
    return all(
        isinstance(id[key], str | int) if isinstance(value, list) else id[key] == value
        for key, value in pattern.items()
    )
