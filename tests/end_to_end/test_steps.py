"""The steps one by one, as Airflow runs them: what one refuses when another failed."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from network_under_test import Network
from synthetic_children import RECORDS_A_CHILD, child, children, deliver

from mainstem import refresh as steps
from schemas.errors import OperatorError
from schemas.loads import load_topic
from transforms import Mapper, Outcomes


def test_a_load_whose_changes_are_not_published_is_not_announced_as_completed(lhn: Network, tmp_path: Path) -> None:
    """The publish task failed and the complete task ran: neither the watermarks nor the network hear of it."""
    deliver(children(1), tmp_path / "west")
    with steps.open_refresh(lhn.files_site("west", tmp_path / "west"), lhn.settings) as refresh:
        load = steps.plan(refresh).load
        steps.pull_units(refresh, load, steps.planned(refresh, load).units)
        steps.map_types(refresh, load, steps.planned(refresh, load).types)
        with pytest.raises(OperatorError, match="not published"):
            steps.complete(refresh, load)
        assert [event.operation for event in lhn.events(load_topic)] == ["started"]
        assert refresh.store.watermarks.of("west") == {}
        assert steps.publish(refresh, load) == RECORDS_A_CHILD
        assert steps.complete(refresh, load).status == "completed"
        assert [event.operation for event in lhn.events(load_topic)] == ["started", "completed"]


def test_a_type_whose_mapping_failed_is_a_gap_that_says_so(lhn: Network, tmp_path: Path) -> None:
    """The other types' watermarks move; this one's does not."""
    deliver(child(1), tmp_path / "west")
    with steps.open_refresh(lhn.files_site("west", tmp_path / "west"), lhn.settings) as refresh:
        load = steps.plan(refresh).load
        steps.pull_units(refresh, load, steps.planned(refresh, load).units)
        steps.map_types(refresh, load, [name for name in steps.planned(refresh, load).types if name != "Procedure"])
        steps.publish(refresh, load)
        report = steps.complete(refresh, load)
        assert [(gap.resource_type, gap.reason) for gap in report.gaps] == [("Procedure", "not mapped")]
        assert "Procedure" not in refresh.store.watermarks.of("west")


@pytest.mark.slow
def test_since_reaches_back_and_never_lets_a_watermark_pass_what_was_not_read(lhn: Network, tmp_path: Path) -> None:
    """An instant after the watermark changes nothing; one before it reads more; a type never read is read whole."""
    deliver(child(1), tmp_path / "west")
    site = lhn.files_site("west", tmp_path / "west", types=["Patient"])
    lhn.refresh(site)
    site = lhn.files_site("west", tmp_path / "west", types=["Patient", "Encounter"])
    with steps.open_refresh(site, lhn.settings) as refresh:
        watermark = refresh.store.watermarks.of("west")["Patient"]
        begins = watermark - refresh.site.overlap
        for since, expected in (
            (watermark + timedelta(days=30), begins),
            (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)),
        ):
            load = steps.plan(refresh, since=since, fresh=True).load
            assert refresh.store.loads.get(load).plan.since == {"Patient": expected}


@pytest.fixture
def mapped_lines(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every line the mapper was given."""
    lines: list[bytes] = []
    map_lines = Mapper.map_lines

    def noting(mapper: Mapper, given: Sequence[bytes]) -> Outcomes:
        lines.extend(given)
        return map_lines(mapper, given)

    monkeypatch.setattr(Mapper, "map_lines", noting)
    return lines


def test_lines_known_from_an_earlier_load_are_not_mapped_again(
    lhn: Network, tmp_path: Path, mapped_lines: list[bytes]
) -> None:
    """They count as read, mapped and unchanged, with their parts; another mapping maps all."""
    deliver(children(3), tmp_path / "west")
    site = lhn.files_site("west", tmp_path / "west", validate_sample=0)
    first = lhn.refresh(site).total
    mapped_lines.clear()
    again = lhn.refresh(site, mode="full").total
    assert (again.read, again.mapped, again.records) == (first.read, first.mapped, first.records)
    assert (again.unchanged, again.recorded, again.amended) == (first.recorded, 0, 0)
    assert not mapped_lines
    mapped_lines.clear()
    lhn.files_site("west", tmp_path / "west", time_zone="Europe/Berlin", validate_sample=0)
    elsewhere = lhn.refresh(site, mode="full").total
    assert len(mapped_lines) == first.read
    assert elsewhere.amended + elsewhere.unchanged == first.records
    mapped_lines.clear()
    lhn.refresh(site, mode="full")
    assert not mapped_lines


@pytest.mark.parametrize("batch", [1, 8_000])
@pytest.mark.parametrize("between", [0, 400])
def test_a_known_line_after_a_changed_one_of_the_same_resource_is_mapped(
    lhn: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, between: int
) -> None:
    """A delivery that says another thing and then the old one again, without times: the last word counts."""
    monkeypatch.setattr("mainstem.refresh.map.BLOCKS", 1)
    monkeypatch.setattr("mainstem.refresh.map.BATCH", batch)
    condition = {
        "resourceType": "Condition",
        "id": "c",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "34000006"}]},
        "note": [{"text": "x" * 900}],
    }
    known = [json.dumps(condition | {"id": f"known-{number}"}) for number in range(between + 20)]
    active, remission = (
        json.dumps(condition | {"clinicalStatus": {"coding": [{"code": code}]}}) for code in ("active", "remission")
    )
    site = lhn.files_site("west", tmp_path / "west", types=["Condition"])
    path = tmp_path / "west" / "Condition.ndjson"
    path.parent.mkdir()
    path.write_text("\n".join([active, *known]))
    lhn.refresh(site)
    path.write_text("\n".join([remission, *known, active]))
    report = lhn.refresh(site, mode="full")
    assert report.total.unchanged >= len(known)
    latest = {event.record: event.raw or b"" for event in lhn.events()}
    assert sum(b'"active"' in raw for raw in latest.values()) == 1
    assert not any(b"remission" in raw for raw in latest.values())
