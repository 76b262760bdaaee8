"""The feedback pages of a network of 100 sites of 5,000 patients: a page after the first build.

The counts are given, as the registry would answer them; what is measured is all from there on: charts, rules, pictures' specifications,
templates, the gate and its log.
"""

import json
from collections.abc import Iterator

from bench import Bench
from figure import Figure

SITES, PATIENTS = 100, 5_000
_PAGES = """
import sys, time, json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from random import Random
sys.path.insert(0, str(Path.cwd() / "tests" / "support"))
from fastapi.testclient import TestClient
from services.access.viewers import Role
from services.measures.evaluate.counts import Counts
from services.measures.library import measures
from services.pages import counted as counting
from services.pages.app import make_app
from services.registry.database import open_registry
from viewers import gate_for

sites, patients, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
engine = open_registry(f"sqlite:///{folder}/registry.db")
chance, now = Random(1), datetime(2026, 11, 2, 6, tzinfo=UTC)
one = {"cf2": measures()["cf2"]}
names = [f"site-{number:03}" for number in range(sites)]
months = [f"{year}-{month:02}" for year in (2024, 2025, 2026) for month in range(1, 13)][:34]
def of(name, size):
    return [Counts(name, month, size, size, sum(chance.random() < 0.55 for _ in range(size // 8)) * 8) for month in months]
month = [each for name in names for each in of(name, patients // 36)] + of("", 4000)
answered = counting.Counted(one["cf2"], "2024-01", "2024-01", "2026-11-02", now, {}, {}, {"month": month, "quarter": []}, {})
counting.Memory.counted = lambda self, connection, measure, now: (answered, counting.said_of(connection, measure))
for module in ("team", "measures", "network"):
    __import__(f"services.pages.{module}", fromlist=["measures"]).measures = lambda: one
app = make_app(engine, network="bench", gate=gate_for(folder, Role.COORDINATOR), clock=lambda: now, per_minute=10**6)
client = TestClient(app)
pages = ["/measures/cf2", "/measures", "/network", *(f"/sites/{name}/cf2" for name in names[:20]), *(f"/sites/{name}" for name in names[:20])]
for page in pages:
    assert client.get(page).status_code == 200, page
times = []
for page in pages * 3:
    began = time.perf_counter()
    client.get(page)
    times.append(time.perf_counter() - began)
print(json.dumps({"p95": quantiles(times, n=20)[18]}))
"""


def figures(bench: Bench) -> Iterator[Figure]:
    """p95 over the coordinator's, measures' and sites' pages, each built once before."""
    for checkout, ran in bench.in_turns(
        1, lambda checkout: checkout.python(_PAGES, str(SITES), str(PATIENTS), str(bench.folder))
    ):
        p95 = json.loads(ran.out)["p95"] * 1000
        yield Figure("page of 100 sites, p95", p95, "ms", checkout.name, asked="≤ 300 ms", lower_is_better=True)
