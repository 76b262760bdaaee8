"""Tokens: who may read what over HTTP; kept as hashes, told once, never in a log."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from services_cases import event_of, record_id, subject_id
from sqlalchemy import Engine, select
from structlog.testing import capture_logs

from schemas.errors import OperatorError
from schemas.outcomes import Person
from services.registry.api import make_app
from services.registry.handler import apply
from services.registry.tables import token
from services.registry.tokens import Scope, make, revoke, tokens
from services.serving import RequestsLogged

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def people(registry: Engine) -> TestClient:
    """Ada at north, Bea at west."""
    with registry.begin() as connection:
        for name, site in (("ada", "north"), ("bea", "west")):
            apply(connection, [event_of(Person(id=record_id(name), subject=subject_id(name), site=site))])
    return TestClient(make_app(registry))


def made(registry: Engine, name: str, *scope: tuple[str, ...], **given: Any) -> dict[str, str]:
    """The header that a new token is sent by."""
    with registry.begin() as connection:
        return {"Authorization": f"Bearer {make(connection, name, Scope(*scope), **{'now': NOW} | given)}"}


def test_from_the_first_token_on_nobody_reads_without_one(people: TestClient, registry: Engine) -> None:
    """Not even when it is revoked; the contract stays open."""
    assert people.get("/records/person").status_code == 200
    good = made(registry, "warehouse")
    assert len(people.get("/records/person", headers=good).json()["records"]) == 2
    for header in (
        {},
        {"Authorization": "Bearer mst_" + "x" * 43},
        {"Authorization": "Basic eDp5"},
        {"Authorization": "Bearer"},
    ):
        answer = people.get("/records/person", headers=header)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="registry"')
        assert "oken" in answer.json()["detail"]
    with registry.begin() as connection:
        revoke(connection, "warehouse", NOW)
    assert people.get("/records/person", headers=good).json() == {"detail": "The token warehouse is revoked."}
    assert people.get("/records/person").status_code == 401
    for where in ("/health", "/schemas", "/schemas/person.v1.json", "/openapi.json"):
        assert people.get(where).status_code == 200


def test_a_token_ends_on_its_day(people: TestClient, registry: Engine) -> None:
    """From then on it is refused, by name."""
    old = made(registry, "old", expires=datetime.now(UTC) - timedelta(seconds=1))
    assert people.get("/loads", headers=old).json() == {"detail": "The token old is expired."}


def test_a_token_reads_what_it_is_for(people: TestClient, registry: Engine) -> None:
    """By record type, site and kind of reading; what it is not for is refused by words that say so."""
    north = made(registry, "north", (), ("north",))
    page = people.get("/records/person", headers=north).json()
    assert ([row["site"] for row in page["records"]], page["sites"]) == (["north"], ["north"])
    assert people.get("/records/person?as_of=2026-11-03", headers=north).json()["records"][0]["site"] == "north"
    assert len(people.get("/export/person", headers=north).text.splitlines()) == 1
    for where in (f"/records/person/{record_id('bea')}", f"/records/person/{record_id('bea')}/history"):
        assert people.get(where, headers=north).status_code == 404
    assert [people.get(f"/loads?site={site}", headers=north).json() for site in ("west", "nowhere")] == [
        {"detail": f"This token is not for site {site}; it is for north."} for site in ("west", "nowhere")
    ], "whether there is a site that is not theirs, nobody learns"
    narrow = made(registry, "narrow", ("observation",), (), ("records",))
    for header, where, words in (
        (north, "/records/person?site=west", "site west; it is for north"),
        (narrow, "/records/person", "record type person; it is for observation"),
        (narrow, "/export/observation", "read export; it is for records"),
        (narrow, "/records/observation?as_of=2026-11-03", "read history; it is for records"),
        (narrow, "/records/observation?changed_since=2026-11-03", "read history"),
        (narrow, f"/records/observation/{record_id('x')}/history", "read history"),
        (narrow, "/loads", "read loads"),
        (narrow, "/completeness", "read loads"),
        (narrow, "/erased", "read history"),
    ):
        answer = people.get(where, headers=header)
        assert answer.status_code == 403, where
        assert words in answer.json()["detail"]
    assert people.get("/records/observation", headers=narrow).status_code == 200


def test_a_token_is_kept_as_its_hash_and_stands_in_no_log(people: TestClient, registry: Engine) -> None:
    """Neither in the database nor in what is logged or answered, good or bad, in the header or in the address."""
    header = made(registry, "warehouse")
    secret = header["Authorization"].removeprefix("Bearer ")
    with registry.connect() as connection:
        assert secret not in str(connection.execute(select(token)).all())
        assert secret not in str(tokens(connection))
    client = TestClient(RequestsLogged(people.app))
    with capture_logs() as logs:
        answers = [client.get("/records/person", headers=header), client.get(f"/records/person?token={secret}")]
        answers.append(client.get("/records/person", headers={"Authorization": f"Bearer {secret}x"}))
    assert [answer.status_code for answer in answers] == [200, 401, 401]
    assert logs
    assert secret not in str(logs) + "".join(answer.text for answer in answers)


@pytest.mark.parametrize("nasty", ["\x00", "a" * 5000, "mst_" + "ü" * 30, "' or 1=1--", "mst_"])
def test_no_token_breaks_the_api(nasty: str, people: TestClient, registry: Engine) -> None:
    """What has not a token's form is none."""
    made(registry, "warehouse")
    answer = people.get("/records/person", headers={"Authorization": b"Bearer " + nasty.encode()})
    assert answer.status_code == 401


@pytest.mark.usefixtures("people")
def test_names_and_scopes_are_proven(registry: Engine) -> None:
    """A token nobody could use is not made; a name is given once."""
    made(registry, "warehouse")
    for name, scope, words in (
        ("warehouse", Scope(), "there is, or was, a token warehouse"),
        ("Ware House", Scope(), "a token's name"),
        ("a", Scope(types=("genome",)), "no record type genome"),
        ("a", Scope(reads=("all",)), "no read all"),
        ("a", Scope(sites=("North!",)), "no site's name"),
        ("a", Scope(sites=("north", "nosuch")), "knows no site nosuch"),
    ):
        with pytest.raises(OperatorError, match=words), registry.begin() as connection:
            make(connection, name, scope, now=NOW)
    with pytest.raises(OperatorError, match="no token x"), registry.begin() as connection:
        revoke(connection, "x", NOW)


@pytest.mark.usefixtures("people")
def test_site_that_never_told_anything_is_refused_with_those_that_did(registry: Engine) -> None:
    """A slip of the finger would make a token that reads nothing, for ever."""
    with pytest.raises(OperatorError) as refused, registry.begin() as connection:
        make(connection, "a", Scope(sites=("nroth",)), now=NOW)
    assert (refused.value.cause, refused.value.fix) == ("the registry knows no site nroth", "It knows: north, west.")
