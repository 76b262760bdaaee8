"""What a measure's page shows: months or quarters, limits or none, signals in words."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fastapi.testclient import TestClient
from services_story import NOW, fibrosis, fill, load_events, percentile, person, population, visit
from sqlalchemy import Engine
from viewers import gate_for, viewer

from services.access.viewers import Role
from services.measures.evaluate.counts import NETWORK
from services.measures.library import measures
from services.pages.app import make_app
from services.pages.charting import figures_of
from services.pages.counted import Memory
from services.pages.results import results_of
from services.pages.seeing import seen_by_viewer

CF2 = measures()["cf2"]


def test_small_site_is_drawn_by_quarter_and_the_month_under_way_is_set_apart(small_registry: Engine) -> None:
    """Nine children give too few a month; a period that is not over moves no limit and gives no signal."""
    fill(small_registry, population(), load_events())
    with small_registry.connect() as connection:
        results = results_of(connection, CF2, "Riverbend", NOW)
    periods = {site.name: site.period for site in results.sites}
    assert periods == {"lake-county": "quarter", "lakeside": "quarter", "northside": "month", "west": "month"}
    last = results.network.rows[-1]
    assert (last.label, last.complete, last.point) == ("November 2026", False, None)
    assert "October 2026" in results.network.headline


def test_shift_at_one_site_is_told_in_words(small_registry: Engine) -> None:
    """The site that got better is told so; the one that did not, not."""
    fill(small_registry, population(), load_events())
    with small_registry.connect() as connection:
        results = results_of(connection, CF2, "Riverbend", NOW)
    northside, west = (next(site for site in results.sites if site.name == name) for name in ("northside", "west"))
    assert any("months in a row above the average" in note.text and note.better for note in northside.notes)
    assert west.notes == ()


def test_a_site_that_never_loaded_what_is_counted_has_no_number_and_adds_none(small_registry: Engine) -> None:
    """Its visits came and its observations never did: neither it nor the network shows a zero for what nobody knows."""
    events = load_events()
    for each in events:
        if each.site == "west":
            each.watermarks.pop("Observation", None)
    fill(small_registry, population(), events)
    with small_registry.connect() as connection:
        memory = Memory()
        counts = memory.counted(connection, CF2, NOW)[0].counts["month"]
        results = results_of(connection, CF2, "Riverbend", NOW, memory=memory)
    seen = {site: sum(each.seen for each in counts if each.site == site) for site in {each.site for each in counts}}
    west = results.of("west")
    assert west
    assert west.headline == "At West, nothing is known yet: Observation not loaded."
    assert not west.drawn
    assert "west" not in seen
    assert seen.pop(NETWORK) == sum(seen.values()) > 0


def test_too_few_patients_even_in_a_quarter_get_no_limits(small_registry: Engine) -> None:
    """Points without limits are all that two children can give."""
    days = [f"{year}-{month:02}-10" for year in (2025, 2026) for month in range(1, 11)]
    fill(
        small_registry,
        [person("ada"), fibrosis("ada")]
        + [record for day in days for record in (visit("ada", day), percentile("ada", day, 60))],
    )
    with small_registry.connect() as connection:
        results = results_of(connection, CF2, "Riverbend", datetime(2026, 11, 20, tzinfo=UTC))
    assert (results.network.period, results.network.chart, results.network.drawn) == ("quarter", None, True)


def test_figures_of_a_few_are_no_researchers_in_words_either(small_registry: Engine, tmp_path: Path) -> None:
    """The sentence goes with the rows it is of: the last period that may be told, or that none may. Periods of nobody stand there too."""
    early, late = [f"2025-{month:02}-10" for month in range(1, 13)], ["2026-10-05"]
    for name, days in {**dict.fromkeys("abcdefg", early), "h": late, "i": late}.items():
        came = [record for day in days for record in (visit(name, day), percentile(name, day, 60))]
        fill(small_registry, [person(name), fibrosis(name), *came], load_events() if name == "i" else [])
    with small_registry.connect() as connection:
        results = results_of(connection, CF2, "Riverbend", NOW)
    whole, told = (seen_by_viewer(results, viewer(role)).network for role in (Role.COORDINATOR, Role.RESEARCHER))
    assert "2 of 2 children" in whole.headline
    assert "7 of 7 children with cystic fibrosis seen and measured in December 2025" in told.headline
    assert [row.label for row in told.rows] == [row.label for row in whole.rows]
    hidden = [(mine, row) for mine, row in zip(told.rows, whole.rows, strict=True) if row.measured < 5]
    assert {row.measured for _, row in hidden} >= {0, 2}
    assert {(mine.withheld, mine.seen, mine.value, mine.point, mine.notes) for mine, _ in hidden} == {
        (True, 0, None, None, ())
    }, "of nobody and of a few it looks the same, lines and all"
    untold = [row.split(",")[3:] for row in figures_of(told).splitlines()[1:] if ",," in row]
    assert [row for row in untold if not row[1]] == [[""] * 8] * len(hidden)
    app = make_app(small_registry, network="Riverbend", gate=gate_for(tmp_path, Role.RESEARCHER), clock=lambda: NOW)
    assert TestClient(app).get("/measures/cf2").text.count("no data, or of fewer than 5") == len(hidden)
    few = replace(results, network=replace(whole, rows=whole.rows[-1:]))
    assert "fewer than 5" in seen_by_viewer(few, viewer(Role.RESEARCHER)).network.headline
