"""What several answers tell together: whether sums and differences of the numbers of some cohorts come to the number of a few people.

Cohorts divide people into parts, each wholly within or without each of them. What follows from the answers is a linear combination of
theirs; it is of a few where it leaves out every part but a few people's. That is so where the other parts, as vectors of which cohorts
they lie within, span less than all parts do.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

Membership = tuple[int, ...]
"""1 for each cohort that it lies within, else 0."""
PRIME = 2_147_483_647
"""Ranks are taken modulo this."""
MOST = 2_000
"""So many sets of small parts are tried; where there are more, they are taken for told."""


def tells_of_few(cohorts: Sequence[Collection[str]], fewest: int) -> bool:
    """Whether the last one's number together with the others' is more than theirs alone tell of somebody, and of fewer people than that."""
    within: Counter[str] = Counter()
    for number, cohort in enumerate(cohorts):
        within.update(dict.fromkeys(cohort, 1 << number))
    sizes = Counter(tuple(mask >> number & 1 for number in range(len(cohorts))) for mask in within.values())
    large = _Span(part for part, size in sizes.items() if size >= fewest)
    small = {part: size for part, size in sizes.items() if size < fewest and any(large.left_of(part))}
    without_last = _Span(part[:-1] for part, size in sizes.items() if size >= fewest)
    for number, some in enumerate(_few(sorted(small.items(), key=lambda each: (each[1], each[0])), fewest - 1)):
        others = [part for part in small if part not in some]
        told = large.more(small) - large.more(others)
        told_before = without_last.more(each[:-1] for each in small) - without_last.more(each[:-1] for each in others)
        if number >= MOST or told > told_before:
            return True
    return False


def _few(small: Sequence[tuple[Membership, int]], most: int) -> Iterator[frozenset[Membership]]:
    """The sets of parts of no more people than that to which none that follows can be added: what less tells, more tells."""
    fits = [place for place, (_, size) in enumerate(small) if size <= most]
    for place in fits:
        part, size = small[place]
        alone = True
        for further in _few(small[place + 1 :], most - size):
            alone = False
            yield further | {part}
        if alone:
            yield frozenset([part])


class _Span:
    """What some vectors span."""

    def __init__(self, vectors: Iterable[Membership]) -> None:
        self._rows: list[tuple[int, list[int]]] = []
        for vector in vectors:
            self._add(vector)

    def left_of(self, vector: Sequence[int]) -> list[int]:
        """Of a vector what they do not span."""
        left = [*vector]
        for lead, row in self._rows:
            if by := left[lead]:
                left = [(one - by * other) % PRIME for one, other in zip(left, row, strict=True)]
        return left

    def more(self, vectors: Iterable[Membership]) -> int:
        """How many dimensions others add."""
        grown = _Span(())
        grown._rows = [*self._rows]
        for vector in vectors:
            grown._add(vector)
        return len(grown._rows) - len(self._rows)

    def _add(self, vector: Sequence[int]) -> None:
        left = self.left_of(vector)
        lead = next((place for place, each in enumerate(left) if each), None)
        if lead is not None:
            inverse = pow(left[lead], -1, PRIME)
            self._rows.append((lead, [each * inverse % PRIME for each in left]))
