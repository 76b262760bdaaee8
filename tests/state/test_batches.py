"""The contract of the hot statements, which are written by hand for each database: one class of tests, run over both."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from mainstem.state import State
from mainstem.state.batches import Batches, Changed, Difference, LiveRecord
from mainstem.state.digests import EMPTY_DIGEST, digest_of
from transforms.mapped import NO_LINE, Mapped

Make = Callable[..., Mapped]
LINE = b"L" * 16


class Rows:
    """One transaction of the driver's own cursor, and the statements under test."""

    def __init__(self, batches: Batches, cursor: Any) -> None:
        self.batches, self.cursor = batches, cursor

    def insert(self, records: list[Mapped], *, site: str = "north", number: int = 0) -> None:
        self.batches.insert(self.cursor, site, "load", 5, [(each, digest_of(each.content)) for each in records], number)

    def differences(self, records: list[Mapped]) -> list[Difference]:
        return sorted(
            self.batches.differences(self.cursor, "north", records, [digest_of(each.content) for each in records])
        )

    def withdraw(self, record: Mapped, number: int) -> None:
        gone = Changed(record.id, EMPTY_DIGEST, NO_LINE, None, None, 9, number)
        self.batches.change(self.cursor, "later", 6, [gone])


class TestBatches:
    """What `mainstem.state.batches.Batches` promises."""

    @pytest.fixture
    def rows(self, state: State) -> Iterator[Rows]:
        """An open transaction on an empty database."""
        batches = state.records._batches
        with state.database.write() as connection:
            cursor = state.database.cursor(connection)
            batches.prepare(cursor)
            yield Rows(batches, cursor)

    def test_inserted_rows_wait_with_all_their_fields(self, rows: Rows, record: Make) -> None:
        """In order of number, dated or not; the site's own only."""
        given = [record("a", updated=7), record("b"), record("c", kind="person")]
        rows.insert(given, number=10)
        rows.insert([record("d")], site="south")
        found = rows.batches.pending(rows.cursor, "north", 10, 10)
        assert [tuple(row) for row in found] == [
            (number, r.id, r.type, r.subject, digest_of(r.content), r.content, r.provenance, "load", 1, 0, 0, 5)
            for number, r in enumerate(given, 11)
        ]
        assert [row[0] for row in rows.batches.pending(rows.cursor, "north", 11, 1)] == [12]

    def test_differences_name_what_differs_and_nothing_else(self, rows: Rows, record: Make) -> None:
        """Unknown, another's, other content, newer, another line, withdrawn."""
        same, newer, amended = record("same"), record("newer", updated=1), record("amended", updated=3)
        line, other, gone = record("line")._replace(line_digest=LINE), record("other"), record("gone")
        rows.insert([same, newer, amended, line, gone])
        rows.insert([other], site="south")
        rows.withdraw(gone, 20)
        asked = [
            same,
            newer._replace(updated=2),
            record("amended", "2", updated=2),
            line._replace(line_digest=NO_LINE),
            other,
            gone,
            record("unknown"),
            line,
        ]
        subject = same.subject
        assert rows.differences(asked) == [
            Difference(1, "north", True, 1, False, subject),
            Difference(2, "north", False, 3, False, subject),
            Difference(3, "north", True, None, False, subject),
            Difference(4, "south", True, None, False, subject),
            Difference(5, "north", False, 9, True, subject),
            Difference(6, None, False, None, False, None),
        ]

    def test_known_and_recognised_are_told_by_id(self, rows: Rows, record: Make) -> None:
        """A first load asks whether any is known; a later one by lines."""
        lab = record("lab")._replace(line_digest=LINE)
        assert not rows.batches.any_known(rows.cursor, [lab])
        rows.insert([lab])
        assert rows.batches.any_known(rows.cursor, [record("x"), lab])
        ids = [lab.id, record("x").id, lab.id]
        assert sorted(rows.batches.unrecognised(rows.cursor, "north", ids, [LINE, LINE, NO_LINE])) == [1, 2]
        assert sorted(rows.batches.unrecognised(rows.cursor, "south", ids[:1], [LINE])) == [0]

    def test_a_resources_parts_are_found_by_its_ref(self, rows: Rows, record: Make) -> None:
        """From the first possible part to the last; not withdrawn, of the site."""
        parts = [record("bp", part=number, updated=4) for number in (0, 1, 2**32 - 1)]
        rows.insert([*parts, record("bp", part=5), record("hr")])
        rows.withdraw(record("bp", part=5), 20)
        found = rows.batches.parts(rows.cursor, "north", [parts[0].id[:12]])
        assert sorted(found) == [LiveRecord(part.id, "observation", 4) for part in parts]
        assert list(rows.batches.parts(rows.cursor, "south", [parts[0].id[:12]])) == []

    def test_where_stored_records_came_from_is_told_by_id(self, rows: Rows, record: Make) -> None:
        """Of those that are known, however many are asked for."""
        labs = [record(f"lab {number}") for number in range(3)]
        rows.insert(labs)
        unknown = [record(f"x {number}").id for number in range(1200)]
        found = rows.batches.provenances(rows.cursor, [*unknown, *(lab.id for lab in labs)])
        assert found == {lab.id: lab.provenance for lab in labs}

    def test_change_touch_and_mark(self, rows: Rows, record: Make) -> None:
        """A change raises the sequence; a touch does not; a mark takes what has these numbers and is not refused."""
        a, b, c = (record(name, updated=1) for name in "abc")
        rows.insert([a, b, c])
        content = b'{"value":2}'
        rows.batches.change(rows.cursor, "later", 6, [Changed(a.id, b"d" * 16, LINE, content, None, 2, 4)])
        rows.batches.touch(rows.cursor, [b._replace(updated=None, line_digest=LINE)])
        rows.cursor.execute("INSERT INTO refused (site, number, record, reason, size) VALUES ('north', 3, '', 'x', 1)")
        waiting = rows.batches.pending(rows.cursor, "north", 0, 10)
        assert [(row[0], row[5], row[6], row[7], row[8], row[11]) for row in waiting] == [
            (2, b.content, b.provenance, "load", 1, 5),
            (4, content, a.provenance, "later", 2, 6),
        ]
        assert rows.batches.mark(rows.cursor, "north", 1, 3) == 1
        assert rows.batches.mark(rows.cursor, "north", 1, 4) == 1
        assert rows.batches.pending(rows.cursor, "north", 0, 10) == []
        rows.cursor.execute("SELECT updated, line_digest, published_sequence FROM record ORDER BY number")
        found = [(row[0], bytes(row[1]), row[2]) for row in rows.cursor.fetchall()]
        assert found == [(1, LINE, 1), (1, NO_LINE, 0), (2, LINE, 2)]


def test_both_databases_are_under_the_contract(state: State) -> None:
    """The fixture runs over SQLite and PostgreSQL; each has its own statements."""
    with state.database.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    assert type(state.records._batches).__name__ == ("SqliteBatches" if state.database.is_sqlite else "PostgresBatches")
