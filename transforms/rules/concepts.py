"""CodeableConcepts and codings: which code of several is meant, and what of them may leave."""

import re
from binascii import hexlify
from collections.abc import Collection, Iterable
from typing import NamedTuple

from msgspec.json import encode

from transforms.codes.code_map import CodeMap
from transforms.codes.forms import code_fault, concept_in, is_oid, leaves_as_it_is, normal_code
from transforms.codes.systems import ICD10CM, NOT_A_CODE, known_systems, repaired_system
from transforms.codes.units import unit_table
from transforms.fhir.elements import (
    CodeableConcept,
    Coding,
    Concept,
    ConceptOrCoding,
    Concepts,
    Stated,
    decode,
    text_of,
)
from transforms.rules.setting import Setting

HIERARCHIES = frozenset({ICD10CM})
"""Systems in which a longer code says more."""
FIXED = {"85354-9": frozenset({"55284-4"})}
"""Codes that FHIR's profiles of vital signs ask for, and older ones of the same panel that systems write beside them."""


def concept_of(raw: bytes) -> CodeableConcept:
    """CodeableConcept, Coding (as Encounter.class is) or the first of a list."""
    found: CodeableConcept | list[CodeableConcept | None] | None = decode(raw, Concept)
    if isinstance(found, ConceptOrCoding) and found.coding is None and found.code is not None:
        return CodeableConcept(coding=decode(raw, Coding))
    if isinstance(found, list):
        found = found[0] if found else None
    return found or CodeableConcept()


def concepts_of(raw: bytes) -> list[CodeableConcept]:
    """List of CodeableConcept, or one alone."""
    found = decode(raw, Concepts)
    found = [found] if isinstance(found, CodeableConcept) else found or []
    return [concept for concept in found if concept is not None]


class Usable(NamedTuple):
    """The codings of a concept that are some."""

    found: list[tuple[str | None, str]]
    """(system, code) of each."""
    flags: list[str]
    """Why others are none."""
    faulty: int | None
    """Place of the first that is none, though it says so of a known system."""


def usable_codings(concept: CodeableConcept, setting: Setting) -> Usable:
    """The codings whose codes are of the form of their systems, or stand in the site's code map; the others are text."""
    found: list[tuple[str | None, str]] = []
    flags: list[str] = []
    faulty = None
    for place, coding in enumerate(concept.codings):
        system, code = repaired_system(coding.system), text_of(coding.code)
        if not code or (system in NOT_A_CODE and code_fault(system, code) is None):
            continue
        if (system or "", code) in setting.codes:
            found.append((system, code))
            continue
        if (shown := _as_reported(system, code, setting)) is not None:
            found.append(shown)
            continue
        if fault := code_fault(system, code):
            if inner := concept_in(system, code):
                found.append((system, inner))
                continue
            flags += dict.fromkeys(("code-withheld", fault))
            faulty = place if faulty is None else faulty
            continue
        found.append((system, code))
    return Usable(found, flags, faulty)


def _as_reported(system: str | None, code: str, setting: Setting) -> tuple[str | None, str] | None:
    """A coding as reports list it, hashed, where the site's code map names it so."""
    if not setting.codes or system in known_systems():
        return None
    shown = shared_coding(system, code, setting)
    return shown if (shown[0] or "", shown[1]) in setting.codes else None


def shared_codings(codings: Iterable[tuple[str | None, str]], setting: Setting) -> list[dict[str, str]]:
    """Codings as records carry them: each once, sorted by system and code; what is local and not plain is hashed."""
    shown = {shared_coding(system, code, setting) for system, code in codings}
    return [
        {"system": system, "code": code} if system else {"code": code} for system, code in sorted(shown, key=_place)
    ]


def gathered(concepts: Iterable[CodeableConcept], setting: Setting) -> tuple[list[dict[str, str]], list[str]]:
    """Every coding of some concepts as records carry them, and what was noticed: a text without coding is withheld."""
    found: list[tuple[str | None, str]] = []
    flags: list[str] = []
    for concept in concepts:
        usable, withheld, _ = usable_codings(concept, setting)
        found += usable
        flags += withheld
        if not usable and text_of(concept.text):
            flags.append("text-withheld")
    return shared_codings(found, setting), list(dict.fromkeys(flags))


def shared_coding(system: str | None, code: str, setting: Setting) -> tuple[str | None, str]:
    """A coding fit to leave. A system that neither the table nor the site's code map names may hold a name: it is hashed."""
    if system in known_systems() or (system or "", code) in setting.codes:
        return system, code
    shown = code if leaves_as_it_is(code) else f"h-{hexlify(setting.pseudonyms.ref('Coding', code)).decode()}"
    if system and system not in setting.declared and not is_oid(system):
        system = f"urn:mainstem:{hexlify(setting.pseudonyms.ref('CodeSystem', system)).decode()}"
    return system, shown


def _place(coding: tuple[str | None, str]) -> tuple[bool, str, str]:
    """Codings by system and code, a concept's text behind them."""
    system, code = coding
    return system == "", system or "", code


def chosen_code(usable: Iterable[tuple[str | None, str]], systems: tuple[str, ...], codes: CodeMap) -> str | None:
    """The code in the first target system that any coding has; else what the code map says of any coding.

    Of several the one with a unit of its own, then the longest of a system whose codes grow with their detail, then the
    smallest: whatever their order.
    """
    listed = sorted(usable, key=_place)
    if fitting := _fitting(listed, systems):
        return fitting[0]
    for coding in listed:
        meant = codes.get((coding[0] or "", coding[1]))
        if meant:
            for target in systems:
                if target in meant:
                    return meant[target]
    return None


def fit_alike(usable: Iterable[tuple[str | None, str]], systems: tuple[str, ...]) -> bool:
    """Whether several codes fit a target as well as the one that is chosen, and mean something else for all that can be told.

    Codes whose values have the same unit and the same plausible range are names of one thing (oxygen saturation, by whatever
    method); a code of a hierarchy that opens the chosen one says the same with less detail.
    """
    fitting = _fitting(usable, systems)
    if len(fitting) < 2:
        return False
    first, *listed = fitting
    others = [code for code in listed if code not in FIXED.get(first, ())]
    row = unit_table().get(first)
    if row is not None:
        rows = (unit_table().get(code) for code in others)
        return any(other is not None and other[:3] != row[:3] for other in rows)
    return not all(len(code) < len(first) and first.startswith(code) for code in others)


def _fitting(usable: Iterable[tuple[str | None, str]], systems: tuple[str, ...]) -> list[str]:
    """The codes of the first target system that any coding has, the one to choose first."""
    listed = list(usable)
    for target in systems:
        fitting = {normal_code(target, code) for system, code in listed if system == target}
        if fitting:
            detail = target in HIERARCHIES
            return sorted(
                fitting,
                key=lambda code: (code not in unit_table(), code not in FIXED, -len(code) if detail else 0, code),
            )
    return []


_URL_OF_ABSENCE = rb'"url"\s*:\s*"[^"]*(?:/data-absent-reason|[nN]ullFlavor)"'
_WORD_OF_ABSENCE = rb'"value(?:Code|String)"\s*:\s*"([A-Za-z-]+)"'
_ABSENCES = [
    re.compile(form)
    for form in (
        _URL_OF_ABSENCE + rb"[^{}]*?" + _WORD_OF_ABSENCE,
        _WORD_OF_ABSENCE + rb"[^{}]*?" + _URL_OF_ABSENCE,
        _URL_OF_ABSENCE + rb'[^{}]*?"value(?:Coding|CodeableConcept)"\s*:\s*\{[^}]*?"code"\s*:\s*"([A-Za-z-]+)"',
    )
]
"""FHIR's extension, and HL7 v3's null flavour as one; its value as a code, and as others write it."""


def absences_in(raw: bytes) -> list[str]:
    """The reasons by which extensions of an element, or of a primitive in it, say that there is no value."""
    if b"/data-absent-reason" not in raw and b"ullFlavor" not in raw:
        return []
    return [said.decode() for form in _ABSENCES for said in form.findall(raw)]


def says_absent(source: Stated) -> bool:
    """Whether a Quantity says, beside its value, why it has none."""
    return source.extension is not None and bool(absences_in(bytes(source.extension)))


def absence_in(raw: bytes) -> bytes | None:
    """The same as FHIR's dataAbsentReason; None where none is said."""
    reasons = absences_in(raw)
    return encode({"coding": [{"code": reason} for reason in reasons]}) if reasons else None


UNKNOWN = frozenset({"unknown", "asked-unknown", "temp-unknown", "UNK", "ASKU", "NAV", "NAVU"})
_OTHER = frozenset({"as-text", "unsupported", "not-a-number", "negative-infinity", "positive-infinity", "OTH"})


def null_flavour_of(reasons: Collection[str]) -> str:
    """PCORnet's null flavour for FHIR's data-absent-reason or v3 NullFlavor, however many say why."""
    said = {*reasons, *("-".join(each.lower().split()) for each in reasons)}
    if not UNKNOWN.isdisjoint(said):
        return "UN"
    return "NI" if _OTHER.isdisjoint(said) else "OT"
