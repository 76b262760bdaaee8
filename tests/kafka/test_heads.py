"""Heads read straight from a batch's bytes say what kafka-python reads of the same records."""

import random

import pytest
from encoded import encoded

from mainstem.kafka.heads import head_of, heads_in
from mainstem.kafka.record_format import Record


class AsRead:
    """A record as kafka-python gives it."""

    def __init__(self, record: Record) -> None:
        self.key, self.value, self.headers = record.key, record.value, record.headers


def some_record(chance: random.Random) -> Record:
    digest = b"".join(chance.choice((b"0", b"a")) for _ in range(32))
    value = b'{"record":{%b},"change":{"op":"amended","digest":"%b"},"provenance":{}}' % (
        b"x" * chance.randrange(400),
        digest,
    )
    headers = [("ce_sequence", b"%d.%d" % (chance.randrange(1, 9), chance.randrange(1, 10**6)))]
    headers += [("ce_source", b"/site/north"), ("ce_dataschema", b"/schemas/person.v1.json"), ("ce_time", b"now")]
    chance.shuffle(headers)
    return Record(
        chance.choice((None, b"k" * 69, b"")),
        chance.choice((None, value, b"", b'"digest":"short"')),
        headers[: chance.randrange(5)],
    )


@pytest.mark.parametrize("seed", range(20))
def test_both_read_the_same(seed: int) -> None:
    chance = random.Random(seed)
    records = [some_record(chance) for _ in range(chance.randrange(1, 200))]
    batch = b"head" + b"".join(encoded(record._replace(place=place)) for place, record in enumerate(records))
    assert heads_in(batch, 4, len(records)) == [head_of(AsRead(record)) for record in records]


def test_a_number_without_end_is_none():
    """A megabyte of it would be worked on for minutes."""
    with pytest.raises((IndexError, ValueError)):
        heads_in(b"\xff" * 1_000_000, 0, 1)
