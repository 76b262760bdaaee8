"""The DAG of one site: preflight → plan → pull → map → publish → complete → report.

A task calls one function of `mainstem.refresh`, the same that `mainstem run` calls. XCom carries ids, names and counts.
The load on an EHR is bounded by `max_active_runs` and `max_active_tis_per_dagrun`: a pool that nobody created would
hang its tasks in silence.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import (
    DAG,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    TriggerRule,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from mainstem.config.site_files import SiteFile, read_site

PULLS = "ehr_pull__"
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=["schemas.errors.OperatorError", "schemas.errors.IncompleteError"],
            action=RetryAction.FAIL,
            reason="an operator must act first: see the last log line",
        ),
        RetryRule(exception="schemas.errors.TemporaryError", action=RetryAction.RETRY, reason="temporary: tried again"),
    ]
)
DEFAULTS: dict[str, Any] = {
    "retries": 5,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
    "retry_policy": RETRY_POLICY,
    "show_return_value_in_logs": False,
}
RUNBOOK = """\
### {name}

Reads {types} by **{road}** into the outcome stream.

| asked at night | answer |
|---|---|
| Which type, which error, how far, is a retry safe? | the last log line of the failed task |
| Is a retry safe? | always: every step does only what is left |
| It fails at once, without retries | configuration or log-in: `mainstem check {path}` |
| Records waiting, gaps, quarantine | `mainstem status --site {site}` |
"""


def sites_folder() -> Path:
    """Where the site files are: MAINSTEM_SITES, else `sites/` beside the DAG folder."""
    return Path(os.environ.get("MAINSTEM_SITES") or Path(__file__).parent.parent / "sites")


def site_dag(name: str) -> DAG:
    """The DAG of a site, from `<sites>/<name>.toml`. Reads configuration only."""
    path = sites_folder() / f"{name}.toml"
    file = read_site(path)
    site = file.site
    with DAG(
        dag_id=f"{PULLS}{site.site}",
        description=f"Refresh {site.name}",
        schedule=CronTriggerTimetable(site.schedule, timezone=site.time_zone),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        tags=[f"site:{site.site}", f"vendor:{site.fhir.vendor if site.fhir else 'files'}"],
        doc_md=RUNBOOK.format(name=site.name, types=", ".join(site.types), road=site.road, path=path, site=site.site),
        params={
            "mode": Param("incremental", enum=["incremental", "full"], description="full reads everything again."),
            "types": Param(
                list(site.types),
                type="array",
                items={"enum": list(site.types)},
                description="Only these resource types.",
            ),
            "since": Param(
                None,
                type=["null", "string"],
                format="date-time",
                description="Read again from then, where that is before the watermark.",
            ),
            "dry_run": Param(False, type="boolean", description="Only prove that the site can be read."),
        },
    ) as dag:
        _tasks(file)
    return dag


def _tasks(file: SiteFile) -> None:
    path, site = file.path, file.site
    parts = min(site.parallel, len(site.types))
    pulls = 1 if site.road == "bulk" else parts

    @task
    def preflight() -> int:
        with _context(path) as (refresh, steps):
            return int(steps.preflight(refresh))

    @task
    def plan() -> str:
        params = get_current_context()["params"]
        if params["dry_run"]:
            raise AirflowSkipException("dry run: the site can be read")
        with _context(path) as (refresh, steps):
            planned = steps.plan(refresh, mode=params["mode"], types=params["types"], since=_instant(params["since"]))
        return str(planned.load)

    @task(map_index_template="{{ names }}", max_active_tis_per_dagrun=parts)
    def pull(load: str, part: int) -> int:
        with _context(path) as (refresh, steps):
            units = _named(steps.planned(refresh, load).units_of(part, pulls))
            return int(steps.pull_units(refresh, load, units))

    @task(map_index_template="{{ names }}", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def map_types(load: str, part: int) -> dict[str, int]:
        with _context(path) as (refresh, steps):
            types = _named(steps.planned(refresh, load).types_of(part, parts))
            counts = steps.map_types(refresh, load, types)
        return {"read": counts.read, "mapped": counts.mapped, "records": counts.records}

    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def publish(load: str) -> int:
        with _context(path) as (refresh, steps):
            return int(steps.publish(refresh, load))

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def complete() -> dict[str, Any]:
        load = _planned_load()
        with _context(path) as (refresh, steps):
            report = steps.complete(refresh, load)
        return {"load": report.load, "status": report.status, "read": report.total.read, "published": report.published}

    @task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
    def report() -> str:
        load = _planned_load()
        with _context(path) as (refresh, steps):
            line, whole = steps.verdict(refresh, load)
        print(line)  # noqa: T201 - the last log line is what an engineer reads first
        if not whole:
            raise AirflowFailException(line)
        return str(line)

    load = plan()
    pulled = pull.partial(load=load).expand(part=list(range(pulls)))
    mapped = map_types.partial(load=load).expand(part=list(range(parts)))
    preflight() >> load
    pulled >> mapped >> publish(load) >> complete() >> report()  # type: ignore[arg-type] # Airflow resolves the load


@contextmanager
def _context(path: Path) -> Iterator[tuple[Any, Any]]:
    """The site's refresh and its steps. An error of ours is raised without what caused it: a library's text stays out of logs."""
    from mainstem import refresh as steps
    from mainstem.config.settings import load_settings
    from mainstem.config.site_files import file_secrets
    from schemas.errors import MainstemError

    def secrets(reference: str) -> bytes:
        kind, _, connection_id = reference.partition(":")
        if kind == "airflow":
            from airflow.sdk import Connection

            return (Connection.get(connection_id).password or "").encode()
        return file_secrets(path.parent)(reference)

    try:
        with steps.open_refresh(path, load_settings(), secrets=secrets) as refresh:
            yield refresh, steps
    except MainstemError as exc:
        raise exc.with_traceback(None) from None


def _named(names: list[str]) -> list[str]:
    """Shows the names in the UI instead of a number."""
    get_current_context()["names"] = ", ".join(names) or "nothing"  # type: ignore[typeddict-unknown-key]
    return names


def _planned_load() -> str:
    """The load that `plan` named. It names none in a dry run, which skips the task, and after a failure, which fails it."""
    context = get_current_context()
    if context["params"]["dry_run"]:
        raise AirflowSkipException("dry run: nothing was loaded")
    load = context["ti"].xcom_pull(task_ids="plan")
    if not load:
        raise AirflowFailException("no load was planned: see the log of preflight or plan; a retry is safe")
    return str(load)


def _instant(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
