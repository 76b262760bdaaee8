"""What is done beside a transaction: what comes next is read, and a member of a group stays one, however long its handler works.

Most of a transaction is the database's work, in which a thread can read and check the next events. Kafka gives a member's
partitions to others when it has not polled for `max_poll_interval_ms`, so where the transaction takes long, the same thread goes on to
poll with all partitions paused. The polling thread does not touch the client then: only one of the two ever does.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, NamedTuple

import structlog
from kafka import KafkaConsumer
from kafka.errors import KafkaError

from mainstem.consumer.handling import Found, Sort
from mainstem.consumer.places import Polled

log = structlog.get_logger(__name__)


class Ahead(NamedTuple):
    """What was polled, and what it is."""

    polled: Polled
    found: Found


class Meanwhile:
    """Reads ahead, and keeps a client in its group from a certain time of silence on; None: it is in none."""

    def __init__(self, seconds: float | None, notice: Callable[[str], Any], sort: Sort) -> None:
        self._seconds = seconds
        self._notice = notice
        self._sort = sort
        self._ahead: Future[Ahead] | None = None

    def ahead(self) -> Ahead | None:
        """What was read ahead and not asked for yet; None for nothing. Raises what reading it raised.

        It is as good as polled now: what the group decided since then is noted, and the places say what may be handled.
        """
        ahead, self._ahead = self._ahead, None
        return ahead.result() if ahead and ahead.result().polled else None

    @property
    def pending(self) -> bool:
        """Whether something is known ahead of which nothing is handled: the client's position is behind it already."""
        return self._ahead is not None and (self._ahead.exception() is not None or bool(self._ahead.result().polled))

    def forget(self) -> None:
        """The client is another."""
        self._ahead = None

    @contextmanager
    def beside(self, client: KafkaConsumer, *, read: bool = False) -> Iterator[None]:
        """While the context lasts. Afterwards the client is as it was, but for what the group decided, and what was `read` ahead."""
        if self._seconds is None and not read:
            yield
            return
        if read:
            self._ahead = Future()
        done = threading.Event()
        thread = threading.Thread(target=self._work, args=(client, done, self._ahead if read else None), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            if paused := client.paused():
                client.resume(*paused)

    def _work(self, client: KafkaConsumer, done: threading.Event, ahead: Future[Ahead] | None) -> None:
        if ahead is not None:
            try:
                polled = client.poll(timeout_ms=0)
                ahead.set_result(Ahead(polled, self._sort(polled)))
            except Exception as exc:  # noqa: BLE001 — raised where what was read is asked for
                ahead.set_exception(exc)
        if self._seconds is not None and not done.wait(self._seconds):
            self._stay(client, done, self._seconds)

    def _stay(self, client: KafkaConsumer, done: threading.Event, seconds: float) -> None:
        log.warning("a slow handler: partitions are paused, and the member stays in its group", seconds=seconds)
        self._notice(f"one transaction takes longer than {seconds:.0f} s; its partitions are paused until it ends")
        while not done.is_set():
            try:
                client.pause(*client.assignment())
                # Partitions that are new to us are not paused yet. What comes of them is dropped: they are noted as
                # assigned, and read from the database's place before anything is handled.
                client.poll(timeout_ms=0)
            except KafkaError as exc:
                log.warning("could not stay in the group", kind=type(exc).__name__)
                return
            done.wait(seconds)
