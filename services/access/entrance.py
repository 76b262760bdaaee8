"""How somebody comes in: the port that a log-in, the demo's switch and the tests fill."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from services.access.viewers import Viewer


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who came in, and the token by which their forms are known to be theirs."""

    viewer: Viewer
    form_token: str


class Entrance(Protocol):
    """Tells who asks."""

    def visit(self, cookies: Mapping[str, str]) -> Visit | None:
        """Whoever the request's cookies speak for; nobody where they speak for none."""
        ...
