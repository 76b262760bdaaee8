"""A site's records for its judges: all of them, by subject, a few at a time; and what was counted of a load."""

from collections.abc import Callable
from datetime import datetime, timedelta

from states import save

from mainstem.state import Plan, State
from transforms.mapped import Mapped
from transforms.quality.facts.profile import Profile


def test_records_come_by_subject_and_withdrawn_ones_do_not(
    state: State, record: Callable[..., Mapped], at: datetime
) -> None:
    """More subjects than are read at once; neither another site's nor computed ones are among them."""
    subjects = [number.to_bytes(16, "big") for number in range(1, 1202)]
    records = [record(f"o-{place}", subject=subject) for place, subject in enumerate(reversed(subjects))]
    save(state, "north", records, [], at)
    save(state, "north", [record("z-score", subject=subjects[3], kind="derived_observation")], [], at)
    save(state, "south", [record("elsewhere", subject=subjects[0])], [], at)
    save(state, "north", [], [(records[0].id[:12], None)], at)
    rows = list(state.quality.rows("north"))
    assert [row.subject for row in rows] == subjects[:-1]
    assert rows[0].content == records[-1].content
    assert rows[0].provenance.startswith(b'"source":')


def test_the_profile_of_a_load_is_compared_with_that_of_another(state: State) -> None:
    """Of the same load it is replaced; the last ones are kept."""
    for number in range(20):
        state.quality.keep("north", f"north/{number:02}", Profile({("observation", "", 24_300): number}))
    state.quality.keep("north", "north/19", Profile({("observation", "", 24_300): 99}))
    before = state.quality.before("north", "north/19")
    assert before is not None
    assert before.months("observation") == {24_300: 18}
    newest = state.quality.before("north", "north/20")
    assert newest is not None
    assert newest.total("observation") == 99
    assert state.quality.before("south", "") is None


def test_the_last_load_that_completed_is_judged(state: State, at: datetime) -> None:
    """Not one that failed, is open or is another site's."""
    assert state.quality.last_load("north") is None
    for day, ends in enumerate((True, False)):
        load = state.loads.start("north", mode="full", started=at + timedelta(days=day), plan=Plan())
        end = at + timedelta(days=day, hours=1)
        if ends:
            state.loads.complete(load.id, {}, end)
            completed = load.id
        else:
            state.loads.fail(load.id, end, "no route")
    found = state.quality.last_load("north")
    assert found is not None
    assert found.id == completed
    assert state.quality.held("north").records == {}
