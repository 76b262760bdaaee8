"""What was planted in every field of a delivery, searched for in all that an operator, an engineer or the network sees."""

import io
import json
import runpy
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from kafka import KafkaProducer
from network_under_test import Network
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.commands.map.files import map_paths
from mainstem.consumer.tail import tail
from mainstem.kafka.topics import dead_letter_topic
from mainstem.refresh import open_refresh
from schemas.events import outcome_topic
from schemas.loads import load_topic
from schemas.outcomes import LENDING_TYPES, REFERRED_TYPES
from services.registry.running import GROUP
from transforms.resources import mappings

MAPPED = runpy.run_path(str(Path(__file__).parents[1] / "transforms" / "test_nothing_identifying.py"))
planted, shapes, PLANTED, SECRETS = (MAPPED[name] for name in ("planted", "shapes", "PLANTED", "SECRETS"))
EVERY, TEXTS = 71, 2
"""One in so many of the lines, of so many texts a type: the mapping's own test takes them all."""
FIELDS = (
    "id",
    "status",
    "code",
    "subject",
    "patient",
    "result",
    "ingredient",
    "url",
    "item",
    "identifier",
    "extension",
)
pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(300)]


def kept(name: str, texts: Sequence[str]) -> Iterator[bytes]:
    """Lines of a type that gives no record, with a text in one place of one field."""
    for field in FIELDS:
        for said in texts:
            for shape in shapes(said):
                yield json.dumps({"resourceType": name, "id": "k1", "status": "active", field: shape}).encode()


def delivery(folder: Path) -> int:
    """A file a type, in which no two resources share an id unless one was planted there. Returns how many lines."""
    folder.mkdir()
    count = 0
    for number, name in enumerate((*mappings(), *REFERRED_TYPES, *LENDING_TYPES)):
        lines = []
        texts = tuple(PLANTED[(number + place) % len(PLANTED)] for place in range(TEXTS))
        found = planted(name, texts) if name in mappings() else kept(name, texts)
        for line in islice(found, len(name), None, EVERY):
            resource = json.loads(line)
            if resource["id"] in ("s1", "p1", "k1"):
                resource["id"] = f"x{count + len(lines)}"
            lines.append(json.dumps(resource))
        torn = ['{"resourceType": "Quackenbush"}', '{"resourceType":"Patient","id":"Zebediah"', "Quackenbush, Zebediah"]
        (folder / f"{name}.ndjson").write_text("\n".join([*lines, *torn, ""]))
        count += len(lines) + len(torn)
    return count


@pytest.fixture
def night(lhn: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Path], list[str]]:
    """Runs the tasks of a site's DAG, as Airflow would. Returns what they leave: values, the run's note."""
    for name, value in {**lhn.environment, "AIRFLOW_HOME": str(tmp_path / "airflow")}.items():
        monkeypatch.setenv(name, value)
    pytest.importorskip("airflow")
    from dags import site_dag

    left: list[str] = []
    values: dict[str, Any] = {}
    task = SimpleNamespace(
        task_id="task",
        dag_id="dag",
        run_id="run",
        try_number=9,
        max_tries=1,
        xcom_push=lambda key, value: left.append(f"{key} {value}"),
        xcom_pull=lambda task_ids, key="return_value": values.get(task_ids) if isinstance(task_ids, str) else [],
        get_task_states=lambda **_: {},
    )
    params = {"mode": "incremental", "types": [], "since": None, "dry_run": False}
    announced = SimpleNamespace(add=lambda asset, extra: left.append(f"{asset} {extra}"))
    outlets = MagicMock(__getitem__=lambda _self, _alias: announced)
    night_run = SimpleNamespace(run_type="scheduled", logical_date=None)
    context = {"ti": task, "params": params, "names": "", "outlet_events": outlets, "dag_run": night_run}
    monkeypatch.setattr(site_dag, "get_current_context", lambda: context)

    def run(site: Path) -> list[str]:
        monkeypatch.setattr(site_dag, "sites_folder", lambda: site.parent)
        dag = site_dag.site_dag(site.stem)
        call = {each.task_id: each.python_callable for each in dag.tasks}
        declared = site_dag.declared(site)
        values["preflight"], values["plan"] = call["preflight"](), call["plan"]()
        load = values["plan"]
        left.extend(str(call["pull"](load, number)) for number in range(declared.pulls))
        left.extend(str(call["map_types"](load, number)) for number in range(declared.mappers))
        left.extend(str(call[name](load)) for name in ("derive", "publish", "complete"))
        return [*left, *map(str, values.values()), call["report"](), str(dag.doc_md)]

    return run


def letters(lhn: Network) -> list[str]:
    """What the registry could not use: the places and reasons of dead letters, as tools show them."""
    producer = KafkaProducer(**lhn.settings.kafka_settings().client_options(), acks="all")
    for value in (b"Quackenbush", b'{"record": "Zebediah Quackenbush 617-555-0142"}', b""):
        headers = [("ce_id", b"Zebediah"), ("Quackenbush", b"x"), ("ce_source", b"/site/MRN-0042")]
        producer.send(outcome_topic(lhn.settings.network), key=b"Quackenbush", value=value, headers=headers).get(20)
    producer.close()
    lhn.consume()
    topic = dead_letter_topic(lhn.settings.network, GROUP)
    found = list(tail(lhn.settings.kafka_settings(), topic, from_beginning=True, follow=False))
    assert len(found) == 3, "and none of what the site sent"
    return [str(each.headers) for each in found]


def test_nothing_planted_is_shown_or_sent(
    lhn: Network, night: Callable[[Path], list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Searched: what tasks leave and print, the run's note, reports, logs, quarantine, status, `problems`, records, events,
    keys, headers, dead letters."""
    lines = delivery(tmp_path / "west")
    types = sorted({*mappings(), *REFERRED_TYPES, *LENDING_TYPES})
    site = lhn.files_site("west", tmp_path / "west", types=types)

    said = night(site)

    with open_refresh(site, lhn.settings) as refresh:
        (load,) = refresh.store.loads.of("west")
        counts = list(refresh.store.loads.figures(load.id).values())
        assert sum(each.read for each in counts) == lines
        assert sum(each.records for each in counts) > lines / 4
        assert sum(sum(each.skipped.values()) for each in counts) > lines / 20
        assert load.report is not None
        quarantined = list(map(str, refresh.store.quarantine.of("west")))
        said += [load.report.model_dump_json(), *quarantined]
    assert quarantined
    problems, out = tmp_path / "problems", io.BytesIO()
    trial = map_paths([tmp_path / "west"], site, out=out, problems=problems, explain=False)
    assert trial.read == lines
    said += [out.getvalue().decode(), problems.read_text(), str(trial)]
    runner = CliRunner(env=lhn.environment)
    for asked in (
        *(["status", "--json"], ["status"], ["metrics"], ["gaps", "list"], ["run", str(site)]),
        *(["quality", "--site", str(site)], ["report", "--site", str(site), "--json"]),
    ):
        shown = runner.invoke(app, asked)
        assert shown.exit_code in (0, 3), (asked, shown.exit_code)
        said += [shown.output, str(shown.exception)]
    events = [event for topic in (outcome_topic, load_topic) for event in lhn.events(topic)]
    assert len(events) > lines / 4
    said += [f"{event.json()} {event.headers} {event.record} {event.subject}" for event in events]
    said += letters(lhn)
    printed = "".join(capfd.readouterr())
    assert "load completed" in printed
    said.append(printed)
    for text in said:
        found = [secret for secret in SECRETS if secret.decode() in text.lower()]
        assert found == [], text[:2000]
