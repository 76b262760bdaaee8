"""Which task Airflow begins first, of those of many sites that wait for a place."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dags.site_dag import site_dag

pytestmark = pytest.mark.airflow


def test_a_later_step_of_one_site_goes_before_an_earlier_of_another() -> None:
    """By Airflow's own weights of the DAG as its scheduler has it: sites end one after another, and none waits for all others' first steps."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag = DagSerialization.from_dict(DagSerialization.to_dict(site_dag("-")))

    def weight(name: str) -> int:
        task: Any = dag.get_task(name)
        return int(task.weight_rule.get_weight(cast(Any, SimpleNamespace(task=task))))

    steps = ("preflight", "plan", "pull", "map_types", "derive", "publish", "complete", "report")
    weights = [weight(name) for name in steps]
    assert weights == sorted(set(weights))
