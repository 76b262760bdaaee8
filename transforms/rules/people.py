"""People: whose a resource is, and what is read of a Patient's names, extensions and languages."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import Raw, Struct

from schemas.problems import Reason
from transforms.codes.systems import BCP47, NULL_FLAVOR, repaired_system
from transforms.fhir.elements import (
    ZEROS,
    CodeableConcept,
    Coding,
    Reference,
    Scalar,
    Unusable,
    decode,
    names_nobody,
    reference_id,
    text_of,
)
from transforms.privacy.pseudonyms import hexadecimal
from transforms.rules.concepts import (
    UNKNOWN,
    concept_of,
    null_flavour_of,
    shared_codings,
    usable_codings,
)
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import patient_cut, the_patient_cut

_ZEROS = re.compile(ZEROS)


def patient() -> Rule:
    """Reference to a Patient → the subject's pseudonym. What names nobody is about nobody."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        try:
            named = _borne(decode(raw, Reference | None), setting)
        except Unusable:
            named = None
        if named is None:
            raise Unusable(Reason.MISSING_SUBJECT)
        return _subject(named, setting)

    return Rule(("subject",), read, missing=Reason.MISSING_SUBJECT, fatal=True, usual=patient_cut)


def _borne(reference: Reference | None, setting: Setting) -> str | None:
    """The id of the Patient that a Reference names. A `urn:` may be of another's Bundle, `Patient/0` what a database holds
    where it has nobody: a Patient here must bear it. Where nobody knows who is here, a UUID is believed, a zero is not.
    """
    named = reference_id(reference, "Patient")
    if named is None or reference is None:
        return None
    is_zero = _ZEROS.fullmatch(named) is not None
    if not is_zero and not (reference.reference or "").strip().startswith("urn:"):
        return named
    if setting.bears is None:
        return None if is_zero else named
    return named if setting.bears(setting.pseudonyms.ref("Patient", named)) else None


class _Name(Struct, gc=False):
    use: Scalar = None
    family: Scalar = None
    given: list[Scalar] | Scalar = None
    text: Scalar = None


_OF_TESTS = re.compile(
    r"z+|(?:[xz]{2,})?test(?:er|ing|patient|pt|case)?[0-9]*|patient|pt|dummy|fake|do|not|use|[a-z]|[0-9]+"
    r"|one|two|three|four|five|six|seven|eight|nine|ten"
)
_TEST = re.compile(r"(?:[xz]{2,})?test(?:er|ing|patient|pt|case)?[0-9]*|z{3,}|dummy")
_BORNE_ONCE = frozenset({"old", "maiden"})
"""Uses of a name that somebody bears no more: it says nothing of who they are."""


def test_name() -> Rule:
    """HumanName → nothing: but one made of the words that hospitals call their test patients by is none's, `ZZTEST, PATIENT`."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = decode(raw, list[_Name | None] | _Name | None) or []
        names = [name for name in (found if isinstance(found, list) else [found]) if name is not None]
        borne = [name for name in names if text_of(name.use).lower() not in _BORNE_ONCE]
        if any(map(_is_of_tests, borne or names)):
            raise Unusable(Reason.TEST_DATA)
        return NOTHING

    return Rule((), read)


def _is_of_tests(name: _Name) -> bool:
    given = name.given if isinstance(name.given, list) else [name.given]
    parts = [text_of(each) for each in (name.family, *given)]
    said = " ".join(parts).strip() or text_of(name.text)
    words = re.findall(r"[a-z0-9]+", said.lower())
    return any(map(_TEST.fullmatch, words)) and all(map(_OF_TESTS.fullmatch, words))


class _Participant(Struct, gc=False):
    actor: Reference | None = None
    status: Scalar = None


def patient_among() -> Rule:
    """Appointment.participant → the pseudonym of the one patient who takes part. Of several nobody can tell whose it is."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        try:
            found = decode(raw, list[_Participant | None] | _Participant | None) or []
        except Unusable:
            found = []
        listed = [each for each in (found if isinstance(found, list) else [found]) if each is not None]
        named = {name: each for each in listed if (name := _borne(each.actor, setting)) is not None}
        if len(named) != 1:
            raise Unusable(Reason.MISSING_SUBJECT)
        ((name, patient),) = named.items()
        told = _subject(name, setting)
        return replace(told, flags=("patient-declined",)) if text_of(patient.status).lower() == "declined" else told

    return Rule(("subject",), read, missing=Reason.MISSING_SUBJECT, fatal=True)


def the_patient() -> Rule:
    """A Patient's own id → the subject's pseudonym."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        ident = text_of(decode(raw, Scalar))
        if names_nobody(ident):
            raise Unusable(Reason.MISSING_ID)
        return _subject(ident, setting)

    return Rule(("subject",), read, fatal=True, usual=the_patient_cut)


def _subject(ident: str, setting: Setting) -> Found:
    return Found({"subject": hexadecimal(b"s-", setting.pseudonyms.subject(ident))})


class _Extension(Struct, gc=False):
    url: Scalar = None
    valueCode: Raw = None  # type: ignore[assignment]
    valueCoding: Raw = None  # type: ignore[assignment]
    valueCodeableConcept: Raw = None  # type: ignore[assignment]
    extension: Raw = None  # type: ignore[assignment]

    def inner(self, name: str) -> list["_Extension"]:
        """The extensions inside it that bear a name."""
        listed = decode(bytes(self.extension), list[_Extension | None] | None) if self.extension is not None else None
        return [part for part in listed or [] if part is not None and _url(part) == name]


_FHIR = "http://hl7.org/fhir/StructureDefinition/"
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_UK_CORE = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-"
_AT_BIRTH = frozenset({"76689-9", "1515311000168102"})
"""Types of a recorded sex or gender that say it was assigned at birth: LOINC's and SNOMED CT's."""
_CDC_CODE = re.compile(r"[0-9]{4}-[0-9]")
_SEXES = {
    "M": "male",
    "F": "female",
    "MALE": "male",
    "FEMALE": "female",
    "248153007": "male",
    "248152002": "female",
} | {"UNK": "UN", "ASKU": "UN", "UNKNOWN": "UN", "ASKED-DECLINED": "NI", "OTH": "OT"}


def us_core(*, race: str, ethnicity: str, birth_sex: str, sex: str, gender_identity: str) -> Rule:
    """Patient.extension → US Core's OMB categories of race and ethnicity, birth sex, the sex that is not said to be of birth,
    and gender identity; no text beside them.

    Birth sex also as UK Core and the profiles of HL7's gender harmony write it.
    """
    gives = (race, ethnicity, birth_sex, sex, gender_identity)
    readers: dict[str, tuple[str, Callable[[_Extension, Setting], list[Any]]]] = {
        **dict.fromkeys((_US_CORE + "race", *(each.format("race") for each in _BEFORE)), (race, _races)),
        **dict.fromkeys(
            (_US_CORE + "ethnicity", *(each.format("ethnicity") for each in _BEFORE)), (ethnicity, _ethnicities)
        ),
        _US_CORE + "birthsex": (birth_sex, _birth_sex),
        _UK_CORE + "BirthSex": (birth_sex, _birth_sex),
        _US_CORE + "sex": (sex, _birth_sex),
        _US_CORE + "individual-sex": (sex, _birth_sex),
        _FHIR + "individual-recordedSexOrGender": (birth_sex, _recorded_sex),
        _US_CORE + "genderIdentity": (gender_identity, _gender_identity),
        _FHIR + "patient-genderIdentity": (gender_identity, _gender_identity),
        _FHIR + "individual-genderIdentity": (gender_identity, _gender_identity),
    }

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found: dict[str, list[Any]] = {name: [] for name in gives}
        dropped: list[str] = []
        listed = decode(raw, list[_Extension | None] | _Extension | None) or []
        for extension in listed if isinstance(listed, list) else [listed]:
            if extension is None or (reader := readers.get(_url(extension))) is None:
                continue
            name, told = reader
            try:
                values = told(extension, setting)
            except Unusable:
                values = [None]
            found[name] += [value for value in values if value is not None and value not in found[name]]
            if None in values:
                dropped.append(_url(extension).rpartition("/")[2])
        single = {name: min(found[name], default=None) for name in (ethnicity, birth_sex, sex)}
        several = {race: sorted(found[race]), gender_identity: found[gender_identity]}
        flags = tuple([f"several:{name}" for name in single if len(found[name]) > 1])
        return Found({**single, **several}, flags, dropped=tuple(dict.fromkeys(dropped)))

    return Rule(gives, read)


_BEFORE = (
    _FHIR + "us-core-{}",
    "http://hl7.org/fhir/Profile/us-core#{}",
    "http://fhir.org/guides/argonaut/StructureDefinition/argo-{}",
)
"""What US Core's extensions were called in DSTU2, where one of them is a concept alone; R4 servers kept it."""
_OF_ETHNICITY = frozenset({"2135-2", "2186-5"})
_OF_RACE = frozenset({"1002-5", "2028-9", "2054-5", "2076-8", "2106-3", "2131-1"})


def _races(extension: _Extension, setting: Setting) -> list[Any]:
    """One of ethnicity is none of race: Synthea wrote Hispanic as both."""
    return [None if code in _OF_ETHNICITY else code for code in _categories(extension)]


def _ethnicities(extension: _Extension, setting: Setting) -> list[Any]:
    return [None if code in _OF_RACE else code for code in _categories(extension)]


def _categories(extension: _Extension) -> list[Any]:
    parts = [part for part in extension.inner("ombCategory") if part.valueCoding is not None]
    codings = [decode(bytes(part.valueCoding), Coding) for part in parts]
    if not parts and extension.valueCodeableConcept is not None and not _url(extension).startswith(_US_CORE):
        codings = [*concept_of(bytes(extension.valueCodeableConcept)).codings]
    if not codings:
        raise Unusable(Reason.INVALID_FIELD)  # words, or a finer category, alone
    return [_category(each) for each in codings]


def _birth_sex(extension: _Extension, setting: Setting) -> list[Any]:
    said = text_of(decode(bytes(extension.valueCode), Scalar)) if extension.valueCode is not None else ""
    for each in (extension.valueCoding, extension.valueCodeableConcept):
        codes = [text_of(coding.code) for coding in concept_of(bytes(each)).codings] if each is not None else []
        said = said or next((code for code in codes if code.upper() in _SEXES), "?" if each is not None else "")
    if said and said.upper() not in _SEXES:
        raise Unusable(Reason.INVALID_FIELD)
    return [_SEXES[said.upper()]] if said else []


def _recorded_sex(extension: _Extension, setting: Setting) -> list[Any]:
    """Of a sex or gender that a document records: that which was assigned at birth; a passport's or an insurer's is another."""
    types = [
        concept_of(bytes(each.valueCodeableConcept)) for each in extension.inner("type") if each.valueCodeableConcept
    ]
    codes = {text_of(coding.code) for concept in types for coding in concept.codings}
    if codes.isdisjoint(_AT_BIRTH):
        return []
    return [sex for each in extension.inner("value") for sex in _birth_sex(each, setting)]


def _gender_identity(extension: _Extension, setting: Setting) -> list[Any]:
    concepts = [each.valueCodeableConcept for each in (extension, *extension.inner("value"))]
    told = (concept_of(bytes(concept)) for concept in concepts if concept is not None)
    return [coding for concept in told for coding in shared_codings(usable_codings(concept, setting).found, setting)]


def _url(extension: _Extension | None) -> str:
    return text_of(extension.url) if extension is not None else ""


def _category(coding: Coding) -> str | None:
    """The code of a category; None for what is none."""
    code = text_of(coding.code)
    if repaired_system(coding.system) == NULL_FLAVOR or code in UNKNOWN:
        return null_flavour_of([code])
    return code if _CDC_CODE.fullmatch(code) else None


class _Communication(Struct, gc=False):
    language: CodeableConcept | None = None
    preferred: Scalar = None


_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?")


def preferred_language(name: str) -> Rule:
    """Patient.communication → the BCP 47 tag of the preferred language, else of the first."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        spoken = [entry for entry in decode(raw, list[_Communication | None] | None) or [] if entry is not None]
        for entry in sorted(spoken, key=lambda entry: text_of(entry.preferred).lower() != "true"):
            said = (
                [(coding.system, text_of(coding.code)) for coding in entry.language.codings] if entry.language else []
            )
            tags = sorted(
                (repaired_system(system) != BCP47, code) for system, code in said if _LANGUAGE.fullmatch(code)
            )
            if tags:
                return Found({name: tags[0][1]})
        return Found(dropped=("language",)) if any(entry.language is not None for entry in spoken) else NOTHING

    return Rule((name,), read)
