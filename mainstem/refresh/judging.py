"""FHIR R4's own rules and US Core's demands over a sample of a type's lines and what is quarantined, where a site asks for it."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic

from schemas.loads import BROKEN_AT_MOST, TypeCounts
from transforms import Mapper
from transforms.fhir.us_core import missing

JUDGED_AT_MOST = 100
"""Resources a type and load checked in full where the site asks for a sample; as many of those that are quarantined."""
SECONDS = 10.0
"""That judging a type takes at most; what is left then is not judged, and not counted as judged."""
_PLACE = re.compile(r"\[\d+\]")
_OURS = ": left out"


class Judge:
    """Checks lines in full, off the hot path: what is judged is kept until the type is read."""

    def __init__(self, share: float, mapper: Mapper, clock: Callable[[], float] = monotonic) -> None:
        self._every = max(1, round(1 / share)) if share else 0
        self._explain, self._clock, self._spent = mapper.explain, clock, 0.0
        self._sample: list[bytes] = []
        self._refused: list[bytes] = []
        self._figures = TypeCounts()

    def see(self, lines: Sequence[bytes], number: int) -> None:
        """Some lines, of which the first is line `number` of a file: all are judged now, or some of them later."""
        if self._every == 1:
            self._look_at(lines)
        elif self._every and len(self._sample) < JUDGED_AT_MOST:
            self._sample += lines[-number % self._every :: self._every]

    def see_refused(self, line: bytes) -> None:
        """A line that is quarantined; where all lines are judged it has been."""
        if self._every > 1 and len(self._refused) < JUDGED_AT_MOST:
            self._refused.append(line)

    def finish(self) -> None:
        """Judges the sample, then what was quarantined."""
        self._look_at(self._sample[:JUDGED_AT_MOST])
        for line in self._refused:
            if self._spent < SECONDS:
                self._figures.refused_judged += 1
                self._count(self._findings(line))
        self._sample, self._refused = [], []

    def take(self, into: TypeCounts) -> None:
        """Hands over what was found since this was asked last."""
        found, self._figures = self._figures, TypeCounts()
        into.sampled, into.nonconformant, into.refused_judged = found.sampled, found.nonconformant, found.refused_judged
        into.broken = dict(Counter(found.broken).most_common(BROKEN_AT_MOST))

    def _look_at(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            if self._spent >= SECONDS:
                return
            findings = self._findings(line)
            self._figures.sampled += 1
            self._figures.nonconformant += any(not each.endswith(": us-core-missing") for each in findings)
            self._count(findings)

    def _findings(self, line: bytes) -> list[str]:
        begun = self._clock()
        found = [*self._explain(line), *_missing(line)]
        self._spent += self._clock() - begun
        return found

    def _count(self, findings: Sequence[str]) -> None:
        for finding in {_PLACE.sub("", each) for each in findings if not each.endswith(_OURS)}:
            self._figures.broken[finding] = self._figures.broken.get(finding, 0) + 1


def _missing(line: bytes) -> list[str]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return missing(document) if isinstance(document, dict) else []
