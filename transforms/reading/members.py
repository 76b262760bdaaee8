"""One FHIR resource type that names many patients: each of its members becomes a record of that patient's."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any

import msgspec
from msgspec import Raw

from schemas.problems import Problem, Reason
from transforms.fhir.elements import Reference, decode, reference_id
from transforms.fhir.keys import has_key_twice
from transforms.mapped import ID_BYTES, NO_LINE, REF_BYTES, WHOLE, Alike, Mapped, Outcome, Outcomes, Shape
from transforms.reading.noticed import Noticed
from transforms.reading.reader import Reader
from transforms.reading.stubs import stub
from transforms.rules.declaring import Resource
from transforms.rules.setting import Setting

_AT_ONCE = 200
_WHOLE = int.from_bytes(WHOLE)
_FEW = 1_000
"""Records up to so many are listed; of more, what they have alike is held once."""
_EMPTY = frozenset({b"null", b"[]", b"{}", b""})
_OPENING = b',"id":"r-'
_SUBJECT = b'","subject":"s-'
"""Between the id of a record and the subject."""
_MODIFIERS = ("modifierExtension",)
_NOBODY = Raw(b'{"reference":"Patient/anybody"}')
_NOTHING = Raw(b"null")
_COUNT = frozenset(b"0123456789")
_LONGEST_COUNT = 9
_encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_listed = msgspec.json.Decoder(list[Raw] | dict[str, Raw] | None).decode


class Found:
    """The records of one resource's members, as they are found: what they have alike is held once."""

    def __init__(self, keyed: Callable[[bytes], bytes], label_of: Callable[[int], str]) -> None:
        """`label_of`: what names the member of a place within its resource."""
        self._keyed, self._label_of = keyed, label_of
        self._ref, self._opening = b"", 0
        self._shapes: dict[Shape, int] = {}
        self._places, self._numbers, self._which, self._subjects = array("I"), array("I"), array("I"), bytearray()

    def add(self, place: int, label: str, record: Mapped) -> None:
        """The record of the member of a place, by what names it."""
        content = record.content
        if not self._ref:
            self._ref = record.id[:REF_BYTES]
            self._opening = content.index(_OPENING) + len(_OPENING) + 2 * REF_BYTES
        numbered = self._opening + 2 * len(WHOLE)
        subject = numbered + len(_SUBJECT)
        shape = Shape(
            content[: self._opening],
            content[numbered:subject],
            content[subject + 2 * len(record.subject) :],
            *(record.provenance, record.type, record.updated),
        )
        self._places.append(place)
        self._numbers.append(self._number(label))
        self._which.append(self._shapes.setdefault(shape, len(self._shapes)))
        self._subjects += record.subject

    def numbered(self) -> Sequence[Mapped]:
        """Each record with an id of its own, whatever the order of members; one that stands twice as it is stands once."""
        chosen, subjects, parts = array("I"), bytearray(), bytearray()
        for at, number in self._told_apart():
            parts += number.to_bytes(len(WHOLE))
            chosen.append(self._which[at])
            subjects += self._subjects[at * ID_BYTES : (at + 1) * ID_BYTES]
        records = Alike(self._ref, list(self._shapes), chosen, bytes(parts), bytes(subjects), NO_LINE)
        return records if len(records) > _FEW else list(records)

    def _told_apart(self) -> Iterator[tuple[int, int]]:
        """The records, each with what tells it from all others of its resource."""
        alone, contested = array("I"), dict[tuple[str, Shape], int]()
        shapes = list(self._shapes)
        order = sorted(range(len(self._numbers)), key=self._numbers.__getitem__)
        for number, group in groupby(order, self._numbers.__getitem__):
            some = list(group)
            if len(some) > 1 or number == _WHOLE:
                ours = {(self._label_of(self._places[at]), shapes[self._which[at]]): at for at in some}
                if len(ours) > 1 or number == _WHOLE:
                    contested |= ours
                    continue
            alone.append(number)
            yield some[0], number
        taken = {_WHOLE}
        for (label, _shape), at in sorted(contested.items()):
            number, attempt = self._numbers[at], 1
            while number in taken or (attempt > 1 and _has(alone, number)):
                attempt += 1
                number = self._number(f"{attempt}/{label}")
            taken.add(number)
            yield at, number

    def _number(self, label: str) -> int:
        return int.from_bytes(self._keyed(label.encode())[: len(WHOLE)])


def _has(ascending: "array[int]", number: int) -> bool:
    place = bisect_left(ascending, number)
    return place < len(ascending) and ascending[place] == number


class MemberReader:
    """Lines of such a type in, outcomes out. Members are read some at a time: what is held is their records."""

    def __init__(self, resource: Resource, *, setting: Setting, noticed: Noticed, **given: Any) -> None:
        assert resource.members is not None
        self._type, self._declared, self._noticed = resource.source, resource.members, noticed
        self._reader = Reader(resource, setting=setting, noticed=noticed, **given)
        self._probe = Reader(resource, setting=setting, noticed=Noticed(), **given)
        """Reads what all members share, with nobody for a member; what it notices is noticed with each of them."""
        self._keyed = setting.pseudonyms.refs(b"part/")
        self._own = frozenset((self._declared.known_by, *self._declared.reads))
        self._told = self._own.union(_MODIFIERS)
        self._otherwise = {name: Raw(value) for name, value in self._declared.otherwise.items()}

    def read(self, lines: Sequence[bytes]) -> Outcomes:
        """What becomes of lines of this type. Raises msgspec's and Unicode's errors where one is no JSON object."""
        decoded = [_fields(line) for line in lines]
        outcomes = Outcomes([None] * len(lines), {}, [], [], [])
        for place, (fields, line) in enumerate(zip(decoded, lines, strict=True)):
            outcomes.unusual[place] = self._outcome(fields, line)
        return outcomes

    def _outcome(self, fields: dict[str, Raw], line: bytes) -> Outcome:
        content = fields.pop(self._declared.of, _NOTHING)
        shared = {name: raw for name, raw in fields.items() if name not in self._own and bytes(raw) not in _EMPTY}
        whole = self._whole(shared)
        if whole.withdrawn or not whole.ref:
            return whole
        if has_key_twice(_without(line, content)):
            return self._problem(whole, Reason.DUPLICATE_KEY)
        if (said := stub(line)) is not None:
            return (
                whole._replace(withdrawn=True, problem=None)
                if said.withdrawn
                else self._problem(whole, Reason.PARTIAL_ANSWER)
            )
        if whole.problem is not None:
            return whole
        try:
            listed = _listed(content) or []
        except msgspec.ValidationError:
            return self._problem(whole, Reason.INVALID_FIELD, self._declared.of)
        members = listed if isinstance(listed, list) else [content]
        if self._counts_more(fields, len(members)):
            return self._problem(whole, Reason.PARTIAL_ANSWER, self._declared.count)
        return self._of_members(whole, shared, members)

    def _whole(self, shared: dict[str, Raw]) -> Outcome:
        """What becomes of what the members share, whoever they are; without records."""
        line = _encode({"resourceType": self._type, **self._otherwise, **shared, self._declared.known_by: _NOBODY})
        outcomes = self._probe.read([line])
        if (record := outcomes.usual[0]) is None:
            return outcomes.unusual[0]._replace(records=[])
        return Outcome(self._type, record.id[:REF_BYTES], [], updated=record.updated)

    def _counts_more(self, fields: dict[str, Raw], listed: int) -> bool:
        said = bytes(fields.get(self._declared.count, b"0"))
        return 0 < len(said) <= _LONGEST_COUNT and _COUNT.issuperset(said) and int(said) > listed

    def _of_members(self, whole: Outcome, shared: dict[str, Raw], members: Sequence[Raw]) -> Outcome:
        found = Found(self._keyed, lambda place: self._label(self._alone({}, bytes(members[place]))))
        unusable, read = list[Problem](), 0
        for place, member in self._some(shared, members):
            read += len(place)
            outcomes = self._reader.read(member)
            for index, each, record in zip(place, member, outcomes.usual, strict=True):
                if record is None:
                    unusable.append(self._renamed(outcomes.unusual[index - place[0]].problem, index))
                else:
                    found.add(index, self._label(each), record)
        self._count(read, unusable)
        if records := found.numbered():
            told = Outcome(self._type, whole.ref, records, False, whole.updated, alone=True)
            return told._replace(in_part=bool(unusable), left_out=tuple(unusable))
        return whole._replace(problem=unusable[0]) if unusable else whole._replace(withdrawn=True)

    def _some(self, shared: dict[str, Raw], members: Sequence[Raw]) -> Iterator[tuple[range, list[bytes]]]:
        """Members as resources of their own, some at a time, with their places."""
        left = enumerate(members)
        while some := list(islice(left, _AT_ONCE)):
            yield range(some[0][0], some[-1][0] + 1), [self._alone(shared, bytes(member)) for _, member in some]

    def _alone(self, shared: dict[str, Raw], member: bytes) -> bytes:
        """A member with what it shares with the others; of what is no object, and of one with a key twice, that is left."""
        try:
            own = _fields(member)
        except msgspec.ValidationError:
            own = {self._declared.known_by: Raw(member)}
        if has_key_twice(member):
            own = {self._declared.known_by: Raw(member)}
        told = {name: raw for name, raw in own.items() if name in self._told and bytes(raw) not in _EMPTY}
        return _encode({"resourceType": self._type, **self._otherwise, **shared, **told})

    def _renamed(self, problem: Problem | None, index: int) -> Problem:
        """A member's problem, with its place."""
        assert problem is not None
        path = problem.path.removeprefix(f"{self._type}.")
        return Problem(problem.reason, self._type, f"{self._type}.{self._declared.of}[{index}].{path}")

    def _count(self, read: int, unusable: Sequence[Problem]) -> None:
        parts = self._noticed.parts
        parts[self._type, ""] += read
        for problem in unusable:
            parts[self._type, problem.reason.value] += 1

    def _label(self, member: bytes) -> str:
        """What names a member within its resource: the patient's id, as the source has it."""
        raw = bytes(_fields(member)[self._declared.known_by])
        return f"Patient/{reference_id(decode(raw, Reference), 'Patient')}"

    def _problem(self, whole: Outcome, reason: Reason, path: str = "") -> Outcome:
        problem = Problem(reason, self._type, ".".join(filter(None, (self._type, path))))
        return Outcome(self._type, whole.ref, [], False, whole.updated, problem)


def _without(line: bytes, members: Raw) -> bytes:
    """A line with no members, without a copy of them."""
    place = line.find(memoryview(members)) if members is not _NOTHING else -1
    return line if place < 0 else line[:place] + b"[]" + line[place + len(memoryview(members)) :]
