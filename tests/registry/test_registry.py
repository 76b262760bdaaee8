"""The registry keeps the current state and every change, on PostgreSQL and on SQLite."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel
from services_cases import event_of, received, record_id, subject_id
from sqlalchemy import Engine, MetaData, Table, select, text

import schemas
from mainstem.consumer import PoisonError, Received
from schemas.errors import OperatorError, TemporaryError
from schemas.loads import Gap, LoadEvent, LoadEventType, TypeCounts
from schemas.outcomes import RECORD_TYPES, Coding, Observation, Person
from schemas.outcomes.allergies import AllergyReaction
from schemas.outcomes.encounters import EncounterClass, EncounterDiagnosis
from schemas.outcomes.people import ConsentDecision, EnrolmentStatus
from schemas.outcomes.treatments import DoseStep, Strength
from services.registry.api import make_app
from services.registry.database import connect, open_registry, planned, upgrade
from services.registry.handler import apply, apply_loads
from services.registry.tables import RECORD_TABLES, history, metadata, model_fields, plain

Receive = Callable[..., None]

EXAMPLES: dict[object, Any] = {
    int: 7,
    bool: True,
    Decimal: Decimal("7.1"),
    datetime: datetime(2026, 3, 2, 9, 10, 30, tzinfo=UTC),
}
LISTS: dict[str, list[Any]] = {
    "Coding": [Coding(system="http://loinc.org", code="4548-4")],
    "Strength": [Strength(code="161", value=Decimal("40"), unit="mg")],
    "d{4}": ["2026-03-02", "2026-03"],
    "r-[0-9a-f]": [record_id("a"), record_id("b")],
    "DoseStep": [DoseStep(sequence=1, dose=Decimal("2.5"), dose_unit="mg")],
    "EncounterDiagnosis": [EncounterDiagnosis(record=record_id("a"), use="AD", rank=1)],
    "ConsentDecision": [ConsentDecision(scope="qi", decision="permit", end_date="2031-02")],
    "EnrolmentStatus": [EnrolmentStatus(status="waitlist", end_date="2026-03-02")],
    "AllergyReaction": [AllergyReaction(severity="mild", onset_date="2026-03-02")],
    "EncounterClass": [EncounterClass(class_code="EMER", start_date="2026-03-02")],
}


def full(model: type[BaseModel]) -> BaseModel:
    """A record of the model with every field given."""
    record_type = model.model_fields["type"].default
    values: dict[str, Any] = {"id": record_id(record_type), "subject": subject_id("ada"), "site": "north"}
    schema = model.model_json_schema()["properties"]
    for name, field in model_fields(record_type).items():
        if name in values:
            continue
        kind = plain(field.annotation)
        if kind is list:
            items = str(schema[name]["items"])
            values[name] = next((sample for mark, sample in LISTS.items() if mark in items), ["2106-3", "UN"])
        elif kind is str:
            values[name] = text_for(schema[name])
        else:
            values[name] = EXAMPLES[kind]
    return model.model_validate(values)


def text_for(schema: dict[str, Any]) -> str:
    """A string the field's schema allows."""
    choices = [schema, *schema.get("anyOf", [])]
    for choice in choices:
        if "enum" in choice:
            return str(choice["enum"][-1])
        if "pattern" in choice:
            return (
                record_id("other")
                if choice["pattern"].startswith("^r-")
                else "2026-03"
                if "d{4}" in choice["pattern"]
                else subject_id("ada")
            )
    return "naïve ‘text’\twith \\ and \n"


def bmi(value: str, **given: Any) -> Observation:
    """A BMI percentile of Ada's."""
    content = {"id": record_id("bmi"), "subject": subject_id("ada"), "site": "north", "code": "59576-9"}
    return Observation.model_validate(content | {"value": value, "effective_date": "2026-10-05"} | given)


def current(engine: Engine, record_type: str) -> list[dict[str, Any]]:
    """The rows of a record type's table."""
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(RECORD_TABLES[record_type])).mappings()]


def changes(engine: Engine) -> list[tuple[int, str, bool]]:
    """Sequence, operation and whether there is a value, of the whole history."""
    with engine.connect() as connection:
        found = connection.execute(select(history).order_by(history.c.sequence)).mappings()
        return [(row["sequence"], row["op"], row["value"] is not None) for row in found]


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_every_record_type_comes_back_as_it_went_in(registry: Engine, receive: Receive, record_type: str) -> None:
    """Every field of every record type survives the way into its table and back."""
    record = full(RECORD_TYPES[record_type])
    receive(event_of(record, flags=["unit-converted"]))
    (row,) = current(registry, record_type)
    assert RECORD_TYPES[record_type].model_validate(row) == record
    assert (row["sequence"], row["load"], row["software"], row["flags"]) == (1, "load-1", "0.1.0", ["unit-converted"])
    assert row["event_time"] == datetime(2026, 11, 2, 6, 1, tzinfo=UTC)


def test_record_with_required_fields_only_comes_back(registry: Engine, receive: Receive) -> None:
    """What an event leaves out is absent in the table; a list is empty."""
    receive(event_of(Person(id=record_id("ada"), subject=subject_id("ada"), site="north")))
    (row,) = current(registry, "person")
    assert (row["birth_date"], row["race"], row["flags"]) == (None, [], [])


def test_same_event_twice_leaves_the_same_state(registry: Engine, receive: Receive) -> None:
    """A duplicate changes neither the current state nor the history, in one batch or in two."""
    event = event_of(bmi("48.25"))
    receive(event, event)
    before = current(registry, "observation")
    receive(event)
    assert current(registry, "observation") == before
    assert changes(registry) == [(1, "recorded", True)]


@pytest.mark.slow
def test_amended_value_replaces_the_first_and_both_stay_in_history(registry: Engine, receive: Receive) -> None:
    """The last of several changes in one batch is the current state."""
    receive(event_of(bmi("48.25")), event_of(bmi("52.50", effective_date=None), sequence=2))
    (row,) = current(registry, "observation")
    assert (row["value"], row["sequence"], row["effective_date"]) == (Decimal("52.5"), 2, None)
    assert changes(registry) == [(1, "recorded", True), (2, "amended", True)]


def test_withdrawn_record_leaves_its_table_and_stays_in_history(registry: Engine, receive: Receive) -> None:
    """A withdrawal deletes the current state; what was said before can still be read."""
    receive(event_of(bmi("48.25")))
    receive(event_of(bmi("48.25"), sequence=2, withdrawn=True))
    assert current(registry, "observation") == []
    assert changes(registry) == [(1, "recorded", True), (2, "withdrawn", False)]


def test_withdrawn_and_recorded_again_in_one_batch_is_current(registry: Engine, receive: Receive) -> None:
    """The last word of a batch counts, in either order."""
    receive(event_of(bmi("1")), event_of(bmi("1"), sequence=2, withdrawn=True), event_of(bmi("3"), sequence=3))
    assert [row["sequence"] for row in current(registry, "observation")] == [3]


IDS = f'"id": "{record_id("x")}", "subject": "{subject_id("ada")}"'.encode()
REFUSED = {
    "no identity": b'{"record": {"value": 7}, "change": {}, "provenance": {}}',
    "a word for a number": b'{"record": {' + IDS + b', "site": "n", "value": "seven"}, "change": {}, "provenance": {}}',
    "a date from a spreadsheet": b'{"record": {'
    + IDS
    + b', "site": "n", "effective_date": "3/2/26"}, "change": {}, "provenance": {}}',
    "not UTF-8": b'{"record": {' + IDS + b', "site": "n", "x": "\xff"}, "change": {}, "provenance": {}}',
}
REFUSED_BY_POSTGRESQL = {
    "a NUL": b'{"record": {' + IDS + b', "site": "n", "unit": "\\u0000"}, "change": {}, "provenance": {}}',
    "half a character": b'{"record": {'
    + IDS
    + b', "site": "n", "codings": [{"code": "\\ud800"}]}, "change": {}, "provenance": {}}',
}


def spoiled(value: bytes) -> Received:
    """An event with a value that breaks the contract."""
    return received("observation", record_id("x"), subject_id("ada"), "north", 1, "recorded", value)


@pytest.mark.parametrize("fault", REFUSED)
def test_event_that_breaks_the_contract_is_named_and_leaves_no_trace(
    registry: Engine, receive: Receive, fault: str
) -> None:
    """The kit learns which event to put aside; the batch is rolled back with the offset."""
    bad = spoiled(REFUSED[fault])
    with pytest.raises(PoisonError) as caught:
        receive(event_of(bmi("48.25")), bad)
    assert caught.value.event is bad
    assert (current(registry, "observation"), changes(registry)) == ([], [])


@pytest.mark.parametrize("fault", REFUSED_BY_POSTGRESQL)
def test_event_the_database_refuses_is_found_among_good_ones(postgres_url: str, fault: str) -> None:
    """PostgreSQL refuses a whole batch; the one at fault is named, and the others can be written in the same transaction."""
    engine = open_registry(postgres_url)
    good, bad = event_of(bmi("48.25")), spoiled(REFUSED_BY_POSTGRESQL[fault])
    with engine.begin() as connection:
        with pytest.raises(PoisonError) as caught:
            apply(connection, [good, bad])
        apply(connection, [good])
    assert caught.value.event is bad
    assert [row["id"] for row in current(engine, "observation")] == [good.record_id]
    engine.dispose()


@pytest.mark.slow
def test_what_this_version_does_not_know_is_kept_and_ignored(registry: Engine, receive: Receive) -> None:
    """An unknown record type is in the history alone; an unknown field in its event; neither stops what comes with it."""
    genome = b'{"record": {"type": "genome", "id": "x"}, "change": {}, "provenance": {}}'
    receive(received("genome", record_id("x"), subject_id("ada"), "north", 1, "recorded", genome), event_of(bmi("48")))
    assert len(current(registry, "observation")) == 1
    assert changes(registry) == [(1, "recorded", True)] * 2


def test_a_newer_version_reads_what_an_older_one_kept(registry: Engine, receive: Receive) -> None:
    """Of a type that had no table, and of a field that had no column: from the history, the current state alone."""
    allergies = [full(RECORD_TYPES["allergy"]).model_copy(update={"id": record_id(name)}) for name in ("a", "b")]
    receive(*map(event_of, allergies), event_of(bmi("48", interpretation="L")), event_of(bmi("1", id=record_id("o"))))
    receive(event_of(allergies[1], sequence=2, withdrawn=True))
    with registry.begin() as connection:
        connection.execute(text("drop table allergy"))
        connection.execute(text("alter table observation drop column interpretation"))
    with registry.begin() as connection:
        upgrade(connection)
    assert [row["id"] for row in current(registry, "allergy")] == [record_id("a")]
    assert sorted(str(row["interpretation"]) for row in current(registry, "observation")) == ["L", "None"]


def finished(
    site: str = "north", *, load: str = "north/1", event: LoadEventType = LoadEventType.COMPLETED, **given: Any
) -> LoadEvent:
    """A load event of a site."""
    started = datetime(2026, 11, 2, 5, tzinfo=UTC)
    return LoadEvent(load=load, site=site, event=event, mode="full", started=started, **given)


def test_repeated_started_event_does_not_reopen_a_load(registry: Engine) -> None:
    """A load's last word stands when its first is delivered again."""
    completed = finished(types={"Observation": TypeCounts(read=3, mapped=3)}, published=3)
    with registry.begin() as connection:
        apply_loads(
            connection, [finished(event=LoadEventType.STARTED), completed, finished(event=LoadEventType.STARTED)]
        )
    (row,) = TestClient(make_app(registry)).get("/loads").json()
    assert (row["event"], row["published"], row["types"]["Observation"]["read"]) == ("completed", 3, 3)


def test_not_loaded_differs_from_none(registry: Engine, receive: Receive) -> None:
    """Completeness tells a type the site has nothing of from one it never brought."""
    up_to = datetime(2026, 11, 2, 4, tzinfo=UTC)
    gap = Gap(resource_type="Observation", reason="timeout")
    loaded = finished(watermarks={"Observation": up_to, "Immunization": up_to}, gaps=[gap])
    receive(event_of(bmi("48")))
    with registry.begin() as connection:
        apply_loads(connection, [loaded, finished("west", load="west/1", event=LoadEventType.FAILED, error="EHR down")])
    north, west = TestClient(make_app(registry)).get("/completeness").json()
    states = {name: north["types"][name]["state"] for name in ("Observation", "Immunization", "Procedure")}
    assert states == {"Observation": "loaded", "Immunization": "none", "Procedure": "not loaded"}
    assert north["types"]["Observation"]["gaps"][0]["reason"] == "timeout"
    assert (west["last_event"], west["last_completed"]) == ("failed", None)


def test_a_load_with_gaps_is_partial_until_one_without_them(registry: Engine) -> None:
    """A type that did not come has no watermark in its load; its gap is shown all the same, until the type is read again."""
    up_to = datetime(2026, 11, 2, 4, tzinfo=UTC)
    gap = Gap(
        resource_type="Condition", reason="not delivered", cause="not-delivered", fix="Deliver it.", who="site IT"
    )
    read = {name: TypeCounts(read=1, mapped=1) for name in ("Patient", "Condition")}

    def told(number: int, **given: Any) -> dict[str, Any]:
        with registry.begin() as connection:
            apply_loads(connection, [finished(load=f"north/{number}", **given)])
        (north,) = TestClient(make_app(registry)).get("/completeness").json()
        return dict(north)

    first = told(1, types=read, watermarks={"Patient": up_to}, gaps=[gap])
    assert first["last_status"] == "partial"
    assert first["types"]["Condition"]["gaps"][0]["fix"] == "Deliver it."
    of_others = told(2, types={"Patient": read["Patient"]}, watermarks={"Patient": up_to})
    assert (of_others["last_status"], len(of_others["types"]["Condition"]["gaps"])) == ("completed", 1)
    whole = told(3, types=read, watermarks=dict.fromkeys(read, up_to))
    assert (whole["last_status"], whole["types"]["Condition"]["gaps"]) == ("completed", [])
    failed = told(4, event=LoadEventType.FAILED, gaps=[gap])
    assert (failed["last_status"], len(failed["types"]["Condition"]["gaps"])) == ("failed", 1)


def test_records_are_read_page_by_page(registry: Engine, receive: Receive) -> None:
    """Keyset paging gives every record of a site once."""
    people = [
        Person(id=record_id(f"{n}"), subject=subject_id(f"{n}"), site="north" if n % 2 else "west") for n in range(10)
    ]
    receive(*map(event_of, people))
    client, seen, after = TestClient(make_app(registry)), [], ""
    while after is not None:
        page = client.get("/records/person", params={"site": "north", "limit": 2, "after": after}).json()
        seen += [row["id"] for row in page["records"]]
        after = page["next"]
    assert seen == sorted(person.id for person in people if person.site == "north")
    wanted = {"subject": people[4].subject}
    assert [row["id"] for row in client.get("/records/person", params=wanted).json()["records"]] == [people[4].id]


def test_history_of_a_record_is_read(registry: Engine, receive: Receive) -> None:
    """The history holds the events as they came."""
    receive(event_of(bmi("48.25")), event_of(bmi("48.25"), sequence=2, withdrawn=True))
    client = TestClient(make_app(registry))
    first, second = client.get(f"/records/observation/{record_id('bmi')}/history").json()
    assert (first["value"]["record"]["value"], second["op"], second["value"]) == (48.25, "withdrawn", None)
    assert client.get(f"/records/observation/{record_id('none')}/history").status_code == 404


def test_wrong_questions_get_a_plain_answer(small_registry: Engine) -> None:
    """An unknown type, a page too large, a path outside the schemas: refused."""
    client = TestClient(make_app(small_registry))
    assert "observation" in client.get("/records/obs").json()["detail"]
    assert client.get("/records/person", params={"limit": 10**6}).status_code == 422
    assert client.get("/schemas/..%2Fsite.v1.json").status_code in (404, 422)
    assert client.get("/health").json() == {"status": "ok"}
    assert client.post("/records/person").status_code == 405


def test_schema_of_every_record_type_is_served(small_registry: Engine) -> None:
    """Where `ce_dataschema` points, there is the schema."""
    client = TestClient(make_app(small_registry))
    for name in RECORD_TYPES:
        assert client.get(f"/schemas/{name}.v1.json").json()["required"] == ["record", "change", "provenance"]


def test_what_a_released_version_promised_is_served_too(small_registry: Engine) -> None:
    """Whoever was written against it finds it, whatever was added since."""
    client = TestClient(make_app(small_registry))
    served = client.get("/schemas").json()
    assert set(served["released"]) == {each.name for each in (Path(schemas.__file__).parent / "released").iterdir()}
    for address in [*served["current"], *(each for some in served["released"].values() for each in some)]:
        assert client.get(address).json()["$schema"], address
    assert "/schemas/released/0.1.0/observation.v1.json" in served["released"]["0.1.0"]
    assert client.get("/schemas/released/0.1.0/nothing.v1.json").status_code == 404
    assert client.get("/schemas/released/9.9.9/observation.v1.json").status_code == 404
    assert client.get("/schemas/released/..%2f0/observation.v1.json").status_code in (404, 422)


def test_opening_again_changes_nothing(registry: Engine) -> None:
    """A registry of this version needs no statement."""
    with registry.begin() as connection:
        assert upgrade(connection) == []


def test_new_optional_field_gets_its_column(registry: Engine, receive: Receive) -> None:
    """A registry of an older model gains what is new, keeps what is old, and keeps its records."""
    with registry.begin() as connection:
        connection.execute(text("alter table observation drop column interpretation"))
        connection.execute(text("alter table observation add column retired text"))
        connection.execute(text("drop table device_use"))
        connection.execute(text("drop index person_subject"))
    with registry.begin() as connection:
        announced = planned(connection)
        assert upgrade(connection) == announced
    assert any(statement.startswith("ALTER TABLE observation ADD COLUMN interpretation") for statement in announced)
    receive(event_of(bmi("48", interpretation="L")))
    with registry.connect() as connection:
        found = Table("observation", MetaData(), autoload_with=connection)
        row = connection.execute(select(found)).mappings().one()
        assert (row["interpretation"], row["retired"]) == ("L", None)
        assert planned(connection) == []


def test_column_of_another_type_stops_the_registry(postgres_url: str) -> None:
    """What cannot be evolved by adding is refused, by name."""
    engine = open_registry(postgres_url)
    row = "insert into observation (id, subject, site, sequence, event_time) values ('r', 's', 'north', 1, now())"
    with engine.begin() as connection:
        connection.execute(text("alter table observation alter column value type text"))
        connection.execute(text(row))
    with engine.begin() as connection, pytest.raises(OperatorError, match=r"observation\.value"):
        upgrade(connection)
    engine.dispose()


def test_table_without_a_row_is_made_anew(registry: Engine, receive: Receive) -> None:
    """A record type that nothing fed before may be another in this version: a registry of before goes on."""
    with registry.begin() as connection:
        connection.execute(text("drop table allergy"))
        connection.execute(text("create table allergy (id text primary key, reactions text, subject text, site text)"))
        upgrade(connection)
        assert planned(connection) == []
    receive(event_of(full(RECORD_TYPES["allergy"])))
    assert len(current(registry, "allergy")) == 1


def test_registry_that_cannot_be_reached_says_so_without_its_password(tmp_path: Path) -> None:
    """A dead database is temporary; a wrong address is the operator's; neither shows the password."""
    with pytest.raises(TemporaryError) as caught:
        open_registry("postgresql://registry:s3cret@127.0.0.1:1/x")
    assert "127.0.0.1:1" in caught.value.cause
    assert "s3cret" not in caught.value.cause
    with pytest.raises(OperatorError):
        connect("not an address")
    with pytest.raises(OperatorError, match="mysql"):
        connect("mysql://x/y")


@pytest.mark.parametrize("wide", [False, True], ids=["made here", "lying open"])
def test_registry_in_a_file_is_its_owners_alone(tmp_path: Path, wide: bool) -> None:
    """The file, what SQLite puts beside it, and the folder made for them; or found there, open to others."""
    if wide:
        (tmp_path / "state").mkdir(mode=0o755)
        (tmp_path / "state" / "registry.db").touch(0o644)
    open_registry(f"sqlite:///{tmp_path / 'state' / 'registry.db'}").dispose()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    files = list((tmp_path / "state").iterdir())
    assert files
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_every_table_tells_what_its_columns_mean() -> None:
    """The descriptions of the model stand in the database."""
    assert metadata.tables["observation"].c.value.comment == Observation.model_fields["value"].description
