"""`make bench`: speed and memory of the hot path, as figures and ratios within one run. Never a test: machines differ.

The input is the demo's synthetic children, copied under other ids up to the wanted number of lines.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent / "support"))

from apache_kafka import ApacheKafka, unavailable
from network_under_test import MAINSTEM, SUBJECT_KEY

from mainstem.demo.cohorts import HOSPITALS
from mainstem.demo.embedded import Postgres
from mainstem.demo.populations import populations

LINES = 150_000
FEW = LINES // 10
IDS = re.compile(rb"(?<![0-9a-f])[0-9a-f]{4}(?=[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
ORJSON = "import orjson, sys\nfor name in sys.argv[1:]:\n for line in open(name, 'rb'): orjson.loads(line)"
HELP_RUNS = MAP_RUNS = 5
FIRST_LOADS = 2
REPEATS = 2
"""Runs of each command, taken in turns; the quickest counts, because other work on the machine only slows down."""


@dataclass
class Ran:
    """One finished command."""

    seconds: float
    mebibytes: float
    out: str


LAUNCHER = """
import json, os, subprocess, sys, time
core, out, *command = sys.argv[1:]
if core: os.sched_setaffinity(0, {int(core)})
began = time.perf_counter()
process = subprocess.Popen(command, stdout=open(out, "wb"))
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps([time.perf_counter() - began, usage.ru_maxrss / 1024, status]))
"""
"""A process of its own, because a child's peak memory begins with that of the process it was forked from."""


def measure(command: list[Any], *, core: int | None = None, env: dict[str, str] | None = None) -> Ran:
    """Runs a command to its end; on one core where named. Memory is the largest process's peak."""
    with tempfile.NamedTemporaryFile() as out:
        launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, "" if core is None else str(core), out.name]
        done = subprocess.run(
            [*launcher, *map(str, command)],
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=True,
        )
        seconds, mebibytes, status = json.loads(done.stdout)
        text = Path(out.name).read_text(encoding="utf-8") if env else ""
    if status:
        raise SystemExit(f"{command[0]} {command[1]} failed: {done.stderr}")
    return Ran(seconds, mebibytes, text)


def copies(children: Any, wanted: int) -> Iterator[bytes]:
    """Lines of the largest hospital, again and again under other ids, until there are enough."""
    written = 0
    for copy in range(1, 1000):
        number = b"%04x" % copy
        for line in children.lines(HOSPITALS[-1].site):
            yield IDS.sub(number, line)
            written += 1
            if written == wanted:
                return


def deliver(children: Any, folder: Path, wanted: int) -> Path:
    """Writes NDJSON files by type."""
    folder.mkdir()
    files: dict[bytes, Any] = {}
    kind = re.compile(rb'"resourceType": ?"(\w+)"')
    for line in copies(children, wanted):
        found = kind.search(line)
        name = found[1] if found else b"Unknown"
        if name not in files:
            files[name] = (folder / f"{name.decode()}.ndjson").open("wb")
        files[name].write(line.rstrip(b"\n") + b"\n")
    for file in files.values():
        file.close()
    return folder


def site_file(folder: Path, delivery: Path) -> Path:
    """A files site for a delivery."""
    (folder / f"{delivery.name}.key").write_text(SUBJECT_KEY + delivery.name)
    path = folder / f"{delivery.name}.toml"
    path.write_text(
        f'site = "{delivery.name}"\nname = "Bench"\ntime_zone = "America/New_York"\n'
        f'subject_key = "file:{delivery.name}.key"\nroad = "files"\n[files]\nfolder = "{delivery}"\n'
    )
    return path


class Figures:
    """What was measured, as a table and as JSON."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def add(self, what: str, figure: str, ratio: str = "", asked: str = "") -> None:
        """One line; printed at once, because the next may take a while."""
        self.rows.append({"what": what, "figure": figure, "ratio": ratio, "asked": asked})

    def table(self) -> Table:
        """For a terminal."""
        table = Table("what", "figure", "ratio", "asked", box=None, header_style="bold", pad_edge=False)
        for row in self.rows:
            table.add_row(*row.values())
        return table


def quickest(runs: list[Ran]) -> Ran:
    """The run that was disturbed least."""
    return min(runs, key=lambda ran: ran.seconds)


def bench_map(figures: Figures, sites: dict[int, Path], deliveries: dict[int, Path]) -> None:
    """`mainstem map` on one core, orjson.loads on the same bytes beside it, and memory for few and many lines."""
    files = sorted(deliveries[LINES].iterdir())
    rounds = [
        [
            measure([sys.executable, "-c", ORJSON, *files], core=0),
            measure([MAINSTEM, "map", "--site", sites[FEW], deliveries[FEW]], core=0),
            measure([MAINSTEM, "map", "--site", sites[LINES], deliveries[LINES]], core=0),
        ]
        for _ in range(MAP_RUNS)
    ]
    loads, few, many = (quickest(list(runs)) for runs in zip(*rounds, strict=True))
    rate, plain = LINES / many.seconds, LINES / loads.seconds
    marginal = (LINES - FEW) / (many.seconds - few.seconds)
    figures.add("orjson.loads alone, one core, same bytes", f"{plain:,.0f} resources/s", "1")
    speed = f"{marginal:,.0f} resources/s ({rate:,.0f} with the start)"
    figures.add("map, one core", speed, f"{marginal / plain:.2f} of orjson.loads", "≥ 60,000; aim 120,000")
    memory = many.mebibytes / few.mebibytes
    figures.add(
        "map, peak memory 15,000 → 150,000",
        f"{few.mebibytes:.0f} → {many.mebibytes:.0f} MiB",
        f"{memory:.2f}",
        "0.9–1.1; ≤ 300 MiB",
    )


def bench_run(figures: Figures, sites: dict[int, Path], folder: Path, stores: list[str]) -> None:
    """Files → store → acknowledged by Apache Kafka, into each of some new databases; then again with nothing changed."""
    if reason := unavailable():
        figures.add("run", f"not measured: {reason}")
        return
    kafka = ApacheKafka(folder / "kafka", quick=False).start()
    firsts: list[Ran] = []
    repeats: list[Ran] = []
    try:
        for number, store in enumerate(stores):
            env = {
                "MAINSTEM_KAFKA": kafka.bootstrap,
                "MAINSTEM_NETWORK": f"bench{number}",
                "MAINSTEM_DATABASE_URL": store,
                "MAINSTEM_LANDING": str(folder / f"landing{number}"),
            }
            measure([MAINSTEM, "topics", "create", "--replication", "1"], env=env)
            few = measure([MAINSTEM, "run", sites[FEW], "--json"], env=env)
            firsts.append(measure([MAINSTEM, "run", sites[LINES], "--json"], env=env))
            repeats += [measure([MAINSTEM, "run", sites[LINES], "--json"], env=env) for _ in range(REPEATS)]
    finally:
        kafka.stop()
    database = stores[0].partition(":")[0]
    for what, runs, asked in (
        ("first load", firsts, "≥ 12,000; aim 20,000"),
        ("nothing changed", repeats, "≥ 50,000"),
    ):
        ran = quickest(runs)
        report = json.loads(ran.out)
        records = report["total"]["records"]
        assert report["published"] == (records if runs is firsts else 0)
        rate = f"{records / report['seconds']:,.0f} records/s ({records / ran.seconds:,.0f} with the start)"
        figures.add(f"run, {what} ({database})", rate, shares(report), asked)
    memory = firsts[-1].mebibytes / few.mebibytes
    figures.add(
        f"run, peak memory 15,000 → 150,000 ({database})",
        f"{few.mebibytes:.0f} → {firsts[-1].mebibytes:.0f} MiB",
        f"{memory:.2f}",
        "0.9–1.1; ≤ 300 MiB",
    )


def shares(report: dict[str, Any]) -> str:
    """Where the time went; saving is part of mapping's step, publishing runs beside it."""
    total = sum(report["shares"].values())
    return ", ".join(f"{step} {seconds / total:.0%}" for step, seconds in report["shares"].items())


def bench_start(figures: Figures) -> None:
    """The command line's start."""
    best = quickest([measure([MAINSTEM, "--help"]) for _ in range(HELP_RUNS)])
    figures.add("mainstem --help", f"{best.seconds:.2f} s", "", "≤ 0.5 s")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--only", choices=("map", "run", "start"), help="measure only this")
    chosen = parser.parse_args()
    console, figures = Console(stderr=True), Figures()
    with tempfile.TemporaryDirectory(prefix="msb-") as name, console.status("making synthetic children") as status:
        folder = Path(name)
        children = populations(Path("var/demo"), today=datetime.now(UTC).date())
        deliveries = {count: deliver(children, folder / f"bench-{count}", count) for count in (FEW, LINES)}
        sites = {count: site_file(folder, delivery) for count, delivery in deliveries.items()}
        if chosen.only in (None, "start"):
            bench_start(figures)
        if chosen.only in (None, "map"):
            status.update("mainstem map")
            bench_map(figures, sites, deliveries)
        if chosen.only in (None, "run"):
            status.update("mainstem run")
            with Postgres(folder) as postgres:
                databases = [postgres.create_database(f"bench{number}") for number in range(FIRST_LOADS)]
                bench_run(figures, sites, folder / "postgresql", databases)
            files = [f"sqlite:///{folder / f'bench{number}.db'}" for number in range(FIRST_LOADS)]
            bench_run(figures, sites, folder / "sqlite", files)
    if chosen.json:
        print(json.dumps(figures.rows, indent=2))
    else:
        Console().print(figures.table())


if __name__ == "__main__":
    main()
