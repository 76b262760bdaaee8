"""What a dead letter means for the events around it, and how that is noted in the transaction that handles them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from kafka import TopicPartition
from sqlalchemy import Connection

from mainstem.consumer.dead_letters import DeadLetters, Letter, place_of
from mainstem.consumer.letterbox import Letterbox
from mainstem.consumer.received import LetterReason, Received

AfterLetter = Literal["supersede", "hold"]
"""What a dead letter means for later events of its record. `supersede`: they are handled, each carries the whole record, and the letter
is done with. `hold`: they are dead letters too, and wait until it is retried or dropped, for handlers to which each change counts."""
Moves = Mapping[TopicPartition, tuple[int, int]]
"""From where to where each partition goes."""


class Noting:
    """Knows a group's letters, in its database and on their way there."""

    def __init__(self, box: Letterbox, letters: DeadLetters) -> None:
        self.box = box
        self._letters = letters

    def held_back(
        self, connection: Connection, events: Sequence[Received], letters: Sequence[Letter]
    ) -> tuple[list[Received], list[Letter]]:
        """What may be handled, and letters for what may not: an earlier event of its record is a dead letter."""
        if not self.box.hold:
            return list(events), []
        blocked = self.box.blocked(connection, {event.record_key for event in events})
        first: dict[tuple[bytes, int], int] = {}
        for letter in letters:
            if (record := letter.of_record) is not None:
                key = (record, letter.record.partition)
                first[key] = min(letter.record.offset, first.get(key, letter.record.offset))
        free, held = [], []
        for event in events:
            place = first.get((event.record_key, event.source.partition))
            if event.record_key in blocked or (place is not None and event.source.offset > place):
                held.append(Letter(event.source, LetterReason.HELD))
            else:
                free.append(event)
        return free, held

    def note(
        self,
        connection: Connection,
        letters: Iterable[Letter],
        handled: Collection[bytes],
        events: Sequence[Received],
    ) -> None:
        """The letters of this transaction, and those that what it handled made good."""
        self.box.keep(connection, letters, self._letters.offset_of)
        if not self.box.hold and handled and self.box.any_open(connection):
            last = {event.record_key: place_of(event.source) for event in events if event.record_key in handled}
            self.box.supersede(connection, last)

    def committed(self, moves: Moves) -> None:
        """The transaction is."""
        self._letters.forget(moves)
