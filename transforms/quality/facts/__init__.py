"""One person's records as checks read them: decoded once, narrowly."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.json import Decoder

from schemas.outcomes.replacing import OF_ONE_RESOURCE, Naming, names, note, replaced_of, standing_in_circles
from transforms.quality.facts.numbers import Numbers, Readings

Kept = TypeVar("Kept")

_FLAGS = b'"flags":["'
DAYS_A_MONTH = 365.25 / 12
HAPPENED = frozenset(
    ["condition", "disease_assessment", "encounter", "immunization", "observation", "pro_response", "procedure"]
)
"""Types that tell what was, not what is to be."""
PLANNED = frozenset(["planned", "cancelled"])


class Row(NamedTuple):
    """A record as it stands in a site's state."""

    subject: bytes
    content: bytes
    provenance: bytes


class Coded(Struct, frozen=True, gc=False):
    """A coding."""

    code: str
    system: str | None = None


class Fact(Struct, gc=False):
    """One current record; what a type does not have is None."""

    type: str
    id: str
    code: str | None = None
    codings: Sequence[Coded] = ()
    icd10cm: str | None = None
    category: Sequence[str | Coded] = ()
    value: float | None = None
    unit: str | None = None
    comparator: str | None = None
    value_code: str | None = None
    absent: str | None = None
    effective: str | None = None
    effective_date: str | None = None
    start: str | None = None
    start_date: str | None = None
    end: str | None = None
    performed_date: str | None = None
    performed: str | None = None
    authored_date: str | None = None
    occurrence_date: str | None = None
    recorded_date: str | None = None
    onset_date: str | None = None
    birth_date: str | None = None
    death_date: str | None = None
    sex: str | None = None
    status: str | None = None
    verification_status: str | None = None
    class_code: str | None = None
    types: Sequence[Coded] = ()
    kind: str | None = None
    intent: str | None = None
    dose: float | None = None
    encounter: str | None = None
    parent: str | None = None
    parts: Sequence[str] = ()
    members: Sequence[str] = ()
    focus: str | None = None
    replaces: Sequence[str] = ()
    flags: Sequence[str] = ()
    """What mapping noticed of it; of its provenance."""
    dated: str | None = None
    """The local date it is of, as precise as it is known; whichever field its type tells it by."""
    day: int | None = None
    """The same as Python's ordinal; none of a year or a month alone."""

    @property
    def source(self) -> str:
        """The resource it comes from."""
        return self.id[:OF_ONE_RESOURCE]

    @property
    def happened(self) -> bool:
        """Whether it tells what was."""
        return self.type in HAPPENED and self.status not in PLANNED


_decode = Decoder(Fact).decode


@lru_cache(maxsize=50_000)
def ordinal(text: str | None) -> int | None:
    """The day of a full date."""
    if text is None or len(text) != 10:
        return None
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None


class Person:
    """Some of one person's current records after others, without those that others replace; or all of them.

    What replaces others comes before them, and the person's own record first: as `rows_of` gives them.
    """

    def __init__(
        self,
        facts: Iterable[Fact],
        before: "Person | None" = None,
        *,
        last: bool = True,
        beside: Numbers | None = None,
    ) -> None:
        """`last`: none follow. `beside`: the readings that are set beside one another, of all the records."""
        self.last, self._beside = last, beside
        given = list(facts)
        self._naming: Naming = before._naming if before is not None else {}
        replacing = [fact for fact in given if fact.replaces]
        for fact in replacing:
            note(self._naming, fact.id, fact.replaces)
        known = before._replaced if before is not None else set()
        self._replaced: set[str] = replaced_of(self._naming) if replacing else known
        self.given = [fact.id for fact in given]
        """The ids of these records, replaced ones too."""
        self.facts = [fact for fact in given if not names(self._replaced, fact.id)] if self._replaced else given
        first = before.record if before is not None else None
        self.record: Fact | None = next((fact for fact in self.facts if fact.type == "person"), first)
        self._kept: dict[object, Any] = before._kept if before is not None else {}
        self.born = ordinal(self.record.birth_date) if self.record else None
        self.died = ordinal(self.record.death_date) if self.record else None

    @cached_property
    def circles(self) -> set[str]:
        """The ids of records that stand although others replace them, as those they replace themselves."""
        return standing_in_circles(self._naming) if self._naming else set()

    def kept(self, what: Callable[[], Kept]) -> Kept:
        """What a check keeps of this person from some records to the next, made by `what` at first."""
        if what not in self._kept:
            self._kept[what] = what()
        found: Kept = self._kept[what]
        return found

    def of(self, *types: str) -> Iterator[Fact]:
        """The records of some types."""
        return (fact for kind in types for fact in self._by_type.get(kind, ()))

    @cached_property
    def _by_type(self) -> dict[str, list[Fact]]:
        found: dict[str, list[Fact]] = {}
        for fact in self.facts:
            found.setdefault(fact.type, []).append(fact)
        return found

    def months(self, day: int) -> float | None:
        """Age in months."""
        return None if self.born is None or day < self.born else (day - self.born) / DAYS_A_MONTH

    def readings(self, codes: frozenset[str], unit: str) -> Readings:
        """Exact numbers of some codes in a unit, on known days, by time."""
        return self._numbers.of(codes, unit)

    @cached_property
    def _numbers(self) -> Numbers:
        if self._beside is not None:
            return self._beside
        found = Numbers()
        for fact in self.of("observation"):
            add_number(found, fact)
        return found


def add_number(numbers: Numbers, fact: Fact) -> None:
    """Adds what is an exact number of a code on a known day."""
    if fact.type != "observation" or fact.comparator is not None or fact.day is None:
        return
    if fact.code and fact.value is not None:
        numbers.add(fact.code, fact.unit, fact.day, fact.value, fact.effective, fact.id)


def fact_of(row: Row) -> Fact:
    """A record with what mapping noticed of it."""
    fact = _decode(row.content)
    fact.dated = (
        fact.effective_date
        or fact.start_date
        or fact.performed_date
        or fact.authored_date
        or fact.occurrence_date
        or fact.recorded_date
        or fact.onset_date
    )
    if fact.dated is not None:
        fact.day = ordinal(fact.dated)
    _before, found, rest = row.provenance.partition(_FLAGS)
    if found:
        fact.flags = rest.partition(b'"]')[0].decode().split('","')
    return fact
