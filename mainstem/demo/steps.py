"""Progress for people: one line a step, with a spinner on a terminal and plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Step:
    """A step under way; `say` changes its detail."""

    def __init__(self, title: str, status: Status | None) -> None:
        self._title, self._status = title, status
        self.detail = ""

    def say(self, detail: str) -> None:
        """Show how far it is."""
        self.detail = detail
        if self._status is not None:
            self._status.update(f"{escape(self._title)} [dim]{escape(detail)}[/]")


class Steps:
    """The list of steps on a console."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.began = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step: its title while it runs; title, detail and seconds when it is done."""
        began = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(escape(title)) as status:
                step = Step(title, status)
                yield step
        else:
            step = Step(title, None)
            yield step
        seconds = time.monotonic() - began
        self.console.print(
            f"[green]✓[/] {escape(title):<46} {escape(step.detail):<52} [dim]{seconds:5.1f} s[/]",
            highlight=False,
            soft_wrap=True,
        )

    @property
    def seconds(self) -> float:
        """Since the list began."""
        return time.monotonic() - self.began
