"""The coordinator's page: what stands out, what is missing, icons from thirteen points on; never a zero for what is not known."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from services_story import NOW, fibrosis, fill, load_events, percentile, person, population, visit
from sqlalchemy import Engine
from viewers import gate_for
from waiting import wait_until

from schemas.loads import Gap
from services.charts.icons import Assurance, Variation
from services.measures.library import measures
from services.pages.app import make_app
from services.pages.grid import Grid, grid_of
from services.pages.remembered import LONGEST, SECONDS, Remembered
from services.pages.results import results_of
from services.people.tests_of_change import Plan, Tried, note
from services.registry.completeness import completeness
from services.registry.database import reading


def html_of(registry: Engine, folder: Path) -> str:
    client = TestClient(make_app(registry, network="lhn", gate=gate_for(folder), clock=lambda: NOW))
    answer = client.get("/network")
    assert answer.status_code == 200
    return answer.text


@pytest.mark.slow
def test_the_page_says_whom_to_call_and_whom_to_learn_from(small_registry: Engine, tmp_path: Path) -> None:
    """A failed load, a feed that broke, a site that got better: each with what to do."""
    *events, last = load_events()
    since = NOW - timedelta(days=30)
    gap = Gap(
        resource_type="Observation", since=since, reason="the laboratory sends nothing", fix="Ask.", who="site IT"
    )
    events[0] = events[0].model_copy(update={"gaps": [gap], "watermarks": events[0].watermarks, "types": {}})
    fill(small_registry, population(), [*events, last])
    html = html_of(small_registry, tmp_path)
    said = html.split('id="next"')[1].split("</section>")[0]
    assert "<b>Call West</b>: the last load failed" in said
    assert "Observation is incomplete since 21 October 2026: the laboratory sends nothing. Ask (site IT)" in said
    assert "<b>Learn from Northside</b>" in said
    assert "Data as of 20 November 2026" in html


@pytest.mark.slow
def test_who_got_better_is_told_with_what_they_tried(small_registry: Engine, tmp_path: Path) -> None:
    """Where they noted it; where not, that it is to be asked."""
    fill(small_registry, population(), load_events())
    assert "What they did for it is not noted: ask them." in html_of(small_registry, tmp_path)
    with small_registry.begin() as connection:
        plan = Plan(70, date(2026, 11, 1), "More is eaten", "Three visits")
        what, since = "A dietitian at every visit", date(2025, 11, 1)
        note(connection, Tried("northside", "CF-2", since, what, "Team North", NOW, plan))
    html = html_of(small_registry, tmp_path)
    assert "Tried since 1 November 2025: A dietitian at every visit" in html
    assert "They tried: A dietitian at every visit" in html


@pytest.mark.slow
def test_of_sixty_sites_the_first_to_call_are_named_and_the_rest_is_counted(
    small_registry: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site once, whatever of it got worse; a measure of which nobody has a figure takes no column, and says why."""
    two = {slug: measures()[slug] for slug in ("cf2", "ibd1")}
    monkeypatch.setattr("services.pages.network.measures", lambda: two)

    def sixty(*given: object) -> Grid:
        grid = grid_of(*given)  # type: ignore[arg-type]
        (line,) = (line for line in grid.lines if line.site == "northside")
        (cell,) = line.cells
        assert cell.now is not None
        worse = replace(cell, now=replace(cell.now, better=False))
        lines = tuple(replace(line, title=f"Site {at}", cells=(worse, worse)) for at in range(60))
        return replace(grid, measures=grid.measures * 2, network=grid.network * 2, lines=lines)

    monkeypatch.setattr("services.pages.network.grid_of", sixty)
    fill(small_registry, population(), load_events())
    html = html_of(small_registry, tmp_path)
    assert "No figures are better than before and 120 worse, of 120 that have enough points to tell" in html
    assert html.count("<b>Ask Site ") == 8
    assert "And 52 more sites with something worse" in html
    assert 'No site has a figure of: <a href="/measures/ibd1">' in html


@pytest.mark.slow
def test_what_is_not_known_is_no_zero(small_registry: Engine, tmp_path: Path) -> None:
    """A site that never brought its observations has no share; what it never loaded is named."""
    fill(small_registry, population(), load_events())
    html = html_of(small_registry, tmp_path)
    lakeside = next(row for row in html.split("<tr>") if ">Lakeside<" in row and "cell" not in row)
    assert "not loaded: Encounter, Condition, Observation" in lakeside
    assert "0%" not in lakeside
    assert "unknown, not zero" in html


def test_an_empty_registry_says_what_to_do(small_registry: Engine, tmp_path: Path) -> None:
    """Before the first load."""
    html = html_of(small_registry, tmp_path)
    assert "The registry holds no data of any site." in html
    assert "mainstem registry run" in html
    assert "<table" not in html


def test_icons_need_thirteen_points(small_registry: Engine) -> None:
    """With twelve months, words; with thirteen, an icon; and without a target no assurance."""
    children = [f"child-{number}" for number in range(8)]
    facts = [record for name in children for record in (person(name), fibrosis(name))]
    months = [f"2025-{month:02}-10" for month in range(10, 13)] + [f"2026-{month:02}-10" for month in range(1, 11)]
    days = [(name, day, 60 if at % 2 else 40) for day in months for at, name in enumerate(children)]
    visits = [record for name, day, v in days for record in (visit(name, day), percentile(name, day, v))]
    early = [record for record in visits if months[0] not in record.model_dump_json()]
    measure = replace(measures()["cf2"], target=None)

    def north() -> tuple[Variation | None, Assurance | None]:
        with reading(small_registry) as connection:
            grid = grid_of([results_of(connection, measure, "lhn", NOW)], completeness(connection))
        (line,) = grid.lines
        return line.cells[0].variation, line.cells[0].assurance

    fill(small_registry, [*facts, *early])
    assert north()[0] is Variation.TOO_FEW
    fill(small_registry, [record for record in visits if record not in early])
    assert north() == (Variation.COMMON_CAUSE, Assurance.NO_TARGET)


def test_an_answer_is_given_again_for_a_while_and_a_failure_is_not() -> None:
    """Two minutes."""
    now, asked = [0.0], []
    remembered: Remembered[int] = Remembered(lambda: now[0])

    def ask() -> int:
        asked.append(now[0])
        if len(asked) == 1:
            raise OSError
        return len(asked)

    with pytest.raises(OSError):  # noqa: PT011 - its own
        remembered.of("x", ask)
    assert [remembered.of("x", ask), remembered.of("x", ask)] == [2, 2]
    now[0] = SECONDS + 1
    assert remembered.of("x", ask) == 2, "the old one, while it is asked for anew"
    wait_until(lambda: remembered.of("x", ask) == 3)
    now[0] += LONGEST + 1
    assert remembered.of("x", ask) == 4, "too old to be given"


def test_an_answer_holds_longer_while_what_it_is_made_of_is_the_same() -> None:
    """Nobody waits for another then, however old it is; where loads have ended since it is as old as any."""
    now, asked = [0.0], []
    remembered: Remembered[int] = Remembered(lambda: now[0])

    def ask() -> int:
        asked.append(now[0])
        return len(asked)

    assert remembered.of("x", ask, "first") == 1
    now[0] = LONGEST - 1
    assert (remembered.of("x", ask, "first"), len(asked)) == (1, 1)
    assert remembered.of("x", ask, "second") == 1, "the old one, while it is asked for anew"
    wait_until(lambda: remembered.of("x", ask, "second") == 2)
    now[0] += LONGEST + 1
    assert remembered.of("x", ask, "second") == 2, "the old one, while it is asked for anew"
    wait_until(lambda: remembered.of("x", ask, "second") == 3)
    now[0] += LONGEST + 1
    assert remembered.of("x", ask, "third") == 4, "too old to be given"
