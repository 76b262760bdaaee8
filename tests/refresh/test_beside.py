"""Publishing in a process of its own: whoever sits at the terminal is told what it waits for."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import wait_until

from mainstem.publisher.beside import PublisherBeside
from mainstem.refresh import Refresh, plan
from mainstem.refresh.map import map_types
from mainstem.refresh.pull import pull_units


@pytest.fixture
def pending(make_refresh: Callable[..., Refresh], tmp_path: Path) -> Refresh:
    """A site with a change to send, and no broker."""
    refresh = make_refresh(types=["Patient"])
    patient = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "2015-02-03"}
    (tmp_path / "delivery" / "Patient.ndjson").write_text(json.dumps(patient) + "\n")
    load = plan(refresh)
    pull_units(refresh, load.load, load.plan.units)
    assert map_types(refresh, load.load, load.plan.types).records
    return refresh


def test_broker_that_is_away_is_said_at_the_terminal(pending: Refresh) -> None:
    """The process beside has no terminal of its own; its sentence comes while the mapping goes on."""
    told: list[str] = []
    with PublisherBeside("west", pending.settings, start_after=1, notice=told.append) as beside:
        beside.notice(1)
        wait_until(lambda: told)
    assert f"{pending.settings.kafka} is not reachable" in told[0]
    assert "waiting" in told[0]
