"""Messages whose way from a command is long, each made by the function that tells it."""

import gzip
import sqlite3
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from sqlalchemy import make_url
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from connectors.client.auth import auth_for
from connectors.client.bodies import flowing
from connectors.client.connections import open_connections
from connectors.client.keys import signing_keys
from connectors.client.origins import Origins
from connectors.delivery.readiness import empty
from connectors.pulling import Source
from connectors.rosters import parse_list
from mainstem import telemetry
from mainstem.commands import extract
from mainstem.commands.measures import own
from mainstem.commands.report import fetching
from mainstem.config.site_files import file_secrets
from mainstem.consumer import tail
from mainstem.database.errors import explained
from mainstem.database.locks import FileLocks
from mainstem.database.urls import make_private
from mainstem.demo import day_two
from mainstem.demo.airflow import Airflow
from mainstem.demo.embedded.backend_client import BackendClient
from mainstem.demo.embedded.hospital import Hospital
from mainstem.demo.embedded.ports import require_port
from mainstem.demo.embedded.postgres import Postgres
from mainstem.demo.embedded.running import Running
from mainstem.demo.hospitals import SiteFiles
from mainstem.demo.running_demo import Demo
from mainstem.kafka import settings as kafka
from mainstem.refresh.ascertain import read_list
from mainstem.refresh.deciding import listed
from mainstem.refresh.linkage import linkage_tokens
from mainstem.refresh.report import report_of
from mainstem.state import Plan, State
from schemas.errors import MainstemError
from schemas.given_files import given_table
from schemas.sites import Fhir, parse_site
from services.access.provider import Provider
from services.access.viewers import NOT_YOURS
from services.measures.evaluate.aside import put_aside
from services.measures.verify import Case, read_cases, verify
from services.people import ideas, questionnaires, tests_of_change, voices
from services.research import duck, requests
from transforms.codes.code_map import parse_code_map

NOW = datetime(2026, 3, 2, 5, tzinfo=UTC)
TODAY = NOW.date()
MAP = "system,code,target_system,target_code\n"
FOLDER = 'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "file:k"\n[files]\nfolder = "export"\n'
URL = make_url("sqlite:///var/state.db")


def fhir(method: str = "none", **more: Any) -> Fhir:
    """A server's section."""
    auth = {"method": method} | {key: value for key, value in more.items() if key not in Fhir.model_fields}
    own = {key: value for key, value in more.items() if key in Fhir.model_fields}
    return Fhir.model_validate({"base_url": "https://ehr.example/r4", **own, "auth": auth})


def bearer(secret: bytes) -> object:
    return auth_for(fhir("bearer", secret="env:S"), types=["Patient"], secrets=lambda _: secret, clock=lambda: NOW)


def text(folder: Path, content: str | bytes, name: str = "given.csv") -> Path:
    """A file of it."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(path: Path, most: int | None = None) -> None:
    with given_table(path, most=most) as file:
        file.read()


def provider(body: bytes, status: int = 200) -> Provider:
    answers = httpx2.MockTransport(lambda _: httpx2.Response(status, content=body))
    return Provider("https://login.example", transport=answers)


def refresh(**site: Any) -> Any:
    """As much of a refresh as a list needs."""
    return SimpleNamespace(site=SimpleNamespace(subject_key="k", **site), secrets=lambda _: b"k" * 20)


def tried(**more: Any) -> tests_of_change.Tried:
    return tests_of_change.Tried("north", "CF-2", TODAY, "calls", "Ann", NOW, **more)


def idea(weeks: int) -> ideas.Idea:
    said = dict.fromkeys(ideas.Idea.__dataclass_fields__, "x") | {"aim": 90.0, "weeks": weeks, "at": NOW}
    return ideas.Idea(**said)  # type: ignore[arg-type]


def ed25519_key(folder: Path) -> Path:
    key = ed25519.Ed25519PrivateKey.generate()
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return text(folder, key.private_bytes(*form), "client.pem")


def running(folder: Path, *command: str) -> Running:
    return Running("part", command, state=folder)


def loads(folder: Path) -> Any:
    """Those of a new state."""
    store = State.open(f"sqlite:///{folder}/state.db")
    store.migrate()
    return store.loads


def begin(held: Any) -> str:
    return str(held.start("north", mode="full", started=NOW, plan=Plan()).id)


def given_up(held: Any) -> None:
    load = begin(held)
    held.abandon(load, NOW)
    held.complete(load, {}, NOW)


QUESTION = voices.Question("q1", "How was it?", 0, 10, "bad", "good")
FORM = voices.Form("own", "Own", (QUESTION,), {}, "")
TWICE = '{"resourceType": "Questionnaire", "title": "T", "item": [%s, %s]}' % (
    ('{"linkId": "a", "text": "How?", "type": "choice", "answerOption": [{"valueInteger": 0}, {"valueInteger": 1}]}',)
    * 2
)

KEYED = fhir("smart-backend", client_id="c1", private_key="file:k")
NO_DATABASE: Any = None
NOBODY: Any = (None, None, "s-0")
AT_ONCE = tests_of_change.Plan(90.0, TODAY, "more", "one nurse")


def connect(authority: Path) -> None:
    open_connections(fhir(ca_file=authority.name), authority.parent, lambda _: b"", None)


Row = tuple[str, Callable[[Path], object]]
ROWS: list[Row] = [
    ("given.csv: cannot be read:", lambda at: table(at / "given.csv")),
    ("larger than 0 MiB", lambda at: table(text(at, "ab"), most=1)),
    ("is no token: no header can carry it", lambda _: bearer(b"two words")),
    ("fhir.auth.secret (env:S) is empty", lambda _: bearer(b" \n")),
    ("fhir.auth.secret (env:S) has several lines", lambda _: bearer(b"one\ntwo\n")),
    ("fhir.auth.secret (env:S) is not text", lambda _: bearer(b"\xff\xfe")),
    ("the private key of client c1 (file:k) holds no JWKS that fits RS384 or ES384", lambda _: signing_keys(b'{"keys": [{"kty": "RSA", "d": "x"}]}', KEYED.auth)),
    ("points to 169.254.169.254, a link-local address", lambda _: Origins(fhir(base_url="https://169.254.169.254/r4"))),
    ("holds no certificates", lambda at: connect(text(at, "junk", "ca.pem"))),
    ("line 1 of ward.csv is neither an id nor an identifier", lambda _: parse_list(b"Smith, Jane\n", "ward.csv")),
    ("north has no FHIR server", lambda at: Source(site=parse_site(FOLDER, "north.toml"), folder=at, secrets=lambda _: b"").fhir),
    ("nothing was delivered: export is empty", lambda _: throw(empty(Path("export"), "is empty"))),
    ("map.csv:2: target_system is no URI", lambda _: list(parse_code_map(MAP + ",1,LOINC system,2\n", "map.csv"))),
    ("map.csv:2: not CSV:", lambda _: list(parse_code_map(MAP + '"a"b,1,http://loinc.org,2\n', "map.csv"))),
    ("secret env:NOWHERE: the environment variable NOWHERE is not set", lambda at: file_secrets(at)("env:NOWHERE")),
    ("sent damaged compressed data", lambda _: list(flowing(damaged(), what="Patient"))),
    ("OMOP needs whole dates", lambda _: extract._at_tier(SimpleNamespace(tier=2, form=extract.Form.OMOP), extract.Dates.YEAR, b"")),  # type: ignore[arg-type]
    ("no period 'week'", lambda _: own.counted(NO_DATABASE, SimpleNamespace(id="CF-2", strata=()), "week", 2026, None)),  # type: ignore[arg-type]
    ("no stratum 'hair' of CF-2", lambda _: own.counted(NO_DATABASE, SimpleNamespace(id="CF-2", strata=("sex",)), "month", 2026, "hair")),  # type: ignore[arg-type]
    ("Day two has already come.", lambda at: day_two.change(twice_come(at), {}, NO_DATABASE, NO_DATABASE)),
    ("was made by a newer Mainstem", lambda at: newer(at)),
    ("one: 1 groups are expected, CMS0 has 0", lambda at: list(verify(SimpleNamespace(id="CMS0", groups=[]), 2026, [Case("one", at, [{}])], NO_DATABASE, NO_DATABASE))),  # type: ignore[arg-type]
    ("is asked too much at once", lambda _: throw(explained(URL, PoolTimeoutError()))),
    ("the lock file", lambda at: enter(FileLocks(at / "none" / "state.db").hold("r", "loading north"))),
    ("is loading north already", lambda at: twice_held(FileLocks(at / "state.db"))),
    ("cannot be made: Not a directory", lambda _: make_private(make_url("sqlite:////dev/null/state.db"))),
    ("Airflow has not been started.", lambda at: airflow(at).pid),
    ("Airflow has not been waited for.", lambda at: airflow(at).trigger("dag")),
    ("holds neither an EC nor an RSA key.", lambda at: BackendClient.create(ed25519_key(at))),
    ("Hospital east has not been started.", lambda at: Hospital(at, "east", port=1).pid),
    ("PostgreSQL has not been started.", lambda at: Postgres(at).pid),
    ("part has not been started.", lambda at: running(at, "true").pid),
    ("part cannot be started: No such file or directory (nothing).", lambda at: running(at, "/nowhere/nothing").start()),
    ("part ended at its start with exit code 1.", lambda at: running(at, "false").start().wait_until(lambda: False, 60)),
    ("part did not answer within 0 s.", lambda at: too_slow(running(at, "sleep", "60"))),
    ("wanted for a page, is in use.", lambda _: in_use()),
    ("No demo is running.", lambda at: Demo.running(at)),
    ("given.csv: no column patient", lambda at: read_list(text(at, "id,month\n1,2026-03\n"))),
    ("given.csv:2: no FHIR id, or no month", lambda at: read_list(text(at, "patient,month\nJane Smith,March\n"))),
    ("line 2 names no patient, or not one alone", lambda at: listed(refresh(), text(at, "patient,scope\n,qi\n"), NOW)),
    ("linkage_secret has 20 bytes", lambda _: linkage_tokens(refresh(linkage_secret="file:l"))),
    ("load north/1 is running and has no report", lambda _: report_of(SimpleNamespace(id="north/1", status="running", report=None))),  # type: ignore[arg-type]
    ("there is no load north/1", lambda at: loads(at).get("north/1")),
    ("is not finished", lambda at: [begin(held) for held in [loads(at)] * 2]),
    ("is abandoned", lambda at: given_up(loads(at))),
    ("the OpenID provider's answer is no JSON object", lambda _: provider(b"<html>").keys()),
    ("the OpenID provider answers 404", lambda _: provider(b"", 404).keys()),
    ("the OpenID provider does not answer (503)", lambda _: provider(b"", 503).keys()),
    ("the OpenID provider names no jwks_uri", lambda _: provider(b'{"issuer": "https://login.example"}').keys()),
    ("no reason 'weather'", lambda _: put_aside(*NOBODY, reason="weather", since=TODAY, until=TODAY, by="x", at=NOW)),
    ("is no time to set somebody aside for", lambda _: put_aside(*NOBODY, reason="trial", since=TODAY, until=date(2029, 1, 1), by="x", at=NOW)),
    ("expected.json: not readable as JSON", lambda at: read_cases(text(at, "{", "expected.json").parent)),
    ("expected.json: no cases in it", lambda at: read_cases(text(at, "{}", "expected.json").parent)),
    ("of one there is no one/bundle.ndjson", lambda at: read_cases(text(at, '{"one": {}}', "expected.json").parent)),
    ("expected.json: one has no counts by population", lambda at: read_cases(of_cases(at))),
    ("an idea is tried for 1 to 104 weeks", lambda _: ideas.propose(NO_DATABASE, idea(weeks=500))),
    ("a test of change needs a plan", lambda _: tests_of_change.note(NO_DATABASE, tried())),
    ("the aim is to be reached after the day it begins", lambda _: tests_of_change.note(NO_DATABASE, tried(plan=AT_ONCE))),
    ("“How was it?” takes a number from 0 to 10", lambda _: voices.read_answers(FORM, {"q1": "eleven"}, [])),
    ("own.json names a linkId twice", lambda at: questionnaires.load(text(at, TWICE, "own.json"))),
    ("a cohort is given by codes", lambda _: requests.ask(NO_DATABASE, "ocdm", 1, ["E84; drop"], "To learn.", by="x", at=NOW)),
]  # fmt: skip


def damaged() -> httpx2.Response:
    """An answer whose packed bytes end too early."""
    packed = httpx2.ByteStream(gzip.compress(b"{}" * 500)[:-12])
    asked = httpx2.Request("GET", "https://ehr.example/r4/Patient")
    return httpx2.Response(200, headers={"Content-Encoding": "gzip"}, stream=packed, request=asked)


def twice_come(at: Path) -> Path:
    (SiteFiles(at).delivery(day_two.NEWCOMER) / "day-two").mkdir(parents=True)
    return at


def newer(at: Path) -> None:
    """A state of a version that is not known yet."""
    loads(at)
    with sqlite3.connect(at / "state.db") as database:
        database.execute("update alembic_version set version_num = 'ffff'")
    loads(at)


def throw(error: MainstemError) -> None:
    raise error


def enter(context: Any) -> None:
    with context:
        pass


def twice_held(locks: FileLocks) -> None:
    with locks.hold("r", "loading north"), locks.hold("r", "loading north"):
        pass


def airflow(at: Path) -> Airflow:
    return Airflow(at, port=1, dags=at, env={}, choose="")


def too_slow(part: Running) -> None:
    try:
        part.start().wait_until(lambda: False, 0)
    finally:
        part.close()


def in_use() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        require_port(server.getsockname()[1], "a page", "--port")


def of_cases(at: Path) -> Path:
    (at / "one").mkdir()
    text(at, "{}\n", "one/bundle.ndjson")
    return text(at, '{"one": {"numerator": "many"}}', "expected.json").parent


@pytest.mark.parametrize(("told", "makes"), ROWS, ids=[told for told, _ in ROWS])
def test_a_message_is_told_by_what_it_is_for(tmp_path: Path, told: str, makes: Callable[[Path], object]) -> None:
    with pytest.raises(MainstemError) as refused:
        makes(tmp_path)
    assert told in refused.value.cause
    assert refused.value.fix
    assert "Smith" not in refused.value.cause


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in ("duckdb", "opentelemetry.exporter.otlp.proto.http.metric_exporter"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MainstemError, match="DuckDB is not installed"):
        duck.write_duckdb(tmp_path)
    with pytest.raises(MainstemError, match="MAINSTEM_TELEMETRY is otlp, and OpenTelemetry is not installed"):
        telemetry.start("otlp")


def test_pages_that_give_more_than_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = of_pages(200, "a,b", "text/csv; charset=utf-8")
    monkeypatch.setattr(httpx2, "stream", lambda *_, **__: nullcontext(answer))
    monkeypatch.setattr(fetching, "MOST_BYTES", 1)
    with pytest.raises(MainstemError, match="gave a list larger than 0 MiB"):
        fetching._asked("https://pages.example", "north", "token")


def test_a_broker_that_answers_and_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class AuthenticationFailedError(Exception):
        """As kafka-python names it."""

    monkeypatch.setattr(kafka, "unreachable", lambda _: None)
    said = kafka.explain(kafka.KafkaSettings("broker.example:9093"), AuthenticationFailedError())
    assert "refused the user name or password (AuthenticationFailedError)" in said.cause


def test_a_stream_without_what_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "tail", lambda *_, **__: iter(()))
    with pytest.raises(MainstemError, match="nroth: no event of such a site is in lhn"):
        tail.print_events(kafka.KafkaSettings("b:1"), "lhn.outcome.v1", None, site="nroth")  # type: ignore[arg-type]


def test_who_tries_an_idea_tries_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ideas, "tried_of", lambda *_: [tried()])
    with pytest.raises(MainstemError, match="this site tries it already"):
        ideas.adopt(NO_DATABASE, idea(weeks=4), "north", by="Ann", at=NOW + timedelta(days=1))


def test_what_came_of_a_request_is_told_by_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "named", lambda *_: SimpleNamespace(by="Ann"))
    with pytest.raises(MainstemError, match="somebody else asked for this"):
        requests.tell_result(NO_DATABASE, "1", "It helped.", by="Ben")


def of_pages(status: int, body: str = "", kind: str = "text/plain", **headers: str) -> httpx2.Response:
    """What may stand where the network's pages were looked for."""
    asked = httpx2.Request("GET", "https://pages.example")
    return httpx2.Response(status, headers={"Content-Type": kind, **headers}, content=body.encode(), request=asked)


@pytest.mark.parametrize(
    ("answer", "told", "fix"),
    [
        (of_pages(503), "pages.example gave no list (503)", "later"),
        (of_pages(401), "do not take the token for north", "tokens new"),
        (of_pages(403), "do not take the token for north", "tokens new"),
        (of_pages(404, NOT_YOURS), "have no site north for this token", "tokens new"),
        (of_pages(404, "<html>Not Found</html>", "text/html"), "there is no list for north (404)", "PAGES_ADDRESS"),
        (of_pages(302, Location="https://sso.example"), "lead elsewhere instead of giving a list", "PAGES_ADDRESS"),
        (of_pages(400, "This server does not go by that name"), "do not answer what is asked", "PAGES_ADDRESS"),
        (of_pages(200, "<h1>Log in</h1>", "text/html"), "gave something else than a list", "PAGES_ADDRESS"),
        (httpx2.ConnectError("[Errno 111] refused"), "cannot be reached", "PAGES_ADDRESS"),
        (httpx2.ReadTimeout("slow"), "did not answer within 30 s", "later"),
        (httpx2.RemoteProtocolError("cut"), "broke off their answer", "later"),
    ],
)  # fmt: skip
def test_pages_that_give_no_list(
    monkeypatch: pytest.MonkeyPatch, answer: httpx2.Response | Exception, told: str, fix: str
) -> None:
    """Each has its own cause: the token, the site it is for, another server there, nobody there."""

    def answered(*_: object, **__: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return nullcontext(answer)

    monkeypatch.setattr(httpx2, "stream", answered)
    with pytest.raises(MainstemError) as refused:
        fetching._asked("https://pages.example", "north", "token")
    assert (told in refused.value.cause, fix in refused.value.fix) == (True, True), refused.value.cause
    assert "Error" not in refused.value.cause
