"""While an EHR makes its export no worker is held: the task ends, and comes back to the same job."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from exporting import Exports
from hospital_with_faults import Answered
from screens import sound_child

from connectors.pulled import EXPORT
from mainstem.config.settings import load_settings
from mainstem.state import State
from mainstem.state.site_status import SiteStatus, gather

pytest.importorskip("airflow")
pytestmark = pytest.mark.airflow

NOT_YET = Answered({}, 202, {"Retry-After": "1"})


@pytest.fixture
def site_file(tmp_path: Path, exports: Exports, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site that is read by exports."""
    exports.hospital.put(*sound_child())
    monkeypatch.setenv("MAINSTEM_DATABASE_URL", f"sqlite:///{tmp_path}/state.db")
    monkeypatch.setenv("MAINSTEM_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("MAINSTEM_SITES", str(tmp_path))
    (tmp_path / "north.key").write_text("0123456789abcdef" * 4)
    (tmp_path / "north.key").chmod(0o600)
    path = tmp_path / "north.toml"
    path.write_text(
        'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "file:north.key"\nroad = "bulk"\n'
        f'types = ["Patient", "Condition", "Observation"]\n[fhir]\nbase_url = "{exports.hospital.base_url}"\n'
    )
    return path


def standing(after: timedelta = timedelta()) -> SiteStatus:
    """How the site stands."""
    settings = load_settings()
    store = State.open(settings.database_url)
    try:
        return gather(store, settings, datetime.now(UTC) + after, "north")[0]
    finally:
        store.close()


def test_an_export_that_is_not_ready_leaves_the_worker_and_keeps_its_job(site_file: Path, exports: Exports) -> None:
    from airflow.sdk.exceptions import AirflowRescheduleException

    from dags.site_dag import AWAY, _context, declared

    file = declared(site_file)
    with _context(file) as (refresh, steps):
        steps.preflight(refresh)
        load = steps.plan(refresh).load
    exports.status = [NOT_YET, NOT_YET]
    for _ in range(2):
        asked = len(exports.hospital.asked)
        with pytest.raises(AirflowRescheduleException) as left, _context(file) as (refresh, steps):
            steps.pull_units(refresh, load, [EXPORT])
        assert left.value.reschedule_date - datetime.now(UTC) > AWAY - timedelta(minutes=1)
        assert len(exports.hospital.asked) - asked < 12  # it does not wait here
        found = standing()
        assert (found.state, found.needs_attention) == ("running", False)
        assert standing(timedelta(days=2)).state == "interrupted"
    with _context(file) as (refresh, steps):
        assert steps.pull_units(refresh, load, [EXPORT]) == 3
    assert len(exports.begun) == 1
    assert exports.deleted == ["jobs/1"]
    assert standing().state == "interrupted"  # nobody is at the next step
