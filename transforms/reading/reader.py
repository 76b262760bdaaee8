"""A declared mapping made fast: lines are read by the batch, and field by field rather than line by line.

The contents of most fields recur: the same code, category, unit, patient or encounter thousands of times. So what a rule
gave for a field's bytes is remembered as the bytes of the record they become, and a batch is a narrow decode of each
line, then one pass of look-ups a field, then a join. Memories are bounded, so memory stays flat.
"""

import re
from binascii import hexlify
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import astuple

from schemas.problems import Problem, Reason
from transforms.fhir.elements import (
    CodeableConcept,
    Reference,
    Scalar,
    Unusable,
    decode,
    path_of,
    reference_id,
    text_of,
)
from transforms.fhir.times import instant
from transforms.mapped import NO_LINE, REF_BYTES, WHOLE, Mapped, Outcome, Outcomes, new_record
from transforms.rules import Resource
from transforms.rules.declaring import Choice, Fields, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import OTHER_VERSIONS, meta_cut

Leaves = Callable[[str], bool]
"""Whether the field policy lets an output field leave."""
Texts = Sequence[bytes]
"""Members of the record, one text a line or part, with a leading comma; empty for none."""

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


Notes = defaultdict[int, list[Note]]
"""Place in the batch → what was noticed there."""

EMPTY = Note(emptied=True)
"""The field stands but is null or empty, which FHIR forbids and feeds do: the line is read again without such fields."""


def members(values: Iterable[tuple[str, Any]]) -> bytes:
    """JSON members with a leading comma, empty values left out."""
    return b"".join(
        b',"%b":%b' % (name.encode(), _encode(value)) for name, value in values if value not in (None, "", [])
    )


class Columns:
    """The decoded elements of a batch, field by field. A field that stands in none of them costs nothing.

    A Raw is always true; comparing it with None, as `None in column` does, takes ten times as long.
    """

    def __init__(self, names: Iterable[str], elements: Sequence[Struct]) -> None:
        self.count = len(elements)
        columns = zip(*map(astuple, elements), strict=True)
        self._standing = {
            name: column
            for name, column in zip(names, columns, strict=False)
            if any(column) or column.count(None) != self.count  # an id of 0 is false, too
        }
        self._contents: dict[str, list[bytes | None]] = {}

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

    def standing(self, name: str) -> list[int]:
        """The places where a field stands."""
        return [place for place, raw in enumerate(self._standing.get(name, ())) if raw is not None]

    def without(self, names: Sequence[str]) -> list[int]:
        """The places where none of the fields stands."""
        standing = [self._standing[name] for name in names if name in self._standing]
        if not standing:
            return list(range(self.count))
        if len(standing) == 1:
            (column,) = standing
            return [] if all(column) else [place for place, raw in enumerate(column) if raw is None]
        return [place for place, row in enumerate(zip(*standing, strict=True)) if row.count(None) == len(row)]

    def with_several(self, names: Sequence[str]) -> list[int]:
        """The places where more than one of the fields stands."""
        standing = [self._standing[name] for name in names if name in self._standing]
        if len(standing) < 2:
            return []
        return [place for place, row in enumerate(zip(*standing, strict=True)) if row.count(None) < len(row) - 1]


class Memory(dict[Any, bytes]):
    """What is known of one FHIR field: its bytes (for a rule with a companion: the pair) → the members they become.

    Contents of which something was noticed are kept apart, so that the usual ones cost one look-up. In two generations,
    so that what recurs outlives what does not.
    """

    def __init__(self, name: str, rule: Rule, setting: Setting, leaves: Leaves) -> None:
        super().__init__()
        self._name = name
        self._read = rule.read
        self._setting = setting
        self._paired = rule.needs is not None
        openings = tuple(b',"%b":' % field.encode() if leaves(field) else None for field in rule.gives)
        self._usual = rule.usual and rule.usual(setting, openings)
        self._kept = [(field, opening) for field, opening in zip(rule.gives, openings, strict=True) if opening]
        self._older: dict[Any, bytes] = {}
        self._noted: dict[Any, tuple[bytes, Note]] = {}
        self._raised: dict[Any, Note] = {}
        self._most = _PAIRED_MEMORIES if self._paired else _FIELD_MEMORIES

    def texts(self, contents: Sequence[Any], notes: Notes) -> Texts:
        """What a batch's contents of this field become; what was noticed is added to `notes`."""
        texts = list(map(self.__getitem__, contents))
        if self._raised:
            for place, content in enumerate(contents):
                if (note := self._raised.get(content)) is not None:
                    notes[place].append(note)
            self._raised = {}
        return texts

    def __missing__(self, content: Any) -> bytes:
        """The members of a content not at hand, which is remembered."""
        known = self._noted.get(content)
        if known is not None:
            text, self._raised[content] = known
            return text
        companion, raw = content if self._paired else (None, content)
        size = len(raw or b"") + len(companion or b"")
        found = b"" if raw is None else self._older.get(content)
        if found is None:
            found, note = self._entry(raw, companion)
            if note is not None:
                self._raised[content] = note
                if size <= _LONGEST_KEY:
                    _remember(self._noted, content, (found, note))
                return found
        if size <= _LONGEST_KEY:
            if len(self) >= self._most:
                self._older = dict(self)
                self.clear()
            self[content] = found
        return found

    def _entry(self, raw: bytes, companion: bytes | None) -> tuple[bytes, Note | None]:
        if self._usual is not None and (text := self._usual(raw, companion)) is not None:
            return text, None
        if raw in _EMPTY:
            return b"", EMPTY
        try:
            found = self._read(raw, companion, self._setting)
        except Unusable as fault:
            path = ".".join(filter(None, (self._name, fault.path)))
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


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    if len(memory) >= _MEMORIES:
        memory.clear()
    memory[key] = value


class Table:
    """Declared fields and their memories."""

    def __init__(self, fields: Fields, setting: Setting, leaves: Leaves) -> None:
        self._fields = fields
        rules: dict[str, Rule] = {}
        for name, rule in fields.items():
            rules |= rule.fields if isinstance(rule, Choice) else {name: rule}
        self.memories = {name: Memory(name, rule, setting, leaves) for name, rule in rules.items()}
        self._needs = {name: rule.needs for name, rule in rules.items() if rule.needs}
        self.names = list(dict.fromkeys([*rules, *self._needs.values()]))
        """The FHIR fields that are decoded."""
        self._otherwise = {
            name: members((field, value) for field, value in rule.otherwise.items() if leaves(field))
            for name, rule in fields.items()
            if isinstance(rule, Choice)
        }

    def texts(self, source: Columns, notes: Notes) -> list[Texts]:
        """What the fields of a batch give, field after field in the record's order; adds to `notes`."""
        found: list[Texts] = []
        for name, rule in self._fields.items():
            if isinstance(rule, Choice):
                found += self._choice(name, rule, source, notes)
                continue
            if name in source:
                found.append(self._field(name, source, notes))
            if rule.missing is not None:
                for place in source.without([name]):
                    notes[place].append(Note(rule.missing, name))
        return found

    def _field(self, name: str, source: Columns, notes: Notes) -> Texts:
        contents: Sequence[Any] = source.contents(name)
        if companion := self._needs.get(name):
            contents = list(zip(source.contents(companion), contents, strict=True))
        return self.memories[name].texts(contents, notes)

    def _choice(self, name: str, rule: Choice, source: Columns, notes: Notes) -> list[Texts]:
        names = [field for field in rule.fields if field in source]
        found = [self._field(field, source, notes) for field in names]
        for place in source.with_several(names):
            notes[place].append(Note(Reason.INVALID_FIELD, name))
        absent = source.without([*names, *rule.unless])
        if rule.missing is not None:
            for place in absent:
                notes[place].append(Note(rule.missing, name))
        if absent and (otherwise := self._otherwise[name]):
            texts = [b""] * source.count
            for place in absent:
                texts[place] = otherwise
            found.append(texts)
        return found


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
_UNNAMED = Note(Reason.MISSING_ID, "id")

_VERSION = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_NO_ORIGIN = _Origin()
_WHOLE_HEX = hexlify(WHOLE)


def _narrow(name: str, fields: Iterable[str]) -> Any:
    """A struct of just these FHIR fields, each absent or kept as bytes; the id as a scalar."""
    attributes = {f"f{number}": field for number, field in enumerate(fields)}
    return msgspec.defstruct(
        name,
        [(attribute, Scalar if field == "id" else Raw, None) for attribute, field in attributes.items()],
        rename=attributes,
        gc=False,
    )


class _Heads(NamedTuple):
    """What every resource has, place by place."""

    refs: list[bytes]
    subjects: list[_Subject]
    origins: list[_Origin]
    noted: list[tuple[int, Note]]
    """What was noticed in `meta`."""


class _Parts(NamedTuple):
    """The parts of a batch's resources, in one row."""

    owners: list[int]
    """The place of the resource each part belongs to, rising."""
    codes: list[bytes | None]
    texts: list[Texts]
    notes: Notes
    faults: dict[int, Note]
    """Place of a resource → why its parts cannot be read."""


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
        self._subject_field = resource.subject or ""
        self._parts_field = resource.parts or ""
        self._nobody = Note(Reason.MISSING_SUBJECT, self._subject_field)

        self._shared = Table(resource.fields, setting, leaves)
        self._repeated = Table(resource.repeated, setting, leaves)
        own = filter(None, ("id", "meta", self._subject_field, self._parts_field))
        self._names = list(dict.fromkeys([*own, *self._shared.names, *self._repeated.names]))
        self._decode = msgspec.json.Decoder(_narrow(self._type, self._names)).decode
        part: Any = _narrow("Part", self._repeated.names)
        self._decode_parts = msgspec.json.Decoder(list[part]).decode

        self._ref = setting.pseudonyms.refs(resource.source.encode() + b"/")
        self._part = setting.pseudonyms.refs(b"part/")
        constants = ((name, value) for name, value in resource.constants.items() if leaves(name))
        self._site = members([("site", site), *constants])
        self._head = b'{"type":"%b","id":"r-' % resource.record.encode()
        self._source = b'"source":[{"type":"%b","ref":"h-' % resource.source.encode()
        self._mapping = b'}],"mapping":"%b"' % resource.mapping.encode()
        self._leaves_parent, self._leaves_parts = leaves("parent"), leaves("parts")

        self._subjects: dict[bytes, _Subject] = {}
        self._origins: dict[bytes, _Origin] = {}
        self._labels: dict[bytes, bytes] = {}

    def read(self, lines: Sequence[bytes]) -> Outcomes:
        """What becomes of lines of this type. Raises msgspec's and Unicode's errors, before anything is counted, where one is no JSON object."""
        source = Columns(self._names, list(map(self._decode, lines)))
        notes = Notes(list)
        heads = self._heads(source, notes)
        shared = self._shared.texts(source, notes)
        split = source.standing(self._parts_field)
        noticed = {place: list(notes.get(place, ())) for place in split}
        own = self._repeated.texts(source, notes)
        for place, note in heads.noted:
            notes[place].append(note)
        records = self._records(heads, [*shared, *own])
        outcomes = Outcomes([*records], {})
        if not notes and not split:
            return outcomes

        parts = self._parts(source, split)
        again = sorted({*_emptied(notes), *(parts.owners[number] for number in _emptied(parts.notes))})
        if again:
            outcomes.put(again, self.read([_without_empty(lines[place]) for place in again]))
        for place in sorted({*notes, *split}.difference(again)):
            record, seen = records[place], notes.get(place, [])
            outcome = self._settled(record, seen)
            if outcome is None and place in noticed:
                before = [heads.subjects[place].members, *(texts[place] for texts in shared)]
                outcome = self._exploded(place, record, before, noticed[place], seen, parts)
            outcomes.put_one(place, _flagged(record, seen) if outcome is None else outcome)
        return outcomes

    # ------------------------------------------------------------ heads: id, patient, meta

    def _heads(self, source: Columns, notes: Notes) -> _Heads:
        """Who the resources are and whom they are about; what is wrong with that is added to `notes`."""
        idents = [ident if type(ident) is str else text_of(ident) for ident in source.values("id")]
        if "" in idents:
            _note_where(idents, "", _UNNAMED, notes)
        refs = list(map(self._ref, map(str.encode, idents)))
        subjects, origins, noted = [], [_NO_ORIGIN] * source.count, []
        if self._subject_field:
            known, learn = self._subjects.get, self._learn_subject
            contents = source.contents(self._subject_field)
            subjects = [known(raw) or learn(raw) if raw is not None else _NOBODY for raw in contents]
            if _NOBODY in subjects:
                _note_where(subjects, _NOBODY, self._nobody, notes)
        else:
            subjects = list(map(self._patient, idents))
        if "meta" in source:
            met, meet = self._origins.get, self._learn_origin
            contents = source.contents("meta")
            origins = [met(raw) or meet(raw) if raw is not None else _NO_ORIGIN for raw in contents]
            noted = [(place, origin.note) for place, origin in enumerate(origins) if origin.note is not None]
        return _Heads(refs, subjects, origins, noted)

    def _patient(self, ident: str) -> _Subject:
        pseudonym = self._pseudonyms.subject(ident)
        return _Subject(pseudonym, b'","subject":"s-' + hexlify(pseudonym) + b'"' + self._site)

    def _learn_subject(self, raw: bytes) -> _Subject:
        try:
            named = reference_id(decode(raw, Reference | None), "Patient")
        except Unusable:
            named = None
        if named is None:
            return _NOBODY
        subject = self._patient(named)
        if len(raw) <= _LONGEST_KEY:
            _remember(self._subjects, raw, subject)
        return subject

    def _learn_origin(self, raw: bytes) -> _Origin:
        origin = self._origin(raw)
        if len(raw) <= _LONGEST_KEY:
            _remember(self._origins, raw, origin)
        return origin

    def _origin(self, raw: bytes) -> _Origin:
        """A server's `meta` hardly recurs: in its usual form it is cut from the text, as `Rule.usual` is."""
        cut = meta_cut(raw, self._zone)
        return self._unusual_origin(raw) if cut is None else _Origin(*cut)

    def _unusual_origin(self, raw: bytes) -> _Origin:
        try:
            meta = decode(raw, _Meta | None) or _Meta()
        except Unusable as fault:
            return _Origin(note=Note(Reason.INVALID_FIELD, ".".join(filter(None, ("meta", fault.path)))))
        if meta.profile is not None and OTHER_VERSIONS.search(bytes(meta.profile)):
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

    # ------------------------------------------------------------ records

    def _records(self, heads: _Heads, found: Sequence[Texts]) -> list[Mapped]:
        """One record a resource: its head and what its fields gave."""
        names = list(map(hexlify, heads.refs))
        subjects = [subject.members for subject in heads.subjects]
        origins = [origin.members for origin in heads.origins]
        contents = zip(repeat(self._head), names, repeat(_WHOLE_HEX), subjects, *found, repeat(b"}"))
        provenances = zip(repeat(self._source), names, origins, repeat(self._mapping))
        fields = zip(
            [ref + WHOLE for ref in heads.refs],
            repeat(self._record),
            [subject.pseudonym for subject in heads.subjects],
            map(b"".join, contents),
            map(b"".join, provenances),
            [origin.updated for origin in heads.origins],
            repeat(NO_LINE),
        )
        return list(map(new_record, fields))

    def _parts(self, source: Columns, split: Sequence[int]) -> _Parts:
        """The parts of the resources that have some, read as a batch of their own."""
        owners: list[int] = []
        elements: list[Struct] = []
        faults: dict[int, Note] = {}
        contents = source.contents(self._parts_field) if split else []
        for place in split:
            try:
                parts = self._decode_parts(contents[place] or b"")
            except msgspec.ValidationError as exc:
                faults[place] = Note(Reason.INVALID_FIELD, f"{self._parts_field}{path_of(exc)}")
                continue
            elements += parts
            owners += [place] * len(parts)
        columns, notes = Columns(self._repeated.names, elements), Notes(list)
        texts = self._repeated.texts(columns, notes)
        return _Parts(owners, columns.contents("code"), texts, notes, faults)

    def _exploded(
        self,
        place: int,
        plain: Mapped,
        before: list[bytes],
        noticed: list[Note],
        seen: list[Note],
        parts: _Parts,
    ) -> Outcome:
        """A resource with parts: a record of the whole, which lists the parts, and one of each part.

        `before`: what stands in front of a part's own fields; `noticed` there and `seen` in the whole resource.
        """
        if place in parts.faults:
            return self._problem(plain, parts.faults[place])
        ref = plain.id[:REF_BYTES]
        name = hexlify(ref)
        parent = b',"parent":"r-%b%b"' % (name, _WHOLE_HEX) if self._leaves_parent else b""
        taken = {WHOLE}
        records, listed = [], []
        first = bisect_left(parts.owners, place)
        for number in range(first, bisect_right(parts.owners, place)):
            inner = parts.notes.get(number, [])
            if inner:
                path = f"{self._parts_field}[{number - first}]."
                inner = [note._replace(path=path + note.path) for note in inner]
                if (outcome := self._settled(plain, inner)) is not None:
                    return outcome
            label = self._number(parts.codes[number] or b"", taken)
            own = [texts[number] for texts in parts.texts]
            part = hexlify(label)
            content = b"".join((self._head, name, part, *before, *own, parent, b"}"))
            record = new_record((ref + label, *plain[1:3], content, *plain[4:]))
            records.append(_flagged(record, [*noticed, *inner]))
            listed.append(b'"r-%b%b"' % (name, part))
        whole = _flagged(plain, seen)
        if records and self._leaves_parts:
            content = b'%b,"parts":[%b]}' % (whole.content[:-1], b",".join(listed))
            whole = whole._replace(content=content)
        return Outcome(self._type, ref, [whole, *records], False, plain.updated)

    def _number(self, code: bytes, taken: set[bytes]) -> bytes:
        """The part's four bytes: keyed hash of its code, so that they stay when parts change places."""
        number = self._labels.get(code)
        if number is None:
            number = self._part(_label(code))[: len(WHOLE)]
            if len(code) <= _LONGEST_KEY:
                _remember(self._labels, code, number)
        attempt = 1
        while number in taken:  # the same code twice, or a collision
            attempt += 1
            number = self._part(b"%d/%b" % (attempt, _label(code)))[: len(WHOLE)]
        taken.add(number)
        return number

    # ------------------------------------------------------------ what was noticed

    def _settled(self, record: Mapped, notes: list[Note]) -> Outcome | None:
        """Count what was noticed; the outcome, where that leaves no record."""
        if not notes:
            return None
        if notes[0] is _UNNAMED:
            return self._problem(None, _UNNAMED)
        worst = None
        for note in notes:
            if note.withdrawn:
                return Outcome(self._type, record.id[:REF_BYTES], [], True, record.updated)
            for flag in note.flags:
                self._flags[flag] += 1
            for coding in note.unmapped:
                self._unmapped[coding] += 1
            if note.reason is not None and (worst is None or _rank(note) < _rank(worst)):
                worst = note
        return None if worst is None else self._problem(record, worst)

    def _problem(self, record: Mapped | None, note: Note) -> Outcome:
        """`record`: what the resource would have become; None for a resource without an id."""
        assert note.reason is not None
        path = f"{self._type}.{note.path}" if note.path else self._type
        ref, updated = (b"", None) if record is None else (record.id[:REF_BYTES], record.updated)
        return Outcome(self._type, ref, [], False, updated, Problem(note.reason, self._type, path))


def _note_where(values: Sequence[Any], value: Any, note: Note, notes: Notes) -> None:
    for place, found in enumerate(values):
        if found is value or found == value:
            notes[place].append(note)


def _emptied(notes: Notes) -> list[int]:
    return [place for place, seen in notes.items() if any(note.emptied for note in seen)]


def _rank(note: Note) -> int:
    return _PRECEDENCE.get(note.reason, 2) if note.reason is not None else 3


def _flagged(record: Mapped, notes: list[Note]) -> Mapped:
    """The record with what was noticed as flags in its provenance."""
    if not notes:
        return record
    flags = _flags_text(notes[0].flags if len(notes) == 1 else tuple([flag for note in notes for flag in note.flags]))
    return new_record((*record[:4], record.provenance + flags, *record[5:])) if flags else record


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
