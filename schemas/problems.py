"""Why input gave no record: reason codes, each with what the site can do."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a resource gave no record. Each has `meaning` and `fix`, for people at the site."""

    meaning: str
    fix: str
    expected: bool

    def __new__(cls, code: str, meaning: str, fix: str, expected: bool = False) -> "Reason":
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning, member.fix, member.expected = meaning, fix, expected
        return member

    INVALID_JSON = (
        "invalid-json",
        "The line is not valid JSON.",
        "Export the file again; check that it was copied whole.",
    )
    LINE_TOO_LONG = (
        "line-too-long",
        "The line is longer than the cap.",
        "Raise limits.line_bytes in the site file if the resource is genuine.",
    )
    TRUNCATED_FILE = (
        "truncated-file",
        "The file ends inside a line or a compressed block.",
        "Deliver the file again; write it elsewhere and rename it when done.",
    )
    FILE_TOO_LARGE = (
        "file-too-large",
        "The file unpacks to far more than anything worth packing.",
        "Deliver it unpacked, or in smaller files.",
    )
    OTHER_ENCODING = (
        "other-encoding",
        "The file is UTF-16, not UTF-8.",
        "Write it as UTF-8, as JSON has to be.",
    )
    NOT_A_RESOURCE = (
        "not-a-resource",
        "The line has no resourceType, or one that FHIR does not have.",
        "Deliver one FHIR resource a line (NDJSON).",
    )
    OTHER_FHIR_VERSION = (
        "other-fhir-version",
        "The resource is of another FHIR version than R4.",
        "Give the R4 (4.0.1) feed.",
    )
    INVALID_FIELD = (
        "invalid-field",
        "A field that a record cannot do without has a type or value FHIR R4 does not allow, or several stand where it allows one.",
        "Mend the field that the path names.",
    )
    MISSING_ID = (
        "missing-id",
        "The resource has no id.",
        "Give each resource its id: without it nothing can be amended or withdrawn.",
    )
    MISSING_SUBJECT = (
        "missing-subject",
        "The resource names no patient, or an appointment names several.",
        "Check the export's scope; group-level resources carry no outcome.",
    )
    MISSING_CODE = (
        "missing-code",
        "The resource has no code that could be used.",
        "Add the local code to the site's code map.",
    )
    UNKNOWN_MEDICATION = (
        "unknown-medication",
        "The resource names its drug by a Medication that did not come.",
        "Deliver Medication too, or let the client read it; the resource is mapped again when it comes.",
    )
    UNKNOWN_DEVICE = (
        "unknown-device",
        "The resource names its device by a Device that did not come.",
        "Deliver Device too, or let the client read it; the resource is mapped again when it comes.",
    )
    DEVICE_ALONE = (
        "device-alone",
        "A Device names a patient, and says neither from when to when it was used nor whether it is.",
        "Nothing to do; its code is kept for the DeviceUseStatement that names it, which gives the record.",
        True,
    )
    MISSING_TIME = ("missing-time", "The resource says not when it was true.", "Mend the resource.")
    UNKNOWN_UNIT = (
        "unknown-unit",
        "The unit is none that is known, and not in the code map.",
        "Map the local unit in the site's code map.",
    )
    UNIT_MISMATCH = (
        "unit-mismatch",
        "The unit cannot measure what the code says.",
        "Correct the code or the unit at the source.",
    )
    UNIT_CONTRADICTED = (
        "unit-contradicted",
        "The unit's text and its code say different units.",
        "Correct the unit at the source, or map it in the site's code map.",
    )
    BAD_CODE = (
        "bad-code",
        "No code can be used, and one fails its check digit, is not of its system's form, or was turned into a date by a spreadsheet.",
        "Correct the code at the source or in the code map.",
    )
    MODIFIER_NOT_UNDERSTOOD = (
        "modifier-not-understood",
        "The resource carries a word that changes what it means (a status, a modifier extension), and it is not known.",
        "Write a word of FHIR's; or say what the one in the field means, so that it can be read.",
    )
    ABOUT_SOMEBODY_ELSE = (
        "about-somebody-else",
        "The resource stands in the patient's record and is about another: a mother, a donor, a device.",
        "Nothing to do.",
        True,
    )
    CONSENT_WITHDRAWN = (
        "consent-withdrawn",
        "Consent of the patient was withdrawn: nothing is collected.",
        "Nothing to do; `mainstem consent status` shows of whom, and `mainstem consent give` ends it.",
        True,
    )
    NOT_IN_COHORT = (
        "not-in-cohort",
        "The resource is of a patient who is not in the site's cohort.",
        "Nothing to do; export the cohort alone to save time.",
        True,
    )
    TEST_DATA = (
        "test-data",
        "The resource says that it is of a test patient.",
        "Leave test patients out of the export to save time.",
        True,
    )
    PARTIAL_ANSWER = (
        "partial-answer",
        "The server gave only some elements, or masked them; what was known before stays.",
        "Ask for whole resources, and for the right to see them: no _elements, no _summary.",
    )
    DUPLICATE_KEY = (
        "duplicate-key",
        "A JSON object has one key twice; which of the two values is meant cannot be told.",
        "Write each name once: FHIR forbids it twice, and every reader takes another of the two.",
    )
    BUNDLE = (
        "bundle",
        "The line is a Bundle among resources of their own.",
        "Unpack it: one resource a line; or deliver Bundles in files of their own, which are unpacked here.",
    )
    TYPE_NOT_MAPPED = (
        "type-not-mapped",
        "No record is made of this resource type: the model promises none.",
        "Nothing to do; leave the type out of the export to save time. FamilyMemberHistory stays out for good: it tells of "
        "relatives, who are no patients of the site and were not asked.",
        True,
    )
    NOT_A_FACT = (
        "not-a-fact",
        "The resource says that something was not done, is refuted, or is not there; what it gave before is withdrawn.",
        "Nothing to do.",
        True,
    )
    DEFINITION = (
        "definition",
        "The resource defines who or what would belong together, and names nobody who does.",
        "Nothing to do.",
        True,
    )
    CONSENT_NOT_UNDERSTOOD = (
        "consent-not-understood",
        "What the consent permits or denies, for what and for how long, cannot be told; it is read as no permit.",
        "Map its scope, category or purpose in the site's code map (urn:mainstem:consent: qi, research, recontact, pro or "
        "other), or say in the source what it permits without exceptions.",
    )
    CONSENT_ELSEWHERE = (
        "consent-elsewhere",
        "The consent is about something else: treatment, payment, an advance directive.",
        "Nothing to do.",
        True,
    )
    SERVER_MESSAGE = (
        "server-message",
        "An OperationOutcome among the results.",
        "Read it in the landing file; a server's warning about the query.",
        True,
    )


_SITE, _IT, _VENDOR = "the site's data manager", "site IT", "EHR vendor"
_WHO = {
    Reason.MISSING_CODE: _SITE,
    Reason.UNKNOWN_UNIT: _SITE,
    Reason.UNIT_MISMATCH: _SITE,
    Reason.UNIT_CONTRADICTED: _SITE,
    Reason.BAD_CODE: _SITE,
    Reason.CONSENT_NOT_UNDERSTOOD: _SITE,
    Reason.INVALID_JSON: _IT,
    Reason.LINE_TOO_LONG: _IT,
    Reason.TRUNCATED_FILE: _IT,
    Reason.FILE_TOO_LARGE: _IT,
    Reason.OTHER_ENCODING: _IT,
    Reason.NOT_A_RESOURCE: _IT,
    Reason.BUNDLE: _IT,
    Reason.UNKNOWN_MEDICATION: _IT,
    Reason.PARTIAL_ANSWER: _IT,
}


def reason_of(code: str) -> Reason:
    """The reason of a code, as the state and the counts keep it."""
    return Reason[code.upper().replace("-", "_")]


def who_acts(reason: Reason) -> str:
    """Who can do what a reason's fix says."""
    return "nobody" if reason.expected else _WHO.get(reason, _VENDOR)


NOT_LOADED = frozenset(
    {
        Reason.LINE_TOO_LONG,
        Reason.TRUNCATED_FILE,
        Reason.FILE_TOO_LARGE,
        Reason.PARTIAL_ANSWER,
        Reason.BUNDLE,
        Reason.NOT_IN_COHORT,
        Reason.CONSENT_WITHDRAWN,
        Reason.TYPE_NOT_MAPPED,
        Reason.DEVICE_ALONE,
        Reason.SERVER_MESSAGE,
    }
)
"""Reasons that say nothing of what a resource holds now: what it gave before stays. By any other, that is withdrawn."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One resource that gave no record: why, and where to look. Holds no source text."""

    reason: Reason
    resource_type: str
    path: str = ""
    """Field path inside the resource, `Observation.valueQuantity.code`."""
