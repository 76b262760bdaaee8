"""Which derived records of one person stand already, and which of them are not given again: somebody may have four hundred thousand."""

from array import array
from collections.abc import Iterator

from transforms.derive.history.numbers import FEW
from transforms.mapped import REF_BYTES

_SLOTS = 1_024


class Standing:
    """Their refs (12 bytes): the first few in a set, further ones side by side, found by an open-addressed table of their places."""

    def __init__(self) -> None:
        self._few = set[bytes]()
        self._refs, self._given, self._places = bytearray(), bytearray(), array("I")

    def __bool__(self) -> bool:
        """Whether there were any."""
        return bool(self._few or self._given)

    def add(self, ref: bytes) -> None:
        """One that stands; each once."""
        if len(self._few) < FEW:
            self._few.add(ref)
            return
        self._refs += ref
        self._given.append(0)
        if 2 * len(self._given) > len(self._places):
            self._grow()
        else:
            self._places[self._slot(ref)] = len(self._given)

    def give(self, ref: bytes) -> None:
        """One that is given, whether it stands or not."""
        if ref in self._few:
            self._few.remove(ref)
        elif self._given and (place := self._places[self._slot(ref)]):
            self._given[place - 1] = 1

    def left(self) -> Iterator[bytes]:
        """Those that were not given."""
        yield from sorted(self._few)
        for place, given in enumerate(self._given):
            if not given:
                yield self._ref(place)

    def _ref(self, place: int) -> bytes:
        return bytes(self._refs[place * REF_BYTES : (place + 1) * REF_BYTES])

    def _slot(self, ref: bytes) -> int:
        """Where its place stands, or would; refs are hashes already."""
        refs, places, last = self._refs, self._places, len(self._places) - 1
        slot = int.from_bytes(ref[:8]) & last
        while (place := places[slot]) and refs[(place - 1) * REF_BYTES : place * REF_BYTES] != ref:
            slot = slot + 1 & last
        return slot

    def _grow(self) -> None:
        self._places = array("I", bytes(4 * max(2 * len(self._places), _SLOTS)))
        for place in range(len(self._given)):
            self._places[self._slot(self._ref(place))] = place + 1
