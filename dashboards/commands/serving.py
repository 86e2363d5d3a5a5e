"""The commands that show the dashboard: `serve`, and `demo`, which builds a collection first."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import UsageError, check_folder, check_model, command, model_name, model_option, whole
from ..console import Console

if TYPE_CHECKING:
    from thoughtspace.explorer import Collection

PORT = 8050


def register_serve(commands: Any) -> None:
    """Add `serve` to the program."""
    parser = command(commands, "serve", serve, help="show a collection in the browser")
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument("--map", metavar="NAME", help="the map to show (default: joint-umap, else the first)")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)"
    )
    _port_option(parser)
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    model_option(parser, default=None)


def register_demo(commands: Any) -> None:
    """Add `demo` to the program."""
    parser = command(commands, "demo", demo, help="draw a world of pictures, map it and show it in the browser")
    parser.add_argument(
        "--items", type=whole(16, 1_000_000), default=4000, metavar="N", help="pictures (default: 4000)"
    )
    parser.add_argument("--no-serve", action="store_true", help="build the collection and stop")
    parser.add_argument("--out", default="demo", metavar="FOLDER", help="folder of the demo (default: demo)")
    _port_option(parser)
    parser.add_argument("--no-open", action="store_true", help="do not open a browser")
    model_option(parser)


def serve(args: argparse.Namespace, console: Console) -> int:
    """Serve a collection; answers `{url, host, port, collection}` as soon as the address can be opened."""
    from thoughtspace.explorer import Collection

    from ..serving.server import listen, run
    from ..serving.settings import Settings
    from ..serving.token import lasting_token

    collection = Collection.open(args.collection)
    name = model_name(args.model) if args.model else collection.model_name
    check_model(name)
    _check_model_and_map(collection, name, args.map)
    with listen(args.host, args.port) as socket:
        port = socket.getsockname()[1]
        token = lasting_token(collection.path, port)
        settings = Settings(collection.path, name, args.map, host=args.host, port=port, token=token)
        run(settings, socket=socket, console=console, browse=args.open)
    return 0


def demo(args: argparse.Namespace, console: Console) -> int:
    """Build the demo and serve it.

    Answers `{collection, items, map, quality, seconds: {pictures, encoding, map}}`, with `url` when it is served.
    """
    from ..demo import build
    from ..serving.server import listen, run
    from ..serving.settings import Settings
    from ..serving.token import lasting_token

    check_folder(args.out)
    name = model_name(args.model)
    check_model(name)
    if args.no_serve:
        built = build(Path(args.out), items=args.items, model=name, console=console)
        console.answer(built.to_json(), built.text())
        return 0
    with listen("127.0.0.1", args.port) as socket:  # a port in use is reported before the minute of building
        built = build(Path(args.out), items=args.items, model=name, console=console)
        console.note(built.text())
        port = socket.getsockname()[1]
        settings = Settings(built.collection, name, built.map, port=port, token=lasting_token(built.collection, port))
        browse = not args.no_open and not os.environ.get("CI")
        run(settings, socket=socket, console=console, browse=browse, more=built.to_json())
    return 0


def _check_model_and_map(collection: Collection, model: str, map: str | None) -> None:
    """Check before anything is shown that the model wrote the collection and that the map exists.

    Raises:
        CollectionError: another model wrote the collection.
        UsageError: the collection has no such map.
    """
    from thoughtspace.explorer.models.find.sources import is_local, source

    if is_local(model):  # a model of the hub is compared when it is opened
        collection.require_model(model, source(model).parts.fingerprint())
    names = collection.maps()
    if map is not None and map not in names:
        raise UsageError(
            f"Got map {map!r}, expected one of those saved ({', '.join(names) or 'none yet'}); make others with "
            "`thoughtspace map`.",
            code="no such map",
        )


def _port_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=whole(0, 65535), default=PORT, metavar="N", help=f"(default: {PORT}; 0: any free)"
    )
