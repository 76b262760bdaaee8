"""A record as values read it: the fields that some value needs, of whatever type."""

from typing import Any

from msgspec import Struct
from msgspec.json import Decoder
from msgspec.structs import force_setattr


class Coded(Struct, frozen=True, gc=False):
    """A coding."""

    code: str
    system: str | None = None


class Step(Struct, frozen=True, gc=False):
    """A step of a dosage."""

    sequence: int | None = None
    dose: float | None = None
    dose_high: float | None = None
    end_date: str | None = None
    start_date: str | None = None
    days: float | None = None
    as_needed: bool | None = None


class Fact(Struct, frozen=True, gc=False):
    """One current record; what a type does not have is None."""

    type: str
    id: str
    code: str | None = None
    value: float | None = None
    value_code: str | None = None
    value_codings: tuple[Coded, ...] = ()
    unit: str | None = None
    comparator: str | None = None
    effective: str | None = None
    effective_date: str | None = None
    birth_date: str | None = None
    sex: str | None = None
    birth_sex: str | None = None
    race: tuple[str, ...] = ()
    class_code: str | None = None
    kind: str | None = None
    intent: str | None = None
    status: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    days_supply: float | None = None
    refills: int | None = None
    dose: float | None = None
    dose_high: float | None = None
    as_needed: bool | None = None
    steps: tuple[Step, ...] = ()
    ingredients: tuple[str, ...] = ()
    route: tuple[Coded, ...] = ()
    codings: tuple[Coded, ...] = ()
    onset_date: str | None = None
    onset_age: float | None = None
    onset_age_high: float | None = None
    onset_age_unit: str | None = None
    recorded_date: str | None = None
    verification_status: str | None = None
    instrument: str | None = None
    score: float | None = None
    weight: float | None = None
    state: str | None = None
    told_by: str | None = None
    replaces: tuple[str, ...] = ()
    part_of: object = None


_decode = Decoder(Fact).decode
_ALIKE = ("type", "code", "unit", "status", "effective_date", "codings", "value_code", "value_codings", "start_date")


class Facts:
    """Reads one person's records; what many of them say alike is held once, for somebody may have a hundred thousand."""

    def __init__(self) -> None:
        self._same: dict[Any, Any] = {}

    def of(self, content: bytes) -> Fact:
        """A record's content, decoded narrowly."""
        fact, same = _decode(content), self._same
        for name in _ALIKE:
            if value := getattr(fact, name):
                force_setattr(fact, name, same.setdefault(value, value))
        return fact
