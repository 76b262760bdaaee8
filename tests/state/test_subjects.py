"""Of whom what is asked: records by type and, of observations, by code, on each database."""

from collections.abc import Callable
from datetime import datetime, timedelta

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
