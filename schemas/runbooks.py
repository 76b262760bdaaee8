"""Which page of the documentation answers a code: of each gap, reason, exit code and alert the one place that says what to do."""

PROBLEMS, ALERTS, NIGHT = "reference/problems", "how-to/alerts", "how-to/night"
"""Pages of the documentation site, as they are called there and, with `.md`, in `docs/`."""


def of_gap(cause: str) -> str:
    """Page and section of a gap's cause."""
    return f"{PROBLEMS}#gap-{cause}"


def of_reason(reason: str) -> str:
    """Page and section of the reason why a resource gave no record."""
    return f"{PROBLEMS}#reason-{reason}"


def of_exit_code(code: int) -> str:
    """Page and section of how a command ended."""
    return f"{PROBLEMS}#exit-{int(code)}"


def found_at(place: str, served: str) -> str:
    """A place as people find it: an address where it is said where the documentation is served, else its file."""
    page, _, section = place.partition("#")
    section = f"#{section}" if section else ""
    if served.startswith(("https://", "http://")):
        return f"{served.rstrip('/')}/{page}/{section}"
    return f"docs/{page}.md{section}"
