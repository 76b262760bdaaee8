"""Errors by what the operator does: try again, act first, or have the rest delivered."""

from collections.abc import Sequence

from schemas.gaps import GapCause
from schemas.showing import shown

LONGEST = 4_000
"""Characters of one line of a cause or a fix."""


class MainstemError(Exception):
    """An error with its cause and its fix, both safe to print: no source text, no identifiers, no secrets.

    Each is one printable line, whatever words of others stand in it; several faults found at once are a line each.
    """

    exit_code = 1
    gap = GapCause.NOT_WHOLE
    """Why a type is missing that this error left unread."""

    def __init__(self, cause: str | Sequence[str], fix: str = "") -> None:
        super().__init__(cause, fix)
        self.causes = tuple(shown(line, LONGEST) for line in ([cause] if isinstance(cause, str) else cause))
        self.fix = shown(fix, LONGEST)

    @property
    def cause(self) -> str:
        """What is wrong, a line a fault."""
        return "\n".join(self.causes)

    def __str__(self) -> str:
        return self.cause


class TemporaryError(MainstemError):
    """Retry: the same call may succeed later (EHR down, broker down, rate limit)."""

    exit_code = 75
    gap = GapCause.NOT_ANSWERED

    def __init__(self, cause: str | Sequence[str], fix: str = "", retry_after: float | None = None) -> None:
        super().__init__(cause, fix)
        self.retry_after = retry_after


class OperatorError(MainstemError):
    """Stop: somebody must act first (configuration, credentials, permissions, a brake)."""

    exit_code = 78
    gap = GapCause.REFUSED


class IncompleteError(MainstemError):
    """What came is not whole (partial export, truncated body); the watermark stays."""

    exit_code = 65

    def __init__(self, cause: str | Sequence[str], fix: str = "", *, gap: GapCause = GapCause.NOT_WHOLE) -> None:
        super().__init__(cause, fix)
        self.gap = gap
