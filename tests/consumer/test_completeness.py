"""Whether what a consumer holds is all there is: loaded, not loaded, gap or not yet, never 0."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from mainstem.consumer.completeness import Answer, Completeness, Extents, State
from schemas.loads import Gap, LoadEvent, LoadEventType, TypeCounts

MARCH = date(2026, 3, 1), date(2026, 3, 31)


def loaded(day: int, *, month: int = 4, event: str = "completed", site: str = "north", **given: object) -> LoadEvent:
    """A load's last word, of that morning."""
    at = datetime(2026, month, day, 5, tzinfo=UTC)
    content = {"load": f"{site}/{month}-{day}", "site": site, "event": LoadEventType(event), "mode": "incremental"}
    return LoadEvent.model_validate(content | {"started": at, "ended": at + timedelta(hours=1)} | given)


def complete(day: int, *types: str, month: int = 4, **given: object) -> LoadEvent:
    """One that brought these types whole."""
    return loaded(
        day, month=month, watermarks={name: datetime(2026, month, day, 4, tzinfo=UTC) for name in types}, **given
    )


def gap(since: datetime | None, until: datetime | None, name: str = "Observation") -> Gap:
    return Gap(resource_type=name, since=since, until=until, reason="timeout")


def on(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def asked(*loads: LoadEvent, record_type: str = "observation", site: str = "north") -> Answer:
    extents = Extents()
    for load in loads:
        extents.told(load)
    return extents.answer(site, record_type, *MARCH)


STORIES = {
    "nothing was ever told": ((), State.NOT_LOADED),
    "a load began": ((loaded(2, event="started"),), State.NOT_LOADED),
    "a load failed": ((loaded(2, event="failed"),), State.NOT_LOADED),
    "other types came": ((complete(2, "Patient"),), State.NOT_LOADED),
    "all came": ((complete(2, "Observation"),), State.LOADED),
    "the last day is not over everywhere": ((complete(1, "Observation"),), State.NOT_YET),
    "the window is not over": ((complete(15, "Observation", month=3),), State.NOT_YET),
    "it came, and then a load failed": ((complete(2, "Observation"), loaded(3, event="failed")), State.LOADED),
    "a gap in the window": (
        (complete(2, "Observation", gaps=[gap(on(3, 10), on(3, 12))]),),
        State.GAP,
    ),
    "a gap without an end": ((complete(2, "Observation", gaps=[gap(on(2, 1), None)]),), State.GAP),
    "never whole": ((loaded(2, gaps=[gap(None, on(3, 5))]),), State.GAP),
    "a gap before the window": ((complete(2, "Observation", gaps=[gap(None, on(2, 20))]),), State.LOADED),
    "a gap that a later load closed": (
        (complete(2, "Observation", gaps=[gap(on(3, 10), on(3, 12))]), complete(3, "Observation")),
        State.LOADED,
    ),
    "a gap, and a load of other types": (
        (complete(2, "Observation", gaps=[gap(on(3, 10), on(3, 12))]), complete(3, "Patient")),
        State.GAP,
    ),
    "a gap that a failed load met again": (
        (
            complete(2, "Observation"),
            loaded(3, event="failed", types={"Observation": TypeCounts()}, gaps=[gap(on(3, 30), None)]),
        ),
        State.GAP,
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_the_answer_is_what_the_loads_told(story: str) -> None:
    """Of March, for observations."""
    loads, state = STORIES[story]
    assert asked(*loads).state is state


def test_a_gap_after_the_window_is_told_beside() -> None:
    """What was entered late, or corrected then, may be missing."""
    answer = asked(complete(30, "Observation", gaps=[gap(on(4, 10), on(4, 12))]))
    assert (answer.state, answer.gaps, len(answer.later)) == (State.LOADED, (), 1)


def test_sites_are_apart_and_a_type_of_several_is_no_better_than_the_worst() -> None:
    """Medications come from several FHIR types; one that the site does not have is not waited for."""
    assert asked(complete(2, "Observation", site="west")).state is State.NOT_LOADED
    orders = complete(2, "MedicationRequest")
    assert asked(orders, record_type="medication").state is State.LOADED
    statements = loaded(3, gaps=[gap(on(3, 1), on(3, 2), "MedicationStatement")])
    answer = asked(orders, statements, record_type="medication")
    assert (answer.state, answer.up_to) == (State.GAP, None)


def test_a_window_must_not_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="ends before"):
        Extents().answer("north", "observation", MARCH[1], MARCH[0])


def test_a_consumer_keeps_it_in_its_own_database(engine: Engine) -> None:
    """Twice, late, in whatever order a rebuilt consumer is given them: the same answer."""
    held = Completeness(engine)
    first, second = complete(2, "Observation", gaps=[gap(on(3, 10), on(3, 12))]), complete(3, "Observation")
    for events in ([second, loaded(4, event="started")], [first, first, second]):
        with engine.begin() as connection:
            held.keep(connection, events)
    with engine.connect() as connection:
        assert held.extents(connection).answer("north", "observation", *MARCH).state is State.LOADED
