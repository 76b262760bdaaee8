"""Lines of one type, decoded whole: by the fields they hold, so that what is declared and stands in none costs nothing."""

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import msgspec
from msgspec import Struct

from transforms.fhir.keys import has_key_twice
from transforms.reading.columns import narrow

_MOST = 64
"""Fields beside the declared ones that are taken in; who sends more is read by those that are."""
_LONGEST_NAME = 64
_NAMING = 4
"""Quotation marks of `"resourceType":"…"`, where that is not written again."""
_WRITTEN_AT_ONCE = 40
"""Resources written again at once: they are in the processor's nearest cache still."""
_encode, _encode_into = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_into
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Decoded(NamedTuple):
    """A batch."""

    names: Sequence[str]
    """The fields of each resource."""
    resources: list[Struct]
    twice: list[int]
    """The places of those in which a key stands twice, in the outermost object or where nobody reads."""


class Whole:
    """Decodes lines of one type by the fields met so far; a line with another field makes it met.

    Written again, a resource is as long as its line; or shorter by its white space, and has as many quotation marks.
    If not, a key stood twice: no line is looked into twice but those. Inside a field, whoever reads it looks; in those
    that nobody reads, it is done here.
    """

    def __init__(self, resource_type: str, names: Sequence[str], *, read: Collection[str]) -> None:
        """`read`: those of the names in whose contents others look for keys that stand twice."""
        self._type = resource_type
        self.declared = frozenset(names)
        """Fields that are read, met or not."""
        self._read = frozenset(read)
        self._met: tuple[str, ...] = ()
        self._written = bytearray()

    def decode(self, lines: Sequence[bytes]) -> Decoded:
        """The resources. Raises msgspec's and Unicode's errors where a line is none."""
        try:
            return self.decode_met(lines)
        except msgspec.ValidationError:
            learnt = self._learn(lines)
        if learnt:
            try:
                return self.decode_met(lines)
            except msgspec.ValidationError:
                pass
        return self._decoded(lines, tuple(sorted(self.declared.union(self._met))), strict=False)

    def decode_met(self, lines: Sequence[bytes]) -> Decoded:
        """The resources, where they are of this type and have no field but those met. Raises as `decode`, and where they have."""
        return self._decoded(lines, self._met)

    def _learn(self, lines: Sequence[bytes]) -> bool:
        """Whether there were fields to be met, taken in all at once."""
        found = {name for line in lines for name in _keys(line)} - {"resourceType", *self._met}
        others = sorted(name for name in found - self.declared if _is_plain(name))
        room = max(0, _MOST - len(set(self._met) - self.declared))
        new = {*(found & self.declared), *others[:room]}
        self._met = tuple(sorted({*self._met, *new}))
        return bool(new)

    def _decoded(self, lines: Sequence[bytes], names: tuple[str, ...], *, strict: bool = True) -> Decoded:
        """`strict`: a field that is not of these is an error; else it is passed over."""
        decode, found = _decoder(self._type, names, strict), list[Struct]()
        beside = 0 if strict else len(b'"resourceType":"",') + len(self._type)
        lost = sum(map(len, lines)) - beside * len(lines)
        for first in range(0, len(lines), _WRITTEN_AT_ONCE):
            some = list(map(decode, lines[first : first + _WRITTEN_AT_ONCE]))
            _encode_into(some, self._written)
            lost -= len(self._written) - len(some) - 1
            found += some
        twice = self._twice_inside(names, found)
        if lost:
            twice = sorted({*twice, *_twice(found, lines, beside, 0 if strict else _NAMING)})
        return Decoded(names, found, twice)

    def _twice_inside(self, names: Sequence[str], found: Sequence[Struct]) -> list[int]:
        """Places of the resources that have a key twice in a field which is not read; all are looked into at once."""
        unread = [f"f{number}" for number, name in enumerate(names) if name not in self._read]
        if not unread or not has_key_twice(_encode(rows := list(map(attrgetter(*unread), found)))):
            return []
        return [place for place, row in enumerate(rows) if has_key_twice(_encode(row))]


@lru_cache(maxsize=256)
def _decoder(resource_type: str, names: tuple[str, ...], strict: bool) -> Callable[[bytes], Struct]:
    return msgspec.json.Decoder(narrow(resource_type, names, strict=strict)).decode


def _is_plain(name: str) -> bool:
    """Whether it is written as it is."""
    return name.isascii() and name.isprintable() and not {'"', "\\"} & {*name} and 0 < len(name) <= _LONGEST_NAME


def _twice(found: Sequence[Struct], lines: Sequence[bytes], beside: int, naming: int) -> list[int]:
    twice: list[int] = []
    for place, (resource, line) in enumerate(zip(found, lines, strict=True)):
        written = _encode(resource)
        if len(line) == len(written) + beside or line.count(b'"') == written.count(b'"') + naming:
            continue
        if has_key_twice(line):
            twice.append(place)
    return twice
