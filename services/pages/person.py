"""One patient as the registry has them: states with the records each number comes from, all records, one record's history."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from services.pages.patient_records import DERIVED
from services.pages.patient_state import STATES, State, told
from services.registry.tables import RECORD_TABLES, history, model_fields

SHOWN = 20
"""Records of a type that are listed, the newest first; the rest is counted."""
NOT_SHOWN = ("id", "subject", "site")
WHEN = (
    "effective_date",
    "start_date",
    "onset_date",
    "recorded_date",
    "authored_date",
    "occurrence_date",
    "performed_date",
)
"""Where a record says when it was, the first that it has."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A state as last known, and the record that says so."""

    state: State
    now: str
    when: date
    before: tuple[str, ...]
    record: str
    method: str
    inputs: tuple[str, ...]
    """The records it was computed from."""


@dataclass(frozen=True, slots=True)
class Held:
    """The records of a type that a patient has."""

    type: str
    count: int
    newest: tuple[tuple[str, str, str], ...]
    """Id, when, what."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a record as it arrived."""

    op: str
    at: datetime
    fields: tuple[tuple[str, str, tuple[str, ...]], ...]
    """What it said, field by field, with the records a field names; nothing where it was withdrawn."""
    load: str
    software: str
    mapping: str
    sources: tuple[str, ...]
    """The FHIR types it was made from; their ids stay at the site."""
    flags: tuple[str, ...]


def states_of(connection: Connection, site: str, subject: str) -> list[Stated]:
    """The states that are told at every visit, each with its records."""
    row = DERIVED.c
    query = select(DERIVED).where(row.site == site, row.subject == subject).order_by(row.effective_date, row.id)
    found: dict[str, list[Any]] = {}
    for each in connection.execute(query).mappings():
        if each["effective_date"] and len(each["effective_date"]) == len("2026-10-05"):
            found.setdefault(each["method"], []).append(each)
    return [_stated(state, found[state.method]) for state in STATES if state.method in found]


def _stated(state: State, rows: Sequence[Any]) -> Stated:
    values = [(date.fromisoformat(row["effective_date"]), float(row["value"]), row["value_code"]) for row in rows[-4:]]
    last = rows[-1]
    method = f"{last['method']}, version {last['method_version']}"
    before = tuple(f"{told(state, value)} ({value[0]:%-d %b %Y})" for value in values[:-1])
    inputs = tuple(last["inputs"] or ())
    return Stated(state, told(state, values[-1]), values[-1][0], before, last["id"], method, inputs)


def held_of(connection: Connection, site: str, subject: str) -> Iterator[Held]:
    """All that a patient has, by type."""
    for record_type, table in RECORD_TABLES.items():
        if "subject" in table.c and "site" in table.c:
            query = select(table).where(table.c.site == site, table.c.subject == subject)
            rows = [dict(row) for row in connection.execute(query).mappings()]
            rows.sort(key=lambda row: (_when(row), row["id"]), reverse=True)
            if rows:
                newest = tuple((row["id"], _when(row) or "–", _what(row)) for row in rows[:SHOWN])
                yield Held(record_type, len(rows), newest)


def _when(row: dict[str, Any]) -> str:
    return next((str(row[name]) for name in WHEN if row.get(name)), "")


def _what(row: dict[str, Any]) -> str:
    """A record in a few words."""
    code = row.get("method") or row.get("icd10cm") or row.get("code") or row.get("class_code") or ""
    codings = row.get("codings") or row.get("types") or []
    display = next((each["display"] for each in codings if isinstance(each, dict) and each.get("display")), "")
    value = "" if row.get("value") is None else f"{float(row['value']):g} {row.get('unit') or ''}".strip()
    return (
        " · ".join(dict.fromkeys(part for part in (display or str(code), value, row.get("status") or "") if part))
        or "–"
    )


def history_of(connection: Connection, site: str, subject: str, record: str) -> tuple[str, list[Change]] | None:
    """A record's type and every change of it, the oldest first; none where it is not one of this patient's."""
    query = select(history).where(history.c.record == record).order_by(history.c.epoch, history.c.sequence)
    rows = list(connection.execute(query).mappings())
    said = [row["value"]["record"] for row in rows if row["value"]]
    if not said or any((each.get("site"), each.get("subject")) != (site, subject) for each in said):
        return None
    return rows[0]["type"], [_change(row) for row in rows]


def _change(row: Any) -> Change:
    value = row["value"] or {"record": {}, "provenance": {}}
    origin = value["provenance"]
    return Change(
        row["op"],
        row["time"],
        tuple(_fields(row["type"], value["record"])),
        origin.get("load") or "–",
        origin.get("software") or "–",
        origin.get("mapping") or "–",
        tuple(sorted({each["type"] for each in origin.get("source", [])})),
        tuple(origin.get("flags", [])),
    )


def _fields(record_type: str, record: dict[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for name in model_fields(record_type):
        if name not in NOT_SHOWN and name in record:
            value = record[name]
            named = [each for each in (value if isinstance(value, list) else [value]) if _is_record(each)]
            yield name.replace("_", " "), "" if named else _said(value), tuple(named)


def _is_record(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"r-[0-9a-f]{32}", value) is not None


def _said(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_said(each) for each in value)
    if isinstance(value, dict):
        return " ".join(str(each) for each in value.values())
    return str(value)
