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
    """What they map others are not read with; a site that asks for none has no task more, and maps by one: four read for it."""
    (tmp_path / "west.toml").write_text(SITE.format(workers=workers))
    monkeypatch.setenv("MAINSTEM_SITES", str(tmp_path))
    dag = site_dag("west")
    assert {"map_divided"} & set(dag.task_ids) == tasks
    assert dag.get_task("derive").upstream_task_ids == {*(tasks or {"map_types"}), "plan"}
    side_by_side = {name: dag.get_task(name).max_active_tis_per_dagrun for name in ("pull", "map_types")}
    assert side_by_side == {"pull": 4, "map_types": 3 if tasks else 1}
    if tasks:
        assert dag.get_task("map_divided").upstream_task_ids == {"map_types", "plan"}


def test_a_site_file_that_is_written_again_or_finds_a_twin_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stub asks for its file twice, and it is read once; never what stood there before."""
    monkeypatch.setenv("MAINSTEM_SITES", str(tmp_path))
    for number in (2, 3):
        (tmp_path / "west.toml").write_text(SITE.format(workers=f"parallel = {number}"))
        assert site_dag("west").get_task("pull").max_active_tis_per_dagrun == number
    (tmp_path / "copy.toml").write_text(SITE.format(workers=""))
    assert "both say site" in str(site_dag("west").doc_md)
