"""What the connectors' tests share: sites, a clock that stands still, resources, a server that says what it is told."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import stamina

from connectors.formats.ndjson import read_lines
from connectors.landing import Landing
from connectors.pulling import Source, Wanted, pull
from schemas.sites import Site

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Three attempts, without pauses between them."""
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    folder = Landing(tmp_path / "landing")
    folder.open()
    return folder


@pytest.fixture
def make_site() -> Callable[..., Site]:
    """A site; `fhir`, `files` and `limits` as dictionaries."""

    def make(**given: Any) -> Site:
        given = {"fhir": {"base_url": "http://127.0.0.1:1/fhir"}, **given} if "files" not in given else given
        if "fhir" in given:
            given["fhir"] = {"requests_per_second": 10_000, **given["fhir"]}
        return Site.model_validate(
            {
                "site": "north",
                "name": "North",
                "time_zone": "UTC",
                "subject_key": "env:KEY",
                "types": ["Patient"],
                **given,
            }
        )

    return make


@pytest.fixture
def source_of(tmp_path: Path) -> Callable[..., Source]:
    """A site as it is read at NOW, with no pauses; secrets are files of the test's folder."""

    def make(site: Site, **given: Any) -> Source:
        usual = {
            "folder": tmp_path,
            "secrets": lambda reference: (tmp_path / reference.partition(":")[2]).read_bytes(),
            "clock": lambda: NOW,
            "sleep": lambda _seconds: None,
        }
        return Source(site=site, **{**usual, **given})

    return make


@pytest.fixture
def pull_unit(landing: Landing, source_of: Callable[..., Source]) -> Callable[..., Any]:
    """`pull` into the test's landing; what is given goes to the source, or says what is wanted."""

    def run(site: Site, unit: str, **given: Any) -> Any:
        wanted = {name: given.pop(name) for name in ("since", "until", "progress") if name in given}
        return pull(source_of(site, **given), Wanted(unit=unit, landing=landing, **wanted))

    return run


@pytest.fixture
def ids(landing: Landing) -> Callable[[str], list[str]]:
    """Ids of the type's landed resources, in order."""

    def read(resource_type: str) -> list[str]:
        lines = (line for path in landing.files(resource_type) for line in read_lines(path, cap=1 << 26))
        return [json.loads(line)["id"] for line in lines]  # type: ignore[arg-type]  # a Problem fails the test, rightly

    return read


def patient(number: int, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": f"p{number}", "meta": {"lastUpdated": "2029-01-01T00:00:00Z"}, **more}


def bundle(*resources: dict[str, Any], next_url: str = "", total: int | None = None) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        **({"total": total} if total is not None else {}),
        "link": [{"relation": "next", "url": next_url}] if next_url else [],
        "entry": [{"resource": resource, "search": {"mode": "match"}} for resource in resources],
    }


@pytest.fixture
def fhir() -> Any:
    """Builders of resources and bundles: `fhir.patient(1)`, `fhir.bundle(…, next_url=…)`."""

    class Builders:
        base = "http://127.0.0.1:1/fhir"

    Builders.patient = staticmethod(patient)  # type: ignore[attr-defined]
    Builders.bundle = staticmethod(bundle)  # type: ignore[attr-defined]
    return Builders


class Saying(httpx2.BaseTransport):
    """A server that gives the answers it is told, one after the other, the last for ever; it remembers the requests."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        # a copy: after a 401 the same request comes again, with another token
        self.requests.append(
            httpx2.Request(request.method, request.url, headers=request.headers, content=request.content)
        )
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(request)
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)


@pytest.fixture
def saying() -> type[Saying]:
    return Saying
