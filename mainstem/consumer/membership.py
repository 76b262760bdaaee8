"""A member of a group stays one while its handler works, however long that takes.

Kafka gives a member's partitions to others when it has not polled for `max_poll_interval_ms`. So while one transaction takes long, a
thread polls with all partitions paused; the polling thread does not touch the client then. Only one of the two ever does.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from kafka import KafkaConsumer
from kafka.errors import KafkaError

log = structlog.get_logger(__name__)


class Membership:
    """Keeps a client in its group from a certain time of silence on."""

    def __init__(self, seconds: float, notice: Callable[[str], Any]) -> None:
        self._seconds = seconds
        self._notice = notice

    @contextmanager
    def kept(self, client: KafkaConsumer) -> Iterator[None]:
        """While the context lasts. Afterwards the client is as it was, but for what the group decided meanwhile."""
        done = threading.Event()
        keeper = threading.Timer(self._seconds, self._poll, (client, done))
        keeper.daemon = True
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.cancel()
            keeper.join()
            if paused := client.paused():
                client.resume(*paused)

    def _poll(self, client: KafkaConsumer, done: threading.Event) -> None:
        log.warning("a slow handler: partitions are paused, and the member stays in its group", seconds=self._seconds)
        self._notice(
            f"one transaction takes longer than {self._seconds:.0f} s; its partitions are paused until it ends"
        )
        while not done.is_set():
            try:
                client.pause(*client.assignment())
                # Partitions that are new to us are not paused yet. What comes of them is dropped: they are noted as
                # assigned, and read from the database's place before anything is handled.
                client.poll(timeout_ms=0)
            except KafkaError as exc:
                log.warning("could not stay in the group", kind=type(exc).__name__)
                return
            done.wait(self._seconds)
