"""Starts the feedback pages."""

import uvicorn

from services.pages.app import make_app
from services.registry.database import open_registry

HOST, PORT = "127.0.0.1", 8071


def serve(registry_url: str, *, network: str, host: str = HOST, port: int = PORT) -> None:
    """Serves the pages until interrupted. They show a network's own data unsuppressed and have no log-in: leave them on loopback."""
    app = make_app(open_registry(registry_url), network=network)
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)
