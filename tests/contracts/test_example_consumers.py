"""The consumers of examples/: one on the kit, two by the published contract alone, all with the state that the publisher sent."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from streams import Stream

from mainstem.kafka.settings import KafkaSettings

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples" / "consumers"
KAFKAJS = REPOSITORY / "var" / "kafkajs" / "node_modules"


def published(stream, outbox, observe, **settings) -> dict[str, float]:
    """Recorded, amended, withdrawn, a copy sent again, a load's event; the state that is left."""
    reach = KafkaSettings(stream.bootstrap, **settings)
    for number in range(12):
        observe(outbox, number, "7.1", subject=number % 4)
    stream.publish(outbox, reach=reach)
    changed = observe(outbox, 1, "9.9", subject=1)
    gone = observe(outbox, 2, None, subject=2)
    stream.publish(outbox, reach=reach)
    outbox.published.clear()
    stream.publish(outbox, reach=reach)
    state = {f"r-{row.id.hex()}": 7.1 for row in outbox.rows.values() if row.id != gone}
    return state | {f"r-{changed.hex()}": 9.9}


def run(*command: str, cwd: Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=90, env={**os.environ, **environment}, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stdout[-800:] + done.stderr[-800:]
    return done.stdout


@pytest.mark.slow
def test_consumer_on_the_kit(stream, outbox, observe, tmp_path):
    """Thirty lines, run twice: the second time there is nothing left to do."""
    expected = published(stream, outbox, observe)
    url = f"sqlite:///{tmp_path / 'a1c.db'}"
    example = EXAMPLES / "on_the_kit.py"
    lines = [line for line in example.read_text().splitlines() if line.strip()]
    assert len(lines) <= 30

    said = [
        run(sys.executable, str(example), stream.bootstrap, stream.network, url, PYTHONPATH=str(REPOSITORY))
        for _ in range(2)
    ]

    assert said[0].endswith("14 events\n")
    assert said[1].endswith("0 events\n")
    with create_engine(url).connect() as db:
        assert {row.record: row.value for row in db.execute(text("select record, value from a1c"))} == expected


@pytest.mark.slow
def test_consumer_of_the_tutorial(stream, outbox, observe, tmp_path):
    """As it stands on the page, with its tests: by settings from the environment, the second time there is nothing to do."""
    expected = published(stream, outbox, observe)
    page = (REPOSITORY / "docs" / "tutorial" / "first-consumer.md").read_text()
    names = ("my_consumer.py", "test_my_consumer.py")
    for name, code in zip(names, re.findall(r"```python\n(.*?)```", page, re.DOTALL), strict=True):
        (tmp_path / name).write_text(code)
    environment = {
        "MAINSTEM_KAFKA": stream.bootstrap,
        "MAINSTEM_NETWORK": stream.network,
        "PYTHONPATH": str(REPOSITORY),
    }
    said = [run(sys.executable, "my_consumer.py", cwd=tmp_path, **environment) for _ in range(2)]
    assert said == ["14 events\n", "0 events\n"]
    with create_engine(f"sqlite:///{tmp_path / 'latest.db'}").connect() as db:
        rows = db.execute(text("select record, content from latest"))
        assert {row.record: float(json.loads(row.content)["value"]) for row in rows} == expected
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path, **environment)


def test_consumer_by_the_contract_alone(stream, outbox, observe):
    """kafka-python and docs/events.md; nothing of ours is imported."""
    expected = published(stream, outbox, observe)
    example = EXAMPLES / "by_the_contract.py"
    assert "mainstem" not in example.read_text().split('"""', 2)[2]

    assert json.loads(run(sys.executable, str(example), stream.bootstrap, stream.network)) == expected


@pytest.mark.kafka
@pytest.mark.slow
def test_consumer_in_javascript(apache_kafka, network, outbox, observe):
    """By the usual client, which reads gzip."""
    reason = (
        "no node on the path"
        if shutil.which("node") is None
        else ""
        if (KAFKAJS / "kafkajs").is_dir()
        else "KafkaJS is missing: run `make kafkajs`"
    )
    if reason:
        pytest.skip(reason)
    stream = Stream(apache_kafka.bootstrap, network, compression="gzip")
    expected = published(stream, outbox, observe, compression="gzip")

    said = run(
        "node",
        str(EXAMPLES / "by_the_contract.cjs"),
        stream.bootstrap,
        stream.network,
        NODE_PATH=str(KAFKAJS),
    )

    assert json.loads(said) == expected
