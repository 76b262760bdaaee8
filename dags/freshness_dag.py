"""The DAG that looks after every site's freshness: a task a site, so that a dead site alerts by itself and blocks nobody."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, get_current_context, task

from schemas.errors import OperatorError

NETWORK = "network_freshness"
RUNBOOK = """\
### Which site is behind?

Every hour, a task a site: red where the site is late against its own schedule, its last attempt failed, or something was begun
and nobody is at it. The task's last line says cause, fix and who; `mainstem status` tells the same of all sites at once.

| asked | answer |
|---|---|
| Is a retry safe? | always: it only looks |
| The site is late, and its own DAG is green | see that its DAG is not paused and the scheduler is up |
"""
NOTHING_WRONG = ("ok", "running", "never loaded", "gaps")
"""Gaps stand in the notes of the site's own runs; here they would be said every hour."""


def freshness_dag() -> DAG:
    """Reads the state's database alone; no site file can break it."""
    with DAG(
        dag_id=NETWORK,
        dag_display_name="Freshness of all sites",
        description="Which site is behind, and why",
        schedule=CronTriggerTimetable(os.environ.get("MAINSTEM_FRESHNESS_CRON") or "40 * * * *", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        tags=["network"],
        doc_md=RUNBOOK,
        default_args={"retries": 1, "retry_delay": timedelta(minutes=2), "show_return_value_in_logs": False},
    ) as dag:
        _tasks()
    return dag


def _tasks() -> None:
    @task
    def sites() -> list[str]:
        return [each.site for each in _standing()]

    @task(map_index_template="{{ site_name }}", retries=0)
    def fresh(site: str) -> str:
        context: Any = get_current_context()
        context["site_name"] = site
        for each in _standing(site):
            if each.state not in NOTHING_WRONG:
                cause, fix, who = (*each.troubles, (each.state, "See `mainstem status`.", "network"))[0]
                raise OperatorError(f"{site} is {each.state}: {cause}", f"{fix} ({who})")
            return f"{each.state}; last whole load {each.whole_from.isoformat() if each.whole_from else 'none'}"
        return "gone"

    fresh.expand(site=sites())


def _standing(wanted: str | None = None) -> list[Any]:
    from mainstem.config.settings import load_settings
    from mainstem.state import State
    from mainstem.state.site_status import gather

    settings = load_settings()
    store = State.open(settings.database_url)
    try:
        store.migrate()
        return list(gather(store, settings, datetime.now(UTC), wanted))
    finally:
        store.close()
