"""Publishing in a process of its own while another maps: on a large first load the two take about equal time."""

import multiprocessing
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from types import TracebackType

from mainstem import __version__, telemetry
from mainstem.config import logs
from mainstem.config.settings import Settings
from mainstem.publisher import Published, publisher_of
from mainstem.state import State
from schemas.errors import MainstemError, TemporaryError

SPAWN = multiprocessing.get_context("spawn")
"""A fresh interpreter: a forked one would share the parent's database and broker connections."""


class PublisherBeside(AbstractContextManager["PublisherBeside"]):
    """Starts publishing once enough changes wait; `finish` drains it and returns what it published."""

    def __init__(self, site: str, settings: Settings, *, start_after: int, notice: Callable[[str], None]) -> None:
        """`notice` is told, from a thread, what the publisher tells whoever looks on: that its broker is away."""
        self._arguments = (site, settings)
        self._start_after = start_after
        self._notice = notice
        self._waiting = 0
        self._result: Published | MainstemError | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True, name="listening to the publisher")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._mapped: Event = SPAWN.Event()
        self._answer, self._child_end = SPAWN.Pipe(duplex=False)

    def notice(self, changes: int) -> None:
        """So many more changes are pending."""
        self._waiting += changes
        if self._process is None and self._waiting >= self._start_after:
            self._process = SPAWN.Process(
                target=_follow,
                args=(*self._arguments, logs.chosen(), self._mapped, self._child_end),
                daemon=True,
                name="publisher",
            )
            self._process.start()
            self._child_end.close()
            self._listener.start()

    def finish(self) -> Published | None:
        """Waits until everything pending is published. None where no process was needed; raises what it raised."""
        if self._process is None:
            return None
        self._mapped.set()
        self._listener.join()
        self._process.join()
        self._process = None
        if isinstance(self._result, MainstemError):
            raise self._result
        return self._result

    def _listen(self) -> None:
        """Passes sentences on until the process says what came of it."""
        try:
            while isinstance(said := self._answer.recv(), str):
                self._notice(said)
            self._result = said
        except EOFError:
            self._result = TemporaryError(
                "the publishing process ended without a word", "Run it again: it takes up where it was."
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._listener.join()


class _MappedOrOrphaned:
    """Tells the process to drain and end: all is mapped, or the mapping process is gone (kill -9) and will never say so."""

    def __init__(self, mapped: Event) -> None:
        self._mapped = mapped
        self._parent = multiprocessing.parent_process()

    def is_set(self) -> bool:
        """Whether nothing more is to come."""
        return self._mapped.is_set() or self._parent is None or not self._parent.is_alive()

    def wait(self, timeout: float) -> bool:
        """Waits for the mapping's end, not longer than `timeout` seconds."""
        return self._mapped.wait(timeout)


def _follow(site: str, settings: Settings, form: str, mapped: Event, answer: Connection) -> None:
    """The process: publishes until the mapping is done and nothing is pending."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the mapping process ends this one
    result: Published | MainstemError
    logs.configure(form)
    telemetry.start(settings.telemetry, __version__)
    try:
        store = State.open(settings.database_url)
        with closing(store), publisher_of(site, settings, store.outbox, notice=answer.send) as publisher:
            result = publisher.follow(_MappedOrOrphaned(mapped))
    except MainstemError as exc:
        result = exc
    with answer, suppress(BrokenPipeError):  # nobody is left to be told
        answer.send(result)
