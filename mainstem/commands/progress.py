"""Bars for people: a line a step and type with how many came, how fast, and how long it will take, where that can be told."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from schemas.showing import shown

if TYPE_CHECKING:
    from rich.console import Console

    from mainstem.refresh import Progress

LABEL = 60
"""Characters of a bar's label."""
WINDOW = 30.0
"""Seconds that the rate is of: a pause of the server's is seen soon, one slow page is not."""
HOUR, MINUTE = 3600, 60


class Pace:
    """How fast one unit comes, by the last of what was told of it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: deque[tuple[float, int]] = deque()

    def tell(self, count: int) -> None:
        """So many came by now; fewer than before are of a reading that began again."""
        now = self._clock()
        if self._told and count < self._told[-1][1]:
            self._told.clear()
        self._told.append((now, count))
        while len(self._told) > 2 and self._told[1][0] < now - WINDOW:
            self._told.popleft()

    @property
    def rate(self) -> float:
        """So many a second; 0 where that cannot be told yet."""
        (began, first), (_, last) = self._told[0], self._told[-1]
        seconds = self._clock() - began
        return (last - first) / seconds if seconds > 0 else 0.0

    def left(self, of: int | None) -> float | None:
        """Seconds until there are so many; None where that cannot be told."""
        missing = (of or 0) - self._told[-1][1]
        return missing / rate if missing > 0 and (rate := self.rate) else None


def in_words(seconds: float) -> str:
    """`40 s left`, `3 min left`, `2.5 h left`: an estimate."""
    if seconds >= HOUR:
        return f"{seconds / HOUR:.1f} h left"
    return f"{seconds / MINUTE:.0f} min left" if seconds >= MINUTE else f"{max(1, seconds):.0f} s left"


def told(pace: Pace, count: int, of: int | None) -> str:
    """`1,200 of 4,000   310/s   9 s left`: as much of it as is known, in 42 columns."""
    so_many = f"{count:,} of {of:,}" if of and of > count else f"{count:,}"
    rate = f"{pace.rate:,.0f}/s" if pace.rate else ""
    left = pace.left(of)
    return f"{so_many:>21} {rate:>8} {in_words(left) if left is not None else '':>11}"


@contextmanager
def bars(console: "Console") -> "Iterator[Progress]":
    """On a terminal, until the context ends."""
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    tasks: dict[str, tuple[Any, Pace]] = {}
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<25}", markup=False),
        TextColumn("{task.fields[told]}", markup=False),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as shown_bars:

        def show(step: str, unit: str, count: int, of: int | None = None, /) -> None:
            label = shown(f"{step} {unit}", LABEL)
            if label not in tasks:
                tasks[label] = shown_bars.add_task(label, total=None, told=""), Pace()
            task, pace = tasks[label]
            pace.tell(count)
            shown_bars.update(task, told=told(pace, count, of))

        yield show
