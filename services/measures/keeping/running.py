"""Starts the feedback consumer: one thread notes what comes, the other evaluates who is due and tells what became another."""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from mainstem.consumer import Consumer, StopSignal
from mainstem.database import name_of
from mainstem.kafka.settings import KafkaSettings
from schemas.errors import TemporaryError
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.noting import note_events, note_loads
from services.measures.keeping.standing import Plan
from services.registry.database import SETTING, open_registry
from services.registry.running import until_signal
from services.serving import Say

log = structlog.get_logger(__name__)
GROUP = "feedback"
IDLE_SECONDS = 0.5
AGAIN_SECONDS = 5.0
Send = Callable[[Keeper], object]
"""Tells what waits to be told, and comes back when the broker has it."""


def consumer(kafka: KafkaSettings, network: str, engine: Engine, keeper: Keeper) -> Consumer:
    """The consumer that notes who is due; close it, or use it in a `with`."""
    return Consumer(
        kafka,
        network=network,
        group=GROUP,
        engine=engine,
        handler=note_events,
        load_handler=note_loads,
        clear=keeper.clear,
        erase=keeper.erase,
        setting=SETTING,
    )


def run(
    kafka: KafkaSettings,
    network: str,
    registry_url: str,
    plan: Plan,
    send: Send,
    *,
    stop: StopSignal | None = None,
    say: Say = lambda _: None,
) -> None:
    """Keeps and tells results until `stop` is set, or a signal ends it."""
    engine = open_registry(registry_url)
    keeper = Keeper(engine, plan)
    ended = stop or until_signal()
    try:
        if keeper.prepare():
            say("Feedback: other measures or periods than before: everybody is evaluated")
        say(f"Feedback: {len(plan.counted)} results a site are kept in {name_of(engine.url)}, until Ctrl-C")
        worker = _Worker(keeper, send, ended, say)
        worker.start()
        with consumer(kafka, network, engine, keeper) as events:
            events.run(worker.ended)
        worker.finish()
    finally:
        engine.dispose()


def catch_up(kafka: KafkaSettings, network: str, registry_url: str, plan: Plan, send: Send) -> None:
    """Brings results up to what the stream and the registry hold now, and tells them."""
    engine = open_registry(registry_url)
    keeper = Keeper(engine, plan)
    try:
        keeper.prepare()
        with consumer(kafka, network, engine, keeper) as events:
            events.run_until_caught_up()
        keeper.work_off()
        send(keeper)
    finally:
        engine.dispose()


class _Worker(threading.Thread):
    """Evaluates and tells; an error that does not pass ends it, and the consumer by it."""

    def __init__(self, keeper: Keeper, send: Send, stop: StopSignal, say: Say) -> None:
        super().__init__(name="feedback", daemon=True)
        self._keeper, self._send, self._say = keeper, send, say
        self._failed = threading.Event()
        self._error: Exception | None = None
        self.ended = _Either(stop, self._failed)

    def run(self) -> None:
        """Until the end; what can be tried again is."""
        try:
            while not self.ended.is_set():
                self._once()
        except Exception as exc:  # noqa: BLE001 — whatever it is, it is raised again where it can be seen
            self._error = exc
        finally:
            self._failed.set()

    def finish(self) -> None:
        """Waits for its end; raises what ended it."""
        self.join(30)
        if self._error is not None:
            raise self._error

    def _once(self) -> None:
        try:
            if not self._keeper.work():
                self._send(self._keeper)
                self._failed.wait(IDLE_SECONDS)
        except TemporaryError as exc:
            log.warning("feedback tries again", cause=exc.cause)
            self._say(f"Feedback: {exc.cause}; trying again")
            self._failed.wait(AGAIN_SECONDS)


class _Either:
    """Set when one of two is."""

    def __init__(self, one: StopSignal, other: StopSignal) -> None:
        self._signals = (one, other)

    def is_set(self) -> bool:
        """Whether either is."""
        return any(signal.is_set() for signal in self._signals)
