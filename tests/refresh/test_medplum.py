"""A real server that counts and names no next page, and one that does neither: Medplum's router, over two nights."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any
from urllib.request import Request, urlopen

import pytest
from network_under_test import Network

REPOSITORY = Path(__file__).parents[2]
MODULES = REPOSITORY / "var" / "medplum" / "node_modules"
SERVER = REPOSITORY / "tests" / "support" / "medplum_server.cjs"
pytestmark = pytest.mark.medplum


@pytest.fixture(params=["counts", "bare"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The base URL of a server of this test's own."""
    node = shutil.which("node")
    if node is None or not (MODULES / "@medplum").exists():
        reason = "no Node, or no @medplum/fhir-router: `make medplum` fetches it"
        pytest.fail(reason) if os.environ.get("MAINSTEM_REQUIRE_MEDPLUM") else pytest.skip(reason)
    environment = {**os.environ, "NODE_PATH": str(MODULES)}
    with Popen([node, SERVER, request.param], stdout=PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/fhir"
        finally:
            process.terminate()


def put(base: str, *resources: dict[str, Any]) -> None:
    """Resources into the server, over its own interface."""
    for each in resources:
        url, body = f"{base}/{each['resourceType']}/{each['id']}", json.dumps(each).encode()
        with urlopen(Request(url, body, {"Content-Type": "application/fhir+json"}, method="PUT")) as answer:
            assert json.load(answer)["id"] == each["id"]


def patient(number: int, **values: Any) -> dict[str, Any]:
    ident = f"00000000-0000-4000-8000-{number:012}"
    return {"resourceType": "Patient", "id": ident, "birthDate": "2015-03-01", **values}


def test_pages_without_a_next_are_read_to_their_end_both_nights(lhn: Network, server: str) -> None:
    """Counted or not: 37 patients in pages of ten, and the second night what changed."""
    put(server, *(patient(number) for number in range(37)))
    source = f'[fhir]\nbase_url = "{server}"\npage_size = 10\nrequests_per_second = 1000\n'
    site = lhn.site("west", source, road="search", types=["Patient"])
    first = lhn.refresh(site)
    assert (first.status, first.total.recorded, first.gaps) == ("completed", 37, [])
    put(server, patient(3, gender="female"), patient(99))
    second = lhn.refresh(site)
    assert (second.status, second.total.recorded, second.total.amended) == ("completed", 1, 1)
    assert lhn.refresh(site, mode="full").total.read >= 38
