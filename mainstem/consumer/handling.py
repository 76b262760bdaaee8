"""What a handler is, and how it is handed what a poll brought: one transaction, and what it cannot use is put aside before.

An unusable event does not cost the others their place: what is left of its batch is handed over by halves, each from a savepoint on,
in order, until every half is handled or a single event is named; then the rest is handed over once more, in the transaction that
stays. No event is handed over more than some thirteen times.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from kafka import TopicPartition
from sqlalchemy import Connection

from mainstem.consumer.dead_letters import DeadLetters, Letter
from mainstem.consumer.ledger import Ledger, Version
from mainstem.consumer.received import LetterReason, PoisonError, Received
from schemas.errors import OperatorError
from schemas.loads import LoadEvent

Handler = Callable[[Connection, Sequence[Received]], Any]
"""Writes the effect of events, in their order, by the connection given; neither commits nor rolls back. It may be called several
times in one transaction, and again with events of a call in which it raised, or whose transaction was taken back."""
LoadHandler = Callable[[Connection, Sequence[LoadEvent]], Any]
"""The same for the sites' loads; one may come twice."""

E = TypeVar("E", Received, LoadEvent)


class FoundLoad(NamedTuple):
    """A load event and the Kafka record that brought it."""

    event: LoadEvent
    source: Any


class Found(NamedTuple):
    """What a poll brought."""

    events: list[Received]
    loads: list[FoundLoad]
    unusable: list[Letter]


class Handling:
    """Hands over what was found, each event's effect once."""

    def __init__(
        self,
        ledger: Ledger,
        handler: Handler,
        load_handler: LoadHandler | None,
        letters: DeadLetters,
        late_handler: Handler | None = None,
    ) -> None:
        self._ledger = ledger
        self._handler = handler
        self._load_handler = load_handler
        self._letters = letters
        self._late_handler = late_handler

    def handle(self, moves: Mapping[TopicPartition, tuple[int, int]], found: Found) -> int:
        """One transaction: offsets from → to, guards, effects. Returns how many outcome events were new.

        What is unusable is acknowledged by the dead-letter topic before the offset moves, and outside of the transaction,
        so that a slow broker holds no lock: a transaction that meets something new is taken back, the letters are sent,
        and the rest is handed over again. A crash in between sends a letter twice, and never loses one.
        """
        put_aside: set[int] = set()
        while True:
            try:
                return self._attempt(moves, found, put_aside)
            except _Unsent as unsent:
                self._letters.send(unsent.letters)
                put_aside |= {id(letter.record) for letter in unsent.letters}

    def _attempt(self, moves: Mapping[TopicPartition, tuple[int, int]], found: Found, put_aside: set[int]) -> int:
        """The transaction. Raises _Unsent, and keeps nothing, where something is unusable that is not put aside yet."""
        events = [event for event in found.events if id(event.source) not in put_aside]
        loads = [load for load in found.loads if id(load.source) not in put_aside]
        with self._ledger.transaction(moves) as connection:
            handled = self._ledger.handled(connection, {event.record_key for event in events})
            batch = _Batch(handled, self._handler, self._late_handler)
            poison = _by_halves(connection, events, batch.hand_over)
            letters = [letter for letter in found.unusable if id(letter.record) not in put_aside]
            letters += [Letter(event.source, reason) for event, reason in poison]
            if self._load_handler is not None:
                letters += self._hand_over_loads(connection, loads, self._load_handler)
            if letters:
                raise _Unsent(letters)
            self._ledger.remember(connection, batch.moved)
        return batch.handed_over

    def _hand_over_loads(self, connection: Connection, loads: list[FoundLoad], handler: LoadHandler) -> list[Letter]:
        source_of = {id(load.event): load.source for load in loads}
        poison = _by_halves(connection, [load.event for load in loads], handler)
        return [Letter(source_of[id(event)], reason) for event, reason in poison]


class _Unsent(Exception):
    """What has to be put aside before the place may move."""

    def __init__(self, letters: list[Letter]) -> None:
        super().__init__(f"{len(letters)} letters")
        self.letters = letters


class _Batch:
    """Lets through to the handler what is newer than what was handled of its record."""

    def __init__(self, handled: dict[bytes, Version], handler: Handler, late_handler: Handler | None) -> None:
        self._handled = handled
        self._handler = handler
        self._late_handler = late_handler
        self.moved: dict[bytes, Version] = {}
        self.handed_over = 0

    def hand_over(self, connection: Connection, events: Sequence[Received]) -> None:
        fresh: list[Received] = []
        late: list[Received] = []
        moved: dict[bytes, Version] = {}
        for event in events:
            key, version = event.record_key, (event.epoch, event.sequence)
            if version > (moved.get(key) or self._handled.get(key, (0, 0))):
                moved[key] = version
                fresh.append(event)
            else:
                late.append(event)
        if late and self._late_handler is not None:
            self._late_handler(connection, late)
        if fresh:
            self._handler(connection, fresh)
            self.handed_over += len(fresh)
            self._handled |= moved
            self.moved |= moved


def _by_halves(
    connection: Connection, events: Sequence[E], hand_over: Callable[[Connection, Sequence[E]], Any]
) -> list[tuple[E, LetterReason]]:
    """Hands over all that can be used, in order; returns what cannot."""
    unusable: list[tuple[E, LetterReason]] = []
    waiting = [events] if events else []
    while waiting:
        some = waiting.pop()
        connection.exec_driver_sql("SAVEPOINT half")
        while some:
            try:
                hand_over(connection, some)
                break
            except PoisonError as exc:
                # The savepoint stays for the next attempt.
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT half")
                poison, left = _without(some, exc)
            unusable += poison
            middle = (len(left) + 1) // 2
            if later := left[middle:]:
                waiting.append(later)
            some = left[:middle]
        connection.exec_driver_sql("RELEASE SAVEPOINT half")
    return unusable


def _without(events: Sequence[E], error: PoisonError) -> tuple[list[tuple[E, LetterReason]], list[E]]:
    """The events that the error names, and the others."""
    named = {id(event): reason for event, reason in error.named}
    poison = [(event, named[id(event)]) for event in events if id(event) in named]
    if not poison:
        raise OperatorError(
            "the consumer's handler refused an event that it was not given", "Correct the handler; run again."
        ) from error
    return poison, [event for event in events if id(event) not in named]
