"""Tokens at the pages: a script reads what a person of its role reads, is noted as they are, and writes nothing."""

import csv
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from services_cases import record_id, subject_id
from services_story import NOW, fill, load_events, population
from sqlalchemy import Engine
from viewers import FORM, viewer

from mainstem.commands.report.contested import COLUMNS
from schemas.errors import OperatorError
from services.access.database import AccessDatabase
from services.access.gate import Gate
from services.access.login import SessionEntrance
from services.access.sessions import Sessions
from services.access.viewers import Role
from services.access.views import Views
from services.pages.app import make_app
from services.people.contests import ContestReason, raise_contest
from services.registry.api import make_app as make_api
from services.registry.database import open_registry
from services.registry.holders import Holders, make_for_pages
from services.registry.tokens import ALL, Scope, make, revoke, tokens

MINE, THEIRS = (f"/patients/{site}/{subject_id(f'{site}-1')}" for site in ("west", "northside"))
CHART = "/measures/cf2/chart.csv"
COOKIE = "__Host-mainstem"
Made = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The story's network."""
    engine = open_registry(f"sqlite:///{tmp_path_factory.mktemp('tokens')}/registry.db")
    fill(engine, population(), load_events())
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> AccessDatabase:
    """Sessions and views."""
    return AccessDatabase.open(f"sqlite:///{tmp_path_factory.mktemp('access')}/access.db")


def opened(story: Engine, database: AccessDatabase, **limits: int) -> TestClient:
    """The pages of a network with a log-in at a provider, which nobody needs here."""
    entrance = SessionEntrance(Sessions(database), None, secure=True)  # type: ignore[arg-type]
    gate = Gate(entrance, Views(database), Holders(story, lambda: NOW))
    app = make_app(story, network="lhn", gate=gate, clock=lambda: NOW, **limits)
    return TestClient(app, base_url="https://pages.example", follow_redirects=False)


@pytest.fixture(scope="module")
def pages(story: Engine, database: AccessDatabase) -> TestClient:
    """One for all: measures are counted once."""
    return opened(story, database)


@pytest.fixture
def made(story: Engine) -> Made:
    """The header that a new token is sent by."""

    def header(role: str = "site-team", *sites: str, days: int = 90, began: int = 0) -> dict[str, str]:
        with story.begin() as connection:
            name, now = f"{len(tokens(connection)):03}-{role}", NOW - timedelta(days=began)
            secret = make_for_pages(connection, name, role, sites, now=now, lasting=timedelta(days=days))
        return {"Authorization": f"Bearer {secret}"}

    return header


@pytest.mark.parametrize(
    ("role", "reached"),
    [
        (Role.COORDINATOR, {CHART, "/network", "/sites/west", "/sites/northside"}),
        (Role.SITE_TEAM, {CHART, "/sites/west", "/contested/west/lines.csv"}),
        (Role.CLINICIAN, {CHART, "/sites/west", "/patients/west", MINE}),
        (Role.RESEARCHER, {CHART}),
    ],
)
def test_a_token_reaches_what_its_role_reaches(
    role: Role, reached: set[str], pages: TestClient, made: Made, database: AccessDatabase
) -> None:
    """And nothing else: no other's page, no other site; each answer as for somebody who logged in."""
    header = made(role, *(["west"] if role.of_a_site else []))
    cookie = {"Cookie": f"{COOKIE}={Sessions(database).open(viewer(role, 'west'))}"}
    asked = [
        CHART,
        "/network",
        *(f"/{kind}/{site}" for kind in ("sites", "patients") for site in ("west", "northside")),
    ]
    asked += [MINE, THEIRS, "/contested/west/lines.csv", "/contested/northside/lines.csv", "/nowhere"]
    by_token = {path: pages.get(path, headers=header).status_code for path in asked}
    assert {path for path, status in by_token.items() if status == 200} == reached
    assert by_token == {path: pages.get(path, headers=cookie).status_code for path in asked}


def test_a_person_seen_by_a_token_is_noted(pages: TestClient, made: Made, database: AccessDatabase) -> None:
    """By the token's name, as a person of its role would be; a HEAD as well."""
    header, before = made("clinician", "west"), len(Views(database).rows())
    assert pages.get(MINE, headers=header).status_code == 200
    assert pages.head(MINE, headers=header).status_code == 200
    asked = [row for row in Views(database).rows()[before:] if row["what"] == "asked"]
    assert [(row["roles"], row["subjects"], row["site"]) for row in asked] == [
        (["clinician"], [MINE.rpartition("/")[2]], "west")
    ] * 2
    assert {row["viewer"].partition("-")[2] for row in asked} == {"clinician"}
    assert asked[0]["viewer"].startswith("token/")


def test_what_is_no_good_is_refused_by_a_line(pages: TestClient, made: Made, story: Engine, tmp_path: Path) -> None:
    """Expired, revoked, made up, another network's, the API's: never the log-in's page, never the token."""
    other = open_registry(f"sqlite:///{tmp_path}/other.db")
    with story.begin() as connection, other.begin() as elsewhere:
        api = make(connection, "warehouse", ALL, now=NOW)
        foreign = make_for_pages(elsewhere, "run", "coordinator", (), now=NOW, lasting=None)
    other.dispose()
    revoked = made("coordinator")
    assert pages.get(CHART, headers=revoked).status_code == 200
    with story.begin() as connection:
        (last,) = [each.name for each in tokens(connection) if each.name.endswith("coordinator")][-1:]
        revoke(connection, last, NOW)
    for secret, status, words in (
        (made("coordinator", began=91)["Authorization"], 401, "is expired"),
        (revoked["Authorization"], 401, f"The token {last} is revoked."),
        (f"Bearer {foreign}", 401, "not known here"),
        ("Bearer mst_" + "x" * 43, 401, "not known here"),
        ("bearer eyJhbGciOiJub25lIn0.e30.", 401, "not known here"),
        ("Bearer", 401, "not known here"),
        ("Bearer ' or 1=1--", 401, "not known here"),
        (f"Bearer {api}", 403, "made without a role"),
    ):
        answer = pages.get(CHART, headers={"Authorization": secret})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8"), secret
        assert answer.headers["www-authenticate"] == 'Bearer realm="feedback"'
        assert words in answer.text
        assert secret.partition(" ")[2] not in answer.text or secret == "Bearer"


def test_a_cookie_does_not_stand_in_for_a_bad_token(pages: TestClient, database: AccessDatabase, made: Made) -> None:
    """Nor add to a good one; a password that a proxy hands on is none of ours."""
    cookie = {"Cookie": f"{COOKIE}={Sessions(database).open(viewer())}"}
    assert pages.get("/network", headers=cookie | {"Authorization": "Bearer mst_" + "x" * 43}).status_code == 401
    assert pages.get("/network", headers=cookie | made("researcher")).status_code == 403
    assert pages.get("/network", headers=cookie | {"Authorization": "Basic eDp5"}).status_code == 200


def test_a_token_in_an_address_is_none(pages: TestClient, made: Made) -> None:
    """It would stand in logs."""
    secret = made("coordinator")["Authorization"].partition(" ")[2]
    for name in ("access_token", "token", "bearer"):
        assert pages.get(CHART, params={name: secret}).headers["location"].startswith("/login?")
    assert pages.post(CHART, data={"access_token": secret}).status_code in (401, 403, 405)


def test_a_token_writes_nothing(pages: TestClient, made: Made) -> None:
    """Whatever stands in the form."""
    header = made("site-team", "west")
    for path in (f"/contested/west/{'0' * 32}", "/issues", "/logout"):
        for form in ({}, FORM, {"form_token": ""}):
            answer = pages.post(path, headers=header, data=form)
            assert (answer.status_code, "A token reads only" in answer.text) == (403, True), path


def test_a_hospitals_night_fetches_what_is_contested(pages: TestClient, made: Made, story: Engine) -> None:
    """In the columns that its report reads; by a code, and without who said it."""
    with story.begin() as connection:
        of = ("observation", record_id("west-glucose"))
        raise_contest(connection, "west", of, ContestReason.WRONG_UNIT, by="Ruth Adler", at=NOW)
    told = pages.get("/contested/west/lines.csv", headers=made("site-team", "west")).text
    (row,) = csv.DictReader(told.splitlines())
    assert {name: row[name] for name in COLUMNS} == {
        "type": "observation",
        "record": record_id("west-glucose"),
        "reason": "wrong-unit",
        "at": str(NOW),
        "answer": "",
    }
    assert "Adler" not in told


def test_too_many_are_told_to_wait(story: Engine, database: AccessDatabase, made: Made) -> None:
    """As anybody: by address, in a line."""
    pages, header = opened(story, database, per_minute=3), made("researcher")
    answers = [pages.get("/health", headers=header) for _ in range(5)]
    assert (answers[-1].status_code, answers[-1].text[:17]) == (429, "Too many requests")
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_token_of_the_pages_is_none_of_the_api(small_registry: Engine) -> None:
    """And does not close it to whoever reached it: only the API's own do that."""
    api = TestClient(make_api(small_registry))
    with small_registry.begin() as connection:
        secret = make_for_pages(connection, "charts", "coordinator", (), now=NOW, lasting=None)
    header = {"Authorization": f"Bearer {secret}"}
    assert api.get("/records/person").status_code == 200
    with small_registry.begin() as connection:
        make(connection, "warehouse", ALL, now=NOW)
        kept = next(each for each in tokens(connection) if each.name == "charts")
    answer = api.get("/records/person", headers=header)
    assert (answer.status_code, "for the feedback pages" in answer.text) == (403, True)
    assert (kept.scope, kept.role) == (Scope(reads=("pages",)), "coordinator")


@pytest.mark.parametrize(
    ("role", "sites", "days", "words"),
    [
        ("root", (), 1, "there is no role root"),
        ("site-team", (), 1, "is somebody's at a site"),
        ("clinician", ("nosuch",), 1, "knows no site nosuch"),
        ("coordinator", ("west",), 1, "is of no site"),
        ("researcher", (), 367, "holds 366 days at most"),
    ],
)
def test_a_token_that_would_read_nothing_or_for_ever_is_not_made(
    role: str, sites: tuple[str, ...], days: int, words: str, made: Made
) -> None:
    """Said when it is made, not when it fails."""
    with pytest.raises(OperatorError, match=words):
        made(role, *sites, days=days)
