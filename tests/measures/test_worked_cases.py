"""Worked cases of the network's measures: in memory, on SQLite and on PostgreSQL each comes to what its table says."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from services_cases import event_of
from sqlalchemy import Connection, Engine, func, select, update
from worked_cases import Case, Worked, read, records_of, worked_files

from schemas.outcomes import RECORD_TYPES
from services.measures.compile.from_registry import persons_of
from services.measures.compile.memory import Period
from services.measures.declared import Measure
from services.measures.evaluate.periods import periods
from services.measures.evaluate.persons import Standing, standings
from services.measures.evaluate.scripts import tables_of
from services.measures.library import measures
from services.registry.handler import apply
from services.registry.tables import history, set_aside

STORED = "2026-10-06"


def test_every_measure_has_eight_worked_cases_and_more() -> None:
    """Those that go in and reach it, those that do not, and what was amended, withdrawn or is not there."""
    counted = {worked.slug: len(worked.cases) for worked in map(read, worked_files())}
    assert {slug for slug in measures() if counted.get(slug, 0) < 8} == set()


@pytest.mark.parametrize("path", worked_files(), ids=lambda path: path.stem)
@pytest.mark.slow
def test_each_case_comes_to_what_its_table_says(registry: Engine, path: Path) -> None:
    worked = read(path)
    measure, wanted = measures()[worked.slug], {case.name: case.outcome for case in worked.cases}
    with registry.begin() as connection:
        for case in worked.cases:
            _receive(connection, case, measure)
        shown = _periods(worked)
        persons = list(persons_of(connection, [case.subject for case in worked.cases]))
        in_memory = {each.subject: _said(measure, each) for each in standings([measure], persons, shown)}
        with tables_of(connection, measure, shown) as (units, _):
            in_sql = {
                row["subject"]: _said(measure, _standing(row, measure))
                for row in connection.execute(select(units)).mappings()
            }
    assert {case.name: in_memory.get(case.subject, "out") for case in worked.cases} == wanted
    assert {case.name: in_sql.get(case.subject, "out") for case in worked.cases} == wanted


def _periods(worked: Worked) -> dict[str, Period]:
    step = "month" if len(worked.period) == 7 else "year"
    found = periods(step, worked.period, f"{worked.period[:4]}-12-31")  # type: ignore[arg-type]
    return {worked.period: found[worked.period]}


def _receive(connection: Connection, case: Case, measure: Measure) -> None:
    for contents, withdrawn in records_of(case):
        if contents[0]["type"] == "set_aside":
            row = {name: value for name, value in contents[0].items() if name != "type"}
            connection.execute(set_aside.insert().values(row | {"measure": measure.id}))
            continue
        for sequence, content in enumerate(contents, start=1):
            model = RECORD_TYPES[content["type"]].model_validate(content)
            apply(connection, [event_of(model, sequence=sequence, flags=content.get("flags") or ())])
        if withdrawn:
            apply(connection, [event_of(model, sequence=len(contents) + 1, withdrawn=True)])
        if contents[0]["type"] == "encounter":
            day = datetime.fromisoformat(contents[0].get("stored") or STORED).replace(tzinfo=UTC)
            connection.execute(update(history).where(history.c.record == contents[0]["id"]).values(time=day))


def _standing(row: Any, measure: Measure) -> Standing:
    populations = {name: row[name] == 1 for name in measure.truths}
    own = (measure.id, measure.version, row["period"], row["site"], row["subject"], row["event"])
    return Standing(*own, populations, row["value"], row["events"], row["days"])


def _said(measure: Measure, each: Standing) -> str:
    """The last population that somebody gets to; of a rate or a level the number."""
    found = each.populations
    words = (("set-aside", "set aside"), ("unknown", "unknown"), ("denominator-exclusion", "excluded"))
    for population, word in words:
        if found.get(population):
            return word
    if not found["initial-population"]:
        return "out"
    if measure.kind == "rate":
        return f"{each.events} events in {each.days} days"
    if not found["denominator"]:
        return "not measured"
    if measure.kind == "level":
        return f"{each.value:g}"
    return "reached" if found["numerator"] else "not reached"


def test_an_amended_record_came_twice_and_a_withdrawn_one_is_gone(registry: Engine) -> None:
    """The tables say so of records, not of the evaluators: it is the stream's doing."""
    worked = next(each for each in map(read, worked_files()) if each.slug == "cf2")
    case = next(each for each in worked.cases if each.name.endswith("amended"))
    with registry.begin() as connection:
        _receive(connection, case, measures()["cf2"])
        sequences = connection.scalar(select(func.max(history.c.sequence)))
    assert sequences == 2
