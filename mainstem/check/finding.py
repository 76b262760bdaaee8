"""One thing that was tried, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from schemas.errors import IncompleteError, MainstemError, TemporaryError
from schemas.gaps import Who
from schemas.showing import shown

Kind = Literal["", "temporary", "operator", "incomplete"]


@dataclass(frozen=True)
class Finding:
    """What was tried and what was seen."""

    name: str
    ok: bool
    what: str
    """What was seen, or the cause."""
    fix: str = ""
    """What to do."""
    who: Who | Literal[""] = ""
    """Who can do it."""
    kind: Kind = ""
    """Where it failed: whether the same may succeed later, somebody must act first, or only something is missing."""
    resource_type: str = ""
    """The one type it is about; a site is read without it, leaving a gap."""


def tried(name: str, who: Who, attempt: Callable[[], str], *, resource_type: str = "") -> Finding:
    """What came of an attempt, which says what it saw."""
    try:
        return Finding(name, True, shown(attempt()), resource_type=resource_type)
    except MainstemError as exc:
        return failed(name, who, exc, resource_type=resource_type)


def failed(name: str, who: Who, error: MainstemError, *, resource_type: str = "") -> Finding:
    """An attempt that failed; the error's kind is kept."""
    kind: Kind = "operator"
    if isinstance(error, TemporaryError):
        kind = "temporary"
    elif isinstance(error, IncompleteError):
        kind = "incomplete"
    return Finding(name, False, error.cause, error.fix, who, kind, resource_type)
