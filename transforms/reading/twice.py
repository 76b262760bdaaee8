"""Lines of one type in which a key stands twice, told by what the narrow decode lost of them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from transforms.fhir.keys import has_key_twice
from transforms.reading.columns import narrow

_MOST = 64
_encode = msgspec.json.Encoder().encode
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Whole:
    """Decodes lines of one type: the fields that are read, and behind them all others that were met.

    Written again, a resource is as long as its line, whether its serialiser puts a blank behind `:` and `,` or not;
    shorter only if a key stood twice, or a field was not met before. So no line is looked into twice but those.
    """

    def __init__(self, resource_type: str, names: Sequence[str]) -> None:
        self._type, self._names = resource_type, list(names)
        self._beside = len(b'"resourceType":"",') + len(resource_type)
        self._learn(())

    def _learn(self, names: Sequence[str]) -> None:
        self._names += [name for name in names if name not in self._names and name != "resourceType"]
        self._decode: Any = msgspec.json.Decoder(narrow(self._type, self._names)).decode

    def decode(self, lines: Sequence[bytes]) -> tuple[list[Struct], list[int]]:
        """The resources, and the places of those in which a key of the outermost object stands twice."""
        found = list(map(self._decode, lines))
        lost = sum(map(len, lines)) - len(_encode(found)) + len(found) + 1 - self._beside * len(found)
        return found, self._twice(found, lines) if lost else []

    def _twice(self, found: Sequence[Struct], lines: Sequence[bytes]) -> list[int]:
        twice: list[int] = []
        for place, (resource, line) in enumerate(zip(found, lines, strict=True)):
            lost = len(line) - len(_encode(resource)) - self._beside
            if not lost or lost == 2 * sum(value is not None for value in astuple(resource)) + 1:
                continue
            if has_key_twice(line):
                twice.append(place)
            elif len(self._names) < _MOST:
                self._learn([name for name in _keys(line) if name.isalnum() or name.startswith("_")])
        return twice
