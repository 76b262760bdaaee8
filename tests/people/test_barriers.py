"""The pages where people say something, in a real browser: no barrier by axe, nothing wider than a phone, with a word that does not end and
with letters twice as large."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from browser import browser, violations
from pages_served import serving
from services_cases import subject_id
from services_story import NOW, fibrosis, fill, load_events, person
from sqlalchemy import Engine
from viewers import gate_for

from services.access.database import AccessDatabase
from services.access.viewers import Role
from services.home.app import Home, make_home
from services.measures.library import measures
from services.pages.app import make_app
from services.people.age_policy import AgePolicy
from services.people.amendments import Decision, decide, propose, say
from services.people.families import Who, make_link
from services.people.ideas import Idea, new_id
from services.people.ideas import propose as propose_idea
from services.people.issues import About, raise_issue
from services.registry.database import writing
from services.research.requests import ask

ENDLESS = "W" * 480
CF2 = measures()["cf2"]


class Said(NamedTuple):
    issue: str
    idea: str
    discussed: str
    decided: str
    code: str


@pytest.fixture
def said(small_registry: Engine) -> Said:
    """By more families than few, in words that do not end."""
    fill(small_registry, [person("ada", site="west"), fibrosis("ada", site="west")], load_events())
    with writing(small_registry) as connection:
        for number in range(60):
            by = f"family/{number}"
            issue = raise_issue(
                connection, About.MEASURE, ENDLESS, site="", measure="CF-2", role="family", by=by, at=NOW
            )
        idea = new_id()
        plan = Idea(idea, "CF-2", ENDLESS, 70, 26, ENDLESS, ENDLESS, issue, "researcher", "r", NOW)
        propose_idea(connection, plan)
        discussed, decided = (
            propose(connection, CF2, f"{n}{ENDLESS}", ENDLESS, issue=issue, role="researcher", by="r", at=NOW)
            for n in range(2)
        )
        for number in range(20):
            say(connection, discussed, f"{number}{ENDLESS}", role="family", by=f"family/{number}", at=NOW)
        say(connection, decided, ENDLESS, role="clinician", by="c", at=NOW)
        decide(connection, decided, Decision.ACCEPTED, ENDLESS, name="Ruth", by="z", at=NOW)
        ask(connection, "ocdm", 2, ["190905008"], ENDLESS, by="r", at=NOW)
        code = make_link(connection, "west", subject_id("ada"), Who.SELF, by="Ruth", at=NOW, ends=None)
    return Said(issue, idea, discussed, decided, code)


def look(tab: Any, address: str, pages: list[str], *, letters: int = 100) -> list[object]:
    """What is wrong with each page."""
    found: list[object] = []
    for page in pages:
        tab.goto(address + page)
        tab.evaluate(f"document.documentElement.style.fontSize = '{letters}%'")
        wider = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        found += [
            (page, letters, each) for each in [*violations(tab), *([f"{wider} px too wide"] if wider > 0 else [])]
        ]
    return found


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_staff_s_pages_have_no_barrier(said: Said, small_registry: Engine, tmp_path: Path) -> None:
    app = make_app(small_registry, network="lhn", gate=gate_for(tmp_path, Role.COORDINATOR), clock=lambda: NOW)
    pages = ["/issues", "/ideas", "/proposals", "/research", "/accountability"]
    pages += [f"/issues/{said.issue}", f"/ideas/{said.idea}"]
    pages += [f"/proposals/{said.discussed}", f"/proposals/{said.decided}"]
    with serving(app) as address, browser() as opened:
        for width, letters in ((320, 100), (640, 200)):
            tab = opened.new_page(viewport={"width": width, "height": 800})
            tab.set_default_navigation_timeout(150_000)
            assert look(tab, address, pages, letters=letters) == []


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_families_pages_have_no_barrier(said: Said, small_registry: Engine, tmp_path: Path) -> None:
    """In both languages; on paper the forms' buttons are gone and the words stay."""
    access = AccessDatabase.open(f"sqlite:///{tmp_path}/access.db")
    home = Home(small_registry, access, "lhn", AgePolicy.load(), False, lambda: NOW)
    pages = [
        "/raise",
        "/proposals",
        f"/proposals/{said.discussed}",
        f"/proposals/{said.decided}",
        "/looked",
        "/consent",
    ]
    with serving(make_home(home)) as address, browser() as opened:
        tab = opened.new_page(viewport={"width": 320, "height": 700})
        tab.set_default_navigation_timeout(150_000)
        tab.goto(f"{address}/enter")
        tab.fill("#code", said.code)
        tab.press("#code", "Enter")
        tab.wait_for_selector("#visits")
        for language, letters in (("en", 100), ("es", 200)):
            tab.goto(f"{address}/language/{language}?to=/proposals/{said.discussed}")
            assert tab.url.endswith(said.discussed)
            assert look(tab, address, pages, letters=letters) == []
        tab.emulate_media(media="print")
        tab.goto(f"{address}/proposals/{said.decided}")
        assert tab.locator("h1").is_visible()
        assert not tab.locator("nav").first.is_visible()
