"""The publisher on the real state: what is pending there is what travels, and only that."""

import json
from datetime import UTC, datetime
from hashlib import blake2b

import pytest
from states import save

from mainstem.state import State
from schemas.errors import TemporaryError
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
        assert consumer.run_until_caught_up(timeout=30) == 52
    assert sorted(latest.state().values()) == ["7.1"] * 48 + ["7.4"]
    amended = [record for record in stream.records() if b"amended" in dict(record.headers)["ce_type"]]
    assert [json.loads(record.value)["change"]["previous"] for record in amended] == [1]


def test_second_publisher_of_a_site_is_turned_away(stream, state):
    """While one publishes a site, another is told so and may try again."""
    with state.outbox.publishing("north"), pytest.raises(TemporaryError):
        stream.publish(state.outbox)
