"""The demo itself: start every part, refresh the three sites, say what happened, stay up, leave nothing behind."""

import os
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from mainstem.config.logs import configure_once
from mainstem.demo.airflow import Airflow
from mainstem.demo.cohorts import HOSPITALS
from mainstem.demo.embedded import (
    Hospital,
    Postgres,
    Running,
    Tansu,
    kafka_answers,
    port_is_busy,
    require_port,
    stop_leftovers,
)
from mainstem.demo.hospitals import SiteFiles, deliver, open_server
from mainstem.demo.populations import populations
from mainstem.demo.refreshing import refresh_all, wait_for_registry
from mainstem.demo.running_demo import NETWORK, Demo, choose_port, chosen_ports, ended_by_signals, locked, only_one
from mainstem.demo.second_day import day_two
from mainstem.demo.steps import Steps
from mainstem.demo.summary import summarise
from schemas.errors import TemporaryError


def run(*, quick: bool, state: Path, console: Console, ports: Mapping[str, int] = MappingProxyType({})) -> None:
    """The demo. Quick: without Airflow, day two included, then it ends; else it stays up until Ctrl-C."""
    configure_once()
    state = state.resolve()
    try:
        with ended_by_signals(), only_one(state), ExitStack() as parts:
            _run(quick, state, console, parts, ports)
    except KeyboardInterrupt:
        console.print("stopped; no process is left behind")
        raise SystemExit(0 if (state / "up").exists() else 130) from None
    finally:
        if not locked(state):
            for name in ("running.json", "up"):
                (state / name).unlink(missing_ok=True)


def _run(quick: bool, state: Path, console: Console, parts: ExitStack, ports: Mapping[str, int]) -> None:
    """From the first part to the summary, and what comes after it. Each part ends with `parts`."""
    steps = Steps(console)
    files = SiteFiles(state)
    demo = _prepared(quick, state, console, ports)
    servers = _servers(demo, files)
    postgres = _database(demo, files, steps, parts)
    airflow = None if quick else _launch(demo, postgres, files)
    if airflow is not None:
        parts.callback(airflow.close)
    _broker(demo, steps, parts)
    consumer = parts.enter_context(_service(demo, "registry", "registry", "run"))
    answering = {name: parts.enter_context(_service(demo, *command)) for name, command in _listeners(demo).items()}
    _hospitals(demo, files, servers, steps, parts)
    _wait(demo, answering, airflow, steps)
    demo.save()
    refresh_all(demo, steps)
    summarise(demo, steps, wait_for_registry(demo, steps, consumer))
    if quick:
        day_two(state=state, console=console)
        return
    parts.enter_context(_service(demo, *keeper(datetime.now(UTC).date())))
    (state / "up").touch()
    console.print("\nNext, in another terminal: [bold]make demo-day-two[/]. Ctrl-C here ends it all.")
    while True:
        time.sleep(3600)


def _prepared(quick: bool, state: Path, console: Console, ports: Mapping[str, int]) -> Demo:
    """A clean state folder and free ports."""
    if left := stop_leftovers(state):
        console.print(f"ended what an interrupted demo had left running: {', '.join(left)}")
    (state / "up").unlink(missing_ok=True)
    demo = Demo(str(state), quick, chosen_ports(quick, ports), {})
    for name, port in demo.ports.items():
        require_port(port, f"the demo's {name}", choose_port(name))
    for name in ("logs", "landing"):
        shutil.rmtree(state / name, ignore_errors=True)
    return demo


def _database(demo: Demo, files: SiteFiles, steps: Steps, parts: ExitStack) -> Postgres:
    """PostgreSQL with empty databases; the demo's environment names them."""
    with steps.step("PostgreSQL"):
        postgres = parts.enter_context(Postgres(demo.folder))
        for name in ("store", "registry", "airflow"):
            postgres.drop_database(name)
            postgres.create_database(name)
    demo.environment = {
        "MAINSTEM_NETWORK": NETWORK,
        "MAINSTEM_DATABASE_URL": postgres.url("store"),
        "MAINSTEM_REGISTRY_URL": postgres.url("registry"),
        "MAINSTEM_ACCESS_URL": f"sqlite:///{demo.folder / 'access.db'}",
        "MAINSTEM_DEMO_ROLES": HOSPITALS[0].site,
        "MAINSTEM_KAFKA": f"127.0.0.1:{demo.ports['kafka']}",
        "MAINSTEM_LANDING": str(demo.folder / "landing"),
        "MAINSTEM_SITES": str(files.folder),
    }
    return postgres


def _broker(demo: Demo, steps: Steps, parts: ExitStack) -> None:
    with steps.step("Kafka broker (Tansu) and topics"):
        parts.enter_context(Tansu(demo.folder, port=demo.ports["kafka"]))
        _create_topics(demo)


def _listeners(demo: Demo) -> dict[str, tuple[str, ...]]:
    """What answers over HTTP: by its port's name, the name of its log and its command."""
    return {
        "registry": ("registry-api", "registry", "serve", "--port", str(demo.ports["registry"])),
        "page": ("feedback", "feedback", "--port", str(demo.ports["page"])),
    }


def keeper(today: date) -> tuple[str, ...]:
    """Who keeps the measures' results beside the registry and tells them to the hospitals: of the last months, for one machine."""
    since = today.replace(day=1) - timedelta(days=59)
    return ("results", "feedback", "run", "--since", f"{since:%Y-%m}")


def _hospitals(demo: Demo, files: SiteFiles, servers: dict[str, Hospital], steps: Steps, parts: ExitStack) -> None:
    """The children, and the hospitals that have seen them."""
    with steps.step("Children, by Synthea") as step:
        today = datetime.now(UTC).date()
        children = populations(demo.folder, today=today, progress=lambda done, of: step.say(f"{done} of {of}"))
    demo.children = str(children.folder)
    for plan in HOSPITALS:
        with steps.step(f"{plan.name} ({plan.road})") as step:
            if plan.site in servers:
                parts.callback(servers[plan.site].close)
                step.say(open_server(servers[plan.site], children, step.say))
            else:
                step.say(f"{deliver(children, plan.site, files.delivery(plan.site)):,} lines in its delivery folder")


def _wait(demo: Demo, answering: dict[str, Running], airflow: Airflow | None, steps: Steps) -> None:
    """Until registry, page and Airflow answer."""
    with steps.step("Registry and feedback page"):
        for name, service in answering.items():
            service.wait_until(partial(port_is_busy, demo.ports[name]), 60)
    if airflow is not None:
        with steps.step("Airflow") as step:
            airflow.wait()
            airflow.wait_for_dags([f"ehr_pull__{plan.site}" for plan in HOSPITALS])
            step.say(f"{len(HOSPITALS)} DAGs")


def _servers(demo: Demo, files: SiteFiles) -> dict[str, Hospital]:
    """The hospitals with a server, and every hospital's site file."""
    servers = {}
    for plan in HOSPITALS:
        if plan.road != "files":
            servers[plan.site] = Hospital(demo.folder, plan.site, port=demo.ports[plan.site], client=files.client(plan))
        files.write(plan, servers.get(plan.site))
    return servers


def _launch(demo: Demo, postgres: Postgres, files: SiteFiles) -> Airflow:
    """Airflow beside the other parts: its start takes longest."""
    from mainstem.config.dag_stubs import write_stubs

    dags = demo.folder / "dags"
    write_stubs(files.folder, dags)
    metadata = postgres.url("airflow", "psycopg")  # SQLite says "database is locked" with three DAGs at once
    env = {
        **demo.environment,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": metadata,
    }
    airflow = Airflow(demo.folder, port=demo.ports["airflow"], dags=dags, env=env, choose=choose_port("airflow"))
    return airflow.launch()


def _create_topics(demo: Demo) -> None:
    from mainstem.kafka.topics import create

    if not kafka_answers(demo.ports["kafka"]):
        raise TemporaryError("The broker does not answer.", f"See {demo.folder}/logs/kafka.log")
    create(demo.settings.kafka_settings(), NETWORK, replication=1)


def _service(demo: Demo, name: str, *arguments: str) -> Running:
    command = [str(Path(sys.executable).parent / "mainstem"), *arguments]
    return Running(name, command, state=demo.folder, env={**os.environ, **demo.environment}, cwd=demo.folder)
