"""The library of ideas: proposed by anybody, taken over with one click, and what moved by the charts' own rules."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from services_story import NOW, SITES, fill, load_events, population
from sqlalchemy import Engine
from viewers import FORM, gate_for

from services.access.viewers import Role
from services.measures.library import measures
from services.pages.app import make_app
from services.people.issues import About, raise_issue
from services.people.tests_of_change import Plan, Tried, note, tried_of
from services.registry.database import open_registry, reading, writing

IDEA = {
    "measure": "CF-2",
    "what": "A dietitian joins every visit",
    "aim": "70",
    "weeks": "26",
    "prediction": "More is eaten, so more children grow",
    "start": "The next three visits of one doctor",
}
Come = Callable[..., TestClient]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = open_registry(f"sqlite:///{tmp_path_factory.mktemp('ideas')}/registry.db")
    fill(engine, population(), load_events())
    return engine


@pytest.fixture
def come(filled: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Come:
    """Somebody of a role; one measure of the library is enough."""
    one = {"cf2": measures()["cf2"]}
    for module in ("team", "measures", "network", "ideas", "measure"):
        monkeypatch.setattr(f"services.pages.{module}.measures", lambda: one, raising=False)

    def go(role: Role, *sites: str) -> TestClient:
        app = make_app(filled, network="lhn", gate=gate_for(tmp_path, role, *sites), clock=lambda: NOW)
        return TestClient(app)

    return go


def test_a_researcher_proposes_a_site_takes_it_over_and_its_chart_bears_the_mark(come: Come, filled: Engine) -> None:
    """With the whole plan; once; for a site of theirs alone. The researcher sees how many tried it and what moved, and no site."""
    with writing(filled) as connection:
        issue = raise_issue(
            connection, About.NETWORK, "Nobody asks what he eats", site="", role="family", by="f", at=NOW
        )
    researcher = come(Role.RESEARCHER)
    assert f'name="issue" value="{issue}"' in researcher.get(f"/ideas?issue={issue}").text
    for left_out in set(IDEA) - {"measure"}:
        without = {name: said for name, said in IDEA.items() if name != left_out}
        assert researcher.post("/ideas", data=FORM | without).status_code == 422, left_out
    address = researcher.post("/ideas", data=FORM | IDEA | {"issue": issue}).url.path
    assert "Nobody has tried it yet" in researcher.get(address).text
    assert f"/issues/{issue}" in researcher.get(address).text
    assert "/adopt" not in researcher.get(address).text
    assert researcher.post(f"{address}/adopt", data=FORM | {"where": "northside"}).status_code == 403
    team = come(Role.SITE_TEAM, "northside")
    assert team.post(f"{address}/adopt", data=FORM | {"where": "west"}).status_code == 404
    page = team.post(f"{address}/adopt", data=FORM | {"where": "northside"})
    assert page.url.path == "/sites/northside/cf2"
    assert "20 November 2026: A dietitian joins every visit" in page.text
    assert "Aim: 70 % by 21 May 2027. Prediction: More is eaten" in page.text
    assert ">A</text>" in team.get("/measures/cf2/chart.svg", params={"site": "northside"}).text
    assert team.post(f"{address}/adopt", data=FORM | {"where": "northside"}).status_code == 200
    with reading(filled) as connection:
        assert len(tried_of(connection, address.rpartition("/")[2])) == 1
    assert "Try it at" not in team.get(address).text
    told = researcher.get(address).text
    assert "Tried by 1 site: 1 too early, or too few people, to say" in told
    assert not [site for site in SITES if site in told.lower()]


def test_what_moved_is_what_the_charts_say_and_others_are_not_named(come: Come, filled: Engine) -> None:
    """Northside got better when it began, West not: whole counts before and since to whoever may see them."""
    coordinator = come(Role.COORDINATOR)
    address = coordinator.post("/ideas", data=FORM | IDEA).url.path
    with writing(filled) as connection:
        for site in ("northside", "west"):
            plan = Plan(70, date(2026, 11, 30), IDEA["prediction"], IDEA["start"])
            since = date(2025, 11, 1)
            note(connection, Tried(site, "CF-2", since, IDEA["what"], "T", NOW, plan, address.rpartition("/")[2]))
    page = coordinator.get(address).text
    assert "Tried by 2 sites: 1 better than chance gives since then; 1 nothing beyond what chance gives" in page
    better = re.search(r"Northside, since 1 November 2025</h3>\s*<p>(.*?)</p>", page)
    assert better is not None
    assert re.search(r"\d+ of \d+ since, \d+ of \d+ in as many periods before", better[1])
    west = come(Role.SITE_TEAM, "west").get(address).text
    assert "Another site, since" in west
    assert "Northside" not in west
    assert "1 better than chance" in come(Role.RESEARCHER).get("/ideas").text
