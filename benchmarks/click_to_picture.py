"""Time from a click on the map to the decoded picture, with the requests that a browser sends to the server.

    python benchmarks/click_to_picture.py --json

Places are drawn uniformly over the whole map, so most are empty. For each, two requests are timed: the callback of the
page (lift, decode, nearest items, panel), and then the bytes of the picture. A browser only adds the drawing. Without a
collection, one is made of pictures of the pocket world. The first click is reported apart. It comes after the server
has warmed up, as when a person opens the page.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"items": 16, "clicks": 2, "method": "pca"})
ARGUMENTS.add_argument("--collection", metavar="FOLDER", help="a collection with a map; by default one is made")
ARGUMENTS.add_argument("--model", default="pocket", help="model of that collection")
ARGUMENTS.add_argument("--items", type=int, default=1000, help="pictures and captions of that collection")
ARGUMENTS.add_argument("--method", default="umap", help="projection method of its map")
ARGUMENTS.add_argument("--clicks", type=int, default=40)

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import csv
import http.client
import json
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness.report import print_json
from harness.serving import served

from thoughtspace.analysis import CollectionMap
from thoughtspace.dashboards.map.view import QUICK_STEPS
from thoughtspace.datasets import captions, world
from thoughtspace.explorer import Collection, Explorer
from thoughtspace.explorer.collection.ingest import ingest

CLICK = "map-click.data"


def make_collection(folder: Path, *, model: str, items: int, method: str) -> Path:
    """Pictures of the pocket world and their captions, encoded and mapped."""
    pictures, words = folder / "pictures", np.random.default_rng(0)
    pictures.mkdir()
    with (pictures / "captions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "caption"])
        for index, scene in enumerate(world.sample(items // 2, "demo")):
            world.render(scene, 64).save(pictures / f"{index}.png")
            table.writerow([f"{index}.png", captions.full_caption(scene, words).text])
    explorer = Explorer.open(model)
    ingest(explorer, pictures, folder / "collection")
    CollectionMap.fit(Collection.open(folder / "collection", explorer), method=method)
    return folder / "collection"


class Clicker:
    """Sends the requests that Dash sends in a browser when the map is clicked."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection
        wired = json.loads(self.ask("GET", "/_dash-dependencies"))
        self.wire = next(each for each in wired if CLICK in [_name(one) for one in each["inputs"]])

    def __call__(self, x: float, y: float, nonce: int) -> bytes:
        """The PNG of the picture at a place."""
        click = {"x": x, "y": y, "nonce": nonce}
        inputs = [{**one, "value": click if _name(one) == CLICK else None} for one in self.wire["inputs"]]
        outputs = [dict(zip(("id", "property"), each.rsplit(".", 1), strict=True)) for each in self.outputs()]
        body = {
            "output": self.wire["output"],
            "outputs": outputs,
            "inputs": inputs,
            "changedPropIds": [CLICK],
            "state": [{**one, "value": None} for one in self.wire["state"]],
        }
        answer = self.ask("POST", "/_dash-update-component", json.dumps(body))
        found = re.search(r"/data/picture/[\w-]+", json.dumps(json.loads(answer)))  # Dash escapes slashes
        if found is None:
            raise SystemExit(f"Got no picture for a click at {x:.2f}, {y:.2f}: {answer[:300].decode()}")
        return self.ask("GET", found.group())

    def outputs(self) -> list[str]:
        """The callback's outputs, `id.property` each: Dash joins them as `..a.b...c.d..`."""
        return [each.split("@")[0] for each in self.wire["output"].strip(".").split("...")]

    def ask(self, method: str, path: str, body: str | None = None) -> bytes:
        self.connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = self.connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise SystemExit(f"Got {response.status} from {path}: {data[:300].decode(errors='replace')}")
        return data


def measure(collection: Path, clicks: int) -> dict[str, float]:
    """Seconds from click to picture at `clicks` places, after one first click."""
    rng = np.random.default_rng(0)
    with served(collection, token=None) as (settings, context):
        connection = http.client.HTTPConnection(settings.host, settings.port, timeout=120)
        click, view = Clicker(connection), context.view
        low, high = view.coordinates.min(0), view.coordinates.max(0)
        seconds = []
        for index, (x, y) in enumerate(rng.uniform(low, high, size=(clicks + 1, 2)).tolist()):
            start = time.perf_counter()
            picture = click(x, y, index)
            seconds.append(time.perf_counter() - start)
            if not picture.startswith(b"\x89PNG"):
                raise SystemExit(f"Got {len(picture)} bytes that are no PNG for a click at {x:.2f}, {y:.2f}.")
        first, *rest = seconds
        return {
            "items": len(view),
            "clicks": clicks,
            "steps": min(QUICK_STEPS, context.workspace.explorer.model.steps),
            "threads": context.workspace.threads or torch.get_num_threads(),
            "first_s": first,
            "median_s": statistics.median(rest),
            "p90_s": float(np.quantile(rest, 0.9)),
            "max_s": max(rest),
        }


def _name(one: dict[str, Any]) -> str:
    return f"{one['id']}.{one['property']}"


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        collection = (
            Path(chosen.collection)
            if chosen.collection
            else make_collection(Path(folder), model=chosen.model, items=chosen.items, method=chosen.method)
        )
        figures = measure(collection, chosen.clicks)
    if chosen.json:
        print_json(figures)
        return
    print(f"{figures['clicks']} clicks on a map of {figures['items']} items, {figures['steps']} denoising steps")
    print(f"  median {1000 * figures['median_s']:7.0f} ms")
    print(f"  90 %   {1000 * figures['p90_s']:7.0f} ms")
    print(f"  first  {1000 * figures['first_s']:7.0f} ms, after warming up")


if __name__ == "__main__":
    main()
