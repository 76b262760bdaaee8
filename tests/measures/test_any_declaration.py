"""Any declaration that the vocabulary allows gives one answer in memory, on SQLite and on PostgreSQL."""

from datetime import date

from hypothesis import HealthCheck, Phase, given, settings
from persons import value_sets
from random_persons import fill_anew, people
from random_truths import truths
from sqlalchemy import Engine

from services.measures.compile.memory import InMemory, Period
from services.measures.compile.people import Person, Record
from services.measures.compile.sql import InSql
from services.measures.language.truths import Truth

PERIODS = {
    "2025": Period(date(2025, 1, 1), date(2025, 12, 31)),
    "2026": Period(date(2026, 1, 1), date(2026, 12, 31), date(2026, 3, 14)),
}


@settings(
    max_examples=3,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(lives=people(), declared=truths(count=8))
def test_whatever_is_declared_has_one_answer(
    registry: Engine, lives: list[list[Record]], declared: list[Truth]
) -> None:
    """Also where conditions hold others, and single events are picked by what is itself a condition."""
    sets, period = value_sets(tuple(declared)), PERIODS["2026"]
    named = {f"truth_{number}": truth for number, truth in enumerate(declared)}
    in_memory = {name: InMemory(period, sets).of_person(truth) for name, truth in named.items()}
    expected = {
        records[0]["subject"]: {name: answer(Person(records)) for name, answer in in_memory.items()}
        for records in lives
    }
    with registry.begin() as connection:
        fill_anew(connection, [record for records in lives for record in records])
        evaluator = InSql(connection, period, sets)
        got = {
            row["subject"]: {name: None if row[name] is None else bool(row[name]) for name in named}
            for row in evaluator.answers(named)
        }
        evaluator.close()
    other = {name: [s for s in expected if expected[s][name] != got[s][name]] for name in named}
    assert {repr(named[name]): subjects for name, subjects in other.items() if subjects} == {}
