"""Starts the feedback pages."""

from collections.abc import Sequence

from mainstem.database import name_of
from services.pages.app import make_app
from services.registry.database import open_registry
from services.serving import Say, serve

HOST, PORT = "127.0.0.1", 8071


def run(
    registry_url: str, *, network: str, host: str = HOST, port: int = PORT, names: Sequence[str] = (), say: Say
) -> None:
    """Serves the pages until interrupted. They show a network's own data unsuppressed and have no log-in: leave them on loopback."""
    engine = open_registry(registry_url)
    try:
        what = f"Feedback pages of network {network}, from {name_of(engine.url)},"
        serve(make_app(engine, network=network), what, host=host, port=port, names=names, say=say)
    finally:
        engine.dispose()
