"""Consent in the state: what a withdrawal does to records, what the network is told of it, and what brings nobody back."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import event, text
from states import save

from mainstem.state import Decision, Done, State
from mainstem.state.migrations.upgrade import upgrade
from schemas.subjects import SubjectEvent
from transforms.mapped import Mapped

ANNA, BERT = b"anna-of-the-test", b"bert-of-the-test"
Make = Callable[..., Mapped]


def withdrawn(subject: bytes, at: datetime, *, scope: str = "qi", erase: bool = False) -> Decision:
    return Decision(subject, scope, False, at, erase)  # type: ignore[arg-type]


def given(subject: bytes, at: datetime, scope: str = "qi") -> Decision:
    return Decision(subject, scope, True, at)  # type: ignore[arg-type]


def told(state: State) -> list[SubjectEvent]:
    """Subject events that wait, which are then as good as sent."""
    waiting = [each for each in state.outbox.told("north", 100) if each.kind == "subject"]
    events = [SubjectEvent.model_validate_json(each.value) for each in waiting]
    assert [each.name for each in waiting] == [f"{event.subject}/{event.sequence}" for event in events]
    state.outbox.mark_told("north", [each.number for each in waiting])
    return events


def words(state: State) -> list[tuple[str, str, list[str], bool]]:
    """Of each: what happened, to whom (the first letter), what is withdrawn, whether all is to go."""
    return [
        (each.event.value, bytes.fromhex(each.subject[2:])[:1].decode(), list(each.withdrawn), each.erase)
        for each in told(state)
    ]


def published(state: State) -> dict[bytes, bytes | None]:
    """What was pending, by record; it is published now."""
    rows = state.outbox.pending("north", limit=100)
    state.outbox.mark_published("north", rows)
    return {row.id: row.content for row in rows}


def consent(record: Make, name: str, decision: str, effective: datetime, *, updated: int = 1) -> Mapped:
    said: dict[str, Any] = {
        "type": "consent",
        "subject": f"s-{ANNA.hex()}",
        "effective": effective.isoformat(),
        "decisions": [{"scope": "qi", "decision": decision}],
    }
    made = record(name, kind="consent", subject=ANNA, updated=updated)
    return made._replace(content=json.dumps(said, separators=(",", ":")).encode())


def test_what_many_consents_say_is_heeded_by_few_statements_and_by_the_index(
    state: State, record: Make, at: datetime
) -> None:
    """One query a subject that looked at all records of the site took a night for a hospital's consents."""
    state.consents.prepare()
    people = [b"person%010d" % number for number in range(600)]
    some = consent(record, "c", "permit", at)
    permits = [some._replace(id=person, subject=person) for person in people]
    refusal = consent(record, "d", "deny", at + timedelta(days=1))
    save(state, "north", permits, [], at)
    statements: list[tuple[str, Any]] = []
    told_of = (state.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2:4]))
    event.listen(*told_of)
    renewed = [each._replace(updated=2) for each in permits]
    save(state, "north", [*renewed, refusal._replace(id=b"refused" * 2, subject=people[0])], [], at)
    event.remove(*told_of)

    assert len(statements) < 60
    assert [each.subject for each in state.consents.withdrawals("north")] == [people[0]]
    known = next(each for each in statements if "coalesce(record.site" in each[0])
    if state.database.engine.dialect.name == "sqlite":
        with state.database.read() as connection:
            plan = connection.exec_driver_sql("explain query plan " + known[0], known[1]).all()
        assert "ix_record_subject" in str(plan), plan


def test_whoever_is_to_be_forgotten_leaves_tombstones_and_is_not_taken_again(
    state: State, record: Make, at: datetime
) -> None:
    """Content and provenance are gone from the state, and the same records, changed or not, do not come back."""
    records = [record("w", subject=ANNA), record("x", subject=ANNA), record("y", subject=BERT)]
    save(state, "north", records, [], at)
    published(state)
    done = state.consents.decide("north", [withdrawn(ANNA, at, erase=True)], at)
    assert done == Done(1, 2)
    assert published(state) == {records[0].id: None, records[1].id: None}
    assert words(state) == [("withdrawn", "a", ["qi", "research"], True)]
    assert state.consents.decide("north", [withdrawn(ANNA, at, erase=True)], at) == Done(0, 0)
    with state.database.read() as connection:
        rows = connection.exec_driver_sql("select content, provenance from record where content is null").all()
    assert {(content, bytes(provenance)) for content, provenance in rows} == {(None, b"")}

    again = [records[0], record("x", "2", subject=ANNA, updated=9), record("new", subject=ANNA), records[2]]
    saved = save(state, "north", again, [], at + timedelta(days=1))
    assert (saved.recorded, saved.amended, saved.unchanged, saved.stale) == (0, 0, 1, 3)
    assert published(state) == {}


def test_who_stops_keeps_what_was_collected_and_gives_no_more(state: State, record: Make, at: datetime) -> None:
    """Research alone changes nothing of what is collected; given again, all is read from the beginning."""
    save(state, "north", [record("w", subject=ANNA)], [], at)
    published(state)
    assert state.consents.decide("north", [withdrawn(ANNA, at, scope="research")], at) == Done(1, 0)
    assert save(state, "north", [record("w", "2", subject=ANNA, updated=2)], [], at).amended == 1
    state.consents.decide("north", [withdrawn(ANNA, at)], at)
    assert save(state, "north", [record("w", "3", subject=ANNA, updated=3)], [], at).stale == 1
    assert state.consents.stopped("north") == {ANNA}
    published(state)
    load = state.loads.last("north")
    assert load is not None
    state.loads.complete(load.id, {"Observation": at}, at)
    assert state.watermarks.of("north") == {"Observation": at}

    later = at + timedelta(days=1)
    state.consents.decide("north", [given(ANNA, later)], later)
    assert words(state) == [
        ("withdrawn", "a", ["research"], False),
        ("withdrawn", "a", ["qi", "research"], False),
        ("given", "a", ["research"], False),
    ]
    assert state.watermarks.of("north") == {}
    assert save(state, "north", [record("w", "3", subject=ANNA, updated=3)], [], later).amended == 1


def test_of_two_who_were_merged_one_withdrawal_counts_for_both_until_they_part(
    state: State, record: Make, at: datetime
) -> None:
    """First who it is, then what follows; unmerged, the other is collected again."""
    save(state, "north", [record("w", subject=ANNA), record("x", subject=BERT)], [], at)
    published(state)
    state.consents.decide("north", [withdrawn(ANNA, at, erase=True)], at)
    told(state)
    published(state)
    state.aliases.add("north", ANNA, BERT, "merged", at)
    assert words(state) == [("superseded", "a", ["qi", "research"], True), ("withdrawn", "b", ["qi", "research"], True)]
    assert list(published(state).values()) == [None]
    assert save(state, "north", [record("x", subject=BERT, updated=5)], [], at).stale == 1

    state.aliases.end("north", ANNA, at)
    assert words(state) == [("separated", "a", ["qi", "research"], True), ("given", "b", [], False)]
    assert save(state, "north", [record("w", subject=ANNA), record("x", subject=BERT)], [], at).recorded == 1


def test_a_merge_says_who_it_is_before_the_records_go_over(state: State, record: Make, at: datetime) -> None:
    """One event, once; the sequence rises with each that follows."""
    save(state, "north", [record("w", subject=ANNA)], [], at)
    published(state)
    state.aliases.add("north", ANNA, BERT, "merged", at)
    state.aliases.add("north", ANNA, BERT, "merged", at)
    first = told(state)
    assert [(each.event, each.sequence, each.superseded_by) for each in first] == [
        ("superseded", 1, f"s-{BERT.hex()}"),
    ]
    state.aliases.end("north", ANNA, at)
    assert [(each.event, each.sequence, each.superseded_by) for each in told(state)] == [("separated", 2, None)]


def test_the_ehrs_own_consent_stops_and_gives_again(state: State, record: Make, at: datetime) -> None:
    """The latest says it, whichever comes first; an operator's word is not undone by the same old refusal."""
    early, late = at - timedelta(days=9), at - timedelta(days=2)
    save(state, "north", [record("w", subject=ANNA), consent(record, "c", "deny", early)], [], at, part="Consent")
    assert words(state) == [("withdrawn", "a", ["qi", "research"], False)]
    save(state, "north", [consent(record, "d", "permit", late)], [], at, part="Consent")
    assert words(state) == [("given", "a", [], False)]
    save(state, "north", [consent(record, "c", "withdrawn", early, updated=2)], [], at, part="Consent")
    assert words(state) == []
    save(state, "north", [consent(record, "e", "withdrawn", at)], [], at, part="Consent")
    assert words(state) == [("withdrawn", "a", ["qi", "research"], False)]
    state.consents.decide("north", [given(ANNA, at)], at)
    assert words(state) == [("given", "a", [], False)]
    save(state, "north", [consent(record, "e", "withdrawn", at, updated=2)], [], at, part="Consent")
    assert words(state) == []
    state.consents.decide("north", [withdrawn(ANNA, at)], at)
    save(state, "north", [consent(record, "f", "permit", at + timedelta(hours=1))], [], at, part="Consent")
    assert words(state) == [("withdrawn", "a", ["qi", "research"], False)]


def test_a_state_from_a_backup_takes_over_what_the_network_was_told(state: State, record: Make, at: datetime) -> None:
    """It forgets whom it had not been told to forget, and says so under a higher number."""
    save(state, "north", [record("w", subject=ANNA), record("x", subject=BERT)], [], at)
    published(state)
    subject = f"s-{ANNA.hex()}"
    words_then = SubjectEvent(
        event="withdrawn", subject=subject, site="north", sequence=4, at=at, withdrawn=["qi", "research"], erase=True
    )
    elsewhere = words_then.model_copy(update={"site": "south", "subject": f"s-{BERT.hex()}"})
    assert state.consents.adopt("north", [words_then, elsewhere], at) == Done(1, 1)
    assert [(each.subject, each.sequence, each.erase) for each in told(state)] == [(subject, 5, True)]
    assert published(state) == {record("w").id: None}
    assert state.consents.adopt("north", [words_then], at) == Done(0, 0)
    assert save(state, "north", [record("w", subject=ANNA, updated=9)], [], at).stale == 1


def test_a_state_of_the_version_before_is_brought_to_these_tables(url: str, record: Make, at: datetime) -> None:
    """What it holds stays, and can be withdrawn."""
    old, held = State.open(url), record("w", subject=ANNA)
    with old.database.write() as connection:
        upgrade(connection, "the old one", "0011")
        connection.execute(text("INSERT INTO site_state (site, number) VALUES ('north', 1)"))
        row = {"id": held.id, "subject": ANNA, "digest": bytes(16), "content": held.content, "live": True}
        connection.execute(
            text(
                "INSERT INTO record (id, site, type, subject, digest, load, sequence, published_sequence, live, changed, number,"
                " content, provenance) VALUES (:id, 'north', 'observation', :subject, :digest, 'north/1', 1, 1, :live, 1, 1,"
                " :content, :digest)"
            ),
            row,
        )
    old.migrate()
    assert old.consents.decide("north", [withdrawn(ANNA, at, erase=True)], at) == Done(1, 1)
    assert published(old) == {held.id: None}
    old.close()
