"""A search read page by page, beside a bare loop of the same client library that writes the resources to a file."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench import Bench
from checkouts import Checkout
from ehr_server import serving
from figure import Figure
from measuring import Ran, quickest
from pulling import PULL

FEW, MANY = 20_000, 60_000
ROUNDS = 3
BARE = """
import json, sys, time
import httpx2

url, path = sys.argv[1:]
began = time.perf_counter()
count = 0
with httpx2.Client() as client, open(path, "w") as file:
    while url:
        bundle = client.get(url).json()
        for entry in bundle["entry"]:
            file.write(json.dumps(entry["resource"]) + "\\n")
            count += 1
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
print(json.dumps([time.perf_counter() - began, count]))
"""


def figures(bench: Bench) -> Iterator[Figure]:
    """Its speed as a share of the loop's, in turns at one server; and how its memory grows with what it reads."""
    with serving("pages", MANY) as base, serving("pages", FEW) as small:
        _pull(bench.checkouts[0], base)  # the server makes its pages at the first reading
        loops = []

        def pull(checkout: Checkout) -> Ran:
            loops.append(_timed(checkout.python(BARE, f"{base}/Observation", bench.folder / "bare.ndjson")))
            return _pull(checkout, base)

        found = list(bench.in_turns(ROUNDS, pull))
        loop = quickest(loops)
        for checkout, ran in found:
            what = f"search pull of {MANY:,} resources, of a bare loop's speed"
            note = f"{MANY / ran.seconds:,.0f} a second; by processor time {loop.cpu / ran.cpu:.0%}"
            yield Figure(what, 100 * loop.seconds / ran.seconds, "%", checkout.name, None, "≥ 80 %", note)
            grown = ran.mebibytes - _pull(checkout, small).mebibytes
            what = f"search pull, memory of {MANY:,} resources beyond that of {FEW:,}"
            yield Figure(what, max(grown, 0.0), "MB", checkout.name, None, "flat: ≤ 10 MB", lower_is_better=True)


def _pull(checkout: Checkout, base: str) -> Ran:
    with tempfile.TemporaryDirectory() as folder:
        return _timed(checkout.python(PULL, base, Path(folder), "search", "Observation"))


def _timed(ran: Ran) -> Ran:
    """Without the interpreter's start."""
    seconds, count = json.loads(ran.out)
    assert count in (FEW, MANY)
    return replace(ran, seconds=seconds)
