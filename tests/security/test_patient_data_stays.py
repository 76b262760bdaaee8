"""No patient's data and no secret where operators look: dead letters' headers, XCom, Airflow's logs and its pages."""

import sys
import traceback
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from kafka import TopicPartition

from mainstem.consumer.dead_letters import LARGEST, Letter, _as_sent
from mainstem.consumer.received import LetterReason, read_event
from mainstem.kafka.record_batches import Filling
from mainstem.kafka.record_format import records_in
from schemas.errors import MainstemError, OperatorError

WORD = "Jane" + " Doe"
SITE = 'site = "north"\nname = {name}\ntime_zone = "UTC"\nsubject_key = "env:KEY"\n[files]\nfolder = "."\n'


def record(**given: Any) -> SimpleNamespace:
    sound: dict[str, Any] = {
        "topic": "lhn.outcome.v1",
        "partition": 3,
        "offset": 7,
        "key": WORD.encode(),
        "value": WORD.encode(),
        "headers": [("ce_id", WORD.encode()), (WORD, b"\x1b[2J"), ("ce_source", b"/site/" + WORD.encode())],
    }
    return SimpleNamespace(**{**sound, **given})


@pytest.mark.parametrize(
    "given", [{}, {"value": WORD.encode() * LARGEST}, {"key": None, "value": None}, {"headers": []}]
)
def test_the_headers_of_a_dead_letter_are_a_reason_and_a_place(given: dict[str, Any]) -> None:
    """Whatever stands in the event: nothing of it is in a header, which tools and monitors show."""
    unusable = record(**given)
    reason = read_event(unusable)
    assert isinstance(reason, LetterReason)
    batch = Filling(TopicPartition("letters", 0))
    batch.add(_as_sent(Letter(unusable, reason), "topic-of-mine"))
    (sent,) = records_in(bytes(batch.records), 0, 1)
    headers = [(name, value or b"") for name, value in sent.headers]
    assert {name for name, _ in headers} <= {
        "reason",
        "stage",
        "topic",
        "partition",
        "offset",
        "topic-id",
        "left-out-bytes",
    }
    assert [value for _, value in headers if WORD.encode() in value or not value.isascii()] == []
    assert dict(headers)["reason"].decode() == reason.value


NOTHING = MagicMock()
"""A refresh whose steps are not taken."""


@pytest.fixture
def site_dag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The module of the sites' DAGs, and what its tasks leave as XCom."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    pytest.importorskip("airflow")
    from dags import site_dag

    left: dict[str, Any] = {}
    task = SimpleNamespace(task_id="map_types", xcom_push=lambda key, value: left.update({key: value}))
    monkeypatch.setattr(site_dag, "get_current_context", lambda: {"ti": task, "names": "Patient"})
    return SimpleNamespace(module=site_dag, left=left)


@pytest.mark.airflow
@pytest.mark.timeout(120)
def test_a_defect_leaves_its_kind_in_xcom_and_in_the_log(
    site_dag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library's error often repeats what it could not use."""
    monkeypatch.setattr(site_dag.module, "_opened", lambda *_: nullcontext(NOTHING))
    with pytest.raises(MainstemError) as caught, site_dag.module._context(site_dag.module.Declared(tmp_path, None)):
        raise ValueError(WORD)
    shown = "".join(traceback.format_exception(caught.value))
    assert WORD not in shown
    assert WORD not in str(site_dag.left)
    assert "ValueError" in shown
    assert "ValueError" in site_dag.left["failure"]["cause"]
    assert Path(__file__).name in shown
    assert not isinstance(caught.value, OperatorError)  # a defect is tried again, as every unknown error is


@pytest.mark.airflow
@pytest.mark.timeout(120)
def test_an_error_of_ours_is_raised_without_what_caused_it(
    site_dag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XCom is bounded, and the chain that Airflow would print is cut: even where how far the site is read cannot be asked."""
    monkeypatch.setattr(site_dag.module, "_opened", lambda *_: nullcontext(NOTHING))

    def broken() -> None:
        try:
            raise ValueError(WORD)
        except ValueError as exc:
            raise OperatorError("the file is broken \x1b[2J" + "x" * 10_000, "Mend it.") from exc

    with pytest.raises(OperatorError) as caught, site_dag.module._context(site_dag.module.Declared(tmp_path, None)):
        broken()
    assert WORD not in "".join(traceback.format_exception(caught.value))
    assert all(str(value).isprintable() and len(str(value)) <= 350 for value in site_dag.left["failure"].values())


@pytest.mark.airflow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "name", ["[x](javascript:alert(1))", "<img src=x onerror=alert(1)>", "# A | B", "![](https://evil.example/p)"]
)
def test_a_hospitals_name_is_text_on_airflows_page(name: str, site_dag: Any, tmp_path: Path) -> None:
    """Airflow reads a DAG's documentation as Markdown."""
    import json

    path = tmp_path / "north.toml"
    path.write_text(SITE.format(name=json.dumps(name)))
    shown = site_dag.module.faces(site_dag.module.declared(path))["doc_md"]
    heading = shown.splitlines()[0]
    assert heading.startswith("### ")
    assert name not in heading
    assert heading.replace("\\", "").removeprefix("### ") == name
    assert sys.modules["dags.site_dag"] is site_dag.module
