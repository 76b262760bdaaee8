"""Waiting for brokers: what keeps us waiting is said within seconds, long before we give up."""

import time
from collections.abc import Callable
from typing import Any

import structlog

from mainstem.kafka.record_batches import Sent
from mainstem.kafka.settings import KafkaSettings, unreachable
from schemas.errors import MainstemError, TemporaryError

log = structlog.get_logger(__name__)

PAUSES = (3.0, 7.0, 50.0)
"""Seconds of waiting for an acknowledgement; after each but the last it is said why none comes."""


GIVE_UP_SECONDS = 25.0
"""So long no broker may be out of reach: about as long as a batch waits for one, so that its failure is the end."""


class Patience:
    """Waits for one cluster on behalf of one site, and says why: on the log, and to whoever looks on."""

    def __init__(self, settings: KafkaSettings, site: str, notice: Callable[[str], Any]) -> None:
        self._settings = settings
        self._site = site
        self._notice = notice
        self._said = ""
        self._away_since: float | None = None

    def before_connecting(self) -> None:
        """Says that no broker can be reached, before the client tries for its whole time."""
        if problem := self._look(time.monotonic()):
            self.say(problem.cause)

    def is_over(self) -> bool:
        """Whether no broker could be reached for so long that another attempt would only wait again."""
        now = time.monotonic()
        self._look(now)
        return self._away_since is not None and now - self._away_since >= GIVE_UP_SECONDS

    def wait_for(self, sent: Sent) -> None:
        """Until the brokers have the batch. Raises the KafkaError it failed with, TemporaryError when nothing came."""
        waited, began = 0.0, time.monotonic()
        for pause in PAUSES:
            if sent.arrived(pause):
                self._said, self._away_since = "", None
                return
            waited += pause
            problem = self._look(began)
            self.say(problem.cause if problem else self._silence(waited))
        raise TemporaryError(self._silence(waited), "Look at the brokers.")

    def say(self, cause: str, **facts: Any) -> None:
        """Once, however many batches wait for the same."""
        log.warning("waiting for the broker", site=self._site, cause=cause, **facts)
        if cause != self._said:
            self._notice(f"{cause}; waiting for it")
        self._said = cause

    def _look(self, began: float) -> MainstemError | None:
        """Why no broker can be reached; if so, none has been since `began`, or since we knew of it before."""
        problem = unreachable(self._settings)
        if problem is None:
            self._away_since = None
        elif self._away_since is None:
            self._away_since = began
        return problem

    def _silence(self, seconds: float) -> str:
        return f"Kafka at {self._settings.name} acknowledged nothing for {seconds:.0f} s"
