"""The registry: outcome events into tables, and the tables read over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstem.consumer import Consumer, StopSignal
    from mainstem.settings import Settings

GROUP = "registry"
HOST, PORT = "127.0.0.1", 8621


def consumer(settings: Settings) -> Consumer:
    """The registry's consumer, its tables brought up to this version; close it, or use it in a `with`."""
    from mainstem.consumer import Consumer
    from services.registry.database import open_registry
    from services.registry.handler import apply, apply_loads

    return Consumer(
        settings.kafka_settings(),
        network=settings.network,
        group=GROUP,
        engine=open_registry(settings.registry_url),
        handler=apply,
        load_handler=apply_loads,
    )


def run(settings: Settings, stop: StopSignal) -> int:
    """Keeps the registry up to the stream until `stop` is set; returns how many events it handled."""
    with consumer(settings) as registry:
        return registry.run(stop)


def catch_up(settings: Settings, *, timeout: float = 120.0) -> int:
    """Brings the registry up to what the stream holds now; returns how many events it handled."""
    with consumer(settings) as registry:
        return registry.run_until_caught_up(timeout=timeout)


def serve(settings: Settings, *, host: str = HOST, port: int = PORT) -> None:
    """Serves the registry's HTTP API until interrupted. It has no log-in: leave it on loopback, or put a gateway before it."""
    import uvicorn

    from services.registry.api import make_app
    from services.registry.database import open_registry

    app = make_app(open_registry(settings.registry_url))
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)
