"""Sites to be read, a clock that stands still, resources, a server that says what it is told."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.pulling import Source
from schemas.sites import Site

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


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
