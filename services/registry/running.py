"""Starts the registry: its consumer and its HTTP API."""

import signal
import threading
from types import FrameType

import uvicorn
from sqlalchemy import Engine

from mainstem.consumer import Consumer, StopSignal
from mainstem.kafka.settings import KafkaSettings
from services.registry.api import make_app
from services.registry.database import open_registry
from services.registry.handler import apply, apply_loads

GROUP = "registry"
HOST, PORT = "127.0.0.1", 8070


def consumer(kafka: KafkaSettings, network: str, engine: Engine) -> Consumer:
    """The consumer that keeps a registry database; close it, or use it in a `with`."""
    return Consumer(kafka, network=network, group=GROUP, engine=engine, handler=apply, load_handler=apply_loads)


def run(kafka: KafkaSettings, network: str, registry_url: str, stop: StopSignal | None = None) -> int:
    """Keeps the registry up to the stream until `stop` is set, or a signal ends it; returns how many events it handled."""
    engine = open_registry(registry_url)
    try:
        with consumer(kafka, network, engine) as registry:
            return registry.run(stop or until_signal())
    finally:
        engine.dispose()


def catch_up(kafka: KafkaSettings, network: str, registry_url: str, *, timeout: float = 120.0) -> int:
    """Brings the registry up to what the stream holds now; returns how many events it handled."""
    engine = open_registry(registry_url)
    try:
        with consumer(kafka, network, engine) as registry:
            return registry.run_until_caught_up(timeout=timeout)
    finally:
        engine.dispose()


def serve(registry_url: str, *, host: str = HOST, port: int = PORT) -> None:
    """Serves the HTTP API until interrupted. It has no log-in: leave it on loopback, or put a gateway before it."""
    app = make_app(open_registry(registry_url))
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)


def until_signal() -> StopSignal:
    """A stop that SIGINT and SIGTERM set, so that the transaction under way is finished."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop
