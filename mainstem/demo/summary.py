"""What the demo says when every site has been refreshed."""

from collections import Counter

from mainstem.demo.airflow import USER, Airflow
from mainstem.demo.cohorts import HOSPITALS, HospitalPlan
from mainstem.demo.running_demo import Demo
from mainstem.demo.steps import Steps
from schemas.loads import LoadEvent


def summarise(demo: Demo, steps: Steps, events: int) -> None:
    """Each hospital's load, the way from resources to events, and where to look."""
    console = steps.console
    loads = {load.site: load for load in demo.stream.loads()}
    console.print()
    for plan in HOSPITALS:
        console.print(_load_line(plan, loads[plan.site]), highlight=False, soft_wrap=True)
    read = sum(figures.read for load in loads.values() for figures in load.types.values())
    records = sum(figures.records for load in loads.values() for figures in load.types.values())
    derived = sum(load.types["derived"].recorded for load in loads.values() if "derived" in load.types)
    rejected: Counter[str] = Counter()
    for load in loads.values():
        for figures in load.types.values():
            rejected.update(figures.skipped)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(rejected.items())) or "none"
    console.print(
        f"[bold]{read:,} resources read → {records:,} records and {derived:,} derived values → {events:,} events[/] in {steps.seconds:.0f} s; rejected: {reasons}",
        highlight=False,
        soft_wrap=True,
    )
    if not demo.quick:
        airflow = Airflow.attach(demo.folder, demo.ports["airflow"])
        console.print(f"Airflow   {airflow.address}   user {USER}, password {airflow.password}", highlight=False)
        console.print(f"Page      {demo.page}", highlight=False)
        console.print(f"Registry  http://127.0.0.1:{demo.ports['registry']}/openapi.json", highlight=False)


def _load_line(plan: HospitalPlan, load: LoadEvent) -> str:
    read = sum(figures.read for figures in load.types.values())
    skipped = sum(sum(figures.skipped.values()) for figures in load.types.values())
    return f"{plan.name:<34} by {plan.road:<7} {read:>7,} read, {skipped:>3,} rejected, {load.published:>7,} events, {load.event}"
