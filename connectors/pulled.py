"""What pulling one unit of a site gave: references and counts, no patient data."""

from datetime import datetime
from typing import Any

import msgspec

EXPORT = "export"
"""The unit that is all types at once."""


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
    complete: bool = True
    """Whether all that was asked for came; the watermark stays where not."""
    error: str = ""
    """Why not complete, in words that hold no source text."""
    delivered: bool = True
    """False where a folder holds no file of the type: nothing was said about it, so its watermark stays as it is."""
    notes: list[str] = []
    """What somebody may want to know though nothing is missing."""
    newest: datetime | None = None
    """Newest meta.lastUpdated seen; stamps in the future are ignored."""
    as_of: datetime
    """The server's own time of the answer, else when the pull began."""

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values, to be stored and handed between tasks."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain
