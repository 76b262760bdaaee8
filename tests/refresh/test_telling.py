"""A broker that is away, or hangs: a run says so, waits for it once, and leaves all to the next one."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstem import refresh as steps
from mainstem.demo.embedded import free_port
from mainstem.refresh import Refresh
from schemas.errors import TemporaryError

PATIENT = '{"resourceType":"Patient","id":"kid-1","birthDate":"2015-03-01"}\n'


def waited_for(refresh: Refresh) -> float:
    """Seconds of a run that publishes nothing, and of the plan within it."""
    began = time.monotonic()
    with pytest.raises(TemporaryError, match="is not reachable"):
        steps.run(refresh)
    return time.monotonic() - began


@pytest.mark.parametrize(
    "hangs", [pytest.param(False, id="dead"), pytest.param(True, id="silent", marks=pytest.mark.slow)]
)
def test_a_run_waits_once_for_a_broker_that_does_not_answer(
    make_refresh: Callable[..., Refresh], tmp_path: Path, silent_broker: str, hangs: bool
) -> None:
    """Plan and publish each waited their whole time; what is to be told goes out with the next run."""
    refresh = make_refresh(types=["Patient"], kafka=silent_broker if hangs else f"127.0.0.1:{free_port()}")
    (tmp_path / "delivery" / "Patient.ndjson").write_text(PATIENT)

    assert waited_for(refresh) < (20 if hangs else 11)

    load = refresh.store.loads.open("west")
    assert load is not None
    assert refresh.store.outbox.pending_count("west")[0] == 1
    assert [event.event for event in refresh.store.outbox.told("west", 10)] == ["started"]


def test_a_load_of_which_nothing_could_be_read_ends_without_waiting_for_the_broker(
    make_refresh: Callable[..., Refresh], silent_broker: str
) -> None:
    """Its cause is what an engineer is waiting for."""
    refresh = make_refresh('[files]\nfolder = "nowhere"\n', types=["Patient"], kafka=silent_broker)
    began = time.monotonic()
    with pytest.raises(Exception, match="no such folder"):
        steps.run(refresh)
    assert time.monotonic() - began < 8
    assert [event.event for event in refresh.store.outbox.told("west", 10)] == ["started", "failed"]
