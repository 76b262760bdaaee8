"""What several answers tell together: whether sums and differences of the numbers of some cohorts come to the number of a few people.

Cohorts divide people into parts, each wholly within or without each of them. What follows from the answers is a linear combination of
theirs; it is of a few where it leaves out every part but a few people's. That is so where the other parts, as vectors of which cohorts
they lie within, span less than all parts do.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

Membership = int
"""A bit for each cohort that it lies within."""
Vector = dict[int, int]
"""What is not 0, by its place: people of one sex lie within no number of another's."""
PRIME = 2_147_483_647
"""Ranks are taken modulo this."""
MOST = 2_000
"""So many sets of small parts are tried; where there are more, they are taken for told."""


def tells_of_few(told: Sequence[Collection[str]], new: Sequence[Collection[str]], fewest: int) -> bool:
    """Whether the numbers of the new ones together with those that were told are more than these alone tell of somebody, and of fewer
    people than that."""
    within: Counter[str] = Counter()
    for number, those in enumerate([*told, *new]):
        within.update(dict.fromkeys(those, 1 << number))
    before = (1 << len(told)) - 1
    sizes = Counter(within.values())
    now, earlier = _Left(sizes, fewest, before=-1), _Left(sizes, fewest, before=before)
    small = sorted(((part, sizes[part]) for part in now.small if now.small[part]), key=lambda each: (each[1], each[0]))
    for number, some in enumerate(_few(small, fewest - 1)):
        if number >= MOST or ((adds := now.adds(some)) and adds > earlier.adds(some)):
            return True
    return False


class _Left:
    """What the parts of a few people have of their own beside the others, as the numbers tell that `before` lets through."""

    def __init__(self, sizes: Mapping[Membership, int], fewest: int, *, before: int) -> None:
        large = _Span(_bits(part & before) for part, size in sizes.items() if size >= fewest)
        self.small = {part: large.left_of(_bits(part & before)) for part, size in sizes.items() if size < fewest}
        self._rank = _rank(self.small.values())

    def adds(self, some: Collection[Membership]) -> int:
        """How many dimensions are theirs alone."""
        return self._rank - _rank((left for part, left in self.small.items() if part not in some), self._rank)


def _rank(vectors: Iterable[Vector], most: int | None = None) -> int:
    """How many dimensions they span; no more are looked for than `most`."""
    span = _Span(())
    for vector in vectors:
        if span.size == most:
            break
        span.add(vector)
    return span.size


def _bits(part: Membership) -> dict[int, int]:
    """As a vector: 1 at each number that it lies within."""
    return {place: 1 for place in range(part.bit_length()) if part >> place & 1}


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

    def __init__(self, vectors: Iterable[Vector]) -> None:
        self._rows: dict[int, Vector] = {}
        """By the first place that is not 0, where they are 1."""
        for vector in vectors:
            self.add(vector)

    @property
    def size(self) -> int:
        """Its dimensions."""
        return len(self._rows)

    def left_of(self, vector: Vector) -> Vector:
        """Of a vector what they do not span."""
        left = {**vector}
        while (lead := min(left.keys() & self._rows.keys(), default=-1)) >= 0:
            by = left[lead]
            for place, other in self._rows[lead].items():
                left[place] = (left.get(place, 0) - by * other) % PRIME
                if not left[place]:
                    del left[place]
        return left

    def add(self, vector: Vector) -> None:
        """With one more."""
        left = self.left_of(vector)
        if left:
            lead = min(left)
            inverse = pow(left[lead], -1, PRIME)
            self._rows[lead] = {place: each * inverse % PRIME for place, each in left.items()}
