"""A declared mapping made fast: one narrow decode of the line, then one look-up a field.

The contents of most fields recur: the same code, category, unit, patient or encounter thousands of times. So what a rule
gave for a field's bytes is remembered as the bytes of the record they become, and mapping a usual line is a dozen
look-ups and a join. Memories are bounded, so memory stays flat.
"""

import re
from binascii import hexlify
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from schemas.problems import Problem, Reason
from transforms.elements import CodeableConcept, Reference, Scalar, Unusable, decode, path_of, reference_id, text_of
from transforms.mapped import DIGEST_BYTES, REF_BYTES, Mapped, Outcome
from transforms.privacy import SUBJECT_BYTES
from transforms.rules import WHOLE, Choice, Fields, Found, Resource, Rule, Setting
from transforms.times import instant

Leaves = Callable[[str], bool]
"""Whether the field policy lets an output field leave."""

_MEMORIES = 1024
_FIELD_MEMORIES = 2048
"""Entries a memory holds before it starts anew: what recurs soon, recurs within a few patients' resources …"""
_PAIRED_MEMORIES = 4096
"""… but pairs of code and quantity recur everywhere."""
_LONGEST_KEY = 1024
"""Longer fields are read each time, so that a memory is a few megabytes whatever the source sends."""
_EMPTY = frozenset({b"null", b'""', b"{}", b"[]"})
_encode = msgspec.json.Encoder().encode
_loose = msgspec.json.Decoder(float_hook=lambda written: Raw(written.encode()))
_PRECEDENCE = {Reason.OTHER_FHIR_VERSION: 0, Reason.NOT_A_FACT: 1}


class Note(NamedTuple):
    """What reading a field noticed; most fields have none."""

    reason: Reason | None = None
    path: str = ""
    flags: tuple[str, ...] = ()
    unmapped: tuple[tuple[str, str], ...] = ()
    withdrawn: bool = False
    emptied: bool = False


EMPTY = Note(emptied=True)
"""The field stands but is null or empty, which FHIR forbids and feeds do: the line is read again without such fields."""


def members(values: Iterable[tuple[str, Any]]) -> bytes:
    """JSON members with a leading comma, empty values left out."""
    return b"".join(
        b',"%b":%b' % (name.encode(), _encode(value)) for name, value in values if value not in (None, "", [])
    )


class Memory(dict[bytes, bytes]):
    """What is known of one FHIR field: its bytes (after its companion's) → the members they become.

    Contents of which something was noticed are kept apart, so that the usual ones cost one look-up. In two generations,
    so that what recurs outlives what does not.
    """

    def __init__(self, name: str, rule: Rule, setting: Setting, leaves: Leaves) -> None:
        super().__init__()
        self.name = name
        self._read = rule.read
        self._setting = setting
        self._usual = rule.usual and rule.usual(setting)
        self._openings = tuple(b',"%b":' % field.encode() if leaves(field) else None for field in rule.gives)
        self._kept = tuple((field, b',"%b":' % field.encode()) for field in rule.gives if leaves(field))
        self._older: dict[bytes, bytes] = {}
        self._noted: dict[bytes, tuple[bytes, Note]] = {}
        self._most = _PAIRED_MEMORIES if rule.needs else _FIELD_MEMORIES

    def learn(self, key: bytes, raw: bytes, companion: bytes | None, notes: list[Note]) -> bytes:
        """The members of a content not at hand, which is remembered; what was noticed is added to `notes`."""
        known = self._noted.get(key)
        if known is not None:
            notes.append(known[1])
            return known[0]
        found = self._older.get(key)
        if found is None:
            found, note = self._entry(raw, companion)
            if note is not None:
                notes.append(note)
                _remember(self._noted, key, (found, note))
                return found
        if len(key) <= _LONGEST_KEY:
            if len(self) >= self._most:
                self._older = dict(self)
                self.clear()
            self[key] = found
        return found

    def _entry(self, raw: bytes, companion: bytes | None) -> tuple[bytes, Note | None]:
        if raw in _EMPTY:
            return b"", EMPTY
        if self._usual is not None and (texts := self._usual(raw, companion)) is not None:
            pairs = zip(self._openings, texts, strict=True)
            return b"".join([opening + text for opening, text in pairs if opening and text]), None
        try:
            found = self._read(raw, companion, self._setting)
        except Unusable as fault:
            path = ".".join(filter(None, (self.name, fault.path)))
            return b"", Note(fault.reason, path, (fault.flag,) if fault.flag else ())
        values = found.values
        text = b""
        for name, opening in self._kept:
            value = values.get(name)
            if value is not None and value != "" and value != []:
                text += opening + _encode(value)
        return text, _note(found)


def _note(found: Found) -> Note | None:
    if found.flags or found.unmapped or found.withdrawn:
        return Note(flags=found.flags, unmapped=found.unmapped, withdrawn=found.withdrawn)
    return None


def _remember(memory: dict[bytes, Any], key: bytes, value: Any) -> None:
    if len(key) <= _LONGEST_KEY:
        if len(memory) >= _MEMORIES:
            memory.clear()
        memory[key] = value


def _settings_of(name: str, rule: Rule | Choice) -> list[tuple[str, Rule]]:
    return list(rule.fields.items()) if isinstance(rule, Choice) else [(name, rule)]


class Table:
    """Declared fields, compiled as dataclasses are: into straight lines of code that look up field after field.

    A loop over the fields that are declared but do not stand would take longer than mapping those that do.
    """

    def __init__(self, fields: Fields, letter: str, setting: Setting, leaves: Leaves, known: Mapping[str, str]) -> None:
        rules = [pair for name, rule in fields.items() for pair in _settings_of(name, rule)]
        self.attributes = {name: f"{letter}{index}" for index, (name, _) in enumerate(rules)}
        """FHIR field → attribute of the narrow struct, in the order of the record's fields."""
        needed = dict.fromkeys(rule.needs for _, rule in rules if rule.needs and rule.needs not in self.attributes)
        self.companions = {name: f"{letter}_{index}" for index, name in enumerate(needed)}
        """FHIR fields that no rule reads for themselves."""
        self._place = {**known, **self.attributes, **self.companions}
        self._leaves = leaves
        self.memories = {name: Memory(name, rule, setting, leaves) for name, rule in rules}
        self.names: dict[str, Any] = {}
        """What the lines of code refer to."""
        self.lines: list[str] = []
        """Of `source`, the decoded element, to `found` and `notes`: what its fields give and what was noticed."""
        for name, rule in fields.items():
            if isinstance(rule, Choice):
                self.lines.append("standing = 0")
            for field, one in _settings_of(name, rule):
                self.lines += self._lookup(field, one, counted=isinstance(rule, Choice))
            self.lines += self._absence(name, rule)

    def _lookup(self, field: str, rule: Rule, *, counted: bool) -> list[str]:
        """Code that looks one field up in its memory. `b"" + raw` copies a Raw in a third of the time of `bytes(raw)`."""
        attribute = self._place[field]
        self.names[f"get_{attribute}"] = self.memories[field].get
        self.names[f"learn_{attribute}"] = self.memories[field].learn
        raw = f"source.{attribute}"
        lines = [f"if {raw} is not None:"]
        if counted:
            lines.append("    standing += 1")
        if rule.needs:
            companion = self._place[rule.needs]
            lines += [
                f"    other = source.{companion}",
                f"    key = b'' + {raw} if other is None else b'' + other + {raw}",
                f"    if (members := get_{attribute}(key)) is None:",
                "        other = None if other is None else b'' + other",
                f"        members = learn_{attribute}(key, b'' + {raw}, other, notes)",
            ]
        else:
            lines += [
                f"    key = b'' + {raw}",
                f"    if (members := get_{attribute}(key)) is None:",
                f"        members = learn_{attribute}(key, key, None, notes)",
            ]
        return [*lines, "    found.append(members)"]

    def _absence(self, name: str, rule: Rule | Choice) -> list[str]:
        """Code for a field that must stand and does not, and for a choice of which two stand."""
        label = f"{len(self.names)}_{next(iter(self.attributes.values()))}"
        lines = []
        if isinstance(rule, Choice):
            self.names[f"double_{label}"] = Note(Reason.INVALID_FIELD, name)
            lines += ["if standing > 1:", f"    notes.append(double_{label})"]
            absent = ["not standing", *(f"source.{self._place[other]} is None" for other in rule.unless)]
            if rule.otherwise:
                self.names[f"otherwise_{label}"] = members(
                    (field, value) for field, value in rule.otherwise.items() if self._leaves(field)
                )
                lines += [f"if {' and '.join(absent)}:", f"    found.append(otherwise_{label})"]
        else:
            absent = [f"source.{self._place[name]} is None"]
        if rule.missing is not None:
            self.names[f"missing_{label}"] = Note(rule.missing, name)
            lines += [f"if {' and '.join(absent)}:", f"    notes.append(missing_{label})"]
        return lines


def _compiled(opening: str, lines: Iterable[str], closing: str, names: Mapping[str, Any]) -> Any:
    """The function `read` of these lines; they are made from our own declarations only."""
    space = dict(names)
    exec("\n    ".join([*opening.splitlines(), *lines, *closing.splitlines()]), space)
    return space["read"]


_READ_ELEMENT = "def read(source, found, notes):"
"""An element's fields: adds to `found` and `notes`."""

_READ_LINE = """\
def read(line):
source = decode(line)
ident = source.ident
if type(ident) is not str:
    ident = text_of(ident)
if not ident:
    return unnamed()
keyed = hmac(ident.encode())
ref = keyed[:REF_BYTES]
origin = no_origin
if (raw := source.meta) is not None:
    key = b'' + raw
    origin = origins(key) or learn_origin(key)
updated = origin.updated
"""
"""A line, up to its patient."""
_PATIENT_ITSELF = """\
subject = patient(keyed)
"""
_PATIENT_NAMED = """\
subject = nobody
if (raw := source.named) is not None:
    key = b'' + raw
    subject = subjects(key) or learn_subject(key)
"""
_BEGIN = """\
name = hexlify(ref)
found = [head, name, whole_hex, subject.members]
notes = []
"""
_PARTS = """\
if source.parts is not None:
    return exploded(line, source, ref, subject, origin, found[4:], notes)
"""
_MAKE = """\
provenance = join((source_head, name, origin.members, mapping))
if notes or origin.note is not None or subject is nobody:
    settled = settle(line, ref, subject, origin, notes)
    if settled is not None:
        return settled
    provenance += flags_of(notes)
found.append(b'}')
content = join(found)
digest = blank_digest()
digest.update(content)
record = new(Mapped, (ref + whole, record_type, subject.pseudonym, digest.digest(), content, provenance, updated))
return new(Outcome, (type_name, ref, [record], False, updated, None))
"""
"""The record. `Reader._made` in line, as a resource without parts has just one; copying a digest saves its options."""


class _Meta(Struct, gc=False):
    versionId: Scalar = None
    lastUpdated: Scalar = None
    profile: Raw = None  # type: ignore[assignment]


class _Origin(Struct, gc=False):
    """What `meta` says of a resource."""

    members: bytes = b'"'
    """What follows the ref in the provenance's source: `version` and `updated`."""
    updated: int | None = None
    """lastUpdated in microseconds since 1970."""
    note: Note | None = None


class _Subject(Struct, gc=False):
    """The patient a resource names."""

    pseudonym: bytes
    members: bytes
    """What follows the record's id: `subject`, `site` and the mapping's constants."""


_NOBODY = _Subject(b"", b"")

_OTHER_VERSIONS = re.compile(rb"/(STU3|DSTU2|[13]\.0)/|/StructureDefinition/daf-")
"""Profiles of other FHIR versions; US Core's `STU3.1.1` is R4."""
_VERSION = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_NO_ORIGIN = _Origin()


def _narrow(name: str, attributes: Mapping[str, str]) -> Any:
    """A struct of just these FHIR fields (FHIR field → attribute), each absent or kept as bytes; an id as a scalar."""
    return msgspec.defstruct(
        name,
        [(attribute, Scalar if attribute == "ident" else Raw, None) for attribute in attributes.values()],
        rename={attribute: field for field, attribute in attributes.items()},
        gc=False,
    )


class Reader:
    """One FHIR resource type: lines in, outcomes out."""

    def __init__(
        self,
        resource: Resource,
        *,
        site: str,
        setting: Setting,
        leaves: Leaves,
        flags: Counter[str],
        unmapped: Counter[tuple[str, str]],
    ) -> None:
        self._type = resource.source
        self._record = resource.record
        self._pseudonyms = setting.pseudonyms
        self._zone = setting.zone
        self._flags, self._unmapped = flags, unmapped
        self._names_subject = resource.subject is not None
        self._subject_field = resource.subject or ""
        self._parts_field = resource.parts or ""

        own = {"id": "ident", "meta": "meta", resource.subject or "": "named", self._parts_field: "parts"}
        known = {field: attribute for field, attribute in own.items() if field}
        shared = Table(resource.fields, "a", setting, leaves, known)
        repeated = Table(resource.repeated, "b", setting, leaves, known)
        both = {**shared.attributes, **shared.companions, **repeated.attributes}
        self._decode = msgspec.json.Decoder(_narrow(self._type, {**known, **both})).decode
        part: Any = _narrow("Part", {**repeated.attributes, **known})
        self._decode_parts = msgspec.json.Decoder(list[part]).decode
        names = {**shared.names, **repeated.names}
        self._read_repeated = _compiled(_READ_ELEMENT, repeated.lines, "return None", names)
        self._part_code = repeated.attributes.get("code", "")

        self._prefix = resource.source.encode() + b"/"
        self._hmac = setting.pseudonyms.digester()
        self._own_hmac = setting.pseudonyms.digester(self._prefix)
        constants = ((name, value) for name, value in resource.constants.items() if leaves(name))
        self._site = members([("site", site), *constants])
        self._head = b'{"type":"%b","id":"r-' % resource.record.encode()
        self._source = b'"source":[{"type":"%b","ref":"h-' % resource.source.encode()
        self._mapping = b'}],"mapping":"%b"' % resource.mapping.encode()
        self._leaves_parent, self._leaves_parts = leaves("parent"), leaves("parts")

        self._subjects: dict[bytes, _Subject] = {}
        self._origins: dict[bytes, _Origin] = {}
        self._labels: dict[bytes, bytes] = {}
        self.read = self._straight(names, shared, repeated)
        """One line of this type → its outcome. Raises msgspec's and Unicode's errors for what is no JSON object."""

    def _straight(self, names: Mapping[str, Any], shared: Table, repeated: Table) -> Callable[[bytes], Outcome]:
        """All of a usual line's way in one function, without calls and look-ups of attributes in between."""
        patient = _PATIENT_NAMED if self._names_subject else _PATIENT_ITSELF
        parts = _PARTS if self._parts_field else ""
        lines = [*patient.splitlines(), *_BEGIN.splitlines(), *shared.lines, *parts.splitlines(), *repeated.lines]
        own = {
            "decode": self._decode,
            "text_of": text_of,
            "unnamed": lambda: self._problem(b"", None, Note(Reason.MISSING_ID, "id")),
            "hmac": self._own_hmac,
            "REF_BYTES": REF_BYTES,
            "no_origin": _NO_ORIGIN,
            "origins": self._origins.get,
            "learn_origin": self._learn_origin,
            "patient": self._patient,
            "nobody": _NOBODY,
            "subjects": self._subjects.get,
            "learn_subject": self._learn_subject,
            "hexlify": hexlify,
            "head": self._head,
            "whole": WHOLE,
            "whole_hex": hexlify(WHOLE),
            "exploded": self._exploded,
            "join": b"".join,
            "source_head": self._source,
            "mapping": self._mapping,
            "settle": self._settled,
            "flags_of": _flags_of,
            "blank_digest": blake2b(digest_size=DIGEST_BYTES).copy,
            "new": tuple.__new__,  # a named tuple's own constructor takes twice the time
            "Mapped": Mapped,
            "Outcome": Outcome,
            "record_type": self._record,
            "type_name": self._type,
        }
        read: Callable[[bytes], Outcome] = _compiled(_READ_LINE, lines, _MAKE, {**names, **own})
        return read

    def _made(
        self, ref: bytes, part: bytes, subject: _Subject, origin: _Origin, found: list[bytes], notes: list[Note]
    ) -> Mapped:
        name = hexlify(ref)
        content = b"".join((self._head, name, hexlify(part), subject.members, *found, b"}"))
        provenance = self._source + name + origin.members + self._mapping
        if notes:
            provenance += _flags_of(notes)
        digest = blake2b(content, digest_size=DIGEST_BYTES).digest()
        return Mapped(ref + part, self._record, subject.pseudonym, digest, content, provenance, origin.updated)

    # ------------------------------------------------------------ parts

    def _exploded(
        self,
        line: bytes,
        source: Any,
        ref: bytes,
        subject: _Subject,
        origin: _Origin,
        shared: list[bytes],
        notes: list[Note],
    ) -> Outcome:
        """A resource with parts: a record of the whole, which lists the parts, and one of each part."""
        noticed = list(notes)
        found = list(shared)
        self._read_repeated(source, found, notes)
        if notes or origin.note is not None or subject is _NOBODY:
            settled = self._settled(line, ref, subject, origin, notes)
            if settled is not None:
                return settled
        try:
            parts = self._decode_parts(bytes(source.parts))
        except msgspec.ValidationError as exc:
            return self._problem(ref, origin.updated, Note(Reason.INVALID_FIELD, f"{self._parts_field}{path_of(exc)}"))
        parent = b',"parent":"r-%b%b"' % (hexlify(ref), hexlify(WHOLE)) if self._leaves_parent else b""
        taken = {WHOLE}
        records = []
        for index, part in enumerate(parts):
            inner = list(shared)
            inner_notes: list[Note] = []
            self._read_repeated(part, inner, inner_notes)
            if inner_notes or subject is _NOBODY:
                inner_notes = [note._replace(path=f"{self._parts_field}[{index}].{note.path}") for note in inner_notes]
                settled = self._settled(line, ref, subject, _NO_ORIGIN, inner_notes)
                if settled is not None:
                    return settled
            inner.append(parent)
            number = self._number(bytes(getattr(part, self._part_code)), taken)
            records.append(self._made(ref, number, subject, origin, inner, [*noticed, *inner_notes]))
        if records and self._leaves_parts:
            listed = b",".join(b'"r-%b"' % hexlify(record.id) for record in records)
            found.append(b',"parts":[%b]' % listed)
        whole = self._made(ref, WHOLE, subject, origin, found, notes)
        return Outcome(self._type, ref, [whole, *records], False, origin.updated)

    def _number(self, code: bytes, taken: set[bytes]) -> bytes:
        """The part's four bytes: keyed hash of its code, so that they stay when parts change places."""
        number = self._labels.get(code)
        if number is None:
            number = self._hmac(b"part/" + _label(code))[: len(WHOLE)]
            _remember(self._labels, code, number)
        attempt = 1
        while number in taken:  # the same code twice, or a collision
            attempt += 1
            number = self._hmac(b"part/%d/%b" % (attempt, _label(code)))[: len(WHOLE)]
        taken.add(number)
        return number

    # ------------------------------------------------------------ patient and meta

    def _patient(self, keyed: bytes) -> _Subject:
        pseudonym = keyed[:SUBJECT_BYTES]
        return _Subject(pseudonym, b'","subject":"s-' + hexlify(pseudonym) + b'"' + self._site)

    def _learn_subject(self, key: bytes) -> _Subject:
        try:
            named = reference_id(decode(key, Reference | None), "Patient")
        except Unusable:
            named = None
        if named is None:
            return _NOBODY
        subject = self._patient(self._pseudonyms.subject(named))
        _remember(self._subjects, key, subject)
        return subject

    def _learn_origin(self, key: bytes) -> _Origin:
        origin = self._origin(key)
        _remember(self._origins, key, origin)
        return origin

    def _origin(self, raw: bytes) -> _Origin:
        try:
            meta = decode(raw, _Meta | None) or _Meta()
        except Unusable as fault:
            return _Origin(note=Note(Reason.INVALID_FIELD, ".".join(filter(None, ("meta", fault.path)))))
        if meta.profile is not None and _OTHER_VERSIONS.search(bytes(meta.profile)):
            return _Origin(note=Note(Reason.OTHER_FHIR_VERSION, "meta.profile"))
        version = text_of(meta.versionId)
        utc, updated, note = None, None, None
        if said := text_of(meta.lastUpdated):
            try:
                utc, updated = instant(said, self._zone)
            except ValueError:
                note = Note(flags=("updated-unreadable",))
        return _Origin(
            b'"' + members([("version", version if _VERSION.fullmatch(version) else None), ("updated", utc)]),
            updated,
            note,
        )

    # ------------------------------------------------------------ what was noticed

    def _settled(
        self, line: bytes, ref: bytes, subject: _Subject, origin: _Origin, notes: list[Note]
    ) -> Outcome | None:
        """Count what was noticed; the outcome, where that leaves no record."""
        if origin.note is not None:
            notes.append(origin.note)
        for note in notes:
            if note.emptied:
                return self.read(_without_empty(line))
        worst = Note(Reason.MISSING_SUBJECT, self._subject_field) if subject is _NOBODY else None
        for note in notes:
            if note.withdrawn:
                return Outcome(self._type, ref, [], True, origin.updated)
            for flag in note.flags:
                self._flags[flag] += 1
            for coding in note.unmapped:
                self._unmapped[coding] += 1
            if note.reason is not None and (worst is None or _rank(note) < _rank(worst)):
                worst = note
        return None if worst is None else self._problem(ref, origin.updated, worst)

    def _problem(self, ref: bytes, updated: int | None, note: Note) -> Outcome:
        assert note.reason is not None
        path = f"{self._type}.{note.path}" if note.path else self._type
        return Outcome(self._type, ref, [], False, updated, Problem(note.reason, self._type, path))


def _rank(note: Note) -> int:
    return _PRECEDENCE.get(note.reason, 2) if note.reason is not None else 3


def _flags_of(notes: list[Note]) -> bytes:
    return _flags_text(notes[0].flags if len(notes) == 1 else tuple([flag for note in notes for flag in note.flags]))


@lru_cache(maxsize=512)
def _flags_text(flags: tuple[str, ...]) -> bytes:
    return members([("flags", list(dict.fromkeys(flags)))])


def _label(code: bytes) -> bytes:
    """What names a part within its resource: its first coding, else the concept as it stands."""
    try:
        concept = decode(code, CodeableConcept)
    except Unusable:
        return code
    first = next(iter(concept.codings), None)
    return f"{first.system}|{text_of(first.code)}".encode() if first else text_of(concept.text).encode()


def _without_empty(line: bytes) -> bytes:
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
