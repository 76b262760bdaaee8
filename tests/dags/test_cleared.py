"""Tasks that somebody clears after their load completed: nothing is left, so none is red and nothing is told."""

from typing import Any

import pytest
from network_under_test import Network
from synthetic_children import RECORDS_A_CHILD, children, deliver

from dags import site_dag

pytestmark = [pytest.mark.airflow, pytest.mark.slow]


def test_cleared_tasks_of_a_completed_load_have_nothing_left_to_do(
    lhn: Network, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one before the last, too: what it landed does not come back over what is newer."""
    path = lhn.files_site("west", tmp_path / "west", parallel=1, workers=2)
    loads = []
    for number in (1, 2):
        deliver(children(number), tmp_path / "west")
        loads.append(lhn.refresh(path).load)
    told = len(lhn.events())
    assert told == 2 * RECORDS_A_CHILD
    for name, value in {**lhn.environment, "MAINSTEM_SITES": str(lhn.folder)}.items():
        monkeypatch.setenv(name, value)
    shown: dict[str, Any] = {"ti": None}
    monkeypatch.setattr(site_dag, "get_current_context", lambda: shown)
    dag = site_dag.site_dag("west")
    for load in loads:
        done = [called(dag, name)(load, 0) for name in ("pull", "map_types", "map_divided")]
        assert done == [0, {}, {}]
        assert [called(dag, name)(load) for name in ("derive", "publish")] == [0, 0]
    assert len(lhn.events()) == told


def called(dag: Any, name: str) -> Any:
    """What a task calls."""
    return dag.get_task(name).python_callable
