"""What a batch does to the state, and what is pending afterwards; every story on SQLite and on PostgreSQL."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import pytest
from sqlalchemy import func, select

from mainstem.state import EMPTY_DIGEST, Pending, Saved, Store, tables
from schemas.errors import OperatorError, TemporaryError
from transforms.mapped import Mapped

Make = Callable[..., Mapped]
Ref = Callable[[str], bytes]
LOAD = "north/2026-03-02T05:00:00Z"
NOTHING = Saved(0, 0, 0, 0, 0)


def publish_all(store: Store, site: str = "north") -> list[Pending]:
    """A publisher whose broker takes everything."""
    rows = store.pending(site, limit=1000)
    assert store.mark_published(site, rows) == len(rows)
    return rows


def tallied(store: Store) -> int:
    """Records by the kept tally; it must equal those counted."""
    kept = sum(row.records for row in store.status())
    with store.engine.connect() as connection:
        counted = connection.scalar(select(func.count()).where(tables.record.c.content.is_not(None)))
    assert kept == counted
    return kept


def test_new_records_are_pending_in_their_order(store: Store, record: Make, at: datetime) -> None:
    """A first batch is recorded, and every record waits with all that its event needs."""
    given = [record(f"lab-{n}", str(n), updated=n) for n in range(50)]
    assert store.save("north", LOAD, given, [], at) == NOTHING._replace(recorded=50)
    rows = store.pending("north", limit=1000)
    assert [(row.id, row.type, row.subject, row.content, row.provenance) for row in rows] == [
        item[:5] for item in given
    ]
    assert [row.digest for row in rows] == [blake2b(item.content, digest_size=16).digest() for item in given]
    assert [row.number for row in rows] == sorted({row.number for row in rows})
    assert {row[7:] for row in rows} == {(LOAD, 1, 0, False, at)}
    assert tallied(store) == 50


def test_unchanged_rerun_leaves_nothing_pending(store: Store, record: Make, at: datetime) -> None:
    """The same batch again changes nothing."""
    given = [record(f"lab-{n}", updated=n) for n in range(50)] + [record("undated"), record("before-1970", updated=-5)]
    store.save("north", LOAD, given, [], at)
    publish_all(store)
    assert store.save("north", LOAD, given, [], at) == NOTHING._replace(unchanged=52)
    assert store.pending("north", limit=10) == []


def test_value_that_goes_and_comes_back_has_three_sequences(store: Store, record: Make, at: datetime) -> None:
    """A → B → A: three changes, each published on the one before."""
    seen = []
    for value in ("1", "2", "1"):
        store.save("north", LOAD, [record("lab", value)], [], at)
        seen += [(row.sequence, row.previous, row.live, row.content) for row in publish_all(store)]
    assert [row[:3] for row in seen] == [(1, 0, False), (2, 1, True), (3, 2, True)]
    assert seen[0][3] == seen[2][3] != seen[1][3]


def test_changes_before_a_publish_coalesce_into_the_last(store: Store, record: Make, at: datetime) -> None:
    """Two changes, one pending row, no sequence given twice."""
    store.save("north", LOAD, [record("lab", "1")], [], at)
    publish_all(store)
    store.save("north", LOAD, [record("lab", "2")], [], at)
    assert store.save("north", "north/later", [record("lab", "3")], [], at + timedelta(days=1)) == NOTHING._replace(
        amended=1
    )
    (row,) = store.pending("north", limit=10)
    assert (row.content, row.sequence, row.previous, row.load) == (record("lab", "3").content, 3, 1, "north/later")
    assert row.changed == at + timedelta(days=1)


def test_older_version_never_replaces_a_newer_one(store: Store, record: Make, at: datetime) -> None:
    """A late delivery of an old version is stale, unless the source gives no times."""
    store.save("north", LOAD, [record("lab", "2", updated=20), record("undated", "1")], [], at)
    publish_all(store)
    assert store.save("north", LOAD, [record("lab", "1", updated=10)], [], at) == NOTHING._replace(stale=1)
    assert store.save("north", LOAD, [record("undated", "2", updated=10)], [], at) == NOTHING._replace(amended=1)
    assert store.save("north", LOAD, [record("lab", "3", updated=20)], [], at) == NOTHING._replace(amended=1)
    assert store.save("north", LOAD, [record("lab", "4")], [], at) == NOTHING._replace(amended=1)
    assert store.save("north", LOAD, [record("lab", "1", updated=10)], [], at) == NOTHING._replace(stale=1)


def test_newer_time_with_the_same_content_still_guards(store: Store, record: Make, at: datetime) -> None:
    """Version 3 equals version 1; version 2, delivered last, must not win."""
    store.save("north", LOAD, [record("lab", "1", updated=10)], [], at)
    publish_all(store)
    assert store.save("north", LOAD, [record("lab", "1", updated=30)], [], at) == NOTHING._replace(unchanged=1)
    assert store.pending("north", limit=10) == []
    assert store.save("north", LOAD, [record("lab", "2", updated=20)], [], at) == NOTHING._replace(stale=1)


def test_same_resource_twice_in_a_batch_keeps_the_newest(store: Store, record: Make, at: datetime) -> None:
    """The newest version wins with its own parts, wherever it stands; every record given is counted."""
    new = [record("lab", "2", updated=20), record("lab", "7", part=1, updated=20)]
    old = [
        record("lab", "1", updated=10),
        record("lab", "7", part=1, updated=10),
        record("lab", "9", part=2, updated=10),
    ]
    assert store.save("north", LOAD, [*new, *old, record("other")], [], at) == Saved(3, 0, 1, 0, 2)
    assert {row.id for row in publish_all(store)} == {new[0].id, new[1].id, record("other").id}
    assert store.save("north", LOAD, [record("x", "1"), record("x", "2"), record("x", "2")], [], at) == Saved(
        1, 0, 1, 0, 1
    )
    assert [row.content for row in publish_all(store)] == [record("x", "2").content]


def test_entered_in_error_withdraws_all_parts(store: Store, record: Make, ref: Ref, at: datetime) -> None:
    """A withdrawn resource takes its components with it; others stay; unknown ones are no error."""
    parts = [record("pressure", str(n), part=n, updated=10) for n in (0, 1, 2**32 - 1)]
    store.save("north", LOAD, [*parts, record("lab", updated=10)], [], at)
    publish_all(store)
    assert store.save("north", LOAD, [], [(ref("pressure"), 11), (ref("unknown"), 11)], at) == NOTHING._replace(
        withdrawn=3
    )
    rows = publish_all(store)
    assert {row.id for row in rows} == {part.id for part in parts}
    assert {(row.content, row.digest, row.sequence, row.previous, row.live) for row in rows} == {
        (None, EMPTY_DIGEST, 2, 1, True)
    }
    assert store.save("north", LOAD, [], [(ref("pressure"), 11)], at) == NOTHING
    assert tallied(store) == 1


def test_late_withdrawal_does_not_take_a_newer_record(store: Store, record: Make, ref: Ref, at: datetime) -> None:
    """Withdrawals are guarded by time like any version; and of the same time they win."""
    store.save("north", LOAD, [record("lab", updated=20)], [], at)
    assert store.save("north", LOAD, [], [(ref("lab"), 19)], at) == NOTHING
    assert store.save("north", LOAD, [record("lab", "2", updated=21)], [(ref("lab"), 21)], at) == Saved(0, 1, 0, 1, 0)
    assert store.pending("north", limit=10)[0].content is None


def test_withdrawn_record_that_comes_again_is_recorded_again(
    store: Store, record: Make, ref: Ref, at: datetime
) -> None:
    """A tombstone was published; the next value starts anew but goes on counting."""
    store.save("north", LOAD, [record("lab")], [], at)
    publish_all(store)
    store.save("north", LOAD, [], [(ref("lab"), None)], at)
    publish_all(store)
    assert store.save("north", LOAD, [record("lab")], [], at) == NOTHING._replace(recorded=1)
    (row,) = store.pending("north", limit=10)
    assert (row.sequence, row.previous, row.live) == (3, 2, False)
    assert tallied(store) == 1


def test_withdrawn_before_it_was_published_needs_no_event(store: Store, record: Make, ref: Ref, at: datetime) -> None:
    """The publisher sees that nothing was live, and marks it."""
    store.save("north", LOAD, [record("lab")], [(ref("lab"), None)], at)
    (row,) = store.pending("north", limit=10)
    assert (row.content, row.live, row.previous) == (None, False, 0)
    assert store.mark_published("north", [row]) == 1
    assert store.pending_count("north") == (0, None)


def test_lost_component_is_withdrawn(store: Store, record: Make, at: datetime) -> None:
    """An observation that comes with a component fewer withdraws that one, and only of its own resource."""
    store.save(
        "north", LOAD, [record("bp", "[1,2]"), record("bp", part=1), record("bp", part=2), record("hr", part=1)], [], at
    )
    publish_all(store)
    assert store.save("north", LOAD, [record("bp", "[1]"), record("bp", part=1)], [], at) == Saved(0, 1, 1, 1, 0)
    assert {row.id: row.content is None for row in publish_all(store)} == {
        record("bp").id: False,
        record("bp", part=2).id: True,
    }
    assert tallied(store) == 3


def test_part_known_only_from_an_old_version_is_not_recorded(store: Store, record: Make, at: datetime) -> None:
    """A late old version brings a component the newer one never had: it is as stale as the whole."""
    store.save("north", LOAD, [record("bp", "[1]", updated=20), record("bp", part=1, updated=20)], [], at)
    late = [record("bp", "[1,2]", updated=10), record("bp", part=1, updated=10), record("bp", part=2, updated=10)]
    assert store.save("north", LOAD, late, [], at) == Saved(0, 0, 1, 0, 2)
    assert len(store.pending("north", limit=10)) == 2


def test_change_between_send_and_mark_stays_pending(store: Store, record: Make, at: datetime) -> None:
    """Sent at sequence 1, changed to 2, then marked: 2 is still to be sent, on top of what was sent."""
    store.save("north", LOAD, [record("lab", "1"), record("other")], [], at)
    sent = store.pending("north", limit=10)
    store.save("north", LOAD, [record("lab", "2")], [], at)
    assert store.mark_published("north", sent) == 1
    (row,) = store.pending("north", limit=10)
    assert (row.id, row.sequence, row.previous) == (record("lab").id, 2, 0)
    assert store.mark_published("north", sent) == 0


def test_a_refused_change_stays_pending_while_later_ones_are_marked(store: Store, record: Make, at: datetime) -> None:
    """One event was too large: it is found in every sweep until its record changes, and hides no other."""
    store.save("north", LOAD, [record(f"lab-{n}") for n in range(6)], [], at)
    rows = store.pending("north", limit=10)
    refused = {rows[2].number, rows[5].number}
    sendable = [row for row in rows if row.number not in refused]
    assert store.mark_published("north", sendable, refused=refused) == 4
    assert {row.number for row in store.pending("north", limit=10)} == refused
    store.save("north", LOAD, [record("lab-7")], [], at)
    assert store.mark_published("north", store.pending("north", after=max(refused), limit=10)) == 1
    assert {row.number for row in store.pending("north", limit=10)} == refused
    assert store.pending_count("north")[0] == 2
    store.save("north", LOAD, [record("lab-2", "2"), record("lab-5", "2")], [], at)
    assert len(publish_all(store)) == 2
    assert store.pending_count("north") == (0, None)


def test_lines_are_recognised_until_their_record_changes(store: Store, record: Make, ref: Ref, at: datetime) -> None:
    """By site, id and digest; a change, a withdrawal and another line with the same content count."""
    first, second = b"1" * 16, b"2" * 16
    lab = record("lab", updated=5)
    store.save("north", LOAD, [lab._replace(line_digest=first), record("other")], [], at)
    ids = [lab.id, record("other").id, record("unknown").id]
    assert store.unrecognised("north", ids, [first] * 3) == [1, 2]
    assert store.unrecognised("south", ids, [first] * 3) == [0, 1, 2]
    assert store.save("north", LOAD, [lab._replace(line_digest=second)], [], at) == NOTHING._replace(unchanged=1)
    assert store.unrecognised("north", ids[:1], [first]) == [0]
    assert store.unrecognised("north", ids[:1], [second]) == []
    older = lab._replace(line_digest=first, updated=4)
    assert store.save("north", LOAD, [older], [], at) == NOTHING._replace(unchanged=1)
    assert store.unrecognised("north", ids[:1], [second]) == []
    store.save("north", LOAD, [record("lab", "2", updated=6)._replace(line_digest=first)], [], at)
    assert store.unrecognised("north", ids[:1], [first]) == []
    store.save("north", LOAD, [], [(ref("lab"), 7)], at)
    assert store.unrecognised("north", ids[:1], [first]) == [0]
    undated = record("undated")
    store.save("north", LOAD, [undated._replace(line_digest=first)], [], at)
    store.save("north", LOAD, [undated._replace(line_digest=second)], [], at)
    assert store.unrecognised("north", [undated.id], [second]) == []


def test_publisher_streams_through_the_outbox_by_number(store: Store, record: Make, at: datetime) -> None:
    """Pages follow each other before anything is marked."""
    store.save("north", LOAD, [record(f"lab-{n}") for n in range(25)], [], at)
    store.save("south", LOAD, [record("elsewhere")], [], at)
    after, seen = 0, []
    while rows := store.pending("north", after=after, limit=10):
        seen.append(len(rows))
        after = rows[-1].number
    assert seen == [10, 10, 5]
    assert store.pending_count("north") == (25, at)
    assert store.pending_count("south") == (1, at)


def test_earlier_change_that_commits_later_is_not_skipped(store: Store, url: str, record: Make, at: datetime) -> None:
    """While one save is open another of the site waits, so no lower number comes up behind the publisher's back."""
    store.save("north", LOAD, [record("first")], [], at)
    second = Store.open(url)
    with store._write() as held:
        held.execute(select(tables.site_state.c.number).where(tables.site_state.c.site == "north").with_for_update())
        saving = threading.Thread(target=second.save, args=("north", LOAD, [record("second")], [], at))
        saving.start()
        saving.join(0.5)
        assert saving.is_alive()
        reader = Store.open(url)
        assert [row.id for row in reader.pending("north", limit=10)] == [record("first").id]
        reader.close()
    saving.join(10)
    second.close()
    assert [row.id for row in store.pending("north", limit=10)] == [record("first").id, record("second").id]


def test_two_sites_with_one_subject_key_are_told(store: Store, record: Make, at: datetime) -> None:
    """The same ids from two sites would overwrite each other; nothing of the batch is stored."""
    store.save("north", LOAD, [record("lab")], [], at)
    with pytest.raises(OperatorError, match="same id") as refused:
        store.save("south", LOAD, [record("new"), record("lab")], [], at)
    assert "key" in refused.value.fix
    assert store.pending("south", limit=10) == []


def test_second_publisher_is_refused_and_told_who_is_at_it(store: Store, url: str) -> None:
    """One publisher a site; another site, and a refresh, go on; afterwards the right is free."""
    other = Store.open(url)
    with (
        store.publishing("north"),
        other.publishing("south"),
        other.refreshing("north"),
        pytest.raises(TemporaryError, match=r"process \d+ on .* is publishing north already"),
        other.publishing("north"),
    ):
        pytest.fail("two publishers")
    with other.publishing("north"):
        pass
    other.close()


CHILD = """
import sys, time
from datetime import UTC, datetime
from mainstem.state import Store
from transforms.mapped import Mapped
store = Store.open(sys.argv[1])
record = lambda n: Mapped(n.to_bytes(16, "big"), "person", b"s" * 16, b"{}", b"", None)
with store.publishing("north"):
    store.save("north", "first", [record(n) for n in range(100)], [], datetime.now(UTC))
    insert = store._batches.insert
    def stopped(*arguments):
        insert(*arguments)
        print("inside", flush=True)
        time.sleep(60)
    store._batches.insert = stopped
    store.save("north", "second", [record(n) for n in range(50, 300)], [], datetime.now(UTC))
"""


def test_kill_in_the_middle_of_a_batch_leaves_nothing_half(store: Store, url: str) -> None:
    """kill -9 after the rows went out and before the commit: none of them is there, and the lock is free again."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"inside\n"
    with pytest.raises(TemporaryError), store.publishing("north"):
        pytest.fail("the lock is held")
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert store.pending_count("north")[0] == 100
    assert tallied(store) == 100
    given = [Mapped(n.to_bytes(16, "big"), "person", b"s" * 16, b"{}", b"", None) for n in range(50, 300)]
    assert store.save("north", "again", given, [], datetime.now(UTC)) == Saved(200, 0, 50, 0, 0)
    with store.publishing("north"):
        assert len(publish_all(store)) == 300
