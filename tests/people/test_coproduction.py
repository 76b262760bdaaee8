"""NET-3: a form after a visit is a top score where every question has the best mark; by site and by groups of people."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from services_cases import event_of, record_id, subject_id
from sqlalchemy import Engine
from viewers import gate_for

from schemas.outcomes import Person
from services.pages.app import make_app
from services.people.coproduction import ALL, coproduced
from services.people.families import Who
from services.people.voices import forms, keep_answers
from services.registry.database import writing
from services.registry.handler import apply

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=365)
UNDERSTOOD, HEARD, INCLUDED = (question.code for question in forms()["after"].questions)


def filled_in(
    registry: Engine, name: str, *marks: int | None, at: datetime = NOW, site: str = "north", form: str = "after"
) -> None:
    """A form of somebody, with a mark for each question that was not left out."""
    said = [
        (code, "number", mark, None)
        for code, mark in zip((UNDERSTOOD, HEARD, INCLUDED), marks, strict=True)
        if mark is not None
    ]
    with writing(registry) as connection:
        keep_answers(connection, (site, subject_id(name)), forms()[form], said, who=Who.SELF, by="family", at=at)


def known(registry: Engine, name: str, site: str = "north", **given: object) -> None:
    names = {"id": record_id("p" + name), "subject": subject_id(name), "site": site}
    with writing(registry) as connection:
        apply(connection, [event_of(Person.model_validate(names | given))])


@pytest.mark.parametrize(
    ("marks", "found"),
    [
        pytest.param((9, 9, 9), (1, 1, 0), id="best marks to all"),
        pytest.param((9, 9, 8), (1, 0, 0), id="one less"),
        pytest.param((0, 0, 0), (1, 0, 0), id="none at all"),
        pytest.param((9, 9, None), (0, 0, 1), id="one left out"),
        pytest.param((None, 5, None), (0, 0, 1), id="two left out"),
    ],
)
def test_a_form(small_registry: Engine, marks: tuple[int | None, ...], found: tuple[int, int, int]) -> None:
    filled_in(small_registry, "ada", *marks)
    with small_registry.connect() as connection:
        whole, north = coproduced(connection, SINCE)
    assert (whole.name, north.name) == (ALL, "north")
    assert (whole.answered, whole.top, whole.partly) == (north.answered, north.top, north.partly) == found


def test_each_form_counts_within_the_time_and_none_before_a_visit(small_registry: Engine) -> None:
    """Boundary: on the first moment, and just before; somebody's second form is another; what is said before a visit is not asked."""
    for at, marks in ((SINCE, (9, 9, 9)), (SINCE - timedelta(seconds=1), (9, 9, 9)), (NOW, (9, 9, 1))):
        filled_in(small_registry, "ada", *marks, at=at)
    filled_in(small_registry, "bea", 9, 9, 9, form="before")
    with small_registry.connect() as connection:
        (whole, _) = coproduced(connection, SINCE)
    assert (whole.answered, whole.top) == (2, 1)


def test_by_groups_of_people(small_registry: Engine) -> None:
    known(small_registry, "ada", language="en", race=["2106-3"])
    known(small_registry, "bea", language="es", race=["2106-3", "2028-9"])
    for name, marks in (("ada", (9, 9, 9)), ("bea", (9, 9, 0)), ("cid", (9, 9, 9))):
        filled_in(small_registry, name, *marks)
    with small_registry.connect() as connection:
        by_language = [(each.name, each.top, each.answered) for each in coproduced(connection, SINCE, by="language")]
        by_race = [(each.name, each.top) for each in coproduced(connection, SINCE, by="race")]
    assert by_language == [(ALL, 2, 3), ("en", 1, 1), ("es", 0, 1), (None, 1, 1)]
    assert by_race == [(ALL, 2), ("2106-3", 1), ("several", 0), (None, 1)]


def test_nobody_answered(small_registry: Engine) -> None:
    with small_registry.connect() as connection:
        assert coproduced(connection, SINCE) == []


@pytest.mark.slow
def test_the_pages_tell_it_of_five_forms_and_more(small_registry: Engine, tmp_path: Path) -> None:
    """Of everybody to everybody; by site and group to the coordinator; of four forms nothing."""
    client = TestClient(make_app(small_registry, network="lhn", gate=gate_for(tmp_path), clock=lambda: NOW))
    for number in range(4):
        filled_in(small_registry, f"p{number}", 9, 9, 9)
    assert "Too few families answered" in client.get("/accountability").text
    filled_in(small_registry, "p5", 9, 9, 8, site="south")
    assert "4 of 5 forms" in client.get("/accountability").text
    table = client.get("/network").text.split('id="together"')[1].split("</table>")[0]
    assert "everybody" in table
    assert table.count("fewer than 5") == len(("north", "south"))
