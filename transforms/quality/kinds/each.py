"""Checks that look at each record, or each pair of records, of each person."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from transforms.quality import EXAMPLES, About, Found, Judge, Line
from transforms.quality.facts import Person
from transforms.quality.facts.profile import Profile

SLIP = 0.001
SLIP_SOURCE = "judgement, to be approved: one in a thousand is a slip, more is a fault of the feed; stricter than the 1 % of OHDSI's Data Quality Dashboard"


class Seen(NamedTuple):
    """Something that was looked at."""

    of: str
    found: str | None = None
    """Id of the record that is not as it should be."""


class Tally:
    """Counts what is seen, by what it is of."""

    def __init__(self, look: Callable[[Person], Iterable[Seen]]) -> None:
        self._look = look
        self.looked: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = defaultdict(list)

    def see(self, person: Person) -> Sequence[Found]:
        """Looks at a person."""
        told = []
        for of, found in self._look(person):
            self.looked[of] += 1
            if found is not None:
                self.found[of] += 1
                told.append(Found(of, found))
                if len(self.examples[of]) < EXAMPLES:
                    self.examples[of].append(found)
        return told

    def lines(self, profile: Profile) -> Iterator[Line]:
        """By what they are of."""
        for of in sorted(self.looked):
            yield Line(of, self.looked[of], self.found[of], tuple(self.examples.get(of, ())))


def each(look: Callable[[Person, About], Iterable[Seen]]) -> Callable[[About], Judge]:
    """A check that looks at one person at a time."""
    return lambda about: Tally(lambda person: look(person, about))
