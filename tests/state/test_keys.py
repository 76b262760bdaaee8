"""Under which key a record was published: records that go over to another subject, by their source or by an alias."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import inspect, text
from states import save

from mainstem.database import Database
from mainstem.outbox import Change, OldKey
from mainstem.state import Alias, Merges, State
from mainstem.state.subjects import index_subjects
from schemas.errors import OperatorError
from transforms.mapped import Mapped

Make = Callable[..., Mapped]
ANNA, BERT, CARL = b"anna------------", b"bert------------", b"carl------------"


class Topic:
    """What consumers are told, by key: a publisher whose broker takes everything, and which may be killed before it marks."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.values: dict[tuple[bytes, bytes], bytes | None] = {}
        self.told: list[tuple[bytes, int, bool]] = []

    def publish(self, *, killed: bool = False) -> None:
        """Old keys' tombstones, then the page, then the mark."""
        rows: Sequence[Change] = self.state.outbox.pending("north", limit=100)
        for key in self.state.outbox.old_keys("north", rows):
            self._tell(key, None)
        for row in rows:
            self._tell(row, row.content)
        if not killed:
            self.state.outbox.mark_published("north", rows)

    def _tell(self, row: Change | OldKey, content: bytes | None) -> None:
        self.values[row.subject, row.id] = content
        self.told.append((row.subject, row.sequence, content is None))

    @property
    def live(self) -> list[bytes]:
        """The subjects under which something stands."""
        return sorted(subject for (subject, _), content in self.values.items() if content is not None)


@pytest.fixture
def topic(state: State) -> Topic:
    """The network's topic."""
    return Topic(state)


def test_a_fact_that_moves_is_withdrawn_under_its_old_key_first(
    state: State, record: Make, topic: Topic, at: datetime
) -> None:
    """Once, in order, each with its sequence; under the new key it is recorded."""
    save(state, "north", [record("lab", subject=ANNA)], [], at)
    topic.publish()
    save(state, "north", [record("lab", subject=BERT)], [], at)
    (row,) = state.outbox.pending("north", limit=10)
    assert (row.subject, row.sequence, row.previous, row.live) == (BERT, 3, 2, False)
    topic.publish()
    assert topic.told == [(ANNA, 1, False), (ANNA, 2, True), (BERT, 3, False)]
    topic.publish()
    assert len(topic.told) == 3
    save(state, "north", [record("lab", "2", subject=BERT)], [], at)
    (row,) = state.outbox.pending("north", limit=10)
    assert (row.sequence, row.previous, row.live) == (4, 3, True)
    topic.publish()
    assert topic.live == [BERT]


@pytest.mark.parametrize("way", [(ANNA, BERT, CARL), (ANNA, BERT, ANNA), (ANNA, BERT, ANNA, BERT)])
@pytest.mark.parametrize("killed", [True, False])
def test_moves_while_pending_leave_one_live_key(
    state: State, record: Make, topic: Topic, at: datetime, way: tuple[bytes, ...], killed: bool
) -> None:
    """A → B → C and A → B → A; whether or not what waited was sent before a crash, sequences rise and one key is left."""
    for subject in way:
        save(state, "north", [record("lab", subject=subject)], [], at)
        if killed:
            topic.publish(killed=True)
    topic.publish()
    assert topic.live == [way[-1]]
    last: dict[bytes, int] = {}
    for (
        subject,
        sequence,
        _,
    ) in topic.told:  # what came again after a crash is the same event, never an older state anew
        last[subject] = max(sequence, last.get(subject, 0))
    assert last[way[-1]] == 2 * len(way) - 1
    assert state.outbox.old_keys("north", state.outbox.pending("north", limit=10)) == []


def test_a_fact_that_moves_and_is_withdrawn_leaves_no_key(
    state: State, record: Make, topic: Topic, at: datetime
) -> None:
    """Entered in error before the move was published: tombstones under both keys."""
    save(state, "north", [record("lab", subject=ANNA)], [], at)
    topic.publish()
    save(state, "north", [record("lab", subject=BERT)], [], at)
    save(state, "north", [], [(record("lab").id[:12], None)], at)
    topic.publish()
    assert topic.live == []
    assert topic.told[1:] == [(ANNA, 2, True), (BERT, 4, True)]


def test_a_change_between_send_and_mark_keeps_its_old_keys(
    state: State, record: Make, topic: Topic, at: datetime
) -> None:
    """Sent under the new key, moved on, then marked: the key just sent is withdrawn too."""
    save(state, "north", [record("lab", subject=ANNA)], [], at)
    topic.publish()
    save(state, "north", [record("lab", subject=BERT)], [], at)
    rows = state.outbox.pending("north", limit=10)
    topic.publish(killed=True)
    save(state, "north", [record("lab", subject=CARL)], [], at)
    assert state.outbox.mark_published("north", rows) == 0
    topic.publish()
    assert topic.live == [CARL]


def test_merged_patients_are_one_until_the_merge_is_taken_back(
    state: State, record: Make, topic: Topic, at: datetime
) -> None:
    """Stored and coming records of the old subject are the survivor's; the end moves back what the source says is the old one's."""
    given = [
        record("anna", kind="person", subject=ANNA),
        record("bert", kind="person", subject=BERT),
        record("lab", subject=ANNA),
        record("own", subject=BERT),
    ]
    save(state, "north", given, [], at)
    topic.publish()
    assert state.aliases.add("north", ANNA, BERT, "merged", at) == 2
    assert state.aliases.add("north", ANNA, BERT, "merged", at) == 0
    assert state.aliases.of("north") == [Alias(ANNA, BERT, "merged", at)]
    topic.publish()
    assert topic.live == [BERT] * 3
    assert [each.id for each in state.subjects.current("north", [BERT], ["person"])] == [given[1].id]
    again = save(state, "north", [*given, record("new", subject=ANNA)], [], at)
    assert (again.recorded, again.amended, again.unchanged, again.withdrawn) == (1, 0, 4, 0)
    topic.publish()
    assert topic.live == [BERT] * 4
    assert state.aliases.end("north", ANNA, at + timedelta(days=1)) == 2
    topic.publish()
    assert topic.live == [ANNA, ANNA, BERT, BERT]
    assert state.aliases.of("north") == []
    assert save(state, "north", given, [], at) == (1, 0, 3, 0, 0, 0)
    assert sum(line.records for line in state.status()) == 5


def test_an_alias_of_an_alias_ends_at_the_last_survivor(state: State, record: Make, at: datetime) -> None:
    """And a circle is refused."""
    save(state, "north", [record("lab", subject=ANNA)], [], at)
    state.aliases.add("north", ANNA, BERT, "merged", at)
    state.aliases.add("north", BERT, CARL, "new key", at)
    assert [each.subject for each in state.subjects.current("north", [ANNA, BERT, CARL])] == [CARL]
    with pytest.raises(OperatorError, match="alias of the old one"):
        state.aliases.add("north", CARL, ANNA, "merged", at)
    with pytest.raises(OperatorError, match="alias of another already"):
        state.aliases.add("north", ANNA, CARL, "merged", at)
    state.aliases.end("north", BERT, at)
    assert [each.subject for each in state.subjects.current("north", [ANNA, BERT, CARL])] == [BERT]
    state.aliases.end("north", ANNA, at)
    assert [each.subject for each in state.subjects.current("north", [ANNA, BERT, CARL])] == [ANNA]
    with pytest.raises(OperatorError, match="no alias"):
        state.aliases.end("north", ANNA, at)


def test_subjects_touched_by_a_load_are_told_again_after_a_crash(state: State, record: Make, at: datetime) -> None:
    """Who got, lost or changed a record since the last completed load; an abandoned load's changes are not lost."""
    save(state, "north", [record("a", subject=ANNA), record("b", subject=BERT), record("c", subject=CARL)], [], at)
    first = state.loads.last("north")
    assert first is not None
    assert list(state.subjects.changed(first.id)) == [ANNA, BERT, CARL]
    assert list(state.subjects.changed(first.id, after=ANNA)) == [BERT, CARL]
    Topic(state).publish()
    state.loads.complete(first.id, {}, at)
    assert list(state.subjects.changed(first.id)) == [ANNA, BERT, CARL]
    save(state, "north", [record("a", subject=BERT)], [], at + timedelta(days=1))
    second = state.loads.last("north")
    assert second is not None
    state.loads.abandon(second.id, at + timedelta(days=1))
    save(state, "north", [record("b", subject=BERT)], [], at + timedelta(days=2))
    third = state.loads.last("north")
    assert third is not None
    Topic(state).publish()
    assert list(state.subjects.changed(third.id)) == [ANNA, BERT]
    state.loads.complete(third.id, {}, at + timedelta(days=2))
    save(state, "north", [record("b", subject=BERT)], [], at + timedelta(days=3))
    fourth = state.loads.last("north")
    assert fourth is not None
    assert list(state.subjects.changed(fourth.id)) == []


def test_a_subjects_current_records_are_read_by_type(state: State, record: Make, at: datetime) -> None:
    """Not withdrawn ones, of one site, in order of subject."""
    lab, order = record("a", subject=BERT), record("b", kind="medication", subject=ANNA)
    save(state, "north", [lab, order, record("gone", subject=ANNA)], [], at)
    save(state, "north", [], [(record("gone").id[:12], None)], at)
    save(state, "south", [record("elsewhere", subject=ANNA)], [], at)
    both = state.subjects.current("north", [BERT, ANNA])
    assert [(each.id, each.type, each.subject, each.content) for each in both] == [
        (each.id, each.type, each.subject, each.content) for each in (order, lab)
    ]
    assert state.subjects.current("north", [BERT, ANNA], ["medication"]) == both[:1]


def test_the_index_by_subject_comes_with_the_first_question(state: State, record: Make, at: datetime, url: str) -> None:
    """A first load does not pay for it; whoever asks by subject makes it once, whatever the state held before."""

    def indexed() -> bool:
        with state.database.read() as connection:
            return inspect(connection).has_index("record", "ix_record_subject")

    save(state, "north", [record("lab", subject=b"subject-of-tests")], [], at)
    assert not indexed()
    other = State.open(url)
    assert [each.subject for each in other.subjects.current("north", [b"subject-of-tests"])] == [b"subject-of-tests"]
    other.close()
    assert indexed()
    assert state.aliases.add("north", b"subject-of-tests", b"another-subject!", "merged", at) == 1


def test_several_sites_may_be_the_first_to_ask_by_subject(state: State, record: Make, at: datetime, url: str) -> None:
    """Each of them has the index made, in the same moment; none is ended by another."""
    save(state, "north", [record("lab")], [], at)
    others = [Database.open(url) for _ in range(4)]
    for _ in range(10):
        with state.database.write() as connection:
            connection.execute(text("DROP INDEX IF EXISTS ix_record_subject"))
        together = threading.Barrier(len(others))

        def ask(database: Database, together: threading.Barrier = together) -> None:
            together.wait()
            index_subjects(database)

        with ThreadPoolExecutor(len(others)) as threads:
            list(threads.map(ask, others))
    for database in others:
        database.close()


def test_merges_by_the_ehrs_word_begin_change_and_end_in_one_step(
    state: State, record: Make, topic: Topic, at: datetime
) -> None:
    """Counted with the load; done again, they change and count nothing; who survives and has not come is known."""
    people = [record(name, kind="person", subject=subject) for name, subject in (("anna", ANNA), ("bert", BERT))]
    save(state, "north", [*people, record("lab", subject=ANNA)], [], at)
    load = state.loads.open("north")
    assert load is not None
    follow = partial(state.aliases.follow, load.id, at=at)
    assert follow(Merges({ANNA: CARL}, [], 2)) == (1, 0, 2)
    assert state.aliases.waiting("north") == 1
    topic.publish()
    assert topic.live == [BERT, CARL]

    assert follow(Merges({ANNA: BERT}, [ANNA], 0)) == (1, 0, 0)
    topic.publish()
    assert (topic.live, state.aliases.waiting("north")) == ([BERT, BERT], 0)
    assert follow(Merges({}, [ANNA], 0)) == (0, 1, 0)
    topic.publish()
    assert topic.live == [ANNA, BERT]
    assert follow(Merges({}, [], 0)) == (0, 0, 0)
    counts = state.loads.figures(load.id)["Patient"]
    assert (counts.merged, counts.unmerged, counts.merges_unclear) == (2, 1, 2)
