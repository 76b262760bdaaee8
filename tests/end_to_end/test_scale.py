"""docs/scale.md: its tables are what the simulator says, and what the simulator takes for granted is held against a run of twenty sites."""

from dataclasses import replace
from statistics import median
from typing import Any

import pytest
import simulator
from hospitals_at_night import FLOOD, Worker, hospitals, night
from simulator import Costs, Site

SITES = 20


def test_the_page_says_what_the_simulator_says() -> None:
    """`python tests/support/simulator.py` writes it."""
    assert simulator.page(Costs()) == simulator.PAGE.read_text(encoding="utf-8")


def test_more_workers_never_make_a_night_longer_and_a_crowd_waits() -> None:
    costs = Costs()
    sites = [Site(f"site-{each}", 7e6) for each in range(100)]
    nights = [simulator.night(sites, workers, costs) for workers in (1, 2, 4, 8, 100)]
    assert sorted(nights, key=lambda each: each.last, reverse=True) == nights
    assert nights[-1].waited == 0
    together = simulator.night(sites, 4, costs, starts="together")
    assert together.waited > simulator.night(sites, 4, costs).waited
    one = simulator.seconds_of(sites[0], costs, airflow=True)
    assert simulator.night(sites[:1], 1, costs).last == pytest.approx(one)


def test_two_thousand_million_resources_take_less_than_two_days_on_32_cores() -> None:
    costs = Costs()
    assert simulator.first_load(2e9, 32, simulator.partitions_for(2e9, costs), costs).hours <= 48


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_sites_cost_what_is_taken_for_granted(make_network: Any, broker: str, postgres_server: Any) -> None:
    """By processor time, which others on the machine do not change: a run has a fixed cost, below the page's, and one a record."""
    with hospitals(make_network(broker, store=postgres_server.create_database("scale_of_twenty")), SITES) as found:
        found.mend()
        worker = Worker(found.lhn.environment, found.lhn.folder)
        try:
            paths = [found.path(name) for name in found.served]
            first = {name: told["cpu"] for name, (told, _) in night([worker], paths).items()}
            fixed = median(first.values())
            costs = replace(
                Costs(), core_seconds_a_run=fixed, core_seconds_a_record=max(0.0, first["h03"] - fixed) / FLOOD
            )
            found.day(1)
            second = sum(told["cpu"] for told, _ in night([worker], paths).values())
        finally:
            worker.close()
    simulated = SITES * (costs.core_seconds_a_run + 2 * costs.core_seconds_a_record)
    print(
        f"fixed {fixed:.2f} s, a record {costs.core_seconds_a_record * 1e6:.0f} us, second {second:.1f} of {simulated:.1f} s"
    )
    assert fixed <= Costs().core_seconds_a_run
    assert second == pytest.approx(simulated, rel=0.5)
