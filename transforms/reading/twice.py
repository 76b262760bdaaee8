"""Lines of one type in which a key stands twice, told by what the narrow decode lost of them."""

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from transforms.fhir.keys import has_key_twice
from transforms.reading.columns import narrow

_MOST = 64
_NAMING = 4
"""Quotation marks of `"resourceType":"…"`, which is not written again."""
_encode = msgspec.json.Encoder().encode
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Whole:
    """Decodes lines of one type: the fields that are read, and behind them all others that were met.

    Written again, a resource is as long as its line; or shorter by its white space, and has as many quotation marks.
    If not, a key stood twice, or a field was not met before: no line is looked into twice but those. Inside a field,
    whoever reads it looks; in those that nobody reads, it is done here.
    """

    def __init__(self, resource_type: str, names: Sequence[str], *, read: Collection[str]) -> None:
        """`read`: those of the names in whose contents others look for keys that stand twice."""
        self._type, self._names, self._read = resource_type, list(names), frozenset(read)
        self._beside = len(b'"resourceType":"",') + len(resource_type)
        self._learn(())

    def _learn(self, names: Sequence[str]) -> None:
        self._names += [name for name in names if name not in self._names and name != "resourceType"]
        self._decode: Any = msgspec.json.Decoder(narrow(self._type, self._names)).decode
        unread = [f"f{number}" for number, name in enumerate(self._names) if name not in self._read]
        self._unread = attrgetter(*unread) if unread else None

    def decode(self, lines: Sequence[bytes]) -> tuple[list[Struct], list[int]]:
        """The resources, and the places of those in which a key stands twice, in the outermost object or where nobody reads."""
        found = list(map(self._decode, lines))
        lost = sum(map(len, lines)) - len(_encode(found)) + len(found) + 1 - self._beside * len(found)
        twice = self._twice_inside(found)
        return found, sorted({*twice, *self._twice(found, lines)}) if lost else twice

    def _twice_inside(self, found: Sequence[Struct]) -> list[int]:
        """Places of the resources that have a key twice in a field which is not read; all are looked into at once."""
        if self._unread is None or not has_key_twice(_encode(rows := list(map(self._unread, found)))):
            return []
        return [place for place, row in enumerate(rows) if has_key_twice(_encode(row))]

    def _twice(self, found: Sequence[Struct], lines: Sequence[bytes]) -> list[int]:
        twice: list[int] = []
        for place, (resource, line) in enumerate(zip(found, lines, strict=True)):
            written = _encode(resource)
            if len(line) == len(written) + self._beside or line.count(b'"') == written.count(b'"') + _NAMING:
                continue
            if has_key_twice(line):
                twice.append(place)
            elif len(self._names) < _MOST:
                self._learn([name for name in _keys(line) if name.isalnum() or name.startswith("_")])
        return twice
