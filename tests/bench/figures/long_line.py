"""What one very long line costs in memory while it is mapped: a document in base64 within a resource."""

import json
from collections.abc import Iterator

from bench import Bench
from ehr_server import observation
from figure import Figure

MEGABYTES = 30
USUAL = 1_000


def figures(bench: Bench) -> Iterator[Figure]:
    """The peak of `mainstem map` beyond that of the same file without the line."""
    usual, long = bench.folder / "Observation.usual.ndjson", bench.folder / "Observation.long.ndjson"
    text = "".join(json.dumps(observation(number)) + "\n" for number in range(USUAL))
    usual.write_text(text)
    long.write_text(text + json.dumps(observation(USUAL, "x" * (MEGABYTES << 20))) + "\n")
    least = {
        checkout.name: ran for checkout, ran in bench.in_turns(1, lambda checkout: checkout.mainstem("map", usual))
    }
    for checkout, ran in bench.in_turns(1, lambda checkout: checkout.mainstem("map", long)):
        costs = ran.mebibytes - least[checkout.name].mebibytes
        what = f"map, a line of {MEGABYTES} MB"
        yield Figure(what, costs, "MiB", checkout.name, None, f"≤ {5 * MEGABYTES} MiB", lower_is_better=True)
