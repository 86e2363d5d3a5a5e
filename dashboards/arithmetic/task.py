"""What the worker does for the Arithmetic page: an expression, its operands, its pictures and its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import Text
from thoughtspace.explorer.language.terms import Term, baseline, operands
from thoughtspace.explorer.options import Decoding

from .form import ArithmeticRequest

if TYPE_CHECKING:
    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.records.images import Images

    from ..serving.worker import Work
    from ..serving.workspace import Workspace

OPERAND_NEIGHBORS = 3
PROMPTS = 5
"""Nearest prompts that are listed beside the nearest pictures."""


def evaluate_arithmetic(work: Work) -> dict[str, Any]:
    """Decode the expression of an `ArithmeticRequest` under several seeds, beside what its arithmetic starts from.

    Everything but the pictures is shown as soon as it is known.

    Returns:
        `expression, seeds, norm, operands, pictures, prompts, null: {median, high}`, then `files, agreement` and
        `baseline: {source, cosine, files, agreement} | None`. `pictures` and `prompts` are the nearest items of either
        kind; an operand has `source, weight, cosine, truncated, nearest`, the last of pictures. An agreement is the
        cosine of a decoded picture's own vector with the expression; `null` is what the collection's pictures have
        with it: the middle one, and the one that 5 % surpass.

    Raises:
        ThoughtspaceError: an expression without a point in the joint space.
        Cancelled: when it is time.
    """
    request, workspace = ArithmeticRequest.from_json(work.request), work.workspace
    work.progress.report(0, None, "Encoding the operands")
    node = parse(request.expression)
    point, start, parts = workspace.points(str(node)), baseline(node), operands(node)
    rows = workspace.points([str(term.node) for term in parts])
    made = {
        "expression": str(node),
        "seeds": request.seeds,
        "norm": float(point.flat.norm()),
        "operands": [_operand(workspace, term, row, point) for term, row in zip(parts, rows, strict=True)],
        "pictures": nearest(workspace, point, request.neighbors, "image"),
        "prompts": nearest(workspace, point, PROMPTS, "text"),
        "null": _null(workspace, point),
    }
    work.progress.check()
    work.progress.show(made)
    several = [point[[0] * request.pictures]]
    if start is not None:
        several.append(workspace.points(str(start))[[0] * request.pictures])
    points = type(point).cat(several)
    images = workspace.decode(points, Decoding(seed=request.seeds * len(several)), progress=_decoding(work))
    agreement = cosines(workspace.explorer.joint.image(*images), point).round(4).tolist()
    n = request.pictures
    made = {**made, **_kept(work, images[:n], agreement[:n], "result"), "baseline": None}
    if start is not None:
        cosine = float(cosines(several[1][:1], point)[0])
        kept = _kept(work, images[n:], agreement[n:], "baseline")
        made["baseline"] = {"source": str(start), "cosine": cosine, **kept}
    return made


def nearest(workspace: Workspace, point: Points, k: int, kind: Kind, *, besides: str = "") -> list[dict[str, Any]]:
    """The items of a kind nearest to a point, best first: `id, kind, score, caption`.

    Args:
        besides: an expression; the item that it is, if it is one, is left out.
    """
    found = workspace.nearest(point, k + 1, kind)
    found = found[[f'item("{key}")' != besides for key in found["id"]]].head(k)
    captions = [caption if isinstance(caption, str) else "" for caption in found["caption"]]
    scores = found["score"].astype(float).round(4)
    rows = zip(found["id"], found["kind"], scores, captions, strict=True)
    return [dict(zip(("id", "kind", "score", "caption"), row, strict=True)) for row in rows]


def cosines(points: Points, point: Points) -> NDArray[np.float64]:
    """Cosine of each point with a single one: `(n,)` in [-1, 1]."""
    x, y = points.flat.double(), point.flat.double()
    return (x @ y[0] / (x.norm(dim=1) * y.norm())).cpu().numpy()


def _operand(workspace: Workspace, term: Term, row: Points, point: Points) -> dict[str, Any]:
    node = term.node
    return {
        "source": str(node),
        "weight": term.weight,
        "cosine": round(float(cosines(row, point)[0]), 4),
        "truncated": isinstance(node, Text) and workspace.explorer.joint.truncated(node.text)[0],
        "nearest": nearest(workspace, row, OPERAND_NEIGHBORS, "image", besides=str(node)),
    }


def _null(workspace: Workspace, point: Points) -> dict[str, float]:
    pictures = workspace.item_points()[(workspace.collection.items()["kind"] == "image").to_numpy()]
    if not len(pictures):
        return {}
    score = cosines(pictures, point)
    return {"median": float(np.median(score)), "high": float(np.quantile(score, 0.95))}


def _kept(work: Work, images: Images, agreement: Sequence[float], stem: str) -> dict[str, Any]:
    """The pictures as stamped PNG files of the job: their names, and how well each agrees with the expression."""
    names = [f"{stem}-{index}.png" for index in range(len(images))]
    for index, name in enumerate(names):
        images[index : index + 1].save(work.file(name))
    return {"files": names, "agreement": list(agreement)}


def _decoding(work: Work) -> Any:
    def progress(ticks: Iterable[Any], *, total: int, desc: str) -> Iterator[Any]:
        yield from work.progress(ticks, total, "Decoding the pictures")

    return progress
