"""Starts the registry: its consumer and its HTTP API. Each tells one line when it starts, and the consumer how far it is."""

import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import FrameType

import structlog
from sqlalchemy import Connection, Engine

from mainstem.consumer import Consumer, Handler, Received, StopSignal
from mainstem.database import in_the_open, name_of
from mainstem.kafka.settings import KafkaSettings
from schemas.events import outcome_topic
from schemas.showing import shown
from services.registry.api import make_app
from services.registry.database import SETTING, open_registry, reading
from services.registry.erasure import GROUP, erase_told
from services.registry.handler import apply, apply_loads, clear, keep_late
from services.registry.tokens import any_made
from services.registry.traced import traced
from services.serving import Say, serve

log = structlog.get_logger(__name__)
NO_TOKEN = "Nobody is asked for a token: who reaches this reads all. `mainstem registry tokens new` makes the first."
HOST, PORT = "127.0.0.1", 8070
TELL_SECONDS = 10.0
"""Between two lines on work under way."""


def consumer(
    kafka: KafkaSettings, network: str, engine: Engine, *, handler: Handler = apply, say: Say = lambda _: None
) -> Consumer:
    """The consumer that keeps a registry database; close it, or use it in a `with`. `say` is told what keeps it waiting."""
    return Consumer(
        kafka,
        network=network,
        group=GROUP,
        engine=engine,
        handler=handler,
        load_handler=apply_loads,
        late_handler=keep_late,
        unknown_too=True,
        clear=clear,
        erase=erase_told,
        setting=SETTING,
        notice=lambda sentence: say(f"Registry: {sentence}"),
    )


def rebuild(kafka: KafkaSettings, network: str, registry_url: str) -> None:
    """The current records are emptied; the next run reads the stream from its beginning. History and loads stay."""
    engine = open_registry(registry_url)
    try:
        with consumer(kafka, network, engine) as registry:
            registry.rebuild()
    finally:
        engine.dispose()


def run(
    kafka: KafkaSettings, network: str, registry_url: str, stop: StopSignal | None = None, *, say: Say = lambda _: None
) -> int:
    """Keeps the registry up to the stream until `stop` is set, or a signal ends it; returns how many events it handled."""
    engine = open_registry(registry_url)
    progress = Progress(say)
    try:
        for sentence in (*kafka.in_the_open, *in_the_open(engine.url, setting=SETTING)):
            log.warning("not encrypted", what=sentence)
            say(sentence)
        with consumer(kafka, network, engine, handler=progress.handler(apply), say=say) as registry:
            progress.unread, progress.lag = registry.ignored, registry.lag
            progress.started(outcome_topic(network), kafka.name, name_of(engine.url))
            handled = registry.run(stop or until_signal(), on_caught_up=progress.caught_up)
            progress.stopped(handled)
            return handled
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


def serve_api(
    registry_url: str,
    *,
    host: str = HOST,
    port: int = PORT,
    names: Sequence[str] = (),
    say: Say = lambda _: None,
) -> None:
    """Serves the HTTP API until interrupted. It has no TLS: leave it on loopback, or put a gateway before it."""
    engine = open_registry(registry_url)
    try:
        with reading(engine) as connection:
            if not any_made(connection):
                say(NO_TOKEN)
        what = f"Registry's API, from {name_of(engine.url)},"
        serve(traced(make_app(engine), engine), what, host=host, port=port, names=names, say=say)
    finally:
        engine.dispose()


class Progress:
    """Tells how far the consumer is: on the terminal by `say`, and to the logs."""

    def __init__(
        self,
        say: Say,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._clock, self._seconds = say, clock, seconds
        self._events = 0
        self.unread: Mapping[str, int] = {}
        """Events of record types that this version does not know, by type, which the history alone has; the consumer counts them."""
        self.lag: Callable[[], int] = lambda: 0
        """How many offsets are left to read, about; the consumer knows."""
        self._told_at = seconds()

    def handler(self, handle: Handler) -> Handler:
        """`handle`, counted; what is rolled back and handed over again counts again, so a count under way is "about"."""

        def counted(connection: Connection, events: Sequence[Received]) -> None:
            handle(connection, events)
            self._events += len(events)
            if self._seconds() - self._told_at >= TELL_SECONDS:
                left = f", about {lag:,} to go" if (lag := self.lag()) else ""
                self._tell(f"about {self._events:,} events handled so far{left}{self._ignored()}")

        return counted

    def started(self, topic: str, bootstrap: str, database: str) -> None:
        """Where from and where to."""
        log.info("registry started", topic=topic, kafka=bootstrap, database=database)
        self._tell(f"{topic} at {bootstrap} into {database}, until Ctrl-C")

    def caught_up(self, handled: int) -> None:
        """Everything in the topics is in the tables."""
        at = self._clock()
        log.info("registry caught up", events=handled, unread=dict(self.unread))
        self._tell(f"caught up at {at:%Y-%m-%d %H:%M:%S} UTC: {_counted(handled)} since the start{self._ignored()}")

    def stopped(self, handled: int) -> None:
        """The end, in order."""
        log.info("registry stopped", events=handled, unread=dict(self.unread))
        self._tell(f"stopped: {_counted(handled)} handled{self._ignored()}")

    def _ignored(self) -> str:
        """What this version keeps and cannot read; nothing where it knew every type."""
        if not self.unread:
            return ""
        types = ", ".join(f"{shown(name)} {count:,}" for name, count in sorted(self.unread.items()))
        return f"; kept unread, of types this version does not know: {types} (a newer Mainstem reads them)"

    def _tell(self, line: str) -> None:
        self._told_at = self._seconds()
        self._say(f"Registry: {line}")


def _counted(events: int) -> str:
    return f"{events:,} event{'' if events == 1 else 's'}"


def until_signal() -> StopSignal:
    """A stop that SIGINT and SIGTERM set, so that the transaction under way is finished."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop
