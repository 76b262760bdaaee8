"""What mapping one FHIR resource gives: the hand-over from transforms/ to the store."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import NamedTuple, overload

from schemas.problems import Problem

REF_BYTES = 12
"""A source resource's keyed hash; every record id of the resource begins with it, so a range of ids is a resource."""
ID_BYTES = 16
"""A record's id: the source's hash and four bytes for the part (component) of the resource, zero for the whole."""
WHOLE = bytes(ID_BYTES - REF_BYTES)
"""The part of a record id that says: the whole resource."""
SAYS_NOTHING = "says-nothing"
"""Flag of a record whose resource is named and nothing more: it takes nothing away from what is known."""
NO_LINE = bytes(16)
"""The line digest of a record whose line is not recognised."""


class Mapped(NamedTuple):
    """One outcome record in the form the store keeps it."""

    id: bytes
    """16 bytes; `r-` + hex outside."""
    type: str
    subject: bytes
    """16 bytes; `s-` + hex outside."""
    content: bytes
    """The record as a JSON object: schemas.outcomes, null fields left out."""
    provenance: bytes
    """The members `"source":[…],"mapping":"observation@1","flags":[…]` of the event's provenance, without braces."""
    updated: int | None
    """meta.lastUpdated in microseconds since 1970 UTC: an older version never replaces a newer one."""
    line_digest: bytes = NO_LINE
    """What the line is recognised by when it comes again (`Mapper.line_digests`)."""


class Current(NamedTuple):
    """A record as it stands, not withdrawn."""

    id: bytes
    type: str
    subject: bytes
    content: bytes


DERIVED = "derived_observation"
"""Record type of values made of several records."""


new_record = partial(tuple.__new__, Mapped)
"""From a sequence of all fields; a named tuple's own constructor takes twice the time."""


class Shape(NamedTuple):
    """What records of one resource have alike that differ in their part and in whom they are of."""

    before: bytes
    """The content up to the part of the id, in hex."""
    between: bytes
    """From there to the subject, in hex."""
    after: bytes
    provenance: bytes
    type: str
    updated: int | None


class Alike(Sequence[Mapped]):
    """Very many records of one resource, each made when it is asked for: what they have alike is held once."""

    def __init__(
        self, ref: bytes, shapes: Sequence[Shape], which: "array[int]", parts: bytes, subjects: bytes, line: bytes
    ) -> None:
        """`which`: the shape of each; `parts`, `subjects`: theirs, joined; `line`: the digest of their line."""
        self.ref = ref
        self._given = ref, shapes, which, parts, subjects
        self._shapes, self._which, self._parts, self._subjects, self._line = shapes, which, parts, subjects, line

    def signed(self, line: bytes) -> "Alike":
        """The same with the digest of their line."""
        return Alike(*self._given, line)

    def __len__(self) -> int:
        """How many."""
        return len(self._which)

    @overload
    def __getitem__(self, at: int) -> Mapped: ...
    @overload
    def __getitem__(self, at: slice) -> list[Mapped]: ...
    def __getitem__(self, at: int | slice) -> Mapped | list[Mapped]:
        """One, or some."""
        places = range(len(self._which))[at]
        return self._made(places) if isinstance(places, int) else list(map(self._made, places))

    def __iter__(self) -> Iterator[Mapped]:
        """One after the other."""
        return map(self._made, range(len(self._which)))

    def has(self, record_id: bytes) -> bool:
        """Whether it is one of their ids."""
        number = int.from_bytes(record_id[REF_BYTES:])
        place = bisect_left(self._numbers, number)
        return record_id[:REF_BYTES] == self.ref and self._numbers[place : place + 1] == array("I", [number])

    @cached_property
    def _numbers(self) -> "array[int]":
        width = len(WHOLE)
        return array(
            "I", sorted(int.from_bytes(self._parts[at : at + width]) for at in range(0, len(self._parts), width))
        )

    def _made(self, place: int) -> Mapped:
        shape = self._shapes[self._which[place]]
        part = self._parts[place * len(WHOLE) : (place + 1) * len(WHOLE)]
        subject = self._subjects[place * ID_BYTES : (place + 1) * ID_BYTES]
        content = b"%b%b%b%b%b" % (
            *(shape.before, part.hex().encode(), shape.between),
            *(subject.hex().encode(), shape.after),
        )
        return Mapped(self.ref + part, shape.type, subject, content, shape.provenance, shape.updated, self._line)


class Outcome(NamedTuple):
    """What became of one line: records, a withdrawal, or a problem (and then neither)."""

    resource_type: str
    """FHIR resource type; `?` where the line does not say."""
    ref: bytes
    """12 bytes; `h-` + hex outside; empty where the resource has no id."""
    records: Sequence[Mapped]
    """A list, or `Alike` where they are very many."""
    withdrawn: bool = False
    """The source says it was entered in error: all records of `ref` are to be withdrawn."""
    updated: int | None = None
    """As in Mapped; needed for a withdrawal, which has no record."""
    problem: Problem | None = None
    in_part: bool = False
    """Some of its parts gave no record."""
    left_out: tuple[Problem, ...] = ()
    """Why, one for each of these parts."""
    alone: bool = False
    """Its records are all there are of it, and none stands for the whole: what else it gave before is no longer so."""
    beside: bool = False
    """One of its records is of another type than the resource's: how many it gave is not told by its line."""


class Outcomes(NamedTuple):
    """What became of a batch of lines, in their order."""

    usual: list[Mapped | None]
    """The one record of each line; None for a line that is in `unusual`."""
    unusual: dict[int, Outcome]
    """Place in the batch → what became of a line that gave no record, or several."""
    referred: "list[Referred]"
    """Resources that others are read with."""
    depends: "list[Depends]"
    """The lines that were read with others."""
    lent: "list[Lent]"
    """What resources say of others."""

    @property
    def records(self) -> list[Mapped]:
        """All records, in the order of the lines."""
        return self._some(with_alike=True)

    @property
    def listed(self) -> list[Mapped]:
        """All but those that are `alike`."""
        return self._some(with_alike=False)

    @property
    def alike(self) -> list[Alike]:
        """Those that are made when they are asked for."""
        return [found.records for found in self.unusual.values() if isinstance(found.records, Alike)]

    def _some(self, *, with_alike: bool) -> list[Mapped]:
        if not self.unusual:
            return self.usual  # type: ignore[return-value] # none is None
        found: list[Mapped] = []
        behind = 0
        for place in sorted(self.unusual):
            found += self.usual[behind:place]  # type: ignore[arg-type] # none is None
            behind = place + 1
            records = self.unusual[place].records
            if with_alike or not isinstance(records, Alike):
                found += records
        found += self.usual[behind:]  # type: ignore[arg-type]
        return found

    def sign(self, digests: Sequence[bytes]) -> None:
        """Gives each line's records the digest of the line: the whole's id and the digest tell that all of them are known."""
        for place, record in enumerate(self.usual):
            if record is not None:
                self.usual[place] = new_record((*record[:-1], digests[place]))
        for place, outcome in self.unusual.items():
            if outcome.records and not (outcome.in_part or outcome.beside):  # known again, they could not be counted
                self.unusual[place] = outcome._replace(records=_signed(outcome.records, digests[place]))

    def put_one(self, place: int, outcome: Outcome | Mapped) -> None:
        """What became of one line."""
        if isinstance(outcome, Outcome):
            self.usual[place] = None
            self.unusual[place] = outcome
        else:
            self.usual[place] = outcome
            self.unusual.pop(place, None)

    def put(self, places: Sequence[int], outcomes: "Outcomes") -> None:
        """What became of some of the lines."""
        self.referred.extend(outcomes.referred)
        self.lent.extend(outcomes.lent)
        if outcomes.depends:
            known = {(each.ref, each.on) for each in self.depends}
            self.depends.extend(each for each in outcomes.depends if (each.ref, each.on) not in known)
        for place, record in zip(places, outcomes.usual, strict=True):
            self.usual[place] = record
        for number, outcome in outcomes.unusual.items():
            self.put_one(places[number], outcome)


def _signed(records: Sequence[Mapped], digest: bytes) -> Sequence[Mapped]:
    if isinstance(records, Alike):
        return records.signed(digest)
    return [new_record((*record[:-1], digest)) for record in records]


def joined(batches: Iterable[Outcomes]) -> Outcomes:
    """What became of several batches, one after the other."""
    usual: list[Mapped | None] = []
    unusual: dict[int, Outcome] = {}
    referred: list[Referred] = []
    depends: list[Depends] = []
    lent: list[Lent] = []
    for batch in batches:
        referred += batch.referred
        depends += batch.depends
        lent += batch.lent
        unusual.update({len(usual) + place: outcome for place, outcome in batch.unusual.items()})
        usual += batch.usual
    return Outcomes(usual, unusual, referred, depends, lent)


class Referred(NamedTuple):
    """A resource that others are read with (a Medication), kept by the state for whoever looks it up."""

    ref: bytes
    """12 bytes, as in a record's id."""
    type: str
    """FHIR resource type."""
    content: bytes
    """What a mapping that looks it up is given."""
    updated: int | None
    """As in Mapped."""


class Depends(NamedTuple):
    """A line that was read with another resource: mapped again when that one changes."""

    ref: bytes
    """The line's own resource."""
    subject: bytes
    on: bytes
    """The resource it was read with, found or not; its own where it lacks what another could lend it."""
    line: bytes


class Lent(NamedTuple):
    """What one resource says of others, all of it: a report of its results, a panel of its members."""

    by: bytes
    """12 bytes: who says it."""
    to: dict[bytes, bytes]
    """Of whom, by ref → what; JSON."""
    updated: int | None
    """As in Mapped."""
