"""One thing that was tried, and what came of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from schemas.errors import ExitCode, IncompleteError, MainstemError, OperatorError, TemporaryError
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


def tried(name: str, attempt: Callable[[], str], *, resource_type: str = "") -> Finding:
    """What came of an attempt, which says what it saw."""
    try:
        return Finding(name, True, shown(attempt()), resource_type=resource_type)
    except MainstemError as exc:
        return failed(name, exc, resource_type=resource_type)


def alike(findings: Iterable[Finding]) -> list[tuple[list[str], Finding]]:
    """Findings that are told alike, once, with the names of what they are of: a client without rights, say."""
    found: dict[tuple[bool, str, str], tuple[list[str], Finding]] = {}
    for finding in findings:
        told = replace(finding, what=finding.what.removeprefix(f"{finding.name}: "))
        names, _ = found.setdefault((told.ok, told.what, told.fix), ([], told))
        names.append(finding.name)
    return list(found.values())


def stopping(findings: Sequence[Finding]) -> list[Finding]:
    """What failed and stops the whole site: anything but a single type, and but what is merely missing; or every type."""
    types = [finding for finding in findings if finding.resource_type]
    if types and not any(finding.ok for finding in types):
        return [finding for finding in findings if not finding.ok]
    return [f for f in findings if not f.ok and not f.resource_type and f.kind != "incomplete"]


def error_of(stopped: Sequence[Finding]) -> MainstemError:
    """What stops a site as an error: somebody must act, else it may pass, else it is not whole."""
    cause = "; ".join(f"{', '.join(names)}: {told.what}" for names, told in alike(stopped))
    for kind, error in (("operator", OperatorError), ("temporary", TemporaryError)):
        if first := next((finding for finding in stopped if finding.kind == kind), None):
            return error(cause, first.fix, who=first.who or None)
    return IncompleteError(cause, stopped[0].fix, who=stopped[0].who or None)


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """How a check ended: as a run would that stops at what was found; where only something is missing, with a warning."""
    if stopped := stopping(findings):
        return error_of(stopped).exit_code
    return ExitCode.DONE if all(finding.ok for finding in findings) else ExitCode.ATTENTION


def failed(name: str, error: MainstemError, *, resource_type: str = "") -> Finding:
    """An attempt that failed; the error says who can mend it, and its kind is kept."""
    kind: Kind = "operator"
    if isinstance(error, TemporaryError):
        kind = "temporary"
    elif isinstance(error, IncompleteError):
        kind = "incomplete"
    return Finding(name, False, error.cause, error.fix, error.who, kind, resource_type)
