"""The demo itself: start every part, refresh the three sites, say what happened, stay up, leave nothing behind."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from mainstem.config.logs import configure_once
from mainstem.config.settings import Settings, load_settings
from mainstem.demo.airflow import FINISHED, USER, Airflow
from mainstem.demo.cohorts import HOSPITALS, HospitalPlan
from mainstem.demo.embedded import (
    Hospital,
    Postgres,
    Running,
    Tansu,
    free_port,
    kafka_answers,
    port_is_busy,
    require_port,
    stop_leftovers,
)
from mainstem.demo.hospitals import SiteFiles, deliver, open_server
from mainstem.demo.populations import Populations, populations
from mainstem.demo.steps import Step, Steps
from mainstem.demo.stream import Stream, tally
from mainstem.kafka.settings import kafka_settings_of
from schemas.errors import MainstemError, OperatorError, TemporaryError
from schemas.events import Operation
from schemas.loads import LoadEvent

NETWORK = "demo"
PORTS = {"airflow": 8080, "page": 8071, "registry": 8070, "kafka": 9092, "lakeside": 8061, "harbor": 8062}
"""Where the demo listens on 127.0.0.1; `MAINSTEM_DEMO_<NAME>_PORT` chooses others. A quick demo takes free ports."""
RUN_SECONDS = 600.0
SHOWN = 6
"""Of many events of a kind, so many are printed."""


@dataclass
class Demo:
    """A running demo, as `running.json` tells it to day two and to a second `make demo`."""

    state: str
    quick: bool
    ports: dict[str, int]
    environment: dict[str, str]
    pid: int = field(default_factory=os.getpid)
    children: str = ""
    """The populations' folder."""

    @property
    def folder(self) -> Path:
        """The state folder."""
        return Path(self.state)

    @property
    def settings(self) -> Settings:
        """Mainstem's settings in this network."""
        names = {key.removeprefix("MAINSTEM_").lower(): value for key, value in self.environment.items()}
        return load_settings(**names)

    @property
    def stream(self) -> Stream:
        """The network's topics."""
        return Stream(kafka_settings_of(self.settings), NETWORK)

    @property
    def page(self) -> str:
        """Address of the feedback page."""
        return f"http://127.0.0.1:{self.ports['page']}"

    def populations(self) -> Populations:
        """The children, as made at the start."""
        return Populations(Path(self.children), HOSPITALS)

    def save(self) -> None:
        """Write `running.json`."""
        draft = self.folder / "running.new"
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(self.folder / "running.json")

    @classmethod
    def running(cls, state: Path) -> "Demo":
        """The demo that is up in this state folder; raises OperatorError if none is."""
        try:
            found = cls(**json.loads((state / "running.json").read_text()))
        except (OSError, ValueError, TypeError):
            found = None
        if found is None or not _locked(state):
            raise OperatorError(
                "No demo is running.", "Start it with `make demo` and leave it up; then run this in another terminal."
            )
        return found

    def describe(self) -> str:
        """Its addresses, for people."""
        airflow = "" if self.quick else f"Airflow http://127.0.0.1:{self.ports['airflow']}, "
        return f"{airflow}page {self.page}"


def _locked(state: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), (state / "lock").open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextlib.contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the state folder's lock; a second demo in it is refused with the addresses of the first."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = ""
            with contextlib.suppress(OSError, ValueError, TypeError):
                where = f": {Demo(**json.loads((state / 'running.json').read_text())).describe()}"
            raise OperatorError(
                f"A demo is already running{where}.", "Use it, or end it with Ctrl-C where it runs."
            ) from None
        yield


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does; while it cleans up, further signals wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {name: signal.signal(name, interrupt) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def run(*, quick: bool, state: Path, console: Console) -> None:
    """The demo. Quick: without Airflow, day two included, then it ends; else it stays up until Ctrl-C."""
    configure_once()
    state = state.resolve()
    try:
        with ended_by_signals(), only_one(state), contextlib.ExitStack() as parts:
            _run(quick, state, console, parts)
    except KeyboardInterrupt:
        console.print("stopped; no process is left behind")
        raise SystemExit(0 if (state / "up").exists() else 130) from None
    finally:
        if not _locked(state):
            for name in ("running.json", "up"):
                (state / name).unlink(missing_ok=True)


def _run(quick: bool, state: Path, console: Console, parts: contextlib.ExitStack) -> None:
    steps = Steps(console)
    if left := stop_leftovers(state):
        console.print(f"ended what an interrupted demo had left running: {', '.join(left)}")
    (state / "up").unlink(missing_ok=True)
    demo = Demo(str(state), quick, _ports(quick), {})
    for name, port in demo.ports.items():
        require_port(port, f"the demo's {name}", f"MAINSTEM_DEMO_{name.upper()}_PORT=… make demo")
    shutil.rmtree(state / "logs", ignore_errors=True)
    shutil.rmtree(state / "landing", ignore_errors=True)
    files = SiteFiles(state)
    servers = _servers(demo, files)
    with steps.step("PostgreSQL"):
        postgres = parts.enter_context(Postgres(state))
        for name in ("store", "registry", "airflow"):
            postgres.drop_database(name)
            postgres.create_database(name)
    demo.environment = {
        "MAINSTEM_NETWORK": NETWORK,
        "MAINSTEM_DATABASE_URL": postgres.url("store"),
        "MAINSTEM_REGISTRY_URL": postgres.url("registry"),
        "MAINSTEM_KAFKA": f"127.0.0.1:{demo.ports['kafka']}",
        "MAINSTEM_LANDING": str(state / "landing"),
        "MAINSTEM_SITES": str(files.folder),
    }
    airflow = None
    if not quick:
        airflow = _launch(demo, postgres, files)
        parts.callback(airflow.close)
    with steps.step("Kafka broker (Tansu) and topics"):
        parts.enter_context(Tansu(state, port=demo.ports["kafka"]))
        _create_topics(demo)
    consumer = parts.enter_context(_service(demo, "registry", "registry", "run"))
    api = parts.enter_context(
        _service(demo, "registry-api", "registry", "serve", "--port", str(demo.ports["registry"]))
    )
    page = parts.enter_context(_service(demo, "feedback", "feedback", "--port", str(demo.ports["page"])))
    with steps.step("Children, by Synthea") as step:
        children = populations(
            state, today=datetime.now(UTC).date(), progress=lambda done, of: step.say(f"{done} of {of}")
        )
    demo.children = str(children.folder)
    for plan in HOSPITALS:
        with steps.step(f"{plan.name} ({plan.road})") as step:
            if plan.site in servers:
                server = servers[plan.site]
                parts.callback(server.close)
                step.say(open_server(server, children, step.say))
            else:
                step.say(f"{deliver(children, plan.site, files.delivery(plan.site)):,} lines in its delivery folder")
    with steps.step("Registry and feedback page"):
        api.wait_until(lambda: port_is_busy(demo.ports["registry"]), 60)
        page.wait_until(lambda: port_is_busy(demo.ports["page"]), 60)
    if airflow is not None:
        with steps.step("Airflow") as step:
            airflow.wait()
            airflow.wait_for_dags([f"ehr_pull__{plan.site}" for plan in HOSPITALS])
            step.say(f"{len(HOSPITALS)} DAGs")
    demo.save()
    refresh_all(demo, steps)
    events = wait_for_registry(demo, steps, consumer)
    _summary(demo, steps, events)
    if quick:
        day_two(state=state, console=console)
        return
    (state / "up").touch()
    console.print("\nNext, in another terminal: [bold]make demo-day-two[/]. Ctrl-C here ends it all.")
    while True:
        time.sleep(3600)


def _ports(quick: bool) -> dict[str, int]:
    if quick:
        return {name: free_port() for name in PORTS if name != "airflow"}
    chosen = {}
    for name, default in PORTS.items():
        given = os.environ.get(f"MAINSTEM_DEMO_{name.upper()}_PORT", str(default))
        if not given.isdigit() or not 0 < int(given) < 65536:
            raise OperatorError(
                f"MAINSTEM_DEMO_{name.upper()}_PORT is no port number: {given}", "Give a number from 1024 to 65535."
            )
        chosen[name] = int(given)
    return chosen


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
    airflow = Airflow(
        demo.folder, port=demo.ports["airflow"], dags=dags, env=env, choose="MAINSTEM_DEMO_AIRFLOW_PORT=… make demo"
    )
    return airflow.launch()


def _create_topics(demo: Demo) -> None:
    from mainstem.kafka.topics import create

    if not kafka_answers(demo.ports["kafka"]):
        raise TemporaryError("The broker does not answer.", f"See {demo.folder}/logs/kafka.log")
    create(kafka_settings_of(demo.settings), NETWORK, replication=1)


def _service(demo: Demo, name: str, *arguments: str) -> Running:
    command = [str(Path(sys.executable).parent / "mainstem"), *arguments]
    return Running(name, command, state=demo.folder, env={**os.environ, **demo.environment}, cwd=demo.folder)


# --- one refresh of all sites ---


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

    def progress(name: str, unit: str, count: int) -> None:
        step.say(f"{name} {unit} {count:,}")

    with open_refresh(SiteFiles(demo.folder).path(plan.site), demo.settings, progress=progress) as opened:
        report = refresh(opened)
    if report.status != "completed":
        raise OperatorError(
            f"{plan.site}: the load ended {report.status}: {'; '.join(gap.reason for gap in report.gaps)}"
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
    import psycopg

    with steps.step("Registry has every event") as step:
        wanted = len(demo.stream.event_ids())
        deadline = time.monotonic() + 120
        while True:
            with psycopg.connect(demo.environment["MAINSTEM_REGISTRY_URL"]) as connection:
                row = (
                    connection.execute("select count(*) from history").fetchone() if _has_history(connection) else None
                )
            held = row[0] if row else 0
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


def _has_history(connection: Any) -> bool:
    found = connection.execute("select to_regclass('history')").fetchone()
    return bool(found and found[0])


# --- what is said ---


def _summary(demo: Demo, steps: Steps, events: int) -> None:
    console = steps.console
    loads = {load.site: load for load in demo.stream.loads()}
    console.print()
    for plan in HOSPITALS:
        console.print(_load_line(plan, loads[plan.site]), highlight=False, soft_wrap=True)
    read = sum(figures.read for load in loads.values() for figures in load.types.values())
    records = sum(figures.records for load in loads.values() for figures in load.types.values())
    rejected: Counter[str] = Counter()
    for load in loads.values():
        for figures in load.types.values():
            rejected.update(figures.skipped)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(rejected.items())) or "none"
    console.print(
        f"[bold]{read:,} resources read → {records:,} records → {events:,} events[/] in {steps.seconds:.0f} s; rejected: {reasons}",
        highlight=False,
        soft_wrap=True,
    )
    if not demo.quick:
        airflow = Airflow.attach(demo.folder, demo.ports["airflow"])
        console.print(f"Airflow   {airflow.address}   user {USER}, password {airflow.password}", highlight=False)
        console.print(f"Page      {demo.page}", highlight=False)
        console.print(f"Registry  http://127.0.0.1:{demo.ports['registry']}/docs", highlight=False)


def _load_line(plan: HospitalPlan, load: LoadEvent) -> str:
    read = sum(figures.read for figures in load.types.values())
    skipped = sum(sum(figures.skipped.values()) for figures in load.types.values())
    return f"{plan.name:<34} by {plan.road:<7} {read:>7,} read, {skipped:>3,} rejected, {load.published:>7,} events, {load.event}"


# --- day two ---


def day_two(*, state: Path, console: Console) -> None:
    """Against the running demo: one value corrected, one observation in error, one new patient; then nothing changed."""
    from mainstem.demo.day_two import change, expected

    configure_once()
    demo = Demo.running(state.resolve())
    steps = Steps(console)
    console.print("\n[bold]Day two[/]")
    before = demo.stream.event_ids()
    changes = change(demo.folder, demo.ports, demo.populations(), console)
    refresh_all(demo, steps)
    events = demo.stream.since(before)
    new = [event for event in events if event.operation == Operation.RECORDED]
    for event in [event for event in events if event not in new] + new[:SHOWN]:
        console.print(event.text(), soft_wrap=True)
    if len(new) > SHOWN:
        console.print(f"  … and {len(new) - SHOWN} more of the new patient")
    console.print(f"[bold]travelled: {tally(events)}[/]")
    expected(changes, events)
    wait_for_registry(demo, steps)
    console.print("\n[bold]A third run, nothing changed[/]")
    before = demo.stream.event_ids()
    refresh_all(demo, steps)
    events = demo.stream.since(before)
    console.print(f"[bold]travelled: {tally(events)}[/]")
    if events:
        raise MainstemError(
            f"{len(events)} events travelled although nothing had changed.", "This is a defect; please report it."
        )
