"""Airflow as a network runs it: scheduler, DAG processor and API server apart, Celery workers on a real broker, a worker in a hospital."""

import contextlib
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from network_under_test import Network

from mainstem.config.dag_stubs import stub_of
from mainstem.demo.airflow import FINISHED, USER, Airflow
from mainstem.demo.embedded import LOOPBACK, Running, end_session, free_port, port_is_busy, require_port
from schemas.errors import TemporaryError

HASTE = """from datetime import timedelta

from dags import site_dag

site_dag.DEFAULTS.update(retries=2, retry_delay=timedelta(seconds=5), retry_exponential_backoff=0.0)
"""
"""Put before a stub: nights of a test do not wait half an hour for one that is down."""
START_SECONDS = 600.0
EDGE = "airflow.providers.edge3.executors.EdgeExecutor"
SLOTS = 2
"""Tasks of a worker at once."""
PATIENCE = {
    "AIRFLOW__CORE__PARALLELISM": "32",
    "AIRFLOW__API_AUTH__JWT_LEEWAY": "120",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
}
"""A busy machine is no dead task; one that is dead is seen within two minutes."""
IMAGE = Path(__file__).parents[2] / "docker" / "Dockerfile"
PLACES = ("AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__LOAD_EXAMPLES")
AS_DELIVERED = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "5",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "300",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
}
"""What the demo, in haste, sets otherwise than Airflow itself."""
WORKER_NAME = """import os


def worker():
    return os.environ.get("WORKER_NAME", "centre")
"""
"""What a task calls its machine: here all workers are on one."""


def shipped() -> dict[str, str]:
    """Airflow as our image has it: its own settings, and those of ours; a busy machine's patience is the bench's."""
    ours = dict(re.findall(r"(AIRFLOW__\w+)=(\S+)", IMAGE.read_text()))
    patience = {
        name: PATIENCE[name] for name in ("AIRFLOW__API_AUTH__JWT_LEEWAY", "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT")
    }
    return patience | AS_DELIVERED | {name: value for name, value in ours.items() if name not in PLACES}


def at_night() -> dict[str, str]:
    """The same, where a part that is killed is seen within two minutes."""
    return shipped() | {name: value for name, value in PATIENCE.items() if name != "AIRFLOW__CORE__PARALLELISM"}


class AtLarge(Airflow):
    """Its parts as processes of their own; `executor` and `more` settings decide where tasks run."""

    def __init__(self, state: Path, *, dags: Path, env: Mapping[str, str], executor: str, **more: str) -> None:
        super().__init__(state, port=free_port(), dags=dags, env=env, choose="")
        self.parts: dict[str, Running] = {}
        self.runs: dict[str, str] = {}
        self._settings = {"AIRFLOW__CORE__EXECUTOR": executor, **more}
        self._all: dict[str, str] = {}
        self._spent = 0.0

    def launch(self) -> Self:
        """The database migrated; all parts but workers begun."""
        self.serve()
        self.begin("processor", "dag-processor")
        self.schedule()
        return self

    def serve(self) -> Self:
        """The database migrated; the pages begun alone: nothing runs."""
        require_port(self.port, "Airflow", self._choose)
        self._prepare()
        named = self.home / "config" / "named.py"
        named.parent.mkdir()
        named.write_text(WORKER_NAME)
        self._all = {
            **self._environment(),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "named.worker",
            "PYTHONPATH": f"{named.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            **self._settings,
        }
        self.say("db", "migrate")
        self._process = self.begin("api", "api-server")
        return self

    def schedule(self) -> None:
        """The scheduler, begun, also again."""
        self.begin("scheduler", "scheduler", "--skip-serve-logs")

    def say(self, *words: str) -> str:
        """A command of Airflow's own, run to its end; what it said."""
        part = self._made(words[0], words).start()
        deadline = time.monotonic() + START_SECONDS
        while part.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.2)
        code = part.exit_code
        part.close()
        said = part.log.read_text()
        assert code == 0, said[-3000:]
        return said

    def _made(self, name: str, words: Sequence[str], **more: str) -> Running:
        command = [str(Path(sys.executable).with_name("airflow")), *words]
        return Running(name, command, state=self.state, env={**self._all, **more}, cwd=self.home)

    def begin(self, name: str, *words: str, **more: str) -> Running:
        """A part; one of this name that was killed is begun again."""
        self.parts[name] = self._made(name, words, **more).start()
        return self.parts[name]

    def celery(self, name: str) -> None:
        """A Celery worker."""
        words = (
            "--skip-serve-logs",
            "--concurrency",
            str(SLOTS),
            "--celery-hostname",
            f"{name}@%h",
            "--without-mingle",
        )
        self.begin(name, "celery", "worker", *words, "--pid", str(self.home / f"{name}.pid"), WORKER_NAME=name)

    def edge(self, queue: str, **more: str) -> None:
        """A worker in a hospital, that asks for work of one queue."""
        words = ("--queues", queue, "--concurrency", "1", "--edge-hostname", queue)
        pid_file = str(self.home / f"{queue}.pid")
        self.begin(queue, "edge", "worker", *words, "--pid", pid_file, WORKER_NAME=queue, **more)

    def kill(self, name: str) -> None:
        """kill -9, of a part and all that it started."""
        part = self.parts[name]
        tree = psutil.Process(part.pid).children(recursive=True)
        self._spent += _seconds([psutil.Process(part.pid), *tree])
        os.kill(part.pid, signal.SIGKILL)
        for each in tree:
            with contextlib.suppress(psutil.Error):
                each.kill()
        end_session(part.pid, stop_signal=signal.SIGKILL)

    def close(self) -> None:
        """Stops all parts, workers first."""
        if self._http is not None:
            self._http.close()
        for part in reversed(self.parts.values()):
            part.close()

    def _get(self, path: str) -> dict[str, Any]:
        """Asked again where a busy server did not answer in time."""
        for _ in range(10):
            with contextlib.suppress(TemporaryError):
                return super()._get(path)
            time.sleep(2)
        return super()._get(path)

    def wait_for_stubs(self, wanted: set[str], seconds: float = START_SECONDS) -> None:
        """Until the DAG processor has read these."""

        def are() -> bool:
            time.sleep(len(wanted) / 20)  # whoever reads many is asked seldom
            return wanted <= set(self.serialized())

        self.parts["scheduler"].wait_until(are, seconds, "read its DAGs")

    def serialized(self) -> list[str]:
        """The DAGs that can be run; fails with an import error."""
        assert not (errors := self._get("/importErrors")["import_errors"]), errors[0]["stack_trace"]
        found, total = list[str](), 1
        while len(found) < total:
            page = self._get(f"/dags?limit=100&order_by=dag_id&offset={len(found)}")
            found += [dag["dag_id"] for dag in page["dags"]]
            total = page["total_entries"]
        return found

    def night(self, sites: Sequence[str], *, seconds: float, beside: Callable[[int], None] = lambda done: None) -> Any:
        """A run of each site at once, waited for; `beside(done)`: what else happens meanwhile. Site → state."""
        self.runs = {site: self.trigger(f"ehr_pull__{site}") for site in sites}
        ended: dict[str, str] = {}
        deadline = time.monotonic() + seconds
        while len(ended) < len(self.runs):
            left = sorted(self.runs.keys() - ended.keys())
            assert time.monotonic() < deadline, f"{len(ended)} of {len(self.runs)} ended; not {left}"
            states = {(run["dag_id"], run["dag_run_id"]): str(run["state"]) for run in self.newest()}
            found = {site: states.get((f"ehr_pull__{site}", run), "") for site, run in self.runs.items()}
            ended = {site: state for site, state in found.items() if state in FINISHED}
            self._all_alive()
            beside(len(ended))
            time.sleep(5)
        return ended

    def _all_alive(self) -> None:
        """Fails with the last lines of a part that ended by itself."""
        for name, part in self.parts.items():
            if (code := part.exit_code) is not None:
                raise AssertionError(f"{name} ended with {code}:\n{part.log.read_text()[-3000:]}")

    def newest(self) -> list[dict[str, Any]]:
        """The newest runs of all DAGs, by one request: a busy API server is asked for little."""
        return list(self._get("/dags/~/dagRuns?limit=100&order_by=-id")["dag_runs"])

    def settled(self, runs: int, seconds: float = START_SECONDS) -> list[dict[str, Any]]:
        """So many runs there are and none is at work; newest first."""
        found: list[dict[str, Any]] = []

        def are() -> bool:
            found[:] = self.newest()
            return len(found) == runs and all(run["state"] in FINISHED for run in found)

        self.parts["scheduler"].wait_until(are, seconds, f"end {runs} runs")
        return found

    def note_of(self, site: str) -> str:
        """What the last night's run of a site says."""
        return str(self._get(f"/dags/ehr_pull__{site}/dagRuns/{self.runs[site]}")["note"] or "")

    def notes_of_failed(self, ended: Mapping[str, str]) -> dict[str, str]:
        """What the last night's runs that did not succeed say, by site."""
        return {site: self.note_of(site) for site, state in ended.items() if state != "success"}

    def hosts_of(self, site: str) -> set[str]:
        """Which workers did the tasks of the last night's run of a site."""
        return {str(each["hostname"]) for each in self._tasks(site) if each["hostname"]}

    def tasks_of(self, site: str) -> int:
        """How many tasks the last night's run of a site had."""
        return len(self._tasks(site))

    def _tasks(self, site: str) -> list[dict[str, Any]]:
        found = self._get(f"/dags/ehr_pull__{site}/dagRuns/{self.runs[site]}/taskInstances?limit=100")
        return list(found["task_instances"])

    def tries(self, dag: str) -> dict[str, int]:
        """How often each task of a DAG's runs was begun, at most."""
        found: dict[str, int] = {}
        for each in self._get(f"/dags/{dag}/dagRuns/~/taskInstances?limit=100")["task_instances"]:
            found[each["task_id"]] = max(found.get(each["task_id"], 0), each["try_number"])
        return found

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Each part's, with all that it started and lives."""
        found = {}
        for name, part in self.parts.items():
            with contextlib.suppress(psutil.Error):
                leader = psutil.Process(part.pid)
                found[name] = [leader, *leader.children(recursive=True)]
        return found

    def cpu(self) -> float:
        """Seconds of processor time so far, of all parts and of what they started, ended, killed or not."""
        return self._spent + sum(map(_seconds, self.processes().values()))

    def mebibytes(self) -> dict[str, float]:
        """Memory of each part: what is shared is counted once among those who share it."""
        found = {}
        for name, group in self.processes().items():
            found[name] = 0.0
            for each in group:
                with contextlib.suppress(psutil.Error):
                    found[name] += each.memory_full_info().pss / 2**20
        return found


def _seconds(processes: Iterable[psutil.Process]) -> float:
    """Of processor time: theirs, and that of children which ended."""
    total = 0.0
    for each in processes:
        with contextlib.suppress(psutil.Error):
            total += sum(each.cpu_times()[:4])
    return total


def require_redis() -> str:
    """The program. Skips with the reason where it is not to be had."""
    found = shutil.which("redis-server")
    if found is None:
        if os.environ.get("MAINSTEM_REQUIRE_REDIS") == "1":
            pytest.fail("no redis-server: `make redis` installs it")
        pytest.skip("no redis-server: `make redis` installs it")
    return found


@contextmanager
def redis(state: Path) -> Iterator[str]:
    """A broker for Celery; its address."""
    port = free_port()
    settings = ["--bind", LOOPBACK, "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(state)]
    with Running("redis", [require_redis(), *settings], state=state) as part:
        part.wait_until(lambda: port_is_busy(port), 60)
        yield f"redis://{LOOPBACK}:{port}/0"


def _dags(state: Path, sites: Sequence[str], more: Mapping[str, str] | None = None) -> Path:
    """A folder with each site's stub, in haste, and more files by their names."""
    dags = state / "dags"
    dags.mkdir(parents=True)
    for site in sites:
        name = f"ehr_pull__{site}.py"
        words, end, rest = stub_of(site)[name].partition('"""\n\n')
        (dags / name).write_text(words + end + HASTE + "\n" + rest)
    for name, text in (more or {}).items():
        (dags / name).write_text(text)
    return dags


def _environment(lhn: Network, database: str) -> dict[str, str]:
    """The network's, and Airflow's own database on PostgreSQL."""
    conn = database.replace("postgresql://", "postgresql+psycopg://")
    return {
        **lhn.environment,
        "MAINSTEM_SITES": str(lhn.folder),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": conn,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": conn,
    }


@contextmanager
def airflow_pages(state: Path) -> Iterator[AtLarge]:
    """The API server alone, with its pages, on SQLite."""
    made = AtLarge(state, dags=_dags(state, []), env={}, executor="LocalExecutor", **PATIENCE)
    with closing(made):
        made.serve().wait(START_SECONDS)
        yield made


def log_in(tab: Any, airflow: Airflow) -> None:
    """A browser's page, as the administrator."""
    tab.goto(f"{airflow.address}/auth/login")
    tab.fill("input[name=username]", USER)
    tab.fill("input[name=password]", airflow.password)
    tab.click("button[type=submit]")
    tab.wait_for_url(f"{airflow.address}/")


FEW = PATIENCE | {"AIRFLOW__CORE__PARALLELISM": "4"}


@contextmanager
def local_airflow(
    lhn: Network,
    state: Path,
    database: str,
    sites: Sequence[str],
    more: Mapping[str, str] | None = None,
    settings: Mapping[str, str] = FEW,
) -> Iterator[AtLarge]:
    """One machine's Airflow: tasks run beside the scheduler; a DAG a site, and more files of DAGs by their names."""
    made = AtLarge(
        state, dags=_dags(state, sites, more), env=_environment(lhn, database), executor="LocalExecutor", **settings
    )
    with closing(made):
        made.launch().wait(START_SECONDS)
        made.wait_for_stubs({f"ehr_pull__{site}" for site in sites})
        yield made


@contextmanager
def celery_airflow(lhn: Network, state: Path, database: str, sites: Sequence[str], workers: int) -> Iterator[AtLarge]:
    """A network's Airflow: Celery workers on Redis, beside them the executor for workers in hospitals; a DAG a site."""
    dags = _dags(state, sites)
    with ExitStack() as stack:
        env = _environment(lhn, database) | {
            "AIRFLOW__CELERY__BROKER_URL": stack.enter_context(redis(state)),
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database.replace('postgresql://', 'postgresql+psycopg://')}",
            "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": '{"imports": ["dags.celery_worker"]}',
            "AIRFLOW__CELERY__WORKER_ENABLE_REMOTE_CONTROL": "False",
            "AIRFLOW__EDGE__API_ENABLED": "True",
            "AIRFLOW__EDGE__JOB_POLL_INTERVAL": "1",
            "AIRFLOW__EDGE__HEARTBEAT_INTERVAL": "5",
        }
        made = AtLarge(state, dags=dags, env=env, executor=f"CeleryExecutor,{EDGE}", **PATIENCE)
        made._settings["AIRFLOW__EDGE__API_URL"] = f"{made.address}/edge_worker/v1/rpcapi"
        stack.callback(made.close)
        made.launch().wait(START_SECONDS)
        for number in range(workers):
            made.celery(f"w{number + 1}")
        made.wait_for_stubs({f"ehr_pull__{site}" for site in sites})
        yield made
