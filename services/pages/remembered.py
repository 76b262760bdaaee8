"""What is counted over all sites, kept for a while: so that a page with every measure answers at once, and not of an hour ago."""

import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Generic, NamedTuple, TypeVar

import structlog

log = structlog.get_logger(__name__)
Found = TypeVar("Found")
SECONDS = 120.0
"""So long is an answer given again; then it is asked for anew, and given once more meanwhile."""
LONGEST = 900.0
"""An older one is given to nobody."""


class _Answer(NamedTuple, Generic[Found]):
    at: float
    state: object
    found: Found


class Remembered(Generic[Found]):
    """Answers by name. Two who ask for the same at once wait for one answer; one that failed is asked for again."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._answers: dict[str, _Answer[Found]] = {}
        self._locks: dict[str, Lock] = {}
        self._all = Lock()

    def of(self, name: str, ask: Callable[[], Found], state: object = None) -> Found:
        """The answer under that name, asked for where it is not there or too old. `state`: of what it is made; while that is the same an
        answer holds longer, and nobody waits for another."""
        with self._all:
            lock = self._locks.setdefault(name, Lock())
            known = self._answers.get(name)
        if known is not None:
            age, same = self._seconds() - known.at, state is not None and known.state == state
            if age > (LONGEST if same else SECONDS) and (same or age <= LONGEST):
                Thread(target=self._anew, args=(name, lock, ask, state), daemon=True).start()
            if same or age <= LONGEST:
                return known.found
        with lock:
            there = self._answers.get(name)
            return there.found if there is not None and there is not known else self._asked(name, ask, state)

    def _anew(self, name: str, lock: Lock, ask: Callable[[], Found], state: object) -> None:
        """Beside whoever asked: one at a time; what fails is told, and asked for again by the next."""
        if lock.acquire(blocking=False):
            try:
                self._asked(name, ask, state)
            except Exception as exc:  # noqa: BLE001 - the edge of a thread; the text may hold data
                log.warning("not counted anew", kind=type(exc).__name__)
            finally:
                lock.release()

    def _asked(self, name: str, ask: Callable[[], Found], state: object) -> Found:
        found = ask()
        with self._all:
            self._answers[name] = _Answer(self._seconds(), state, found)
        return found
