"""OpenTelemetry: one trace a load, from pull to consumer, by the id that its events carry; figures; off unless asked for."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from network_under_test import MAINSTEM, Network
from synthetic_children import PLANTED, RECORDS_A_CHILD, children, deliver
from waiting import wait_until

from mainstem import telemetry
from mainstem.demo.embedded import free_port, port_is_busy
from schemas.events import Header

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")


CONSUME = """
from mainstem import telemetry
from mainstem.config.settings import load_settings
from services.registry.running import catch_up
settings = load_settings()
telemetry.start(settings.telemetry)
catch_up(settings.kafka_settings(), settings.network, settings.registry_url)
"""


class Collector:
    """What was sent by OTLP: spans, figures, and every byte of it."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.metrics: dict[str, Any] = {}
        self.bytes = b""
        self.address = ""

    def took(self, path: str, body: bytes) -> None:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self.bytes += body
        if path == "/v1/traces":
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans += [span for scope in group.scope_spans for span in scope.spans]
        else:
            for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {each.name: each for scope in group.scope_metrics for each in scope.metrics}

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """An OTLP endpoint."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found.took(self.path, body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


@pytest.mark.slow
def test_a_load_is_one_trace_from_pull_to_consumer(lhn: Network, collector: Collector, tmp_path: Path) -> None:
    """Its id stands in every event; the consumer's work hangs below it; nothing of a patient is in what is sent."""
    deliver(children(2), tmp_path / "west")
    site = lhn.files_site("west", tmp_path / "west")
    on = {"MAINSTEM_TELEMETRY": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address}
    done = lhn.mainstem("run", site, "--json", **on)
    assert done.returncode == 0, done.stderr
    events = lhn.events()
    assert len(events) == 2 * RECORDS_A_CHILD
    (parent,) = {event.headers[Header.TRACE_PARENT.value] for event in events}
    _, trace, own, _ = parent.split("-")
    consumed = subprocess.run(
        [sys.executable, "-c", CONSUME],
        env={**lhn.environment, **on},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert consumed.returncode == 0, consumed.stderr

    (root,) = collector.named("load")
    assert (root.trace_id.hex(), root.span_id.hex(), root.parent_span_id) == (trace, own, b"")
    assert attributes(root)["mainstem.site"] == "west"
    load = attributes(root)["mainstem.load"]
    assert telemetry.traceparent(load) == parent
    for name in ("pull", "map", "derive", "publish", "complete", "consume"):
        found = collector.named(name)
        assert found, name
        assert {span.trace_id.hex() for span in found} == {trace}, name
        assert own in {span.parent_span_id.hex() for span in found}, name
    assert {attributes(span)["mainstem.part"] for span in collector.named("map")} >= {"Patient", "Observation"}
    assert {attributes(span)["mainstem.system"] for span in collector.named("transaction")} == {"sqlite"}
    assert collector.metrics.keys() >= {
        "mainstem.records.read",
        "mainstem.records.mapped",
        "mainstem.publish.latency.seconds",
        "mainstem.load.seconds",
    }
    read = sum(point.as_int for point in collector.metrics["mainstem.records.read"].sum.data_points)
    assert read == json.loads(done.stdout)["total"]["read"]
    assert [planted for planted in PLANTED if planted in collector.bytes] == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "sent",
    [
        "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01",
        *(pytest.param(sent, marks=pytest.mark.slow) for sent in ("00-" + "f" * 400 + "-1-01", "")),
    ],
)
def test_a_request_of_the_registry_is_linked_to_the_loads_it_tells_of(
    lhn: Network, collector: Collector, tmp_path: Path, sent: str
) -> None:
    """Below its caller's span where the caller names a whole one; by its route, with its transactions; its line of log names its trace."""
    deliver(children(1), tmp_path / "west")
    report = lhn.refresh(lhn.files_site("west", tmp_path / "west"))
    lhn.consume()
    on = {
        "MAINSTEM_TELEMETRY": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with serving_api(lhn, **on) as (address, logged):
        answer = httpx2.get(f"{address}/loads", headers={"traceparent": sent} if sent else {}, trust_env=False)
        assert answer.status_code == 200
        assert report.load in answer.text
        wait_until(lambda: collector.named("GET /loads"))
        (asked,) = collector.named("GET /loads")
        wait_until(lambda: collector.named("transaction"))
        wait_until(lambda: any(f'"trace": "{asked.trace_id.hex()}"' in line for line in logged()))
    assert asked.parent_span_id.hex() == ("cd" * 8 if "ab" in sent else "")
    assert (asked.trace_id.hex() == "ab" * 16) is ("ab" in sent)
    _, trace, own, _ = telemetry.traceparent(report.load).split("-")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in asked.links] == [(trace, own)]
    assert attributes(asked)["mainstem.status"] == 200
    assert asked.span_id in {span.parent_span_id for span in collector.named("transaction")}
    assert [planted for planted in PLANTED if planted in collector.bytes] == []


@contextmanager
def serving_api(lhn: Network, **environment: str) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """The registry's API by the real command: its address, and what it logged."""
    log = lhn.folder / "api.log"
    port = free_port()
    with log.open("w") as written:
        process = subprocess.Popen(
            [MAINSTEM, "--log", "json", "registry", "serve", "--port", str(port)],
            env={**lhn.environment, **environment},
            cwd=lhn.folder,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(lambda: port_is_busy(port) or process.poll() is not None, 300)
            assert process.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{port}", lambda: log.read_text().splitlines()
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.slow
def test_off_it_costs_nothing_and_says_nothing(lhn: Network, tmp_path: Path) -> None:
    """No header more, and nothing of OpenTelemetry is imported by a run."""
    deliver(children(1), tmp_path / "west")
    site = lhn.files_site("west", tmp_path / "west")
    program = (
        "import sys; from mainstem.config.settings import load_settings; from mainstem.refresh import open_refresh, run;"
        "from pathlib import Path\n"
        "with open_refresh(Path(sys.argv[1]), load_settings()) as refresh: run(refresh)\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, site],
        env=lhn.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    events = lhn.events()
    assert events
    assert not any(Header.TRACE_PARENT.value in event.headers for event in events)
    assert telemetry.span("map", "west/1") is telemetry.span("map", "west/2")
    assert telemetry.piece("transaction") is None


@pytest.mark.slow
def test_an_endpoint_that_is_away_fails_no_load(lhn: Network, tmp_path: Path) -> None:
    deliver(children(1), tmp_path / "west")
    on = {
        "MAINSTEM_TELEMETRY": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    assert lhn.mainstem("run", lhn.files_site("west", tmp_path / "west"), **on).returncode == 0
    assert len(lhn.events()) == RECORDS_A_CHILD


def test_a_word_that_is_none_is_refused_with_those_there_are(lhn: Network) -> None:
    done = lhn.mainstem("status", MAINSTEM_TELEMETRY="jaeger")
    assert done.returncode == 78
    assert "MAINSTEM_TELEMETRY" in done.stderr
    assert "otlp" in done.stderr


@pytest.mark.slow
def test_one_id_stands_in_every_line_from_pull_to_consumer(lhn: Network, tmp_path: Path) -> None:
    deliver(children(1), tmp_path / "west")
    lhn.files_site("west", tmp_path / "west")
    done = lhn.mainstem("--log", "json", "run", "west.toml")
    consumed = subprocess.run(
        [sys.executable, "-c", "from mainstem.config.logs import configure; configure('json')" + CONSUME],
        env=lhn.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    lines = [
        json.loads(line)
        for said in (done.stderr, consumed.stderr)
        for line in said.splitlines()
        if line.startswith("{")
    ]
    (load,) = {line["load"] for line in lines if "load" in line}
    said = [line["event"] for line in lines if line.get("load") == load]
    assert said[0] == "load planned"
    assert {"mapped", "published", "load completed"} <= set(said)
    assert said[-1] == "load told"
