"""Loads, watermarks, gaps, quarantine and status; every story on SQLite and on PostgreSQL."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from states import save

from connectors.pulled import EVERY_TYPE, Pulled, Shortfall
from mainstem.state import Batch, Load, Place, Plan, Quarantined, State
from schemas.errors import OperatorError, TemporaryError
from schemas.gaps import GapCause
from schemas.loads import Gap, LoadEvent, TypeCounts
from transforms.mapped import Mapped

Make = Callable[..., Mapped]
HOUR = timedelta(hours=1)


def started(state: State, at: datetime) -> Load:
    """A running load."""
    return state.loads.start(
        "north", mode="incremental", started=at, plan=Plan(types=["Observation"], asked_types=["Observation"])
    )


def counted(state: State, load: Load, *names: str) -> None:
    """Figures that add up."""
    for name in names:
        read(state, load, name, TypeCounts(read=3, mapped=2, skipped={"missing-code": 1}))


def read(state: State, load: Load, name: str, figures: TypeCounts) -> None:
    """A part read from its beginning, of which nothing is a record."""
    state.loads.begin_part(load.id, name, "mapping")
    state.records.save(load.id, name, Batch(figures=figures), load.started)


def test_load_is_taken_up_again_until_it_ends(state: State, at: datetime) -> None:
    """One unfinished load a site; ended, it is history."""
    load = started(state, at)
    assert load.id == "north/2026-03-02T05:00:00Z"
    assert state.loads.open("north") == load == state.loads.get(load.id)
    assert load.plan == Plan(types=["Observation"], asked_types=["Observation"])
    with pytest.raises(OperatorError, match="not finished"):
        started(state, at + HOUR)
    state.loads.abandon(load.id, at + HOUR)
    assert state.loads.open("north") is None
    again = started(state, at)
    assert again.id == "north/2026-03-02T05:00:00Z-2"
    assert state.loads.last("north") == again
    with pytest.raises(OperatorError, match="no load"):
        state.loads.get("north/never")


def test_notes_of_a_load_are_replaced_not_doubled(state: State, at: datetime) -> None:
    """A step run again writes the same row."""
    load = started(state, at)
    state.loads.record_pulled(
        load.id,
        {"export": Pulled(unit="export", short=[Shortfall(EVERY_TYPE, GapCause.NOT_ANSWERED, "timeout")], as_of=at)},
    )
    assert not state.loads.any_pulled(load.id)
    state.loads.record_pulled(load.id, {"export": Pulled(unit="export", newest=at, as_of=at)})
    assert state.loads.pulled(load.id) == {"export": Pulled(unit="export", newest=at, as_of=at)}
    assert state.loads.any_pulled(load.id)
    counted(state, load, "Observation", "Patient", "Patient")
    assert {name: counts.read for name, counts in state.loads.figures(load.id).items()} == {
        "Observation": 3,
        "Patient": 3,
    }


def test_a_part_goes_on_where_it_was_under_the_same_mapping_only(state: State, record: Make, at: datetime) -> None:
    """Killed after a batch it repeats nothing; under another mapping what was read is read anew, what was done stays done."""
    load, figures = started(state, at), TypeCounts(read=2, mapped=2, records=2)
    assert state.loads.begin_part(load.id, "Observation", "first") is None
    batch = Batch([record("a"), record("b")], figures=figures, place=Place("Observation-0001.ndjson.gz", 2, {"b": 1}))
    state.records.save(load.id, "Observation", batch, at)
    assert state.loads.begin_part(load.id, "Observation", "first") == batch.place
    assert state.loads.figures(load.id)["Observation"] == figures.model_copy(update={"recorded": 2})
    assert state.loads.begin_part(load.id, "Observation", "second") is None
    assert state.loads.figures(load.id)["Observation"] == TypeCounts(recorded=2)
    state.records.save(load.id, "Observation", batch, at)
    assert state.loads.figures(load.id)["Observation"] == figures.model_copy(update={"recorded": 2, "unchanged": 2})
    state.records.save(load.id, "Observation/2", Batch([record("c")], figures=TypeCounts(read=1, mapped=1)), at)
    assert state.loads.figures(load.id)["Observation"].read == 3


def test_what_the_broker_has_is_counted_where_it_is_marked(state: State, record: Make, at: datetime) -> None:
    """Killed after the mark, the load still says how many were published."""
    load = started(state, at)
    save(state, "north", [record("a"), record("b")], [], at)
    state.outbox.mark_published("north", state.outbox.pending("north", limit=1))
    assert state.loads.get(load.id).published == 1
    state.outbox.mark_published("north", state.outbox.pending("north", limit=10))
    assert state.loads.get(load.id).published == 2


def test_steps_of_a_load_that_is_no_longer_open_are_refused(state: State, record: Make, at: datetime) -> None:
    """Tasks of an abandoned load change nothing, and are told which load is open."""
    old = started(state, at)
    state.loads.abandon(old.id, at)
    new = started(state, at + HOUR)
    for step in (
        lambda: state.records.save(old.id, "Observation", Batch([record("lab")]), at),
        lambda: state.loads.begin_part(old.id, "Observation", "mapping"),
        lambda: state.loads.record_pulled(old.id, {"Observation": Pulled(unit="Observation", as_of=at)}),
    ):
        with pytest.raises(OperatorError, match=f"is abandoned; {new.id} is open"):
            step()
    with pytest.raises(OperatorError, match="is abandoned"):
        state.loads.complete(old.id, {}, at)
    assert state.outbox.pending_count("north") == (0, None)


def test_who_saves_for_a_load_that_another_run_completed_may_try_again(
    state: State, record: Make, at: datetime
) -> None:
    load = started(state, at)
    counted(state, load, "Observation")
    state.loads.complete(load.id, {"Observation": at}, at + HOUR)
    with pytest.raises(TemporaryError, match="was completed by another run"):
        state.records.save(load.id, "Observation", Batch([record("lab")]), at)
    assert state.outbox.pending_count("north") == (0, None)


def test_a_step_and_its_part_are_held_by_one(state: State, url: str) -> None:
    """Another part and another step go on; the message names the holder."""
    other = State.open(url)
    with (
        state.holding("north", "map", "Observation"),
        other.holding("north", "map", "Patient"),
        other.holding("north", "pull", "Observation"),
        other.holding("south", "map", "Observation"),
        pytest.raises(TemporaryError, match=r"process \d+ on .* is at step map of north, Observation, already"),
        other.holding("north", "map", "Observation"),
    ):
        pytest.fail("two hold it")
    other.close()


def test_a_part_given_back_is_free_while_its_step_is_held(state: State, url: str) -> None:
    """A process's rights come and go one by one; it may not have the same twice itself."""
    other = State.open(url)
    with state.holding("north", "run"):
        with state.holding("north", "map", "Patient"):
            with pytest.raises(TemporaryError, match="at step map of north, Patient, already"):
                state.holding("north", "map", "Patient").__enter__()
            with pytest.raises(TemporaryError, match="at step run of north already"):
                other.holding("north", "run").__enter__()
        with other.holding("north", "map", "Patient"):
            pass
        with pytest.raises(TemporaryError, match="at step run of north already"):
            other.holding("north", "run").__enter__()
    with other.holding("north", "run"):
        pass
    other.close()


def test_rights_of_a_session_that_was_cut_off_are_taken_anew(postgres_url: str) -> None:
    """The server ends our session: what was held is gone, giving it back is no error, the next right is given."""
    state, other = State.open(postgres_url), State.open(postgres_url)
    with state.holding("north", "run"):
        with state.holding("north", "pull"), other.database.write() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'mainstem process%' AND datname = current_database()"
                )
            )
        with other.holding("north", "run"), state.holding("north", "map"):
            pass
    state.close()
    other.close()


def test_what_happens_to_a_load_is_told_where_it_becomes_true(state: State, at: datetime) -> None:
    """Started, failed, abandoned, completed: rows that wait until they are sent, in their order."""
    first = started(state, at)
    state.loads.fail(first.id, at + HOUR, "no answer", missing=[Gap(resource_type="Patient", reason="no answer")])
    state.loads.fail(first.id, at + HOUR, "again")
    second = started(state, at + 2 * HOUR)
    state.loads.abandon(second.id, at + 3 * HOUR)
    third = started(state, at + 4 * HOUR)
    counted(state, third, "Observation")
    with pytest.raises(OperatorError):
        state.loads.complete(third.id, {"Patient": at}, at + 5 * HOUR)
    state.loads.complete(third.id, {"Observation": at}, at + 5 * HOUR)
    told = state.outbox.told("north", 10)
    assert [(row.kind, row.name, row.event) for row in told] == [
        ("load", first.id, "started"),
        ("load", first.id, "failed"),
        ("load", second.id, "started"),
        ("load", second.id, "failed"),
        ("load", third.id, "started"),
        ("load", third.id, "completed"),
    ]
    assert LoadEvent.model_validate_json(told[1].value).gaps == [Gap(resource_type="Patient", reason="no answer")]
    done = LoadEvent.model_validate_json(told[-1].value)
    assert (done.types["Observation"].read, done.watermarks, done.ended) == (3, {"Observation": at}, at + 5 * HOUR)
    state.outbox.mark_told("north", [row.number for row in told[:-1]])
    assert state.outbox.told("north", 10) == told[-1:]


def test_a_topics_first_partition_count_is_remembered(state: State) -> None:
    """The publisher sees that somebody changed it."""
    assert state.outbox.partitions("lhn.outcome.v1", 12) == 12
    assert state.outbox.partitions("lhn.outcome.v1", 24) == 12


def test_completion_moves_the_watermark_and_is_done_once(state: State, at: datetime) -> None:
    """Completed again, as a retried task does, a load changes nothing."""
    load = started(state, at)
    counted(state, load, "Observation")
    assert state.loads.complete(load.id, {"Observation": at}, at + HOUR) == {"Observation": at}
    assert state.loads.complete(load.id, {"Observation": at + HOUR}, at + 2 * HOUR) == {"Observation": at}
    done = state.loads.get(load.id)
    assert done.report is not None
    assert (done.status, done.ended, done.report.status) == ("completed", at + HOUR, "completed")
    assert done.report.watermarks == {"Observation": at}


def test_counts_that_do_not_add_up_refuse_completion(state: State, at: datetime) -> None:
    """A resource read and neither mapped nor skipped: the watermark stays, the load stays open."""
    load = started(state, at)
    read(state, load, "Observation", TypeCounts(read=3, mapped=2))
    with pytest.raises(OperatorError, match="do not add up"):
        state.loads.complete(load.id, {"Observation": at}, at + HOUR)
    assert state.watermarks.of("north") == {}
    assert state.loads.get(load.id).status == "running"
    counted(state, load, "Observation")
    with pytest.raises(OperatorError, match="Patient has no figures"):
        state.loads.complete(load.id, {"Patient": at}, at + HOUR)


def test_unpublished_changes_refuse_completion(state: State, record: Make, at: datetime) -> None:
    """What is stored and not acknowledged keeps the load open."""
    load = started(state, at)
    counted(state, load, "Observation")
    save(state, "north", [record("lab")], [], at)
    with pytest.raises(OperatorError, match="1 changes are not published"):
        state.loads.complete(load.id, {"Observation": at}, at + HOUR)
    state.outbox.mark_published("north", state.outbox.pending("north", limit=10))
    assert state.loads.complete(load.id, {"Observation": at}, at + HOUR) == {"Observation": at}


def test_watermark_moves_neither_back_nor_into_the_future(state: State, at: datetime) -> None:
    """An earlier value is ignored, a future one refused; one that is there already is refused to the plan."""
    load = started(state, at)
    counted(state, load, "Observation", "Patient")
    with pytest.raises(OperatorError, match="watermark of Patient lies in the future"):
        state.loads.complete(load.id, {"Observation": at, "Patient": at + 2 * HOUR}, at + HOUR)
    assert state.watermarks.of("north") == {}
    state.loads.complete(load.id, {"Observation": at, "Patient": at}, at + HOUR)
    second = started(state, at + HOUR)
    counted(state, second, "Observation", "Patient")
    zone = timezone(timedelta(hours=5))
    assert state.loads.complete(
        second.id, {"Observation": at - HOUR, "Patient": (at + HOUR).astimezone(zone)}, at + HOUR
    ) == {
        "Observation": at,
        "Patient": at + HOUR,
    }
    with pytest.raises(OperatorError, match="future"):
        state.watermarks.of("north", now=at)
    state.watermarks.forget("north", "Patient")
    assert state.watermarks.of("north", now=at) == {"Observation": at}


def test_gap_stays_visible_until_its_type_is_read(state: State, at: datetime) -> None:
    """The same gap again is one gap; the load that reads the type closes it."""
    first = started(state, at)
    counted(state, first, "Patient")
    gap = Gap(resource_type="Observation", since=None, until=at, reason="timeout")
    state.loads.complete(first.id, {"Patient": at}, at, missing=[gap])
    assert state.gaps.of("north") == [gap]
    second = started(state, at + HOUR)
    counted(state, second, "Patient")
    later = gap.model_copy(update={"until": at + HOUR, "reason": "forbidden"})
    state.loads.fail(second.id, at + HOUR, "forbidden", missing=[later])
    assert state.gaps.of("north") == [later]
    assert state.loads.get(second.id).status == "failed"
    third = started(state, at + 2 * HOUR)
    counted(state, third, "Observation")
    state.loads.complete(third.id, {"Observation": at}, at + 3 * HOUR)
    assert state.gaps.of("north") == []
    state.gaps.open("north", gap, at)
    assert state.gaps.close("north", "Observation", at) == 1


def test_quarantine_holds_each_resource_once(state: State, at: datetime) -> None:
    """A map step run again notes the same; the load that reads it again replaces the older note."""
    first = started(state, at)
    items = [
        Quarantined("Observation", b"r" * 12, "missing-code", "Observation.code", "Observation-0001.ndjson.gz", n)
        for n in (1, 2)
    ]
    nameless = Quarantined("Observation", b"", "invalid-json", "", "Observation-0001.ndjson.gz", 3)
    for _ in range(2):
        state.records.save(first.id, "Observation", Batch(quarantined=[*items, nameless]), at)
    assert list(state.quarantine.of("north")) == [*items, nameless]
    counted(state, first, "Observation")
    state.loads.complete(first.id, {"Observation": at}, at)
    second = started(state, at + HOUR)
    counted(state, second, "Observation")
    state.records.save(second.id, "Observation", Batch(quarantined=[items[0]]), at)
    state.loads.complete(second.id, {"Observation": at}, at + HOUR)
    assert list(state.quarantine.of("north")) == [nameless, items[0]]
    assert list(state.quarantine.of("north", first.id)) == [nameless]
    full = state.loads.start("north", mode="full", started=at + 2 * HOUR, plan=Plan())
    counted(state, full, "Observation")
    state.loads.complete(full.id, {"Observation": at}, at + 2 * HOUR)
    assert list(state.quarantine.of("north")) == []


@pytest.mark.slow
def test_status_shows_every_site_and_type(state: State, record: Make, at: datetime) -> None:
    """Watermark, records, pending, gaps and quarantine, by the FHIR type people know."""
    load = started(state, at)
    counted(state, load, "Observation", "Patient")
    save(state, "north", [record("anna", kind="person"), record("lab-1"), record("lab-2")], [], at)
    state.outbox.mark_published("north", state.outbox.pending("north", limit=2))
    broken = Quarantined("Observation", b"", "invalid-json", "", "f", 1)
    state.records.save(load.id, "Observation", Batch(quarantined=[broken]), at)
    state.gaps.open("north", Gap(resource_type="Condition", reason="forbidden"), at)
    save(state, "south", [record("bert", kind="medication")], [], at, part="MedicationRequest")
    rows = {(row.site, row.resource_type): row for row in state.status()}
    assert list(rows) == [
        ("north", "Condition"),
        ("north", "Observation"),
        ("north", "Patient"),
        ("south", "MedicationRequest"),
    ]
    lab = rows["north", "Observation"]
    assert (lab.records, lab.pending, lab.oldest_pending, lab.quarantined) == (2, 1, at, {"invalid-json": 1})
    assert (lab.load, lab.load_status, lab.watermark) == (load.id, "running", None)
    assert (rows["north", "Patient"].records, rows["north", "Patient"].pending) == (1, 0)
    assert rows["north", "Condition"].gaps == [Gap(resource_type="Condition", reason="forbidden")]
    assert [row.site for row in state.status("south")] == ["south"]


def test_moment_without_a_zone_is_refused(state: State) -> None:
    """A naive time would be stored as whatever zone the machine has."""
    with pytest.raises(OperatorError):
        started(state, datetime(2026, 3, 2))
    assert state.loads.open("north") is None


def test_status_guesses_no_type(state: State, record: Make, at: datetime) -> None:
    """A Medication is no medication record, and what no FHIR type feeds stands under its own name."""
    load = started(state, at)
    save(
        state,
        "north",
        [record("order", kind="medication"), record("z", kind="derived_observation")],
        [],
        at,
        part="Medication",
    )
    unmapped = Quarantined("Medication", b"", "not-mapped", "", "f", 1)
    state.records.save(load.id, "Medication", Batch(quarantined=[unmapped]), at)
    found = {row.resource_type: (row.records, row.quarantined) for row in state.status()}
    assert found == {
        "Medication": (0, {"not-mapped": 1}),
        "MedicationRequest": (1, {}),
        "derived_observation": (1, {}),
    }


def test_two_who_begin_at_the_same_moment_are_both_let_in(state: State, url: str, at: datetime) -> None:
    """A worker was killed as it said that it begins, and its successor says so: on both databases one of the two is noted."""
    state.attempts.begin("north", at)

    def begin(second: State) -> None:
        for minute in range(40):
            second.attempts.begin("north", at + timedelta(minutes=minute))
        second.close()

    with ThreadPoolExecutor(2) as both:
        list(both.map(begin, [State.open(url, wait_seconds=60) for _ in "12"]))
    attempt = state.attempts.of("north")
    assert attempt is not None
    assert (attempt.began, attempt.ended) == (at + timedelta(minutes=39), None)
