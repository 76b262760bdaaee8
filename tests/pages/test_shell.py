"""What every page has, for every role, in a real browser: four parts, its date, nothing wider than the screen, no barrier."""

import re
from pathlib import Path
from typing import Any

import pytest
from browser import browser, violations
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pages_served import serving
from services_cases import record_id, subject_id
from services_story import NOW, fibrosis, fill, load_events, percentile, person, visit
from sqlalchemy import Engine
from viewers import gate_for

from services.access.database import AccessDatabase
from services.access.demo import DemoEntrance
from services.access.gate import Gate
from services.access.viewers import Role
from services.access.views import Views
from services.pages.app import make_app
from services.pages.glossary import MEANINGS, Glossary
from services.pages.navigation import entries_for

ADA = subject_id("west-1")
DEEPER = {
    Role.COORDINATOR: ("/measures/cf2",),
    Role.SITE_TEAM: ("/contested/west", "/sites/west", "/sites/west/cf2"),
    Role.CLINICIAN: (
        "/visits/west/2026-11-21",
        f"/patients/west/{ADA}",
        f"/patients/west/{ADA}/records/{record_id('pwest-1')}",
    ),
    Role.RESEARCHER: ("/measures",),
}
"""Pages that the navigation does not lead to at once."""


CUT_OFF = """() => [...document.querySelectorAll(".drawing svg")].flatMap(svg =>
    [...svg.querySelectorAll("text")].filter(each => each.getBoundingClientRect().right > svg.getBoundingClientRect().right + 0.5)
        .map(each => each.textContent))"""
"""Words that a drawn chart has no room for."""


def app_for(engine: Engine, folder: Path, role: Role) -> FastAPI:
    sites = ("west",) if role.of_a_site else ()
    return make_app(engine, network="Riverbend", gate=gate_for(folder, role, *sites), clock=lambda: NOW)


def addresses(role: Role) -> list[str]:
    from viewers import viewer

    sites = ("west",) if role.of_a_site else ()
    return [*(entry.address for entry in entries_for(viewer(role, *sites))), *DEEPER[role]]


@pytest.mark.parametrize("role", Role)
@pytest.mark.slow
def test_every_page_has_its_parts(role: Role, counted_story: Engine, tmp_path: Path) -> None:
    """A heading, what to do next, the date of its data; its words explained; the way it came marked in the navigation."""
    client = TestClient(app_for(counted_story, tmp_path, role))
    for address in addresses(role):
        html = client.get(address).text
        assert html.count("<h1") == 1, address
        assert "Data as of" in html, address
        assert 'aria-current="' in html, address
        if not address.startswith("/measures/"):
            for part in ("summary", "list", "detail"):
                assert f'<section class="{part}"' in html, (address, part)
        assert re.search(r'<h2 id="next">What to do next</h2>\s*<(?:p|ol|ul)', html), address
        for term in re.findall(r'href="#word-([^"]+)"', html):
            assert f'<dt id="word-{term}">' in html, (address, term)


def test_a_text_has_its_terms_explained_once() -> None:
    """The longest wins, case does not matter, a part of another word is none, and what is markup stays text."""
    words = Glossary()
    said = words.explained("A bmi percentile <b>, a percentile, percentile again; FACT and interACT act, ACT")
    assert said.count("<a ") == 3
    assert '<a class="word" href="#word-bmi-percentile">bmi percentile</a> &lt;b&gt;' in said
    assert list(words.used) == ["BMI percentile", "percentile", "ACT"]


def test_every_word_has_a_meaning_in_plain_words() -> None:
    """A sentence or two; none explains itself by itself."""
    for term, meaning in MEANINGS.items():
        assert meaning[0].isupper(), term
        assert meaning.endswith("."), term
        assert 20 < len(meaning) < 300, term


@pytest.mark.browser
@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", Role)
@pytest.mark.slow
def test_no_page_has_a_barrier(role: Role, counted_story: Engine, tmp_path: Path) -> None:
    """By axe, on a desk and a phone; nothing wider than the screen, nothing said on the console, nothing asked elsewhere."""
    said: list[str] = []
    with serving(app_for(counted_story, tmp_path, role)) as address, browser() as opened:
        for width in (1280, 390):
            tab = opened.new_page(viewport={"width": width, "height": 844})
            tab.set_default_navigation_timeout(150_000)  # the first page counts every measure
            tab.on("console", lambda message: said.append(message.text))
            tab.on("request", lambda request: said.append(request.url) if address not in request.url else None)
            for page in addresses(role):
                tab.goto(address + page)
                tab.wait_for_load_state("networkidle")
                assert violations(tab) == [], (page, width)
                assert tab.evaluate(CUT_OFF) == [], (page, width)
                assert tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, (page, width)
    assert [each for each in said if not each.startswith("data:")] == []


@pytest.mark.browser
@pytest.mark.timeout(300)
@pytest.mark.slow
def test_a_chart_without_anybody_unmeasured_has_no_barrier(small_registry: Engine, tmp_path: Path) -> None:
    """A layer of a chart that has no marks is nameless: it is no symbol."""
    days = [f"2026-{month:02}-10" for month in range(1, 11)]
    whole = [(person(name), fibrosis(name)) for name in map(str, range(8))]
    seen = [(visit(str(at), day), percentile(str(at), day, 40 + 3 * at)) for at in range(8) for day in days]
    fill(small_registry, [record for pair in (*whole, *seen) for record in pair], load_events())
    with serving(app_for(small_registry, tmp_path, Role.COORDINATOR)) as address, browser() as opened:
        tab = opened.new_page()
        tab.goto(address + "/measures/cf2")
        tab.wait_for_selector("figure[data-state=drawn] svg")
        assert violations(tab) == []


@pytest.mark.browser
@pytest.mark.timeout(300)
@pytest.mark.slow
def test_pages_are_read_by_keyboard_on_paper_and_without_scripts(counted_story: Engine, tmp_path: Path) -> None:
    """The first key leads past the navigation; on paper there is none; without scripts the chart follows its words at once."""
    with serving(app_for(counted_story, tmp_path, Role.COORDINATOR)) as address, browser() as opened:
        tab = opened.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(address + "/network")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.textContent") == "To the content"
        assert tab.locator(".skip").bounding_box()["x"] >= 0
        tab.keyboard.press("Enter")
        assert tab.url.endswith("#main")
        assert not {"/network", "/measures"} & _reached_by_tab(tab, 3)
        tab.goto(address + "/measures")
        assert {"#main", "/network", "/measures"} <= _reached_by_tab(tab, 6)
        tab.emulate_media(media="print")
        assert not tab.locator("nav").first.is_visible()
        assert tab.locator("h1").is_visible()
        plain = opened.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900}).new_page()
        plain.goto(address + "/measures/cf2")
        picture, words = plain.locator("figure img").first, plain.locator(".legend").first
        white = picture.bounding_box()["y"] - words.bounding_box()["y"] - words.bounding_box()["height"]
        assert picture.bounding_box()["height"] > 200
        assert white < 60


def _reached_by_tab(tab: Any, keys: int) -> set[str]:
    reached = set()
    for _ in range(keys):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.getAttribute('href') ?? ''"))
    return reached


@pytest.mark.browser
@pytest.mark.timeout(300)
@pytest.mark.slow
def test_a_browser_sends_the_pages_forms(counted_story: Engine, tmp_path: Path) -> None:
    """In the demo, by a real browser and without scripts: another role, a record contested, answered by the site, and seen."""
    views = Views(AccessDatabase.open(f"sqlite:///{tmp_path}/access.db"))
    app = make_app(counted_story, network="lhn", gate=Gate(DemoEntrance("west"), views), clock=lambda: NOW)
    with serving(app) as address, browser() as opened:
        tab = opened.new_context(java_script_enabled=False).new_page()

        def seen_as(role: Role) -> None:
            tab.goto(address + "/measures")
            tab.select_option("#role", role)
            tab.click("text=Change")

        seen_as(Role.CLINICIAN)
        tab.goto(f"{address}/patients/west/{ADA}/records/{record_id('pwest-1')}")
        tab.select_option("select[name=reason]", "other-person")
        tab.click("text=Contest this record")
        assert "Waits for the site" in tab.inner_text("main")
        seen_as(Role.SITE_TEAM)
        tab.goto(address + "/contested/west")
        tab.select_option("select[name=answer]", "mapping-corrected")
        tab.click("text=Send")
        seen_as(Role.CLINICIAN)
        tab.goto(f"{address}/patients/west/{ADA}/records/{record_id('pwest-1')}")
        assert "Read wrongly, and put right" in tab.inner_text("main")
    assert views.first_broken() is None
