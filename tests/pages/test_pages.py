"""The feedback page: what it says, what it shows to whom cannot see it, and that nothing comes from elsewhere."""

import csv
import io
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import browser
from fastapi.testclient import TestClient
from pages_served import serving
from services_story import NOW, fibrosis, fill, load_events, percentile, person, visit
from sqlalchemy import Engine, update
from viewers import gate_for

from services.pages.app import make_app
from services.registry.database import connect
from services.registry.tables import RECORD_TABLES


@pytest.fixture
def page(counted_story: Engine, tmp_path: Path) -> TestClient:
    """The pages of the story's network."""
    return TestClient(
        make_app(counted_story, network="Riverbend CF Network", clock=lambda: NOW, gate=gate_for(tmp_path))
    )


class Tables(HTMLParser):
    """Reads a page's tables: captions and cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.captions: list[str] = []
        self.rows: list[list[str]] = []
        self._target: list[str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag == "caption":
            self.captions.append("")
            self._target = self.captions
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._target = self.rows[-1]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "caption"):
            self._target = None

    def handle_data(self, data: str) -> None:
        if self._target:
            self._target[-1] += data


@pytest.mark.slow
def test_page_says_the_result_in_plain_words_and_as_a_table(page: TestClient) -> None:
    """The sentence's numbers are the table's."""
    html = page.get("/measures/cf2").text
    said = re.search(r"Across 3 sites, (\d+) of (\d+) children .*? in October 2026 .*?; (\d+) more were seen", html)
    assert said
    met, measured, unmeasured = said.groups()
    tables = Tables(html)
    october = next(row for row in tables.rows if row and row[0] == "October 2026")
    assert (october[2], october[3], october[5]) == (met, measured, unmeasured)
    assert all(tables.captions)
    assert '<html lang="en">' in html
    assert html.count("aria-label") >= 4


def test_page_explains_its_words(page: TestClient) -> None:
    """What a BMI percentile is, what a p-chart, and what "better than chance" means."""
    html = page.get("/measures/cf2").text
    for term in ("bmi-percentile", "p-chart", "chance", "limits"):
        assert f'href="#word-{term}"' in html
        assert f'<dt id="word-{term}">' in html


def test_page_tells_what_is_not_known(page: TestClient) -> None:
    """Freshness, a failed load, a site that never brought its observations: not loaded is not none."""
    html = page.get("/measures/cf2").text
    assert "19 November 2026, 03:30 UTC; the load after it failed" in html
    assert "At Lakeside, nothing is known yet: Encounter, Condition, Observation not loaded." in html
    assert "small numbers are not suppressed" in html


def test_empty_registry_says_what_to_do(small_registry: Engine, tmp_path: Path) -> None:
    """Before the first load the page is no blank chart."""
    html = (
        TestClient(make_app(small_registry, network="lhn", clock=lambda: NOW, gate=gate_for(tmp_path)))
        .get("/measures/cf2")
        .text
    )
    assert "mainstem registry run" in html
    assert "<figure" not in html


def test_network_without_such_patients_says_so(small_registry: Engine, tmp_path: Path) -> None:
    """Data have come, and nobody of them counts: that is said, with what was not loaded."""
    fill(small_registry, [person("ada")], load_events())
    html = (
        TestClient(make_app(small_registry, network="lhn", clock=lambda: NOW, gate=gate_for(tmp_path)))
        .get("/measures/cf2")
        .text
    )
    assert "Across 3 sites, no child with cystic fibrosis was seen" in html
    assert "Encounter, Condition, Observation" in html


@pytest.mark.slow
def test_charts_come_as_pictures_too(page: TestClient) -> None:
    """For who has no script, and for a slide."""
    svg = page.get("/measures/cf2/chart.svg")
    assert svg.headers["content-type"] == "image/svg+xml"
    assert "upper limit" in svg.text
    assert 'role="img" aria-label="Control chart of Riverbend CF Network: Across 3 sites, ' in svg.text
    assert page.get("/measures/cf2/chart.png", params={"site": "west"}).content.startswith(b"\x89PNG")


@pytest.mark.slow
def test_figures_of_each_chart_come_by_link(page: TestClient) -> None:
    """The links stand under the chart; the figures are the table's, with the limits each point is judged by."""
    html = page.get("/measures/cf2").text
    links = re.findall(r'href="(/measures/cf2/chart\.[a-z]+(?:\?site=[a-z-]+)?)"', html)
    assert {"/measures/cf2/chart.svg", "/measures/cf2/chart.png", "/measures/cf2/chart.csv?site=west"} <= set(links)
    answer = page.get("/measures/cf2/chart.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = {row["start"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    october = next(row for row in Tables(html).rows if row and row[0] == "October 2026")
    assert [rows["2026-10-01"][name] for name in ("seen", "measured", "met")] == [october[6], october[3], october[2]]
    assert 0 < float(rows["2026-10-01"]["lower"]) < float(rows["2026-10-01"]["centre"])
    assert (rows["2026-11-01"]["complete"], rows["2026-11-01"]["upper"]) == ("no", "")


@pytest.mark.parametrize(
    "path",
    ["/measures/zz9", "/measures/CF-2", "/measures/cf2/chart.svg?site=nowhere", "/static/..%2Fpages.py", "/docs", "/x"],
)
def test_wrong_address_is_answered_by_a_page_in_words(page: TestClient, path: str) -> None:
    """Neither JSON nor a framework's words: what is not there, and where to go; as safe as every page."""
    answer = page.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>There is nothing here</h1>" in answer.text
    assert 'href="/measures"' in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_page_that_is_posted_to_says_that_it_is_only_read(page: TestClient) -> None:
    """Nothing here takes input."""
    answer = page.post("/measures/cf2")
    assert (answer.status_code, "only read" in answer.text) == (405, True)


@pytest.mark.slow
def test_database_that_is_away_is_told_in_words(page: TestClient, tmp_path: Path) -> None:
    """Cause and fix instead of "Internal Server Error"; the library's text goes no further."""
    (tmp_path / "broken.db").write_text("this is no database, whatever its name says")
    gone = connect(f"sqlite:///{tmp_path / 'broken.db'}")
    client = TestClient(
        make_app(gone, network="lhn", clock=lambda: NOW, gate=gate_for(tmp_path)), raise_server_exceptions=False
    )
    answer = client.get("/measures/cf2")
    assert answer.status_code in (500, 503)
    assert "is not an SQLite database" in answer.text
    assert "MAINSTEM_REGISTRY_URL" in answer.text
    assert "sqlalche" not in answer.text


@pytest.mark.slow
def test_every_address_answers_head_as_get(page: TestClient) -> None:
    """A monitor asks HEAD: same status and headers, no body, at every route and at a wrong address."""
    patterns = {route.path for route in page.app.routes if "GET" in (getattr(route, "methods", None) or ())}
    given = {"slug": "cf2", "name": "page.css"}
    unknown = {"site": "west", "subject": "s-1", "record": "r-1", "curve": "growth", "day": "2026-11-20"}
    addresses = {pattern.format_map(defaultdict(lambda: "x", unknown | given)) for pattern in patterns}
    assert {"/", "/health", "/measures/cf2", "/measures/cf2/chart.png", "/static/page.css"} <= addresses
    for address in sorted(addresses | {"/nowhere"}):
        get, head = (page.request(method, address, follow_redirects=False) for method in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (get.status_code, b""), address
        assert head.headers.get("content-length") == get.headers.get("content-length"), address


def test_page_allows_nothing_from_elsewhere(page: TestClient) -> None:
    """Every address in the page is this server's, and the browser is told to accept no other."""
    response = page.get("/measures/cf2")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    addresses = re.findall(r'(?:src|href)="([^"]*)"', response.text)
    assert addresses
    assert [a for a in addresses if not a.startswith(("/", "#")) and a != "data:,"] == []
    assert page.get("/static/vega.js").status_code == 200


def test_names_from_events_cannot_inject(small_registry: Engine, tmp_path: Path) -> None:
    """A site's id is text, in the page and in the chart's data, even if one that the consumer refuses got into the tables."""
    records = [person("ada"), fibrosis("ada"), visit("ada", "2026-10-05"), percentile("ada", "2026-10-05", 60)]
    fill(small_registry, records)
    with small_registry.begin() as connection:
        for table in RECORD_TABLES.values():
            connection.execute(update(table).values(site="</script><img src=x onerror=alert(1)>"))
    html = (
        TestClient(make_app(small_registry, network="<b>lhn</b>", clock=lambda: NOW, gate=gate_for(tmp_path)))
        .get("/measures/cf2")
        .text
    )
    assert "<img src=x" not in html.lower()
    assert "<b>lhn" not in html


@pytest.fixture
def address(page: TestClient) -> Iterator[str]:
    """The pages served on loopback."""
    with serving(page.app) as address:
        yield address


@pytest.mark.browser
@pytest.mark.parametrize(("name", "width", "height"), [("desk", 1280, 900), ("phone", 390, 844)])
@pytest.mark.slow
def test_browser_draws_the_charts_and_asks_no_other_server(
    address: str, tmp_path: Path, name: str, width: int, height: int
) -> None:
    """In a real browser: charts drawn, no error, nothing wider than the screen, no request elsewhere. Leaves a picture."""
    pictures = Path(os.environ.get("MAINSTEM_SCREENSHOTS") or tmp_path)
    pictures.mkdir(parents=True, exist_ok=True)
    complaints: list[str] = []
    asked: list[str] = []
    with browser() as opened:
        tab = opened.new_page(viewport={"width": width, "height": height})
        tab.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(f"{address}/measures/cf2")
        tab.wait_for_function("document.querySelectorAll('figure[data-state=drawn] svg').length === 4", timeout=60_000)
        marks = tab.locator("figure >> nth=0").locator("svg .mark-symbol path").count()
        overflow = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        tab.locator("figure .mark-symbol path").nth(20).hover(force=True)
        tab.wait_for_selector("#vg-tooltip-element.visible", timeout=60_000)
        tip = tab.locator("#vg-tooltip-element").inner_text()
        tab.mouse.move(0, 0)
        tab.screenshot(path=pictures / f"cf2-{name}.png")
        tab.screenshot(path=pictures / f"cf2-{name}-whole.png", full_page=True)
    assert complaints == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert marks >= 35
    assert overflow <= 0
    assert "Measured" in tip
