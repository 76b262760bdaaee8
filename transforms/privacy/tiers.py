"""What of a record leaves at a tier: its fields by `field_policy.toml`, its codes by `sensitive_codes.toml`. Pure.

Asked by `mainstem map --tier`, as exports of tiers 2 and 3 will ask; records for the registry are made without the fields
that it may not have. How a date is made coarse (its year, a shift a person) and what stands in an id's place is each
export's own: it hands that in.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from schemas.outcomes import RECORD_TYPES, Record
from transforms.privacy.field_policy import FORMS, KEEP, WITHHOLD, FieldPolicy
from transforms.privacy.sensitive_codes import SensitiveCodes

Form = Callable[[Any], Any]
"""A field's value → what leaves of it; None for nothing."""
_GIVEN = ("year", "recode")
"""Forms that each export makes its own way."""
_ALWAYS = frozenset(Record.model_fields) | {"type"}
_SYSTEMS = {
    "LOINC": "http://loinc.org",
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "SNOMED CT": "http://snomed.info/sct",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "ICD-10-CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD-10-PCS": "http://www.cms.gov/Medicare/Coding/ICD10",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "UNII": "http://fdasis.nlm.nih.gov",
}
"""Terminologies as the model names them; a code of another one is of a closed list, which tells nothing of this kind."""
_FEW = frozenset(
    [
        "036",
        "059",
        "063",
        "102",
        "203",
        "556",
        "692",
        "790",
        "821",
        "823",
        "830",
        "831",
        "878",
        "879",
        "884",
        "890",
        "893",
    ]
)
"""ZIP areas of 20,000 people or fewer: HHS guidance on 45 CFR 164.514(b), by the Census of 2000."""
_OLDEST = 89


@dataclass(frozen=True)
class Tier:
    """One tier, with what an export does in its own way: `Tier(2, forms={"year": …, "recode": …}, public=…)`."""

    number: int
    forms: Mapping[str, Form]
    public: Collection[str]
    """Code systems whose codes leave under `known`."""
    policy: FieldPolicy = field(default_factory=FieldPolicy.load)
    sensitive: SensitiveCodes = field(default_factory=SensitiveCodes.load)

    def __post_init__(self) -> None:
        """Raises ValueError where an export forgot a form: a word without one must not mean that all of it leaves."""
        if missing := [word for word in _GIVEN if word not in self.forms]:
            raise ValueError(f"no form for {', '.join(missing)}")

    def of(self, record: Mapping[str, Any], *, born: str | None) -> dict[str, Any] | None:
        """What leaves of a record of somebody born on a date (or in a month, a year; None: not known); None for nothing.

        A code that a teenager may keep to themselves takes its record with it; one of a system that no list is made of is
        left out, and its record with it where that leaves it without a code of its own.
        """
        left: Mapping[str, Any] | None = record
        if ages := self._ages(record, born):
            left = self._without_sensitive(record, ages)
        if left is None:
            return None
        told = {name: self._told(record, name, value) for name, value in left.items()}
        return {name: value for name, value in told.items() if value not in (None, "", [])}

    def _told(self, record: Mapping[str, Any], name: str, value: Any) -> Any:
        kind = "every_record" if name in _ALWAYS else str(record["type"])
        word = self.policy.applies(self.number, kind, name)
        if word == "age90" and record.get(f"{name.removesuffix('_high')}_unit") != "a":
            return value  # in months, weeks, days: nobody is that old
        return {**_plain_forms(self.public), **self.forms}[word](value)

    # ------------------------------------------------------------ teenagers

    def _ages(self, record: Mapping[str, Any], born: str | None) -> list[int | None]:
        """The ages at which a record's codes are held back that its patient may have had on its days; [None]: any."""
        days = [str(value) for name, value in record.items() if name.endswith("_date") and name != "birth_date"]
        if not born or not days:
            return [None]
        told = {age for day in days for age in _ages_on(born, day)}
        return [age for age in sorted(told) if self.sensitive.is_teenage(age)]

    def _without_sensitive(self, record: Mapping[str, Any], ages: list[int | None]) -> dict[str, Any] | None:
        held = partial(self._is_held, ages=ages)
        if any(self.sensitive.groups(system, code) and held(system, code) for system, code in codes_of(record)):
            return None
        kept = {name: _without(value, held) for name, value in record.items()}
        own = [name for name in _own_codes(str(record["type"])) if record.get(name)]
        for name in own:
            if all(held(system, str(record[name])) for system in _systems_of(record, name)):
                del kept[name]
        return None if own and not any(kept.get(name) for name in own) else kept

    def _is_held(self, system: str, code: str, ages: list[int | None]) -> bool:
        return any(self.sensitive.applies(self.number, system, code, age) == WITHHOLD for age in ages)


def codes_of(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(system, code) of every code of a record that says what it is about, wherever it stands."""
    for name in _own_codes(str(record["type"])):
        listed = record.get(name) or []
        for code in listed if isinstance(listed, list) else [listed]:
            yield from ((system, str(code)) for system in _systems_of(record, name))
    yield from _codings_in(record)


def _own_codes(kind: str) -> list[str]:
    """The fields of a record type that hold codes without their system: what it is, what was found, what is in it."""
    fields = RECORD_TYPES[kind].model_fields
    return [name for name in ("code", "icd10cm", "rxnorm", "unii", "value_code", "ingredients") if name in fields]


def _systems_of(record: Mapping[str, Any], name: str) -> list[str]:
    """The systems a code may be of: of the coding that bears it, else those that the model names."""
    told = [system for system, code in _codings_in(record) if code == record.get(name)]
    extra = RECORD_TYPES[str(record["type"])].model_fields[name].json_schema_extra
    named = str(extra.get("terminology", "")) if isinstance(extra, dict) else ""
    return told or [system for word, system in _SYSTEMS.items() if word in named] or [""]


def _codings_in(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if isinstance(value.get("code"), str) and "type" not in value:
            yield str(value.get("system") or ""), value["code"]
        for inner in value.values():
            yield from _codings_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _codings_in(inner)


def _without(value: Any, held: Callable[[str, str], bool]) -> Any:
    """The value without the codings that are held back."""
    if isinstance(value, Mapping):
        return {name: _without(inner, held) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, held) for inner in value if not any(held(*found) for found in _coding(inner))]
    return value


def _coding(value: Any) -> list[tuple[str, str]]:
    plain = isinstance(value, Mapping) and value.keys() <= {"system", "code"} and isinstance(value.get("code"), str)
    return [(str(value.get("system") or ""), value["code"])] if plain else []


def _ages_on(born: str, day: str) -> range:
    """The ages in whole years that somebody may have had on a day, both as precise as they are told."""
    least, most = f"{born}-01-01"[:10], f"{born}-12-31"[:10]
    first, last = f"{day}-01-01"[:10], f"{day}-12-31"[:10]
    return range(max(0, _age(most, first)), max(0, _age(least, last)) + 1)


def _age(born: str, day: str) -> int:
    return int(day[:4]) - int(born[:4]) - (day[5:] < born[5:])


# ---------------------------------------------------------------- forms


def _plain_forms(public: Collection[str]) -> dict[str, Form]:
    return {
        KEEP: lambda value: value,
        WITHHOLD: lambda value: None,
        "age90": lambda value: min(value, _OLDEST + 1),
        "zip3": lambda value: "000" if value[:3] in _FEW else value[:3],
        "known": lambda value: _public_only(value, public),
        "count": lambda value: value,  # small cells are the table's business
        "summary": lambda value: value,
    }


assert {*_plain_forms(()), *_GIVEN} == {*FORMS}


def _public_only(value: Any, public: Collection[str]) -> Any:
    return [each for each in value if isinstance(each, Mapping) and each.get("system") in public]
