"""What pulling one unit of a site gave: references and counts, no patient data."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from schemas.errors import MainstemError
from schemas.gaps import GapCause
from schemas.outcomes import needed_by

EXPORT = "export"
"""The unit that is all types at once."""
EVERY_TYPE = ""
"""The type of a shortfall that names none: it holds every watermark of its unit, not the data."""
NAMED = 20
"""Of what is not read, as many are named."""


def unread(kinds: Mapping[str, int]) -> str:
    """`Claim (1), MeasureReport (2; needed by measure_result)`: types that are not read, and what the model makes of them."""
    return ", ".join(f"{name} ({count}{need(name)})" for name, count in sorted(kinds.items())[:NAMED])


def need(kind: str) -> str:
    """Which records of the model are made of a type that this version does not map."""
    return f"; needed by {', '.join(records)}" if (records := needed_by(kind)) else ""


class Shortfall(msgspec.Struct, frozen=True):
    """Something that did not come, and of which type."""

    type: str
    """A resource type, or EVERY_TYPE."""
    cause: GapCause
    reason: str
    """In words that hold no source text."""
    fix: str = ""
    """What to do, where that is known better than by the cause."""
    who: str = ""
    """Who can do it, where `fix` says something."""

    @classmethod
    def of_error(cls, resource_type: str, error: MainstemError) -> "Shortfall":
        """What an error of ours left unread."""
        return cls(resource_type, error.gap, error.cause, error.fix, error.who)


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """The result of pulling one unit; JSON by msgspec."""

    unit: str
    files: list[str] = []
    """Names in the landing folder."""
    resources: int = 0
    """Resources landed, messages not among them."""
    types: dict[str, int] = {}
    """Resources landed by type, as asked for or named by the server."""
    pages: int = 0
    """Pages or files read."""
    bytes: int = 0
    """Bytes landed, unpacked."""
    messages: int = 0
    """OperationOutcomes the server sent among the results; landed as that type."""
    short: list[Shortfall] = []
    """What did not come of what was asked for; the watermarks of those types stay."""
    delivered: bool = True
    """False where a folder holds no file of the type: nothing was said about it, so its watermark stays as it is."""
    digest: str = ""
    """Of all that a folder holds of the type: the same for the same delivery, and empty where nothing is."""
    notes: list[str] = []
    """What somebody may want to know though nothing is missing."""
    full: bool = False
    """Whether everything was read, not what was updated since: none was asked for, or the server does not heed it."""
    heeds: bool | None = None
    """Whether the server heeds `_lastUpdated`; None where this pull proved nothing of it."""
    counted: bool = False
    """Whether just as many came as the server counts."""
    way: str = ""
    """What the type was asked for by, one value at a time; empty for a plain search, and for whom a roster names."""
    timed: bool = True
    """Whether `as_of` is the server's own word up to when all came. A Date beside nothing is not, nor is our clock."""
    newest: datetime | None = None
    """Newest meta.lastUpdated seen; stamps in the future are ignored."""
    as_of: datetime
    """The server's own time of the answer, else when the pull began."""

    @property
    def complete(self) -> bool:
        """Whether all that was asked for came."""
        return not self.short

    @property
    def error(self) -> str:
        """Why not complete, in words that hold no source text."""
        return reasons(self.short)

    def missing(self, resource_type: str) -> list[Shortfall]:
        """What did not come of a type."""
        return [each for each in self.short if each.type in (resource_type, EVERY_TYPE)]

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values, to be stored and handed between tasks."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def reasons(short: Iterable[Shortfall]) -> str:
    """Why something did not come, each reason once."""
    return "; ".join(dict.fromkeys(each.reason for each in short))
