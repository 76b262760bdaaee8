"""Pages and API alike: no browser is told to load, keep or frame anything, no other name is answered, no question breaks them."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import pytest
from browser import browser
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pages_served import serving
from services_cases import record_id
from services_story import NOW, fibrosis, fill, load_events, percentile, person, visit
from sqlalchemy import Engine, update
from structlog.testing import capture_logs
from viewers import gate_for
from waiting import wait_until

from mainstem.database import connect as connect_database
from mainstem.database import parse_url
from services.access.declared import open_to_all
from services.pages.app import make_app as make_pages
from services.registry.api import make_app as make_api
from services.registry.database import open_registry
from services.registry.tables import RECORD_TABLES, load
from services.serving import TrustedHosts

MAINSTEM = str(Path(sys.executable).with_name("mainstem"))
WANTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def pages(engine: Engine, folder: Path) -> FastAPI:
    return make_pages(engine, network="lhn", clock=lambda: NOW, gate=gate_for(folder))


@pytest.fixture(params=["pages", "api"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(kind: str, tmp_path: Path) -> Any:
    """Makes the one or the other of a registry."""
    return (lambda engine: pages(engine, tmp_path)) if kind == "pages" else make_api


def test_every_answer_carries_the_headers(made: Any, small_registry: Engine) -> None:
    """What is found, what is not, what is refused, what is wrong; HEAD too."""
    client = TestClient(made(small_registry))
    patterns = {route.path for route in client.app.routes if "GET" in (getattr(route, "methods", None) or ())}
    given = {"slug": "cf2", "name": "page.css", "record_type": "observation", "record_id": record_id("none")}
    asked = [("GET", pattern.format_map(defaultdict(lambda: "x", given))) for pattern in sorted(patterns)]
    asked += [
        ("HEAD", "/"),
        ("HEAD", "/health"),
        ("GET", "/nowhere"),
        ("POST", "/health"),
        ("GET", "/records/person?limit=0"),
    ]
    for method, where in asked:
        answer = client.request(method, where, follow_redirects=False)
        assert {name: answer.headers.get(name) for name in WANTED} == WANTED, where
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        if where != "/static/vega.js":  # the library's code, no data
            assert answer.headers["cache-control"] == "no-store", where


def test_a_defect_is_answered_by_a_sentence_and_logged_without_its_text(
    made: Any, kind: str, small_registry: Engine
) -> None:
    """The server would print the error, and that may hold a patient's data."""
    app = made(small_registry)

    @app.get("/defect")
    @open_to_all
    def defect() -> None:
        raise ValueError("Jane Doe")

    with capture_logs() as logs:
        answer = TestClient(app).get("/defect")
    assert (answer.status_code, "Jane" in answer.text) == (500, False)
    assert "defect" in answer.text
    assert answer.headers["content-type"].startswith("text/html" if kind == "pages" else "application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert [(entry["kind"], "Jane" in str(entry)) for entry in logs] == [("ValueError", False)]


@pytest.mark.parametrize("away", ["no database", "stopped", "dropped", "refused", "no tables"])
@pytest.mark.timeout(120)
def test_a_database_that_is_away_is_told_as_503(
    made: Any, kind: str, away: str, tmp_path: Path, postgres_url: str
) -> None:
    """A sentence and what to do, without password, statement or the library's text."""
    (tmp_path / "broken.db").write_text("this is no database, whatever its name says")
    where = {
        "no database": f"sqlite:///{tmp_path / 'broken.db'}",
        "stopped": "postgresql://reader:Geh3im@127.0.0.1:1/registry",
        "dropped": f"{postgres_url.partition('?')[0].rpartition('/')[0]}/gone?{postgres_url.partition('?')[2]}",
        "refused": postgres_url.replace("//", "//nobody:Geh3im@").replace("postgres:@", ""),
        "no tables": postgres_url,
    }[away]
    client = TestClient(made(connect_database(parse_url(where), wait_seconds=2)))
    paths = ["/measures/cf2"] if kind == "pages" else ["/records/person", "/loads", "/completeness", "/health"]
    for path in paths[:-1] if away == "no tables" and kind == "api" else paths:
        answer = client.get(path)
        assert answer.status_code == 503, answer.text
        assert answer.headers["cache-control"] == "no-store"
        for word in ("Geh3im", "select", "SELECT", "sqlalche", "psycopg", "Traceback"):
            assert word not in answer.text
        if kind == "api":
            assert set(answer.json()) == {"detail", "fix"}
            assert all(answer.json().values())


NASTY = [
    "%00",
    "a%00b",
    "%ED%A0%80",
    "%FF",
    "'%20or%201=1--",
    "%E2%80%AE",
    "%0A",
    "x" * 3000,
    "..%2F..%2Fetc",
    "%1B[2J",
    "🫀",
]


@pytest.mark.parametrize("nasty", NASTY)
def test_no_parameter_breaks_the_api(nasty: str, registry: Engine) -> None:
    """PostgreSQL takes no NUL in a text; what has not the form of a name or an id is in no database."""
    client = TestClient(make_api(registry))
    for path in (
        f"/records/{nasty}",
        f"/records/person?site={nasty}",
        f"/records/person?subject={nasty}",
        f"/records/person?after={nasty}",
        f"/records/person?limit={nasty}",
        f"/records/person/{nasty}/history",
        f"/records/{nasty}/{record_id('x')}/history",
        f"/loads?site={nasty}",
        f"/loads?limit={nasty}",
        f"/schemas/{nasty}.v1.json",
        f"/{nasty}",
    ):
        answer = client.get(path)
        assert answer.status_code in (404, 422), (path, answer.text)
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("nasty", NASTY)
def test_no_parameter_breaks_the_pages(nasty: str, small_registry: Engine, tmp_path: Path) -> None:
    """Answered by a page in words."""
    client = TestClient(pages(small_registry, tmp_path))
    for path in (
        f"/measures/{nasty}",
        f"/measures/cf2/chart.svg?site={nasty}",
        f"/measures/{nasty}/chart.png",
        f"/static/{nasty}",
    ):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8070", 200),
        ("localhost", 200),
        ("LocalHost.:8070", 200),
        ("[::1]:8070", 200),
        ("registry.north.example", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost@evil.example", 400),
        ("localhost:8070:80", 400),
        ("evil.example/localhost", 400),
        ("", 400),
        ("[::1", 400),
    ],
)
def test_only_known_names_are_answered(host: str, status: int, small_registry: Engine) -> None:
    """A page elsewhere that has its own name point to 127.0.0.1 reads nothing."""
    app = TrustedHosts(make_api(small_registry), ["registry.north.example"])
    answer = TestClient(app).get("/health", headers={"Host": host})
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "command",
    [pytest.param(("feedback",), id="pages", marks=pytest.mark.slow), pytest.param(("registry", "serve"), id="api")],
)
@pytest.mark.timeout(120)
def test_a_started_server_answers_to_its_names_alone(command: tuple[str, ...], tmp_path: Path) -> None:
    """As people start it: loopback's names, and those that a setting lists."""
    environment = os.environ | {
        "MAINSTEM_REGISTRY_URL": f"sqlite:///{tmp_path}/registry.db",
        "MAINSTEM_ACCESS_URL": f"sqlite:///{tmp_path}/access.db",
        "MAINSTEM_OIDC_ISSUER": "https://id.north.example",
        "MAINSTEM_PAGES_ADDRESS": "https://feedback.north.example",
        "MAINSTEM_TRUSTED_HOSTS": "feedback.north.example, other.example",
    }
    said = tmp_path / "said"
    with said.open("wb") as file:
        process = subprocess.Popen([MAINSTEM, *command, "--port", "0"], stderr=file, cwd=tmp_path, env=environment)
    try:
        wait_until(lambda: " at http://" in said.read_text(), 60)
        address = said.read_text().split()[-1]
        for host in ("127.0.0.1", "localhost:1", "feedback.north.example"):
            assert urlopen(Request(f"{address}/health", headers={"Host": host}), timeout=60).status == 200
        for host in ("evil.example", "north.example", "feedback.north.example.evil.example"):
            with pytest.raises(HTTPError) as refused:
                urlopen(Request(f"{address}/health", headers={"Host": host}), timeout=60)
            assert refused.value.code == 400
            assert "MAINSTEM_TRUSTED_HOSTS" in refused.value.read().decode()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


HOSTILE = [
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "'\"><svg onload=document.title='owned'>",
    "{{ 7*7 }}{% for x in y %}",
    "javascript:document.title='owned'",
    "\u202eevil\u2066\x1b[2J",
    "]]>--><!--",
    "datum.x;document.title='owned'",
]


@pytest.fixture(scope="module")
def hostile_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A site is called by each of these, in every table: more than the consumer would let in. To be read only."""
    engine = open_registry(f"sqlite:///{tmp_path_factory.mktemp('hostile')}/registry.db")
    records = [
        fact
        for site in range(len(HOSTILE))
        for number in range(12)
        for name, given in [(f"child{site}-{number}", {"site": f"s{site}"})]
        for fact in (
            person(name, site=given["site"]),
            fibrosis(name, site=given["site"]),
            visit(name, "2026-10-05", site=given["site"]),
            percentile(name, "2026-10-05", 60, site=given["site"]),
        )
    ]
    fill(engine, records, load_events())
    with engine.begin() as connection:
        for site, word in enumerate(HOSTILE):
            for table in RECORD_TABLES.values():
                connection.execute(update(table).where(table.c.site == f"s{site}").values(site=word))
        gaps = json.dumps([{"resource_type": "Observation", "reason": HOSTILE[0]}])
        connection.execute(update(load).values(site=HOSTILE[0], error=HOSTILE[1], gaps=gaps))
    yield engine
    engine.dispose()


def test_a_hostile_name_is_text_on_the_page(hostile_registry: Engine, tmp_path: Path) -> None:
    """Nothing that was not there before: no element, no script, nothing evaluated."""
    client = TestClient(pages(hostile_registry, tmp_path))
    html = client.get("/measures/cf2").text
    assert "<img src=x" not in html.lower()
    assert "<svg onload" not in html.lower()
    own = r"<script(?: type=\"application/json\"| src=\"/static/(?:vega|page)\.js\")>"
    assert re.findall(own, html) == re.findall(r"<script[^>]*>", html, flags=re.IGNORECASE)
    assert html.count("<figure") == len(HOSTILE) + 1
    assert "7*7" in html


@pytest.mark.parametrize("word", HOSTILE)
def test_a_hostile_name_is_text_in_a_picture_and_in_an_answer(
    word: str, hostile_registry: Engine, tmp_path: Path
) -> None:
    """A picture is a document of its own; JSON says that it is JSON."""
    picture = TestClient(pages(hostile_registry, tmp_path)).get("/measures/cf2/chart.svg", params={"site": word})
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/svg+xml")
    for element in ElementTree.fromstring(picture.text).iter():
        assert element.tag.rpartition("}")[2] not in ("script", "foreignObject", "image", "a", "iframe")
        assert not [name for name in element.attrib if name.rpartition("}")[2].lower().startswith("on")]
        assert not [name for name in element.attrib if name.rpartition("}")[2] == "href"]
    answer = TestClient(make_api(hostile_registry)).get("/records/person", params={"limit": 1000})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert word in {record["site"] for record in answer.json()["records"]}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_hostile_name_runs_in_no_browser(hostile_registry: Engine, tmp_path: Path) -> None:
    """The page and the picture on its own, in a real one: the title stays, no error, no request elsewhere."""
    complaints: list[str] = []
    asked: list[str] = []
    app = pages(hostile_registry, tmp_path)
    with serving(app) as address, browser() as opened:
        tab = opened.new_page()
        tab.set_default_navigation_timeout(100_000)  # the first page counts, on a machine that may be busy
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        tab.on("request", lambda request: asked.append(request.url))
        for word in HOSTILE:
            tab.goto(f"{address}/measures/cf2/chart.svg?{urlencode({'site': word})}")
            assert "owned" not in tab.title()
        tab.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        tab.goto(f"{address}/measures/cf2")
        drawn = f"document.querySelectorAll('figure[data-state=drawn] svg').length === {len(HOSTILE) + 1}"
        tab.wait_for_function(drawn, timeout=60_000)
        assert "owned" not in tab.title()
    assert complaints == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
