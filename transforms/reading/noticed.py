"""What reading noticed, counted: flags, codes without a meaning, fields and parts left out."""

import re
from collections import Counter
from collections.abc import Iterable

from transforms.reading.memories import Note

WITHDRAWN = "withdrawn"
"""In place of a reason: parts of resources that were entered in error or deleted."""
_PLACE = re.compile(r"\[[0-9.]*\]")


class Noticed:
    """One site's counts, kept until they are taken."""

    def __init__(self) -> None:
        self.flags: Counter[str] = Counter()
        self.unmapped: Counter[tuple[str, str, str]] = Counter()
        """(system, code, target system) → how often it came without a meaning in the target system."""
        self.dropped: Counter[str] = Counter()
        """FHIR path, `Patient.gender` → how often it was left out because it could not be used."""
        self.parts: Counter[tuple[str, str]] = Counter()
        """(FHIR type, reason) → parts of its resources that gave no record; (FHIR type, "") → all that were read."""

    def add(self, resource_type: str, notes: Iterable[Note], kept: bool, *, times: int = 1) -> None:
        """What was noticed in a resource, or in several; of one that gives records (`kept`), what was left out of them."""
        for note in notes:
            for flag in note.flags:
                self.flags[flag] += times
            for coding in note.unmapped:
                self.unmapped[coding] += times
            if kept and note.dropped:
                for path in note.dropped:
                    self.dropped[f"{resource_type}.{_PLACE.sub('', path)}"] += times

    def take(self) -> tuple[dict[str, int], int, dict[str, int]]:
        """What was left out since this was asked last: fields by path; how many parts were read, those left out by reason."""
        dropped, read = dict(self.dropped), sum(count for (_, reason), count in self.parts.items() if not reason)
        left_out: Counter[str] = Counter()
        for (_, reason), count in self.parts.items():
            if reason:
                left_out[reason] += count
        self.dropped.clear()
        self.parts.clear()
        return dropped, read, dict(left_out)

    def copy(self) -> "Noticed":
        """The counts as they are now."""
        found = Noticed()
        found.update(self)
        return found

    def update(self, other: "Noticed") -> None:
        """Takes over another's counts."""
        for name, counter in vars(other).items():
            mine: Counter[object] = getattr(self, name)
            mine.clear()
            mine.update(counter)
