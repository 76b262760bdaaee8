"""The parts of resources, such as components, that become records of their own."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import astuple

from schemas.problems import Reason
from transforms.fhir.elements import (
    CodeableConcept,
    Unusable,
    decode,
    path_of,
    text_of,
)
from transforms.mapped import WHOLE
from transforms.reading.columns import Columns, narrow
from transforms.reading.memories import LONGEST_KEY, Note, Notes, Table, Texts, remember
from transforms.rules.declaring import Parts
from transforms.rules.setting import Setting

_EMPTY = frozenset({b"null", b"{}"})


class Elements(NamedTuple):
    """The parts of a batch's resources, in one row."""

    owners: list[int]
    """The place of the resource each part belongs to, rising."""
    known_by: list[bytes | None]
    """What says which part it is."""
    texts: list[Texts]
    notes: Notes
    faults: dict[int, Note]
    """Place of a resource → why its parts cannot be read."""


def _label(code: bytes) -> bytes:
    """What names a part within its resource: its first coding, else the concept as it stands."""
    try:
        concept = decode(code, CodeableConcept)
    except Unusable:
        return code
    first = next(iter(concept.codings), None)
    return f"{first.system}|{text_of(first.code)}".encode() if first else text_of(concept.text).encode()


class PartReader:
    """Reads the parts of one type's resources."""

    def __init__(self, declared: Parts | None, table: Table, setting: Setting) -> None:
        self.field = declared.of if declared else ""
        """The FHIR field that holds them."""
        self._known_by = declared.known_by if declared else ""
        self._table = table
        self._names = list(dict.fromkeys([*table.names, *filter(None, [self._known_by])]))
        part: Any = narrow("Part", self._names)
        self._decode = msgspec.json.Decoder(list[part]).decode
        self._named = b'"%b"' % self.field.encode()
        holder = msgspec.defstruct("Holder", [("parts", list[Raw] | None, None)], rename={"parts": self.field})
        self._decode_list = msgspec.json.Decoder(holder).decode
        self._keyed = setting.pseudonyms.refs(b"part/")
        self._numbers: dict[bytes, bytes] = {}

    def read(self, source: Columns, split: Sequence[int]) -> Elements:
        """The parts of the resources at the places `split`, read as a batch of their own."""
        owners: list[int] = []
        elements: list[Struct] = []
        faults: dict[int, Note] = {}
        contents = source.contents(self.field) if split else []
        for place in split:
            try:
                parts = self._decode(contents[place] or b"")
            except msgspec.ValidationError as exc:
                faults[place] = Note(Reason.INVALID_FIELD, f"{self.field}{path_of(exc)}")
                continue
            elements += parts
            owners += [place] * len(parts)
        columns, notes = Columns(self._names, elements), Notes(list)
        texts = self._table.texts(columns, notes)
        return Elements(owners, columns.contents(self._known_by), texts, notes, faults)

    def number(self, code: bytes, taken: set[bytes]) -> bytes:
        """The part's four bytes: keyed hash of its code, so that they stay when parts change places."""
        number = self._numbers.get(code)
        if number is None:
            number = self._keyed(_label(code))[: len(WHOLE)]
            if len(code) <= LONGEST_KEY:
                remember(self._numbers, code, number)
        attempt = 1
        while number in taken:  # the same code twice, or a collision
            attempt += 1
            number = self._keyed(b"%d/%b" % (attempt, _label(code)))[: len(WHOLE)]
        taken.add(number)
        return number

    def record_count(self, line: bytes) -> int:
        """How many records a line gave that is known: the whole and its parts."""
        if self._named not in line:
            return 1
        (parts,) = astuple(self._decode_list(line))
        return 1 + sum(bytes(part) not in _EMPTY for part in parts or ())
