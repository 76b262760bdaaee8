"""FHIR R4's own rules and US Core's demands over a sample of a type's lines and what is quarantined."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import islice
from math import ceil
from time import monotonic

from schemas.loads import BROKEN_AT_MOST, TypeCounts
from schemas.problems import Reason
from transforms import Mapper
from transforms.fhir.us_core import missing

JUDGED_AT_MOST = 100
"""Resources a type and load checked in full where the site has a sample checked."""
SECONDS = 10.0
"""That the sample of a type takes at most, and as long again what is quarantined; what is left then is not judged, and not
counted as judged."""
LONGEST = 250_000
"""Bytes of a line that is judged: one of ten megabytes would take more than all the time there is, and a quarter of a gibibyte."""
_PLACE = re.compile(r"\[\d+\]")
_OURS = frozenset({"left out", *(reason.value for reason in Reason)})
"""What the mapping says itself: it is told by line, with what to do."""


class Judge:
    """Checks lines in full: each so manieth, from one of the first that come, spread over all of them; and each that is quarantined."""

    def __init__(
        self, share: float, mapper: Mapper, clock: Callable[[], float] = monotonic, *, of: str = "", among: int = 1
    ) -> None:
        """`of`: the load and its part, by which it is another line that the sample begins with; `among`: how many parts share
        what is judged at most.
        """
        self._every = max(1, round(1 / share)) if share else 0
        self._at_most = ceil(JUDGED_AT_MOST / among) if self._every > 1 else None
        self._explain, self._clock = mapper.explain, clock
        self._next: int | None = None
        self._drawn = int.from_bytes(blake2b(of.encode(), digest_size=8).digest())
        self._sampled = 0
        self._left, self._left_for_refused = SECONDS, SECONDS
        self._figures = TypeCounts()

    def see(self, lines: Sequence[bytes], upto: float = 1.0) -> None:
        """Lines that were mapped: all are judged, or a sample of them; `upto`: the share of all lines that came so far, of which
        no more than that share of the sample is taken.
        """
        if not self._every or not lines:
            return
        if self._next is None:
            self._next = self._drawn % min(self._every, len(lines))
        sample = [line for line in lines[self._next :: self._every] if len(line) <= LONGEST]
        self._next = (self._next - len(lines)) % self._every
        most = len(sample) if self._at_most is None else ceil(self._at_most * min(upto, 1.0)) - self._sampled
        apart = max(len(sample) // max(most, 1), 1)
        for line in islice(sample[self._drawn % apart :: apart], max(most, 0)):
            if self._left <= 0:
                return
            findings, took = self._judged(line)
            self._left -= took
            self._sampled += 1
            self._figures.sampled += 1
            self._figures.nonconformant += any(not each.endswith(": us-core-missing") for each in findings)

    def see_refused(self, line: bytes) -> None:
        """A line that is quarantined; where all lines are judged it is among them."""
        if self._every > 1 and self._left_for_refused > 0 and len(line) <= LONGEST:
            _, took = self._judged(line)
            self._left_for_refused -= took
            self._figures.refused_judged += 1

    def take(self, into: TypeCounts) -> None:
        """Hands over what was found since this was asked last."""
        found, self._figures = self._figures, TypeCounts()
        into.sampled, into.nonconformant, into.refused_judged = found.sampled, found.nonconformant, found.refused_judged
        into.broken = dict(Counter(found.broken).most_common(BROKEN_AT_MOST))

    def _judged(self, line: bytes) -> tuple[list[str], float]:
        """What is found of a line, counted; and how long it took."""
        begun = self._clock()
        told = (each for each in self._explain(line) if each.rpartition(": ")[2] not in _OURS)
        found = [*told, *_missing(line)]
        self._count(found)
        return found, self._clock() - begun

    def _count(self, findings: Sequence[str]) -> None:
        for finding in {_PLACE.sub("", each) for each in findings}:
            self._figures.broken[finding] = self._figures.broken.get(finding, 0) + 1


def _missing(line: bytes) -> list[str]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return missing(document) if isinstance(document, dict) else []
