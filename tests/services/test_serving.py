"""What a service tells whoever started it: where it is, and how far."""

import asyncio
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from network_under_test import MAINSTEM, Network
from starlette.types import Message, Receive, Scope, Send
from synthetic_children import RECORDS_A_CHILD, children, deliver
from waiting import wait_until

from services.registry.api import make_app
from services.registry.running import NO_TOKEN
from services.serving import FORM, LineEndsAsTyped


@contextmanager
def started(network: Network, *arguments: str, **environment: str) -> Iterator[Path]:
    """The command, running; what it says on standard error."""
    said = network.folder / "said"
    with said.open("wb") as file:
        environment = network.environment | environment
        process = subprocess.Popen([MAINSTEM, *arguments], stderr=file, cwd=network.folder, env=environment)
    try:
        yield said
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130)
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(180)
@pytest.mark.slow
def test_registry_says_that_it_starts_has_caught_up_and_stops(lhn: Network, tmp_path: Path) -> None:
    """A line each on the terminal: from where to where, up to when with how many, and again after news."""
    deliver(children(2), tmp_path / "delivery")
    site = lhn.files_site("north", tmp_path / "delivery")
    lhn.refresh(site)
    events = 2 * RECORDS_A_CHILD
    with started(lhn, "registry", "run") as said:
        wait_until(lambda: "caught up" in said.read_text(), 60)
        deliver(children(3), tmp_path / "delivery")
        lhn.refresh(site)
        wait_until(lambda: said.read_text().count("caught up") > 1, 60)
    start, caught_up, again, stopped = said.read_text().splitlines()
    assert re.fullmatch(
        rf"Registry: {lhn.settings.network}\.outcome\.v1 at \S+ into PostgreSQL .*, until Ctrl-C", start
    )
    assert re.fullmatch(
        rf"Registry: caught up at \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC: {events} events since the start", caught_up
    )
    assert f" UTC: {3 * RECORDS_A_CHILD} events since the start" in again
    assert stopped == f"Registry: stopped: {3 * RECORDS_A_CHILD} events handled"


@pytest.mark.parametrize(
    ("command", "what"), [(("feedback",), "Feedback pages of network "), (("registry", "serve"), "Registry's API")]
)
@pytest.mark.timeout(120)
@pytest.mark.slow
def test_server_says_its_address_once_it_answers(lhn: Network, command: tuple[str, ...], what: str) -> None:
    """The address said is the one that answers; the log tells each answer by its route."""
    with started(lhn, *command, "--port", "0", MAINSTEM_LOG="json", MAINSTEM_DEMO_ROLES="north") as said:
        wait_until(lambda: " at http://" in said.read_text(), 60)
        *before, line = [line for line in said.read_text().splitlines() if not line.startswith("{")]
        assert before == ([NO_TOKEN] if command[0] == "registry" else [])
        assert line.startswith(what)
        asked = Request(f"{line.rpartition(' ')[2]}/health", method="HEAD")
        assert urlopen(asked, timeout=60).status == 200
    assert '"route":"/health"' in said.read_text().replace('": "', '":"')


@pytest.mark.slow
def test_taken_port_is_an_operators_error(lhn: Network) -> None:
    """Which address, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = lhn.mainstem("feedback", "--port", port, MAINSTEM_DEMO_ROLES="north")
    assert result.returncode != 0
    assert f"127.0.0.1:{port} cannot be listened at" in result.stderr
    assert "--port" in result.stderr


def test_api_answers_head_as_get_everywhere(small_registry: object) -> None:
    """The registry's API too, down to its description."""
    from fastapi.testclient import TestClient

    client = TestClient(make_app(small_registry))  # type: ignore[arg-type]
    given = {"name": "observation", "record_type": "observation", "record_id": "r-none", "version": "0.1.0"}
    patterns = {route.path for route in client.app.routes if "GET" in (getattr(route, "methods", None) or ())}
    for address in sorted(pattern.format(**given) for pattern in patterns):
        get, head = client.get(address), client.head(address)
        assert (head.status_code, head.content) == (get.status_code, b""), address


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 100])
def test_line_ends_of_forms_are_as_typed_wherever_the_parts_of_a_request_are_cut(size: int) -> None:
    """One sign each; what only begins like one stays, and what is no form."""
    sent = b"words=a%0D%0Ab%0d%0ac%0D%0D%0A%0Dd%0&e=%"
    cut = [sent[place : place + size] for place in range(0, len(sent), size)]
    for kind, given in ((FORM, sent.replace(b"%0D%0A", b"%0A").replace(b"%0d%0a", b"%0A")), ("text/plain", sent)):
        parts: Iterator[Message] = iter(
            [*({"body": part, "more_body": True} for part in cut), {"body": b"", "more_body": False}]
        )
        came: list[bytes] = []

        async def receive(parts: Iterator[Message] = parts) -> Message:
            return {"type": "http.request", **next(parts)}

        async def app(_scope: Scope, receive: Receive, _send: Send, came: list[bytes] = came) -> None:
            more = True
            while more:
                message = await receive()
                more = message["more_body"]
                came.append(message["body"])

        scope = {"type": "http", "headers": [(b"content-type", kind.encode())]}
        asyncio.run(LineEndsAsTyped(app)(scope, receive, None))  # type: ignore[arg-type]
        assert b"".join(came) == given
