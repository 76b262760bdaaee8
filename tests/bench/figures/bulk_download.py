"""A file of a bulk export into the landing, beside curl at the same server; and what one very long line costs.

Over a link of a gigabit a second, as hospitals have at best; and as fast as this machine talks to itself, where the
processor counts alone.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import Bench
from checkouts import Checkout
from ehr_server import GIGABIT, observation, serving
from figure import Figure
from measuring import Ran, measure, quickest
from pulling import PULL

MEGABYTES, FEW_MEGABYTES = 400, 100
LONG = 30
ROUNDS = 3


def figures(bench: Bench) -> Iterator[Figure]:
    """Its speed as a share of curl's, in turns at one server; how its memory grows with the file, and with a long line."""
    large, small = _lines(bench.folder, MEGABYTES), _lines(bench.folder, FEW_MEGABYTES)
    long = bench.folder / "long.ndjson"
    long.write_text(json.dumps(observation(0, "x" * (LONG << 20))) + "\n" + json.dumps(observation(1)) + "\n")
    with ExitStack() as stack:
        paced, free, little, one_line = (
            stack.enter_context(serving("export", file, pace))
            for file, pace in ((large, GIGABIT), (large, 0), (small, 0), (long, 0))
        )
        if shutil.which("curl"):
            yield from _beside_curl(bench, paced, "over a gigabit a second", "≥ 80 %")
            yield from _beside_curl(bench, free, "within this machine", "")
        for checkout in bench.checkouts:
            least = _pull(checkout, little).mebibytes
            what = f"bulk download, memory of {MEGABYTES} MB beyond that of {FEW_MEGABYTES}"
            grown = max(0.0, _pull(checkout, free).mebibytes - least)
            yield Figure(what, grown, "MB", checkout.name, None, "flat: ≤ 10 MB", lower_is_better=True)
            what, costs = f"bulk download, a line of {LONG} MB", max(0.0, _pull(checkout, one_line).mebibytes - least)
            yield Figure(what, costs, "MB", checkout.name, None, f"≤ {2 * LONG} MB", lower_is_better=True)


def _beside_curl(bench: Bench, base: str, words: str, asked: str) -> Iterator[Figure]:
    curls: list[Ran] = []

    def pull(checkout: Checkout) -> Ran:
        curls.append(measure(["curl", "-s", "-o", bench.folder / "curl.ndjson", f"{base}/file"]))
        return _pull(checkout, base)

    found = list(bench.in_turns(ROUNDS, pull))
    curl = quickest(curls)
    for checkout, ran in found:
        note = f"{MEGABYTES / ran.seconds:,.0f} MB a second, curl {MEGABYTES / curl.seconds:,.0f}"
        what = f"bulk download {words}, of curl's speed"
        yield Figure(what, 100 * curl.seconds / ran.seconds, "%", checkout.name, None, asked, note)


def _lines(folder: Path, megabytes: int) -> Path:
    path = folder / f"{megabytes}.ndjson"
    with path.open("w") as file:
        number = 0
        while file.tell() < megabytes * 1_000_000:
            file.write("".join(json.dumps(observation(n)) + "\n" for n in range(number, number + 1000)))
            number += 1000
    return path


def _pull(checkout: Checkout, base: str) -> Ran:
    with tempfile.TemporaryDirectory() as folder:
        ran = checkout.python(PULL, base, Path(folder), "bulk", "export")
        return replace(ran, seconds=json.loads(ran.out)[0])
