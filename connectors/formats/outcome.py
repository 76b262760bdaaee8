"""An OperationOutcome's errors: their codes and what kind of thing went wrong, never the server's own words."""

import re
from collections.abc import Sequence

import msgspec

from connectors.outside.decoding import ABSENT, Unreadable, decoded, elements, said
from schemas.errors import IncompleteError, OperatorError
from schemas.gaps import GapCause

ISSUE_TYPES = frozenset(
    [
        "invalid",
        "structure",
        "required",
        "value",
        "invariant",
        "security",
        "login",
        "unknown",
        "expired",
        "forbidden",
        "suppressed",
        "processing",
        "not-supported",
        "duplicate",
        "multiple-matches",
        "not-found",
        "deleted",
        "too-long",
        "code-invalid",
        "extension",
        "too-costly",
        "business-rule",
        "conflict",
        "transient",
        "lock-error",
        "no-store",
        "exception",
        "timeout",
        "incomplete",
        "throttled",
        "informational",
        "success",
    ]
)
"""FHIR's issue types; whatever else stands there may be anything."""
FORBIDDING = ("security", "login", "forbidden", "expired")
"""Issue types of what may not be asked for, however it is asked."""
LOOKED_AT = 2_000
"""Characters of a text that are looked at."""
HARMLESS = frozenset({"warning", "information", "success"})
"""Severities that take nothing away from what came. One that is missing or unknown may."""
KINDS = (
    ("out of memory", re.compile(r"out ?of ?memory|heap space", re.IGNORECASE)),
    ("timed out", re.compile(r"tim(?:ed?|e-?) ?out|deadline|too long", re.IGNORECASE)),
    ("too much asked", re.compile(r"too (?:many|large|much|costly)|exceed|limit|quota|throttl", re.IGNORECASE)),
    ("not permitted", re.compile(r"permi|authori[sz]|forbidden|denied|scope|log-?in|token|credential", re.IGNORECASE)),
    ("not supported", re.compile(r"support|implemented|unknown (?:search )?param|not valid|invalid", re.IGNORECASE)),
    ("not available", re.compile(r"unavailable|maintenance|offline|down|try again|later|busy|lock", re.IGNORECASE)),
    ("database", re.compile(r"database|\bSQL\b|connection|index|cursor|JDBC|ORA-\d", re.IGNORECASE)),
    ("program error", re.compile(r"exception|null|stack|internal|unexpected|fail|error", re.IGNORECASE)),
)
"""What a diagnostics text speaks of; the first that fits."""


_REQUIRED, _TOO_COSTLY = "required", "too-costly"
_WANTED = re.compile(r"requir|missing|must\b|at least one|mandatory|need|either", re.IGNORECASE)
_PARAMETER = re.compile(r"param|categor|\bcode\b|patient|subject|\bsearch|\b_id\b|identifier", re.IGNORECASE)


class ParameterWanted(OperatorError):
    """A search is refused because it asks for too much at once: the server wants one more parameter."""


class _Outcome(msgspec.Struct):
    issue: msgspec.Raw = ABSENT


class _Issue(msgspec.Struct):
    severity: msgspec.Raw = ABSENT
    code: msgspec.Raw = ABSENT
    diagnostics: msgspec.Raw = ABSENT
    details: msgspec.Raw = ABSENT


class _Details(msgspec.Struct):
    text: msgspec.Raw = ABSENT


_OUTCOME = msgspec.json.Decoder(_Outcome)


def errors_of(outcome: bytes) -> list[str]:
    """The errors of an OperationOutcome; one that cannot be read may be an error."""
    try:
        return errors_in(decoded(outcome, _OUTCOME).issue)
    except Unreadable:
        return ["unreadable"]


def errors_in(issues: msgspec.Raw) -> list[str]:
    """Those of severity error or fatal, each by code and kind: `exception, timed out`."""
    found, unreadable = elements(issues, _Issue)
    errors = [_named(issue) for issue in found if said(issue.severity, str, "").strip().lower() not in HARMLESS]
    return errors + ["unreadable"] * unreadable


def wants_parameter(outcome: bytes) -> bool:
    """Whether an OperationOutcome says that a search lacks a parameter: by its code, else in its words."""
    try:
        return parameter_wanted_in(decoded(outcome, _OUTCOME).issue)
    except Unreadable:
        return False


def names_required(outcome: bytes) -> bool:
    """Whether an OperationOutcome has the code of what is required, be it as a warning: of a page that gives nothing it says why."""
    try:
        issues = elements(decoded(outcome, _OUTCOME).issue, _Issue)[0]
    except Unreadable:
        return False
    return any(_code(issue) == _REQUIRED for issue in issues)


def parameter_wanted_in(issues: msgspec.Raw) -> bool:
    """The same of its issues; those that are no errors take nothing away."""
    return any(
        _code(issue) in (_REQUIRED, _TOO_COSTLY)
        or (_WANTED.search(text := _words(issue)) is not None and _PARAMETER.search(text) is not None)
        for issue in elements(issues, _Issue)[0]
        if said(issue.severity, str, "").strip().lower() not in HARMLESS
    )


def _words(issue: _Issue) -> str:
    details = said(said(issue.details, _Details, _Details()).text, str, "")
    return f"{said(issue.diagnostics, str, '')} {details}"[:LOOKED_AT]


def parameter_wanted(what: str) -> ParameterWanted:
    """The refusal, in our words."""
    return ParameterWanted(
        f"{what}: the server takes no search without a further parameter, such as category or patient",
        "Set fhir.vendor if the vendor is known; or name the patients in [cohort], so that they are asked for one by one.",
    )


def _code(issue: _Issue) -> str:
    return said(issue.code, str, "").strip().lower()


def _named(issue: _Issue) -> str:
    code = _code(issue)
    text = said(issue.diagnostics, str, "")
    kind = next((name for name, words in KINDS if words.search(text)), "")
    return ", ".join(filter(None, (code if code in ISSUE_TYPES else "no code of FHIR's", kind)))


ANOTHER_TYPE = "resources of another type"
"""In the place of an error's code: nothing that was asked for came, but something else."""
NAMED_ALONE = "entries that name a resource and come without it"
"""The same of what a server, or a gateway before it, took out of a page that was made."""


def among_results(what: str, errors: Sequence[str]) -> IncompleteError:
    """What stands among a search's results says that they are not all, or none."""
    if not {ANOTHER_TYPE, NAMED_ALONE}.issuperset(errors):
        return error_answer(what, errors, "among the results")
    fix = "Check fhir.base_url and the gateway in front of it, and tell the EHR vendor."
    return IncompleteError(f"{what}: the server answers with {'; '.join(errors)}", fix, gap=GapCause.ERROR_ANSWER)


def error_answer(what: str, errors: Sequence[str], where: str = "instead of data") -> IncompleteError:
    """A server says that it failed, with a status that says it did not."""
    named = "; ".join(dict.fromkeys(errors)) or "no error named"
    return IncompleteError(
        f"{what}: the server answers with an OperationOutcome {where} ({named})",
        "Where the code is security, login or forbidden, have the client's permissions checked; else find what failed by the code "
        "and the time.",
        gap=GapCause.ERROR_ANSWER,
        who="EHR vendor",
    )
