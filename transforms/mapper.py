"""One site's mapping: NDJSON lines in, outcome records (or the reason why there is none) out."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import blake2b
from operator import methodcaller
from zlib import crc32
from zoneinfo import ZoneInfo

import msgspec

from schemas.outcomes import LENDING_TYPES, MAPPED_TYPES, REFERRED_TYPES, fhir_types_of
from schemas.problems import Problem, Reason
from transforms.codes.code_map import CodeMapRow, csv_line
from transforms.codes.code_map import code_map as meanings
from transforms.codes.systems import repaired_system
from transforms.fhir.elements import Quantity, Scalar, Unusable, bare_id, decode, path_of, text_of
from transforms.fhir.type_names import OTHER_VERSIONS_TYPES, R4_TYPES
from transforms.identity import identity_of
from transforms.mapped import ID_BYTES, NO_LINE, REF_BYTES, WHOLE, Mapped, Outcome, Outcomes, joined
from transforms.privacy import FieldPolicy, Pseudonyms
from transforms.privacy.pseudonyms import all_keyed
from transforms.reading.counting import Count, count_of
from transforms.reading.lending import Links
from transforms.reading.noticed import Noticed
from transforms.reading.reader import Reader
from transforms.reading.readers import Readers
from transforms.reading.references import LookUp, LookUpLent, References
from transforms.resources import declared, declared_in
from transforms.rules.concepts import shared_coding
from transforms.rules.declaring import Resource
from transforms.rules.setting import Setting
from transforms.rules.units import meant_unit

ALL_TYPES = (*MAPPED_TYPES, *LENDING_TYPES, *REFERRED_TYPES)
"""FHIR resource types that are read, records or not."""
_OPENING = b'{"resourceType":"'
_NAME_ENDS = len(_OPENING) + 64
_AT_ONCE = 250
"""Lines read field by field: enough to spread what a batch costs, few enough to stay in a processor's cache."""
_IDENTIFIED = rb'\{\s*"resourceType"\s*:\s*"%b"\s*,\s*"id"\s*:\s*"([^"\\/:]{1,64})"'
_IDENT_OPENS = re.compile(_IDENTIFIED % rb"[A-Za-z]+")
_TYPE_OPENS = re.compile(rb'\{\s*"resourceType"\s*:\s*"([A-Za-z]{1,64})"')
_NO_ID = bytes(ID_BYTES)
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


class _Named(msgspec.Struct, gc=False):
    resourceType: str | None = None


class _Identified(_Named, gc=False):
    id: Scalar = None


_name_of = msgspec.json.Decoder(_Named).decode
_ident_of = msgspec.json.Decoder(_Identified).decode


class Mapper:
    """Maps the resources of one site. Pure but for its counters and its memory of what recurs."""

    def __init__(
        self,
        *,
        site: str,
        time_zone: str,
        subject_key: bytes,
        code_map: Iterable[CodeMapRow] = (),
        types: Collection[str] = ALL_TYPES,
        look_up: LookUp | None = None,
        lent: LookUpLent | None = None,
        bears: Callable[[bytes], bool] | None = None,
        midnight_is_date: bool = False,
        place: tuple[float, float] | None = None,
        today: date | None = None,
    ) -> None:
        self.noticed = Noticed()
        """Counts of what was noticed, until they are taken."""
        rows = list(code_map)
        self._given = (site, time_zone, subject_key, rows, midnight_is_date, place)
        self._identities: dict[str, bytes] = {}
        self._pseudonyms = Pseudonyms(subject_key)
        latest = (today or datetime.now(UTC).date()) + timedelta(days=1)
        setting = Setting(
            ZoneInfo(time_zone),
            self._pseudonyms,
            meanings(rows),
            str(latest),
            midnight_is_date=midnight_is_date,
            bears=bears,
            place=place,
        )
        self._setting = setting
        self._references = References(self._pseudonyms, look_up, lent)
        self._types = frozenset(name.encode() for name in types if declared_in(name))
        self._readers = Readers(declared, site=site, setting=setting, references=self._references, noticed=self.noticed)
        self._links: dict[str, Links] = {}
        self._counts: dict[str, Count] = {}

    def map_lines(self, lines: Sequence[bytes]) -> Outcomes:
        """What becomes of NDJSON lines (without their newlines). Bad input gives a problem, never an exception."""
        self._references.forget()
        if len(lines) <= _AT_ONCE:
            return self._map_some(lines)
        starts = range(0, len(lines), _AT_ONCE)
        return joined([self._map_some(lines[first : first + _AT_ONCE]) for first in starts])

    def _map_some(self, lines: Sequence[bytes]) -> Outcomes:
        name = _opened(lines[0]) if lines else b""
        if name in self._types:
            if (found := self._read_at_once(name, lines)) is not None:
                return found
            if all(map(methodcaller("startswith", _OPENING + name + b'"'), lines)):
                return self._read(name, lines)
        outcomes = Outcomes([None] * len(lines), {}, [], [], [])
        groups: dict[bytes, list[int]] = {}
        for place, line in enumerate(lines):
            name = _opened(line)
            try:
                groups.setdefault(name if name in self._types else _named(line), []).append(place)
            except _UNREADABLE as exc:
                outcomes.put([place], self._unread(self._meant(line), line, exc))
        for name, places in groups.items():
            if name in self._types:
                outcomes.put(places, self._read(name, [lines[place] for place in places]))
            else:
                for place in places:
                    outcomes.put_one(place, _not_mapped(name))
        return outcomes

    def record_ids(self, resource_type: str, lines: Iterable[bytes]) -> list[bytes]:
        """The ids of the whole records that lines of one type give, wherever type and id stand in them.

        Where they stand first, as they nearly always do, without decoding; a line of no such resource has that of no record.
        """
        name = resource_type.encode()
        ref, match = self._pseudonyms.refs(name + b"/"), re.compile(_IDENTIFIED % name).match

        def sought(line: bytes) -> bytes:
            ident = _identified(resource_type, line)
            return ref(ident) + WHOLE if ident else _NO_ID

        return [ref(found[1]) + WHOLE if (found := match(line)) else sought(line) for line in lines]

    def slices_of(self, resource_type: str, lines: Iterable[bytes], slices: int) -> list[int]:
        """Which of so many slices, from 1, lines of one type fall to, by their id: all versions of a resource to the same.

        A line of no such resource falls to the first.
        """
        match = re.compile(_IDENTIFIED % resource_type.encode()).match

        def sought(line: bytes) -> bytes:
            return _identified(resource_type, line.removeprefix(BOM_UTF8))

        return [crc32(found[1] if (found := match(line)) else sought(line)) % slices + 1 for line in lines]

    def identity(self, resource_type: str) -> bytes:
        """What decides the records of a type, as one hash: settings, code map, declaration, rules, tables, libraries.

        Docstrings, comments and files that no mapping of the type imports do not count.
        """
        found = self._identities.get(resource_type)
        if found is None:
            declaration = declared_in(resource_type) or "transforms.mapper"
            found = identity_of(declaration, repr(self._given), self._given[1])
            self._identities[resource_type] = found
        return found

    def line_digests(self, resource_type: str, lines: Iterable[bytes]) -> list[bytes]:
        """What lines of a type are recognised by when they come again: BLAKE2b-128 of all their bytes.

        Keyed with the mapping's identity, so that under another mapping none is recognised.
        """
        return all_keyed(blake2b(key=self.identity(resource_type), digest_size=len(NO_LINE)))(lines)

    def shown_coding(self, system: str | None, code: str) -> tuple[str, str]:
        """A coding of the source as records carry it: what is local and not plain is hashed."""
        shown = shared_coding(repaired_system(system), code, self._setting)
        return shown[0] or "", shown[1]

    def is_unit(self, quantity: bytes) -> bool:
        """Whether a Quantity's unit is one that is known, or none at all."""
        try:
            return meant_unit(decode(quantity, Quantity), self._setting).fault is None
        except Unusable:
            return True  # what is wrong is not its unit

    def record_count(self, resource_type: str, lines: Sequence[bytes]) -> int:
        """How many records lines of a type gave that are recognised, and so need no mapping."""
        count = self._counts.get(resource_type)
        if count is None:
            count = self._counts[resource_type] = count_of(declared(resource_type))
        return count(lines)

    def linked(self, record: Mapped, said: Iterable[bytes]) -> Mapped:
        """A record with what other resources say of it now, in place of what they said before."""
        if not fhir_types_of(record.type):
            return record  # it stands beside the one of which they say it
        links = self._links.get(record.type)
        if links is None:
            resource = declared(fhir_types_of(record.type)[0])
            lent = resource.lent if isinstance(resource, Resource) else ()
            links = self._links[record.type] = Links(lent, partial(FieldPolicy.load().leaves, record.type))
        return links.put(record, said)

    def map_line(self, line: bytes) -> Outcome:
        """What becomes of one line."""
        outcomes = self.map_lines([line])
        record = outcomes.usual[0]
        if record is None:
            return outcomes.unusual[0]
        return Outcome(source_type_of(record), record.id[:REF_BYTES], [record], updated=record.updated)

    def take_flags(self) -> dict[str, int]:
        """The flags raised since they were taken last, by how often."""
        taken = dict(self.noticed.flags)
        self.noticed.flags.clear()
        return taken

    def take_unmapped(self) -> dict[str, int]:
        """The codes that had no meaning since they were taken last, each as a code map's first three columns, by how often."""
        found = self.noticed.unmapped.items()
        taken = {csv_line(*code): count for code, count in found}
        self.noticed.unmapped.clear()
        return taken

    def explain(self, line: bytes) -> list[str]:
        """Why FHIR R4's own rules refuse a line, in full: field paths and kinds of error, no values."""
        from transforms.fhir.conformance import conforms  # loads fhir.resources, which takes a second

        before = self.noticed.copy()
        self.noticed.dropped.clear()
        outcome = self.map_line(line)
        ours = [f"{outcome.problem.path}: {outcome.problem.reason}"] if outcome.problem else []
        ours += [f"{path}: left out" for path in sorted(self.noticed.dropped)]
        self.noticed.update(before)
        return [*ours, *(finding for finding in conforms(line) if finding not in ours)]

    def _read_at_once(self, name: bytes, lines: Sequence[bytes]) -> Outcomes | None:
        """Lines that all say to be of this type, with no field but those met before, as nearly all do; None where that is not so."""
        reader = self._readers.of(name, len(lines))
        try:
            return reader.read(lines, met=True) if isinstance(reader, Reader) else None
        except _UNREADABLE:
            return None

    def _read(self, name: bytes, lines: Sequence[bytes]) -> Outcomes:
        """Lines of one type. Where one cannot be read, the halves are, until it stands alone."""
        try:
            return self._readers.of(name, len(lines)).read(lines)
        except _UNREADABLE as exc:
            if len(lines) == 1:
                return self._unread(name, lines[0], exc)
        middle = len(lines) // 2
        return joined([self._read(name, lines[:middle]), self._read(name, lines[middle:])])

    def _meant(self, line: bytes) -> bytes:
        """The type, of those that are read, that stands at the start of a line that cannot be read on; else empty."""
        found = _TYPE_OPENS.match(line)
        return found[1] if found and found[1] in self._types else b""

    def _unread(self, name: bytes, line: bytes, error: Exception) -> Outcomes:
        """One line that is no JSON, or has another shape than FHIR's."""
        if isinstance(error, msgspec.ValidationError):
            reason = Reason.INVALID_FIELD if name else Reason.NOT_A_RESOURCE
            return Outcomes([None], {0: _unreadable(name, reason, path_of(error))}, [], [], [])
        if line.startswith(BOM_UTF8) and not line.startswith(BOM_UTF8 * 2):
            return self.map_lines([line[len(BOM_UTF8) :]])  # Windows tools put one at the start of a file
        outcome = _unreadable(name, Reason.INVALID_JSON)
        ident = _opened_ident(line)
        ref = self._pseudonyms.refs(name + b"/")(ident) if name and ident else b""
        return Outcomes([None], {0: outcome._replace(ref=ref)}, [], [], [])


def _opened(line: bytes) -> bytes:
    """resourceType where it stands first, as it nearly always does; else empty."""
    return line[len(_OPENING) : line.find(b'"', len(_OPENING), _NAME_ENDS)] if line.startswith(_OPENING) else b""


def _opened_ident(line: bytes) -> bytes:
    """id where it stands behind resourceType at the start of a line that cannot be read on."""
    found = _IDENT_OPENS.match(line)
    return found[1] if found else b""


def resource_type_of(line: bytes) -> str:
    """The resource type that a readable line says; empty for none."""
    return (_opened(line) or _named(line)).decode()


def source_type_of(record: Mapped) -> str:
    """The FHIR resource type that a record comes from."""
    return record.provenance.split(b'"', 6)[5].decode()  # "source":[{"type":"…"


def _named(line: bytes) -> bytes:
    """resourceType, wherever it stands in the line; empty for none. Raises msgspec's errors."""
    name = _name_of(line).resourceType
    return name.encode() if name else b""


def _identified(resource_type: str, line: bytes) -> bytes:
    """The id of a resource of a type, wherever it stands; empty for none, and for what cannot be read."""
    try:
        found = _ident_of(line)
    except _UNREADABLE:
        return b""
    if found.resourceType != resource_type:
        return b""
    return bare_id(found.id if isinstance(found.id, str) else text_of(found.id), resource_type).encode()


def _not_mapped(name: bytes) -> Outcome:
    known = name.decode("ascii", "replace")
    if not name:
        return _unreadable(name, Reason.NOT_A_RESOURCE)
    if known == "OperationOutcome":
        reason = Reason.SERVER_MESSAGE
    elif known == "Bundle":
        reason = Reason.BUNDLE
    elif known in OTHER_VERSIONS_TYPES:
        reason = Reason.OTHER_FHIR_VERSION
    elif known in R4_TYPES:
        reason = Reason.TYPE_NOT_MAPPED
    else:
        return _unreadable(name, Reason.NOT_A_RESOURCE)
    return Outcome(known, b"", [], problem=Problem(reason, known, known))


def _unreadable(name: bytes, reason: Reason, path: str = "") -> Outcome:
    known = name.decode("ascii", "replace")
    known = known if known in R4_TYPES else "?"
    return Outcome(
        known, b"", [], problem=Problem(reason, known, ".".join(filter(None, (known, path))) if path else "")
    )
