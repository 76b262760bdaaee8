"""A database of the version before, brought to this one's tables with what is in it."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import pytest
from sqlalchemy import text
from states import save

from connectors.pulled import Pulled
from mainstem.state import Plan, State
from mainstem.state.migrations.upgrade import upgrade
from schemas.loads import TypeCounts
from transforms.mapped import Mapped

SUBJECT = b"subject-of-tests"
LOAD = "north/2026-03-01T05:00:00Z"
OLD = (
    b'{"type":"observation","id":"r-1","codings":[{"system":"http://loinc.org","code":"4548-4"},'
    b'{"system":"http://acme.org","code":"A1C"}],"category":["vital-signs","laboratory"],"value":7.1,"raw_value":"7.10","unit":"%"}'
)
NEW = (
    b'{"type":"observation","id":"r-1","codings":[{"system":"http://acme.org","code":"A1C"},'
    b'{"system":"http://loinc.org","code":"4548-4"}],"category":["laboratory","vital-signs"],"value":7.1,"raw_value":"7.1","unit":"%"}'
)
PLAIN = b'{"type":"observation","id":"r-2","value":5.0}'
INSERTS = {
    "site_state": "INSERT INTO site_state VALUES ('north', 3)",
    "published": "INSERT INTO published VALUES ('north', 1)",
    "tally": "INSERT INTO tally VALUES ('north', 'observation', 2)",
    "watermark": "INSERT INTO watermark VALUES ('north', 'Observation', :at, :load)",
    "load": "INSERT INTO load (id, site, mode, status, started, ended, plan, report, published)"
    " VALUES (:load, 'north', 'incremental', 'running', :at, NULL, :plan, NULL, 7)",
    "counts": "INSERT INTO load_type VALUES (:load, 'Observation', :counts, :pulled)",
    "failed": "INSERT INTO load_type VALUES (:load, 'Patient', NULL, :failed)",
}
RECORD = (
    "INSERT INTO record (id, site, type, subject, digest, load, sequence, published_sequence, live, updated, changed, number,"
    " content, provenance) VALUES (:id, 'north', 'observation', :subject, :digest, :load, :sequence, :published, :live, NULL,"
    " 1000, :number, :content, :provenance)"
)


@pytest.fixture
def old(url: str, at: datetime) -> Iterator[State]:
    """A database at the migration before, with an open load, a published, a pending and a withdrawn record."""
    state = State.open(url)
    at -= timedelta(days=1)
    given: dict[str, Any] = {
        "load": LOAD,
        "at": at.replace(tzinfo=None).isoformat(" ") + ".000000" if state.database.is_sqlite else at,
        "plan": json.dumps(
            {"types": ["Observation"], "units": ["Observation"], "since": {"Observation": at.isoformat()}}
        ),
        "counts": json.dumps({"read": 3, "mapped": 3, "records": 3}),
        "pulled": json.dumps({"unit": "Observation", "as_of": at.isoformat(), "complete": True, "resources": 3}),
        "failed": json.dumps({"unit": "Patient", "complete": False, "error": "timeout", "fix": "Try again."}),
    }
    with state.database.write() as connection:
        upgrade(connection, "the old one", "0002")
        for statement in INSERTS.values():
            names = {name: value for name, value in given.items() if f":{name}" in statement}
            connection.execute(text(statement), names)
        for number, (content, sequence, published) in enumerate([(OLD, 2, 2), (PLAIN, 3, 2), (None, 2, 2)], 1):
            connection.execute(
                text(RECORD),
                {
                    "id": number.to_bytes(12, "big") + bytes(4),
                    "subject": SUBJECT,
                    "digest": blake2b(content or b"", digest_size=16).digest(),
                    "load": LOAD,
                    "sequence": sequence,
                    "published": published,
                    "live": content is not None,
                    "number": number,
                    "content": content,
                    "provenance": b"",
                },
            )
    yield state
    state.close()


def test_an_upgrade_keeps_loads_and_amends_nothing(old: State, at: datetime, record: Callable[..., Mapped]) -> None:
    """Only what waited before waits after; the same facts come again, their sets in order, and are no change."""
    old.migrate()
    assert [(row.number, row.content, row.sequence, row.previous) for row in old.outbox.pending("north", limit=10)] == [
        (2, PLAIN, 3, 2)
    ]
    given = [
        record("any")._replace(id=number.to_bytes(12, "big") + bytes(4), content=content)
        for number, content in ((1, NEW), (2, PLAIN))
    ]
    assert save(old, "north", given, [], at) == (0, 0, 2, 0, 0, 0)
    assert old.outbox.pending_count("north")[0] == 1
    load = old.loads.get(LOAD)
    assert load.plan == Plan(
        types=["Observation"], units=["Observation"], since={"Observation": at - timedelta(days=1)}
    )
    assert load.published == 7
    assert old.loads.figures(LOAD)["Observation"] == TypeCounts(read=3, mapped=3, records=3, unchanged=2)
    pulled = old.loads.pulled(LOAD)
    assert pulled["Observation"] == Pulled(unit="Observation", resources=3, as_of=at - timedelta(days=1))
    assert (pulled["Patient"].complete, pulled["Patient"].error) == (False, "timeout")
    assert old.watermarks.of("north") == {"Observation": at - timedelta(days=1)}
    assert list(old.subjects.changed(LOAD)) == [SUBJECT]
    assert [line.records for line in old.status() if line.resource_type == "Observation"] == [2]


def test_a_time_to_come_that_was_believed_stops_no_later_version(
    old: State, at: datetime, record: Callable[..., Mapped]
) -> None:
    """Two are held under such a time; what comes next of one of them is told."""
    to_come = int((at + timedelta(days=40_000)).timestamp() * 1_000_000)
    with old.database.write() as connection:
        connection.execute(text("UPDATE record SET updated = :at WHERE number < 3"), {"at": to_come})
    old.migrate()
    now = int(at.timestamp() * 1_000_000)
    later = record("any")._replace(
        id=(2).to_bytes(12, "big") + bytes(4), content=PLAIN.replace(b"5.0", b"6.0"), updated=now
    )
    save(old, "north", [later], [], at)
    assert PLAIN.replace(b"5.0", b"6.0") in [row.content for row in old.outbox.pending("north", limit=10)]
