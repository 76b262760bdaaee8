"""Of whom what is asked: records by type and, of observations, by code, on each database."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from states import save

from mainstem.state import State
from mainstem.state.subjects import Reads
from transforms.mapped import Mapped

ANNA, BERT, CARL = b"anna-of-the-test", b"bert-of-the-test", b"carl-of-the-test"
WEIGHTS = Reads({"observation", "person"}, {"29463-7", "8302-2"})
Make = Callable[..., Mapped]


def coded(given: Mapped, code: str) -> Mapped:
    """The record of that code; another stands behind it among its codings."""
    inner = f'"code":"{code}","codings":[{{"code":"29463-7"}}],"value"'.encode()
    return given._replace(content=given.content.replace(b'"value"', inner, 1))


def locally(given: Mapped, *codes: str) -> Mapped:
    """The record of some local codes alone."""
    codings = ",".join(f'{{"system":"urn:oid:1","code":"{code}"}}' for code in codes)
    return given._replace(content=given.content.replace(b'"value"', f'"codings":[{codings}],"value"'.encode(), 1))


def told(state: State, reads: Reads) -> list[bytes]:
    """The subjects that the newest load changed."""
    load = state.loads.last("north")
    assert load is not None
    return list(state.subjects.changed(load.id, reads=reads))


def test_an_observation_is_asked_for_by_its_own_code(state: State, record: Make, at: datetime) -> None:
    """Not by another coding; one that was withdrawn or amended may have been one; a person always counts."""
    save(
        state, "north", [coded(record("w", subject=ANNA), "29463-7"), coded(record("x", subject=BERT), "718-7")], [], at
    )
    assert told(state, WEIGHTS) == [ANNA]
    whole = list(state.subjects.histories("north", None, WEIGHTS))
    assert [each.subject for each in whole] == [ANNA]
    assert list(state.subjects.histories("north", [BERT, ANNA], WEIGHTS)) == whole
    load = state.loads.last("north")
    assert load is not None
    assert state.subjects.any_changed(load.id)
    state.outbox.mark_published("north", state.outbox.pending("north", limit=100))
    state.loads.complete(load.id, {}, at)

    later = at + timedelta(days=1)
    save(
        state,
        "north",
        [coded(record("w", subject=ANNA), "718-7"), coded(record("y", subject=BERT), "718-7")],
        [],
        later,
    )
    assert told(state, WEIGHTS) == [ANNA]
    save(state, "north", [record("p", kind="person", subject=CARL)], [], later)
    assert told(state, WEIGHTS) == [ANNA, CARL]
    assert told(state, Reads({"medication"})) == []
    save(state, "north", [], [(record("x").id[:12], None)], later)
    assert told(state, WEIGHTS) == [ANNA, BERT, CARL]


def test_a_load_in_which_nothing_changed_is_known_at_once(state: State, record: Make, at: datetime) -> None:
    """Without a look at what would be asked for."""
    save(state, "north", [record("w", subject=ANNA)], [], at)
    first = state.loads.last("north")
    assert first is not None
    state.outbox.mark_published("north", state.outbox.pending("north", limit=100))
    state.loads.complete(first.id, {}, at)
    save(state, "north", [record("w", subject=ANNA)], [], at + timedelta(days=1))
    second = state.loads.last("north")
    assert second is not None
    assert not state.subjects.any_changed(second.id)


def test_an_observation_without_a_code_of_its_own_is_asked_for_by_any_local_one(
    state: State, record: Make, at: datetime
) -> None:
    """By an instrument's name, wherever among its codings; beside a code of its own a local one does not count."""
    named, other = locally(record("n", subject=ANNA), "7", "PUCAI"), locally(record("o", subject=BERT), "7", "8")
    own = coded(record("c", subject=CARL), "718-7")
    own = own._replace(content=own.content.replace(b"29463-7", b"PUCAI"))
    save(state, "north", [named, other, own], [], at)
    assert told(state, Reads({"observation"}, {"PUCAI", "29463-7"})) == [ANNA]


def test_contents_are_never_sorted_by_sqlite(state: State, record: Make, at: datetime) -> None:
    """It would hold all of them in memory: of a site, or of somebody with very many records."""
    if not state.database.is_sqlite:
        pytest.skip("PostgreSQL sorts on disk")
    save(state, "north", [coded(record(name, subject=ANNA), "29463-7") for name in "vwx"], [], at)
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        asked.append((statement, given))

    event.listen(state.database.engine, "before_cursor_execute", note)
    for subjects in (None, [ANNA]):
        assert len(list(state.subjects.histories("north", subjects, WEIGHTS))) == 3
    assert len(list(state.quality.rows("north"))) == 3
    event.remove(state.database.engine, "before_cursor_execute", note)
    contents = [(sql, given) for sql, given in asked if "record.content" in sql.partition("FROM")[0]]
    assert len(contents) == 3
    with state.database.read() as connection:
        for sql, given in contents:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given).all()
            assert "TEMP B-TREE" not in str(plan)
