"""Day two of the running demo: something changes, it travels; then nothing changes, and nothing does."""

from pathlib import Path

from rich.console import Console

from mainstem.config.logs import configure_once
from mainstem.demo.day_two import change, expected
from mainstem.demo.refreshing import refresh_all, wait_for_registry
from mainstem.demo.running_demo import Demo
from mainstem.demo.steps import Steps
from mainstem.demo.stream import tally
from schemas.errors import MainstemError
from schemas.events import Operation
from transforms.mapped import DERIVED

SHOWN = 6
"""Of many events of a kind, so many are printed."""


def day_two(*, state: Path, console: Console) -> None:
    """Against the running demo: one value corrected, one observation in error, one new patient; then nothing changed."""
    configure_once()
    demo = Demo.running(state.resolve())
    steps = Steps(console)
    console.print("\n[bold]Day two[/]")
    before = demo.stream.event_ids()
    changes = change(demo.folder, demo.ports, demo.populations(), console)
    refresh_all(demo, steps)
    events = demo.stream.since(before)
    mapped = [event for event in events if event.type != DERIVED]
    new = [event for event in mapped if event.operation == Operation.RECORDED]
    for event in [event for event in mapped if event not in new] + new[:SHOWN]:
        console.print(event.text(), soft_wrap=True)
    if len(new) > SHOWN:
        console.print(f"  … and {len(new) - SHOWN} more of the new patient")
    console.print(f"  and of the values derived from them: {tally(event for event in events if event.type == DERIVED)}")
    console.print(f"[bold]travelled: {tally(events)}[/]")
    expected(changes, events)
    wait_for_registry(demo, steps)
    _third_run(demo, steps)


def _third_run(demo: Demo, steps: Steps) -> None:
    console = steps.console
    console.print("\n[bold]A third run, nothing changed[/]")
    before = demo.stream.event_ids()
    refresh_all(demo, steps)
    events = demo.stream.since(before)
    console.print(f"[bold]travelled: {tally(events)}[/]")
    if events:
        raise MainstemError(
            f"{len(events)} events travelled although nothing had changed.", "This is a defect; please report it."
        )
