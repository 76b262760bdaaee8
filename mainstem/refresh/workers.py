"""Processes that map slices of a type side by side: each line is mapped and saved by one, all versions of a resource by the same.

One that is killed takes nothing along: what it saved stands, and its slice goes on from there in another. Where the process
that started them is gone, they end with their next block of lines.
"""

import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

import structlog

from mainstem.config import logs
from mainstem.config.settings import Settings
from mainstem.config.site_files import SiteFile
from mainstem.refresh.attempt import DEFECT
from mainstem.refresh.derive import mapper_of
from mainstem.refresh.door import BusyError
from mainstem.refresh.map import Notices, map_slice
from mainstem.refresh.opening import Refresh
from mainstem.state import Slice, State
from schemas.errors import MainstemError, TemporaryError

log = structlog.get_logger()
SPAWN = multiprocessing.get_context("spawn")
"""A fresh interpreter: a forked one would share this one's connections."""
TIMES = 2
"""How often a slice is begun in one run: what kills its process twice would do so again."""
SECONDS = 10.0
"""For how long a slice is waited for that somebody has."""


class Task(NamedTuple):
    """What a worker needs to know of its load."""

    file: SiteFile
    settings: Settings
    secrets: Mapping[str, bytes]
    load: str


class Mapped(NamedTuple):
    """A worker mapped so many lines of its slice, and has so many more changes saved."""

    lines: int
    changes: int


class Done(NamedTuple):
    """A worker is through with its slice, or why it is not; and has so many more changes saved."""

    error: MainstemError | None
    changes: int


class _Worker:
    """One of the processes, as this one sees it."""

    def __init__(self, task: Task) -> None:
        self.orders, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=_work, args=(task, logs.chosen(), theirs), daemon=True, name="mapping")
        self.process.start()
        theirs.close()
        self.slice: Slice | None = None
        self.lines = 0

    def begin(self, some: Slice) -> None:
        """It may be dead already: that is heard of when it is waited for."""
        self.slice, self.lines = some, 0
        with suppress(BrokenPipeError):
            self.orders.send(some)

    def end(self) -> None:
        self.orders.close()
        self.process.terminate()
        self.process.join()


class Workers(AbstractContextManager["Workers"]):
    """See mainstem.refresh.map.Helpers. Processes begin with the first type that is worth splitting."""

    def __init__(self, refresh: Refresh, load_id: str, size: int, beside: Notices) -> None:
        self.size = size
        self._refresh, self._load, self._beside = refresh, load_id, beside
        self._workers: list[_Worker] = []

    @property
    def working(self) -> list[_Worker]:
        """Those that are at a slice."""
        return [worker for worker in self._workers if worker.slice is not None]

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def map(self, slices: Sequence[Slice]) -> None:
        """See Helpers. Raises the first error of a worker once all others are through with what they are at."""
        left, begun = list(slices), dict.fromkeys(slices, 0)
        done, failed = 0, None
        while True:
            for worker in self._idle(len(left)) if failed is None else ():
                begun[left[0]] += 1
                worker.begin(left.pop(0))
            busy = {worker.orders: worker for worker in self.working}
            if not busy:
                break
            for ready in wait(list(busy)):
                worker = busy[ready]  # type: ignore[index] # what is waited for is a connection
                some, error = worker.slice, self._heard(worker, slices[0].name, done)
                assert some is not None
                if worker.slice is not None:
                    continue
                if isinstance(error, _Killed) and begun[some] < TIMES:
                    log.warning("a mapping process was killed", site=self._refresh.site.site, part=some.part)
                    left.append(some)
                    continue
                done += worker.lines
                failed = failed or error
        if failed is not None:
            raise failed

    def _idle(self, wanted: int) -> list[_Worker]:
        """As many as are wanted of those who wait for a slice, or may be started."""
        idle = [worker for worker in self._workers if worker.slice is None]
        for _ in range(min(wanted - len(idle), self.size - len(self._workers))):
            self._workers.append(worker := _Worker(self._task()))
            idle.append(worker)
        return idle[:wanted]

    def _task(self) -> Task:
        refresh = self._refresh
        keys = {reference: refresh.secrets(reference) for reference in (refresh.site.subject_key,)}
        return Task(refresh.file, refresh.settings, keys, self._load)

    def _heard(self, worker: _Worker, name: str, done: int) -> MainstemError | None:
        """What a worker says next; without a slice afterwards it is through, or dead."""
        try:
            said = worker.orders.recv()
        except (EOFError, ConnectionResetError):
            worker.slice = None
            self._workers.remove(worker)
            worker.end()
            return _Killed(
                f"a process that mapped {name} was killed",
                "Run it again: it takes up where it was; with fewer --workers where memory is short.",
            )
        self._beside.notice(said.changes)
        if isinstance(said, Done):
            worker.slice = None
            return said.error
        worker.lines = said.lines
        self._refresh.progress("map", name, done + sum(each.lines for each in self.working))
        return None


class _Killed(TemporaryError):
    """A worker ended without a word."""


class _Reporting:
    """In a worker: tells how far it is. Where nobody listens any more, that ends its work."""

    def __init__(self, orders: Connection) -> None:
        self._orders = orders
        self._changes = 0

    def notice(self, changes: int) -> None:
        """Changes go with what is told next."""
        self._changes += changes

    def progress(self, _step: str, _unit: str, count: int, _of: int | None = None, /) -> None:
        """Lines of the slice."""
        self._tell(Mapped(count, self._changes))

    def done(self, error: MainstemError | None) -> None:
        """The slice is mapped, or why it is not."""
        self._tell(Done(error, self._changes))

    def _tell(self, said: Mapped | Done) -> None:
        self._orders.send(said)
        self._changes = 0


def _work(task: Task, form: str, orders: Connection) -> None:
    """The process: slice after slice, until no more are ordered."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the one that started this one ends it
    logs.configure(form)
    reporting = _Reporting(orders)
    store = State.open(task.settings.database_url)
    refresh = Refresh(task.file, task.settings, store, task.secrets.__getitem__, progress=reporting.progress)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError), closing(refresh):
        mapper = mapper_of(refresh, task.load)
        while True:
            some: Slice = orders.recv()
            reporting.done(_tried(partial(map_slice, refresh, task.load, some, mapper, reporting)))


def _tried(work: Callable[[], None]) -> MainstemError | None:
    """What kept it from being done. A database may take a moment to see that who held a slice before was killed."""
    patience = time.monotonic() + SECONDS
    while True:
        try:
            work()
        except BusyError as exc:
            if time.monotonic() > patience:
                return exc
            time.sleep(0.1)
        except MainstemError as exc:
            return exc
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as exc:  # noqa: BLE001 - the edge: multiprocessing would print its text
            return MainstemError(f"a process that maps ended by a defect of Mainstem ({_of(exc)})", DEFECT.fix)
        else:
            return None


def _of(exc: Exception) -> str:
    """The kind and place of an error, without its text: that may hold what was worked on."""
    last = traceback.extract_tb(exc.__traceback__)[-1]
    return f"{type(exc).__name__}, {Path(last.filename).name}:{last.lineno}"
