"""Whatever is put on the topics, the consumer goes on: what cannot be used is a dead letter, and no handler sees it."""

import gzip
import json

import pytest
from fastapi.testclient import TestClient
from services_cases import KafkaRecord, record_id, subject_id
from sqlalchemy import select

from mainstem.consumer.received import LetterReason, read_event, read_load
from mainstem.kafka.envelopes import id_of
from schemas.events import outcome_topic
from schemas.loads import LoadEvent, load_topic
from schemas.outcomes import RECORD_TYPES
from services.registry.api import make_app
from services.registry.database import open_registry
from services.registry.handler import apply, apply_loads
from services.registry.tables import RECORD_TABLES

MINE, OTHER = record_id("mine"), record_id("another child's")
SUBJECT = subject_id("ada")
KEY = f"{SUBJECT}/{MINE}".encode()
HEADERS = {
    "ce_specversion": b"1.0",
    "ce_id": id_of(f"{MINE}/1.1".encode()),
    "ce_source": b"/site/north",
    "ce_type": b"lhn.outcome.recorded.v1",
    "ce_time": b"2026-03-02T05:00:00Z",
    "ce_subject": MINE.encode(),
    "ce_dataschema": b"/schemas/observation.v1.json",
    "ce_sequence": b"1.1",
    "content-type": b"application/json",
}
RECORD = {"type": "observation", "id": MINE, "subject": SUBJECT, "site": "north", "code": "4548-4", "value": 7.1}
CHANGE = {"op": "recorded", "sequence": 1, "previous": 0, "digest": "0" * 32}
PROVENANCE = {"site": "north", "source": [], "load": "north/1", "mapping": "observation@1", "software": "0.1.0"}


def value(*, change=None, provenance=None, **record) -> bytes:
    """An event's value; what is given differs from the headers."""
    parts = {
        "record": RECORD | record,
        "change": CHANGE | (change or {}),
        "provenance": PROVENANCE | (provenance or {}),
    }
    return json.dumps(parts).encode()


GOOD = value()
DEEP = GOOD.replace(b'"code": ', b'"x": ' + b"[" * 100_000 + b"]" * 100_000 + b', "code": ')

POISONS: dict[str, tuple[str, dict]] = {
    "no id": ("missing-header", {"ce_id": None}),
    "no type": ("missing-header", {"ce_type": None}),
    "no time": ("missing-header", {"ce_time": None}),
    "no subject": ("missing-header", {"ce_subject": None}),
    "no schema": ("missing-header", {"ce_dataschema": None}),
    "no sequence": ("missing-header", {"ce_sequence": None}),
    "no source": ("missing-header", {"ce_source": None}),
    "id that is none": ("invalid-header", {"ce_id": b"1; drop table history"}),
    "id of a megabyte": ("invalid-header", {"ce_id": b"a" * 100_000}),
    "sequence in words": ("invalid-header", {"ce_sequence": b"1.four"}),
    "sequence without epoch": ("invalid-header", {"ce_sequence": b"4"}),
    "sequence zero": ("invalid-header", {"ce_sequence": b"1.0"}),
    "sequence below zero": ("invalid-header", {"ce_sequence": b"1.-3"}),
    "sequence of 64 bits": ("invalid-header", {"ce_sequence": b"1.9223372036854775808"}),
    "sequence of 10,000 digits": ("invalid-header", {"ce_sequence": b"1." + b"9" * 10_000}),
    "epoch of 32 bits": ("invalid-header", {"ce_sequence": b"2147483648.1"}),
    "sequence with an underscore": ("invalid-header", {"ce_sequence": b"1.1_0"}),
    "sequence in Arabic digits": ("invalid-header", {"ce_sequence": "1.٣".encode()}),
    "time in words": ("invalid-header", {"ce_time": b"yesterday"}),
    "time without zone": ("invalid-header", {"ce_time": b"2026-03-02T05:00:00"}),
    "time before time": ("invalid-header", {"ce_time": b"0001-01-01T00:00:00+14:00"}),
    "time after time": ("invalid-header", {"ce_time": b"9999-12-31T23:59:59-14:00"}),
    "time not UTF-8": ("invalid-header", {"ce_time": b"\xff\xfe"}),
    "schema elsewhere": ("invalid-header", {"ce_dataschema": b"https://evil.example/observation"}),
    "schema not UTF-8": ("invalid-header", {"ce_dataschema": b"/schemas/\xff.v1.json"}),
    "schema of the next major": ("unknown-version", {"ce_dataschema": b"/schemas/observation.v2.json"}),
    "type of the next major": ("unknown-version", {"ce_type": b"lhn.outcome.recorded.v2"}),
    "type never heard of": ("invalid-header", {"ce_type": b"lhn.outcome.guessed.v1"}),
    "type of a load": ("invalid-header", {"ce_type": b"lhn.load.recorded.v1"}),
    "type of one word": ("invalid-header", {"ce_type": b"recorded"}),
    "CloudEvents 2": ("unknown-version", {"ce_specversion": b"2.0"}),
    "XML": ("invalid-header", {"content-type": b"application/xml"}),
    "source that is no site": ("invalid-header", {"ce_source": b"/network/lhn"}),
    "source with a path": ("invalid-header", {"ce_source": b"/site/../west"}),
    "subject of another form": ("contradiction", {"ce_subject": b"Patient/123"}),
    "header without a value": ("invalid-header", {"ce_source": b""}),
    "subject of another record": ("contradiction", {"ce_subject": OTHER.encode()}),
    "no key": ("invalid-header", {"key": None}),
    "key of another form": ("invalid-header", {"key": b"\xff" * 69}),
    "key with upper case": ("invalid-header", {"key": KEY.upper()}),
    "key of another record": ("contradiction", {"key": f"{SUBJECT}/{OTHER}".encode()}),
    "value of another record": ("contradiction", {"value": value(id=OTHER)}),
    "value of another child": ("contradiction", {"value": value(subject=subject_id("bob"))}),
    "value of another site": ("contradiction", {"value": value(site="west")}),
    "value from another site": ("contradiction", {"value": value(provenance={"site": "west"})}),
    "value of another type": ("contradiction", {"value": value(type="person")}),
    "value of another sequence": ("contradiction", {"value": value(change={"sequence": 2})}),
    "value of another change": ("contradiction", {"value": value(change={"op": "amended"})}),
    "withdrawal with a value": ("contradiction", {"ce_type": b"lhn.outcome.withdrawn.v1"}),
    "recorded without a value": ("contradiction", {"value": None}),
    "bytes": ("invalid-json", {"value": b"\xff\xfe not json"}),
    "half a value": ("invalid-json", {"value": GOOD[:-20]}),
    "empty": ("invalid-json", {"value": b""}),
    "deep": ("invalid-json", {"value": DEEP}),
    "not UTF-8 somewhere": ("invalid-json", {"value": GOOD.replace(b"4548-4", b"\xff")}),
    "a list": ("invalid-record", {"value": b"[1, 2]"}),
    "no parts": ("invalid-record", {"value": b"{}"}),
    "empty parts": ("invalid-record", {"value": b'{"record":{},"change":{},"provenance":{}}'}),
    "sequence beyond 64 bits in the value": ("contradiction", {"value": value(change={"sequence": 2**80})}),
    "two ids": ("invalid-header", {"more": [("ce_id", HEADERS["ce_id"])]}),
    "two subjects": ("invalid-header", {"more": [("ce_subject", OTHER.encode())]}),
    "two sources": ("invalid-header", {"more": [("ce_source", b"/site/west")]}),
    "no origin": ("invalid-record", {"value": GOOD.replace(b'"site": "north", "source"', b'"source"')}),
    "id in upper case": ("invalid-header", {"ce_id": HEADERS["ce_id"].upper()}),
    "id with a NUL behind it": ("invalid-header", {"ce_id": HEADERS["ce_id"] + b"\0"}),
    "id in UTF-16": ("invalid-header", {"ce_id": HEADERS["ce_id"].decode().encode("utf-16")}),
    "sequence as a float": ("invalid-header", {"ce_sequence": b"1.1e0"}),
    "sequence with a third part": ("invalid-header", {"ce_sequence": b"1.1.0"}),
    "sequence behind a blank": ("invalid-header", {"ce_sequence": b" 1.1"}),
    "sequence with a line end": ("invalid-header", {"ce_sequence": b"1.1\n"}),
    "sequence with a NUL": ("invalid-header", {"ce_sequence": b"1.1\0"}),
    "sequence with leading zeros": ("invalid-header", {"ce_sequence": b"1.001"}),
    "epoch zero": ("invalid-header", {"ce_sequence": b"0.1"}),
    "epoch below zero": ("invalid-header", {"ce_sequence": b"-1.1"}),
    "time with its zone in letters": ("invalid-header", {"ce_time": b"2026-03-02T05:00:00 CET"}),
    "time in seconds since 1970": ("invalid-header", {"ce_time": b"1772427600"}),
    "time of a second that no clock shows": ("invalid-header", {"ce_time": b"2026-03-02T05:00:61Z"}),
    "time of a day that is none": ("invalid-header", {"ce_time": b"2026-02-30T05:00:00Z"}),
    "time in UTF-16": ("invalid-header", {"ce_time": "2026-03-02T05:00:00Z".encode("utf-16")}),
    "a date for a time": ("invalid-header", {"ce_time": b"2026-03-02"}),
    "type with a network that is no text": ("invalid-header", {"ce_type": b"\xff\x00.outcome.recorded.v1"}),
    "type without a network": ("invalid-header", {"ce_type": b".outcome.recorded.v1"}),
    "type with a blank": ("invalid-header", {"ce_type": b"lhn.outcome.recorded .v1"}),
    "schema of major 0": ("unknown-version", {"ce_dataschema": b"/schemas/observation.v0.json"}),
    "schema of a major of 100 digits": (
        "invalid-header",
        {"ce_dataschema": b"/schemas/observation.v" + b"9" * 100 + b".json"},
    ),
    "schema up a folder": ("invalid-header", {"ce_dataschema": b"/schemas/../observation.v1.json"}),
    "source in upper case": ("invalid-header", {"ce_source": b"/site/NORTH"}),
    "source with a line end": ("invalid-header", {"ce_source": b"/site/north\n"}),
    "source with a NUL": ("invalid-header", {"ce_source": b"/site/north\0"}),
    "another charset": ("invalid-header", {"content-type": b"application/json; charset=utf-16"}),
    "two content types": ("invalid-header", {"more": [("content-type", b"application/json")]}),
    "two times": ("invalid-header", {"more": [("ce_time", HEADERS["ce_time"])]}),
    "header's name in upper case": ("missing-header", {"ce_source": None, "more": [("CE_SOURCE", b"/site/north")]}),
    "key with a line end": ("invalid-header", {"key": KEY + b"\n"}),
    "key of nothing but NULs": ("invalid-header", {"key": bytes(len(KEY))}),
    "key with its parts turned": ("invalid-header", {"key": f"{MINE}/{SUBJECT}".encode()}),
    "withdrawal of another record": (
        "contradiction",
        {"ce_type": b"lhn.outcome.withdrawn.v1", "key": f"{SUBJECT}/{OTHER}".encode(), "value": None},
    ),
    "withdrawal with an empty value": ("invalid-json", {"ce_type": b"lhn.outcome.withdrawn.v1", "value": b""}),
    "amended without a value": ("contradiction", {"ce_type": b"lhn.outcome.amended.v1", "value": None}),
    "unknown type whose value is of a known one": ("contradiction", {"ce_dataschema": b"/schemas/genome.v1.json"}),
    "sequence as a text in the value": ("invalid-record", {"value": value(change={"sequence": "1"})}),
    "sequence and a half in the value": ("invalid-record", {"value": value(change={"sequence": 1.5})}),
    "sequence as yes in the value": ("invalid-record", {"value": value(change={"sequence": True})}),
    "sequence below zero in the value": ("contradiction", {"value": value(change={"sequence": -1})}),
    "a text": ("invalid-record", {"value": b'"observation"'}),
    "a number": ("invalid-record", {"value": b"7.1"}),
    "null in words": ("invalid-record", {"value": b"null"}),
    "a list for a record": ("invalid-record", {"value": b'{"record":[],"change":{},"provenance":{}}'}),
    "a list for an id": ("invalid-record", {"value": value(id=[MINE])}),
    "no number for a value": ("invalid-json", {"value": GOOD.replace(b"7.1", b"NaN")}),
    "infinity": ("invalid-json", {"value": GOOD.replace(b"7.1", b"Infinity")}),
    "hexadecimal": ("invalid-json", {"value": GOOD.replace(b"7.1", b"0x7")}),
    "a comma too many": ("invalid-json", {"value": GOOD.replace(b"7.1", b"7.1,")}),
    "single quotes": ("invalid-json", {"value": GOOD.replace(b'"', b"'")}),
    "two values": ("invalid-json", {"value": GOOD + GOOD}),
    "a NUL behind": ("invalid-json", {"value": GOOD + b"\0"}),
    "a mark of byte order": ("invalid-json", {"value": b"\xef\xbb\xbf" + GOOD}),
    "UTF-16": ("invalid-json", {"value": GOOD.decode().encode("utf-16-le")}),
    "framed by a schema registry": ("invalid-json", {"value": b"\0\0\0\0\x07" + GOOD}),
    "compressed by hand": ("invalid-json", {"value": gzip.compress(GOOD)}),
    "10,000 deep in objects": (
        "invalid-json",
        {"value": GOOD.replace(b'"code": ', b'"x": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b', "code": ')},
    ),
    "1,000 deep in a list": (
        "invalid-json",
        {"value": GOOD.replace(b'"code": ', b'"x": ' + b'["]", ' * 1_000 + b"1" + b"]" * 1_000 + b', "code": ')},
    ),
    "a number of 5,000 digits": ("invalid-json", {"value": GOOD.replace(b"7.1", b"7" * 5_000)}),
    "a number of 100,000 digits in a field of later": (
        "invalid-json",
        {"value": GOOD.replace(b'"code": ', b'"later": -' + b"9" * 100_000 + b'.5, "code": ')},
    ),
    "a key twice, the last of another record": (
        "contradiction",
        {"value": GOOD.replace(b'"code": ', b'"id": "%b", "code": ' % OTHER.encode())},
    ),
    "a part twice, the last of another record": ("contradiction", {"value": GOOD[:-1] + b", " + value(id=OTHER)[1:]}),
    "header names in capitals": ("missing-header", {"ce_id": None, "more": [("CE_ID", HEADERS["ce_id"])]}),
    "sequence with a nought before it": ("invalid-header", {"ce_sequence": b"1.01"}),
    "epoch with a nought before it": ("invalid-header", {"ce_sequence": b"01.1"}),
    "sequence of three parts": ("invalid-header", {"ce_sequence": b"1.1.1"}),
    "sequence in full-width digits": ("invalid-header", {"ce_sequence": "１.１".encode()}),
    "sequence with a line's end": ("invalid-header", {"ce_sequence": b"1.1\n"}),
    "sequence with a sign": ("invalid-header", {"ce_sequence": b"+1.1"}),
    "time of a zone that is none": ("invalid-header", {"ce_time": b"2026-03-02T05:00:00+99:00"}),
    "source with a slash behind it": ("invalid-header", {"ce_source": b"/site/north/"}),
    "source in capitals": ("invalid-header", {"ce_source": b"/site/North"}),
    "schema at another's address": (
        "invalid-header",
        {"ce_dataschema": b"https://evil.example/schemas/observation.v1.json"},
    ),
    "schema with a question": ("invalid-header", {"ce_dataschema": b"/schemas/observation.v1.json?x=1"}),
    "schema of version 01": ("unknown-version", {"ce_dataschema": b"/schemas/observation.v01.json"}),
    "type in capitals": ("invalid-header", {"ce_type": b"lhn.outcome.Recorded.v1"}),
    "type of a deed unknown": ("invalid-header", {"ce_type": b"lhn.outcome.deleted.v1"}),
    "type with a space before it": ("invalid-header", {"ce_type": b" lhn.outcome.recorded.v1"}),
    "key in capitals": ("invalid-header", {"key": KEY.upper()}),
    "key with a line's end": ("invalid-header", {"key": KEY + b"\n"}),
    "key of a subject alone": ("invalid-header", {"key": SUBJECT.encode()}),
    "content with a character set": ("invalid-header", {"content-type": b"application/json; charset=latin-1"}),
    "CloudEvents of nothing": ("unknown-version", {"ce_specversion": b""}),
    "sequence one point nought in the value": ("invalid-record", {"value": value(change={"sequence": 1.0})}),
    "deed of nothing in the value": ("invalid-record", {"value": value(change={"op": None})}),
    "deed in capitals in the value": ("contradiction", {"value": value(change={"op": "Recorded"})}),
    "site of nothing in the provenance": ("invalid-record", {"value": value(provenance={"site": None})}),
    "empty site in the record": ("contradiction", {"value": value(site="")}),
    "empty subject in the record": ("contradiction", {"value": value(subject="")}),
    "id in capitals in the value": ("contradiction", {"value": value(id=MINE.upper())}),
    "type of nothing in the value": ("invalid-record", {"value": value(type=None)}),
    "withdrawn in words": ("contradiction", {"value": value(change={"op": "withdrawn"})}),
}
"""What the kit itself refuses: reason, and what differs from a good event."""

REFUSED_BY_THE_REGISTRY = {
    "a word for a number": value(value="seven"),
    "a date from a spreadsheet": value(effective_date="3/2/26"),
    "a time before time": value(effective="0001-01-01T00:00:00+14:00"),
    "a time after time": value(effective="9999-12-31T23:59:59-14:00"),
    "a time without zone": value(effective="2026-03-02T09:10:00"),
    "a list for a code": value(code=["4548-4"]),
    "a number for a list": value(category=5),
    "a text for a list": value(category="vital-signs"),
    "an object for a list": value(category={"0": "vital-signs"}),
    "nothing for a list": value(category=None),
    "numbers for texts": value(category=[1, 2]),
    "texts for codings": value(codings=["4548-4"]),
    "a coding without a code": value(codings=[{"system": 5}]),
    "a number for the flags": value(provenance={"flags": 5}),
    "a text for the flags": value(provenance={"flags": "unit-converted"}),
    "more than there is of anything": GOOD.replace(b"7.1", b"1e999"),
    "less than there is of anything": GOOD.replace(b"7.1", b"-1e400"),
}
"""Values that only their reader can judge."""


def kafka_record(changed: dict) -> KafkaRecord:
    """A good event as Kafka gives it, but for what is changed."""
    headers = HEADERS | {name: text for name, text in changed.items() if name in HEADERS}
    if "ce_id" not in changed and None not in (headers["ce_subject"], headers["ce_sequence"]):
        headers["ce_id"] = id_of(b"%b/%b" % (headers["ce_subject"], headers["ce_sequence"]))
    given = [(name, text) for name, text in headers.items() if text is not None]
    return KafkaRecord(changed.get("key", KEY), changed.get("value", GOOD), given + changed.get("more", []))


@pytest.mark.parametrize("fault", POISONS)
def test_poison_is_known_before_any_handler(fault):
    """Every row names its reason; the good event that all of them are made from is an event."""
    reason, changed = POISONS[fault]
    assert read_event(kafka_record(changed)) == LetterReason(reason)
    assert read_event(kafka_record({})).record_id == MINE


def test_header_without_even_an_empty_value_is_poison():
    """Other clients than ours write such ones. Of a name that is none of the contract's it does not matter."""
    for name in HEADERS:
        nothing = kafka_record({name: None, "more": [(name, None)]})
        assert isinstance(read_event(nothing), LetterReason), name
    assert read_event(kafka_record({"more": [("x-other", None)]})).record_id == MINE


def test_largest_numbers_that_the_ledger_holds_are_taken():
    """The bounds are those of the database's columns, no less."""
    largest = 2**63 - 1
    changed = {"ce_sequence": b"2147483647.%d" % largest, "value": value(change={"sequence": largest})}
    assert read_event(kafka_record(changed)).sequence == largest


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_registry_goes_on_whatever_is_on_its_topics(stream, outbox, observe, tmp_path, database, request):
    """All poisons at once, around good events and an unknown record type: the good ones are in the registry, each poison is one dead
    letter with its reason and place, nothing of another record is touched, and the next run has nothing left to do."""
    url = f"sqlite:///{tmp_path / 'registry.db'}" if database == "sqlite" else request.getfixturevalue("postgres_url")
    engine = open_registry(url)
    observe(outbox, 1)
    stream.publish(outbox)
    poisons = [changed for _, changed in POISONS.values()]
    stream.send_all(poisons_as_sent(poisons + [{"value": refused} for refused in REFUSED_BY_THE_REGISTRY.values()]))
    stream.send_all(poisons_as_sent([{"ce_dataschema": b"/schemas/genome.v1.json", "value": value(type="genome")}] * 3))
    observe(outbox, 2)
    stream.publish(outbox)

    with stream.consumer(engine, apply, load_handler=apply_loads) as consumer:
        assert consumer.run_until_caught_up(timeout=60) == 2
        assert consumer.run_until_caught_up(timeout=60) == 0
        assert consumer.ignored == {"genome": 3}

    with engine.connect() as db:
        assert {row.site for row in db.execute(select(RECORD_TABLES["observation"]))} == {"north"}
        assert all(
            len(db.execute(select(table)).all()) == (2 if name == "observation" else 0)
            for name, table in RECORD_TABLES.items()
        )
    letters = stream.records("dlq.test")
    places = {(letter_facts(letter)["partition"], letter_facts(letter)["offset"]) for letter in letters}
    expected = sorted([reason for reason, _ in POISONS.values()] + ["invalid-record"] * len(REFUSED_BY_THE_REGISTRY))
    assert sorted(letter_facts(letter)["reason"] for letter in letters) == expected
    assert len(places) == len(letters)
    assert {letter_facts(letter)["topic"] for letter in letters} == {outcome_topic(stream.network)}
    api = TestClient(make_app(engine))
    for where in ("/records/observation", "/export/observation", f"/records/observation/{MINE}/history"):
        assert api.get(where).status_code in (200, 404), where
    engine.dispose()


def poisons_as_sent(changed: list[dict]) -> list[tuple]:
    records = [kafka_record(one) for one in changed]
    return [(record.key, record.value, record.headers) for record in records]


def letter_facts(letter) -> dict[str, str]:
    return {name: text.decode() for name, text in letter.headers}


LOAD = {"load": "north/1", "site": "north", "event": "completed", "mode": "full", "started": "2026-03-02T05:00:00Z"}
LOAD_HEADERS = HEADERS | {
    "ce_type": b"lhn.load.completed.v1",
    "ce_subject": b"north/1",
    "ce_dataschema": b"/schemas/load.v1.json",
    "ce_sequence": None,
}


def load_record(changed: dict) -> KafkaRecord:
    """A load that is sound, but for what is changed: headers by their name, `key`, `value`, fields of the load."""
    load = LOAD | {name: field for name, field in changed.items() if name in LoadEvent.model_fields}
    headers = LOAD_HEADERS | {"ce_subject": load["load"].encode()}
    headers["ce_id"] = id_of(f"{load['load']}/{load['event']}".encode())
    headers |= {name: text for name, text in changed.items() if name in HEADERS}
    given = [(name, text) for name, text in headers.items() if text is not None] + changed.get("more", [])
    return KafkaRecord(changed.get("key", b"north"), changed.get("value", json.dumps(load).encode()), given)


LOAD_POISONS: dict[str, tuple[str, dict]] = {
    "bytes": ("invalid-record", {"value": b"\xff"}),
    "nothing": ("invalid-record", {"value": None}),
    "a list": ("invalid-record", {"value": b"[]"}),
    "deep": ("invalid-record", {"value": b"[" * 100_000}),
    "a surrogate alone": (
        "invalid-record",
        {"value": json.dumps(LOAD).encode().replace(b"north/1", b"north/\\ud800")},
    ),
    "another's key": ("contradiction", {"key": b"west"}),
    "no key": ("contradiction", {"key": None}),
    "another's source": ("contradiction", {"ce_source": b"/site/west"}),
    "another event": ("contradiction", {"ce_type": b"lhn.load.failed.v1"}),
    "another load": ("contradiction", {"ce_subject": b"north/2"}),
    "no type": ("missing-header", {"ce_type": None}),
    "no source": ("missing-header", {"ce_source": None}),
    "no id": ("missing-header", {"ce_id": None}),
    "no time": ("missing-header", {"ce_time": None}),
    "no subject": ("missing-header", {"ce_subject": None}),
    "no schema": ("missing-header", {"ce_dataschema": None}),
    "no word": ("invalid-header", {"ce_type": b"lhn.load.v1"}),
    "type of an outcome": ("invalid-header", {"ce_type": b"lhn.outcome.completed.v1"}),
    "type not UTF-8": ("invalid-header", {"ce_type": b"lhn.load.\xff.v1"}),
    "time in words": ("invalid-header", {"ce_time": b"today"}),
    "time without zone": ("invalid-header", {"ce_time": b"2026-03-02T05:00:00"}),
    "id of another form": ("invalid-header", {"ce_id": b"1"}),
    "source with a path": ("invalid-header", {"ce_source": b"/site/../north"}),
    "source of a group": ("invalid-header", {"ce_source": b"/consumer/north"}),
    "schema of another topic": ("invalid-header", {"ce_dataschema": b"/schemas/subject.v1.json"}),
    "subject of nothing": ("invalid-header", {"ce_subject": b""}),
    "a load of a megabyte": ("invalid-header", {"load": "north/" + "1" * 1_000_000}),
    "sequence in words": ("invalid-header", {"ce_sequence": b"first"}),
    "two sources": ("invalid-header", {"more": [("ce_source", b"/site/west")]}),
    "XML": ("invalid-header", {"content-type": b"application/xml"}),
    "CloudEvents 2": ("unknown-version", {"ce_specversion": b"2.0"}),
    "type of the next major": ("unknown-version", {"ce_type": b"lhn.load.completed.v2"}),
    "schema of the next major": ("unknown-version", {"ce_dataschema": b"/schemas/load.v2.json"}),
    "a time before time": ("invalid-record", {"started": "0001-01-01T00:00:00+14:00"}),
    "a time without zone": ("invalid-record", {"ended": "2026-03-02T05:00:00"}),
    "figures beyond 64 bits": ("invalid-record", {"published": 2**70}),
    "fewer than none": ("invalid-record", {"published": -1}),
    "a word for a list": ("invalid-record", {"gaps": "none"}),
}


@pytest.mark.parametrize("fault", LOAD_POISONS)
def test_poisoned_load_is_known_before_any_handler(fault):
    """The same for the sites' loads."""
    reason, changed = LOAD_POISONS[fault]
    assert read_load(load_record(changed)) == LetterReason(reason)
    assert read_load(load_record({})).site == "north"


@pytest.mark.slow
def test_load_that_the_database_refuses_is_put_aside(stream, postgres_url):
    """A NUL in a load's name: a dead letter; the loads around it are in the registry."""
    engine = open_registry(postgres_url)
    loads = [LOAD, LOAD | {"load": "north/\0"}, LOAD | {"load": "north/2"}]
    sent = [load_record(load) for load in loads]
    stream.send_all([(record.key, record.value, record.headers) for record in sent], topic="load.v1")

    with stream.consumer(engine, apply, load_handler=apply_loads) as consumer:
        consumer.run_until_caught_up(timeout=60)

    (letter,) = stream.records("dlq.test")
    assert letter_facts(letter)["topic"] == load_topic(stream.network)
    with engine.connect() as db:
        kept = db.exec_driver_sql("select load from load order by load").scalars().all()
    assert kept == ["north/1", "north/2"]
    engine.dispose()


def test_letter_too_large_for_its_topic_keeps_its_place_without_the_value(
    stream, outbox, observe, latest_of, sqlite_engine
):
    """A value that compressed to little on its way here would be refused as a letter for ever; the letter says where it lies."""
    huge = b"x" * 3_000_000
    stream.send_all([(KEY, huge, list(HEADERS.items()))], compression_type="lz4", max_request_size=10_000_000)
    observe(outbox, 1)
    stream.publish(outbox)

    with stream.consumer(sqlite_engine, latest_of(sqlite_engine), attempts=1) as consumer:
        assert consumer.run_until_caught_up() == 1

    (letter,) = stream.records("dlq.test")
    assert letter.value is None
    assert letter_facts(letter)["left-out-bytes"] == str(len(KEY) + len(huge))


def test_table_covers_every_reason():
    """A reason without a row would be untried."""
    others = {
        LetterReason.FOREIGN_SITE,
        LetterReason.FOREIGN_NETWORK,
        LetterReason.HELD,
        LetterReason.GONE,
    }  # not by what stands in an event alone
    assert {reason for reason, _ in POISONS.values()} == set(LetterReason) - others
    assert "genome" not in RECORD_TYPES


@pytest.mark.parametrize("text", ["[" * 3_000, "9" * 1_999, '{"[' * 1_000 + '\\"[[['])
def test_what_only_looks_deep_or_long_is_an_event(text):
    """In a text, brackets nest nothing and digits are no number."""
    found = read_event(kafka_record({"value": value(note=text)}))
    assert found.outcome.record.id == MINE


def test_a_key_that_stands_twice_means_one_record_to_all_who_read(postgres_url):
    """The last counts, for the kit, its handlers and the registry: what was compared with the headers is what is kept."""
    twice = GOOD.replace(b'"id": ', b'"id": "%b", "id": ' % OTHER.encode())
    event = read_event(kafka_record({"value": value(id=OTHER)[:-1] + b", " + twice[1:]}))
    assert event.outcome.record.id == MINE
    engine = open_registry(postgres_url)
    with engine.begin() as db:
        apply(db, [event])
        assert db.scalars(select(RECORD_TABLES["observation"].c.id)).all() == [MINE]
    engine.dispose()
