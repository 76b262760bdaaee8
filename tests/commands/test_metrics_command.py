"""What a monitor is told: the state's and the consumers' figures; rules and dashboard ask for nothing that is not told."""

import json
import re
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from network_under_test import MAINSTEM, Network
from synthetic_children import RECORDS_A_CHILD, children, deliver
from waiting import wait_until

from mainstem.config.metrics import gauge
from mainstem.consumer.progress import METRICS
from mainstem.state.metrics import OF_SITES, OF_TYPES, STATE
from schemas.errors import OperatorError
from services.serving import HEADERS

REPOSITORY = Path(__file__).parents[2]
MONITORING = REPOSITORY / "docker" / "monitoring"
TOLD = {*OF_SITES, *OF_TYPES, *METRICS, STATE}


def figures(text: str) -> dict[str, float]:
    """Name and labels → value."""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}


def test_sites_are_told_as_figures(lhn: Network, tmp_path: Path) -> None:
    """One that was loaded, one that never was, one whose file is broken; served, too, until stopped."""
    deliver(children(2), tmp_path / "west")
    assert lhn.mainstem("run", lhn.files_site("west", tmp_path / "west")).returncode == 0
    lhn.files_site("north", tmp_path / "west")
    broken = lhn.files_site("east", tmp_path / "west")
    broken.write_text(broken.read_text().replace("road = ", "raod = "))
    environment = {
        **lhn.environment,
        "MAINSTEM_SITES": str(lhn.folder),
        "MAINSTEM_REGISTRY_URL": f"sqlite:///{tmp_path}/r.db",
    }
    command = [str(MAINSTEM), "metrics"]
    once = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    told = figures(once.stdout)
    assert told, once.stdout
    assert told['mainstem_site_state{site="west",state="ok"}'] == 1
    assert told['mainstem_site_state{site="north",state="never loaded"}'] == 1
    assert told['mainstem_site_needs_attention{site="east"}'] == 1
    records = sum(value for name, value in told.items() if name.startswith("mainstem_type_records{"))
    assert records == 2 * RECORDS_A_CHILD
    assert all(0 <= value < 600 for name, value in told.items() if name.startswith("mainstem_type_oldest"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([*command, "--serve", "--port", str(port)], env=environment, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answer(f"{address}/metrics") is not None)
        assert figures(_answer(f"{address}/metrics") or "").keys() == told.keys()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{address}/other", timeout=60)
    finally:
        server.terminate()
        server.wait(60)


def _answer(address: str) -> str | None:
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return str(answer.read().decode())
    except urllib.error.URLError:
        return None


def test_rules_and_dashboard_ask_for_what_is_told() -> None:
    """Every figure is on the dashboard or in a rule but for those that only say when; every runbook's section is there."""
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    asked = " ".join(
        [rule["expr"] for rule in rules] + [each["expr"] for panel in dashboard["panels"] for each in panel["targets"]]
    )
    named = set(re.findall(r"mainstem_\w+", asked))
    assert named <= TOLD
    assert {name for name in TOLD - named if "timestamp" not in name} == set()
    for rule in rules:
        page, _, section = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^## (.+)$", (REPOSITORY / page).read_text(), re.MULTILINE)
        assert section in {heading.lower().replace(" ", "-") for heading in headings}, rule["alert"]
        assert rule["annotations"]["summary"]


def test_a_label_is_one_line_whatever_stands_in_it() -> None:
    text = gauge("x", "What it is.", [({"site": 'a"b\\c\nd'}, 1.0)])
    assert text.splitlines()[2] == 'x{site="a\\"b\\\\c d"} 1.000'


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, dict[str, str]]]:
    """Asks a served endpoint for a path under a host name; what it is asked for fails as `monkeypatch` says."""
    from mainstem.commands import metrics

    servers: list[ThreadingHTTPServer] = []

    class Noted(ThreadingHTTPServer):
        def server_activate(self) -> None:
            super().server_activate()
            servers.append(self)

    monkeypatch.setattr("http.server.ThreadingHTTPServer", Noted)

    def ask(
        path: str, host: str, asked: Callable[[], str] = lambda: "mainstem_x 1\n"
    ) -> tuple[int, str, dict[str, str]]:
        thread = Thread(target=metrics._serve, args=(asked, "127.0.0.1", 0), daemon=True)
        thread.start()
        wait_until(lambda: bool(servers))
        connection = HTTPConnection("127.0.0.1", servers[-1].socket.getsockname()[1], timeout=60)
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        found = answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        servers.pop().shutdown()
        thread.join(10)
        return found

    return ask


def test_the_endpoint_is_as_strict_as_the_api(served: Any) -> None:
    """Headers on every answer, an answer to its own names alone, and of an error a line, in whatever letters it is."""

    def away() -> str:
        raise OperatorError("datenbank «für Köln»\r\nX-Forged: 1 is away", "Start it.")

    def broken() -> str:
        raise KeyError("Quilla Planted")

    status, text, headers = served("/metrics", "localhost")
    assert (status, text) == (200, "mainstem_x 1\n")
    assert headers.items() >= {name.lower(): value for name, value in HEADERS.items()}.items()
    assert [served("/metrics", host)[0] for host in ("evil.example", "", "127.0.0.1.evil.example")] == [400, 400, 400]
    assert served("/other", "127.0.0.1")[0] == 404
    status, text, headers = served("/metrics", "127.0.0.1", away)
    assert status == 503
    assert "Köln" in text
    assert "x-forged" not in headers
    status, text, _ = served("/metrics", "127.0.0.1", broken)
    assert (status, "Quilla" in text) == (500, False)
