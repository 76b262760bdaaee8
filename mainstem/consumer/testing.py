"""A contract suite for handlers: what a stream does to a consumer, tried on yours, without a broker. Ten lines in your tests:

    from mainstem.consumer.testing import Contract

    @pytest.mark.parametrize("promise", Contract.promises)
    def test_my_handler_keeps_the_contract(promise, tmp_path):
        engine = create_engine(f"sqlite:///{tmp_path / 'mine.db'}")
        make_my_tables(engine)
        Contract(engine, keep, state=lambda db: db.execute(text("select * from latest")).all(), clear=empty).prove(promise)

`state` gives all that the handler wrote, in any order that is the same each time. `clear` empties it, for handlers whose effects may be
rebuilt, `erase` forgets subjects; without them those promises are not tried. `change` makes other events than the observations of this file, `poison` breaks one.
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from kafka import TopicPartition
from sqlalchemy import Connection, Engine

from mainstem.consumer.dead_letters import Letter
from mainstem.consumer.handling import Handler, Handling
from mainstem.consumer.ledger import Ledger
from mainstem.consumer.received import Received, read_event
from mainstem.consumer.sifting import Sieve
from mainstem.consumer.subjects import Erase
from mainstem.kafka.envelopes import id_of
from schemas.events import Header, Operation, data_schema, outcome_type, source_of

PLACE = TopicPartition("contract.outcome.v1", 0)
GROUP = "contract"


class Message(NamedTuple):
    """A Kafka record, as far as a consumer looks at it."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    topic: str = PLACE.topic
    partition: int = PLACE.partition
    offset: int = 0
    timestamp: int = 1_772_600_000_000


def message(
    name: str,
    sequence: int,
    value: float = 7.1,
    *,
    withdrawn: bool = False,
    epoch: int = 1,
    site: str = "north",
    record_type: str = "observation",
    content: Mapping[str, Any] | None = None,
    network: str = "contract",
) -> Message:
    """A change of the record of this name, right in every header; `content` is what else the record says."""
    record, subject = (f"{kind}-{uuid.uuid5(uuid.NAMESPACE_OID, name).hex}" for kind in "rs")
    op = Operation.WITHDRAWN if withdrawn else Operation.RECORDED if sequence == 1 else Operation.AMENDED
    said = {"code": "4548-4", "value": value, "unit": "%"} if content is None else dict(content)
    body = {
        "record": {"type": record_type, "id": record, "subject": subject, "site": site, **said},
        "change": {"op": op, "sequence": sequence, "previous": sequence - 1, "digest": "0" * 32},
        "provenance": {"site": site, "source": [], "load": f"{site}/1", "mapping": f"{record_type}@1", "software": "0"},
    }
    headers = {
        Header.SPEC_VERSION: "1.0",
        Header.ID: id_of(f"{record}/{epoch}.{sequence}".encode()).decode(),
        Header.SOURCE: source_of(site),
        Header.TYPE: outcome_type(network, op),
        Header.TIME: f"2026-03-02T05:{sequence % 60:02}:00Z",
        Header.SUBJECT: record,
        Header.DATA_SCHEMA: data_schema(record_type),
        Header.SEQUENCE: f"{epoch}.{sequence}",
        Header.CONTENT_TYPE: "application/json",
    }
    encoded = [(str(header), text.encode()) for header, text in headers.items()]
    return Message(f"{subject}/{record}".encode(), None if withdrawn else json.dumps(body).encode(), encoded)


def broken(sound: Message) -> Message:
    """The same event with a value that no schema allows, well-formed and agreeing with its headers."""
    assert sound.value is not None
    body = json.loads(sound.value)
    body["record"] |= {"code": ["4548-4"], "value": {"seven": 1}}
    return sound._replace(value=json.dumps(body).encode())


class Killed(BaseException):
    """Stands for kill -9: nothing in between catches it."""


Change = Callable[..., Message]
State = Callable[[Connection], Any]


@dataclass(frozen=True)
class Contract:
    """A handler on a database, and how its state is seen."""

    engine: Engine
    handler: Handler
    state: State
    clear: Callable[[Connection], Any] | None = None
    change: Change = message
    """`change(name, sequence, value, withdrawn=…)`: an event of a type that the handler keeps."""
    erase: Erase | None = None
    """What the consumer is given as `erase`; without it that promise is not tried."""
    poison: Callable[[Message], Message] = broken
    sent: list[Letter] = field(default_factory=list)

    promises: ClassVar[Mapping[str, str]] = {
        "same_event_twice": "A copy of an event changes nothing.",
        "crash_between": "Killed within its transaction, the handler's writes are gone, and come once when it is called again.",
        "out_of_date": "An older change that comes late changes nothing.",
        "withdrawal": "A withdrawn record leaves the state that it had never been there; it may come back.",
        "erasure": "Of a subject who is to be forgotten nothing is left, and of the others nothing is lost.",
        "rebuild": "Emptied and filled again from the start, the state is the same.",
        "poison": "An event that cannot be used is refused by PoisonError, named, and those around it have their effect.",
        "batches": "It makes no difference in how many transactions events come.",
    }

    def prove(self, promise: str) -> None:
        """Tries one promise, on tables as they are now: best on a database of its own. Raises AssertionError saying what is broken."""
        if promise not in self.promises:
            raise ValueError(f"no such promise: {promise}")
        getattr(self, f"_{promise}")()

    def hand_over(self, *messages: Message, handler: Handler | None = None) -> int:
        """As a poll would: checked, guarded, in one transaction; returns how many events were new."""
        ledger = Ledger(self.engine, GROUP)
        ledger.create_tables()
        start = ledger.offsets({PLACE: 0})[PLACE]
        placed = [each._replace(offset=start + number) for number, each in enumerate(messages)]
        found = Sieve(GROUP).sort({PLACE: placed})
        handling = Handling(ledger, handler or self.handler, None, self)
        return handling.handle({PLACE: (start, start + len(placed))}, found)

    def send(self, letters: Sequence[Letter]) -> None:
        """Where dead letters go here."""
        self.sent.extend(letters)

    def _seen(self) -> Any:
        with self.engine.connect() as connection:
            found = self.state(connection)
            return [tuple(row) for row in found] if isinstance(found, list) else found

    def _same_event_twice(self) -> None:
        first, second = self.change("a", 1), self.change("a", 2, 8.2)
        self.hand_over(first, second)
        before = self._seen()
        self.hand_over(first, second, second)
        assert self._seen() == before, self.promises["same_event_twice"]

    def _crash_between(self) -> None:
        self.hand_over(self.change("a", 1))
        before = self._seen()

        def killed(connection: Connection, events: Sequence[Received]) -> None:
            self.handler(connection, events)
            raise Killed

        with suppress(Killed):
            self.hand_over(self.change("a", 2, 8.2), self.change("b", 1), handler=killed)
        assert self._seen() == before, "the handler commits by itself, or writes by another connection"
        self.hand_over(self.change("a", 2, 8.2), self.change("b", 1))
        assert self._seen() != before, "the handler had no effect when it was called again"

    def _out_of_date(self) -> None:
        self.hand_over(self.change("a", 1), self.change("a", 3, 9.3))
        before = self._seen()
        self.hand_over(self.change("a", 2, 8.2), self.change("a", 1))
        assert self._seen() == before, self.promises["out_of_date"]

    def _withdrawal(self) -> None:
        self.hand_over(self.change("b", 1))
        before = self._seen()
        self.hand_over(self.change("a", 1))
        held = self._seen()
        self.hand_over(self.change("a", 2, withdrawn=True))
        assert self._seen() == before, "something of a withdrawn record is still there"
        self.hand_over(self.change("never-known", 1, withdrawn=True))
        assert self._seen() == before, "a withdrawal of a record that was never here changed something"
        self.hand_over(self.change("a", 3))
        assert len(self._seen()) == len(held), "a record that was withdrawn does not come back"

    def _erasure(self) -> None:
        if self.erase is None:
            return
        self.hand_over(self.change("b", 1))
        before = self._seen()
        gone = self.change("a", 1)
        self.hand_over(gone)
        assert self._seen() != before, "the handler kept nothing, so there is nothing to erase"
        ledger = Ledger(self.engine, GROUP)
        with ledger.begin() as connection:
            self.erase(connection, [(gone.key or b"").decode().partition("/")[0]])
        assert self._seen() == before, self.promises["erasure"]
        with ledger.begin() as connection:
            self.erase(connection, [(gone.key or b"").decode().partition("/")[0]])
        assert self._seen() == before, "erasing again changed something"

    def _rebuild(self) -> None:
        if self.clear is None:
            return
        events = [
            self.change("a", 1),
            self.change("b", 1),
            self.change("a", 2, 8.2),
            self.change("b", 2, withdrawn=True),
        ]
        self.hand_over(*events)
        before = self._seen()
        ledger = Ledger(self.engine, GROUP)
        with ledger.begin() as connection:
            self.clear(connection)
            ledger.reset(connection)
        assert self._seen() != before, "`clear` leaves what the handler wrote"
        self.hand_over(*events)
        assert self._seen() == before, self.promises["rebuild"]

    def _poison(self) -> None:
        self.hand_over(self.change("a", 1), self.change("c", 1))
        alone = self._seen()
        bad = self.poison(self.change("b", 1))
        event = read_event(bad)
        assert isinstance(event, Received), "`poison` gave what no handler would ever see"
        self.sent.clear()
        self.hand_over(bad, self.change("d", 1))
        assert [letter.record.key for letter in self.sent] == [bad.key], self.promises["poison"]
        assert len(self._seen()) == len(alone) + 1, "what stood beside the poison had no effect, or the poison had one"

    def _batches(self) -> None:
        events = [self.change(name, sequence, 7 + sequence) for sequence in (1, 2, 3) for name in ("a", "b", "c")]
        self.hand_over(*events)
        together = self._seen()
        with Ledger(self.engine, GROUP).begin() as connection:
            if self.clear is None:
                return
            self.clear(connection)
            Ledger(self.engine, GROUP).reset(connection)
        for event in events:
            self.hand_over(event)
        assert self._seen() == together, self.promises["batches"]
