"""Words that change all that a resource says: modifiers, marks that deny or doubt, a focus on somebody else."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import encode

from schemas.problems import Reason
from transforms.codes.code_map import CodeMap
from transforms.codes.no_known import says_none, says_none_in_words
from transforms.codes.systems import ICD10GM, repaired_system
from transforms.fhir.elements import (
    Coding,
    Reference,
    Scalar,
    Unusable,
    decode,
    reference_id,
    text_of,
)
from transforms.mapped import WHOLE
from transforms.privacy.pseudonyms import hexadecimal
from transforms.rules.concepts import concept_of
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.refusals import understood
from transforms.rules.setting import Setting


def noted_if_false(flag: str) -> Rule:
    """A boolean that changes what a record is worth, not what it says: false is flagged; what is neither, refuses it."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = text_of(decode(raw, Scalar)).lower()
        if said not in ("true", "false", ""):
            raise Unusable(Reason.INVALID_FIELD)
        return Found(flags=(flag,)) if said == "false" else NOTHING

    return understood(Rule((), read))


def noted_unless_true(beside: str, flag: str) -> Rule:
    """What is said only where the boolean beside it is true: elsewhere it is flagged."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = text_of(decode(companion, Scalar)).lower() if companion else ""
        return NOTHING if said == "true" or raw in (b"null", b"[]") else Found(flags=(flag,))

    return Rule((), read, needs=beside)


def noted_links(flag: str) -> Rule:
    """Patient.link: the record stands for somebody who has another record too, which is flagged with the kind of link."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        kinds = {text_of(_decode_link(each).type).lower() for each in _listed(raw)}
        if not kinds <= _LINKS:
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, "type")
        return Found(flags=tuple(sorted(f"{flag}:{kind}" for kind in kinds)))

    return Rule((), read, fatal=True)


_LINKS = frozenset(("replaced-by", "replaces", "refer", "seealso"))


class _Link(Struct, gc=False):
    type: Scalar = None


def _decode_link(raw: Raw) -> _Link:
    return decode(bytes(raw), _Link | None) or _Link()


def modifiers(*names: str) -> dict[str, Rule]:
    """What every resource may carry that changes the meaning of all of it: not understood, the resource is refused."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw in (b"null", b"[]", b'""'):
            return NOTHING
        denied = _denials(raw)
        if denied == {False}:
            return NOTHING
        raise Unusable(Reason.NOT_A_FACT if True in denied else Reason.MODIFIER_NOT_UNDERSTOOD)

    return {name: Rule((), read) for name in names or ("modifierExtension", "implicitRules")}


def deletion_marks() -> dict[str, Rule]:
    """Fields of no FHIR version by which a server's own format says that a resource is deleted."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return NOTHING if raw.lower() in _NOT_GONE else Found(withdrawn=True)

    return {name: Rule((), read) for name in _SAYS_GONE}


_SAYS_GONE = ("deleted", "isDeleted", "is_deleted", "_deleted", "__deleted", "softDeleted", "voided")
_NOT_GONE = frozenset({b"null", b"false", b'"false"', b"0", b'"0"', b'""', b'"no"', b'"n"', b"[]", b"{}"})


_WRONG = frozenset({"entered-in-error", "deleted", "nullified", "error", "voided"})


def gone_if_wrong() -> Rule:
    """A status where FHIR has none: entered in error, or deleted, it is gone; all else is not read."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw[:1] in b"{[":
            concept = concept_of(raw)
            told = [text_of(each) for each in (*(coding.code for coding in concept.codings), concept.text)]
        else:
            told = [text_of(decode(raw, Scalar))]
        said = {"-".join(each.lower().replace("_", "-").split()) for each in told}
        return NOTHING if said.isdisjoint(_WRONG) else Found(withdrawn=True)

    return Rule((), read)


_ABSENT: Any = None


class _Extension(Struct, gc=False):
    url: Scalar = None
    valueBoolean: Raw = _ABSENT
    valueString: Raw = _ABSENT
    valueCode: Raw = _ABSENT
    valueCoding: Any = None
    valueCodeableConcept: Any = None


_NAME = r"[^/\"]*\""
# QI-Core's published cases write doNotPeform too.
_DENIES = re.compile(
    rf"(?i)/[^/\"]*(negation-?ind|negated|verneinung|not-?done|do-?not-?per?form|not-?performed|not-?given|not-?taken){_NAME}"
)
_TESTS = re.compile(r"(?i)(test-?patient|is-?test|patient-?test)$")
_ABOUT = re.compile(r"(?i)/(observation-focus-?code|questionnaireresponse-isSubject|patient-animal)$")
_NOT_TAKEN = re.compile(
    rb'(?i)MedicationStatement\.taken"[^{}]*"valueCode"\s*:\s*"n"|"valueCode"\s*:\s*"n"[^{}]*MedicationStatement\.taken"'
    rb'|MedicationStatement\.adherence".*"code"\s*:\s*"not-taking'
)
"""Extensions by which HL7's converters carry STU3's `taken` and R5's `adherence` into R4."""
_GONE = re.compile(r"(?i)/(deleted|[^/]*(is-?deleted|soft-?delete|tombstone|deleted-?state|-deleted)[^/]*)$")
CHANGES_MEANING = re.compile(_DENIES.pattern.encode() + rb"|isSubject|(?i:deleted|tombstone)")
"""What stands in extensions of whom or what is meant, of a part of an answer and all in it."""
_FALSE = frozenset({b"false", b'"false"', b'"no"', b'"n"', b'"0"'})


def _denials(raw: bytes) -> set[bool | None]:
    """Whether modifiers deny, of such as could (QI-Core writes `doNotPerform` false on each order of a device); None for others."""
    try:
        told = [_decoded(each) for each in _listed(raw)]
    except Unusable:
        told = [None]
    if None in told:
        return {True if _DENIES.search(raw.decode("utf-8", "replace")) else None}
    named = [each for each in told if each is not None]
    return {not _is_false(each) if _DENIES.search(f'{text_of(each.url)}"') else None for each in named}


def _is_false(mark: _Extension) -> bool:
    """Whether it says that it is not so, as a boolean or in a word."""
    said = (mark.valueBoolean, mark.valueString, mark.valueCode)
    return any(bytes(each).lower() in _FALSE for each in said if each is not None)


def extensions(of: Rule | None = None) -> Rule:
    """Extensions that change what a resource means though they are none of FHIR's modifiers; `of` reads the others."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if b'"no-known-reaction-risk"' in raw:  # FHIR's allergyintolerance-substanceExposureRisk
            raise Unusable(Reason.NOT_A_FACT)
        if b"MedicationStatement." in raw and _NOT_TAKEN.search(raw):
            raise Unusable(Reason.NOT_A_FACT)
        flags: list[str] = []
        odd: list[str] = []
        for place, each in enumerate(_listed(raw)):
            mark = _decoded(each)
            if mark is None:
                odd += [f"[{place}]" * (raw[:1] == b"[")] * (bytes(each) != b"null")
            elif not _is_false(mark):
                _refuse_by(text_of(mark.url))
                if _GONE.search(text_of(mark.url)):
                    return Found(withdrawn=True)
                if _MARKS.search(text_of(mark.url).rpartition("/")[2]):
                    flags += _certainty_flags({_certainty(mark)})
        found = of.read(raw, companion, setting) if of else NOTHING
        if not (flags or odd):
            return found
        return replace(found, flags=(*found.flags, *flags), dropped=(*found.dropped, *odd))

    return Rule(of.gives if of else (), read)


_WHY_NOT = b"/qicore-notDoneReason"
"""Of the whole alone, which reads it itself."""


def extensions_of_part() -> Rule:
    """Extensions of a part that say that it is not so, that it is deleted, or that it is about somebody else."""
    whole = extensions()

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if _WHY_NOT not in raw and whole.read(raw, companion, setting).withdrawn:
            raise Unusable(Reason.NOT_A_FACT)
        return NOTHING

    return Rule((), read)


def _listed(raw: bytes) -> list[Raw]:
    found: list[Raw] = decode(raw, list[Raw]) if raw[:1] == b"[" else [Raw(raw)]
    return found


def _decoded(raw: Raw) -> _Extension | None:
    try:
        found: _Extension | None = decode(bytes(raw), _Extension | None)
    except Unusable:
        return None
    return found


def _refuse_by(url: str) -> None:
    if _DENIES.search(f'{url}"'):
        raise Unusable(Reason.NOT_A_FACT)
    if _TESTS.search(url):
        raise Unusable(Reason.TEST_DATA)
    if _ABOUT.search(url):
        raise Unusable(Reason.ABOUT_SOMEBODY_ELSE)


def fact(rule: Rule) -> Rule:
    """A coded fact: one that says there is none ("no known problems") is no fact; nor is a diagnosis its own mark denies."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        codings = concept_of(raw).codings
        if any(says_none(coding.system, text_of(coding.code)) for coding in codings) or _none_in_words(raw):
            raise Unusable(Reason.NOT_A_FACT)
        bare, letters = _without_letters(raw, codings, setting.codes)
        flags = _certainty_flags(_doubts(raw) | letters)
        found = rule.read(bare, companion, setting)
        flags += _said_against(raw)
        repaired = found.repaired or bare is not raw
        return replace(found, flags=(*found.flags, *flags), repaired=repaired) if flags or repaired else found

    return replace(rule, read=read)


_LETTERED = re.compile(
    r"([A-Z][0-9]{2}(?:\.[0-9]{1,2})?[†*+!]?)[ -]?(?:([AGVZ])(?:[ ,]?[BLR])?|[BLR](?:[ ,]?([AGVZ]))?)"
)
"""A code of ICD-10-GM with the mark of how certain it is, of the side (B both, L, R), or both, behind it: `A09.9 G`, `M17.1VR`."""
_WHO = "http://hl7.org/fhir/sid/icd-10"


def _without_letters(raw: bytes, codings: Iterable[Coding], known: CodeMap) -> tuple[bytes, set[str]]:
    """A concept without the marks that stand in ICD-10-GM's codes instead of beside them, and those of how certain they are.

    A code that the site's map names is that.
    """
    bare, letters = dict[str, str](), set[str]()
    for coding in codings:
        system, code = repaired_system(coding.system), text_of(coding.code)
        match = _LETTERED.fullmatch(code) if system in (ICD10GM, _WHO) and (system, code) not in known else None
        if match is not None:
            bare[code] = match[1]
            letters |= {mark for mark in match.groups()[1:] if mark}
    return encode(_renamed(decode(raw, Any), bare)) if bare else raw, letters


def _renamed(value: Any, bare: Mapping[str, str]) -> Any:
    """The JSON with other codes for some."""
    if isinstance(value, list):
        return [_renamed(each, bare) for each in value]
    if not isinstance(value, dict):
        return bare.get(value.strip(), value) if isinstance(value, str) else value
    return {name: _renamed(each, bare) if name in ("code", "coding") else each for name, each in value.items()}


_SPOKEN = re.compile(rb'"(?:display|text|code)"\s*:\s*("(?:[^"\\]|\\.){1,128}")')


def _none_in_words(raw: bytes) -> bool:
    """Whether a concept says "no known problems" by a text of its own, or by a code that is one."""
    return any(says_none_in_words(decode(said, str)) for said in _SPOKEN.findall(raw))


class _Shown(Struct, gc=False):
    display: Scalar = None


class _Said(Struct, gc=False):
    text: Scalar = None
    coding: list[_Shown | None] | None = None


_AGAINST = {
    "denied-in-words": re.compile(
        r"\b(?:ruled out|no (?:evidence|signs?) of|negative for|den(?:ies|ied)|tolerat(?:es|ed)|declined|refused|cancell?ed|absence of"
        r"|not (?:given|administered|done|performed|taken|taking|present|confirmed)|ausschlu(?:ss|ß)|ausgeschlossen|kein(?:e|en)? (?:anhalt|hinweis)"
        r"|absence de|pas de signes?|exclu(?:e|ido|ida)?|descartad[oa]|sin evidencia de|esclus[oa]|uitgesloten|geen aanwijzing(?:en)?)\b"
    ),
    "doubted-in-words": re.compile(
        r"\b(?:rule out|r/o|possibl[ey]|probabl[ey]|suspected|suspicion (?:of|de|d')|query|questionable|presumed|concern for"
        r"|verdacht(?: auf)?|v\. ?a\.|fraglich[er]?|sospecha de|sospett[oa]|verdenking)(?:\b|(?<=\.))|\?"
    ),
    "family-in-words": re.compile(
        r"\b(?:family (?:history|hx)|fhx?\b:?|(?:mother|father|brother|sister|parent|sibling)(?:'s| has| had| with|:)"
        r"|familienanamnese|ant[eé]c[eé]dents familiaux|antecedentes familiares)"
    ),
    "past-in-words": re.compile(
        r"(?<!family )\b(?:history of|h/o|status post|s/p|discontinued|zustand nach|z\. ?n\.)(?:\s|$)|\b(?:resolved|discontinued)$"
    ),
}
"""What somebody adds to a code in the words beside it, and means the other way round."""
_AGAINST_RESULTS = {
    "denied-in-words": re.compile(
        r"[-\u2013\u2014:;,(\[/]\s*(?:(?:patient|pt|parent|child) )?"
        r"(?:refused|declined|cancell?ed|not (?:done|performed|obtained)|unable to obtain)\b"
    ),
    "family-in-words": _AGAINST["family-in-words"],
}
"""What is added to the name of a result: names and questions hold the other words as their own ("Do you smoke?")."""


def of_result(rule: Rule) -> Rule:
    """The code of a result; words beside it by which it is the family's, or was not done, are flagged."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found, flags = rule.read(raw, companion, setting), _said_against(raw, _AGAINST_RESULTS)
        return replace(found, flags=(*found.flags, *flags)) if flags else found

    return replace(rule, read=read)


def _said_against(raw: bytes, words: Mapping[str, re.Pattern[str]] = _AGAINST) -> list[str]:
    """What a concept's own text says against its codes, in words that are not theirs."""
    try:
        said: _Said = decode(raw, _Said | None) or _Said()
    except Unusable:
        return []
    text = text_of(said.text).lower()
    if not text or text in {text_of(each.display).lower() for each in said.coding or [] if each is not None}:
        return []
    plain = text.replace("\u2019", "'")
    return [flag for flag, sought in words.items() if sought.search(plain)]


_OF_FAMILY = re.compile(rb'(?i)"family[ _-]?(?:history|hx)"')


def unless_of_family(rule: Rule) -> Rule:
    """A category; one by which it is the family's history is about somebody else."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if _OF_FAMILY.search(raw):
            raise Unusable(Reason.ABOUT_SOMEBODY_ELSE)
        return rule.read(raw, companion, setting)

    return replace(rule, read=read)


_CERTAINTY: Mapping[str, str] = {"G": "", "V": "diagnosis-suspected", "Z": "diagnosis-status-post"}
"""German practices' mark on an ICD-10-GM code (Diagnosesicherheit): certain, suspected, status post; A, excluded, is no fact."""
_MARKS = re.compile(r"(?i)(sicherheit|certainty|negat|vernein|ruled-?out|suspect|doubt)")
_DENIED = re.compile(r"(?i)(negat|vernein|ruled-?out)")


def _certainty_flags(doubts: set[str]) -> list[str]:
    """What is noticed of how sure a concept is. Raises Unusable for one that is excluded."""
    if "A" in doubts:
        raise Unusable(Reason.NOT_A_FACT)
    flags = {_CERTAINTY.get(doubt, "certainty-not-understood") for doubt in doubts} - {""}
    return sorted(flags)


class _MarkedCoding(Struct, gc=False):
    extension: list[_Extension] | None = None


class _Marked(Struct, gc=False):
    coding: list[_MarkedCoding | None] | None = None
    extension: list[_Extension] | None = None


def _doubts(raw: bytes) -> set[str]:
    """What marks on a concept and its codings say of how sure it is: `G`, `V`, `Z`, `A`, or something else."""
    if b'"extension"' not in raw:
        return set()
    try:
        concept: _Marked = decode(raw, _Marked | None) or _Marked()
    except Unusable:
        return {"?"} if _MARKS.search(raw.decode("utf-8", "replace")) else set()
    marks = [*(concept.extension or [])]
    for coding in concept.coding or []:
        marks += coding.extension or [] if coding else []
    return {_certainty(mark) for mark in marks if _MARKS.search(text_of(mark.url).rpartition("/")[2])}


def _certainty(mark: _Extension) -> str:
    """`G`, `V`, `Z`, `A`; of a mark that is named for what it says and says yes or no, the one that it means."""
    word = bytes(mark.valueBoolean or mark.valueString or mark.valueCode or b"")
    if word.lower() in _FALSE:
        return "G"
    if word.lower() in (b"true", b'"true"'):
        return "A" if _DENIED.search(text_of(mark.url)) else "V"
    said: Any = word.decode("utf-8", "replace").strip('"') or mark.valueCoding or mark.valueCodeableConcept
    while isinstance(said, dict | list):
        said = (said.get("code") or said.get("coding")) if isinstance(said, dict) else said[0] if said else None
    return said.strip().upper() if isinstance(said, str) else "?"


_OWN = frozenset(
    (
        "AllergyIntolerance",
        "CarePlan",
        "Condition",
        "DiagnosticReport",
        "Encounter",
        "EpisodeOfCare",
        "Goal",
        "ImagingStudy",
        "Immunization",
        "MedicationAdministration",
        "MedicationDispense",
        "MedicationRequest",
        "MedicationStatement",
        "Observation",
        "Procedure",
        "QuestionnaireResponse",
        "ServiceRequest",
    )
)
"""What stands in a patient's record and is the patient's own."""


def focus() -> Rule:
    """Observation.focus: on somebody or something else than the subject, the observation is not the patient's."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        own = reference_id(decode(companion, Reference | None), "Patient") if companion else None
        conditions: list[str] = []
        for each in _listed(raw):
            source: Reference = decode(bytes(each), Reference | None) or Reference()
            if own is not None and reference_id(source, "Patient") == own:
                continue
            named = (source.reference or "").partition("/_history/")[0].split("/")
            if len(named) < 2 or named[-2] not in _OWN:
                raise Unusable(Reason.ABOUT_SOMEBODY_ELSE)
            if (ident := reference_id(source, "Condition")) is not None:
                conditions.append(hexadecimal(b"r-", setting.pseudonyms.ref("Condition", ident) + WHOLE))
        return Found(beside=(("focus", min(conditions)),)) if conditions else NOTHING

    return Rule((), read, needs="subject", fatal=True)
