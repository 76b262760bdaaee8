"""One story, in browsers: a mother raises something, it is answered, tried and found better, and she decides about her child's data."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from browser import browser
from pages_served import serving
from pydantic import BaseModel
from services_cases import subject_id
from services_story import NOW, fill, load_events, population
from sqlalchemy import Engine
from typer.testing import CliRunner
from viewers import gate, viewer

from mainstem.commands import app as mainstem
from schemas.subjects import ConsentAsked
from services.access.database import AccessDatabase
from services.access.viewers import Role
from services.home.app import Home, make_home
from services.home.telling import ask_sites
from services.measures.library import measures
from services.pages.app import make_app
from services.people.age_policy import AgePolicy

SPRING = datetime(2025, 10, 31, 9, tzinfo=UTC)
"""When it is raised; the children of Northside do better from November on."""
CHILD = subject_id("northside-1")
ISSUE = "Visits end without a plan"
PLAN = {
    "what": "Every visit ends with a written plan",
    "aim": "70",
    "weeks": "26",
    "prediction": "Families know what to do next, so more children grow",
    "start": "The next five visits of one doctor",
}


def until(day: str, records: Iterator[BaseModel]) -> list[BaseModel]:
    """What was known on a day."""
    return [each for each in records if (_day(each) or "") < day]


def _day(record: BaseModel) -> str | None:
    return getattr(record, "start_date", None) or getattr(record, "effective_date", None)


class Network:
    """Its pages, each served to one person, at a time that moves."""

    def __init__(self, engine: Engine, folder: Path, stack: ExitStack, chromium: Any) -> None:
        self.engine, self.folder, self.now = engine, folder, SPRING
        self._stack, self._chromium = stack, chromium
        access = AccessDatabase.open(f"sqlite:///{folder}/access.db")
        self.home = Home(engine, access, "lhn", AgePolicy.load(), False, lambda: self.now)
        self._pictures = Path(os.environ.get("MAINSTEM_SCREENSHOTS") or folder)

    def tab(self, role: Role, *sites: str) -> Any:
        """A browser of somebody of the staff."""
        app = make_app(self.engine, network="lhn", gate=gate(self.folder, viewer(role, *sites)), clock=lambda: self.now)
        return self._open(app, 1100, 900)

    def phone(self) -> Any:
        """The mother's."""
        return self._open(make_home(self.home), 390, 844)

    def _open(self, app: Any, width: int, height: int) -> Any:
        address = self._stack.enter_context(serving(app))
        tab = self._chromium.new_context(
            viewport={"width": width, "height": height}, base_url=address, locale="en-US"
        ).new_page()
        tab.set_default_timeout(60_000)
        return tab

    def picture(self, tab: Any, name: str) -> None:
        """Kept where pictures are asked for."""
        tab.screenshot(path=self._pictures / f"story-{name}.png")

    def extract(self, request: str, name: str) -> set[str]:
        """Whom it holds."""
        environment = {
            "MAINSTEM_REGISTRY_URL": str(self.engine.url),
            "MAINSTEM_ACCESS_URL": f"sqlite:///{self.folder}/access.db",
        }
        words = ["extract", "ocdm", "--request", request, "--types", "person", "--to", str(self.folder / name)]
        done = CliRunner().invoke(mainstem, words, env=environment)
        assert done.exit_code == 0, done.output
        return set(pq.read_table(self.folder / name / "person.parquet").column("subject").to_pylist())


@pytest.fixture
def network(small_registry: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """As it is known in spring; one measure of the library is enough."""
    one = {"cf2": measures()["cf2"]}
    for module in ("pages.team", "pages.measures", "pages.network", "pages.measure", "measures.library"):
        monkeypatch.setattr(f"services.{module}.measures", lambda: one, raising=False)
    back = NOW - SPRING
    loads = [
        each.model_copy(
            update={
                "started": each.started - back,
                "ended": each.ended and each.ended - back,
                "watermarks": {name: at - back for name, at in each.watermarks.items()},
            }
        )
        for each in load_events()
    ]
    fill(small_registry, until("2025-10-31", population()), loads)
    with browser() as chromium, ExitStack() as stack:
        yield Network(small_registry, tmp_path, stack, chromium)


@pytest.mark.browser
@pytest.mark.slow
def test_an_issue_becomes_a_change_and_a_family_decides_about_its_data(network: Network) -> None:
    """Mother, clinician, researcher, two teams; then the charts, the mother in Spanish, a third team; then her child's data."""
    clinician, mother = network.tab(Role.CLINICIAN, "northside"), network.phone()
    clinician.goto(f"/patients/northside/{CHILD}/family")
    clinician.locator("form:has(input[value=guardian]) button").first.click()
    code = clinician.locator("text=/^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}$/").first.inner_text()
    mother.goto("/enter")
    mother.fill("#code", code)
    mother.click("text=Open my page")
    mother.click("text=Raise")
    mother.check("input[value=network]")
    mother.fill("#words", ISSUE)
    mother.click("button:has-text('Raise it')")
    assert "Thank you" in mother.inner_text("main")
    network.picture(mother, "1")

    clinician.goto("/issues")
    clinician.click("text=How the network works")
    clinician.fill("#issue-words", "You are right. Each visit will end with one.")
    clinician.click("button:has-text('Answer')")

    researcher = network.tab(Role.RESEARCHER)
    researcher.goto("/issues")
    researcher.click("text=How the network works")
    researcher.click("text=Propose something to be tried")
    for name, said in PLAN.items():
        researcher.fill(f"[name={name}]", said)
    researcher.click("button:has-text('Propose it')")
    idea = researcher.url

    for site in ("northside", "west"):
        team = network.tab(Role.SITE_TEAM, site)
        team.goto("/ideas")
        team.click(f"text={PLAN['what']}")
        team.click("button:has-text('Try it at')")
        assert PLAN["what"] in team.inner_text("main")

    network.now = NOW
    fill(network.engine, (each for each in population() if (_day(each) or "") >= "2025-10-31"), load_events())
    later = network.tab(Role.RESEARCHER)
    later.goto(idea.partition("/ideas")[1] + idea.partition("/ideas")[2])
    assert "Tried by 2 sites: 1 better than chance gives since then" in later.inner_text("main")

    north = network.tab(Role.SITE_TEAM, "northside")
    north.goto("/sites/northside/cf2")
    north.wait_for_selector("figure[data-state=drawn] .drawing svg")
    network.picture(north, "2")

    mother.click("text=Español")
    mother.goto("/raise")
    said = mother.inner_text("main")
    assert "Contestado el mismo día" in said
    assert "Clínicas que lo prueban: 2. Mejoró en: 1." in said
    mother.evaluate("document.querySelector('#list').scrollIntoView()")
    network.picture(mother, "3")
    third = network.tab(Role.SITE_TEAM, "lake-county")
    third.goto("/ideas")
    third.click(f"text={PLAN['what']}")
    third.click("button:has-text('Try it at Lake County')")
    assert PLAN["what"] in third.inner_text("main")

    later.goto("/research")
    later.fill("[name=purpose]", "Do children grow when visits end with a plan?")
    later.locator("form[action='/research'] [name=codes]").fill("190905008")
    later.locator("form[action='/research'] [name=tier]").select_option("1")
    later.click("button:has-text('Ask')")
    request = later.inner_text("text=/mainstem extract ocdm/").split("--request ")[1].split()[0]
    north.goto("/research")
    north.click("button:has-text('Approve')")
    assert CHILD in network.extract(request, "first")
    mother.goto("/looked")
    assert "Do children grow when visits end with a plan?" in mother.inner_text("main")
    assert "Sus datos estaban ahí el" in mother.inner_text("main")

    mother.goto("/consent")
    mother.locator("section:has(#research) button").click()
    assert "Va en camino a su clínica" in mother.inner_text("main")
    network.picture(mother, "4")
    without = network.extract(request, "second")
    assert CHILD not in without
    assert len(without) > 40 - 1
    told: list[ConsentAsked] = []
    ask_sites(network.engine, told.extend, at=NOW + timedelta(minutes=1))
    assert [(each.subject, each.scope, each.wish, each.by) for each in told] == [
        (CHILD, "research", "withdraw", "guardian")
    ]
