"""A site whose large types are mapped by several tasks: they stand between the tasks that map whole types and what follows."""

from pathlib import Path

import pytest

from dags.site_dag import site_dag

SITE = """\
site = "west"
name = "West"
time_zone = "UTC"
subject_key = "file:key"
{workers}
[files]
folder = "delivery"
"""


@pytest.mark.parametrize(("workers", "tasks"), [("", set()), ("workers = 3", {"map_divided"})])
def test_slices_are_tasks_of_their_own_where_the_site_asks_for_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str, tasks: set[str]
) -> None:
    """What they map others are not read with; a site that asks for none has no task more."""
    (tmp_path / "west.toml").write_text(SITE.format(workers=workers))
    monkeypatch.setenv("MAINSTEM_SITES", str(tmp_path))
    dag = site_dag("west")
    assert {"map_divided"} & set(dag.task_ids) == tasks
    assert dag.get_task("derive").upstream_task_ids == {*(tasks or {"map_types"}), "plan"}
    if tasks:
        assert dag.get_task("map_divided").upstream_task_ids == {"map_types", "plan"}
