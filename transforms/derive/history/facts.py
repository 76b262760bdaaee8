"""A record as values read it: the fields that some value needs, of whatever type."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import Decoder


class Coded(Struct, frozen=True, gc=False):
    """A coding."""

    code: str
    system: str | None = None


class Step(Struct, frozen=True, gc=False):
    """A step of a dosage."""

    sequence: int | None = None
    end_date: str | None = None
    days: float | None = None


class Fact(Struct, frozen=True, gc=False):
    """One current record; what a type does not have is None."""

    type: str
    id: str
    code: str | None = None
    value: float | None = None
    value_code: str | None = None
    value_codings: Sequence[Coded] = ()
    unit: str | None = None
    comparator: str | None = None
    effective: str | None = None
    effective_date: str | None = None
    birth_date: str | None = None
    sex: str | None = None
    birth_sex: str | None = None
    race: Sequence[str] = ()
    class_code: str | None = None
    kind: str | None = None
    intent: str | None = None
    status: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    days_supply: float | None = None
    steps: Sequence[Step] = ()
    ingredients: Sequence[str] = ()
    route: Sequence[Coded] = ()
    codings: Sequence[Coded] = ()
    onset_date: str | None = None
    recorded_date: str | None = None
    verification_status: str | None = None
    instrument: str | None = None
    score: float | None = None
    state: str | None = None
    told_by: str | None = None
    diagnosis_date: str | None = None
    replaces: Sequence[str] = ()
    part_of: object = None


_decode = Decoder(Fact).decode


def fact_of(content: bytes) -> Fact:
    """A record's content, decoded narrowly."""
    return _decode(content)
