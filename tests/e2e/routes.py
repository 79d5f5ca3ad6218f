"""Prints what MLflow's or Prefect's server can be asked, as JSON: pairs of method and path.

A script, since each of the two applications reads the environment and changes its process.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any


def routes(app: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Methods and paths of an ASGI application and of what is mounted in it."""
    from starlette.routing import Mount, WebSocketRoute

    for route in app.routes:
        contexts = getattr(route, "effective_route_contexts", lambda: [])()
        for leaf in contexts or [route]:
            original = getattr(leaf, "original_route", leaf)
            if isinstance(original, WebSocketRoute):
                yield "WEBSOCKET", prefix + original.path
            elif isinstance(leaf, Mount) and hasattr(leaf.app, "routes"):
                yield from routes(leaf.app, prefix + leaf.path)
            elif isinstance(leaf, Mount):
                rules = getattr(getattr(leaf.app, "app", None), "url_map", None)
                for rule in rules.iter_rules() if rules else ():
                    yield from ((method, prefix + leaf.path + rule.rule) for method in rule.methods)
            else:
                yield from ((method, prefix + leaf.path) for method in leaf.methods or ())


if sys.argv[1] == "prefect":
    from prefect.server.api.server import create_app

    app = create_app()
else:
    from registry.services import mlflow_app

    app = mlflow_app.create_app().app

json.dump(sorted(set(routes(app))), sys.stdout)
