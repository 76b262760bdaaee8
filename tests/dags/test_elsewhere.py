"""A site whose tasks are done elsewhere: by a queue's workers, by an executor of their own; one that is not there is said by the DAG itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dags.site_dag import site_dag

SITE = """\
site = "west"
name = "West"
time_zone = "UTC"
subject_key = "file:key"
{where}
[files]
folder = "delivery"
"""
Found = tuple[set[tuple[str, str | None]], str]
EDGE = "airflow.providers.edge3.executors.EdgeExecutor"


@pytest.fixture
def tasks_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Found]:
    """`tasks_of(where)`: (queue, executor) of all tasks of the site's DAG, and the DAG's doc, in an Airflow of two executors."""
    monkeypatch.setenv("MAINSTEM_SITES", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", f"LocalExecutor,hospital:{EDGE}")

    def made(where: str) -> Found:
        (tmp_path / "west.toml").write_text(SITE.format(where=where))
        dag = site_dag("west")
        return {(task.queue, task.executor) for task in dag.tasks}, str(dag.doc_md)

    return made


@pytest.mark.parametrize("name", ["EdgeExecutor", "hospital", EDGE])
def test_all_tasks_of_a_site_go_where_its_file_says(tasks_of: Callable[[str], Found], name: str) -> None:
    found, _ = tasks_of(f'queue = "west"\nexecutor = "{name}"')
    assert found == {("west", name)}


def test_without_they_go_where_all_go(tasks_of: Callable[[str], Found]) -> None:
    assert tasks_of("")[0] == {("default", None)}


def test_an_executor_that_this_airflow_has_not_is_a_dag_that_says_so(tasks_of: Callable[[str], Found]) -> None:
    """Airflow would have no DAG at all, and an error in a list that nobody looks at."""
    found, doc = tasks_of('executor = "CeleryExecutor"')
    assert found == {("default", None)}
    assert "executor: this Airflow has none of that name" in doc
    assert "LocalExecutor" in doc
