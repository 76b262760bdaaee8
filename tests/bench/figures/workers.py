"""One large type mapped and saved into PostgreSQL by 1, 2 and 4 processes, and the whole first load, published beside, by as many."""

import json
import os
from collections.abc import Iterator
from statistics import median
from typing import Any

import content
from bench import Bench
from checkouts import Checkout
from figure import Figure
from measuring import Ran

READINGS = 200_000
"""So many that they are worth splitting: more than 16 MiB of compressed lines."""
NUMBERS = (1, 2, 4)
ROUNDS = 3
MAPPED = """
import json, sys, time
from pathlib import Path
from mainstem import refresh as steps
from mainstem.config.logs import configure
from mainstem.config.settings import load_settings
from mainstem.refresh import map_types, open_refresh
from mainstem.refresh.workers import Workers

class Beside:
    def notice(self, changes, /): pass

if __name__ == "__main__":
    configure("none")
    number = int(sys.argv[2])
    with open_refresh(Path(sys.argv[1]), load_settings()) as refresh:
        load = steps.plan(refresh).load
        steps.pull_units(refresh, load, steps.planned(refresh, load).units)
        began, beside = time.perf_counter(), Beside()
        with Workers(refresh, load, number, beside) as helpers:
            read = map_types(refresh, load, ["Observation"], beside=beside, helpers=helpers if number > 1 else None).read
        took = time.perf_counter() - began
        slices = len(refresh.store.slices.of(load).get("Observation", ()))
    print(json.dumps({"read": read, "seconds": took, "slices": slices}))
"""


def figures(bench: Bench) -> Iterator[Figure]:
    """Ratios within one run; the machine's cores stand beside, since more processes than cores bring nothing."""
    folder = bench.folder / "workers"
    folder.mkdir()
    bench.say(f"writing {READINGS:,} readings")
    site = content.site_file(
        content.deliver(bench.children, folder / "readings", READINGS, content.varied, {"Observation"})
    )
    site.write_text(site.read_text().replace("[files]", 'types = ["Observation"]\n[files]', 1))
    program = folder / "mapped.py"
    program.write_text(MAPPED)
    mapped: dict[tuple[str, int], list[dict[str, Any]]] = {}
    loaded: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for each in range(ROUNDS):
        for checkout in bench.turn(each):
            for number in NUMBERS[:: -1 if each % 2 else 1]:
                bench.say(f"{checkout.name}, {number} processes, round {each + 1} of {ROUNDS}")
                env = _new(bench, checkout, f"{checkout.name}_{number}_{each}")
                mapped.setdefault((checkout.name, number), []).append(_mapped(checkout, program, site, number, env))
                env = _new(bench, checkout, f"{checkout.name}_{number}_{each}_all")
                run = checkout.mainstem("run", site, "--workers", number, "--json", **env)
                loaded.setdefault((checkout.name, number), []).append(json.loads(run.out) | {"cpu": run.cpu})
    for checkout in bench.checkouts:
        for what, runs in (("mapped and saved", mapped), ("first load", loaded)):
            yield from _of(what, checkout.name, runs)


def _new(bench: Bench, checkout: Checkout, name: str) -> dict[str, str]:
    """A database and topics of a run's own."""
    env = {
        "MAINSTEM_KAFKA": bench.kafka,
        "MAINSTEM_NETWORK": f"workers-{name}".replace("_", "-"),
        "MAINSTEM_DATABASE_URL": bench.postgres.create_database(f"workers_{name}"),
        "MAINSTEM_LANDING": str(bench.folder / "workers" / f"landing-{name}"),
        "MAINSTEM_DERIVE": "none",
    }
    checkout.mainstem("topics", "create", "--replication", "1", **env)
    return env


def _mapped(checkout: Checkout, program: Any, site: Any, number: int, env: dict[str, str]) -> dict[str, Any]:
    ran: Ran = checkout.python(
        f"import runpy; runpy.run_path({str(program)!r}, run_name='__main__')", site, number, **env
    )
    told: dict[str, Any] = json.loads(ran.out)
    if told["read"] != READINGS or told["slices"] != (number if number > 1 else 0):
        raise SystemExit(f"not what was asked for: {told} of {number} processes")
    return told | {"cpu": ran.cpu}


def _of(what: str, name: str, runs: dict[tuple[str, int], list[dict[str, Any]]]) -> Iterator[Figure]:
    """Records a second by so many processes; beside it how many times one."""
    seconds = {number: median(each["seconds"] for each in runs[name, number]) for number in NUMBERS}
    for number in NUMBERS:
        cpu = min(each["cpu"] for each in runs[name, number])
        times = f"{seconds[1] / seconds[number]:.2f} times one, {os.cpu_count()} cores"
        asked = "≥ 1.8 times one on two cores" if (what, number) == ("mapped and saved", 2) else ""
        yield Figure(
            f"{what} by {number} processes", READINGS / seconds[number], "records/s", name, READINGS / cpu, asked, times
        )
