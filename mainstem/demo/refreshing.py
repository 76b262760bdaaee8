"""One refresh of all sites of the demo, by Airflow or here; and waiting until the registry has what came of it."""

import time
from typing import Any

from mainstem.demo.airflow import FINISHED, Airflow
from mainstem.demo.cohorts import HOSPITALS, HospitalPlan
from mainstem.demo.embedded import Running
from mainstem.demo.hospitals import SiteFiles
from mainstem.demo.running_demo import Demo
from mainstem.demo.steps import Step, Steps
from schemas.errors import OperatorError, TemporaryError

RUN_SECONDS = 600.0
REGISTRY_SECONDS = 120.0


def refresh_all(demo: Demo, steps: Steps) -> None:
    """Refresh the three sites: by their DAGs, or in a quick demo by the same functions here."""
    if demo.quick:
        for plan in HOSPITALS:
            with steps.step(f"Refresh {plan.site}") as step:
                _refresh(demo, plan, step)
        return
    airflow = Airflow.attach(demo.folder, demo.ports["airflow"])
    with steps.step("DAG runs in Airflow") as step:
        runs = {f"ehr_pull__{plan.site}": airflow.trigger(f"ehr_pull__{plan.site}") for plan in HOSPITALS}
        _await_runs(airflow, runs, step)


def _refresh(demo: Demo, plan: HospitalPlan, step: Step) -> None:
    from mainstem.refresh import open_refresh
    from mainstem.refresh import run as refresh

    def progress(name: str, unit: str, count: int, _of: int | None = None, /) -> None:
        step.say(f"{name} {unit} {count:,}")

    with open_refresh(SiteFiles(demo.folder).path(plan.site), demo.settings, progress=progress) as opened:
        report = refresh(opened)
    if report.status != "completed":
        raise OperatorError(
            f"{plan.site}: the load ended {report.status}: {'; '.join(gap.reason for gap in report.gaps)}",
            f"`mainstem status --site {plan.site}` says what to do; the demo's hospitals write into {demo.folder}/logs.",
        )
    step.say(f"{report.total.read:,} read, {report.published:,} events")


def _await_runs(airflow: Airflow, runs: dict[str, str], step: Step) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        states = {dag: airflow.run_state(dag, run) for dag, run in runs.items()}
        step.say(", ".join(f"{dag.removeprefix('ehr_pull__')} {state}" for dag, state in states.items()))
        for dag, run in runs.items():
            # a retry would come in half a minute or more: a demo's failures do not heal by waiting
            if broken := [task for task, state in airflow.tasks(dag, run) if state in ("failed", "up_for_retry")]:
                raise OperatorError(
                    f"{dag} failed in {', '.join(broken)}.", f"Its logs: {airflow.home}/logs/dag_id={dag}"
                )
        if all(state in FINISHED for state in states.values()):
            return
        if time.monotonic() > deadline:
            raise TemporaryError("The DAG runs take too long.", f"See {airflow.address}")
        time.sleep(1)


def wait_for_registry(demo: Demo, steps: Steps, consumer: Running | None = None) -> int:
    """Wait until the registry holds every event of the stream; how many."""
    with steps.step("Registry has every event") as step:
        wanted = len(demo.stream.event_ids())
        deadline = time.monotonic() + REGISTRY_SECONDS
        while True:
            held = _held(demo)
            step.say(f"{held:,} of {wanted:,}")
            if held >= wanted:
                return wanted
            if consumer is not None and consumer.exit_code is not None:
                raise OperatorError("The registry has ended.", f"Its output is in {consumer.log}")
            if time.monotonic() > deadline:
                raise TemporaryError(
                    f"The registry holds {held:,} of {wanted:,} events.", f"See {demo.folder}/logs/registry.log"
                )
            time.sleep(0.3)


def _held(demo: Demo) -> int:
    """Events in the registry; none before it has made its tables."""
    import psycopg

    with psycopg.connect(demo.environment["MAINSTEM_REGISTRY_URL"]) as connection:
        if _one(connection, "select to_regclass('history')") is None:
            return 0
        return int(_one(connection, "select count(*) from history"))


def _one(connection: Any, query: str) -> Any:
    row = connection.execute(query).fetchone()
    return row and row[0]
