"""From when on a run reads again: as it was told, or from the night that a backfill is for."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("airflow")
pytestmark = pytest.mark.airflow
NIGHT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "told", "since"),
    [
        ("scheduled", None, None),
        ("manual", None, None),
        ("manual", "2026-11-01T00:00:00Z", datetime(2026, 11, 1, tzinfo=UTC)),
        ("backfill", None, NIGHT),
        ("backfill", "2026-11-01T00:00:00Z", datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_a_backfill_reads_again_from_its_night(
    monkeypatch: pytest.MonkeyPatch, kind: str, told: str | None, since: datetime | None
) -> None:
    """What a run is told goes before; nights by the schedule go on from the watermark."""
    from airflow.sdk.api.datamodels._generated import DagRunType

    from dags import site_dag

    run = SimpleNamespace(run_type=DagRunType(kind), logical_date=NIGHT)
    context: dict[str, Any] = {"params": {"since": told}, "dag_run": run}
    monkeypatch.setattr(site_dag, "get_current_context", lambda: context)
    assert site_dag._since() == since
