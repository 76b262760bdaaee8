"""Generated registries: the published measures give one answer in memory, on SQLite and on PostgreSQL."""

from datetime import date

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from persons import value_sets
from random_persons import fill_anew, people
from sqlalchemy import Engine

from services.measures.compile.from_registry import person_of
from services.measures.compile.memory import InMemory, Period
from services.measures.compile.people import Person, Record
from services.measures.compile.sql import InSql
from services.measures.compile.sql_replaced import replaced_of
from services.measures.language.truths import Truth
from services.measures.official import definition
from services.measures.official.editions import EDITIONS


@pytest.mark.slow
@settings(max_examples=2, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(lives=people(), year=st.sampled_from(list(EDITIONS)))
def test_all_give_one_answer(registry: Engine, lives: list[list[Record]], year: int) -> None:
    definitions = [definition(name, year) for name in ("CMS2", "CMS122", "CMS155", "CMS159", "CMS165")]
    conditions: dict[str, Truth] = {
        f"{each.id}-{number}-{population}": condition
        for each in definitions
        for number, group in enumerate(each.groups)
        for population, condition in group.named().items()
    }
    sets = value_sets(*(each.groups for each in definitions))
    period = Period(date(year, 1, 1), date(year, 12, 31))
    in_memory = {name: InMemory(period, sets).of_person(condition) for name, condition in conditions.items()}
    expected = {
        records[0]["subject"]: {name: answer(Person(records)) for name, answer in in_memory.items()}
        for records in lives
    }
    with registry.begin() as connection:
        fill_anew(connection, [record for records in lives for record in records])
        evaluator = InSql(connection, period, sets)
        got = {
            row["subject"]: {name: None if row[name] is None else bool(row[name]) for name in conditions}
            for row in evaluator.answers(conditions)
        }
        as_held = [person_of(connection, records[0]["subject"]) for records in lives]
        (counts,) = evaluator.by_site(conditions)
        evaluator.close()
    assert got == expected
    for records, person in zip(lives, as_held, strict=True):
        assert person is not None
        found = {name: answer(person) for name, answer in in_memory.items()}
        assert found == expected[records[0]["subject"]]
    so = {name: sum(found[name] is True for found in expected.values()) for name in conditions}
    assert counts == {"site": "north"} | so


LINKS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=9)


@settings(max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(graphs=st.lists(LINKS, min_size=20, max_size=20))
def test_what_others_replace_is_told_alike(registry: Engine, graphs: list[list[tuple[int, int]]]) -> None:
    """Chains, circles, several at once: in SQL as in memory, and somebody always stands."""
    lives = [_replacing(number, links) for number, links in enumerate(graphs)]
    with registry.begin() as connection:
        fill_anew(connection, [record for records in lives for record in records])
        rows = connection.execute(replaced_of("observation").distinct()).all()
    told = {(row.subject, row.old) for row in rows}
    for records in lives:
        held = [each["id"] for each in Person(records).of["observation"]]
        assert held == [each["id"] for each in records if (each["subject"], each["id"]) not in told]
        assert held


def _replacing(number: int, links: list[tuple[int, int]]) -> list[Record]:
    names = [f"r-{number:012}{place:012}{0:08}" for place in range(5)]
    return [
        {"type": "observation", "id": name, "subject": f"s-{number}", "site": "north"}
        | ({"replaces": named} if (named := [names[old] for new, old in links if new == place]) else {})
        for place, name in enumerate(names)
    ]
