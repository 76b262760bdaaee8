"""What the attacks share: a server that says what it is told, and no pauses between attempts."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import stamina


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


class Saying(httpx2.BaseTransport):
    """Answers every request by a function of it, or with the same answer; remembers the requests."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.requests: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        answer = self.answer(request) if callable(self.answer) else self.answer
        if isinstance(answer, httpx2.Response):
            return answer
        if isinstance(answer, bytes):
            return httpx2.Response(200, content=answer, headers={"Content-Type": "application/fhir+json"})
        return httpx2.Response(200, json=answer)


@pytest.fixture
def saying() -> type[Saying]:
    return Saying
