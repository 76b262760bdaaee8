"""The gate: who passes it, by what form, and what is noted; the demo's switch, which opens here and nowhere else."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Form
from fastapi.testclient import TestClient
from services_story import NOW, fill, load_events, population
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from viewers import FORM, gate, gate_for, viewer

from schemas.errors import OperatorError
from services.access.database import AccessDatabase
from services.access.declared import UndeclaredError, declaration, open_to_all, seen_by
from services.access.demo import COOKIE, DemoEntrance, demand_loopback
from services.access.gate import FORM_TOKEN, Gate
from services.access.limits import Limited
from services.access.viewers import EVERYBODY, Role
from services.access.views import Views
from services.pages.app import make_app

HERE = ("127.0.0.1", 50_000)


def small_app(the_gate: Gate) -> FastAPI:
    """An application of four routes."""
    app = FastAPI(dependencies=[Depends(the_gate)])

    @app.get("/open")
    @open_to_all
    def anybody() -> str:
        return "open"

    @app.get("/network")
    @seen_by(Role.COORDINATOR)
    def network() -> str:
        return "network"

    @app.get("/patients/{subject}")
    @seen_by(Role.CLINICIAN, persons=True)
    def patient(subject: str) -> str:
        return subject

    @app.post("/notes")
    @seen_by(*EVERYBODY)
    def note(said: str = Form()) -> str:
        return said

    return app


def test_each_route_is_seen_by_those_it_names(tmp_path: Path) -> None:
    """Nobody logged in: 401; somebody else: 403; what is open to all is."""
    nobody = TestClient(small_app(gate(tmp_path, None)))
    assert [nobody.get(path).status_code for path in ("/open", "/network", "/patients/s-1")] == [200, 401, 401]
    coordinator = TestClient(small_app(gate_for(tmp_path)))
    assert [coordinator.get(path).status_code for path in ("/open", "/network", "/patients/s-1")] == [200, 200, 403]


def test_a_view_of_a_person_is_noted_and_a_refused_one_is_none(tmp_path: Path) -> None:
    """Who, what, when, whom."""
    the_gate = gate_for(tmp_path, Role.CLINICIAN, "north")
    TestClient(small_app(the_gate)).get("/patients/s-7")
    TestClient(small_app(gate_for(tmp_path))).get("/patients/s-8")
    (row,) = the_gate.views.rows()
    assert (row["route"], row["subjects"], row["viewer"]) == (
        "/patients/{subject}",
        ["s-7"],
        "https://id.example#clinician",
    )
    assert the_gate.views.first_broken() is None


def test_what_cannot_be_noted_is_not_shown(tmp_path: Path) -> None:
    """The log's database is away: the page of a person is too."""
    the_gate = gate_for(tmp_path, Role.CLINICIAN, "north")
    with the_gate.views._database.write() as connection:
        connection.execute(text("drop table access_view"))
    client = TestClient(small_app(the_gate), raise_server_exceptions=False)
    assert client.get("/patients/s-7").status_code == 500
    assert client.get("/open").status_code == 200


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        ({**FORM, "said": "a"}, {}, 200),
        ({**FORM, "said": "a"}, {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}, 200),
        ({**FORM, "said": "a"}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),  # as under no-referrer
        ({"said": "a"}, {}, 403),
        ({"said": "a"}, {"Sec-Fetch-Site": "same-origin"}, 403),
        ({FORM_TOKEN: "another's", "said": "a"}, {}, 403),
        ({FORM_TOKEN: "é", "said": "a"}, {}, 403),
        ({**FORM, "said": "a"}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({**FORM, "said": "a"}, {"Sec-Fetch-Site": "same-site"}, 403),
        ({**FORM, "said": "a"}, {"Origin": "http://evil.example"}, 403),
        ({**FORM, "said": "a"}, {"Origin": "null"}, 403),
    ],
)
def test_a_form_is_taken_from_our_own_page_alone(
    data: dict[str, str], headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    """By its token always, and by what the browser says of where it comes from."""
    client = TestClient(small_app(gate_for(tmp_path)))
    assert client.post("/notes", data=data, headers=headers).status_code == status


def test_a_route_that_declares_nothing_keeps_the_pages_from_starting(
    small_registry: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named."""
    from fastapi import APIRouter

    from services.pages import home

    def routes(site: Any) -> APIRouter:
        router = APIRouter()
        router.get("/secret")(lambda: "everything")
        return router

    monkeypatch.setattr(home, "routes", routes)
    with pytest.raises(UndeclaredError, match="/secret does not declare"):
        make_app(small_registry, network="lhn", gate=gate_for(tmp_path))
    with pytest.raises(UndeclaredError):
        seen_by()


@pytest.mark.parametrize("statement", ["update access_view set viewer = 'x'", "delete from access_view"])
@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_the_log_of_views_is_only_added_to(
    statement: str, where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """On both databases; and where its file is changed by other means, it shows."""
    url = f"sqlite:///{tmp_path}/access.db" if where == "sqlite" else request.getfixturevalue("postgres_url")
    database = AccessDatabase.open(url)
    views = Views(database, lambda: NOW)
    for number in range(3):
        views.note("shown", viewer(), "/patients", site="north", subjects=[f"s-{number}"])
    with pytest.raises(DBAPIError, match="only added to"), database.engine.begin() as connection:
        connection.execute(text(statement))
    assert views.first_broken() is None
    drop = "drop trigger access_view_no_update" if where == "sqlite" else "drop trigger access_view_kept on access_view"
    with database.engine.begin() as connection:
        connection.execute(text(drop))
        connection.execute(text("update access_view set viewer = 'somebody else' where number = 2"))
    assert views.first_broken() == 2
    database.close()


def demo(registry: Engine, folder: Path, client: tuple[str, int] = HERE) -> TestClient:
    views = Views(AccessDatabase.open(f"sqlite:///{folder}/access.db"))
    app = make_app(registry, network="lhn", gate=Gate(DemoEntrance("west"), views), clock=lambda: NOW)
    return TestClient(app, client=client, base_url="http://127.0.0.1")


def test_the_demo_shows_its_switch_and_it_works(small_registry: Engine, tmp_path: Path) -> None:
    """The page says as whom it is seen; a choice changes what is seen, a choice that is no role nothing."""
    fill(small_registry, population(), load_events())
    client = demo(small_registry, tmp_path)
    html = client.get("/measures/cf2").text
    assert '<option value="coordinator" selected>' in html
    assert "At Northside" in html
    token = html.split(f'name="{FORM_TOKEN}" value="')[1].split('"')[0]
    assert client.post("/demo/role", data={FORM_TOKEN: token, "role": "root"}).status_code == 422
    client.post("/demo/role", data={FORM_TOKEN: token, "role": "site-team"})
    html = client.get("/measures/cf2").text
    assert '<option value="site-team" selected>' in html
    assert "At West" in html
    assert "At Northside" not in html


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "feedback.network.example"])
def test_the_demo_does_not_start_off_loopback(host: str) -> None:
    """Whatever is bound that others reach."""
    with pytest.raises(OperatorError, match="is not loopback"):
        demand_loopback(host)


def test_the_demo_answers_nobody_elsewhere(small_registry: Engine, tmp_path: Path) -> None:
    """Nor a proxy on this machine that asks for others."""
    assert demo(small_registry, tmp_path, ("192.0.2.7", 1)).get("/health").status_code == 403
    here = demo(small_registry, tmp_path)
    assert here.get("/health").status_code == 200
    for header in ("Forwarded", "X-Forwarded-For", "X-Real-IP"):
        assert here.get("/health", headers={header: "192.0.2.7"}).status_code == 403


def test_only_the_demo_has_a_switch(small_registry: Engine, tmp_path: Path) -> None:
    """Elsewhere there is no such address, and its cookie says nothing."""
    client = TestClient(make_app(small_registry, network="lhn", gate=gate(tmp_path, None), clock=lambda: NOW))
    client.cookies.set(COOKIE, "coordinator")
    assert client.post("/demo/role", data={"role": "coordinator"}).status_code == 404
    assert client.get("/measures").status_code == 401


def test_too_many_requests_are_told_to_wait() -> None:
    """By address; a bucket fills again; what is asked seldom has a smaller one."""
    now = [0.0]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    limited = Limited(app, per_minute=60, few={"/login": 2}, seconds=lambda: now[0])
    one, other = TestClient(limited, client=("192.0.2.1", 1)), TestClient(limited, client=("192.0.2.2", 1))
    assert [one.get("/login").status_code for _ in range(3)] == [200, 200, 429]
    assert other.get("/login").status_code == 200
    assert one.get("/login").headers["retry-after"] == "30"
    now[0] = 31
    assert one.get("/login").status_code == 200
    assert [one.get("/x").status_code for _ in range(80)].count(200) <= 60


def test_a_form_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """However it is sent."""
    app = small_app(gate_for(tmp_path))
    app.add_middleware(Limited)
    client = TestClient(app)
    assert client.post("/notes", data={**FORM, "said": "a" * 70_000}).status_code == 413
    assert client.post("/notes", content=(b"a" * 1000 for _ in range(100))).status_code == 413
    assert client.post("/notes", data={**FORM, "said": "a" * 60_000}).status_code == 200


def test_every_route_of_the_pages_declares(small_registry: Engine, tmp_path: Path) -> None:
    """And what shows nothing of the network is open: nothing else is."""
    app = make_app(small_registry, network="lhn", gate=gate_for(tmp_path), clock=lambda: NOW)
    without = {route.path for route in app.routes if not declaration(route).roles}
    assert without == {"/health", "/static/vega.js", "/static/{name}"}
