"""One FHIR resource type: lines in, outcomes out."""

from binascii import hexlify
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat

import msgspec

from schemas.problems import Problem, Reason
from transforms.mapped import NO_LINE, REF_BYTES, WHOLE, Depends, Mapped, Outcome, Outcomes, new_record
from transforms.reading.columns import Columns, narrow, without_empty
from transforms.reading.heads import UNNAMED, HeadReader, Heads
from transforms.reading.memories import Leaves, Note, Notes, Table, Texts, members
from transforms.reading.parts import Elements, PartReader
from transforms.reading.references import CONTAINED, References
from transforms.rules.declaring import Resource
from transforms.rules.setting import Setting

_PRECEDENCE = {Reason.OTHER_FHIR_VERSION: 0, Reason.NOT_A_FACT: 1}
_WHOLE_HEX = hexlify(WHOLE)
_WHOLE_END = _WHOLE_HEX + b'"'
_ALIKE = Note(flags=("parts-alike",))


class Reader:
    """One FHIR resource type: lines in, outcomes out."""

    def __init__(
        self,
        resource: Resource,
        *,
        site: str,
        setting: Setting,
        references: References,
        leaves: Leaves,
        flags: Counter[str],
        unmapped: Counter[tuple[str, str]],
    ) -> None:
        self._type = resource.source
        self._record = resource.record
        self._flags, self._unmapped = flags, unmapped
        self._references = references
        self._heads = HeadReader(resource, site=site, setting=setting, leaves=leaves)
        self._shared = Table(resource.fields, setting, leaves)
        self._repeated = Table(resource.repeated, setting, leaves)
        self._parts = PartReader(resource.parts, self._repeated, setting)
        own = filter(None, (*self._heads.names, self._parts.field))
        self._names = list(dict.fromkeys([*own, *self._shared.names, *self._repeated.names]))
        self._decode = msgspec.json.Decoder(narrow(self._type, self._names)).decode
        self._head = b'{"type":"%b","id":"r-' % resource.record.encode()
        self._source = b'"source":[{"type":"%b","ref":"h-' % resource.source.encode()
        self._mapping = b'}],"mapping":"%b"' % resource.mapping.encode()
        self._leaves_parent, self._leaves_parts = leaves("parent"), leaves("parts")

    def read(self, lines: Sequence[bytes]) -> Outcomes:
        """What becomes of lines of this type. Raises msgspec's and Unicode's errors, before anything is counted, where one is no JSON object."""
        source = Columns(self._names, list(map(self._decode, lines)))
        notes = Notes(list)
        heads = self._heads.read(source, notes)
        looked_up = self._look_up(source)
        shared = self._shared.texts(source, notes)
        split = source.standing(self._parts.field)
        noticed = {place: list(notes.get(place, ())) for place in split}
        own = self._repeated.texts(source, notes)
        for place, note in heads.noted:
            notes[place].append(note)
        records = self._records(heads, [*shared, *own])
        depends = [
            Depends(heads.refs[place], heads.subjects[place], on, lines[place])
            for place, on in looked_up
            if UNNAMED not in notes.get(place, ())
        ]
        outcomes = Outcomes([*records], {}, [], depends)
        if not notes and not split:
            return outcomes

        parts = self._parts.read(source, split)
        again = sorted({*_emptied(notes), *(parts.owners[number] for number in _emptied(parts.notes))})
        if again:
            outcomes.put(again, self.read([without_empty(lines[place]) for place in again]))
        for place in sorted({*notes, *split}.difference(again)):
            record, seen = records[place], notes.get(place, [])
            outcome = self._settled(record, seen)
            if outcome is None and place in noticed:
                before = [heads.named[place], *(texts[place] for texts in shared)]
                outcome = self._exploded(place, _flagged(record, seen), before, noticed[place], parts, source)
            outcomes.put_one(place, _flagged(record, seen) if outcome is None else outcome)
        return outcomes

    def record_count(self, lines: Sequence[bytes]) -> int:
        """How many records lines gave that are known."""
        return sum(map(self._parts.record_count, lines)) if self._parts.field else len(lines)

    def _look_up(self, source: Columns) -> list[tuple[int, bytes]]:
        """Lends fields that name other resources what is kept of those. Returns who named which."""
        found: list[tuple[int, bytes]] = []
        for name, resource_type in self._shared.refers.items():
            if name in source:
                contents = source.contents(name)
                targets = self._references.targets(resource_type, contents)
                kept = self._references.kept(targets)
                beside = source.contents(self._shared.needs[name])
                source.lend(
                    name,
                    [
                        contained if target == CONTAINED else known
                        for target, known, contained in zip(targets, kept, beside, strict=True)
                    ],
                )
                if self._references.asks:
                    found += [(place, each) for place, each in enumerate(targets) if len(each) == REF_BYTES]
        return found

    # ------------------------------------------------------------ records

    def _records(self, heads: Heads, found: Sequence[Texts]) -> list[Mapped]:
        """One record a resource: its head and what its fields gave."""
        names = list(map(hexlify, heads.refs))
        origins = [origin.members for origin in heads.origins]
        contents = zip(repeat(self._head), names, repeat(_WHOLE_END), heads.named, *found, repeat(b"}"))
        provenances = zip(repeat(self._source), names, origins, repeat(self._mapping))
        fields = zip(
            [ref + WHOLE for ref in heads.refs],
            repeat(self._record),
            heads.subjects,
            map(b"".join, contents),
            map(b"".join, provenances),
            [origin.updated for origin in heads.origins],
            repeat(NO_LINE),
        )
        return list(map(new_record, fields))

    def _exploded(
        self, place: int, whole: Mapped, before: list[bytes], noticed: list[Note], parts: Elements, source: Columns
    ) -> Outcome:
        """A resource with parts: a record of the whole, which lists the parts, and one of each part.

        `before`: what stands in front of a part's own fields; `noticed` there.
        """
        if parts.faults and place in parts.faults:
            return self._problem(whole, parts.faults[place])
        first, last = bisect_left(parts.owners, place), bisect_right(parts.owners, place)
        content = source.contents(self._parts.field)[place]
        numbers, alike = self._parts.numbers(parts.known_by[first:last], content)
        ref, names = whole.id[:REF_BYTES], list(map(hexlify, numbers))
        name = hexlify(ref)
        opening, front = self._head + name, b'"' + b"".join(before)
        end = b',"parent":"r-%b%b"}' % (name, _WHOLE_HEX) if self._leaves_parent else b"}"
        own = zip(*[texts[first:last] for texts in parts.texts], strict=True) if parts.texts else repeat(())
        records = []
        for index, (number, part, texts) in enumerate(zip(numbers, names, own, strict=False)):
            notes = noticed
            if index in alike or first + index in parts.notes:
                inner = self._inner(parts.notes.get(first + index, ()), index, index in alike)
                if (outcome := self._settled(whole, inner)) is not None:
                    return outcome
                notes = [*noticed, *inner]
            text = b"".join((opening, part, front, *texts, end))
            record = new_record((ref + number, whole.type, whole.subject, text, *whole[4:]))
            records.append(_flagged(record, notes) if notes else record)
        if records and self._leaves_parts:
            listed = b'","r-'.join([name + part for part in sorted(names)])
            whole = new_record((*whole[:3], b'%b,"parts":["r-%b"]}' % (whole.content[:-1], listed), *whole[4:]))
        return Outcome(self._type, ref, [whole, *records], False, whole.updated)

    def _inner(self, notes: Iterable[Note], index: int, alike: bool) -> list[Note]:
        """What was noticed in one part, with the part's place in the resource."""
        path = f"{self._parts.field}[{index}]."
        return [*(note._replace(path=path + note.path) for note in notes), *([_ALIKE] if alike else ())]

    # ------------------------------------------------------------ what was noticed

    def _settled(self, record: Mapped, notes: list[Note]) -> Outcome | None:
        """Count what was noticed; the outcome, where that leaves no record."""
        if not notes:
            return None
        if notes[0] is UNNAMED:
            return self._problem(None, UNNAMED)
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
    return members([("flags", sorted(set(flags)))])
