"""A first load: files → state → acknowledged by Kafka, into new databases; and its memory for few and many lines."""

from collections.abc import Iterator
from typing import Any

from bench import Bench, Loaded
from figure import Figure

CASES = (("postgresql", "repeated"), ("sqlite", "repeated"), ("sqlite", "varied"))


def figures(bench: Bench) -> Iterator[Figure]:
    """Records a second of the run itself."""
    for database, kind in CASES:
        for name, loaded in bench.loads(database, kind).items():
            report = Loaded.report(loaded.first)
            records = report["total"]["records"]
            assert report["published"] == records
            asked = "≥ 12,000; aim 20,000" if kind == "repeated" else ""
            rate = records / report["seconds"]
            cpu = records / loaded.first.cpu
            yield Figure(f"first load, {kind} ({database})", rate, "records/s", name, cpu, asked, shares(report))
            few, many = loaded.few.mebibytes, loaded.first.mebibytes
            what, note = f"first load, peak memory, {kind} ({database})", f"{many / few:.2f} times a tenth's"
            yield Figure(what, many, "MiB", name, None, "≤ 300 MiB; 0.9–1.1 times", note, lower_is_better=True)


def shares(report: dict[str, Any]) -> str:
    """Where the time went; saving is part of mapping's step, publishing runs beside it."""
    total = sum(report["shares"].values()) or 1.0
    return ", ".join(f"{step} {seconds / total:.0%}" for step, seconds in report["shares"].items())
