"""An extract as OMOP CDM 5.4: each fact carried over with its source code and unit. Concepts are given where they are few and fixed (sex,
race, ethnicity, kinds of visit, provenance); all others are 0, to be mapped with the vocabularies of whoever analyses, which do not ship.

`omop_fields.csv` holds what OHDSI's field-level table (OMOP_CDMv5.4_Field_Level.csv, OHDSI/CommonDataModel, Apache-2.0) says of each field
that we write; it was compared with theirs, name by name.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection

from services.research.extracting import Extracted, Moved, Wanted, leaving, people_of, tell, withdrawn_of

Row = dict[str, Any]
VERSION, VERSION_CONCEPT, EHR = "5.4", 756265, 32817
SEX = {"male": 8507, "female": 8532}
RACE = {"2106-3": 8527, "2054-5": 8516, "2028-9": 8515, "1002-5": 8657, "2076-8": 8557}
ETHNICITY = {"2135-2": 38003563, "2186-5": 38003564}
VISIT = {"AMB": 9202, "IMP": 9201, "EMER": 9203, "HH": 581476, "VR": 5083}
HAPPENED = ("finished", "in-progress", "arrived", "triaged", "onleave")
"""Visits that took place or do; what is planned or was cancelled is none."""
PAYERS = "payer_plan_period"
KINDS = {"integer": pa.int32(), "float": pa.float64(), "date": pa.date32(), "datetime": pa.timestamp("us")}


class Field(NamedTuple):
    """A field of a table."""

    name: str
    required: bool
    type: str

    @property
    def longest(self) -> int | None:
        """Characters at most."""
        inner = self.type.removeprefix("varchar(").removesuffix(")")
        return int(inner) if self.type.startswith("varchar") and inner.isdigit() else None


@cache
def tables() -> Mapping[str, tuple[Field, ...]]:
    """The tables that are written, and their fields in order."""
    found: dict[str, list[Field]] = {}
    with Path(__file__).with_name("omop_fields.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["table"], []).append(Field(row["field"], row["required"] == "yes", row["type"]))
    return {name: tuple(fields) for name, fields in found.items()}


def schema_of(table: str) -> pa.Schema:
    """As Parquet holds it."""
    return pa.schema(
        [pa.field(each.name, KINDS.get(each.type, pa.string()), nullable=not each.required) for each in tables()[table]]
    )


@dataclass
class _Writing:
    """The files under way."""

    to: Path
    done: Extracted
    persons: dict[str, int] = field(default_factory=dict)
    spans: dict[int, tuple[date, date]] = field(default_factory=dict)
    """First and last day of each person's events."""
    writers: dict[str, pq.ParquetWriter] = field(default_factory=dict)

    def write(self, table: str, rows: Sequence[Row]) -> None:
        """Adds rows, each with its id; a row that lacks what the table demands is held back, counted by table."""
        schema, fields = schema_of(table), tables()[table]
        if table not in self.writers:
            self.writers[table] = pq.ParquetWriter(self.to / f"{table}.parquet", schema, compression="zstd")
        whole: list[Row] = []
        for row in rows:
            numbered = row | (
                {f"{table}_id": self.done.written[table] + len(whole) + 1} if self._numbered(table) else {}
            )
            if any(each.required and numbered.get(each.name) is None for each in fields):
                self.done.held[table] += 1
            else:
                whole.append({each.name: _fitting(numbered.get(each.name), each) for each in fields})
        if whole:
            self.writers[table].write_table(pa.Table.from_pylist(whole, schema=schema))
            self.done.written[table] += len(whole)
            for row in whole if table != PAYERS else ():
                self._seen(row)

    def _numbered(self, table: str) -> bool:
        return table != "person" and tables()[table][0].name == f"{table}_id"

    def until_known(self, table: str, row: Row) -> Row:
        """A period of a payer needs its last day: one that goes on is known up to the person's last event."""
        first, last = f"{PAYERS}_start_date", f"{PAYERS}_end_date"
        span = self.spans.get(row["person_id"])
        if table != PAYERS or row[last] or not row[first] or span is None:
            return row
        return row | {last: max(row[first], span[1])}

    def _seen(self, row: Row) -> None:
        days = [value for name, value in row.items() if name.endswith("_date") and isinstance(value, date)]
        if days and row.get("person_id"):
            first, last = self.spans.get(row["person_id"], (min(days), max(days)))
            self.spans[row["person_id"]] = (min(first, *days), max(last, *days))


def extract(
    connection: Connection, to: Path, wanted: Wanted, *, moved: Moved = lambda name, records: None
) -> Extracted:
    """Writes a Parquet file a table. Raises OperatorError for a cohort of too few."""
    people, done = people_of(connection, wanted), Extracted()
    done.withdrawn = withdrawn_of(people)
    to.mkdir(parents=True, mode=0o700)
    writing = _Writing(to, done)
    try:
        for table in tables():
            writing.write(table, [])
        for name in [name for name in FROM if name in wanted.types or name == "person"]:
            for leaves in leaving(connection, wanted, people, name, done, moved):
                _write_page(writing, name, leaves)
        writing.write("observation_period", [_period(*each) for each in sorted(writing.spans.items())])
        writing.write("cdm_source", [_source()])
    finally:
        for writer in writing.writers.values():
            writer.close()
    tell(connection, to, wanted, done, f"OMOP CDM {VERSION}", _dictionary())
    return done


def _write_page(writing: _Writing, name: str, leaves: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    rows: dict[str, list[Row]] = {}
    without = Counter[str]()
    for subject, told in leaves:
        if name == "person":
            number = writing.persons.setdefault(subject, len(writing.persons) + 1)
        elif (found := writing.persons.get(subject)) is None:
            without[name] += 1
            continue
        else:
            number = found
        writing.done.subjects.add(subject)
        for table, row in FROM[name](told):
            rows.setdefault(table, []).append(writing.until_known(table, row | {"person_id": number}))
    writing.done.held.update(without)
    for table, these in rows.items():
        writing.write(table, these)


def _person(told: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    born, races = str(told.get("birth_date") or ""), told.get("race") or []
    race = races[0] if len(races) == 1 else ""
    yield (
        "person",
        {
            "gender_concept_id": SEX.get(str(told.get("sex")), 0),
            "year_of_birth": int(born[:4]) if born else told.get("oldest"),
            "month_of_birth": int(born[5:7]) if len(born) >= len("2026-03") else None,
            "day_of_birth": int(born[8:10]) if len(born) == len("2026-03-02") else None,
            "race_concept_id": RACE.get(race, 0),
            "ethnicity_concept_id": ETHNICITY.get(str(told.get("ethnicity")), 0),
            "person_source_value": told.get("subject"),
            "gender_source_value": told.get("sex"),
            "race_source_value": " ".join(races) or None,
            "ethnicity_source_value": told.get("ethnicity"),
        },
    )
    if died := _day(told.get("death_date")):
        yield "death", {"death_date": died, "death_type_concept_id": EHR}


def _visit(told: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    if told.get("status") in HAPPENED:
        start = _day(told.get("start_date"))
        row = {
            "visit_concept_id": VISIT.get(str(told.get("class_code")), 0),
            "visit_source_value": told.get("class_code"),
        }
        row |= {"admitted_from_source_value": told.get("admit_source")}
        row |= {"discharged_to_source_value": told.get("discharge_disposition")}
        yield "visit_occurrence", row | _span("visit", start, _day(told.get("end_date")) or start)


def _condition(told: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    if told.get("verification_status") not in ("refuted", "entered-in-error"):
        start = _day(told.get("onset_date")) or _day(told.get("recorded_date"))
        row = {"condition_concept_id": 0, "condition_source_value": told.get("code") or told.get("icd10cm")}
        row |= {"condition_status_source_value": told.get("clinical_status")}
        yield "condition_occurrence", row | _span("condition", start, _day(told.get("abatement_date")))


def _drug(told: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    start = _day(told.get("start_date")) or _day(told.get("recorded_date")) or _day(told.get("occurrence_date"))
    end = _day(told.get("end_date"))
    row = {"drug_concept_id": 0, "drug_source_value": told.get("code"), "verbatim_end_date": end}
    row |= {"quantity": told.get("quantity"), "dose_unit_source_value": told.get("dose_unit")}
    row |= {name: told.get(name) for name in ("refills", "days_supply")} | {"route_source_value": told.get("route")}
    yield "drug_exposure", row | _span("drug_exposure", start, end or start, kind="drug")


def _procedure(told: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    if told.get("status") == "completed":
        row = {"procedure_concept_id": 0, "procedure_type_concept_id": EHR, "procedure_source_value": told.get("code")}
        days = {"procedure_date": _day(told.get("performed_date"))}
        yield "procedure_occurrence", row | days | {"procedure_end_date": _day(told.get("performed_end_date"))}


def _device(told: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    start = _day(told.get("start_date")) or _day(told.get("recorded_date"))
    row = {"device_concept_id": 0, "device_source_value": told.get("code") or told.get("device")}
    yield "device_exposure", row | _span("device_exposure", start, _day(told.get("end_date")), kind="device")


def _measurement(told: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    unit = told.get("unit")
    yield (
        "measurement",
        {
            "measurement_concept_id": 0,
            "measurement_date": _day(told.get("effective_date")),
            "measurement_type_concept_id": EHR,
            "value_as_number": _number(told.get("value")),
            "value_as_concept_id": 0 if told.get("value_code") else None,
            "unit_concept_id": 0 if unit else None,
            "range_low": _number(told.get("reference_low")),
            "range_high": _number(told.get("reference_high")),
            "measurement_source_value": told.get("code") or told.get("method"),
            "unit_source_value": unit,
            "value_source_value": told.get("value_code") or told.get("raw_value"),
        },
    )


def _observation(told: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    said = told.get("value_code") or told.get("state")
    yield (
        "observation",
        {
            "observation_concept_id": 0,
            "observation_date": _day(told.get("effective_date")),
            "observation_type_concept_id": EHR,
            "value_as_number": _number(told.get("value", told.get("score"))),
            "value_as_string": said,
            "observation_source_value": told.get("code") or told.get("instrument"),
            "unit_source_value": told.get("unit"),
            "qualifier_source_value": told.get("reporter"),
            "value_source_value": said,
        },
    )


def _payer(told: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    if told.get("status") != "cancelled":
        row = {"payer_concept_id": 0, "payer_source_value": told.get("payer")}
        days = {f"{PAYERS}_{end}_date": _day(told.get(f"{end}_date")) for end in ("start", "end")}
        yield PAYERS, row | days


FROM: Mapping[str, Callable[[Mapping[str, Any]], Iterator[tuple[str, Row]]]] = {
    "person": _person,
    "encounter": _visit,
    "condition": _condition,
    "medication": _drug,
    "immunization": _drug,
    "procedure": _procedure,
    "device_use": _device,
    "observation": _measurement,
    "derived_observation": _measurement,
    "disease_assessment": _observation,
    "pro_response": _observation,
    "coverage": _payer,
}
"""By record type; persons first, and who pays last. Other types have no table of OMOP's that would hold them."""


def _span(table: str, start: date | None, end: date | None, *, kind: str = "") -> Row:
    return {f"{table}_start_date": start, f"{table}_end_date": end, f"{kind or table}_type_concept_id": EHR}


def _period(person: int, span: tuple[date, date]) -> Row:
    days = {"observation_period_start_date": span[0], "observation_period_end_date": span[1]}
    return days | {"person_id": person, "period_type_concept_id": EHR}


def _source() -> Row:
    today = datetime.now(UTC).date()
    return {
        "cdm_source_name": "Learning health network, by Mainstem",
        "cdm_source_abbreviation": "Mainstem",
        "cdm_holder": "The network's coordinating centre",
        "source_description": "Outcome records of the sites that approved; manifest.json says which request, cohort and tier.",
        "source_release_date": today,
        "cdm_release_date": today,
        "cdm_version": VERSION,
        "cdm_version_concept_id": VERSION_CONCEPT,
        "vocabulary_version": "none",
    }


def _day(value: Any) -> date | None:
    """A whole date; one that is told by its year or month alone is none."""
    return date.fromisoformat(value) if isinstance(value, str) and len(value) == len("2026-03-02") else None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _fitting(value: Any, each: Field) -> Any:
    if value is None:
        return None
    if each.type == "integer":
        return int(value)
    if each.type == "float":
        return float(value)
    return str(value)[: each.longest] if each.type.startswith("varchar") else value


def _dictionary() -> Iterator[tuple[str, ...]]:
    for table, fields in tables().items():
        for each in fields:
            yield table, each.name, f"{each.type}{', required' if each.required else ''}", "", "", "OMOP CDM 5.4"
