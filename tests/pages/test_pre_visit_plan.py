"""The pre-visit plan of the known network: the day's patients, a page each, as a PDF that can be read aloud."""

import re
from datetime import date
from pathlib import Path

import pytest
from services_cases import subject_id
from services_story import fill, load_events, person, visit
from sqlalchemy import Engine, func, select
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.demo.known import AS_OF
from schemas.errors import OperatorError
from services.pages.print.plan import Plans
from services.registry.tables import RECORD_TABLES

TOMORROW = date(2026, 11, 4)


@pytest.fixture
def plans(three_known: Engine) -> Plans:
    """Cedar Hill's, of the day after the data were brought."""
    with three_known.connect() as connection:
        return Plans(connection, network="Riverbend", site="cedar-hill", day=TOMORROW, made=AS_OF)


@pytest.mark.slow
def test_everybody_who_is_booked_has_a_page(plans: Plans, three_known: Engine) -> None:
    """Nobody else, and no name: the site alone can tell whose pseudonym it is."""
    visit = RECORD_TABLES["encounter"].c
    booked = select(func.count()).where(visit.site == "cedar-hill", visit.start_date == TOMORROW.isoformat())
    with three_known.connect() as connection:
        expected = connection.scalar(booked.where(visit.appointment_status == "booked"))
    assert expected
    assert len(plans.plan.patients) == len(plans.subjects) == expected
    assert len(plans.png()) == 1 + expected
    assert {subject[:10] for subject in plans.subjects} == {patient.name for patient in plans.plan.patients}


def test_page_tells_last_states_growth_and_lungs(plans: Plans) -> None:
    """What was known at the last visit, in words and as pictures with alternative texts."""
    of = {patient.who.split(" · ")[1]: patient for patient in plans.plan.patients}
    lungs = of["Cystic fibrosis"]
    assert [row[0] for row in lungs.states] == [
        "FEV1, share of predicted",
        "BMI percentile",
        "Height percentile",
        "Weight percentile",
    ]
    assert [drawing.picture.split("-")[0] for drawing in lungs.pictures] == ["height", "weight", "lungs"]
    assert all("last: " in drawing.alternative for drawing in lungs.pictures)
    assert "percentiles" in lungs.pictures[0].alternative
    bowel = of["Crohn's disease"]
    assert {"Disease state", "Days on steroids, of 90"} <= {row[0] for row in bowel.states}
    assert "now on infliximab" in bowel.who
    assert plans.pictures.keys() == {each.picture for patient in plans.plan.patients for each in patient.pictures}


def test_plan_is_a_pdf_for_screen_readers_and_the_same_when_made_again(plans: Plans) -> None:
    """Tagged, titled, alternative texts (the standard refuses a PDF without them); no date but the data's."""
    made = plans.pdf()
    assert made.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in made
    assert made == plans.pdf()


def test_day_without_bookings_is_told(three_known: Engine) -> None:
    """Rather than an empty file."""
    with three_known.connect() as connection, pytest.raises(OperatorError, match="nobody is booked at cedar-hill"):
        Plans(connection, network="Riverbend", site="cedar-hill", day=date(2026, 12, 25), made=AS_OF)


def test_a_booking_of_whom_nothing_else_came_is_counted_and_takes_no_page(
    small_registry: Engine,
) -> None:
    """The others' plans are there all the same."""
    booked = [visit(name, "2026-12-01", site="west", status="planned") for name in ("ada", "ben")]
    fill(small_registry, [person("ada", site="west"), *booked], load_events())
    with small_registry.connect() as connection:
        made = Plans(connection, network="Riverbend", site="west", day=date(2026, 12, 1), made=AS_OF)
    assert made.plan.summary.startswith("2 booked; for 0 of them")
    assert "Of 1 nothing but the booking came" in made.plan.summary
    assert made.subjects == (subject_id("ada"),)
    assert made.pdf().startswith(b"%PDF-")


def test_command_writes_a_file_for_its_owner_alone(
    three_known_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By site and day; a day that is none is told."""
    monkeypatch.setenv("MAINSTEM_REGISTRY_URL", f"sqlite:///{three_known_file}")
    to = tmp_path / "plan.pdf"
    command = ["feedback", "plan", "--site", "cedar-hill", "--to", str(to), "--day"]
    done = CliRunner().invoke(app, [*command, TOMORROW.isoformat()])
    assert done.exit_code == 0
    assert re.fullmatch(r".*plan\.pdf: \d+ booked; for \d+ of them something is overdue or stands out\.\n", done.output)
    assert to.read_bytes().startswith(b"%PDF-")
    assert to.stat().st_mode & 0o777 == 0o600
    assert isinstance(CliRunner().invoke(app, [*command, "tomorrow"]).exception, OperatorError)
