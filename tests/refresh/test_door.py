"""A step holds its load: its lock, its place to go on from, its figures."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mainstem import refresh as steps
from mainstem.refresh import Refresh
from mainstem.refresh.door import BusyError, locked
from mainstem.state import Batch
from schemas.errors import OperatorError, TemporaryError


def deliver(folder: Path, patients: int, *, first: int = 0) -> None:
    """So many patients, one a line; each tenth line is none."""
    with (folder / "Patient.ndjson").open("w") as file:
        for number in range(first, first + patients):
            kid = {"resourceType": "Patient", "id": f"kid-{number}", "birthDate": "2015-03-01"}
            file.write((json.dumps(kid) if number % 10 else '{"resourceType":') + "\n")


@pytest.fixture
def refresh(make_refresh: Callable[..., Refresh], tmp_path: Path) -> Refresh:
    """A site whose folder holds 200 lines of patients."""
    made = make_refresh(types=["Patient"])
    deliver(tmp_path / "delivery", 200)
    return made


def test_a_step_that_somebody_else_is_at_is_refused_and_the_load_stays_open(refresh: Refresh) -> None:
    """`run` beside a DAG, and a DAG's task beside `run`: neither pulls or maps what the other does."""
    load = steps.plan(refresh).load
    with locked(refresh, "pull", "Patient"), pytest.raises(BusyError, match="at step pull of west, Patient"):
        steps.run(refresh)
    steps.pull_units(refresh, load, ["Patient"])
    with locked(refresh, "map", "Patient"), pytest.raises(BusyError):
        steps.map_types(refresh, load, ["Patient"])
    assert refresh.store.loads.held(load).id == load
    assert refresh.store.loads.pulled(load)["Patient"].complete


def test_no_step_works_for_an_abandoned_load(refresh: Refresh) -> None:
    """Its tasks stop where they are, and the network hears nothing of theirs."""
    old = steps.plan(refresh).load
    steps.pull_units(refresh, old, ["Patient"])
    new = steps.plan(refresh, fresh=True).load
    acts: list[Callable[[], Any]] = [
        lambda: steps.pull_units(refresh, old, ["Patient"]),
        lambda: steps.map_types(refresh, old, ["Patient"]),
        lambda: steps.derive(refresh, old),
        lambda: steps.complete(refresh, old),
    ]
    for act in acts:
        with pytest.raises(OperatorError, match="is abandoned") as refused:
            act()
        assert new in refused.value.cause
    told = [(event.name, event.event) for event in refresh.store.outbox.told("west", 10)]
    assert told == [(old, "started"), (old, "failed"), (new, "started")]


def test_a_map_step_killed_between_two_batches_goes_on_and_its_figures_are_of_one_run(
    refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded is what the load recorded; nothing is read, counted or kept in quarantine twice."""
    small_batches(monkeypatch)
    load = steps.plan(refresh).load
    steps.pull_units(refresh, load, ["Patient"])
    map_and_die(refresh, load, monkeypatch)
    before = refresh.store.loads.figures(load)["Patient"]

    counts = steps.map_types(refresh, load, ["Patient"])

    assert 0 < before.read < 200
    assert (counts.read, counts.mapped, counts.skipped) == (200, 180, {"invalid-json": 20})
    assert (counts.recorded, counts.unchanged, counts.records) == (180, 0, 180)
    assert refresh.store.outbox.pending_count("west")[0] == 180
    assert len(list(refresh.store.quarantine.of("west", load))) == 20
    (kept,) = refresh.landing(load).folder.rglob("quarantine/*.ndjson")
    assert len(kept.read_bytes().splitlines()) == 20

    assert steps.map_types(refresh, load, ["Patient"]) == counts


def map_and_die(refresh: Refresh, load: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step map ends after three of its batches."""
    records, saved = refresh.store.records, []
    save = records.save

    def dies(load_id: str, part: str, batch: Batch, at: Any) -> Any:
        if len(saved) == 3:
            raise KilledError
        saved.append(save(load_id, part, batch, at))
        return saved[-1]

    with monkeypatch.context() as dying:
        dying.setattr(records, "save", dies)
        with pytest.raises(KilledError):
            steps.map_types(refresh, load, ["Patient"])


@pytest.mark.slow
def test_a_type_mapped_in_part_moves_no_watermark(refresh: Refresh, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody marks a killed map task as done: what it left would be passed over for ever."""
    small_batches(monkeypatch)
    load = steps.plan(refresh).load
    steps.pull_units(refresh, load, ["Patient"])
    map_and_die(refresh, load, monkeypatch)

    with pytest.raises(OperatorError, match="changes are not published"):
        steps.complete(refresh, load)

    outbox = refresh.store.outbox
    outbox.mark_published("west", outbox.pending("west", limit=1000))
    assert steps_completed(refresh, load) == "partial"
    assert refresh.store.watermarks.of("west") == {}
    assert [gap.reason for gap in refresh.store.gaps.of("west")] == ["mapped in part"]


def steps_completed(refresh: Refresh, load: str) -> str:
    """How a load ends; that nobody can be told of it matters to no state."""
    with contextlib.suppress(TemporaryError):
        steps.complete(refresh, load)
    report = refresh.store.loads.get(load).report
    assert report is not None
    return report.status


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred lines are many batches."""
    monkeypatch.setattr("mainstem.refresh.map.BATCH", 20)
    monkeypatch.setattr("connectors.formats.gzip.BLOCK_BYTES", 1_000)
    monkeypatch.setattr("mainstem.refresh.map.BLOCKS", 1)


class KilledError(BaseException):
    """The process ends here."""
