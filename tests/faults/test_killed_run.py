"""A run killed at any moment and started again leaves the registry as an undisturbed run does."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from network_under_test import MAINSTEM, Network
from synthetic_children import children, deliver

from schemas.outcomes import MAPPED_TYPES, record_type_of

SEEDS = (1, 2, 3)
TYPES = {record_type_of(name) for name in MAPPED_TYPES}
CHILDREN, VISITS = 40, 24


def state(lhn: Network) -> list[tuple[object, ...]]:
    """Everything the registry holds that must not depend on how the load went."""
    return sorted(row for name in TYPES for row in lhn.registry(f"select id, subject, site, sequence from {name}"))


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough resources that a run takes a while."""
    folder = tmp_path_factory.mktemp("delivery")
    deliver(children(CHILDREN, visits=VISITS), folder)
    return folder


@pytest.mark.parametrize("seed", [SEEDS[0], *(pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS[1:])])
def test_a_run_killed_at_any_moment_and_run_again_equals_an_undisturbed_one(
    lhn: Network, delivery: Path, seed: int
) -> None:
    """kill -9 twice at random moments, then a run to the end: the same records, each applied once."""
    site = lhn.files_site("west", delivery)
    _kill_and_run(lhn, site, random.Random(seed))
    assert lhn.mainstem("run", site).returncode == 0
    lhn.consume()
    disturbed = state(lhn)
    expected = CHILDREN * (5 + VISITS * 5)
    assert len(disturbed) == expected
    assert {row[3] for row in disturbed} == {1}, "nothing was amended by being read twice"
    ids = [(event.record, event.headers["ce_id"]) for event in lhn.events()]
    assert len(set(ids)) == expected, "duplicates carry the same id"
    assert lhn.registry("select count(*) from history")[0][0] == expected


def _kill_and_run(lhn: Network, site: Path, moments: random.Random) -> None:
    """Starts the run twice and kills it, process group and all, between its start and about its end."""
    for _ in range(2):
        run = subprocess.Popen(
            [MAINSTEM, "run", site],
            env=lhn.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moments.uniform(0.8, 5.0))
        run.send_signal(signal.SIGKILL)
        run.wait()


@pytest.mark.slow
def test_a_run_killed_while_it_publishes_beside_leaves_no_publisher_behind(lhn: Network, tmp_path: Path) -> None:
    """kill -9 of a first load large enough to publish in a second process: that one drains, ends and frees the site."""
    deliver(children(60, visits=80), tmp_path / "large")
    site = lhn.files_site("west", tmp_path / "large")
    run = subprocess.Popen(
        [MAINSTEM, "run", site], env=lhn.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    beside = _process_beside(run.pid)
    run.send_signal(signal.SIGKILL)
    run.wait()
    beside.wait(timeout=90)
    again = lhn.mainstem("run", site)
    assert again.returncode == 0, again.stderr
    expected = 60 * (5 + 80 * 5)
    assert len({event.headers["ce_id"] for event in lhn.events()}) == expected


def _process_beside(pid: int) -> psutil.Process:
    """The publishing process of a run, once it has started."""
    for _ in range(600):
        for child in psutil.Process(pid).children():
            if any("spawn_main" in part for part in child.cmdline()):
                return child
        time.sleep(0.1)
    raise AssertionError("the run published nothing beside its mapping")


def test_two_runs_at_once_give_the_events_of_one(lhn: Network, delivery: Path) -> None:
    """The second is told who is at it; together they publish each record once."""
    site = lhn.files_site("west", delivery)
    runs = [
        subprocess.Popen(
            [MAINSTEM, "run", site], env=lhn.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=120) for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 75], said
    assert any("error:" in stderr and "fix:" in stderr for _, stderr in said)
    assert len(lhn.events()) == CHILDREN * (5 + VISITS * 5)


@pytest.mark.slow
def test_the_landing_folder_lost_in_mid_run_is_read_again(
    lhn: Network, delivery: Path, tmp_path: Path, make_network: Callable[..., Network]
) -> None:
    """Somebody cleaned up while the broker was away: the next run pulls anew and nothing is missing."""
    site = lhn.files_site("west", delivery)
    failed = lhn.mainstem("run", site, MAINSTEM_KAFKA="127.0.0.1:9")
    assert failed.returncode == 75
    shutil.rmtree(tmp_path / "landing")
    assert lhn.mainstem("run", site).returncode == 0
    assert len(lhn.events()) == CHILDREN * (5 + VISITS * 5)
