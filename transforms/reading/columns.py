"""The narrow decode of a batch: only the fields that are read, field by field rather than line by line."""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from itertools import compress, repeat
from operator import is_not
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import astuple

from transforms.fhir.elements import (
    Scalar,
)

_encode = msgspec.json.Encoder().encode
_loose = msgspec.json.Decoder(float_hook=lambda written: Raw(written.encode()))


class Columns:
    """The decoded elements of a batch, field by field. A field that stands in none of them costs nothing.

    A Raw is always true; comparing it with None, as `None in column` does, takes ten times as long.
    """

    def __init__(self, names: Iterable[str], elements: Sequence[Struct]) -> None:
        self.count = len(elements)
        columns = zip(*map(astuple, elements), strict=True)
        self._standing: dict[str, Sequence[Any]] = {
            name: column
            for name, column in zip(names, columns, strict=False)
            if any(column) or column.count(None) != self.count  # an id of 0 is false, too
        }
        self._contents: dict[str, list[bytes | None]] = {}
        self._companions: dict[str, list[bytes | None]] = {}
        self._stands: dict[str, bytes] = {}
        self._everywhere = b"\1" * self.count

    def __contains__(self, name: str) -> bool:
        return name in self._standing

    def values(self, name: str) -> Sequence[Any]:
        """A field as it was decoded, None where it is missing."""
        return self._standing.get(name) or [None] * self.count

    def contents(self, name: str) -> list[bytes | None]:
        """A field's bytes, None where it is missing. `b"" + raw` copies a Raw in two thirds of the time of `bytes(raw)`."""
        contents = self._contents.get(name)
        if contents is None:
            column = self.values(name)
            if all(column):
                contents = [b"" + raw for raw in column]
            else:
                contents = [None if raw is None else b"" + raw for raw in column]
            self._contents[name] = contents
        return contents

    def beside(self, needs: str | tuple[str, ...]) -> list[bytes | None]:
        """A companion field's bytes; of several fields, those of all as one list."""
        if isinstance(needs, str):
            return self.contents(needs)
        rows = zip(*map(self.contents, needs), strict=True)
        return [b"[%b]" % b",".join([b"null" if raw is None else raw for raw in row]) for row in rows]

    def put(self, name: str, contents: list[bytes | None]) -> None:
        """The bytes of a field that was decoded to something else."""
        self._contents[name] = contents

    def lend(self, name: str, companions: list[bytes | None]) -> None:
        """What stands beside a field's contents, where that is not a field of the same element."""
        self._companions[name] = companions

    def add(self, name: str, contents: list[bytes | None]) -> None:
        """A field that does not stand in the resources themselves."""
        self._standing[name] = self._contents[name] = contents
        self._stands.pop(name, None)

    def companions(self, name: str, field: str | tuple[str, ...]) -> list[bytes | None]:
        """What stands beside a field's contents: what was lent, else another field."""
        lent = self._companions.get(name)
        return self.beside(field) if lent is None else lent

    @property
    def names(self) -> Collection[str]:
        """The fields that stand somewhere."""
        return self._standing.keys()

    def standing(self, name: str) -> list[int]:
        """The places where a field stands."""
        if (stands := self._stands.get(name)) is not None:
            return list(compress(range(self.count), stands))
        return [place for place, raw in enumerate(self._standing.get(name, ())) if raw is not None]

    def without(self, names: Sequence[str]) -> list[int]:
        """The places where none of the fields stands."""
        standing = 0
        for name in names:
            standing |= self._mask(name)
        return self._places(int.from_bytes(self._everywhere, "little") ^ standing)

    def with_several(self, names: Sequence[str]) -> list[int]:
        """The places where more than one of the fields stands."""
        standing = several = 0
        for name in names:
            mask = self._mask(name)
            several |= standing & mask
            standing |= mask
        return self._places(several)

    def _mask(self, name: str) -> int:
        """Where a field stands, a byte a place: such are compared all at once."""
        return int.from_bytes(self._where(name), "little")

    def _where(self, name: str) -> bytes:
        stands = self._stands.get(name)
        if stands is None:
            column = self._standing.get(name, ())
            everywhere = column and all(column)
            stands = self._everywhere if everywhere else bytes(map(is_not, column, repeat(None)))
            self._stands[name] = stands
        return stands

    def _places(self, mask: int) -> list[int]:
        return [place for place, stands in enumerate(mask.to_bytes(self.count, "little")) if stands] if mask else []


def narrow(name: str, fields: Iterable[str], *, strict: bool = False) -> Any:
    """A struct of just these FHIR fields, each absent or kept as bytes; the id as a scalar.

    `strict`: others are an error; so is whatever does not say by its `resourceType`, which stands last, that it is of this name.
    """
    attributes = {f"f{number}": field for number, field in enumerate(fields)}
    own = [(attribute, Scalar if field == "id" else Raw, None) for attribute, field in attributes.items()]
    return msgspec.defstruct(
        name,
        [*own, ("said", Literal[name])] if strict else own,
        rename=attributes | {"said": "resourceType"},
        omit_defaults=True,
        kw_only=True,
        gc=False,
        forbid_unknown_fields=strict,
    )


def without_empty(line: bytes) -> bytes:
    """The JSON without null and empty members, numbers as written."""
    return _encode(_pruned(_loose.decode(line)))


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        pruned = {name: _pruned(inner) for name, inner in value.items()}
        return {name: inner for name, inner in pruned.items() if not _is_empty(inner)}
    if isinstance(value, list):
        return [inner for inner in map(_pruned, value) if not _is_empty(inner)]
    return value


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def settled(content: bytes) -> bytes:
    """JSON in one form whatever its serialiser: keys and lists sorted, equal numbers equal."""
    return _encode(_sorted(_exact.decode(content)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return sorted(map(_sorted, value), key=_encode) if isinstance(value, list) else value


def _number(written: str) -> Raw:
    try:
        return Raw(str(Decimal(written).normalize()).encode())
    except ArithmeticError:  # beyond what any quantity holds
        return Raw(written.encode())


_exact = msgspec.json.Decoder(float_hook=_number)
