"""The demo that is up: its settings, its notes in `running.json`, and that there is one only in a state folder."""

import contextlib
import fcntl
import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from mainstem.config.settings import Settings, load_settings
from mainstem.demo.cohorts import HOSPITALS
from mainstem.demo.embedded import free_port
from mainstem.demo.populations import Populations
from mainstem.demo.stream import Stream
from schemas.errors import OperatorError

NETWORK = "demo"
PORTS = {"airflow": 8080, "page": 8071, "registry": 8070, "kafka": 9092, "lakeside": 8061, "harbor": 8062}
"""Where the demo listens on 127.0.0.1; `--port NAME=NUMBER`, else `MAINSTEM_DEMO_<NAME>_PORT`, chooses others. A quick demo
takes free ports."""


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
        return Stream(self.settings.kafka_settings(), NETWORK)

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
        if found is None or not locked(state):
            raise OperatorError(
                "No demo is running.", "Start it with `make demo` and leave it up; then run this in another terminal."
            )
        return found

    def describe(self) -> str:
        """Its addresses, for people."""
        airflow = "" if self.quick else f"Airflow http://127.0.0.1:{self.ports['airflow']}, "
        return f"{airflow}page {self.page}"


def locked(state: Path) -> bool:
    """Whether a demo holds this state folder."""
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


def choose_port(name: str) -> str:
    """How another is chosen."""
    return f"`mainstem demo --port {name}=NUMBER`, or MAINSTEM_DEMO_{name.upper()}_PORT"


def chosen_ports(quick: bool, given: Mapping[str, int]) -> dict[str, int]:
    """Those given; else free ones for a quick demo; else the usual, or those the environment chooses."""
    if unknown := sorted(set(given) - set(PORTS)):
        raise OperatorError(f"the demo has no port of {', '.join(unknown)}", f"Its ports are {', '.join(PORTS)}.")
    if quick:
        return {name: given.get(name) or free_port() for name in PORTS if name != "airflow"}
    return {**_usual_ports(), **given}


def _usual_ports() -> dict[str, int]:
    chosen = {}
    for name, default in PORTS.items():
        given = os.environ.get(f"MAINSTEM_DEMO_{name.upper()}_PORT", str(default))
        if not given.isdigit() or not 0 < int(given) < 65536:
            raise OperatorError(
                f"MAINSTEM_DEMO_{name.upper()}_PORT is no port number: {given}", "Give a number from 1024 to 65535."
            )
        chosen[name] = int(given)
    return chosen
