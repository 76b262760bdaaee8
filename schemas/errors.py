"""Errors by what the operator does: try again, act first, or have the rest delivered."""


class MainstemError(Exception):
    """An error with its cause and its fix, both safe to print: no source text, no identifiers, no secrets."""

    exit_code = 1

    def __init__(self, cause: str, fix: str = "") -> None:
        super().__init__(cause, fix)
        self.cause = cause
        self.fix = fix

    def __str__(self) -> str:
        return self.cause


class TemporaryError(MainstemError):
    """Retry: the same call may succeed later (EHR down, broker down, rate limit)."""

    exit_code = 75

    def __init__(self, cause: str, fix: str = "", retry_after: float | None = None) -> None:
        super().__init__(cause, fix)
        self.retry_after = retry_after


class OperatorError(MainstemError):
    """Stop: somebody must act first (configuration, credentials, permissions, a brake)."""

    exit_code = 78


class IncompleteError(MainstemError):
    """What came is not whole (partial export, truncated body); the watermark stays."""

    exit_code = 65
