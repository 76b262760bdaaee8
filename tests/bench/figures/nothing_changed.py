"""The same delivery again: nothing has changed, every line is recognised."""

from collections.abc import Iterator

from bench import Bench, Loaded
from figure import Figure
from figures.first_load import CASES, shares


def figures(bench: Bench) -> Iterator[Figure]:
    """Records a second of the run itself."""
    for database, kind in CASES:
        for name, loaded in bench.loads(database, kind).items():
            report = Loaded.report(loaded.again)
            assert report["published"] == 0
            records = report["total"]["records"]
            rate, cpu = records / report["seconds"], records / loaded.again.cpu
            asked = "≥ 50,000" if kind == "repeated" else ""
            yield Figure(f"nothing changed, {kind} ({database})", rate, "records/s", name, cpu, asked, shares(report))
