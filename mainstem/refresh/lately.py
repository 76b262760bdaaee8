"""What is asked again and again in a step, and changes seldom."""

from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

SECONDS = 1.0
Answer = TypeVar("Answer")


class Lately(Generic[Answer]):
    """An answer that is asked for anew once it is a second old."""

    def __init__(self, ask: Callable[[], Answer], clock: Callable[[], float] = monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._known: tuple[float, Answer] | None = None

    def __call__(self) -> Answer:
        """What was answered within the last second."""
        if self._known is None or self._clock() - self._known[0] >= SECONDS:
            self._known = self._clock(), self._ask()
        return self._known[1]
