"""What a handler is, and how it is handed what a poll brought: one transaction, and what it cannot use is put aside before.

An unusable event does not cost the others their place: what is left of its batch is handed over by halves, each from a savepoint on,
in order, until every half is handled or a single event is named; then the rest is handed over once more, in the transaction that
stays. No event is handed over more than some thirteen times.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import structlog
from kafka import TopicPartition
from sqlalchemy import Connection

from mainstem.consumer.dead_letters import Letter, Place
from mainstem.consumer.ledger import Ledger, Version
from mainstem.consumer.letterbox import LetterState, Noted
from mainstem.consumer.noting import Moves, Noting
from mainstem.consumer.received import LetterReason, PoisonError, Received
from mainstem.consumer.subjects import FoundSubject, Subjects
from schemas.errors import OperatorError
from schemas.loads import LoadEvent

log = structlog.get_logger(__name__)

Handler = Callable[[Connection, Sequence[Received]], Any]
"""Writes the effect of events, in their order, by the connection given; neither commits nor rolls back. It may be called several
times in one transaction, and again with events of a call in which it raised, or whose transaction was taken back."""
LoadHandler = Callable[[Connection, Sequence[LoadEvent]], Any]
"""The same for the sites' loads; one may come twice."""

E = TypeVar("E", Received, LoadEvent)


class Letters(Protocol):
    """Where unusable records go; `DeadLetters` outside of tests."""

    def send(self, letters: Sequence[Letter]) -> None: ...


class FoundLoad(NamedTuple):
    """A load event and the Kafka record that brought it."""

    event: LoadEvent
    source: Any


NONE: Mapping[str, int] = MappingProxyType({})


class Found(NamedTuple):
    """What a poll brought."""

    events: list[Received]
    loads: list[FoundLoad]
    unusable: list[Letter]
    subjects: Sequence[FoundSubject] = ()
    ignored: Mapping[str, int] = NONE
    """How many events are of record types that this version does not know, by type."""
    unwanted: int = 0
    """How many the consumer does not want."""


Sort = Callable[[Mapping[TopicPartition, list[Any]]], Found]
"""Each partition's records, sorted: what is for the handlers, and what is a dead letter."""


class Again(NamedTuple):
    """What came of letters that were handed over once more."""

    new: int
    """Events that were new to the handler."""
    settled: int
    """Letters of which something was decided, if only that they wait on."""


class Ahead(Protocol):
    """What the subject topic says beyond the group's places."""

    def read(self) -> Mapping[TopicPartition, list[Any]]: ...

    def kept(self) -> None: ...


class Handling:
    """Hands over what was found, each event's effect once.

    Nobody is erased, and nothing passed over as of somebody who is, before the subject topic was read to its end, by `look_ahead`: a site
    says that consent is given again before it tells anything of them, and which of two topics is read first is chance.
    """

    def __init__(
        self,
        ledger: Ledger,
        handler: Handler,
        load_handler: LoadHandler | None,
        letters: Letters,
        *,
        late: Handler | None = None,
        noting: Noting | None = None,
        replays: bool = False,
    ) -> None:
        self.subjects = Subjects(ledger.group)
        """Who is to be forgotten; a consumer puts its own here."""
        self.look_ahead: tuple[Ahead, Sort] | None = None
        """By what the subject topic is read to its end; a consumer puts its own here."""
        self._ledger = ledger
        self._handler = handler
        self._load_handler = load_handler
        self._letters = letters
        self._late = late
        self._noting = noting
        self._replays = replays

    def handle(self, moves: Moves, found: Found) -> int:
        """One transaction: offsets from → to, guards, effects. Returns how many outcome events were new.

        What is unusable is acknowledged by the dead-letter topic before the offset moves, and outside of the transaction,
        so that a slow broker holds no lock: a transaction that meets something new is taken back, the letters are sent,
        and the rest is handed over again. A crash in between loses no letter, and the next process finds it sent.
        """
        put_aside: dict[int, Letter] = {}
        if looked := self.look_ahead is None or any(each.event.erase for each in found.subjects):
            found = self._with_news(found)
        while True:
            try:
                return self._attempt(moves, found, put_aside, looked=looked)
            except _Unsent as unsent:
                self._letters.send(unsent.letters)
                put_aside |= {id(letter.record): letter for letter in unsent.letters}
            except _ForgottenError:
                found, looked = self._with_news(found), True

    def _with_news(self, found: Found) -> Found:
        return found._replace(subjects=[*found.subjects, *self._news()])

    def _news(self) -> Sequence[FoundSubject]:
        """What the subject topic says beyond our places; of what is no subject event the group's own reading tells."""
        if self.look_ahead is None:
            return ()
        ahead, sort = self.look_ahead
        return sort(ahead.read()).subjects

    def again(
        self, due: Sequence[Noted], read: Callable[[Mapping[Place, int]], Mapping[Place, Any]], sort: Sort
    ) -> Again:
        """Letters that are due, in their order, each as if it came now.

        Of a record of which one still cannot be used, the later ones wait on; and one that a rebuild will come to waits for that.
        """
        assert self._noting is not None
        places = self._ledger.stored()
        letters = [noted for noted in due if noted.place.offset < places.get(_partition(noted.place), 0)]
        if not letters:
            return Again(0, 0)
        partitions = {_partition(noted.place) for noted in letters}
        news = self._news() if self.subjects.any_forgotten(self._ledger) else ()
        records = read({noted.place: noted.letter_offset for noted in letters})
        new, settled, stuck = 0, 0, set[bytes | None]()
        with self._ledger.transaction({partition: (places[partition],) * 2 for partition in partitions}) as connection:
            self.subjects.take(connection, news)
            known = self._noting.box.states(connection, records)
            for noted in letters:
                if noted.state != known.get(noted.place, noted.state) or noted.record in stuck - {None}:
                    continue
                record = records.get(noted.place)
                found = sort({_partition(noted.place): [record]}) if record else None
                state, reason = self._again(connection, found)
                self._noting.box.settle(connection, noted.place, state, reason)
                settled += 1
                new += state is LetterState.HANDLED
                if state is LetterState.WAITING:
                    stuck.add(noted.record)
        return Again(new, settled)

    def _again(self, connection: Connection, found: Found | None) -> tuple[LetterState, LetterReason | None]:
        """What became of a record that is handed over once more; None: its letter is no longer there."""
        if found is None:
            return LetterState.WAITING, LetterReason.GONE
        if found.unusable:
            return LetterState.WAITING, found.unusable[0].reason
        if found.loads:
            poison = _by_halves(connection, [load.event for load in found.loads], self._load_handler or _ignore)
            return (LetterState.WAITING, poison[0][1]) if poison else (LetterState.HANDLED, None)
        if found.subjects:
            self.subjects.take(connection, found.subjects)
            return LetterState.HANDLED, None
        if not found.events:
            return LetterState.DROPPED, None  # the consumer does not want it any more
        if not self.subjects.open_to(connection, found.events):
            return LetterState.SUPERSEDED, None
        batch = self._batch(connection, found.events)
        if refused := _by_halves(connection, found.events, batch.hand_over):
            return LetterState.WAITING, refused[0][1]
        self._ledger.remember(connection, batch.moved)
        return (LetterState.HANDLED if batch.handed_over else LetterState.SUPERSEDED), None

    def _attempt(self, moves: Moves, found: Found, put_aside: dict[int, Letter], *, looked: bool) -> int:
        """The transaction. Raises _Unsent, and keeps nothing, where something is unusable that is not put aside yet; _ForgottenError where
        something would be passed over and it was not `looked` whether its subject gave consent again."""
        events = [event for event in found.events if id(event.source) not in put_aside]
        loads = [load for load in found.loads if id(load.source) not in put_aside]
        with self._ledger.transaction(moves) as connection:
            self.subjects.take(connection, found.subjects)
            open_ = self.subjects.open_to(connection, events)
            if len(open_) < len(events) and not looked:
                raise _ForgottenError
            events = open_
            letters = [letter for letter in found.unusable if id(letter.record) not in put_aside]
            if self._noting is not None:
                events, held = self._noting.held_back(connection, events, [*put_aside.values(), *letters])
                letters += held
            batch = self._batch(connection, events)
            letters += [
                Letter(event.source, reason) for event, reason in _by_halves(connection, events, batch.hand_over)
            ]
            if self._load_handler is not None:
                letters += self._hand_over_loads(connection, loads, self._load_handler)
            if letters:
                raise _Unsent(letters)
            self._ledger.remember(connection, batch.moved)
            if self._noting is not None:
                self._noting.note(connection, put_aside.values(), batch.moved.keys(), events)
        if self._noting is not None:
            self._noting.committed(moves)
        if looked and self.look_ahead is not None:
            self.look_ahead[0].kept()
        self._say(loads)
        return batch.handed_over

    def _say(self, loads: Sequence[FoundLoad]) -> None:
        """By the id under which the site's own lines stand."""
        for told in loads:
            log.info(
                "load told", group=self._ledger.group, site=told.event.site, load=told.event.load, what=told.event.event
            )

    def _batch(self, connection: Connection, events: Sequence[Received]) -> "_Batch":
        handled = self._ledger.handled(connection, {event.record_key for event in events})
        return _Batch(handled, self._handler, self._late, self._replays)

    def _hand_over_loads(self, connection: Connection, loads: list[FoundLoad], handler: LoadHandler) -> list[Letter]:
        source_of = {id(load.event): load.source for load in loads}
        poison = _by_halves(connection, [load.event for load in loads], handler)
        return [Letter(source_of[id(event)], reason) for event, reason in poison]


def _ignore(connection: Connection, events: Sequence[Any]) -> None:
    """A consumer that has no handler for these any more."""


def _partition(place: Place) -> TopicPartition:
    return TopicPartition(place.topic, place.partition)


class _ForgottenError(Exception):
    """An event is of somebody who is to be forgotten, as far as the group has read."""


class _Unsent(Exception):
    """What has to be put aside before the place may move."""

    def __init__(self, letters: list[Letter]) -> None:
        super().__init__(f"{len(letters)} letters")
        self.letters = letters


NEVER: Version = (0, 0)


class _Batch:
    """Lets through to the handler what is newer than what was handled of its record."""

    def __init__(self, handled: dict[bytes, Version], handler: Handler, late: Handler | None, replays: bool) -> None:
        self._handled = handled
        self._handler = handler
        self._late = late
        self._replays = replays
        self.moved: dict[bytes, Version] = {}
        self.handed_over = 0

    def hand_over(self, connection: Connection, events: Sequence[Received]) -> None:
        fresh: list[Received] = []
        late: list[Received] = []
        moved: dict[bytes, Version] = {}
        for event in events:
            key, version = event.record_key, (event.epoch, event.sequence)
            known = moved.get(key) or self._handled.get(key, NEVER)
            if event.unwanted and known == NEVER:
                continue
            if version > known or (self._replays and event.replay and version == known):
                moved[key] = version
                fresh.append(event)
            else:
                late.append(event)
        if late and self._late is not None:
            self._late(connection, late)
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
    with closing(
        connection.connection.cursor()
    ) as savepoint:  # the driver's: these are as many as events that are refused
        while waiting:
            some = waiting.pop()
            savepoint.execute("SAVEPOINT half")
            while some:
                try:
                    hand_over(connection, some)
                    break
                except PoisonError as exc:
                    savepoint.execute("ROLLBACK TO SAVEPOINT half")  # and there it stays for the next attempt
                    poison, left = _without(some, exc)
                unusable += poison
                middle = (len(left) + 1) // 2
                if later := left[middle:]:
                    waiting.append(later)
                some = left[:middle]
            savepoint.execute("RELEASE SAVEPOINT half")
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
