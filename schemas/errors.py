"""Errors by what the operator does: try again, act first, or have the rest delivered; and what each exit code means."""

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum

from schemas.gaps import GapCause, Who
from schemas.showing import shown

LONGEST = 4_000
"""Characters of one line of a cause or a fix."""


class ExitCode(IntEnum):
    """How a command ended: one meaning a code. Each has `meaning`."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> "ExitCode":
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "Done; nothing needs attention."
    DEFECT = (
        1,
        "A defect: of Mainstem, to be reported with what the screen says; or of a measure that does not give what its cases expect.",
    )
    USAGE = 2, "The command was not understood: an unknown option, a missing argument."
    ATTENTION = 3, "Done, and something needs attention: gaps, what waits or was refused, a difference that was found."
    NOT_WHOLE = 65, "What came is not whole; it is read again by the next run."
    LATER = 75, "Try again later: the EHR, the broker or the database did not answer, or somebody else is at it."
    ACT_FIRST = 78, "Somebody must act first: configuration, log-in, permissions, a name that does not exist."
    INTERRUPTED = 130, "Ended by Ctrl-C."
    PIPE_CLOSED = 141, "Whoever read the output stopped reading."


class MainstemError(Exception):
    """An error with its cause and its fix, both safe to print: no source text, no identifiers, no secrets.

    Each is one printable line, whatever words of others stand in it; several faults found at once are a line each.
    """

    exit_code = ExitCode.DEFECT
    gap = GapCause.NOT_WHOLE
    """Why a type is missing that this error left unread."""
    who: Who = "network"
    """Who can apply the fix; by the cause, whoever reads it."""

    def __init__(self, cause: str | Sequence[str], fix: str = "", *, who: Who | None = None) -> None:
        super().__init__(cause, fix)
        self.who = who or self.who
        self.causes = tuple(shown(line, LONGEST) for line in ([cause] if isinstance(cause, str) else cause))
        self.fix = shown(fix, LONGEST)

    @property
    def cause(self) -> str:
        """What is wrong, a line a fault."""
        return "\n".join(self.causes)

    def __str__(self) -> str:
        return self.cause


class WaitsElsewhere(BaseException):
    """A long wait is spent without this process: what was asked for stands at the EHR, and is asked for again then."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class TemporaryError(MainstemError):
    """Retry: the same call may succeed later (EHR down, broker down, rate limit)."""

    exit_code = ExitCode.LATER
    gap = GapCause.NOT_ANSWERED

    def __init__(
        self, cause: str | Sequence[str], fix: str = "", retry_after: float | None = None, *, who: Who | None = None
    ) -> None:
        super().__init__(cause, fix, who=who)
        self.retry_after = retry_after


class OperatorError(MainstemError):
    """Stop: somebody must act first (configuration, credentials, permissions, a brake)."""

    exit_code = ExitCode.ACT_FIRST
    gap = GapCause.REFUSED


class IncompleteError(MainstemError):
    """What came is not whole (partial export, truncated body); the watermark stays."""

    exit_code = ExitCode.NOT_WHOLE

    def __init__(
        self,
        cause: str | Sequence[str],
        fix: str = "",
        *,
        gap: GapCause = GapCause.NOT_WHOLE,
        who: Who | None = None,
    ) -> None:
        super().__init__(cause, fix, who=who)
        self.gap = gap
