"""A consumer that comes back: whether it was away for so long that it may have missed withdrawals, and how its tables are made anew."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from kafka import TopicPartition
from sqlalchemy import Connection

from mainstem.consumer.ledger import Ledger
from mainstem.consumer.progress import TOMBSTONES_KEPT, At, Progress
from mainstem.kafka.settings import KafkaSettings
from mainstem.kafka.topics import tombstones_kept
from schemas.errors import MainstemError, OperatorError

log = structlog.get_logger(__name__)

SHORT = timedelta(days=1)
"""No topic keeps withdrawals for less."""
Clear = Callable[[Connection], Any]
"""Empties the tables that a handler fills, by the connection given; neither commits nor rolls back."""


class AwayError(Exception):
    """The group was away for too long, and its tables can be made anew."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


class Returning:
    """Proves, at each assignment, that nothing was missed."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        ledger: Ledger,
        progress: Progress,
        clear: Clear | None,
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._group = ledger.group
        self._ledger = ledger
        self._progress = progress
        self._clear = clear

    def prove(self, places: Mapping[TopicPartition, At]) -> None:
        """Raises AwayError where the group has to be rebuilt, OperatorError where it cannot be; else notes where it begins."""
        behind = [
            partition
            for partition, at in places.items()
            if partition.topic == self._topic and at.next_offset < at.end_offset
        ]
        if (
            behind and self._progress.away(behind, SHORT) is not None
        ):  # most often not, and the broker need not be asked
            kept = self._kept()
            if (since := self._progress.away(behind, kept)) is not None:
                self._refuse(since.strftime("%Y-%m-%d %H:%M UTC"), kept)
        self._progress.write(places)

    def rebuild(self) -> None:
        """The handler's tables are emptied, and the group is as if it had never read, in one transaction."""
        if self._clear is None:
            raise OperatorError(
                f"consumer group {self._group} cannot be rebuilt: its effects are made once, or it has nothing to clear them by",
                "Give the consumer `clear` and effects that may be rebuilt; or start a new group in an empty database.",
            )
        with self._ledger.begin() as connection:
            self._clear(connection)
            self._ledger.reset(connection)
            self._progress.reset(connection)
        log.warning("rebuilding: everything is read again from the beginning", group=self._group)

    def _refuse(self, since: str, kept: timedelta) -> None:
        told = (
            f"consumer group {self._group} has not read all of {self._topic} since {since}, and withdrawals are kept for "
            f"{kept.days} days: it may have missed some"
        )
        log.error("away for too long", group=self._group, since=since, kept_days=kept.days)
        if self._clear is not None:
            raise AwayError(f"{told}; its tables are made anew from the beginning")
        raise OperatorError(
            told,
            "Nothing was handled. Give the consumer `clear`, so that it rebuilds by itself; or start a new group in an empty database.",
        )

    def _kept(self) -> timedelta:
        """How long the topic keeps withdrawals; what the contract says where the broker does not tell."""
        try:
            return tombstones_kept(self._settings, self._topic) or TOMBSTONES_KEPT
        except MainstemError:
            return TOMBSTONES_KEPT
