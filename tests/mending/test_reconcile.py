"""The topic's state beside the site's: each kind of difference is found and named, mended once, and nothing else is touched."""

import json
import os
from itertools import chain

import pytest
from commands_here import run_here
from kafka import KafkaProducer
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.mending import reconcile as reconciling
from mainstem.mending.reconcile import reconcile
from mainstem.publisher.encoding import event_id_of, partition_of_subject
from mainstem.state import AsPublished

NORTH = ["north"]


def compared(site, **options):
    [found] = reconcile(site.state, site.settings, NORTH, **options)
    return found


@pytest.fixture
def lived(north, of):
    """Thirty heights, one measured anew, one withdrawn; all published."""
    north.night(*(of(number, f"{100 + number}.0") for number in range(30)))
    north.night(of(3, "104.4"), gone=(5,))
    return north


def forged(site, of, number, value, *, sequence, source="/site/north", subject=None):
    """An event as a publisher writes it, that ours never wrote."""
    record = of(number, value or "0", subject=subject)
    key = f"s-{record.subject.hex()}/r-{record.id.hex()}".encode()
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event_id_of(f"r-{record.id.hex()}", 1, sequence),
        "ce_source": source,
        "ce_type": f"{site.stream.network}.outcome.{'amended' if value else 'withdrawn'}.v1",
        "ce_time": "2026-03-05T05:00:00Z",
        "ce_subject": f"r-{record.id.hex()}",
        "ce_dataschema": "/schemas/observation.v1.json",
        "ce_sequence": f"1.{sequence}",
        "content-type": "application/json",
    }
    provenance = {
        "site": source.removeprefix("/site/"),
        "load": "x",
        "software": "0",
        "source": [],
        "mapping": "observation@1",
    }
    change = {"op": "amended", "sequence": sequence, "previous": sequence - 1, "digest": "ab" * 16}
    content = {**json.loads(record.content), "site": provenance["site"]}
    event = {"record": content, "change": change, "provenance": provenance}
    return (
        key,
        json.dumps(event, separators=(",", ":")).encode() if value else None,
        [(k, v.encode()) for k, v in headers.items()],
    )


def test_topic_that_says_what_the_site_says_has_no_difference(lived):
    found = compared(lived)
    assert (found.records, found.differences, found.unjudged, found.same) == (30, {}, 0, True)


def test_what_waits_or_changes_is_not_judged(lived, of):
    lived.night(of(8, "1.0"), of(70, "2.0"), publish=False)
    found = compared(lived)
    assert (found.differences, found.unjudged) == ({}, 2)


def send(site, *events):
    """To the partitions of their subjects."""
    producer = KafkaProducer(bootstrap_servers=site.stream.bootstrap)
    topic = f"{site.stream.network}.outcome.v1"
    count = len(producer.partitions_for(topic))
    for key, value, headers in events:
        partition = partition_of_subject(key.split(b"/")[0], count)
        producer.send(topic, value, key, headers, partition=partition).get(timeout=60)
    producer.close()


FAULTS = {
    "older": ("stale", lambda site, of: forged(site, of, 3, "1.0", sequence=1)),
    "withdrawal-lost": ("stale", lambda site, of: forged(site, of, 5, "105.0", sequence=1)),
    "newer": ("stale", lambda site, of: forged(site, of, 9, "1.0", sequence=7)),
    "other-content": ("stale", lambda site, of: forged(site, of, 9, "1.0", sequence=1)),
    "withdrawn": ("stale", lambda site, of: forged(site, of, 9, None, sequence=1)),
    "not-held": ("extra", lambda site, of: forged(site, of, 99, "1.0", sequence=4)),
    "under-another-subject": (
        "extra",
        lambda site, of: forged(site, of, 9, "1.0", sequence=4, subject=b"another-child---"),
    ),
    "by-another-site": ("foreign", lambda site, of: forged(site, of, 9, "1.0", sequence=3, source="/site/south")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_difference_is_named_mended_and_then_gone(lived, of, fault, sqlite_engine, latest_of):
    kind, make = FAULTS[fault]
    send(lived, make(lived, of))
    found = compared(lived)
    assert found.differences == {kind: 1}
    assert not found.same

    assert compared(lived, repair=True).mended == {kind: 1}
    again = compared(lived)
    assert (again.differences, again.same) == ({}, True)
    consumed = latest_of(sqlite_engine)
    with lived.stream.consumer(sqlite_engine, consumed) as consumer:
        consumer.run_until_caught_up()
    rows = map(AsPublished._make, chain.from_iterable(lived.state.mending.standing("north")))
    wanted = {f"r-{row.id.hex()}" for row in rows if row.live}
    assert set(consumed.state()) == wanted


def test_records_that_never_came_to_the_topic_are_sent_as_they_were(lived, of):
    """As after a topic that forgot: the same ids, marked as a replay."""
    lived.night(of(80, "1.0"), of(81, "2.0"), publish=False)
    with lived.state.database.write() as connection:
        connection.exec_driver_sql("update record set published_sequence = sequence, live = true")
        connection.exec_driver_sql("update published set number = (select max(number) from record)")
    found = compared(lived, repair=True)
    assert (found.differences, found.mended) == ({"missing": 2}, {"missing": 2})
    assert sum("replay" in dict(each.headers) for each in lived.stream.records()) == 2
    assert compared(lived).same


@pytest.mark.slow
def test_many_records_that_the_site_does_not_hold_are_not_withdrawn_unasked(lived, of, monkeypatch):
    """It may be the state that lacks them."""
    monkeypatch.setattr(reconciling, "EXTRA_COUNT", 2)
    send(lived, *(forged(lived, of, number, "1.0", sequence=1) for number in (90, 91, 92)))
    told: list[str] = []
    found = compared(lived, repair=True, notice=told.append)
    assert (found.differences, found.mended, found.left) == ({"extra": 3}, {}, 3)
    assert "--withdraw-extra" in told[0]
    assert compared(lived, repair=True, withdraw_extra=True).mended == {"extra": 3}
    assert compared(lived).same


def test_what_is_no_event_is_counted_and_stops_nothing(lived):
    lived.stream.send_all(
        [
            (b"k", b"v", []),
            (b"s-" + b"z" * 32 + b"/r-" + b"0" * 32, b"{}", [("ce_sequence", b"1.1")]),
            (b"s-aa/r-bb", b"{", [("ce_sequence", b"x")]),
        ]
    )
    found = compared(lived)
    assert (found.unreadable, found.differences) == (3, {})


def test_command_names_what_differs_and_how_to_mend_it(lived, of):
    environment = {
        "MAINSTEM_KAFKA": lived.stream.bootstrap,
        "MAINSTEM_NETWORK": lived.stream.network,
        "MAINSTEM_DATABASE_URL": lived.settings.database_url,
        "COLUMNS": "200",
    }
    send(lived, forged(lived, of, 9, "1.0", sequence=7))
    said = CliRunner().invoke(app, ["reconcile", "north"], env=environment)
    assert said.exit_code == 3
    assert "stale: 1" in said.output
    assert "--repair" in said.output
    mended = CliRunner().invoke(app, ["reconcile", "--all-sites", "--repair", "--json"], env=environment)
    assert (mended.exit_code, json.loads(mended.stdout)[0]["mended"]) == (0, {"stale": 1})
    assert "no difference" in CliRunner().invoke(app, ["reconcile", "north"], env=environment).output


def test_a_topic_that_is_not_there_is_named_with_its_fix(lived, tmp_path):
    """It was lost, or belongs to a network of another name: an error in words, and no defect."""
    environment = {
        "MAINSTEM_KAFKA": lived.stream.bootstrap,
        "MAINSTEM_NETWORK": "elsewhere",
        "MAINSTEM_DATABASE_URL": lived.settings.database_url,
        "COLUMNS": "200",
    }
    said = run_here("reconcile", "north", folder=tmp_path, environment=os.environ | environment)
    assert said.returncode == 78, said.stderr
    assert "there is no topic elsewhere.outcome.v1" in said.stderr
    assert "mainstem topics create" in said.stderr
