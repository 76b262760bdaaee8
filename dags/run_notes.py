"""The note of every run, good or bad: site, type, cause, fix, who acts, whether a retry is safe, how far the watermark is.

A task cannot write its run's note. So a task that fails leaves what it knows as XCom, `report` makes the note of it, and
this plugin (entry point `airflow.plugins`), which Airflow's scheduler calls when a run ends, writes it onto the run.
Airflow logs what such a plugin raises and goes on: a note that cannot be made whole is written shorter, and never left out.
"""

import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from dags import beforehand, pools, topic_asset
from dags.topic_asset import PULLS
from schemas.runbooks import NIGHT, found_at

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

REPLAYS = "ehr_replay__"
"""How the ids of the DAGs begin that map a landing again; runs of others than these and PULLS keep their notes."""
FAILURE, MISSING, REPORT = "failure", "missing", "report"
"""XCom keys of what stopped a task and of what will be a gap; the task whose result is the note."""
LONGEST = 1_000
"""Characters Airflow keeps of a note."""
SAFE = "safe: every step does only what is left"
SEE = "see `mainstem status`"
"""Where the watermark stands of which the note does not know."""


def runbook(place: str) -> str:
    """Where the network's people find a page of the documentation."""
    return found_at(place, os.environ.get("MAINSTEM_DOCS_ADDRESS", ""))


class Trouble(TypedDict):
    """What an engineer must know of an error. Free of patient data, and below 1 KB."""

    where: str
    cause: str
    fix: str
    who: str
    retry: str
    page: str
    """Where the documentation answers it."""


UNREAD = Trouble(
    where="Airflow's database",
    cause="what the tasks left could not be read when the run ended",
    fix="Read the last log line of `report`, and of the tasks that are red.",
    who="whoever runs this Airflow",
    retry=SAFE,
    page=runbook(NIGHT),
)
SILENT = Trouble(
    where="",
    cause="the task ended without a word (killed, out of memory, or a defect)",
    fix="Read the end of its log.",
    who="whoever runs this Airflow",
    retry=SAFE,
    page=runbook(NIGHT),
)


def told(trouble: Trouble) -> list[str]:
    """What follows its cause, a line each: Airflow's pages wrap none."""
    names = {"Where": "where", "Fix": "fix", "Who": "who", "Retry": "retry", "Runbook": "page"}
    return [f"{name}: {trouble[key]}" for name, key in names.items()]  # type: ignore[literal-required]


def note(headline: str, troubles: Sequence[Trouble], watermark: str) -> str:
    """The note: what happened and why in its first line, which is all that Airflow shows of it unasked; the first trouble whole, the
    others by their causes, how far the site is read."""
    if troubles:
        lines = [f"{headline}: {troubles[0]['cause']}", *told(troubles[0])]
    else:
        lines = [headline, f"Cause: none. Retry: {SAFE}"]
    lines.append(f"Watermark: {watermark}")
    others = [f"Also: {trouble['where']}: {trouble['cause']}" for trouble in troubles[1:]]
    return "\n".join([*lines, *dict.fromkeys(others)])[:LONGEST]


@hookimpl(tryfirst=True)  # what another plugin raises ends the calls behind it
def on_dag_run_success(dag_run: "DagRun", msg: str) -> None:
    """The run ended well: its note is what `report` said."""
    _write(dag_run)


@hookimpl(tryfirst=True)  # what another plugin raises ends the calls behind it
def on_dag_run_failed(dag_run: "DagRun", msg: str) -> None:
    """The run failed: its note names the cause, also where `report` itself was killed."""
    _write(dag_run)


def _write(run: "DagRun") -> None:
    """Within the session of this thread, which Airflow commits: closing one here would take it from the scheduler."""
    from airflow import settings
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import object_session

    if not run.dag_id.startswith((PULLS, REPLAYS)):
        return
    session = object_session(run)
    if session is None:  # so in `dag.test()`
        session = settings.get_session()()  # type: ignore[no-untyped-call] # Airflow decorates it without types
        kept = session.get(DagRun, run.id)
    else:
        kept = run
    if kept is not None:
        kept.note = _text_or_less(run, session)


def _text_or_less(run: "DagRun", session: "Session") -> str:
    """Below a savepoint: a question that fails leaves the scheduler's own transaction as it was."""
    try:
        with session.no_autoflush, session.connection().begin_nested():
            return _text(run, session)
    except Exception as exc:  # noqa: BLE001 - Airflow would go on without a note, whatever it is
        log.warning("The note of %s %s is short: %s", run.dag_id, run.run_id, type(exc).__name__)
        return note(f"{_site(run)}: {run.state}", [UNREAD], SEE)


def _site(run: "DagRun") -> str:
    return str(run.dag_id).removeprefix(PULLS).removeprefix(REPLAYS)


def _text(run: "DagRun", session: "Session") -> str:
    """What `report` said; a task that was killed could leave nothing for it, and is named here."""
    left = _left_behind(run, session)
    reported = left.get((REPORT, "return_value", -1))
    stopped, missing = ([value for (_, key, _), value in left.items() if key == each] for each in (FAILURE, MISSING))
    tasks = run.get_task_instances(session=session)
    failed = sorted({task.task_id for task in tasks if task.state == "failed"} - {REPORT})
    if isinstance(reported, str) and (stopped or not failed):
        return reported
    silent = [] if stopped else [Trouble(**{**SILENT, "where": task}) for task in failed]
    return note(f"{_site(run)}: {run.state}", [*stopped, *silent, *missing], SEE)


def _left_behind(run: "DagRun", session: "Session") -> dict[tuple[str, str, int], Any]:
    """What the run's tasks left as XCom, by task, key and map index."""
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    row = XComModel.__table__.c
    found = session.execute(
        select(row.task_id, row.key, row.map_index, row.value).where(
            row.dag_run_id == run.id, row.key.in_([FAILURE, MISSING, "return_value"])
        )
    )
    return {(task, key, index): value for task, key, index, value in found}


class RunNotes(AirflowPlugin):
    """Registered as `airflow.plugins`; Airflow calls this module when a run ends, `dags.pools` and `dags.topic_asset` when one begins,
    `dags.beforehand` when a part of its own does."""

    name = "mainstem_run_notes"
    listeners = [sys.modules[__name__], pools, topic_asset, beforehand]  # noqa: RUF012 - Airflow's plugins are declared so
