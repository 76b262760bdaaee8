"""Counts of a registry's tables: each table is read a few times, by the database; what comes back is counts."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Table, func, select

from services.registry.across.counting.counts import Counts, Numbers
from services.registry.tables import RECORD_TABLES, JsonDocument

CODED = ("condition", "immunization", "medication", "observation", "procedure")
DATED = {
    "encounter": "start_date",
    "immunization": "occurrence_date",
    "observation": "effective_date",
    "procedure": "performed_date",
}
_COMPUTED = "derived_observation"
_OURS = {"id", "site", "subject", "sequence", "event_time", "load", "software", "flags"}
_AT_ONCE = 5_000
_WHOLE_DATE = 10
"""Letters of a date known to the day."""


def counted(connection: Connection) -> Counts:
    """What the registry holds now."""
    tables = {name: table for name, table in RECORD_TABLES.items() if "subject" in table.c and name != _COMPUTED}
    observation = RECORD_TABLES["observation"]
    return Counts(
        persons=_persons(connection),
        having=dict(_having(connection, tables)),
        records=dict(_records(connection, tables)),
        filled=dict(_filled(connection, tables)),
        units=dict(_units(connection, observation)),
        numbers=dict(_numbers(connection, observation)),
        days=_days(connection),
        digits=dict(_digits(connection, observation)),
    )


def _persons(connection: Connection) -> dict[str, int]:
    row = RECORD_TABLES["person"].c
    found = connection.execute(select(row.site, func.count()).group_by(row.site))
    return {each[0]: each[1] for each in found}


def _having(connection: Connection, tables: dict[str, Table]) -> Iterator[tuple[tuple[str, str, str], int]]:
    for name, table in tables.items():
        persons = func.count(table.c.subject.distinct())
        for site, count in connection.execute(select(table.c.site, persons).group_by(table.c.site)):
            yield (site, name, ""), count
        if name in CODED:
            wanted = select(table.c.site, table.c.code, persons).where(table.c.code.is_not(None))
            for site, code, count in connection.execute(wanted.group_by(table.c.site, table.c.code)):
                yield (site, name, code), count


def _records(connection: Connection, tables: dict[str, Table]) -> Iterator[tuple[tuple[str, str], int]]:
    for name, table in tables.items():
        for site, count in connection.execute(select(table.c.site, func.count()).group_by(table.c.site)):
            yield (site, name), count


def _filled(connection: Connection, tables: dict[str, Table]) -> Iterator[tuple[tuple[str, str, str], int]]:
    for name, table in tables.items():
        fields = [each for each in table.c if each.name not in _OURS and not isinstance(each.type, JsonDocument)]
        wanted = select(table.c.site, *map(func.count, fields)).group_by(table.c.site)
        for site, *found in connection.execute(wanted):
            yield from (((site, name, each.name), count) for each, count in zip(fields, found, strict=True))


def _units(connection: Connection, table: Table) -> Iterator[tuple[tuple[str, str, str], int]]:
    row = table.c
    wanted = select(row.site, row.code, row.unit, func.count()).where(row.code.is_not(None), row.value.is_not(None))
    for site, code, unit, count in connection.execute(wanted.group_by(row.site, row.code, row.unit)):
        yield (site, code, unit or ""), count


def _numbers(connection: Connection, table: Table) -> Iterator[tuple[tuple[str, str, str], Numbers]]:
    """Each distinct number comes once, in order, with how often it stands."""
    row = table.c
    exact = row.value.is_not(None), row.code.is_not(None), row.comparator.is_(None)
    key = row.site, row.code, func.coalesce(row.unit, "")
    wanted = select(*key, row.value, func.count()).where(*exact).group_by(*key, row.value).order_by(*key, row.value)
    rows = connection.execution_options(yield_per=_AT_ONCE).execute(wanted)
    for (site, code, unit), some in groupby(rows, lambda each: tuple(each[:3])):
        yield (site, code, unit), _quartiles([(float(value), count) for *_, value, count in some])


def _quartiles(ordered: list[tuple[float, int]]) -> Numbers:
    total = sum(count for _, count in ordered)
    found: list[float] = []
    upto = 0
    for value, count in ordered:
        upto += count
        while len(found) < 3 and upto >= total * (len(found) + 1) / 4:
            found.append(value)
    return Numbers(total, *found)


def _days(connection: Connection) -> Counter[tuple[str, str, int, int]]:
    found: Counter[tuple[str, str, int, int]] = Counter()
    for name, field in DATED.items():
        table = RECORD_TABLES[name]
        day: Any = table.c[field]
        wanted = select(table.c.site, day, func.count()).where(func.length(day) == _WHOLE_DATE)
        for site, text, count in connection.execute(wanted.group_by(table.c.site, day)):
            known = date.fromisoformat(text)
            found[site, name, known.weekday(), known.day] += count
    return found


def _digits(connection: Connection, table: Table) -> Iterator[tuple[tuple[str, str, str], int]]:
    row = table.c
    digit = func.substr(row.raw_value, func.length(row.raw_value), 1)
    wanted = select(row.site, row.code, digit, func.count()).where(row.raw_value.is_not(None), row.code.is_not(None))
    found: dict[tuple[str, str, str], int] = defaultdict(int)
    for site, code, last, count in connection.execute(wanted.group_by(row.site, row.code, digit)):
        found[site, code, last] += count
    yield from ((key, count) for key, count in found.items() if key[2].isdigit())
