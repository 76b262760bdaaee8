"""How long nights and first loads take and what they need, from what single things cost: feeds docs/scale.md.

Discrete events: sites begin at the minutes that their names give, workers take what waits, a site holds one at a time (its pool could
give it more). `python tests/support/simulator.py` writes the page's tables; tests hold its costs against real runs.
"""

import heapq
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
HOUR, DAY = 3600.0, 86_400.0


@dataclass(frozen=True)
class Costs:
    """Of single things. The defaults are of `make bench` and of the measurements that docs/scale.md names."""

    core_seconds_a_record: float = 140e-6
    """First load of content that repeats nothing: pages, mapping, database and broker together."""
    serial_seconds_a_record: float = 0.33 / 19_900
    """Of it, what one site does one after the other: changes are numbered and saved under its lock."""
    core_seconds_a_known_record: float = 2 / 89_000
    """A record that came before."""
    core_seconds_a_run: float = 1.5
    """A run with nothing to do, by `mainstem run`."""
    core_seconds_a_task: float = 1.2
    """What Airflow adds, a task."""
    tasks_a_run: int = 10
    requests_a_second: float = 20.0
    """What a site file allows at its EHR unless told otherwise."""
    resources_a_request: float = 100.0
    state_bytes_a_record: float = 2_000.0
    """PostgreSQL, with indexes."""
    event_bytes: float = 1_000.0
    """Value and headers before compression; a copy."""
    events_a_second_a_partition: float = 8_000.0
    """What one consumer takes into tables: an assumption, not measured."""


class Site(NamedTuple):
    """What a site has and what changes of it in a night."""

    name: str
    resources: float
    changed: float = 0.01


class Night(NamedTuple):
    """How one went."""

    last: float
    """Seconds from the first start to the last end."""
    waited: float
    """Longest wait of a site for a worker, in seconds."""


def start_of(name: str) -> float:
    """When a site begins, in seconds of the day: by the product's own rule."""
    from schemas.sites import start_of as cron

    minute, hour, *_ = cron(name).split()
    return int(hour) * HOUR + int(minute) * 60


def seconds_of(site: Site, costs: Costs, *, airflow: bool) -> float:
    """A site's night on one worker."""
    changed = site.resources * site.changed
    pulled = changed / costs.resources_a_request / costs.requests_a_second
    started = costs.core_seconds_a_task * costs.tasks_a_run if airflow else 0.0
    return costs.core_seconds_a_run + started + pulled + changed * costs.core_seconds_a_record


def night(sites: list[Site], workers: int, costs: Costs, *, airflow: bool = True, starts: str = "spread") -> Night:
    """All sites on so many workers, a core each."""
    began = {site: start_of(site.name) if starts == "spread" else 0.0 for site in sites}
    free = [0.0] * workers
    last = waited = 0.0
    for site in sorted(sites, key=lambda each: began[each]):
        at = max(began[site], heapq.heappop(free))
        waited = max(waited, at - began[site])
        done = at + seconds_of(site, costs, airflow=airflow)
        last = max(last, done)
        heapq.heappush(free, done)
    return Night(last - min(began.values()), waited)


class First(NamedTuple):
    """A first load of one site, in hours by what bounds it."""

    cores: float
    serial: float
    link: float
    """A gigabit a second, a kilobyte a resource."""
    consumer: float

    @property
    def hours(self) -> float:
        """The slowest of them: they run side by side."""
        return max(self)


def first_load(resources: float, cores: int, partitions: int, costs: Costs) -> First:
    """Of one site by bulk export, split over processes."""
    return First(
        resources * costs.core_seconds_a_record / cores / HOUR,
        resources * costs.serial_seconds_a_record / HOUR,
        resources * 1_000 * 8 / 1e9 / HOUR,
        resources / costs.events_a_second_a_partition / partitions / HOUR,
    )


def partitions_for(resources: float, costs: Costs, hours: float = 12) -> int:
    """So many that consumers have a first load in their tables within that time; a multiple of six."""
    needed = resources / costs.events_a_second_a_partition / (hours * HOUR)
    return max(6, 6 * -(-int(needed * 1000) // 6000))


def tables(costs: Costs) -> list[str]:
    """The page's figures."""
    lines = [
        "| sites | resources each | changed a night | workers | last site done after | longest wait for a worker |",
        "|---|---|---|---|---|---|",
    ]
    for count, resources, changed, workers in (
        (20, 1e6, 0.01, 2),
        (60, 1e6, 0.01, 2),
        (60, 7e6, 0.01, 4),
        (100, 7e6, 0.01, 4),
        (100, 7e6, 0.01, 8),
        (100, 7e6, 0.05, 16),
    ):
        told = night([Site(f"site-{each}", resources, changed) for each in range(count)], workers, costs)
        lines.append(
            f"| {count} | {resources / 1e6:g} million | {changed:.0%} | {workers} | {told.last / HOUR:.1f} h | {told.waited / 60:.0f} min |"
        )
    big = 2e9
    lines += ["", "| one site of 2,000 million resources, 32 cores | |", "|---|---|"]
    partitions = partitions_for(big, costs)
    first = first_load(big, 32, partitions, costs)
    lines += [
        f"| mapping, database and broker on 32 cores | {first.cores:.1f} h |",
        f"| what one site does one after the other | {first.serial:.1f} h |",
        f"| a link of a gigabit a second | {first.link:.1f} h |",
        f"| consumers, with {partitions} partitions | {first.consumer:.1f} h |",
        f"| **the slowest of them** | **{first.hours:.0f} h** |",
        f"| PostgreSQL, the state | {big * costs.state_bytes_a_record / 1e12:.1f} TB |",
        f"| Kafka, three copies, before compression | {3 * big * costs.event_bytes / 1e12:.1f} TB |",
    ]
    return lines


def page(costs: Costs) -> str:
    """The page with the tables as they come out."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + "\n" + "\n".join(tables(costs)) + "\n\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[1]))
    PAGE.write_text(page(Costs()), encoding="utf-8")
