"""What a batch does to the state, and what is pending afterwards; every story on SQLite and on PostgreSQL."""

import json
import signal
import subprocess
import sys
import threading
import tracemalloc
from array import array
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

import pytest
from sqlalchemy import event, func, select, text
from states import save
from waiting import wait_until

from mainstem.outbox import TOO_LARGE, Change, Refused
from mainstem.state import Saved, State, tables
from mainstem.state.digests import EMPTY_DIGEST
from schemas.errors import OperatorError, TemporaryError
from transforms.mapped import Alike, Mapped, Shape

Make = Callable[..., Mapped]
Ref = Callable[[str], bytes]
LOAD = "north/2026-03-02T05:00:00Z"
NOTHING = Saved(0, 0, 0, 0, 0)


def publish_all(state: State, site: str = "north") -> list[Change]:
    """A publisher whose broker takes everything."""
    rows = state.outbox.pending(site, limit=1000)
    assert state.outbox.mark_published(site, rows) == len(rows)
    return rows


def tallied(state: State) -> int:
    """Records by the kept tally; it must equal those counted."""
    kept = sum(row.records for row in state.status())
    with state.database.engine.connect() as connection:
        counted = connection.scalar(select(func.count()).where(tables.record.c.content.is_not(None)))
    assert kept == counted
    return kept


def test_new_records_are_pending_in_their_order(state: State, record: Make, at: datetime) -> None:
    """A first batch is recorded, and every record waits with all that its event needs."""
    given = [record(f"lab-{n}", str(n), updated=n) for n in range(50)]
    assert save(state, "north", given, [], at) == NOTHING._replace(recorded=50)
    rows = state.outbox.pending("north", limit=1000)
    assert [(row.id, row.type, row.subject, row.content, row.provenance) for row in rows] == [
        item[:5] for item in given
    ]
    assert [row.digest for row in rows] == [blake2b(item.content, digest_size=16).digest() for item in given]
    assert [row.number for row in rows] == sorted({row.number for row in rows})
    assert {row[7:] for row in rows} == {(LOAD, 1, 0, False, at)}
    assert tallied(state) == 50


def test_unchanged_rerun_leaves_nothing_pending(state: State, record: Make, at: datetime) -> None:
    """The same batch again changes nothing."""
    given = [record(f"lab-{n}", updated=n) for n in range(50)] + [record("undated"), record("before-1970", updated=-5)]
    save(state, "north", given, [], at)
    publish_all(state)
    assert save(state, "north", given, [], at) == NOTHING._replace(unchanged=52)
    assert state.outbox.pending("north", limit=10) == []


def test_value_that_goes_and_comes_back_has_three_sequences(state: State, record: Make, at: datetime) -> None:
    """A → B → A: three changes, each published on the one before."""
    seen = []
    for value in ("1", "2", "1"):
        save(state, "north", [record("lab", value)], [], at)
        seen += [(row.sequence, row.previous, row.live, row.content) for row in publish_all(state)]
    assert [row[:3] for row in seen] == [(1, 0, False), (2, 1, True), (3, 2, True)]
    assert seen[0][3] == seen[2][3] != seen[1][3]


def test_changes_before_a_publish_coalesce_into_the_last(state: State, record: Make, at: datetime) -> None:
    """Two changes, one pending row, no sequence given twice."""
    save(state, "north", [record("lab", "1")], [], at)
    publish_all(state)
    save(state, "north", [record("lab", "2")], [], at)
    state.loads.abandon(LOAD, at)
    assert save(state, "north", [record("lab", "3")], [], at + timedelta(days=1)) == NOTHING._replace(amended=1)
    (row,) = state.outbox.pending("north", limit=10)
    assert (row.content, row.sequence, row.previous, row.load) == (
        record("lab", "3").content,
        3,
        1,
        "north/2026-03-03T05:00:00Z",
    )
    assert row.changed == at + timedelta(days=1)


def test_older_version_never_replaces_a_newer_one(state: State, record: Make, at: datetime) -> None:
    """A late delivery of an old version is stale, unless the source gives no times."""
    save(state, "north", [record("lab", "2", updated=20), record("undated", "1")], [], at)
    publish_all(state)
    assert save(state, "north", [record("lab", "1", updated=10)], [], at) == NOTHING._replace(stale=1)
    assert save(state, "north", [record("undated", "2", updated=10)], [], at) == NOTHING._replace(amended=1)
    assert save(state, "north", [record("lab", "3", updated=20)], [], at) == NOTHING._replace(amended=1)
    assert save(state, "north", [record("lab", "4")], [], at) == NOTHING._replace(amended=1)
    assert save(state, "north", [record("lab", "1", updated=10)], [], at) == NOTHING._replace(stale=1)


def test_of_one_time_the_greater_version_stands_whatever_load_brought_it(
    state: State, record: Make, at: datetime
) -> None:
    """Some servers keep whole seconds, or days; then the version tells which came later, where it is a number."""

    def version(number: int | str, part: int = 0, updated: int = 20) -> Mapped:
        source = f'"source":[{{"type":"Observation","ref":"h-1","version":"{number}"}}]'.encode()
        made = record("lab", f'"{number}"', part=part, updated=updated)
        return made._replace(provenance=made.provenance.replace(b'"source":[]', source))

    save(state, "north", [version(9), version(9, 1)], [], at)
    publish_all(state)
    assert save(state, "north", [version(8), version(8, 2)], [], at) == NOTHING._replace(stale=2)
    assert state.outbox.pending("north", limit=10) == []
    assert save(state, "north", [version(10), version(10, 1)], [], at) == NOTHING._replace(amended=2)
    assert save(state, "north", [version("h-7f"), version("h-7f", 1)], [], at) == NOTHING._replace(amended=2)
    assert save(state, "north", [version(3), version(3, 1)], [], at) == NOTHING._replace(amended=2)
    assert save(state, "north", [version(2, 0, 30), version(2, 1, 30)], [], at) == NOTHING._replace(amended=2)


def test_newer_time_with_the_same_content_still_guards(state: State, record: Make, at: datetime) -> None:
    """Version 3 equals version 1; version 2, delivered last, must not win."""
    save(state, "north", [record("lab", "1", updated=10)], [], at)
    publish_all(state)
    assert save(state, "north", [record("lab", "1", updated=30)], [], at) == NOTHING._replace(unchanged=1)
    assert state.outbox.pending("north", limit=10) == []
    assert save(state, "north", [record("lab", "2", updated=20)], [], at) == NOTHING._replace(stale=1)


def test_same_resource_twice_in_a_batch_keeps_the_newest(state: State, record: Make, at: datetime) -> None:
    """The newest version wins with its own parts, wherever it stands; every record given is counted."""
    new = [record("lab", "2", updated=20), record("lab", "7", part=1, updated=20)]
    old = [
        record("lab", "1", updated=10),
        record("lab", "7", part=1, updated=10),
        record("lab", "9", part=2, updated=10),
    ]
    assert save(state, "north", [*new, *old, record("other")], [], at) == Saved(3, 0, 1, 0, 2)
    assert {row.id for row in publish_all(state)} == {new[0].id, new[1].id, record("other").id}
    assert save(state, "north", [record("x", "1"), record("x", "2"), record("x", "2")], [], at) == Saved(1, 0, 1, 0, 1)
    assert [row.content for row in publish_all(state)] == [record("x", "2").content]


def test_entered_in_error_withdraws_all_parts(state: State, record: Make, ref: Ref, at: datetime) -> None:
    """A withdrawn resource takes its components with it; others stay; unknown ones are no error."""
    parts = [record("pressure", str(n), part=n, updated=10) for n in (0, 1, 2**32 - 1)]
    save(state, "north", [*parts, record("lab", updated=10)], [], at)
    publish_all(state)
    assert save(state, "north", [], [(ref("pressure"), 11), (ref("unknown"), 11)], at) == NOTHING._replace(withdrawn=3)
    rows = publish_all(state)
    assert {row.id for row in rows} == {part.id for part in parts}
    assert {(row.content, row.digest, row.sequence, row.previous, row.live) for row in rows} == {
        (None, EMPTY_DIGEST, 2, 1, True)
    }
    assert save(state, "north", [], [(ref("pressure"), 11)], at) == NOTHING
    assert tallied(state) == 1


def test_late_withdrawal_does_not_take_a_newer_record(state: State, record: Make, ref: Ref, at: datetime) -> None:
    """Withdrawals are guarded by time like any version; and of the same time they win."""
    save(state, "north", [record("lab", updated=20)], [], at)
    assert save(state, "north", [], [(ref("lab"), 19)], at) == NOTHING
    assert save(state, "north", [record("lab", "2", updated=21)], [(ref("lab"), 21)], at) == Saved(0, 1, 0, 1, 0)
    assert state.outbox.pending("north", limit=10)[0].content is None


def test_withdrawn_record_that_comes_again_is_recorded_again(
    state: State, record: Make, ref: Ref, at: datetime
) -> None:
    """A tombstone was published; the next value starts anew but goes on counting."""
    save(state, "north", [record("lab")], [], at)
    publish_all(state)
    save(state, "north", [], [(ref("lab"), None)], at)
    publish_all(state)
    assert save(state, "north", [record("lab")], [], at) == NOTHING._replace(recorded=1)
    (row,) = state.outbox.pending("north", limit=10)
    assert (row.sequence, row.previous, row.live) == (3, 2, False)
    assert tallied(state) == 1


def test_withdrawn_before_it_was_published_needs_no_event(state: State, record: Make, ref: Ref, at: datetime) -> None:
    """The publisher sees that nothing was live, and marks it."""
    save(state, "north", [record("lab")], [(ref("lab"), None)], at)
    (row,) = state.outbox.pending("north", limit=10)
    assert (row.content, row.live, row.previous) == (None, False, 0)
    assert state.outbox.mark_published("north", [row]) == 1
    assert state.outbox.pending_count("north") == (0, None)


def test_lost_component_is_withdrawn(state: State, record: Make, at: datetime) -> None:
    """An observation that comes with a component fewer withdraws that one, and only of its own resource."""
    save(
        state,
        "north",
        [record("bp", "[1,2]"), record("bp", part=1), record("bp", part=2), record("hr", part=1)],
        [],
        at,
    )
    publish_all(state)
    assert save(state, "north", [record("bp", "[1]"), record("bp", part=1)], [], at) == Saved(0, 1, 1, 1, 0)
    assert {row.id: row.content is None for row in publish_all(state)} == {
        record("bp").id: False,
        record("bp", part=2).id: True,
    }
    assert tallied(state) == 3


def test_lost_component_is_withdrawn_where_the_whole_does_not_name_its_parts(
    state: State, record: Make, at: datetime
) -> None:
    """The policy withholds `parts`: the whole is the same, from another line."""
    first, second = b"1" * 16, b"2" * 16
    whole, kept, lost = (record("bp", part=part)._replace(line_digest=first) for part in (0, 1, 2))
    save(state, "north", [whole, kept, lost], [], at)
    publish_all(state)
    again = [each._replace(line_digest=second) for each in (whole, kept)]
    assert save(state, "north", again, [], at) == Saved(0, 0, 2, 1, 0)
    assert [(row.id, row.content) for row in publish_all(state)] == [(lost.id, None)]
    assert tallied(state) == 2


def test_another_way_to_write_a_number_is_no_change(state: State, record: Make, at: datetime) -> None:
    """7.1 and 7.10: the raw value is kept with the record but does not decide."""
    first, second, other = (
        record("lab")._replace(content=b'{"type":"observation","value":%b,"raw_value":"%b","unit":"%%"}' % given)
        for given in ((b"7.1", b"7.1"), (b"7.1", b"7.10"), (b"7.2", b"7.2"))
    )
    save(state, "north", [first], [], at)
    publish_all(state)
    assert save(state, "north", [second], [], at) == NOTHING._replace(unchanged=1)
    assert save(state, "north", [other], [], at) == NOTHING._replace(amended=1)


def test_part_known_only_from_an_old_version_is_not_recorded(state: State, record: Make, at: datetime) -> None:
    """A late old version brings a component the newer one never had: it is as stale as the whole."""
    save(state, "north", [record("bp", "[1]", updated=20), record("bp", part=1, updated=20)], [], at)
    late = [record("bp", "[1,2]", updated=10), record("bp", part=1, updated=10), record("bp", part=2, updated=10)]
    assert save(state, "north", late, [], at) == Saved(0, 0, 1, 0, 2)
    assert len(state.outbox.pending("north", limit=10)) == 2


def test_change_between_send_and_mark_stays_pending(state: State, record: Make, at: datetime) -> None:
    """Sent at sequence 1, changed to 2, then marked: 2 is still to be sent, on top of what was sent."""
    save(state, "north", [record("lab", "1"), record("other")], [], at)
    sent = state.outbox.pending("north", limit=10)
    save(state, "north", [record("lab", "2")], [], at)
    assert state.outbox.mark_published("north", sent) == 1
    (row,) = state.outbox.pending("north", limit=10)
    assert (row.id, row.sequence, row.previous) == (record("lab").id, 2, 0)
    assert state.outbox.mark_published("north", sent) == 0


def test_a_refused_change_waits_no_longer_and_is_healed_by_the_next(state: State, record: Make, at: datetime) -> None:
    """Two events were too large: counted and told, in nobody's way, tried again when their records change."""
    save(state, "north", [record(f"lab-{n}") for n in range(6)], [], at)
    rows = state.outbox.pending("north", limit=10)
    refused = [Refused(rows[place].number, TOO_LARGE, 2_000_000) for place in (2, 5)]
    assert state.outbox.mark_published("north", rows, refused=refused) == 4
    assert state.outbox.pending("north", limit=10) == []
    assert [(line.pending, line.refused) for line in state.status()] == [(0, 2)]
    state.loads.complete(LOAD, {}, at)
    told = json.loads(state.outbox.told("north", 10)[-1].value)
    assert (told["event"], told["published"], told["refused"]) == ("completed", 4, {"too-large": 2})
    save(state, "north", [record("lab-7")], [], at)
    assert len(publish_all(state)) == 1
    save(state, "north", [record("lab-2", "2")], [], at)
    assert [(row.sequence, row.previous) for row in publish_all(state)] == [(2, 0)]
    assert [line.refused for line in state.status()] == [1]


def test_lines_are_recognised_until_their_record_changes(state: State, record: Make, ref: Ref, at: datetime) -> None:
    """By site, id and digest; a change, a withdrawal and another line with the same content count."""
    first, second = b"1" * 16, b"2" * 16
    lab = record("lab", updated=5)
    save(state, "north", [lab._replace(line_digest=first), record("other")], [], at)
    ids = [lab.id, record("other").id, record("unknown").id]
    assert state.records.unrecognised("north", ids, [first] * 3) == [1, 2]
    assert state.records.unrecognised("south", ids, [first] * 3) == [0, 1, 2]
    assert save(state, "north", [lab._replace(line_digest=second)], [], at) == NOTHING._replace(unchanged=1)
    assert state.records.unrecognised("north", ids[:1], [first]) == [0]
    assert state.records.unrecognised("north", ids[:1], [second]) == []
    older = lab._replace(line_digest=first, updated=4)
    assert save(state, "north", [older], [], at) == NOTHING._replace(unchanged=1)
    assert state.records.unrecognised("north", ids[:1], [second]) == []
    save(state, "north", [record("lab", "2", updated=6)._replace(line_digest=first)], [], at)
    assert state.records.unrecognised("north", ids[:1], [first]) == []
    save(state, "north", [], [(ref("lab"), 7)], at)
    assert state.records.unrecognised("north", ids[:1], [first]) == [0]
    undated = record("undated")
    save(state, "north", [undated._replace(line_digest=first)], [], at)
    save(state, "north", [undated._replace(line_digest=second)], [], at)
    assert state.records.unrecognised("north", [undated.id], [second]) == []


def test_lines_are_recognised_without_a_transaction_around_the_question(postgres_url: str) -> None:
    """Each answer waits for the interpreter, which maps meanwhile; and the plan that is asked for is for this question alone."""
    with closing(State.open(postgres_url)) as state:
        state.migrate()
        statements: list[str] = []
        event.listen(state.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        assert state.records.unrecognised("north", [b"i" * 16], [b"l" * 16]) == [0]
        assert statements == []
        with state.database.read() as connection:
            assert connection.scalar(text("SHOW enable_seqscan")) == "on"


def test_publisher_streams_through_the_outbox_by_number(state: State, record: Make, at: datetime) -> None:
    """Pages follow each other before anything is marked."""
    save(state, "north", [record(f"lab-{n}") for n in range(25)], [], at)
    save(state, "south", [record("elsewhere")], [], at)
    after, seen = 0, []
    while rows := state.outbox.pending("north", after=after, limit=10):
        seen.append(len(rows))
        after = rows[-1].number
    assert seen == [10, 10, 5]
    assert state.outbox.pending_count("north") == (25, at)
    assert state.outbox.pending_count("south") == (1, at)


def test_earlier_change_that_commits_later_is_not_skipped(state: State, url: str, record: Make, at: datetime) -> None:
    """While one save is open another of the site waits, so no lower number comes up behind the publisher's back."""
    save(state, "north", [record("first")], [], at)
    second = State.open(url)
    with state.database.write() as held:
        held.execute(select(tables.site_state.c.number).where(tables.site_state.c.site == "north").with_for_update())
        saving = threading.Thread(target=save, args=(second, "north", [record("second")], [], at))
        saving.start()
        saving.join(0.5)
        assert saving.is_alive()
        reader = State.open(url)
        assert [row.id for row in reader.outbox.pending("north", limit=10)] == [record("first").id]
        reader.close()
    saving.join(60)
    second.close()
    assert [row.id for row in state.outbox.pending("north", limit=10)] == [record("first").id, record("second").id]


def test_two_sites_with_one_subject_key_are_told(state: State, record: Make, at: datetime) -> None:
    """The same ids from two sites would overwrite each other; nothing of the batch is stored."""
    save(state, "north", [record("lab")], [], at)
    with pytest.raises(OperatorError, match="same id") as refused:
        save(state, "south", [record("new"), record("lab")], [], at)
    assert "key" in refused.value.fix
    assert state.outbox.pending("south", limit=10) == []


def test_second_publisher_is_refused_and_told_who_is_at_it(state: State, url: str) -> None:
    """One publisher a site; another site, and a refresh, go on; afterwards the right is free."""
    other = State.open(url)
    with (
        state.outbox.publishing("north"),
        other.outbox.publishing("south"),
        other.holding("north", "publish"),
        pytest.raises(TemporaryError, match=r"process \d+ on .* is publishing north already"),
        other.outbox.publishing("north"),
    ):
        pytest.fail("two publishers")
    with other.outbox.publishing("north"):
        pass
    other.close()


CHILD = """
import sys, time
from datetime import UTC, datetime
from mainstem.state import Batch, Plan, State
from transforms.mapped import Alike, Mapped, Shape
state = State.open(sys.argv[1])
record = lambda n: Mapped(n.to_bytes(16, "big"), "person", b"s" * 16, b"{}", b"", None)
with state.outbox.publishing("north"):
    load = state.loads.start("north", mode="full", started=datetime.now(UTC), plan=Plan()).id
    state.records.save(load, "Patient", Batch([record(n) for n in range(100)]), datetime.now(UTC))
    insert = state.records._batches.insert
    def stopped(*arguments):
        insert(*arguments)
        print("inside", flush=True)
        time.sleep(60)
    state.records._batches.insert = stopped
    state.records.save(load, "Patient", Batch([record(n) for n in range(50, 300)]), datetime.now(UTC))
"""


def test_kill_in_the_middle_of_a_batch_leaves_nothing_half(state: State, url: str) -> None:
    """kill -9 after the rows went out and before the commit: none of them is there, and the lock is free again."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"inside\n"
    with pytest.raises(TemporaryError), state.outbox.publishing("north"):
        pytest.fail("the lock is held")
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert state.outbox.pending_count("north")[0] == 100
    assert tallied(state) == 100
    given = [Mapped(n.to_bytes(16, "big"), "person", b"s" * 16, b"{}", b"", None) for n in range(50, 300)]
    assert save(state, "north", given, [], datetime.now(UTC)) == Saved(200, 0, 50, 0, 0)
    wait_until(lambda: is_free(state))  # the server lets go a moment after it has undone what was begun
    with state.outbox.publishing("north"):
        assert len(publish_all(state)) == 300


def is_free(state: State) -> bool:
    with suppress(TemporaryError), state.outbox.publishing("north"):
        return True
    return False


def test_a_name_and_nothing_more_takes_nothing_from_a_person(state: State, record: Make, at: datetime) -> None:
    """A bare resource says that the person is there; what is known of her stays, and she is recorded where she is new."""
    known = record("kid", kind="person")
    bare = known._replace(content=b'{"type":"person"}', provenance=b'"source":[],"flags":["says-nothing"]')
    assert save(state, "north", [known], [], at) == NOTHING._replace(recorded=1)
    assert save(state, "north", [bare], [], at) == NOTHING._replace(unchanged=1)
    assert save(state, "north", [known, bare], [], at) == NOTHING._replace(unchanged=1, stale=1)
    assert [row.content for row in publish_all(state)] == [known.content]
    other = record("another kid", kind="person")._replace(content=bare.content, provenance=bare.provenance)
    assert save(state, "north", [other], [], at) == NOTHING._replace(recorded=1)


def test_records_are_found_by_what_stands_in_them(state: State, record: Make, at: datetime) -> None:
    """Words of JSON as they are: a percent sign or an underscore stands for itself."""
    flagged = record("a", '1,"code":"8302-2","codings":[{"code":"HT"},{"code":"8302-2"}]')
    flagged = flagged._replace(provenance=b'"source":[],"flags":["one%of_them"]')
    like_it = record("b")._replace(provenance=b'"source":[],"flags":["one-of-them"]')
    save(state, "north", [flagged, like_it], [], at)
    assert list(state.contents.flagged("north", "one%of_them")) == [("observation", flagged.content)]
    assert sorted(map(sorted, state.contents.codes("north"))) == [[], ["8302-2", "HT"]]
    assert list(state.contents.codes("south")) == []


@pytest.mark.slow
def test_what_is_held_while_very_many_records_of_one_resource_are_saved_is_little(tmp_path: Path, at: datetime) -> None:
    """Twenty thousand members of a Group: new, told again, changed, half of them gone, all withdrawn; some at a time each."""
    state = State.open(f"sqlite:///{tmp_path}/many.db", wait_seconds=60)
    state.migrate()
    save(state, "north", [], [], at, "Group")
    for count, registry, updated, expected in (
        (20_000, "cf", 5, NOTHING._replace(recorded=20_000)),
        (20_000, "cf", 6, NOTHING._replace(unchanged=20_000)),
        (20_000, "t1d", 7, NOTHING._replace(amended=20_000)),
        (10_000, "t1d", 8, NOTHING._replace(unchanged=10_000, withdrawn=10_000)),
    ):
        given = members(count, registry, updated)
        tracemalloc.start()
        saved = save(state, "north", [], [], at, "Group", alike=[given], alone=[(given.ref, updated)])
        _held, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert saved == expected
        assert most < 6 * 2**20, (registry, updated)
    assert save(state, "north", [], [(given.ref, 9)], at, "Group") == NOTHING._replace(withdrawn=10_000)
    assert tallied(state) == 0
    state.close()


def members(count: int, registry: str, updated: int) -> Alike:
    """The records of a Group's members."""
    ref = b"group-of-all"
    after = f'","site":"north","registry":"{registry}"}}'.encode()
    before = b'{"type":"enrolment","id":"r-' + ref.hex().encode()
    shape = Shape(before, b'","subject":"s-', after, b'"source":[],"mapping":"enrolment@1"', "enrolment", updated)
    parts = b"".join((number * 40_503).to_bytes(4) for number in range(1, count + 1))
    subjects = b"".join(number.to_bytes(16) for number in range(1, count + 1))
    return Alike(ref, [shape], array("I", [0]) * count, parts, subjects, bytes([updated]) * 16)
