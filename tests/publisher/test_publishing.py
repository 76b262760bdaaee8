"""What a publisher puts on the topic: keys, partitions, headers, values, tombstones; and how it fails."""

import json
import threading
import time
import uuid
from datetime import UTC, datetime

import pytest
from kafka.partitioner import murmur2

from mainstem.kafka.record_batches import BATCH_BYTES
from mainstem.publisher import MAX_EVENT_BYTES, Publisher, event_id_of
from schemas.errors import OperatorError, TemporaryError
from schemas.events import OutcomeEvent
from schemas.loads import LoadEvent, LoadEventType, TypeCounts


def test_published_change_is_the_event_the_schema_describes(stream, outbox, observe):
    """Value, key and every header of a new observation's event are as events.md says."""
    record = observe(outbox, 1, "7.1")

    published = stream.publish(outbox)

    (event,) = stream.records()
    value = OutcomeEvent.model_validate_json(event.value)
    assert (published.events, published.tombstones, published.coalesced) == (1, 0, 0)
    assert event.key.decode() == f"{value.record.subject}/{value.record.id}"
    assert value.record.id == f"r-{record.hex()}"
    assert (value.change.op, value.change.sequence, value.change.previous) == ("recorded", 1, 0)
    assert value.change.digest == outbox.rows[record].digest.hex()
    assert (value.provenance.site, value.provenance.software) == ("north", "0.1.0")
    assert value.provenance.mapping == "observation@1"
    assert dict(event.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": event_id_of(value.record.id, 1, 1).encode(),
        "ce_source": b"/site/north",
        "ce_type": f"{stream.network}.outcome.recorded.v1".encode(),
        "ce_time": b"2026-03-02T05:00:00Z",
        "ce_subject": value.record.id.encode(),
        "ce_dataschema": b"/schemas/observation.v1.json",
        "ce_sequence": b"1.1",
        "content-type": b"application/json",
    }
    assert uuid.UUID(dict(event.headers)["ce_id"].decode()).version == 5


def test_records_of_a_subject_share_the_partition_any_client_would_compute(stream, outbox, fill):
    """The partition is Kafka's default hash of the subject part of the key."""
    fill(outbox, 500, subjects=40)

    stream.publish(outbox)

    records = stream.records()
    assert len(records) == 500
    for record in records:
        subject = record.key.partition(b"/")[0]
        assert record.partition == (murmur2(subject) & 0x7FFFFFFF) % 12
    assert len({record.partition for record in records}) > 6


def test_amendment_names_what_came_before_and_withdrawal_is_a_tombstone(stream, outbox, observe):
    """A second value is `amended`, a withdrawal an empty value with headers; ids differ, the key stays."""
    for value in ("7.1", "7.4", None):
        observe(outbox, 1, value)
        stream.publish(outbox)

    recorded, amended, withdrawn = stream.records()
    change = json.loads(amended.value)["change"]
    assert (change["op"], change["sequence"], change["previous"]) == ("amended", 2, 1)
    assert withdrawn.value is None
    assert dict(withdrawn.headers)["ce_type"].endswith(b".outcome.withdrawn.v1")
    assert dict(withdrawn.headers)["ce_dataschema"] == b"/schemas/observation.v1.json"
    assert len({dict(event.headers)["ce_id"] for event in (recorded, amended, withdrawn)}) == 3
    assert recorded.key == amended.key == withdrawn.key


def test_changes_between_two_publishes_coalesce_into_the_last(stream, outbox, observe):
    """Three changes before a publish give one event, with the last value and sequence."""
    for value in ("7.1", "7.2", "7.3"):
        observe(outbox, 1, value)

    published = stream.publish(outbox)

    (event,) = stream.records()
    assert (published.events, published.coalesced) == (1, 2)
    assert json.loads(event.value)["record"]["value"] == 7.3
    assert json.loads(event.value)["change"]["sequence"] == 3


def test_nothing_pending_publishes_nothing(stream, outbox, fill):
    """A second publish with nothing changed sends no event."""
    fill(outbox, 20)

    assert stream.publish(outbox).events == 20
    assert stream.publish(outbox).events == 0
    assert len(stream.records()) == 20


def test_changes_of_a_record_stay_in_order_over_pages_and_batches(stream, outbox, observe, fill):
    """With many pages and batches in flight, each subject's events lie in the order of their changes."""
    fill(outbox, 300, subjects=3)
    with stream.publisher(outbox, page=7) as publisher:
        publisher.publish()
        for number in range(50):
            observe(outbox, number, "8.5", subject=number % 3)
        publisher.publish()

    seen: dict[bytes, list[int]] = {}
    for record in stream.records():
        seen.setdefault(record.key, []).append(int(dict(record.headers)["ce_sequence"].split(b".")[1]))
    assert sorted(seen.values()) == [[1]] * 250 + [[1, 2]] * 50


def test_large_events_are_split_over_batches_and_an_oversized_one_is_named(stream, outbox, observe, fill):
    """Events up to the limit arrive; one beyond it is refused with its size, waits no longer, and is tried again when it changes."""
    big = [outbox.rows[observe(outbox, number)] for number in range(4)]
    for row in big[:3]:
        outbox.rows[row.id] = row._replace(content=b'{"type":"x","text":"' + b"a" * (BATCH_BYTES - 100) + b'"}')
    outbox.rows[big[3].id] = big[3]._replace(content=b'{"a":"' + b"a" * MAX_EVENT_BYTES + b'"}')
    observe(outbox, 10)

    published = stream.publish(outbox)

    assert published.events == 4
    assert published.refused == 1
    (refused,) = outbox.refused.values()
    assert (refused.number, refused.reason, refused.size > MAX_EVENT_BYTES) == (big[3].number, "too-large", True)
    assert len(stream.records()) == 4
    assert outbox.pending("north", limit=10) == []

    observe(outbox, 3)
    assert stream.publish(outbox).events == 1


def test_follower_publishes_while_others_store_and_drains_at_the_end(stream, outbox, observe, fill):
    """`follow` sends what is stored while it runs; once told to stop it sends the rest and returns the sum."""
    stop = threading.Event()
    results = []
    with stream.publisher(outbox) as publisher:
        thread = threading.Thread(target=lambda: results.append(publisher.follow(stop, idle=0.02)))
        thread.start()
        for number in range(30):
            observe(outbox, number)
            time.sleep(0.005)
        stop.set()
        thread.join(60)

    assert results[0].events == len({record.key for record in stream.records()}) == 30


@pytest.mark.slow
def test_dead_broker_is_named_within_ten_seconds(outbox, observe):
    """With nothing listening, the error says which address failed and how, and nothing is marked published."""
    observe(outbox, 1)
    started = time.monotonic()
    with (
        Publisher("127.0.0.1:1", network="lhn", store=outbox, site="north", software="0.1.0") as publisher,
        pytest.raises(TemporaryError, match=r"127\.0\.0\.1:1 is not reachable: TCP failed") as caught,
    ):
        publisher.publish()
    assert time.monotonic() - started < 11
    assert caught.value.fix
    assert outbox.published == {}
    assert not outbox.locked


def test_load_event_is_keyed_by_site_and_has_the_same_id_when_sent_again(stream, outbox):
    """A load's event goes to the load topic; a repetition after a crash is recognisable."""
    event = LoadEvent(
        load="north/2026-03-02T05:00Z",
        site="north",
        event=LoadEventType.COMPLETED,
        mode="full",
        started=datetime(2026, 3, 2, 5, tzinfo=UTC),
        ended=datetime(2026, 3, 2, 6, tzinfo=UTC),
        types={"Observation": TypeCounts(read=3, mapped=2, skipped={"missing-id": 1})},
    )
    for _ in range(2):
        outbox.tell(event)
        stream.publish(outbox)

    first, second = stream.records("load.v1")
    assert first.key == b"north"
    assert LoadEvent.model_validate_json(first.value) == event
    assert dict(first.headers)["ce_id"] == dict(second.headers)["ce_id"]
    assert dict(first.headers)["ce_type"] == f"{stream.network}.load.completed.v1".encode()


def test_a_load_is_told_as_begun_before_its_changes(stream, outbox, observe):
    """What waits to be told goes out first; nothing is told twice."""
    outbox.tell(LoadEvent(load="north/1", site="north", event="started", mode="full", started=outbox.now))
    observe(outbox, 1)

    stream.publish(outbox)
    stream.publish(outbox)

    (told,), (change,) = stream.records("load.v1"), stream.records()
    assert told.timestamp <= change.timestamp
    assert outbox.events == []


def test_a_record_that_moved_leaves_a_tombstone_under_its_old_key_first(stream, outbox, observe):
    """Each with its own sequence and id; killed before the mark, both come again with the same ids."""
    record = observe(outbox, 1, subject=1)
    stream.publish(outbox)
    before = outbox.rows[record]
    outbox.move(record, b"\xee" * 16, before.content)

    with pytest.raises(KilledError), stream.publisher(DiesBeforeMarking(outbox)) as publisher:
        publisher.publish()
    stream.publish(outbox)

    old, new = f"s-{before.subject.hex()}/r-{record.hex()}", f"s-{'ee' * 16}/r-{record.hex()}"
    sent = [(r.key.decode(), r.value is None, *_headers(r, "ce_sequence", "ce_id")) for r in stream.records()]
    under_old = [row for row in sent if row[0] == old]
    under_new = [row for row in sent if row[0] == new]
    assert [row[1:3] for row in under_old] == [(False, "1.1"), (True, "1.2"), (True, "1.2")]
    assert [row[1:3] for row in under_new] == [(False, "1.3"), (False, "1.3")]
    assert under_old[1] == under_old[2]
    assert under_new[0] == under_new[1]
    assert outbox.keys == []


def test_killed_between_the_tombstone_and_the_record_both_are_sent_by_the_next_publisher(stream, outbox, observe):
    """Nothing is marked before the record itself is acknowledged."""
    record = observe(outbox, 1, subject=1)
    stream.publish(outbox)
    outbox.move(record, b"\xee" * 16, outbox.rows[record].content)
    with stream.publisher(outbox) as publisher:
        encode = None

        def dies(rows):
            if not any(row.content is None for row in rows):
                raise KilledError
            return encode(rows)

        publisher._connected()
        encode, publisher._encoder.encode = publisher._encoder.encode, dies
        with pytest.raises(KilledError):
            publisher.publish()
    assert len(stream.records()) == 2

    stream.publish(outbox)

    assert [_headers(r, "ce_sequence")[0] for r in stream.records()].count("1.3") == 1
    assert outbox.pending("north", limit=10) == outbox.keys == []


def test_a_topic_whose_partition_count_changed_is_not_published_to(stream, outbox, observe):
    """Subjects would change partition: refused with the fix, and nothing is sent."""
    observe(outbox, 1)
    outbox.counts[f"{stream.network}.outcome.v1"] = 7
    with pytest.raises(OperatorError, match="this site published to 7"):
        stream.publish(outbox)
    assert stream.records() == []


class KilledError(Exception):
    """The process ends here."""


class DiesBeforeMarking:
    """An outbox whose process is killed when it would mark."""

    def __init__(self, outbox):
        self._outbox = outbox

    def __getattr__(self, name):
        return getattr(self._outbox, name)

    def mark_published(self, site, rows, *, refused=()):
        raise KilledError


def _headers(record, *names):
    found = dict(record.headers)
    return [found[name].decode() if isinstance(found[name], bytes) else found[name] for name in names]
