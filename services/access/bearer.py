"""Who asks by a token instead of a cookie: scripts and warehouses. A token reads; it sends no form, and stands in no address."""

from typing import Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.access.viewers import Viewer


class BearerError(HTTPException):
    """A token is not taken. Says why, never the token."""

    def __init__(self, words: str, status: int = 401) -> None:
        super().__init__(status, words, headers={"WWW-Authenticate": 'Bearer realm="feedback"'})


class Bearers(Protocol):
    """Tells whose a token is."""

    def viewer(self, secret: str) -> Viewer:
        """Whoever it speaks for. Raises BearerError."""
        ...


def bearer_of(request: Request) -> str | None:
    """The token that was sent, of whatever form; None where the request speaks by cookies or not at all."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else None
