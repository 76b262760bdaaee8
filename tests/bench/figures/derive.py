"""Derived values: the growth set of many children, of the hundredth part of them the night after, and of one with many records."""

import json
from collections.abc import Iterator
from typing import Any

from bench import Bench
from figure import Figure
from measuring import Ran

CHILDREN = 4_000
VISITS = 5
MANY = 100_000
SET = "bmi, bmi-z, bmi-percentile, bmi-percent-of-p95, height-z, height-percentile, weight-z, weight-percentile"
_MAKING = """
import json, random, sys
from datetime import date, timedelta
from pathlib import Path

def reading(child, visit, code, value, unit, days):
    number, _, beside = str(visit).partition("-")
    day, minute = date(2020, 1, 11) + timedelta(days * int(number)), int(beside or 0)
    return {"resourceType": "Observation", "id": f"{code}-{child}-{visit}", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "subject": {"reference": f"Patient/{child}"}, "effectiveDateTime": f"{day}T10:{minute % 60:02}:00Z",
            "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}}

def deliver(folder, children, visits, seed, beside=1):
    chance, days = random.Random(seed), 30 if visits <= 12 else 1
    folder.mkdir(exist_ok=True)
    with (folder / "Patient.ndjson").open("w") as people, (folder / "Observation.ndjson").open("w") as readings:
        for child in range(children):
            year = chance.randrange(10, 20)
            born, age = f"20{year}-03-02", 20 - year
            people.write(json.dumps({"resourceType": "Patient", "id": str(child), "gender": "female", "birthDate": born}) + "\\n")
            for visit in range(visits):
                grown = visit * days / 365
                tall, heavy = 750 + 60 * (age + grown), 80 + 5 * (age + grown) + 1.6 * (age + grown) ** 2
                for code, usual, unit in (("29463-7", heavy, "kg"), ("8302-2", tall, "cm")):
                    made = reading(child, visit, code, round(usual + chance.randrange(5)) / 10, unit, days)
                    readings.write(json.dumps(made) + "\\n")
                for pulse in range(beside):
                    made = reading(child, f"{visit}-{pulse}", "8867-4", chance.randrange(60, 120), "/min", days)
                    readings.write(json.dumps(made) + "\\n")

def site(folder):
    (folder / "key").write_text("0123456789abcdef0123456789abcdef")
    path = folder / "west.toml"
    path.write_text('site = "west"\\nname = "West"\\ntime_zone = "UTC"\\nsubject_key = "file:key"\\nroad = "files"\\n'
                    'types = ["Patient", "Observation"]\\n[files]\\nfolder = "delivery"\\ndelivers = "changes"\\nsettle_seconds = 0\\n')
    return path
"""
_NIGHTS = (
    _MAKING
    + """
import time
from mainstem import refresh as steps
from mainstem.config.settings import Settings
folder, kafka, wanted, children, visits = Path(sys.argv[1]), *sys.argv[2:4], *map(int, sys.argv[4:])
folder.mkdir()
made = Settings(kafka=kafka, network="derive", database_url=f"sqlite:///{folder / 'state.db'}", landing=folder / "landing", derive=wanted)
path, told = site(folder), []
for count, seed in ((children, 1), (children // 100, 2), (children // 100, 3)):
    deliver(folder / "delivery", count, visits, seed)
    with steps.open_refresh(path, made) as refresh:
        load = steps.plan(refresh).load
        steps.pull_units(refresh, load, steps.planned(refresh, load).units)
        steps.map_types(refresh, load, steps.planned(refresh, load).types)
        began = time.process_time()
        changed = steps.derive(refresh, load)
        told.append((time.process_time() - began, changed))
        steps.publish(refresh, load)
        steps.complete(refresh, load)
print(json.dumps(told))
"""
)
_ONE = (
    _MAKING
    + """
import resource
from mainstem import refresh as steps
from mainstem.config.settings import Settings
folder, wanted, records = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
folder.mkdir()
made = Settings(database_url=f"sqlite:///{folder / 'state.db'}", landing=folder / "landing", derive=wanted)
path = site(folder)
deliver(folder / "delivery", 1, records // 50, 1, beside=48)
with steps.open_refresh(path, made) as refresh:
    load = steps.plan(refresh).load
    steps.pull_units(refresh, load, steps.planned(refresh, load).units)
    steps.map_types(refresh, load, steps.planned(refresh, load).types)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps.derive(refresh, load)
print(json.dumps((before / 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
"""
)


def figures(bench: Bench) -> Iterator[Figure]:
    """Of this checkout alone, by processor time: reading, deriving and saving."""
    now = bench.checkouts[0]
    reach = {"MAINSTEM_KAFKA": bench.tansu, "MAINSTEM_NETWORK": "derive"}
    now.mainstem("topics", "create", "--replication", "1", **reach)
    ran = now.python(_NIGHTS, bench.folder / "derive", bench.tansu, SET, CHILDREN, VISITS)
    (whole, records), (once, _), (part, _) = _last(ran)
    note = f"{records:,} records of {CHILDREN:,} children with {VISITS} visits, on SQLite"
    yield Figure("derive, growth set", 60 * CHILDREN / whole, "subjects/min", now.name, None, "≥ 20,000", note)
    note = f"by processor time; {100 * once / whole:.1f} % the first time, when the index by subject is made"
    what = "derive, 1 % of the subjects touched"
    yield Figure(what, 100 * part / whole, "% of all", now.name, None, "≤ 5 %", note, lower_is_better=True)
    before, after = _last(now.python(_ONE, bench.folder / "one", SET, MANY))
    note = f"on {before:.0f} MiB of the steps before; 1 record in 25 a weight or height"
    what = f"derive, memory added by one subject with {MANY:,} records"
    yield Figure(what, after - before, "MiB", now.name, None, "flat", note, lower_is_better=True)


def _last(ran: Ran) -> Any:
    """What the script told, behind its log."""
    return json.loads(ran.out.splitlines()[-1])
