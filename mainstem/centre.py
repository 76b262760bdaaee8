"""What is born at the centre (answers, issues raised) goes the way of every site: a key, a state and a publisher of the network's own.

There is nothing to pull and no watermark: a load is what was kept since the last one was told. What a service of the centre computes
and keeps itself (results of measures) waits where it became true, and goes by the same publisher (`Results`).
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from mainstem.outbox import Change, OldKey, Refused, Told
from mainstem.state import Batch, Plan, Saved, State
from schemas.feedback import FeedbackEventType
from schemas.loads import TypeCounts
from schemas.outcomes import Record
from schemas.published import Mark
from transforms.mapped import WHOLE, Mapped
from transforms.privacy import Pseudonyms

SITE = "centre"
"""The network's own site: in its events' source, before its loads' names."""
STEP = "keep"


class Born(NamedTuple):
    """Something that came to be at the centre."""

    name: str
    """What tells it from others of its kind, for good; only its keyed hash leaves."""
    subject: bytes
    """The pseudonym of whom it is about."""
    fact: Record
    """Its record; id, subject and site are given here."""
    at: datetime
    """When it was last changed, UTC: an older version never replaces a newer one."""


class Sender(Protocol):
    """The publisher of the centre's site."""

    def publish(self) -> object:
        """Sends all that is pending, and what is to be told of loads."""
        ...


class Kept(Protocol):
    """Results that a service keeps, each with whether it was told, in the transaction that made it true."""

    def waiting(self, limit: int) -> Sequence[tuple[int, str, str, datetime, bytes]]:
        """Number, name, site, when, and the event as JSON, of results that nobody was told of, in their order."""
        ...

    def sent(self, numbers: Sequence[int]) -> None:
        """The broker has these."""
        ...

    def telling(self) -> AbstractContextManager[None]:
        """The right to tell them, while the context lasts. Raises TemporaryError naming who has it."""
        ...


class Results:
    """The outbox of a service that changes no record: what it keeps is told, as an event of feedback."""

    epoch = 1

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def pending(self, site: str, *, after: int = 0, limit: int) -> Sequence[Change]:
        """None: nothing here is a record's change."""
        return ()

    def old_keys(self, site: str, rows: Sequence[Change]) -> Sequence[OldKey]:
        """None."""
        return ()

    def mark_published(self, site: str, rows: Sequence[Change], *, refused: Sequence[Refused] = ()) -> int:
        """None of none."""
        return 0

    def told(self, site: str, limit: int) -> Sequence[Told]:
        """What waits to be told."""
        return [
            Told(number, "feedback", name, FeedbackEventType.MEASURED, at, value, about=about)
            for number, name, about, at, value in self._kept.waiting(limit)
        ]

    def mark_told(self, site: str, numbers: Sequence[int]) -> None:
        """The broker has these."""
        self._kept.sent(numbers)

    def marked(self, site: str) -> Mark:
        """No change was published."""
        return Mark(0, 0)

    def marked_topic(self, site: str) -> str:
        """None has any."""
        return ""

    def mark(self, site: str, mark: Mark, topic: str) -> None:
        """None is."""

    def partitions(self, topic: str, found: int) -> int:
        """As many as there are: no record of ours depends on its partition."""
        return found

    def publishing(self, site: str) -> AbstractContextManager[None]:
        """The right to tell."""
        return self._kept.telling()


class Centre:
    """The network as a site. `key` is its own: no site's pseudonyms can be computed with it."""

    def __init__(self, state: State, key: bytes, clock: Callable[[], datetime]) -> None:
        self._state, self._clock = state, clock
        self._ref = Pseudonyms(key).ref

    def holding(self) -> AbstractContextManager[None]:
        """One keeps and sends at a time; raises TemporaryError naming who does."""
        return self._state.holding(SITE, STEP)

    def keep(self, kind: str, born: Sequence[Born]) -> Saved:
        """Saves what was born, of one kind; the same again is no change. It is told by `send`."""
        load = self._state.loads.open(SITE) or self._state.loads.start(
            SITE, mode="incremental", started=self._clock(), plan=Plan()
        )
        figures = TypeCounts(read=len(born), mapped=len(born), records=len(born))
        records = [self._record(kind, each) for each in born]
        return self._state.records.save(load.id, kind, Batch(records, figures=figures), self._clock())

    def has_to_forget(self, subjects: Collection[str]) -> bool:
        """Whether something of these subjects (`s-…`) is kept here, or a withdrawal waits to be sent."""
        held = self._state.consents.holding(SITE, [bytes.fromhex(each[2:]) for each in subjects])
        return bool(held) or bool(self._state.outbox.pending(SITE, limit=1))

    def forget(self, subjects: Collection[str]) -> int:
        """Nothing of these subjects is kept here any more; their records' withdrawals go out by `send`. Returns how many records went.

        Their sites have told the network of it: the centre, which holds what was born here, tells of its own records alone.
        """
        return self._state.consents.forget(SITE, [bytes.fromhex(each[2:]) for each in subjects], self._clock())

    def send(self, sender: Sender) -> None:
        """Publishes what is kept and completes its load; called again after a crash it does what is left."""
        sender.publish()
        if load := self._state.loads.open(SITE):
            self._state.loads.complete(load.id, {}, self._clock())
            sender.publish()

    def _record(self, kind: str, born: Born) -> Mapped:
        ref = self._ref(kind, born.name)
        names = {"id": f"r-{(ref + WHOLE).hex()}", "subject": f"s-{born.subject.hex()}", "site": SITE}
        content = born.fact.model_copy(update=names).model_dump(mode="json", exclude_none=True)
        source = {"type": kind, "ref": f"h-{ref.hex()}", "updated": born.at}
        provenance = msgspec.json.encode({"source": [source], "mapping": f"{kind}@1", "flags": []})[1:-1]
        return Mapped(
            id=ref + WHOLE,
            type=str(content["type"]),
            subject=born.subject,
            content=msgspec.json.encode(content),
            provenance=provenance,
            updated=round(born.at.timestamp() * 1_000_000),
        )
