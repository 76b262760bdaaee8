"""Waiting for brokers: what keeps us waiting is said within seconds, long before we give up."""

from collections.abc import Callable
from typing import Any

import structlog

from mainstem.kafka.record_batches import Sent
from mainstem.kafka.settings import KafkaSettings, unreachable
from schemas.errors import TemporaryError

log = structlog.get_logger(__name__)

PAUSES = (3.0, 7.0, 50.0)
"""Seconds of waiting for an acknowledgement; after each but the last it is said why none comes."""


class Patience:
    """Waits for one cluster on behalf of one site, and says why: on the log, and to whoever looks on."""

    def __init__(self, settings: KafkaSettings, site: str, notice: Callable[[str], Any]) -> None:
        self._settings = settings
        self._site = site
        self._notice = notice
        self._said = ""

    def before_connecting(self) -> None:
        """Says that no broker can be reached, before the client tries for its whole time."""
        if problem := unreachable(self._settings):
            self.say(problem.cause)

    def wait_for(self, sent: Sent) -> None:
        """Until the brokers have the batch. Raises the KafkaError it failed with, TemporaryError when nothing came."""
        waited = 0.0
        for pause in PAUSES:
            if sent.arrived(pause):
                self._said = ""
                return
            waited += pause
            problem = unreachable(self._settings)
            self.say(problem.cause if problem else self._silence(waited))
        raise TemporaryError(self._silence(waited), "Look at the brokers.")

    def say(self, cause: str, **facts: Any) -> None:
        """Once, however many batches wait for the same."""
        log.warning("waiting for the broker", site=self._site, cause=cause, **facts)
        if cause != self._said:
            self._notice(f"{cause}; waiting for it")
        self._said = cause

    def _silence(self, seconds: float) -> str:
        return f"Kafka at {self._settings.bootstrap} acknowledged nothing for {seconds:.0f} s"
