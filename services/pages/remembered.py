"""What is counted over all sites, kept for a while: so that a page with every measure answers at once, and not of an hour ago."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Found = TypeVar("Found")
SECONDS = 120.0
"""So long is an answer given again."""


class Remembered(Generic[Found]):
    """Answers by name. Two who ask for the same at once wait for one answer; one that failed is asked for again."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._answers: dict[str, tuple[float, Found]] = {}
        self._locks: dict[str, Lock] = {}
        self._all = Lock()

    def of(self, name: str, ask: Callable[[], Found]) -> Found:
        """The answer under that name, asked for where it is not there or too old."""
        with self._all:
            lock = self._locks.setdefault(name, Lock())
        with lock:
            at, answer = self._answers.get(name, (None, None))
            if at is None or answer is None or self._seconds() - at > SECONDS:
                answer = ask()
                self._answers[name] = (self._seconds(), answer)
            return answer
