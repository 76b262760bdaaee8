"""What mapping one FHIR resource gives: the hand-over from transforms/ to the store."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

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


class Outcome(NamedTuple):
    """What became of one line: records, a withdrawal, or a problem (and then neither)."""

    resource_type: str
    """FHIR resource type; `?` where the line does not say."""
    ref: bytes
    """12 bytes; `h-` + hex outside; empty where the resource has no id."""
    records: list[Mapped]
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
        if not self.unusual:
            return self.usual  # type: ignore[return-value] # none is None
        found: list[Mapped] = []
        for place, record in enumerate(self.usual):
            if record is not None:
                found.append(record)
            else:
                found += self.unusual[place].records
        return found

    def sign(self, digests: Sequence[bytes]) -> None:
        """Gives each line's records the digest of the line: the whole's id and the digest tell that all of them are known."""
        for place, record in enumerate(self.usual):
            if record is not None:
                self.usual[place] = new_record((*record[:-1], digests[place]))
        for place, outcome in self.unusual.items():
            if outcome.records and not (outcome.in_part or outcome.beside):  # known again, they could not be counted
                signed = [new_record((*record[:-1], digests[place])) for record in outcome.records]
                self.unusual[place] = outcome._replace(records=signed)

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
