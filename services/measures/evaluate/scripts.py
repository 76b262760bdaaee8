"""Temporary tables of measures on a connection. Their SQL is compiled once a process and database kind, then sent as it was.

Measures asked for together share what is alike in them: the visits of each month are found once. The statements hang on the declarations alone: what periods are asked for stands in a table of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, MetaData, Table, event

from services.measures.compile.memory import Period
from services.measures.compile.sql import InSql
from services.measures.compile.sql_tables import period_rows
from services.measures.declared import Measure
from services.measures.valuesets import NONE, ValueSets


class Tables(NamedTuple):
    """What a measure is counted from."""

    units: Table
    """As `InSql.units` makes it."""
    cohort: Table
    """As `InSql.cohort` makes it."""


class _Sent(NamedTuple):
    statement: str
    parameters: Any


@dataclass(frozen=True, slots=True)
class _Script:
    sent: tuple[_Sent, ...]
    metadata: MetaData
    periods: Table
    tables: Mapping[str, Tables]


_KEPT: dict[tuple[str, ...], _Script] = {}


@contextmanager
def tables_of(
    connection: Connection, measure: Measure, periods: Mapping[str, Period], valuesets: ValueSets = NONE
) -> Iterator[Tables]:
    """The tables of a measure for some periods; they go with the context."""
    with tables_of_all(connection, [measure], periods, valuesets) as tables:
        yield tables[measure.id]


@contextmanager
def tables_of_all(
    connection: Connection, measures: Sequence[Measure], periods: Mapping[str, Period], valuesets: ValueSets = NONE
) -> Iterator[Mapping[str, Tables]]:
    """Likewise of several measures, by their ids."""
    key = (connection.dialect.name, *(part for each in measures for part in (each.id, each.checksum)))
    script = _KEPT.get(key) if valuesets is NONE else None
    if script is None:
        script = _made(connection, measures, periods, valuesets)
        if valuesets is NONE:
            _KEPT[key] = script
    else:
        _send(connection, script, periods)
    try:
        yield script.tables
    finally:
        script.metadata.drop_all(connection, checkfirst=False)


def _made(
    connection: Connection, measures: Sequence[Measure], periods: Mapping[str, Period], valuesets: ValueSets
) -> _Script:
    sent: list[_Sent] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if not statement.startswith("BEGIN"):  # a transaction is the caller's
            sent.append(_Sent(statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        compiled = InSql(connection, periods, valuesets)
        alone = len(measures) == 1
        tables = {each.id: Tables(compiled.units(each, alone=alone), compiled.cohort(each)) for each in measures}
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return _Script(tuple(sent), compiled.metadata, compiled.periods, tables)


def _send(connection: Connection, script: _Script, periods: Mapping[str, Period]) -> None:
    filled = f"INSERT INTO {script.periods.name} "
    for statement, parameters in script.sent:
        if statement.startswith(filled):
            connection.execute(script.periods.insert(), period_rows(periods))
        else:
            connection.exec_driver_sql(statement, parameters or None)
