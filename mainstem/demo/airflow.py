"""Airflow for the demo: `airflow standalone` in a home of its own, spoken to by its REST API."""

import contextlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mainstem.demo.embedded import LOOPBACK, EmbeddedPart, Running, port_is_busy, require_port, write_secret
from schemas.errors import MainstemError, OperatorError, TemporaryError

if TYPE_CHECKING:
    import httpx2

USER = "admin"
FINISHED = ("success", "failed")
ATTEMPTS = 5
"""Of a reading request, half a minute each at most."""

WRAPPER = """#!/bin/sh
# `airflow standalone` starts its parts by this name. The log server of the scheduler would listen on every address of
# the machine; the API server reads the logs from the folder, so nobody needs it here. No task of the demo defers, so
# the triggerer only waits to be ended: it would cost a quarter of the start and of the memory.
case "$1" in
  scheduler) set -- "$@" --skip-serve-logs ;;
  triggerer) exec sleep 2000000000 ;;
esac
exec {airflow} "$@"
"""


class Airflow(EmbeddedPart):
    """One Airflow with LocalExecutor on 127.0.0.1; `launch` returns at once, `wait` until it answers (about 20 s)."""

    def __init__(self, state: Path, *, port: int, dags: Path, env: Mapping[str, str], choose: str) -> None:
        self.home, self.state, self.port, self.dags = state.resolve() / "airflow", state.resolve(), port, dags.resolve()
        self._env, self._choose = dict(env), choose
        self._process: Running | None = None
        self._http: httpx2.Client | None = None

    @property
    def address(self) -> str:
        """The UI's address."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def password(self) -> str:
        """The password of the user `admin`, made at each launch."""
        return str(json.loads((self.home / "passwords.json").read_text())[USER])

    @property
    def pid(self) -> int:
        """Process id of `airflow standalone`."""
        if self._process is None:
            raise MainstemError("Airflow has not been started.", "This is a defect; please report it.")
        return self._process.pid

    def launch(self) -> Self:
        """Start it with an empty metadata database."""
        require_port(self.port, "Airflow", self._choose)
        self._prepare()
        command = [str(self.home / "bin" / "airflow"), "standalone"]
        self._process = Running("airflow", command, state=self.state, env=self._environment(), cwd=self.home).start()
        return self

    def _prepare(self) -> None:
        """An empty home with the wrapper and a password."""
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / "bin").mkdir(parents=True)
        program = Path(sys.executable).parent / "airflow"
        wrapper = self.home / "bin" / "airflow"
        wrapper.write_text(WRAPPER.format(airflow=program))
        wrapper.chmod(0o755)
        write_secret(self.home / "passwords.json", json.dumps({USER: secrets.token_urlsafe(9)}).encode())

    def _environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "_AIRFLOW"))}
        settings = {
            "CORE__DAGS_FOLDER": str(self.dags),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "CORE__EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
            "API__HOST": LOOPBACK,
            "API__PORT": str(self.port),
            "API__BASE_URL": self.address,
            "API__WORKERS": "1",
            "API__SECRET_KEY": secrets.token_hex(32),
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "CORE__FERNET_KEY": "",
            "CORE__TEST_CONNECTION": "Enabled",
            "LOGGING__LOGGING_LEVEL": "INFO",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "60",
            "DAG_PROCESSOR__PARSING_PROCESSES": "2",
            "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        return {
            **inherited,
            **self._env,
            **{f"AIRFLOW__{key}": value for key, value in settings.items()},
            "AIRFLOW_HOME": str(self.home),
            "PATH": f"{self.home / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }

    def start(self) -> Self:
        """Launch and wait."""
        self.launch().wait()
        return self

    def wait(self, seconds: float = 240) -> None:
        """Wait until the API server answers and lets us in."""
        if self._process is None:
            raise MainstemError("Airflow has not been started.", "This is a defect; please report it.")
        self._process.wait_until(self._log_in, seconds)

    def wait_for_dags(self, dag_ids: list[str], seconds: float = 120) -> None:
        """Wait until the DAG processor has read these DAGs; raises OperatorError with the first import error."""
        if self._process is not None:
            self._process.wait_until(lambda: set(dag_ids) <= self._dags(), seconds, "read its DAGs")

    def _dags(self) -> set[str]:
        errors = self._get("/importErrors")["import_errors"]
        if errors:
            last = errors[0]["stack_trace"].strip().splitlines()[-1]
            raise OperatorError(
                f"Airflow cannot read {Path(errors[0]['filename']).name}: {last}", f"See {self.address}"
            )
        return {dag["dag_id"] for dag in self._get("/dags")["dags"]}

    @classmethod
    def attach(cls, state: Path, port: int) -> "Airflow":
        """The hands on an Airflow that another process of ours runs."""
        airflow = cls(state, port=port, dags=state, env={}, choose="")
        if not airflow._log_in():
            raise TemporaryError(f"Airflow at {airflow.address} does not answer.", "Is the demo still up?")
        return airflow

    def _log_in(self) -> bool:
        import httpx2

        if not port_is_busy(self.port):
            return False
        with contextlib.suppress(httpx2.HTTPError):
            answer = httpx2.post(
                f"{self.address}/auth/token",
                json={"username": USER, "password": self.password},
                timeout=5,
                trust_env=False,
            )
            if answer.status_code == 201:
                headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
                self._http = httpx2.Client(
                    base_url=f"{self.address}/api/v2", headers=headers, timeout=30, trust_env=False
                )
                return True
        return False

    def _get(self, path: str) -> dict[str, Any]:
        """What is there; asked again where a busy machine answers late: nothing of the demo is lost by it."""
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(TemporaryError):
                return self._ask("GET", path)
            time.sleep(1)
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        import httpx2

        if self._http is None:
            raise MainstemError("Airflow has not been waited for.", "This is a defect; please report it.")
        try:
            answer = self._http.request(method, path, json=body)
            answer.raise_for_status()
        except httpx2.HTTPError as exc:
            raise TemporaryError(
                f"Airflow did not answer {method} {path}: {type(exc).__name__}", f"See {self.state}/logs"
            ) from exc
        return dict(answer.json())

    def trigger(self, dag_id: str) -> str:
        """Start a run of a DAG; its run id."""
        return str(self._ask("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """`queued`, `running`, `success` or `failed`."""
        return str(self._get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[tuple[str, str]]:
        """(task, state) of a run's task instances, in the order in which they began."""
        found = self._get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=100")["task_instances"]
        found.sort(key=lambda task: task["start_date"] or "9")
        return [(task["task_id"], task["state"] or "none") for task in found]

    def close(self) -> None:
        """Stop all of its processes."""
        if self._http is not None:
            self._http.close()
        if self._process is not None:
            self._process.close()
