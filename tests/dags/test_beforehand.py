"""What every DAG file and every task would import by itself stands ready in the parts of Airflow that start processes for them."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from network_under_test import MAINSTEM, Network
from synthetic_children import children, deliver

from mainstem.demo.embedded import Hospital

pytest.importorskip("airflow")
pytestmark = [pytest.mark.airflow, pytest.mark.slow]

MANY_MACHINES = Path(__file__).parents[2] / "docs/how-to/many-machines.md"
LOOK = """
import json, os, pathlib, runpy, sys
OURS = ("connectors", "dags", "fhir", "httpcore2", "httpx2", "kafka", "mainstem", "schemas", "sqlalchemy", "transforms")
def ours():
    return {name for name in sys.modules if name.split(".")[0] in OURS}
"""
BEGUN = (
    LOOK
    + """
from airflow.jobs.job import Job
Job()
known = ours()
"""
)
CELERY = (
    LOOK
    + """
from airflow.providers.celery.executors.celery_executor_utils import app
app.loader.import_default_modules()
known = ours()
"""
)
"""A Celery worker before it makes its processes."""
READ = """
told = runpy.run_path(sys.argv[1])
print("RESULT " + json.dumps(sorted(ours() - known)))
"""
DONE = """
from dags.declared import declared
from dags.site_dag import _opened
from mainstem import refresh as steps
with _opened(pathlib.Path(sys.argv[1])) as refresh:
    steps.preflight(refresh)
    load = steps.plan(refresh).load
    plan = steps.planned(refresh, load)
    steps.pull_units(refresh, load, plan.units)
    steps.map_undivided(refresh, load, plan.types_of(0, 1), 1)
    steps.derive(refresh, load)
    steps.publish(refresh, load)
    steps.complete(refresh, load)
new = sorted(ours() - known)
from dags.beforehand import _does_tasks
os.environ["AIRFLOW__CORE__EXECUTOR"] = "CeleryExecutor"
print("RESULT " + json.dumps([new, _does_tasks()]))
"""

WATCHED = """
import ssl
read = []
ssl.create_default_context = lambda *_, **__: read.append("authorities") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
from airflow.sdk.api.client import Client
Client(base_url="http://127.0.0.1:1/", token="")
print("RESULT " + json.dumps(read))
"""


def run(program: str, argument: Path, home: Path, **environment: str) -> Any:
    done = subprocess.run(
        [MAINSTEM.with_name("python"), "-c", program, argument],
        env={**os.environ, "AIRFLOW_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout + done.stderr
    return json.loads(lines[0].removeprefix("RESULT "))


def test_a_stub_read_in_a_copy_of_the_dag_processor_imports_nothing_of_ours(lhn: Network, tmp_path: Path) -> None:
    lhn.files_site("west", tmp_path / "in")
    assert lhn.mainstem("sites", "dags", lhn.folder, "--to", tmp_path / "dags").returncode == 0
    began = "import airflow.dag_processing.manager" + BEGUN
    assert run(began + READ, tmp_path / "dags/ehr_pull__west.py", tmp_path, MAINSTEM_SITES=str(lhn.folder)) == []


def test_a_task_in_a_copy_of_the_scheduler_imports_nothing_of_ours(lhn: Network, tmp_path: Path) -> None:
    """From preflight to complete, by a site of files. A scheduler that gives its tasks to a queue holds nothing for them."""
    deliver(children(1), tmp_path / "in")
    path = lhn.files_site("west", tmp_path / "in")
    began = "import airflow.jobs.scheduler_job_runner" + BEGUN
    env = {**lhn.environment, "AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}
    assert run(began + DONE, path, tmp_path, **env) == [[], False]


def test_a_task_that_asks_a_server_in_a_copy_of_the_scheduler_imports_nothing_of_ours(
    lhn: Network, hospital: Callable[..., Hospital], tmp_path: Path
) -> None:
    """Its requests, its vendor's ways, and the judge of the sample that is checked."""
    path = lhn.server_site("north", hospital(children(1)), "search")
    began = "import airflow.jobs.scheduler_job_runner" + BEGUN
    env = {**lhn.environment, "AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}
    assert run(began + DONE, path, tmp_path, **env) == [[], False]


def test_who_watches_over_a_task_in_a_copy_of_the_scheduler_reads_no_authorities_of_tls(tmp_path: Path) -> None:
    began = "import airflow.jobs.scheduler_job_runner" + BEGUN
    assert run(began + WATCHED, tmp_path, tmp_path, AIRFLOW__CORE__EXECUTOR="LocalExecutor") == []


def test_a_task_of_a_celery_worker_that_is_set_up_as_the_page_has_it_imports_nothing_of_ours(
    lhn: Network, tmp_path: Path
) -> None:
    pytest.importorskip("airflow.providers.celery", reason="requirements/airflow-beyond.txt brings Celery")
    ((name, value),) = re.findall(r"^    (AIRFLOW__CELERY__EXTRA\w+)=(.+)$", MANY_MACHINES.read_text(), re.MULTILINE)
    deliver(children(1), tmp_path / "in")
    path = lhn.files_site("west", tmp_path / "in")
    env = {**lhn.environment, "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", name: value}
    assert run(CELERY + DONE, path, tmp_path, **env) == [[], False]
