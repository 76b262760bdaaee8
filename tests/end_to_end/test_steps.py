"""The steps one by one, as Airflow runs them: what one refuses when another failed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from network_under_test import Network
from synthetic_children import RECORDS_A_CHILD, child, children, deliver

from mainstem import refresh as steps
from schemas.events import load_topic
from schemas.problems import OperatorError


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
        assert refresh.store.watermarks("west") == {}
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
        assert "Procedure" not in refresh.store.watermarks("west")


def test_since_reaches_back_and_never_lets_a_watermark_pass_what_was_not_read(lhn: Network, tmp_path: Path) -> None:
    """An instant after the watermark changes nothing; one before it reads more; a type never read is read whole."""
    deliver(child(1), tmp_path / "west")
    site = lhn.files_site("west", tmp_path / "west", types=["Patient"])
    lhn.refresh(site)
    site = lhn.files_site("west", tmp_path / "west", types=["Patient", "Encounter"])
    with steps.open_refresh(site, lhn.settings) as refresh:
        watermark = refresh.store.watermarks("west")["Patient"]
        begins = watermark - refresh.site.overlap
        for since, expected in (
            (watermark + timedelta(days=30), begins),
            (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)),
        ):
            load = steps.plan(refresh, since=since, fresh=True).load
            assert refresh.store.load(load).plan["since"] == {"Patient": expected.isoformat()}
