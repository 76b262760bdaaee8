"""The registry's intake, and results of measures kept beside it: everybody, and a hundredth of one site's persons the night after."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import Bench
from figure import Figure
from measuring import Ran

RESULTS = 40_000
PERSONS = 3_000
_SUPPORT = "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
_INTAKE = (
    _SUPPORT
    + """
import json, time
from services_cases import event_of, record_id, subject_id
from schemas.outcomes import Observation
from services.registry.database import open_registry
from services.registry.handler import apply
url, number = sys.argv[1], int(sys.argv[2])
def result(n):
    names = {"id": record_id(f"o{n}"), "subject": subject_id(f"s{n % 500}"), "site": "north"}
    return event_of(Observation.model_validate(names | {"code": "4548-4", "value": 7.1, "unit": "%", "effective": "2026-03-02T09:10:00Z",
        "effective_date": "2026-03-02", "codings": [{"system": "http://loinc.org", "code": "4548-4"}]}))
events = [result(n) for n in range(number)]
engine = open_registry(url)
clock, cpu = time.perf_counter(), time.process_time()
for start in range(0, number, 5000):
    with engine.begin() as connection:
        apply(connection, events[start:start + 5000])
print(json.dumps((time.perf_counter() - clock, time.process_time() - cpu)))
"""
)
_KEEPING = (
    _SUPPORT
    + """
import json, time
from kept_results import Network, diabetes, person, reading, visit
from services.registry.database import open_registry
url, persons = sys.argv[1], int(sys.argv[2])
network = Network(open_registry(url))
network.loaded()
everybody = [f"p{n}" for n in range(persons)]
def worked():
    began = time.process_time()
    network.keeper.work_off()
    return time.process_time() - began
for start in range(0, persons, 500):
    some = everybody[start:start + 500]
    network.brings(*(network.event(of(name)) for name in some for of in (person, visit, diabetes)), *(network.event(reading(name, 7)) for name in some))
whole = worked()
network.brings(*(network.event(reading(name, 9.5)) for name in everybody[::100]))
part = worked()
print(json.dumps((whole, part)))
"""
)


def figures(bench: Bench) -> Iterator[Figure]:
    """Of this checkout alone; the results' by processor time, reading and writing the database included."""
    now = bench.checkouts[0]
    support = Path(__file__).parents[2] / "support"
    for name in ("sqlite", "postgresql"):
        url = (
            f"sqlite:///{bench.folder / 'intake.db'}" if name == "sqlite" else bench.postgres.create_database("intake")
        )
        clock, cpu = _last(now.python(_INTAKE, support, url, RESULTS))
        what = f"registry, new observations, {name}"
        yield Figure(what, RESULTS / clock, "events/s", now.name, RESULTS / cpu, "", "current state and history")
        yield from _kept(bench, support, name)


def _kept(bench: Bench, support: Path, name: str) -> Iterator[Figure]:
    now = bench.checkouts[0]
    url = f"sqlite:///{bench.folder / 'kept.db'}" if name == "sqlite" else bench.postgres.create_database("kept")
    whole, part = _last(now.python(_KEEPING, support, url, PERSONS))
    note = f"CMS122 of {PERSONS:,} persons"
    what = f"measures kept, full evaluation, {name}"
    each = 1000 * whole / PERSONS
    yield Figure(what, each, "ms a person and measure", now.name, None, "≤ 1 ms", note, lower_is_better=True)
    what = f"measures kept, 1 % of a site's persons changed, {name}"
    yield Figure(what, 100 * part / whole, "% of full", now.name, None, "≤ 5 %", note, lower_is_better=True)


def _last(ran: Ran) -> Any:
    """What the script told, behind its log."""
    return json.loads(ran.out.splitlines()[-1])
