"""Very many small files: a folder of them, and an export of them. How memory grows with their number, and how many a second."""

import json
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import Bench
from checkouts import Checkout
from ehr_server import observation, serving
from figure import Figure
from measuring import Ran
from pulling import PULL

FEW, MANY = 2_000, 20_000


def figures(bench: Bench) -> Iterator[Figure]:
    """By each road: the peak of many beyond that of few."""
    for road, unit in (("files", "Observation"), ("bulk", "export")):
        ran: dict[int, dict[str, Ran]] = {}
        for count in (FEW, MANY):
            pull = partial(_pull, road, unit, count)
            ran[count] = {each.name: got for each, got in bench.in_turns(1, pull)}
        for name, many in ran[MANY].items():
            grown = max(0.0, many.mebibytes - ran[FEW][name].mebibytes)
            note = f"{MANY / json.loads(many.out)[0]:,.0f} files a second; {many.mebibytes:,.0f} MiB in all"
            what = f"{MANY:,} small files by {road}, memory beyond that of {FEW:,}"
            yield Figure(what, grown, "MiB", name, None, "≤ 2 KiB a file", note, lower_is_better=True)


def _pull(road: str, unit: str, count: int, checkout: Checkout) -> Ran:
    with tempfile.TemporaryDirectory() as folder:
        if road == "files":
            _deliver(Path(folder) / "delivery", count)
            return checkout.python(PULL, "", folder, road, unit)
        with serving("small", count) as base:
            return checkout.python(PULL, base, folder, road, unit)


def _deliver(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / f"{number % 100:02}" / f"{number}.Observation.ndjson"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(observation(number)) + "\n")
