"""The task of the Arithmetic page: encode an expression and its operands, find neighbours, decode pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import Text
from thoughtspace.explorer.language.terms import Term, baseline, operands
from thoughtspace.explorer.options import Decoding

from ..tiles import picture_address
from .form import ArithmeticRequest

if TYPE_CHECKING:
    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.records.images import Images

    from ..serving.worker import Work
    from ..serving.workspace import Workspace

OPERAND_NEIGHBORS = 3
PROMPTS = 5
"""Number of nearest prompts listed beside the nearest pictures."""


def evaluate_arithmetic(work: Work) -> dict[str, Any]:
    """Decode the expression of an `ArithmeticRequest` with several seeds, and beside it the operand it starts from.

    All but the pictures is shown as soon as it is known, and `previews`, quick pictures of the expression as `data:`
    addresses, where the model has few-step weights.

    Returns:
        `expression, seeds, norm, operands, pictures, prompts, null: {median, high}`, then `files, agreement` and
        `baseline: {source, cosine, files, agreement} | None`. `pictures` and `prompts` are the nearest items of each
        kind. An operand has `source, weight, cosine, truncated, nearest`, where `nearest` are pictures. An agreement is
        the cosine of a decoded picture's own vector with the expression. `null` is that cosine for the pictures of the
        collection: its median and its 95 % quantile.

    Raises:
        ThoughtspaceError: the expression has no point in the joint space.
        Cancelled: the job was cancelled.
    """
    request, workspace = ArithmeticRequest.from_json(work.request), work.workspace
    work.progress.report(0, None, "Encoding the operands")
    node = parse(request.expression)
    point, start, parts = workspace.points(str(node)), baseline(node), operands(node)
    rows = workspace.points([str(term.node) for term in parts])
    result = {
        "expression": str(node),
        "seeds": request.seeds,
        "norm": float(point.flat.norm()),
        "operands": [_operand(workspace, term, row, point) for term, row in zip(parts, rows, strict=True)],
        "pictures": nearest(workspace, point, request.neighbors, "image"),
        "prompts": nearest(workspace, point, PROMPTS, "text"),
        "null": _null(workspace, point),
    }
    work.progress.check()
    work.progress.show(result)
    if "few_steps" in workspace.explorer.joint.takes:
        quick = workspace.decode(point[[0] * request.pictures], Decoding(seed=request.seeds, few_steps=True))
        work.progress.show({**result, "previews": [picture_address(each) for each in quick]})
    several = [point[[0] * request.pictures]]
    if start is not None:
        several.append(workspace.points(str(start))[[0] * request.pictures])
    points = type(point).cat(several)
    images = workspace.decode(points, Decoding(seed=request.seeds * len(several)), progress=_decoding(work))
    agreement = cosines(workspace.explorer.joint.image(*images), point).round(4).tolist()
    n = request.pictures
    result = {**result, **_saved(work, images[:n], agreement[:n], "result"), "baseline": None}
    if start is not None:
        cosine = float(cosines(several[1][:1], point)[0])
        saved = _saved(work, images[n:], agreement[n:], "baseline")
        result["baseline"] = {"source": str(start), "cosine": cosine, **saved}
    return result


def nearest(workspace: Workspace, point: Points, k: int, kind: Kind, *, besides: str = "") -> list[dict[str, Any]]:
    """The items of a kind nearest to a point, nearest first: `id, kind, score, caption`.

    Args:
        besides: an expression; when it is an item, that item is left out.
    """
    found = workspace.nearest(point, k + 1, kind)
    kept = np.array([f'item("{key}")' != besides for key in found["id"]], bool)  # also where nothing was found
    found = found[kept].head(k)
    captions = [caption if isinstance(caption, str) else "" for caption in found["caption"]]
    scores = found["score"].astype(float).round(4)
    rows = zip(found["id"], found["kind"], scores, captions, strict=True)
    return [dict(zip(("id", "kind", "score", "caption"), row, strict=True)) for row in rows]


def cosines(points: Points, point: Points) -> NDArray[np.float64]:
    """Cosine of each of `n` points with one point: `(n,)` in [-1, 1]."""
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
    pictures = workspace.item_points()[(workspace.collection.items()["kind"] == "image").to_numpy(copy=True)]
    if not len(pictures):
        return {}
    score = cosines(pictures, point)
    return {"median": float(np.median(score)), "high": float(np.quantile(score, 0.95))}


def _saved(work: Work, images: Images, agreement: Sequence[float], stem: str) -> dict[str, Any]:
    """Save the pictures as PNG files of the job, with their records; their names and agreements."""
    names = [f"{stem}-{index}.png" for index in range(len(images))]
    for index, name in enumerate(names):
        images[index : index + 1].save(work.file(name))
    return {"files": names, "agreement": list(agreement)}


def _decoding(work: Work) -> Any:
    def progress(ticks: Iterable[Any], *, total: int, desc: str) -> Iterator[Any]:
        yield from work.progress(ticks, total, "Decoding the pictures")

    return progress
