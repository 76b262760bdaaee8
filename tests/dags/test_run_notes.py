"""The note of a run is there whatever happens to Airflow while it is made."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.errors import OperatorError

pytest.importorskip("airflow")
pytestmark = pytest.mark.airflow
TROUBLE = {"where": "pull Patient", "cause": "the log-in is refused", "fix": "Mend it.", "who": "IT", "retry": "safe"}
LEFT: dict[str, Any] = TROUBLE | {"page": "docs/how-to/night.md"}
GONE = LEFT | {"where": "Condition", "cause": "it does not come"}


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """A run that ended in a database with Airflow's table of XComs, after its tasks left these."""
    import sqlalchemy.orm
    from airflow.models.xcom import XComModel
    from sqlalchemy import Column, MetaData, Table, create_engine
    from sqlalchemy.orm import Session

    engine = create_engine(f"sqlite:///{tmp_path}/airflow.db")
    xcom = Table("xcom", MetaData(), *(Column(each.name, each.type) for each in XComModel.__table__.columns))
    xcom.create(engine)
    with Session(engine) as session:
        monkeypatch.setattr(sqlalchemy.orm, "object_session", lambda _run: session)

        def made(state: str, tasks: dict[str, str], left: dict[tuple[str, str], Any]) -> Any:
            for (task, key), value in left.items():
                row = {"dag_run_id": 1, "task_id": task, "key": key, "value": value, "map_index": -1}
                session.execute(xcom.insert().values(row))
            session.commit()
            found = [SimpleNamespace(task_id=name, state=each) for name, each in tasks.items()]
            run = SimpleNamespace(id=1, dag_id="ehr_pull__north", run_id="night", state=state, note=None)
            return SimpleNamespace(run=run, session=session, tasks=found, xcom=xcom)

        yield made
    engine.dispose()


STORY = [
    ("success", {"report": "success"}, {("report", "return_value"): "north: whole"}, ["north: whole"], []),
    ("success", {"report": "failed"}, {("pull", "missing"): GONE}, ["north: success", GONE["cause"]], ["Cause: none"]),
    ("failed", {"pull": "failed"}, {("pull", "failure"): LEFT}, ["north: failed", LEFT["cause"]], ["without a word"]),
    (
        "failed",
        {"complete": "failed"},
        {("pull", "missing"): GONE, ("report", "return_value"): "north: whole"},
        ["Where: complete", "without a word", GONE["cause"]],
        ["whole"],
    ),
]


@pytest.mark.parametrize(("state", "tasks", "left", "said", "not_said"), STORY)
def test_a_note_says_what_the_tasks_left(
    ended: Any, state: str, tasks: Any, left: Any, said: list[str], not_said: list[str]
) -> None:
    """Also where `report` was killed, and where a task failed after its own work: a type that is missing is not kept quiet."""
    from dags import run_notes

    found = ended(state, tasks, left)
    found.run.get_task_instances = lambda session: found.tasks
    run_notes.on_dag_run_success(found.run, "")
    assert [each for each in said if each not in found.run.note] == []
    assert [each for each in not_said if each in found.run.note] == []


def test_a_database_that_refuses_an_answer_takes_no_note_along(ended: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Airflow would log the error and go on without a note; the scheduler's transaction goes on as it was."""
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    from dags import run_notes

    found = ended("failed", {}, {})

    def locked(session: Any) -> Any:
        session.execute(text("select patient from nowhere"))

    found.run.get_task_instances = locked
    found.session.execute(found.xcom.insert().values(dag_run_id=1, task_id="t", key="k"))
    with caplog.at_level(logging.WARNING):
        run_notes.on_dag_run_failed(found.run, "")
    assert found.run.note.startswith(f"north: failed: {run_notes.UNREAD['cause']}\nWhere: Airflow's database")
    assert OperationalError.__name__ in caplog.text
    assert "patient" not in caplog.text
    found.session.commit()
    assert found.session.query(found.xcom).count() == 1


def test_an_error_keeps_its_kind_where_airflow_does_not_take_what_it_leaves(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """An operator's error that became Airflow's would be tried again for hours; what the note lacks stands in the log."""
    from dags import site_dag
    from dags.declared import Declared

    def away(**_: Any) -> None:
        raise ConnectionError("the server is too busy")

    task = SimpleNamespace(task_id="plan", xcom_push=away)
    monkeypatch.setattr(site_dag, "get_current_context", lambda: {"ti": task})
    file = Declared(tmp_path / "north.toml", None, OperatorError("the key is missing", "Place it."))
    with pytest.raises(OperatorError) as caught, site_dag._context(file):
        pass
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert [record.message for record in caplog.records][:3] == [
        "north: the key is missing",
        "Where: plan",
        "Fix: Place it.",
    ]
    assert caplog.records[-1].message == f"Watermark: {site_dag.UNMOVED}"
    told = capsys.readouterr().out
    assert "ConnectionError" in told
    assert "too busy" not in told
    assert json.loads(told[told.index("{") :])["cause"] == "the key is missing"
