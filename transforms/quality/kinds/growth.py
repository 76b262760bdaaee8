"""What does not fit together in one person's readings over time, and which of them is at fault."""

from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from transforms.quality.facts import Person
from transforms.quality.facts.numbers import Reading
from transforms.quality.kinds.each import Seen

HEIGHT = frozenset(["8302-2", "8306-3", "3137-7"])
WEIGHT = frozenset(["29463-7", "3141-9"])
GROWN = 240
"""Months from which on nobody grows."""
ERROR = 3.0
"""Centimetres by which two measurements of one height differ at most."""
DAYMONT = "Daymont C et al. J Am Med Inform Assoc 2017;24:1080-7, doi:10.1093/jamia/ocx037"
_BESIDE = 2
Conflict = Callable[[Person, Reading, Reading], bool]


def at_fault(person: Person, readings: Sequence[Reading], conflict: Conflict) -> set[str]:
    """Of readings that contradict their neighbours those without which none does: the one with most contradictions first,
    of two with as many the later.
    """
    against: dict[int, set[int]] = {}
    for place, earlier in enumerate(readings):
        for other in range(place + 1, min(place + 1 + _BESIDE, len(readings))):
            if conflict(person, earlier, readings[other]):
                against.setdefault(place, set()).add(other)
                against.setdefault(other, set()).add(place)
    found = set()
    left = [(-len(others), -place) for place, others in against.items()]
    heapify(left)
    while left:
        count, place = heappop(left)
        if len(against.get(-place, ())) != -count:
            continue  # it has fewer by now, and stands again further behind
        for other in against.pop(-place):
            against[other].discard(-place)
            if against[other]:
                heappush(left, (-len(against[other]), -other))
            else:
                del against[other]
        found.add(readings[-place].record)
    return found


def over_time(
    codes: frozenset[str], unit: str, of: str, conflict: Conflict
) -> Callable[[Person, object], Iterator[Seen]]:
    """Each reading that has one before it."""

    def look(person: Person, _: object) -> Iterator[Seen]:
        readings = person.readings(codes, unit)
        if len(readings) < 2:
            return
        faults = at_fault(person, readings, conflict)
        for _earlier, later in pairwise(readings):
            yield Seen(of, later.record if later.record in faults else None)
        if readings[0].record in faults:
            yield Seen(of, readings[0].record)

    return look
