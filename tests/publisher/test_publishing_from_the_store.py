"""The publisher on the real store: what is pending there is what travels, and only that."""

import json
from datetime import UTC, datetime
from hashlib import blake2b

import pytest

from mainstem.state import Store
from schemas.errors import TemporaryError
from transforms.mapped import Mapped

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path}/state/mainstem.db")
    opened.migrate()
    yield opened
    opened.close()


def a1c(number: int, value: str) -> Mapped:
    record = blake2b(b"record%d" % number, digest_size=12).digest() + bytes(4)
    subject = blake2b(b"subject%d" % (number % 7), digest_size=16).digest()
    names = f'"id":"r-{record.hex()}","subject":"s-{subject.hex()}","site":"north"'
    content = f'{{"type":"observation",{names},"value":{value}}}'.encode()
    return Mapped(record, "observation", subject, content, b'"source":[],"mapping":"observation@1"', None)


def test_only_what_changed_in_the_store_travels(stream, store, latest_of, sqlite_engine):
    """First load, one amended, one withdrawn, then nothing: 50 events, 1 + 1 events, none."""
    latest = latest_of(sqlite_engine)
    load = store.start_load("north", mode="full", started=AT, plan={}).id
    first = [a1c(number, "7.1") for number in range(50)]
    store.save("north", load, first, [], AT)
    assert stream.publish(store).events == 50

    store.save("north", load, [a1c(3, "7.4")], [(first[4].id[:12], None)], AT)
    published = stream.publish(store)
    assert (published.events, published.tombstones) == (2, 1)

    store.save("north", load, [a1c(3, "7.4")], [], AT)
    assert stream.publish(store).events == 0
    with stream.consumer(sqlite_engine, latest) as consumer:
        assert consumer.run_until_caught_up(timeout=30) == 52
    assert sorted(latest.state().values()) == ["7.1"] * 48 + ["7.4"]
    amended = [record for record in stream.records() if b"amended" in dict(record.headers)["ce_type"]]
    assert [json.loads(record.value)["change"]["previous"] for record in amended] == [1]


def test_second_publisher_of_a_site_is_turned_away(stream, store):
    """While one publishes a site, another is told so and may try again."""
    with store.publishing("north"), pytest.raises(TemporaryError):
        stream.publish(store)
