"""Numbers by number in arrays, for what is kept of each of one person's records: somebody may have a hundred thousand."""

from array import array

_SLOTS = 64
_BITS = 2**63 - 1


class Hashes:
    """The first number told with each hash: 16 bytes a place, of which at most half are filled."""

    def __init__(self) -> None:
        self._filled = 0
        self._begin(_SLOTS)

    def _begin(self, slots: int) -> None:
        self._last = slots - 1
        self._keys, self._told = array("q", bytes(8 * slots)), array("q", bytes(8 * slots))

    def first(self, hashed: int, told: int = 0) -> int:
        """What was told first with a hash, which is this where nothing was."""
        place = self._place(key := _key(hashed))
        if self._keys[place]:
            return self._told[place]
        self._keys[place], self._told[place] = key, told
        self._filled += 1
        if 2 * self._filled > self._last:
            self._grow()
        return told

    def __contains__(self, hashed: int) -> bool:
        """Whether anything was told with it."""
        return self._keys[self._place(_key(hashed))] != 0

    def _place(self, key: int) -> int:
        keys, last = self._keys, self._last
        place = (key ^ key >> 32) & last
        while (there := keys[place]) and there != key:
            place = place + 1 & last
        return place

    def _grow(self) -> None:
        before = zip(self._keys, self._told, strict=True)
        self._begin(4 * (self._last + 1))
        for key, told in before:
            if key:
                place = self._place(key)
                self._keys[place], self._told[place] = key, told


def _key(hashed: int) -> int:
    """Sixty-three bits of it, none of which is nothing."""
    return hashed & _BITS or 1
