"""A server's messages about its export: which of them say that something is missing, and of which types.

Severity and code are kept; the free text is searched for names of types and goes no further.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable

import msgspec

from connectors.formats.outcome import HARMLESS, ISSUE_TYPES, errors_in
from connectors.outside.decoding import ABSENT, Unreadable, decoded, each, said
from connectors.pulled import EVERY_TYPE, Shortfall
from schemas.gaps import GapCause
from schemas.problems import Problem

_NAMES = """Account AllergyIntolerance Appointment Binary CarePlan CareTeam Claim ClaimResponse Communication
CommunicationRequest Composition Consent Coverage Device DeviceRequest DiagnosticReport DocumentReference
EpisodeOfCare ExplanationOfBenefit FamilyMemberHistory Goal HealthcareService ImagingStudy Invoice Location Media
MolecularSequence NutritionOrder Organization Practitioner PractitionerRole Provenance Questionnaire
QuestionnaireResponse RelatedPerson RiskAssessment Schedule ServiceRequest Slot Specimen Substance"""
NOT_READ = frozenset(_NAMES.split())
"""Types that servers export and nobody here asks for: an error about one of them costs nothing."""
_WORD = re.compile(r"\b[A-Z][A-Za-z]+\b")
_ELSEWHERE = re.compile(
    r"\S*\$export\S*"
    r"|(?<!not )\b(?:supported|allowed|valid|available|known) (?:resources?|types?|values?|ones|are)\b[^.:]*:.*",
    re.DOTALL | re.IGNORECASE,
)
"""What is asked of, and what would be taken, are no names of what failed."""
_HEAD = re.compile(r"\s*/?([A-Z][A-Za-z]+)\b")


class _Details(msgspec.Struct):
    text: msgspec.Raw = ABSENT


class Issue(msgspec.Struct):
    """One issue of an OperationOutcome."""

    severity: msgspec.Raw = ABSENT
    code: msgspec.Raw = ABSENT
    expression: msgspec.Raw = ABSENT
    location: msgspec.Raw = ABSENT
    diagnostics: msgspec.Raw = ABSENT
    details: msgspec.Raw = ABSENT

    @property
    def level(self) -> str:
        """Its severity; what says none is an error."""
        return said(self.severity, str, "error").strip().lower()

    @property
    def is_grave(self) -> bool:
        """Whether something is missing by it."""
        return self.level not in HARMLESS

    @property
    def kind(self) -> str:
        """Its code, where it is one."""
        code = said(self.code, str, "").strip().lower()
        return code if code in ISSUE_TYPES else ""

    @property
    def text(self) -> str:
        """The server's own words: to be searched, never to be shown."""
        return f"{said(self.diagnostics, str, '')} {said(said(self.details, _Details, _Details()).text, str, '')}"

    def concerned(self, wanted: Collection[str]) -> set[str] | None:
        """The wanted types it names; none where it names only others; EVERY_TYPE where it names no type."""
        places = [*each(self.expression, str), *each(self.location, str)]
        said_of = _WORD.findall(_ELSEWHERE.sub(" ", self.text))
        for names in ([found[1] for text in places if (found := _HEAD.match(text))], said_of):
            if ours := {name for name in names if name in wanted}:
                return ours
            if NOT_READ.intersection(names):
                return None
        return {EVERY_TYPE}


class _Outcome(msgspec.Struct):
    resourceType: str
    issue: msgspec.Raw = ABSENT


_OUTCOME = msgspec.json.Decoder(_Outcome)


def issues(content: bytes) -> list[Issue]:
    """The issues of an OperationOutcome; none where the bytes are none."""
    return [said(raw, Issue, Issue()) for raw in _raw_issues(content) or ()]


def _raw_issues(content: bytes) -> list[msgspec.Raw] | None:
    """None where the bytes are no OperationOutcome."""
    try:
        outcome = decoded(content, _OUTCOME)
    except Unreadable:
        return None
    return each(outcome.issue, msgspec.Raw) if outcome.resourceType == "OperationOutcome" else None


def weighed(lines: Iterable[bytes | Problem], of: str, wanted: Collection[str]) -> tuple[list[Shortfall], list[str]]:
    """What the messages of a file leave short, and what is worth a note. `of`: the type the manifest says they are about."""
    grave: Counter[str] = Counter()
    kinds: dict[str, dict[str, None]] = {}
    elsewhere = 0
    for line in lines:
        told = None if isinstance(line, Problem) else _raw_issues(line)
        if not told:  # no outcome, or one that does not say how grave it is
            grave[of] += 1
        for raw in told or ():
            if not (errors := errors_in(raw)):
                continue
            concerned = {of} if of else said(raw, Issue, Issue()).concerned(wanted)
            elsewhere += concerned is None
            for name in concerned or ():
                grave[name] += 1
                kinds.setdefault(name, {}).update(dict.fromkeys(errors))
    short = [
        Shortfall(name, GapCause.EXPORT_ERROR, _reason(name, count, kinds.get(name, ())))
        for name, count in sorted(grave.items())
    ]
    note = f"the server reports {elsewhere} errors in its export about types that are not read"
    return short, [note] if elsewhere else []


def _reason(resource_type: str, count: int, kinds: Iterable[str]) -> str:
    of = f"{resource_type}: " if resource_type else ""
    named = "; ".join(kinds)
    return f"{of}the server reports {count} errors in its export" + (f" ({named})" if named else "")
