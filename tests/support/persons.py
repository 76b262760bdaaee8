"""Persons for the tests of measures: a few records each, and value sets in which each has one code of its own."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime

from services.measures.compile.people import Record
from services.measures.compile.sql_tables import TABLES
from services.measures.language.codes import Code, Codes, ValueSet
from services.measures.valuesets import Expanded, ValueSets
from services.registry.tables import JsonDocument

OURS = "urn:codes-of-the-tests"
_numbers = count(1)


def value_sets(*declared: Any) -> ValueSets:
    """Every value set that some declarations name, each with one code."""
    named = {each.oid: each for one in declared for each in _value_sets(one)}
    return ValueSets(
        Path("valuesets"),
        {oid: Expanded(oid, "1", each.title, frozenset({(OURS, oid)})) for oid, each in named.items()},
    )


def _value_sets(node: Any) -> Iterator[ValueSet]:
    if isinstance(node, ValueSet):
        yield node
    elif isinstance(node, tuple):
        for each in node:
            yield from _value_sets(each)
    elif is_dataclass(node):
        for each in fields(node):
            yield from _value_sets(getattr(node, each.name))


def codings(*codes: Codes) -> list[dict[str, str]]:
    """As records hold them."""
    return [
        {"system": code.system, "code": code.code} if isinstance(code, Code) else {"system": OURS, "code": code.oid}
        for code in codes
    ]


def insert(connection: Connection, record: Record) -> None:
    """A record into the registry's table of its type, as a consumer writes it."""
    table = TABLES[record["type"]]
    row: dict[str, Any] = {"sequence": 1, "event_time": datetime(2026, 1, 1, tzinfo=UTC)}
    if record["type"] == "set_aside":
        row = {}
    for name, value in record.items():
        kind = table.c[name].type if name != "type" else None
        if isinstance(kind, JsonDocument):
            row[name] = json.dumps(value)
        elif isinstance(kind, DateTime) and isinstance(value, str):
            row[name] = datetime.fromisoformat(value)
        elif kind is not None:
            row[name] = value
    connection.execute(table.insert(), row)


def born(date: str | None, died: str | None = None) -> Record:
    """The person."""
    return _record("person", birth_date=date, death_date=died)


def visit(kind: Codes, day: str, until: str | None = None, *, id: str | None = None, **more: Any) -> Record:
    """A visit, of an hour where no end is given."""
    start, end = _instant(day), _instant(until) if until else f"{day[:10]}T23:00:00Z"
    return _record(
        "encounter",
        id=id,
        types=codings(kind),
        start=start,
        start_date=day[:10],
        end=end,
        end_date=(until or day)[:10],
        **{"status": "finished", **more},
    )


def diagnosis(code: Codes, since: str | None = None, until: str | None = None, **more: Any) -> Record:
    """An active diagnosis of a problem list."""
    given = {"clinical_status": "active", "category": ["problem-list-item"], "verification_status": "confirmed"} | more
    return _record("condition", codings=codings(code), onset_date=since, abatement_date=until, **given)


def result(code: Codes, day: str, value: Any = None, unit: str | None = None, **more: Any) -> Record:
    """A final result on a day."""
    return _record(
        "observation", codings=codings(code), effective_date=day, value=value, unit=unit, **{"status": "final", **more}
    )


def answer(code: Codes, day: str, *answers: Codes, **more: Any) -> Record:
    """A coded answer."""
    return result(code, day, value_codings=codings(*answers) or None, **{"category": ["survey"], **more})


def panel(day: str, code: Codes, parts: dict[Codes, Any], unit: str, **more: Any) -> list[Record]:
    """A panel and its components."""
    whole = result(code, day, **more)
    return [whole, *(result(part, day, value, unit, parent=whole["id"]) for part, value in parts.items())]


def procedure(code: Codes, day: str, **more: Any) -> Record:
    """Something done and completed."""
    return _record("procedure", codings=codings(code), performed_date=day, **{"status": "completed", **more})


def order(record: str, code: Codes, day: str, **more: Any) -> Record:
    """An active order of a `service`, a `device` or a `medication`."""
    given = {"codings": codings(code), "status": "active", "intent": "order"} | more
    if record == "medication":
        return _record("medication", start_date=day, kind="ordered", **given)
    return _record("service_request", authored_date=day, kind=record, **given)


def everything(*records: Record | Iterable[Record]) -> list[Record]:
    """One list of all."""
    found: list[Record] = []
    for each in records:
        found += [each] if isinstance(each, dict) else each
    return found


def _instant(day: str) -> str:
    return day if "T" in day else f"{day}T09:00:00Z"


def _record(type_: str, id: str | None = None, **more: Any) -> Record:
    given = {name: value for name, value in more.items() if value is not None}
    return {"type": type_, "id": id or f"r-{next(_numbers):032}", **given}
