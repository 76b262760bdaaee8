"""A topic's asset is a dataset by the name that OpenLineage gives Kafka's, asked as Airflow's own provider asks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("airflow.providers.openlineage", reason="the extra airflow-beyond brings it")
pytestmark = [pytest.mark.airflow, pytest.mark.slow]
ASKED = """
from airflow.sdk import Asset
from airflow.providers.openlineage.utils.utils import translate_airflow_asset
found = translate_airflow_asset(Asset(name="lhn.outcome.v1", uri="kafka://127.0.0.1:9092/lhn.outcome.v1"), None)
print("RESULT", found.namespace, found.name)
"""


def test_a_topic_is_a_dataset_of_its_broker(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert "RESULT kafka://127.0.0.1:9092 lhn.outcome.v1" in done.stdout.splitlines(), done.stderr[-2000:]
