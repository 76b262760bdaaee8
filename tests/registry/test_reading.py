"""The registry read over HTTP: as it is, as it was, what changed; page by page and as a stream."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from services_cases import event_of, received, record_id, subject_id
from services_story import fill, load_events, person
from sqlalchemy import Engine, update

from mainstem.consumer.ledger import metadata as kit
from mainstem.consumer.subjects import FoundSubject, Subjects
from schemas.loads import LoadEvent, LoadEventType
from schemas.outcomes import Observation, Person
from schemas.subjects import SubjectEvent
from services.registry.api import make_app
from services.registry.completeness import announced
from services.registry.erasure import erase, erase_told
from services.registry.handler import apply, apply_loads, keep_late
from services.registry.tables import history

Receive = Callable[..., None]


def result(name: str, value: float, *, subject: str = "ada", site: str = "north", code: str = "4548-4") -> Observation:
    """A laboratory result."""
    return Observation.model_validate(
        {
            "id": record_id(name),
            "subject": subject_id(subject),
            "site": site,
            "code": code,
            "value": value,
            "codings": [{"system": "http://loinc.org", "code": code}],
            "effective": "2026-03-02T09:10:00Z",
        }
    )


def asked(client: TestClient, where: str = "/records/observation", **given: Any) -> dict[str, Any]:
    """The answer of all pages together."""
    found: dict[str, Any] = {"records": [], "withdrawn": []}
    after = ""
    while after is not None:
        answer = client.get(where, params={"limit": 3, "after": after} | given)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        for name in found:
            found[name] += page[name]
        after = page["next"]
    return found


def values(answer: dict[str, Any]) -> dict[str, float]:
    return {row["id"]: row["value"] for row in answer["records"]}


@pytest.fixture
def story(registry: Engine, receive: Receive) -> TestClient:
    """Minute 1: a to e recorded. 2: a amended, b withdrawn. 3: b comes back, c goes over from Ada to Bea. 4: d withdrawn."""
    receive(*(event_of(result(name, number)) for number, name in enumerate("abcde", start=1)))
    receive(event_of(result("a", 10), sequence=2), event_of(result("b", 2), sequence=2, withdrawn=True))
    receive(event_of(result("b", 20), sequence=3), event_of(result("c", 3), sequence=2, withdrawn=True))
    receive(event_of(result("c", 3, subject="bea"), sequence=3))
    receive(event_of(result("d", 4), sequence=4, withdrawn=True))
    return TestClient(make_app(registry))


NAMED: dict[int, dict[str, float]] = {
    0: {},
    1: {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5},
    2: {"a": 10, "d": 4, "e": 5},
    3: {"a": 10, "b": 20, "c": 3, "d": 4, "e": 5},
    4: {"a": 10, "b": 20, "c": 3, "e": 5},
}
"""What stood after each minute."""


def test_the_state_as_of_a_moment_is_what_the_sites_had_stored_then(story: TestClient) -> None:
    """Amended, withdrawn, come back, gone over to another: page by page, as a stream, one by one."""
    for minute, named in NAMED.items():
        wanted = {record_id(name): value for name, value in named.items()}
        when = f"2026-11-02T06:{minute:02}:30Z"
        assert values(asked(story, as_of=when)) == wanted, minute
        lines = story.get("/export/observation", params={"as_of": when}).text.splitlines()
        assert {row["id"]: row["value"] for row in map(json.loads, lines)} == wanted, minute
        for name in "abcde":
            one = story.get(f"/records/observation/{record_id(name)}", params={"as_of": when})
            assert (one.status_code == 200) == (name in named), minute


def test_as_of_now_is_the_current_state_to_the_byte(story: TestClient) -> None:
    """The same fields in the same form, from the history and from the table."""
    now = asked(story)["records"]
    assert asked(story, as_of="2026-11-02T07:00:00+00:00")["records"] == now
    assert asked(story, as_of="2026-11-02")["records"] == now
    assert [row["type"] for row in now] == ["observation"] * 4
    (first,) = [row for row in now if row["id"] == record_id("a")]
    assert story.get(f"/records/observation/{record_id('a')}").json() == first
    assert first["effective"] == "2026-03-02T09:10:00Z"
    assert first["codings"] == [{"system": "http://loinc.org", "code": "4548-4"}]


def test_a_subject_has_what_was_theirs_then(story: TestClient) -> None:
    """A record that went over was Ada's and is Bea's: for each as of then, each alone."""
    for subject, minute, wanted in (("ada", 1, "abcde"), ("ada", 4, "abe"), ("bea", 1, ""), ("bea", 4, "c")):
        found = asked(story, subject=subject_id(subject), as_of=f"2026-11-02T06:{minute:02}:30Z")
        assert values(found).keys() == {record_id(name) for name in wanted}, (subject, minute)
    assert values(asked(story, subject=subject_id("bea"))).keys() == {record_id("c")}


def test_filters_meet(registry: Engine, receive: Receive) -> None:
    """Site, subject and code, of the current state and of what was."""
    receive(
        event_of(result("a", 1)),
        event_of(result("b", 2, site="west", subject="bea")),
        event_of(result("c", 3, code="2345-7")),
    )
    client = TestClient(make_app(registry))
    for given, wanted in (
        ({"site": "west"}, "b"),
        ({"code": "4548-4"}, "ab"),
        ({"code": "4548-4", "site": "north"}, "a"),
    ):
        for when in ({}, {"as_of": "2026-11-03"}):
            assert values(asked(client, **given, **when)).keys() == {record_id(name) for name in wanted}
    refused = client.get("/records/person", params={"code": "4548-4"})
    assert (refused.status_code, refused.json()["detail"]) == (422, "code: a person has no code.")


def test_what_changed_since_is_told_with_what_went(registry: Engine, receive: Receive) -> None:
    """Whoever keeps a copy learns what to delete, for their selection: withdrawn, and gone over to another."""
    receive(*(event_of(result(name, number)) for number, name in enumerate("abcd", start=1)))
    receive(event_of(result("x", 9, site="west", subject="cem")))
    long_ago = datetime.now(UTC) - timedelta(days=2)
    with registry.begin() as connection:
        connection.execute(update(history).values(arrived=long_ago))
    since = (long_ago + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    receive(event_of(result("b", 22), sequence=2), event_of(result("a", 1), sequence=2, withdrawn=True))
    receive(event_of(result("c", 3), sequence=2, withdrawn=True))
    receive(event_of(result("c", 3, subject="bea"), sequence=3))
    receive(event_of(result("x", 9, site="west", subject="cem"), sequence=2, withdrawn=True))
    client = TestClient(make_app(registry))

    def told(**given: str) -> tuple[str, str]:
        found = asked(client, changed_since=since, **given)
        names = {record_id(name): name for name in "abcdx"}
        changed, gone = ([names[row["id"]] for row in found[kind]] for kind in ("records", "withdrawn"))
        return "".join(sorted(changed)), "".join(sorted(gone))

    assert told() == ("bc", "ax")
    assert told(site="north") == ("bc", "a")
    assert told(subject=subject_id("ada")) == ("b", "ac")
    assert told(subject=subject_id("bea")) == ("c", "")
    assert told(subject=subject_id("cem")) == ("", "x")
    page = client.get("/records/observation", params={"changed_since": since}).json()
    assert since < page["next_since"] < datetime.now(UTC).isoformat()
    lines = client.get("/export/observation", params={"changed_since": since}).text.splitlines()
    assert sorted(json.loads(line)["withdrawn"]["id"] for line in lines if "withdrawn" in line) == sorted(
        [record_id("a"), record_id("x")]
    )


@pytest.mark.slow
def test_the_history_has_what_comes_late(registry: Engine, receive: Receive) -> None:
    """A new registry reads partitions one after another: a record's older days come behind, for the history alone."""
    receive(event_of(result("c", 3, subject="bea"), sequence=3))
    with registry.begin() as connection:
        for _ in range(2):
            keep_late(connection, [event_of(result("c", 3)), event_of(result("c", 3), sequence=2, withdrawn=True)])
    client = TestClient(make_app(registry))
    found = client.get(f"/records/observation/{record_id('c')}/history").json()
    ada, bea = subject_id("ada"), subject_id("bea")
    assert [(row["op"], row["subject"]) for row in found] == [("recorded", ada), ("withdrawn", ada), ("amended", bea)]
    assert values(asked(client, as_of="2026-11-02T06:01:30Z", subject=ada)) == {record_id("c"): 3}
    assert values(asked(client)).keys() == {record_id("c")}


def test_nothing_of_an_erased_subject_is_kept_or_comes_back(registry: Engine, receive: Receive) -> None:
    """Neither now nor as of then, nor by a replay; what went over to another stays with that one."""
    receive(event_of(result("a", 1)), event_of(result("c", 3)), event_of(result("b", 2, subject="bea")))
    receive(event_of(result("c", 3), sequence=2, withdrawn=True))
    receive(event_of(result("c", 3, subject="bea"), sequence=3))
    with registry.begin() as connection:
        assert erase(connection, [subject_id("ada")], datetime(2026, 11, 3, tzinfo=UTC)) == 4
    receive(event_of(result("a", 1)), event_of(result("new", 7)))
    with registry.begin() as connection:
        keep_late(connection, [event_of(result("c", 3))])
    client = TestClient(make_app(registry))
    for given in ({}, {"as_of": "2026-11-02T06:01:30Z"}, {"as_of": "2026-11-09"}):
        assert not values(asked(client, subject=subject_id("ada"), **given))
    assert values(asked(client)).keys() == {record_id("b"), record_id("c")}
    assert client.get("/erased").json() == [{"subject": subject_id("ada"), "at": "2026-11-03T00:00:00Z"}]
    assert client.get("/erased?since=2026-11-04").json() == []


def test_who_was_erased_is_taken_again_by_the_word_that_erased_alone(registry: Engine, receive: Receive) -> None:
    """Erased here, no other word of the site on the child opens the door; erased twice, the second time is told."""
    ada, client, subjects = subject_id("ada"), TestClient(make_app(registry)), Subjects("registry", erase_told)
    kit.create_all(registry)

    def told(sequence: int, *withdrawn: str, erase: bool = False) -> None:
        event = {"subject": ada, "site": "north", "sequence": sequence, "at": "2026-11-03T00:00:00Z", "erase": erase}
        said = SubjectEvent.model_validate(
            {**event, "event": "withdrawn" if withdrawn else "given", "withdrawn": withdrawn}
        )
        with registry.begin() as connection:
            subjects.take(connection, [FoundSubject(said, 1, None)])

    with registry.begin() as connection:
        erase(connection, [ada], datetime(2026, 11, 3, tzinfo=UTC))
    told(1, "research")
    told(2)
    receive(event_of(result("a", 1)))
    assert not values(asked(client))
    first = client.get("/erased").json()
    assert [each["subject"] for each in first] == [ada]

    told(3, "qi", "research", erase=True)
    told(4)
    receive(event_of(result("a", 2), sequence=2))
    assert values(asked(client)) == {record_id("a"): 2}
    assert client.get("/erased").json() == []

    told(5, "qi", "research", erase=True)
    assert not values(asked(client))
    (again,) = client.get("/erased").json()
    assert again["at"] > first[0]["at"]


WRONG = {
    "as_of": [
        "",
        "yesterday",
        "2026-13-01",
        "2026-05-05T09:10:00",
        "9" * 39,
        "0001-01-01",
        "٢٠٢٦-٠٣-٠٢",
        "2026-05-05T09:10:00 01:00",
    ],
    "changed_since": ["1e400", "-1", "9999-12-31"],
    "after": ["r-", "r-zz", "r-" + "0" * 33, "s-" + "0" * 32, "r-" + "0" * 31 + "\x00"],
    "limit": ["0", "-1", "1" * 400, "1e3", "NaN", ""],
    "code": ["", "a b", "x" * 101, "a\x00", "\u202e"],
    "subject": ["s-1", "S-" + "0" * 32],
    "site": ["North", "n" * 40, "n\n"],
}


def test_wrong_parameters_are_refused_in_words(small_registry: Engine) -> None:
    """Each names its parameter, and does not repeat what was given."""
    client = TestClient(make_app(small_registry))
    for name, given in WRONG.items():
        for value in given:
            for where in ("/records/observation", "/export/observation"):
                if (name, value) == ("after", "r-") or (name == "limit" and "export" in where):
                    continue
                answer = client.get(where, params={name: value})
                assert answer.status_code == 422, (name, value, answer.text)
                assert answer.json()["detail"].startswith(f"{name}: ")
                assert len(value) < 5 or value not in answer.text
    assert client.get("/loads", params={"after": "north/2026"}).json()["detail"] == "after: there is no such load."


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("/records/observation?subjct=s-1", "A parameter was given that this question does not have; there are after, as_of, "),
        ("/export/observation?limit=1", "A parameter was given that this question does not have; there are after, as_of, "),
        (f"/records/observation/r-{'0' * 32}?since=2026-01-01", "A parameter was given that this question does not have; there are as_of."),
        (f"/records/observation/r-{'0' * 32}/history?as_of=2026-01-01", "A parameter was given that this question does not have; there are none."),
        ("/loads?sites=north", "A parameter was given that this question does not have; there are after, limit, site."),
        ("/records/observation?site=north&site=west", "site: given more than once."),
    ],
)  # fmt: skip
def test_what_a_question_does_not_have_is_refused(small_registry: Engine, question: str, words: str) -> None:
    """Passed over, it would be answered with more than was asked for."""
    answer = TestClient(make_app(small_registry)).get(question)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(words)


@pytest.mark.parametrize("question", ["/records/observation", "/export/observation", "/loads", "/completeness"])
def test_an_unknown_site_is_no_empty_list(small_registry: Engine, question: str) -> None:
    """It would look like a site that has none; the answer names those there are."""
    fill(small_registry, [person("ada", site="west")], load_events())
    client = TestClient(make_app(small_registry))
    assert client.get(question, params={"site": "west"}).status_code == 200, "nothing of that type, but a site"
    answer = client.get(question, params={"site": "nowhere"})
    assert answer.status_code == 404
    with small_registry.connect() as connection:
        named = ", ".join(announced(connection))
    assert named
    assert answer.json()["detail"] == f"site: nothing of a site nowhere ever came. There are {named}."


def test_the_api_is_described(small_registry: Engine) -> None:
    """Every operation and every parameter says what it is; the records' fields say their units."""
    described = TestClient(make_app(small_registry)).get("/openapi.json").json()
    assert described["openapi"].startswith("3.")
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert all(parameter["description"] for parameter in operation.get("parameters", ())), path
            if path != "/health" and not path.startswith("/schemas"):
                assert operation["security"] == [{"token": []}], path
    models = described["components"]["schemas"]
    assert models["Observation"]["properties"]["value"]["description"]
    assert models["Medication"]["properties"]["start"]["description"]


def test_half_a_character_does_not_break_an_answer(small_registry: Engine) -> None:
    """Only SQLite keeps one, in an event of a type that nobody has read yet."""
    value = b'{"record": {"type": "genome", "note": "\\ud800"}, "change": {}, "provenance": {}}'
    with small_registry.begin() as connection:
        apply(connection, [received("genome", record_id("x"), subject_id("ada"), "north", 1, "recorded", value)])
    answer = TestClient(make_app(small_registry)).get(f"/records/genome/{record_id('x')}/history")
    assert (answer.status_code, "\\ud800" in answer.text) == (200, True)


def test_people_are_read_too(registry: Engine, receive: Receive) -> None:
    """A type without values and codes."""
    receive(event_of(Person(id=record_id("p"), subject=subject_id("ada"), site="north", birth_date="2016-05")))
    (row,) = asked(TestClient(make_app(registry)), "/records/person", as_of="2026-11-03")["records"]
    assert (row["birth_date"], row["race"], row["sequence"]) == ("2016-05", [], 1)


def test_whether_it_is_all_is_answered_and_never_by_nought(registry: Engine, receive: Receive) -> None:
    """Of a subject, a type and a window; of somebody nobody knows there is no answer."""
    receive(event_of(result("a", 1)))
    up_to = datetime(2026, 11, 2, 4, tzinfo=UTC)
    told = LoadEvent(load="north/1", site="north", event=LoadEventType.COMPLETED, mode="full", started=up_to)
    with registry.begin() as connection:
        apply_loads(connection, [told.model_copy(update={"watermarks": {"Observation": up_to}})])
    client = TestClient(make_app(registry))
    given = {"subject": subject_id("ada"), "since": "2026-10-01"}
    for record_type, until, state in (
        ("observation", "2026-10-31", "loaded"),
        ("observation", "2026-11-02", "not yet"),
        ("condition", "2026-10-31", "not loaded"),
    ):
        (answer,) = client.get("/completeness/of", params=given | {"type": record_type, "until": until}).json()
        assert (answer["site"], answer["state"], answer["gaps"]) == ("north", state, [])
    for wrong, status, words in (
        ({"subject": subject_id("bea")}, 404, "Nothing of this subject ever came"),
        ({"until": "2026-09-30"}, 422, "until: "),
        ({"until": "soon"}, 422, "until: "),
        ({"type": "genome"}, 404, "No record type genome"),
    ):
        answer = client.get("/completeness/of", params=given | {"type": "observation", "until": "2026-10-31"} | wrong)
        assert answer.status_code == status
        assert answer.json()["detail"].startswith(words)
