"""`mainstem map` on one core, beside orjson.loads on the same bytes; and its memory for few and many lines."""

import sys
from collections.abc import Iterator

from bench import CHANGES, FEW, LINES, Bench
from figure import Figure
from measuring import Ran, measure, quickest

ROUNDS = 5
ORJSON = "import orjson, sys\nfor name in sys.argv[1:]:\n for line in open(name, 'rb'): orjson.loads(line)"


def figures(bench: Bench) -> Iterator[Figure]:
    """Resources a second without the start, by the difference of many lines and few."""
    for kind in CHANGES:
        files = sorted(bench.delivery(kind, LINES).iterdir())
        plain = LINES / quickest(measure([sys.executable, "-c", ORJSON, *files], core=0) for _ in range(ROUNDS)).seconds
        few = dict(_mapped(bench, kind, FEW))
        for name, many in _mapped(bench, kind, LINES):
            marginal = (LINES - FEW) / (many.seconds - few[name].seconds)
            by_cpu = (LINES - FEW) / (many.cpu - few[name].cpu)
            note = f"{marginal / plain:.2f} of orjson.loads; {LINES / many.seconds:,.0f} with the start"
            asked = "≥ 60,000; aim 120,000" if kind == "repeated" else ""
            yield Figure(f"map, one core, {kind}", marginal, "resources/s", name, by_cpu, asked, note)
            note = f"{few[name].mebibytes:.0f} MiB for {FEW:,} lines, {many.mebibytes / few[name].mebibytes:.2f} times that"
            what = f"map, peak memory, {kind}"
            yield Figure(
                what, many.mebibytes, "MiB", name, None, "≤ 300 MiB; 0.9–1.1 times", note, lower_is_better=True
            )


def _mapped(bench: Bench, kind: str, lines: int) -> Iterator[tuple[str, Ran]]:
    site, delivery = bench.site(kind, lines), bench.delivery(kind, lines)
    for checkout, ran in bench.in_turns(ROUNDS, lambda found: found.mainstem("map", "--site", site, delivery, core=0)):
        yield checkout.name, ran
