"""Loads, watermarks, gaps, quarantine and status; every story on SQLite and on PostgreSQL."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from mainstem.state import Load, Quarantined, Store
from schemas.errors import OperatorError
from schemas.loads import Gap, TypeCounts
from transforms.mapped import Mapped

Make = Callable[..., Mapped]
HOUR = timedelta(hours=1)


def started(store: Store, at: datetime) -> Load:
    """A running load."""
    return store.start_load("north", mode="incremental", started=at, plan={"types": ["Observation"], "since": {}})


def counted(store: Store, load: Load, *names: str) -> None:
    """Figures that add up."""
    for name in names:
        store.record_counts(load.id, name, TypeCounts(read=3, mapped=2, skipped={"missing-code": 1}))


def test_load_is_taken_up_again_until_it_ends(store: Store, at: datetime) -> None:
    """One unfinished load a site; ended, it is history."""
    load = started(store, at)
    assert load.id == "north/2026-03-02T05:00:00Z"
    assert store.open_load("north") == load == store.load(load.id)
    assert load.plan == {"types": ["Observation"], "since": {}}
    with pytest.raises(OperatorError, match="not finished"):
        started(store, at + HOUR)
    store.finish_load(load.id, status="abandoned", ended=at + HOUR)
    assert store.open_load("north") is None
    again = started(store, at)
    assert again.id == "north/2026-03-02T05:00:00Z-2"
    assert store.last_load("north") == again
    with pytest.raises(OperatorError, match="no load"):
        store.load("north/never")


def test_notes_of_a_load_are_replaced_not_doubled(store: Store, at: datetime) -> None:
    """A step run again writes the same row."""
    load = started(store, at)
    store.record_pulled(load.id, "export", {"complete": False})
    assert not store.any_pulled(load.id)
    store.record_pulled(load.id, "export", {"complete": True, "newest": at})
    counted(store, load, "Observation", "Patient")
    store.record_counts(load.id, "Patient", TypeCounts(read=9, mapped=9))
    assert store.pulled(load.id)["export"]["complete"] is True
    assert store.any_pulled(load.id)
    assert {name: counts.read for name, counts in store.counts(load.id).items()} == {"Observation": 3, "Patient": 9}
    store.add_published(load.id, 5)
    store.add_published(load.id, 2)
    assert store.load(load.id).published == 7


def test_completion_moves_the_watermark_and_is_done_once(store: Store, at: datetime) -> None:
    """Completed again, as a retried task does, a load changes nothing."""
    load = started(store, at)
    counted(store, load, "Observation")
    assert store.complete(load.id, {"Observation": at}, at + HOUR, {"status": "completed"}) == {"Observation": at}
    assert store.complete(load.id, {"Observation": at + HOUR}, at + 2 * HOUR, {}) == {"Observation": at}
    done = store.load(load.id)
    assert (done.status, done.ended, done.report) == ("completed", at + HOUR, {"status": "completed"})


def test_counts_that_do_not_add_up_refuse_completion(store: Store, at: datetime) -> None:
    """A resource read and neither mapped nor skipped: the watermark stays, the load stays open."""
    load = started(store, at)
    store.record_counts(load.id, "Observation", TypeCounts(read=3, mapped=2))
    with pytest.raises(OperatorError, match="do not add up"):
        store.complete(load.id, {"Observation": at}, at + HOUR)
    assert store.watermarks("north") == {}
    assert store.load(load.id).status == "running"
    counted(store, load, "Observation")
    with pytest.raises(OperatorError, match="Patient has no figures"):
        store.complete(load.id, {"Patient": at}, at + HOUR)


def test_unpublished_changes_refuse_completion(store: Store, record: Make, at: datetime) -> None:
    """What is stored and not acknowledged keeps the load open; another load's changes do not."""
    load = started(store, at)
    counted(store, load, "Observation")
    store.save("north", load.id, [record("lab")], [], at)
    with pytest.raises(OperatorError, match="1 changes are not published"):
        store.complete(load.id, {"Observation": at}, at + HOUR)
    store.mark_published("north", store.pending("north", limit=10))
    store.save("north", "north/earlier", [record("other")], [], at)
    assert store.complete(load.id, {"Observation": at}, at + HOUR) == {"Observation": at}


def test_watermark_moves_neither_back_nor_into_the_future(store: Store, at: datetime) -> None:
    """An earlier value is ignored, a future one refused; one that is there already is refused to the plan."""
    load = started(store, at)
    counted(store, load, "Observation", "Patient")
    with pytest.raises(OperatorError, match="watermark of Patient lies in the future"):
        store.complete(load.id, {"Observation": at, "Patient": at + 2 * HOUR}, at + HOUR)
    assert store.watermarks("north") == {}
    store.complete(load.id, {"Observation": at, "Patient": at}, at + HOUR)
    second = started(store, at + HOUR)
    counted(store, second, "Observation", "Patient")
    zone = timezone(timedelta(hours=5))
    assert store.complete(
        second.id, {"Observation": at - HOUR, "Patient": (at + HOUR).astimezone(zone)}, at + HOUR
    ) == {
        "Observation": at,
        "Patient": at + HOUR,
    }
    with pytest.raises(OperatorError, match="future"):
        store.watermarks("north", now=at)
    store.forget_watermark("north", "Patient")
    assert store.watermarks("north", now=at) == {"Observation": at}


def test_gap_stays_visible_until_its_type_is_read(store: Store, at: datetime) -> None:
    """The same gap again is one gap; the load that reads the type closes it."""
    first = started(store, at)
    counted(store, first, "Patient")
    gap = Gap(resource_type="Observation", since=None, until=at, reason="timeout")
    store.complete(first.id, {"Patient": at}, at, gaps=[gap])
    assert store.gaps("north") == [gap]
    second = started(store, at + HOUR)
    counted(store, second, "Patient")
    later = gap.model_copy(update={"until": at + HOUR, "reason": "forbidden"})
    store.complete(second.id, {}, at + HOUR, {}, gaps=[later], status="failed")
    assert store.gaps("north") == [later]
    assert store.load(second.id).status == "failed"
    third = started(store, at + 2 * HOUR)
    counted(store, third, "Observation")
    store.complete(third.id, {"Observation": at}, at + 3 * HOUR)
    assert store.gaps("north") == []
    store.open_gap("north", gap, at)
    assert store.close_gaps("north", "Observation", at) == 1


def test_quarantine_holds_each_resource_once(store: Store, at: datetime) -> None:
    """A map step run again notes the same; the load that reads it again replaces the older note."""
    first = started(store, at)
    items = [
        Quarantined("Observation", b"r" * 12, "missing-code", "Observation.code", "Observation-0001.ndjson.gz", n)
        for n in (1, 2)
    ]
    nameless = Quarantined("Observation", b"", "invalid-json", "", "Observation-0001.ndjson.gz", 3)
    for _ in range(2):
        store.quarantine(first.id, "north", [*items, nameless])
    assert list(store.quarantined("north")) == [*items, nameless]
    counted(store, first, "Observation")
    store.complete(first.id, {"Observation": at}, at)
    second = started(store, at + HOUR)
    counted(store, second, "Observation")
    store.quarantine(second.id, "north", [items[0]])
    store.complete(second.id, {"Observation": at}, at + HOUR)
    assert list(store.quarantined("north")) == [nameless, items[0]]
    assert list(store.quarantined("north", first.id)) == [nameless]
    full = store.start_load("north", mode="full", started=at + 2 * HOUR, plan={})
    counted(store, full, "Observation")
    store.complete(full.id, {"Observation": at}, at + 2 * HOUR)
    assert list(store.quarantined("north")) == []


def test_status_shows_every_site_and_type(store: Store, record: Make, at: datetime) -> None:
    """Watermark, records, pending, gaps and quarantine, by the FHIR type people know."""
    load = started(store, at)
    counted(store, load, "Observation", "Patient")
    store.save("north", load.id, [record("anna", kind="person"), record("lab-1"), record("lab-2")], [], at)
    store.mark_published("north", store.pending("north", limit=2))
    store.quarantine(load.id, "north", [("Observation", b"", "invalid-json", "", "f", 1)])
    store.open_gap("north", Gap(resource_type="Condition", reason="forbidden"), at)
    store.save("south", "south/load", [record("bert", kind="medication")], [], at)
    rows = {(row.site, row.resource_type): row for row in store.status()}
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
    assert [row.site for row in store.status("south")] == ["south"]


def test_moment_without_a_zone_is_refused(store: Store) -> None:
    """A naive time would be stored as whatever zone the machine has."""
    with pytest.raises(OperatorError):
        started(store, datetime(2026, 3, 2))
    assert store.open_load("north") is None


def test_status_guesses_no_type(store: Store, record: Make, at: datetime) -> None:
    """A Medication is no medication record, and what no FHIR type feeds stands under its own name."""
    load = started(store, at)
    store.save("north", load.id, [record("order", kind="medication"), record("z", kind="derived_observation")], [], at)
    store.quarantine(load.id, "north", [("Medication", b"", "not-mapped", "", "f", 1)])
    found = {row.resource_type: (row.records, row.quarantined) for row in store.status()}
    assert found == {
        "Medication": (0, {"not-mapped": 1}),
        "MedicationRequest": (1, {}),
        "derived_observation": (1, {}),
    }
