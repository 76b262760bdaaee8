"""The monthly site report of the known network: a page a measure, one sentence, one action, as a PDF that can be read aloud."""

from pathlib import Path

import pytest
from services_story import fibrosis, fill, load_events, person
from sqlalchemy import Engine
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.demo.known import AS_OF
from schemas.errors import OperatorError
from services.measures.library import measures
from services.pages.print.report import MonthReport, last_said

OF = ("ibd1", "cf2")


@pytest.fixture(autouse=True)
def some_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the library are enough here, and soon counted."""
    some = {slug: measures()[slug] for slug in OF}
    monkeypatch.setattr("services.pages.print.report.measures", lambda: some)


def made(engine: Engine, site: str, month: str = "2026-10") -> MonthReport:
    with engine.connect() as connection:
        return MonthReport(connection, network="Riverbend", site=site, month=month, made=AS_OF)


def test_results_that_stopped_are_told_so_and_are_no_usual_ups_and_downs(three_known: Engine) -> None:
    """Nobody was measured at Quarry since its feed broke."""
    found = made(three_known, "quarry").report
    assert "2 without new results, 0 as ever" in found.summary
    assert {page.variation for page in found.pages} == {"no results after July 2026"}


def test_a_site_of_which_nothing_came_says_that_it_is_unknown(small_registry: Engine) -> None:
    """It has announced a load, and no more."""
    fill(small_registry, [], load_events())
    found = made(small_registry, "lakeside")
    assert found.report.summary == "No measure has anybody to count here: what was never loaded is unknown, not zero."
    types = {name: said for name, *said in found.report.types}
    assert types["Patient"] == ["came: the site has none", "20 November 2026"]
    assert types["Observation"] == types["Encounter"] == ["never came", "–"]
    assert [title for title, _ in found.report.unknown] == [measures()[slug].title for slug in OF]
    assert "Observation" in dict(found.report.unknown)[measures()["cf2"].title]
    assert found.pdf().startswith(b"%PDF-")
    assert len(found.png()) == 1


def test_a_measure_whose_data_never_came_is_not_known(small_registry: Engine) -> None:
    """Also where its patients are there: no figure, no variation, no place among those as ever."""
    fill(small_registry, [person("kim", site="lakeside"), fibrosis("kim", site="lakeside")], load_events())
    (page,) = made(small_registry, "lakeside").report.pages
    assert (page.last, page.tone, page.assurance) == ("not known", "none", "not known")
    assert page.variation == "not known: Encounter, Condition, Observation never came"
    assert "nothing is known yet" in page.sentence
    assert made(small_registry, "lakeside").report.summary.endswith(
        "1 not known, 0 as ever or with too few people to say."
    )


def test_each_measure_has_a_page_with_one_sentence_and_one_action(three_known: Engine) -> None:
    """What got better says so, with what was tried; the month's figures stand in the sentence."""
    found = made(three_known, "birchwood")
    remission, nutrition = found.report.pages
    assert "in October 2026 had quiescent disease" in remission.sentence
    assert [signal[:2] for signal in remission.signals] == [("better", "Better")]
    assert remission.action.startswith("Keep what brought the change.")
    assert ("Tried, A") in dict(remission.facts)
    assert nutrition.tone == "none"
    assert found.report.summary.startswith("2 measures: 1 getting better, 0 getting worse")
    assert len(found.png()) == 1 + len(OF)
    pdf = found.pdf()
    assert pdf.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in pdf
    assert pdf == found.pdf()


def test_report_of_an_earlier_month_knows_nothing_later(three_known: Engine) -> None:
    """As on the first day after it: before the change nothing stands out."""
    remission = made(three_known, "birchwood", "2025-08").report.pages[0]
    assert "in August 2025 had" in remission.sentence
    assert remission.signals == ()


def test_a_few_months_do_not_tell_chance_from_change(three_known: Engine) -> None:
    """Nobody is asked to change what nobody can judge."""
    remission = made(three_known, "birchwood", "2024-03").report.pages[0]
    assert remission.variation == "fewer than 13 points: too early to say"
    assert remission.action.startswith("Too early to tell change from chance: from 13 points on")


def test_a_level_is_not_taken_for_a_share() -> None:
    """6.5 % of 20 people would be one of them; it is their median."""
    level = next(each for each in measures().values() if each.kind != "share" and each.unit == "%")
    assert last_said(6.5, 20, level) == "6.5 %, n 20"
    assert last_said(0.75, 20, measures()["ibd1"]) == "75% of 20"


def test_site_whose_feed_broke_is_told_so_first(three_known: Engine) -> None:
    """On the first page and as the action; lines that could not be used with what to do."""
    report = made(three_known, "quarry").report
    assert report.gaps[0].startswith("Observation missing: the interface has delivered no results since 6 July 2026.")
    assert report.pages[0].action.startswith("Mend the data first")
    assert {row[0] for row in report.refused} == {"Observation"}


@pytest.mark.parametrize(
    ("site", "month", "said"),
    [
        ("nowhere", "2026-10", "knows no site nowhere"),
        ("quarry", "2026-11", "2026-11 is not over in the data of quarry"),
        ("quarry", "2026-13", "2026-13 is no month"),
    ],
)
def test_what_cannot_be_reported_is_told(three_known: Engine, site: str, month: str, said: str) -> None:
    """Rather than an empty paper."""
    with pytest.raises(OperatorError, match=said):
        made(three_known, site, month)


def test_command_writes_the_report(three_known_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By site and month."""
    monkeypatch.setenv("MAINSTEM_REGISTRY_URL", f"sqlite:///{three_known_file}")
    to = tmp_path / "october.pdf"
    done = CliRunner().invoke(app, ["feedback", "report", "--site", "birchwood", "--month", "2026-10", "--to", str(to)])
    assert (done.exit_code, done.output.split(": ")[0]) == (0, str(to))
    assert to.read_bytes().startswith(b"%PDF-")
