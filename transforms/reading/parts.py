"""The parts of resources, such as components, that become records of their own."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from schemas.problems import Reason
from transforms.fhir.elements import (
    Unusable,
    decode,
    path_of,
    text_of,
)
from transforms.fhir.keys import has_key_twice
from transforms.mapped import WHOLE
from transforms.reading.columns import Columns, narrow, settled
from transforms.reading.memories import EMPTY, LONGEST_KEY, Note, Notes, Table, Texts, remember
from transforms.rules.concepts import concept_of
from transforms.rules.declaring import Element, Parts
from transforms.rules.setting import Setting

_encode = msgspec.json.Encoder().encode
_UNREADABLE = Note(Reason.INVALID_FIELD)


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
    contents: dict[int, bytes]
    """Place of a resource → the list of its parts."""
    paths: list[str]
    """Where each part stands in its resource; empty where their list tells it."""


def part_label(known_by: bytes, systems: Collection[str]) -> bytes:
    """What names a part within its resource, from what the source itself carries: never from a map, a choice, an order.

    The smallest code of the wanted system, else the smallest (system, code), else the text; a linkId as it stands.
    """
    if not known_by:
        return b""
    if known_by[:1] == b'"':
        return text_of(decode(known_by, str)).encode()
    try:
        concept = concept_of(known_by)
    except Unusable:
        return settled(known_by)
    found = [(coding.system, text_of(coding.code)) for coding in concept.codings]
    wanted = [(code, system) for system, code in found if system in systems and code]
    if wanted:
        code, system = min(wanted, key=lambda coding: (coding[0], coding[1] or ""))
        return f"{system}|{code}".encode()
    if found:
        system, code = min(found, key=lambda coding: (not coding[1], coding[0] or "", coding[1]))
        return f"{system}|{code}".encode()
    return text_of(concept.text).encode()


class PartReader:
    """Reads the parts of one type's resources."""

    def __init__(self, declared: Parts | None, table: Table, setting: Setting) -> None:
        self.field = declared.of if declared else ""
        """The FHIR field that holds them."""
        self._known_by = declared.known_by if declared else ""
        self._spread, self._beside = (declared.spread, declared.beside) if declared else (None, "")
        self._systems = declared.systems if declared else ()
        self._table = table
        self._names = list(dict.fromkeys([*table.names, *filter(None, [self._known_by])]))
        self._twice = Note(Reason.DUPLICATE_KEY, self.field)
        part: Any = narrow("Part", self._names)
        self._decode = msgspec.json.Decoder(list[part]).decode
        self._unread = [
            f"f{number}"
            for number, name in enumerate(self._names)
            if name not in table.memories and name not in table.said_absent
        ]
        self._keyed = setting.pseudonyms.refs(b"part/")
        self._numbers: dict[bytes | None, bytes] = {}

    def read(self, source: Columns, split: Sequence[int]) -> Elements:
        """The parts of the resources at the places `split`, read as a batch of their own.

        Where whoever reads a field finds a key twice in it, all are read again, looked into to their depths.
        """
        parts = self._read(source, split, deep=self._spread is not None)
        if any(note.reason is Reason.DUPLICATE_KEY for noted in parts.notes.values() for note in noted):
            parts = self._read(source, split, deep=True)
        return parts

    def _read(self, source: Columns, split: Sequence[int], *, deep: bool) -> Elements:
        owners: list[int] = []
        elements: list[Struct] = []
        faults: dict[int, Note] = {}
        notes, paths = Notes(list), list[str]()
        contents = {place: source.contents(self.field)[place] or b"" for place in split}
        for place in split:
            if deep and has_key_twice(contents[place]):
                faults[place] = self._twice
                continue
            if self._spread is not None:
                try:
                    found = self._found_in(contents[place], place, source)
                except Unusable as fault:
                    faults[place] = Note(fault.reason, f"{self.field}{fault.path}")
                    continue
                for number, each in enumerate(found, len(elements)):
                    if not each.content:
                        notes[number].append(_UNREADABLE)
                paths += [each.path for each in found]
                contents[place] = b"[%b]" % b",".join([each.content or b"{}" for each in found])
            try:
                parts = self._parts_in(contents[place], len(elements), notes, looked_into=deep)
            except msgspec.ValidationError as exc:
                faults[place] = Note(Reason.INVALID_FIELD, f"{self.field}{path_of(exc)}")
                continue
            if parts is None:
                faults[place] = self._twice
                continue
            elements += parts
            owners += [place] * len(parts)
        columns = Columns(self._names, elements)
        texts = self._table.texts(columns, notes)
        return Elements(owners, columns.contents(self._known_by), texts, notes, faults, contents, paths)

    def _found_in(self, content: bytes, place: int, source: Columns) -> list[Element]:
        """The parts inside parts. Raises Unusable."""
        assert self._spread is not None
        beside = source.contents(self._beside)[place]
        lent = source.companions(self._beside, self._beside)[place] if beside else None
        return self._spread(content, beside, lent)

    def _parts_in(self, content: bytes, start: int, notes: Notes, *, looked_into: bool) -> list[Struct] | None:
        """The elements of a list; None where a key stands twice in it, but in fields that are read. Written again, they are as long as it,
        or a key stood twice."""
        try:
            parts: list[Struct] = self._decode(content)
        except msgspec.ValidationError:
            if not looked_into and has_key_twice(content):
                return None
            return self._one_by_one(content, start, notes)
        if looked_into:
            return parts
        if len(_encode(parts)) != len(content):
            return None if has_key_twice(content) else parts
        unread = [raw for part in parts for name in self._unread if (raw := getattr(part, name)) is not None]
        return None if unread and has_key_twice(_encode(unread)) else parts

    def _one_by_one(self, content: bytes, start: int, notes: Notes) -> list[Struct]:
        """Parts of which one has another shape than FHIR's; that one is noted."""
        listed = msgspec.json.decode(content, type=list[Raw]) if content[:1] == b"[" else [Raw(content)]
        found: list[Struct] = []
        for each in listed:
            try:
                found += self._decode(b"[%b]" % bytes(each))
            except msgspec.ValidationError as exc:
                if content[:1] not in b"[{":
                    raise
                empty = bytes(each) == b"null"
                notes[start + len(found)].append(EMPTY if empty else Note(Reason.INVALID_FIELD, path_of(exc)))
                found += self._decode(b"[{}]")
        return found

    def numbers(self, keys: Sequence[bytes | None], content: bytes | None) -> tuple[list[bytes], Collection[int]]:
        """The four bytes of each part in a resource's list of parts, and those known by the same as another.

        A keyed hash of the part's label, so that they stay when parts change places.
        """
        known, learn = self._numbers.get, self._learn
        numbers = [known(key) or learn(key) for key in keys]
        if len({WHOLE, *numbers}) > len(numbers):
            return numbers, ()
        return self._told_apart([key or b"" for key in keys], msgspec.json.decode(content or b"[]", type=list[Raw]))

    def _learn(self, key: bytes | None) -> bytes:
        number = self._hash(part_label(key or b"", self._systems))
        if len(key or b"") <= LONGEST_KEY:
            remember(self._numbers, key, number)
        return number

    def _hash(self, label: bytes) -> bytes:
        return self._keyed(label)[: len(WHOLE)]

    def _told_apart(self, keys: Sequence[bytes], parts: Sequence[Raw]) -> tuple[list[bytes], Collection[int]]:
        """Parts known by the same (or, once in a million resources, of the same hash) are numbered by their content."""
        labels = [part_label(key, self._systems) for key in keys]
        contents = [settled(bytes(part)) for part in parts]
        numbers, taken = [b""] * len(labels), {WHOLE}
        for index in sorted(range(len(labels)), key=lambda index: (labels[index], contents[index])):
            number, attempt = self._hash(labels[index]), 1
            while number in taken:
                attempt += 1
                number = self._hash(b"%d/%b" % (attempt, labels[index]))
            taken.add(number)
            numbers[index] = number
        return numbers, {index for index, label in enumerate(labels) if labels.count(label) > 1}
