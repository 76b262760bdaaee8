"""The whole path on Apache Kafka, the broker we promise."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from apache_kafka import ApacheKafka
from network_under_test import MAINSTEM, Network
from synthetic_children import RECORDS_A_CHILD, child, children, deliver

from schemas.outcomes import CORE_TYPES, MAPPED_TYPES

pytestmark = pytest.mark.kafka


def test_files_reach_the_registry_through_apache_kafka(
    make_network: Callable[..., Network], apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    """Topics as they should be, every record once, a correction as `amended`, an error as a tombstone."""
    lhn = make_network(apache_kafka.bootstrap, partitions=12)
    assert lhn.mainstem("topics", "check", "--replication", "1").returncode == 0
    deliver(children(4), tmp_path / "west")
    site = lhn.files_site("west", tmp_path / "west")
    assert lhn.refresh(site).published == 4 * RECORDS_A_CHILD
    assert lhn.consume() == 4 * RECORDS_A_CHILD

    changed = child(1)
    bmi = next(resource for resource in changed if resource["id"].endswith("visit-1-bmi"))
    bmi["valueQuantity"]["value"] = 88.8
    mistaken = next(resource for resource in changed if resource["id"].endswith("visit-2-bmi"))
    mistaken["status"] = "entered-in-error"
    deliver(changed + children(3, first=2), tmp_path / "west")
    assert lhn.refresh(site).published == 2
    assert sorted(event.operation for event in lhn.events())[:1] == ["amended"]
    lhn.consume()
    assert lhn.registry("select value from observation where value = 88.8") != []
    assert lhn.registry("select count(*) from observation") == [(4 * 8 - 1,)]
    assert lhn.registry("select count(*) from history where op = 'withdrawn'") == [(1,)]


@pytest.mark.slow
def test_a_broker_killed_in_mid_run_loses_nothing(
    make_network: Callable[..., Network], own_apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    """kill -9 of the broker while a first load is published, and its start again: each record arrives."""
    lhn = make_network(own_apache_kafka.bootstrap)
    amount, visits = 60, 40
    deliver(children(amount, visits=visits), tmp_path / "west")
    site = lhn.files_site("west", tmp_path / "west")
    run = subprocess.Popen(
        [MAINSTEM, "--log", "json", "run", site],
        env=lhn.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr is not None
    last = [name for name in MAPPED_TYPES if name in CORE_TYPES][-1]
    last_mapped = next(line for line in run.stderr if f'"type": "{last}"' in line)
    assert last_mapped, "publishing begins now"
    assert run.poll() is None
    node = own_apache_kafka.nodes[0]
    own_apache_kafka.kill(node)
    own_apache_kafka.restart(node)
    said = run.communicate(timeout=180)
    if run.returncode != 0:
        assert run.returncode == 75, said
        assert lhn.mainstem("run", site).returncode == 0
    lhn.consume()
    expected = amount * (5 + visits * 5)
    assert lhn.registry("select count(*), count(distinct record) from history") == [(expected, expected)]
    assert len({event.headers["ce_id"] for event in lhn.events()}) == expected
