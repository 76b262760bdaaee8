"""Lines that gave what is stored already: told by their bytes, before they are decoded, so that they need no mapping.

An export repeats most of what it said before. A record keeps the digest of the line it came from, and a line with that
digest, for that record, would give the same again.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from mainstem.state import State
from transforms import Mapper

AT_LEAST = 4
"""One line in so many must be known for lines to be looked up at all."""
SAMPLE = 64
"""Lines of a block that are looked up to learn whether the others are worth it, where those before were not."""


@dataclass(slots=True)
class Question:
    """Lines, and what the database is asked of them."""

    lines: Sequence[bytes]
    digests: list[bytes]
    ids: list[bytes]
    answer: Future[list[int]] | None
    changed: set[bytes] = field(default_factory=set)
    """Ids of records saved after the database was asked."""


class Recogniser(AbstractContextManager["Recogniser"]):
    """One type's lines in one load. The database looks up the next lines while these are mapped."""

    def __init__(self, store: State, site: str, resource_type: str, mapper: Mapper) -> None:
        self._store, self._site, self._type, self._mapper = store, site, resource_type, mapper
        self._asks = True
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recognise")
        self._open: list[Question] = []
        self._waiting: set[bytes] = set()

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def ask(self, lines: Sequence[bytes]) -> Question:
        """Begins to look up some lines."""
        digests = self._mapper.line_digests(self._type, lines)
        question = Question(lines, digests, [], None)
        if lines and (self._asks or self._worth_asking(lines, digests)):
            question.ids = self._mapper.record_ids(self._type, lines)
            question.answer = self._thread.submit(self._store.records.unrecognised, self._site, question.ids, digests)
            self._open.append(question)
        return question

    def _worth_asking(self, lines: Sequence[bytes], digests: Sequence[bytes]) -> bool:
        """Whether a sample of the lines is known: so a block of new lines costs itself, and none behind it."""
        every = max(1, len(lines) // SAMPLE)
        ids = self._mapper.record_ids(self._type, lines[::every])
        unknown = self._store.records.unrecognised(self._site, ids, digests[::every])
        return self._recognises(len(unknown), len(ids))

    @staticmethod
    def _recognises(unknown: int, asked: int) -> bool:
        return unknown * AT_LEAST <= asked * (AT_LEAST - 1)

    def unknown(self, question: Question) -> Sequence[int]:
        """The places of the lines to map: all but those of which the store has, and will have, what they give."""
        if question.answer is None:
            return range(len(question.lines))
        places, ids = question.answer.result(), question.ids
        self._open.remove(question)
        self._asks = self._recognises(len(places), len(ids))
        unsure = question.changed | self._waiting
        if len(set(ids)) < len(ids):
            unsure |= {id_ for id_, count in Counter(ids).items() if count > 1}
        if unsure.isdisjoint(ids):
            return places
        return sorted({*places, *(place for place, id_ in enumerate(ids) if id_ in unsure)})

    def mapped(self, ids: Iterable[bytes]) -> None:
        """These records may change: what the database says of them is out of date until they are saved."""
        self._waiting.update(ids)

    def saved(self) -> None:
        """They are saved."""
        for question in self._open:
            question.changed |= self._waiting
        self._waiting.clear()
