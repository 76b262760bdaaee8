"""One FHIR resource type: lines in, outcomes out."""

from binascii import hexlify
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import count, repeat

from schemas.problems import Problem, Reason
from transforms.mapped import NO_LINE, REF_BYTES, WHOLE, Depends, Mapped, Outcome, Outcomes, new_record
from transforms.reading.besides import Besides
from transforms.reading.columns import Columns, without_empty
from transforms.reading.heads import UNNAMED, HeadReader, Heads
from transforms.reading.lending import Lending
from transforms.reading.memories import FATAL, Leaves, Note, Notes, Table, Texts, members
from transforms.reading.noticed import WITHDRAWN, Noticed
from transforms.reading.parts import Elements, PartReader
from transforms.reading.references import CONTAINED, References, Target
from transforms.reading.stubs import stub
from transforms.reading.twice import Whole
from transforms.rules import deletion_marks, extensions, extensions_of_part, modifiers, unless_masked
from transforms.rules.contradictions import Among, Contradiction
from transforms.rules.declaring import Choice, Resource
from transforms.rules.setting import Setting

_PRECEDENCE = {
    Reason.DUPLICATE_KEY: -1,
    Reason.PARTIAL_ANSWER: 0,
    Reason.OTHER_FHIR_VERSION: 1,
    Reason.TEST_DATA: 2,
    Reason.NOT_A_FACT: 3,
    Reason.ABOUT_SOMEBODY_ELSE: 4,
    Reason.MODIFIER_NOT_UNDERSTOOD: 5,
}
_LEAST = len(_PRECEDENCE)
_PRIMITIVE = (
    "DateTime",
    "Date",
    "Instant",
    "String",
    "Boolean",
    "Integer",
    "Decimal",
    "Time",
    "On",
    "issued",
    "sent",
    "status",
)
_PARTS_FATAL = frozenset({Reason.PARTIAL_ANSWER, Reason.DUPLICATE_KEY})
_WHOLE_HEX = hexlify(WHOLE)
_WHOLE_END = _WHOLE_HEX + b'"'
TWICE = Note(Reason.DUPLICATE_KEY)
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
        noticed: Noticed,
    ) -> None:
        self._type = resource.source
        self._record = resource.record
        self._noticed = noticed
        self._references = references
        self._lending = Lending(resource, pseudonyms=setting.pseudonyms, references=references, leaves=leaves)
        self._besides = Besides(resource.beside, site=site, pseudonyms=setting.pseudonyms) if resource.beside else None
        self._heads = HeadReader(resource, site=site, setting=setting, leaves=leaves)
        common = {"extension": extensions(), **modifiers(), **deletion_marks()}
        fields = {**resource.fields, **{name: rule for name, rule in common.items() if name not in resource.fields}}
        fields |= {f"_{name}": unless_masked() for name in _primitives(resource) if f"_{name}" not in fields}
        self._shared = Table(fields, setting, leaves)
        inner = {"extension": extensions_of_part(), **modifiers("modifierExtension")} if resource.parts else {}
        self._repeated = Table({**inner, **resource.repeated}, setting, leaves)
        self._latest = setting.latest.encode()
        self._contradictions = [
            (
                each,
                each.among(self._latest) if each.among else None,
                [*self._shared.giving(each.of), *self._repeated.giving(each.of)],
            )
            for each in resource.contradictions
        ]
        self._parts = PartReader(resource.parts, self._repeated, setting)
        self._stands_by = tuple([b',"%b":' % name.encode() for name in resource.parts.alone]) if resource.parts else ()
        self._telling = [name for name in resource.subject if name != "id"] or [next(iter(resource.fields))]
        own = filter(None, (*self._heads.names, self._parts.field))
        names = [*own, *self._shared.names, *self._repeated.names]
        looked_into = [*self._heads.names, self._parts.field, *self._shared.memories, *self._repeated.memories]
        self._whole = Whole(self._type, names, read=looked_into)
        self._head = b'{"type":"%b","id":"r-' % resource.record.encode()
        self._source = b'"source":[{"type":"%b","ref":"h-' % resource.source.encode()
        self._mapping = b'}],"mapping":"%b"' % resource.mapping.encode()
        self._leaves_parent, self._leaves_parts = leaves("parent"), leaves("parts")

    def read(self, lines: Sequence[bytes], *, met: bool = False) -> Outcomes:
        """What becomes of lines of this type. Raises msgspec's and Unicode's errors, before anything is counted, where one is no JSON object;
        with `met` also where one is of another type or has a field that was not met before."""
        names, resources, twice = self._whole.decode_met(lines) if met else self._whole.decode(lines)
        source = Columns(names, resources)
        notes = Notes(list)
        heads = self._heads.read(source, notes)
        said = self._lending.said(source, heads.refs)
        outcomes = self._read(lines, source, heads, notes, twice)
        self._lending.finish(outcomes, source, heads.refs, said)
        return outcomes

    def _read(
        self, lines: Sequence[bytes], source: Columns, heads: Heads, notes: Notes, twice: Sequence[int]
    ) -> Outcomes:
        looked_up = [*self._look_up(source), *((place, heads.refs[place]) for place in self._lending.lacking(source))]
        shared = self._shared.texts(source, notes)
        split = source.standing(self._parts.field)
        noticed = {place: list(notes.get(place, ())) for place in split}
        own = self._repeated.texts(source, notes)
        for place, note in heads.noted:
            notes[place].append(note)
        refused = {place for place, note in heads.noted if note.reason is not None}
        for place in source.without(self._telling):
            if place not in refused and (said := stub(lines[place])) is not None:
                notes[place].append(said)
        for place in twice:
            notes[place].append(TWICE)
        names = list(map(hexlify, heads.refs))
        contents = self._contents(names, heads, [*shared, *own])
        for each, among, given_by in self._contradictions:
            for place in _worth_a_look(each, among, given_by, source):
                content = contents[place]
                if (found := content.rfind(each.mark)) >= 0 and each.holds(content, found, self._latest):
                    notes[place].append(Note(flags=(each.flag,)))
        passing = self._in_passing(notes, split) if notes else {}
        records = self._records(names, heads, contents, passing)
        depends = [
            Depends(heads.refs[place], heads.subjects[place], on, lines[place])
            for place, on in looked_up
            if UNNAMED not in notes.get(place, ())
        ]
        outcomes = Outcomes([*records], {}, [], depends, [])
        if len(notes) == len(passing) and not split:
            return outcomes

        parts = self._parts.read(source, split)
        emptied = _emptied(notes) | {parts.owners[number] for number in _emptied(parts.notes)}
        again = sorted(emptied - _broken(notes)) if emptied else []
        if again:
            outcomes.put(again, self.read([without_empty(lines[place]) for place in again]))
        for place in sorted({*notes, *split}.difference(again, passing)):
            record, seen = records[place], notes.get(place, [])
            if place in noticed:
                before = [heads.named[place], *(texts[place] for texts in shared)]
                outcome: Outcome | Mapped | None = self._exploded(place, record, before, noticed[place], seen, parts)
            else:
                outcome = self._settled(record, seen)
            outcomes.put_one(place, self._with_beside(_flagged(record, seen), seen) if outcome is None else outcome)
        return outcomes

    def _with_beside(self, record: Mapped, notes: Sequence[Note]) -> Outcome | Mapped:
        """A record with what it gives beside itself, where it does."""
        if not (beside := self._beside(record, notes)):
            return record
        return Outcome(self._type, record.id[:REF_BYTES], [record, *beside], updated=record.updated, beside=True)

    def _beside(self, record: Mapped, notes: Sequence[Note]) -> list[Mapped]:
        return self._besides.of(record, notes) if self._besides is not None else []

    def _look_up(self, source: Columns) -> list[tuple[int, bytes]]:
        """Lends fields that name other resources what is kept of those. Returns who named which."""
        found: list[tuple[int, bytes]] = []
        for name, resource_type in self._shared.refers.items():
            if name in source:
                contents = source.contents(name)
                targets = self._references.targets(resource_type, contents)
                kept = self._references.kept(targets)
                beside = source.beside(self._shared.needs[name])
                source.lend(
                    name,
                    [
                        contained if target is CONTAINED else known
                        for target, known, contained in zip(targets, kept, beside, strict=True)
                    ],
                )
                if self._references.asks:
                    found += [(place, ref) for place, target in enumerate(targets) for ref in _elsewhere(target)]
        return found

    # ------------------------------------------------------------ records

    def _contents(self, names: Sequence[bytes], heads: Heads, found: Sequence[Texts]) -> list[bytes]:
        """One record's content a resource: its head and what its fields gave; `names` are the refs in hex."""
        pieces = zip(repeat(self._head), names, repeat(_WHOLE_END), heads.named, *found, repeat(b"}"))
        return list(map(b"".join, pieces))

    def _records(
        self, names: Sequence[bytes], heads: Heads, contents: Sequence[bytes], flags: Mapping[int, bytes]
    ) -> list[Mapped]:
        """One record a resource; `flags` by place."""
        texts: Iterable[bytes] = repeat(b"")
        if flags:
            texts = [flags.get(place, b"") for place in range(len(contents))]
        origins = [origin.members for origin in heads.origins]
        pieces = zip(repeat(self._source), names, origins, repeat(self._mapping), texts)
        fields = zip(
            [ref + WHOLE for ref in heads.refs],
            repeat(self._record),
            heads.subjects,
            contents,
            map(b"".join, pieces),
            [origin.updated for origin in heads.origins],
            repeat(NO_LINE),
        )
        return list(map(new_record, fields))

    def _exploded(
        self,
        place: int,
        whole: Mapped,
        before: list[bytes],
        shared: list[Note],
        seen: list[Note],
        parts: Elements,
    ) -> Outcome:
        """A resource with parts: a record of the whole, which lists the parts, and one of each part that can be used.

        `before`: what stands in front of a part's own fields; `shared` was noticed there, `seen` in the resource at all.
        """
        first, last = bisect_left(parts.owners, place), bisect_right(parts.owners, place)
        numbers, alike = self._parts.numbers(parts.known_by[first:last], parts.contents.get(place))
        if first < last and not (alike or shared or seen or parts.notes or place in parts.faults):
            return self._plain_parts(whole, numbers, first, before, parts)
        usable: list[tuple[int, list[Note]]] = []
        unusable: list[Note] = [parts.faults[place]] if place in parts.faults else []
        for index in range(last - first):
            noted = parts.notes.get(first + index, ())
            if not noted and index not in alike:
                usable.append((index, []))
                continue
            path = parts.paths[first + index] if parts.paths else f"{self._parts.field}[{index}]"
            inner = _inner(noted, path, alike=index in alike)
            worst = _worst(inner)
            if worst is None:
                usable.append((index, inner))
            else:
                unusable.append(worst)
        if usable:  # a panel may lack a value, and even a code, of its own
            seen = [*shared, *(_left_out(note) for note in seen[len(shared) :])]
        if usable or any(mark in whole.content for mark in self._stands_by):
            seen = [*seen, *(_left_out(note, of_parts=True) for note in unusable)]
        else:
            seen = [*seen, *unusable]
        outcome = self._settled(whole, [*seen, *(note for _, inner in usable for note in inner)])
        self._count_parts(last - first, unusable, outcome)
        if outcome is not None:
            return outcome
        placed = [(numbers[index], first + index) for index, _ in usable]
        records = self._part_records(_flagged(whole, seen), placed, before, parts)
        flagged = zip(records[1:], usable, strict=True)
        records[1:] = [_flagged(record, [*shared, *inner]) for record, (_, inner) in flagged]
        own = len(records)
        if self._besides is not None:
            of_each: list[list[Note]] = [seen, *([*shared, *inner] for _, inner in usable)]
            told = zip(records, of_each, strict=True)
            records += [more for record, notes in told for more in self._beside(record, notes)]
        left_out = [Problem(note.reason, self._type, f"{self._type}.{note.path}") for note in unusable if note.reason]
        ref, is_in_part = whole.id[:REF_BYTES], bool(unusable)
        outcome = Outcome(self._type, ref, records, False, whole.updated, None, is_in_part, tuple(left_out))
        return outcome._replace(beside=True) if len(records) > own else outcome

    def _plain_parts(
        self, whole: Mapped, numbers: Sequence[bytes], first: int, before: list[bytes], parts: Elements
    ) -> Outcome:
        """What becomes of a resource where nothing was noticed, in it or in its parts, as is usual."""
        self._noticed.parts[self._type, ""] += len(numbers)
        records = self._part_records(whole, list(zip(numbers, count(first), strict=False)), before, parts)
        return Outcome(self._type, whole.id[:REF_BYTES], records, False, whole.updated)

    def _part_records(
        self, whole: Mapped, placed: Sequence[tuple[bytes, int]], before: list[bytes], parts: Elements
    ) -> list[Mapped]:
        """The record of the whole, and those of its usable parts: four bytes of each, and its place among the elements."""
        ids, kind, subject, content, provenance, *others = whole
        ref = ids[:REF_BYTES]
        name = hexlify(ref)
        opening, front = self._head + name, b"".join((b'"', *before))
        end = b',"parent":"r-%b%b"}' % (name, _WHOLE_HEX) if self._leaves_parent else b"}"
        plain = provenance.partition(b',"flags":')[0]
        records: list[Mapped] = []
        for number, place in placed:
            text = b"".join((opening, hexlify(number), front, *[texts[place] for texts in parts.texts], end))
            records.append(new_record((ref + number, kind, subject, text, plain, *others)))
        if records and self._leaves_parts:
            listed = b'","r-'.join(sorted([name + hexlify(number) for number, _ in placed]))
            whole = new_record(
                (ids, kind, subject, b'%b,"parts":["r-%b"]}' % (content[:-1], listed), provenance, *others)
            )
        return [whole, *records]

    def _count_parts(self, read: int, unusable: Sequence[Note], outcome: Outcome | None) -> None:
        """Where the whole is unusable or withdrawn, its parts are, too."""
        parts = self._noticed.parts
        parts[self._type, ""] += read
        if outcome is None:
            for note in unusable:
                if note.reason is not None:
                    parts[self._type, note.reason.value] += 1
        elif outcome.problem is not None:
            parts[self._type, outcome.problem.reason.value] += read
        else:
            parts[self._type, WITHDRAWN] += read

    # ------------------------------------------------------------ what was noticed

    def _in_passing(self, notes: Notes, split: Collection[int]) -> dict[int, bytes]:
        """Counts what leaves a record as it is but for flags, as nearly all that is noticed does. Returns these as text, by place."""
        alike: dict[int, list[int]] = {}
        parted = frozenset(split)
        for place, seen in notes.items():
            if len(seen) == 1 and place not in parted:
                alike.setdefault(id(seen[0]), []).append(place)
        found: dict[int, bytes] = {}
        for places in alike.values():
            (note,) = notes[places[0]]
            if note.reason is None and not (note.withdrawn or note.emptied or note.beside):
                self._noticed.add(self._type, [note], True, times=len(places))
                found |= dict.fromkeys(places, _flags_text(note.flags))
        return found

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
            if note.reason is not None and (worst is None or _rank(note) < _rank(worst)):
                worst = note
        self._noticed.add(self._type, notes, worst is None)
        return None if worst is None else self._problem(record, worst)

    def _problem(self, record: Mapped | None, note: Note) -> Outcome:
        """`record`: what the resource would have become; None for a resource without an id."""
        assert note.reason is not None
        path = f"{self._type}.{note.path}" if note.path else self._type
        ref, updated = (b"", None) if record is None else (record.id[:REF_BYTES], record.updated)
        return Outcome(self._type, ref, [], False, updated, Problem(note.reason, self._type, path))


def _worth_a_look(
    each: Contradiction, among: Among | None, given_by: Sequence[str], source: Columns
) -> Collection[int]:
    """The places of the resources in which two things may stand that cannot both be so."""
    if among is None:
        return _standing_in(given_by, source)
    told = each.by[-1]
    others = [name for name in given_by if name != told and name in source] if told in given_by else []
    if told not in source:
        return _standing_in(others, source)
    found = among(*(source.contents(name) if name in source else [None] * source.count for name in each.by))
    return {*found, *_standing_in(others, source)} if others else found


def _standing_in(names: Sequence[str], source: Columns) -> Collection[int]:
    return {place for name in names for place in source.standing(name)}


def _primitives(resource: Resource) -> list[str]:
    """The fields that say when, and what was found, as primitives: beside them stands why they are missing."""
    found: list[str] = []
    for name, rule in (*resource.fields.items(), *resource.repeated.items()):
        found += rule.fields if isinstance(rule, Choice) else [name]
    return [name for name in found if name.endswith(_PRIMITIVE)]


def _inner(notes: Iterable[Note], path: str, *, alike: bool) -> list[Note]:
    """What was noticed in one part, with the part's place in the resource."""
    told = (note._replace(path=f"{path}.{note.path}".removesuffix(".")) for note in notes)
    return [*told, *([_ALIKE] if alike else ())]


def _elsewhere(target: Target) -> Target:
    """The refs of a resource that is looked up."""
    return () if target is CONTAINED else target


def _emptied(notes: Notes) -> set[int]:
    return {place for place, seen in notes.items() for note in seen if note.emptied}


def _broken(notes: Notes) -> set[int]:
    """Places of lines with a key twice: read again, they would lose one of the two."""
    return {place for place, seen in notes.items() if any(note.reason is Reason.DUPLICATE_KEY for note in seen)}


def _worst(notes: Iterable[Note]) -> Note | None:
    """Of what makes the resource, or the part, unusable, what says most about it."""
    found = [note for note in notes if note.reason is not None]
    return min(found, key=_rank) if found else None


def _left_out(note: Note, *, of_parts: bool = False) -> Note:
    """What would make a whole unusable, but leaves only a field or a part out of it; a part may be unusable for more reasons."""
    fatal = note.reason in (_PARTS_FATAL if of_parts else FATAL)
    if note.reason is None or fatal or not note.path:
        return note
    field = note.path.partition(".")[0]
    return Note(flags=(*note.flags, f"dropped:{field}"), unmapped=note.unmapped, dropped=(note.path,))


def _rank(note: Note) -> int:
    return _PRECEDENCE.get(note.reason, _LEAST) if note.reason is not None else _LEAST + 1


def _flagged(record: Mapped, notes: list[Note]) -> Mapped:
    """The record with what was noticed as flags in its provenance."""
    if not notes:
        return record
    flags = _flags_text(notes[0].flags if len(notes) == 1 else tuple([flag for note in notes for flag in note.flags]))
    return new_record((*record[:4], record.provenance + flags, *record[5:])) if flags else record


@lru_cache(maxsize=512)
def _flags_text(flags: tuple[str, ...]) -> bytes:
    return members([("flags", sorted(set(flags)))])
