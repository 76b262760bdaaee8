"""The publisher on the real state: what is pending there is what travels, and only that."""

import json
from datetime import UTC, datetime
from hashlib import blake2b

import pytest
from states import save

from mainstem.state import State
from schemas.errors import TemporaryError
from schemas.events import WithdrawnBecause
from transforms import Mapper
from transforms.mapped import Mapped

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)


@pytest.fixture
def state(tmp_path):
    opened = State.open(f"sqlite:///{tmp_path}/state/mainstem.db")
    opened.migrate()
    yield opened
    opened.close()


def a1c(number: int, value: str) -> Mapped:
    record = blake2b(b"record%d" % number, digest_size=12).digest() + bytes(4)
    subject = blake2b(b"subject%d" % (number % 7), digest_size=16).digest()
    names = f'"id":"r-{record.hex()}","subject":"s-{subject.hex()}","site":"north"'
    content = f'{{"type":"observation",{names},"value":{value}}}'.encode()
    return Mapped(record, "observation", subject, content, b'"source":[],"mapping":"observation@1"', None)


def test_only_what_changed_in_the_store_travels(stream, state, latest_of, sqlite_engine):
    """First load, one amended, one withdrawn, then nothing: 50 events, 1 + 1 events, none."""
    latest = latest_of(sqlite_engine)
    first = [a1c(number, "7.1") for number in range(50)]
    save(state, "north", first, [], AT)
    assert stream.publish(state.outbox).events == 50

    save(state, "north", [a1c(3, "7.4")], [(first[4].id[:12], None)], AT)
    published = stream.publish(state.outbox)
    assert (published.events, published.tombstones) == (2, 1)

    save(state, "north", [a1c(3, "7.4")], [], AT)
    assert stream.publish(state.outbox).events == 0
    with stream.consumer(sqlite_engine, latest) as consumer:
        assert consumer.run_until_caught_up() == 52
    assert sorted(latest.state().values()) == ["7.1"] * 48 + ["7.4"]
    amended = [record for record in stream.records() if b"amended" in dict(record.headers)["ce_type"]]
    assert [json.loads(record.value)["change"]["previous"] for record in amended] == [1]


def test_a_withdrawal_says_whether_the_source_denies_the_record_or_could_not_be_used(stream, state, sqlite_engine):
    """The header `reason` travels with the tombstone of what is unknown now, and with no other event; the consumer reads it."""
    save(state, "north", [a1c(number, "7.1") for number in range(3)], [], AT)
    stream.publish(state.outbox)
    denied, lost, whole = (a1c(number, "7.1") for number in range(3))
    save(state, "north", [], [(denied.id[:12], None)], AT, unusable=[(lost.id[:12], None)])
    assert stream.publish(state.outbox).tombstones == 2

    headers = {(record.key[-32:].decode(), record.value is None): dict(record.headers) for record in stream.records()}
    told = {place: found["reason"] for place, found in headers.items() if "reason" in found}
    assert told == {(lost.id.hex(), True): b"source-unusable"}
    because = {}

    def note(_connection, events):
        because.update({event.record_key: event.because for event in events})

    with stream.consumer(sqlite_engine, note) as consumer:
        consumer.run_until_caught_up()
    assert because == {denied.id: None, lost.id: WithdrawnBecause.SOURCE_UNUSABLE, whole.id: None}

    save(state, "north", [a1c(1, "7.2")], [], AT)
    stream.publish(state.outbox)
    healed = stream.records()[-1]
    assert dict(healed.headers)["ce_type"].endswith(b".outcome.recorded.v1")
    assert "reason" not in dict(healed.headers)


def filed_under(patient: str) -> Mapped:
    """A panel's one reading, in a patient's chart."""
    resource = {
        "resourceType": "Observation",
        "id": "hr-2",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-04-02T07:30:00Z",
        "valueQuantity": {"value": 88, "code": "/min", "system": "http://unitsofmeasure.org"},
    }
    mapper = Mapper(site="north", time_zone="UTC", subject_key=b"a key of thirty-two bytes, no less")
    (record,) = mapper.map_line(json.dumps(resource).encode()).records
    return record


def test_a_reading_filed_under_the_wrong_patient_is_withdrawn_there_and_recorded_with_the_right_one(stream, state):
    """Two loads: the second has the same resource with another subject. Nobody is left with what is not theirs."""
    wrong, right = filed_under("anna"), filed_under("hanna")
    assert wrong.id == right.id
    save(state, "north", [wrong], [], AT)
    stream.publish(state.outbox)

    save(state, "north", [right], [], AT)
    stream.publish(state.outbox)

    last = {}
    for record in stream.records():
        last[record.key.decode()] = record.value
    key = f"r-{wrong.id.hex()}"
    assert last.keys() == {f"s-{wrong.subject.hex()}/{key}", f"s-{right.subject.hex()}/{key}"}
    assert last[f"s-{wrong.subject.hex()}/{key}"] is None
    assert json.loads(last[f"s-{right.subject.hex()}/{key}"])["record"]["subject"] == f"s-{right.subject.hex()}"


@pytest.mark.slow
def test_second_publisher_of_a_site_is_turned_away(stream, state):
    """While one publishes a site, another is told so and may try again."""
    with state.outbox.publishing("north"), pytest.raises(TemporaryError):
        stream.publish(state.outbox)
