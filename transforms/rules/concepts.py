"""CodeableConcepts and codings: which code of several is meant, and what of them may leave."""

import re
from collections.abc import Collection, Iterable

from transforms.codes.code_map import CodeMap
from transforms.codes.loinc import loinc_fault
from transforms.codes.systems import LOINC, NOT_A_CODE, repaired_system
from transforms.codes.units import unit_table
from transforms.fhir.elements import (
    CodeableConcept,
    Coding,
    Concept,
    ConceptOrCoding,
    Concepts,
    decode,
    text_of,
)

_TOKEN = re.compile(r"[!-~]+( [!-~]+)*")
_LONGEST_TOKEN = 64


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


def usable_codings(concept: CodeableConcept) -> tuple[list[tuple[str | None, str]], list[str]]:
    """(system, code) of each coding that is one, and flags for those that are not fit to leave."""
    found, flags = [], []
    for coding in concept.codings:
        system, code = repaired_system(coding.system), text_of(coding.code)
        if not code or system in NOT_A_CODE:
            continue
        if len(code) > _LONGEST_TOKEN or not _TOKEN.fullmatch(code):
            flags.append("code-withheld")
            continue
        found.append((system, code))
    return found, flags


def shared_codings(codings: Iterable[tuple[str | None, str]]) -> list[dict[str, str]]:
    """Codings as records carry them: each once, sorted by system and code."""
    return [
        {"system": system, "code": code} if system else {"code": code}
        for system, code in sorted(set(codings), key=_place)
    ]


def _place(coding: tuple[str | None, str]) -> tuple[bool, str, str]:
    """Codings by system and code, a concept's text behind them."""
    system, code = coding
    return system == "", system or "", code


def chosen_code(usable: Iterable[tuple[str | None, str]], systems: tuple[str, ...], codes: CodeMap) -> str | None:
    """The code in the first target system that any coding has; else what the code map says of any coding.

    Of several the one with a unit of its own, then the smallest: whatever their order.
    """
    listed = sorted(usable, key=_place)
    for target in systems:
        fitting = [code for system, code in listed if system == target and not (target == LOINC and loinc_fault(code))]
        if fitting:
            return next((code for code in fitting if code in unit_table()), fitting[0]) if fitting[1:] else fitting[0]
    for coding in listed:
        meant = codes.get((coding[0] or "", coding[1]))
        if meant:
            for target in systems:
                if target in meant:
                    return meant[target]
    return None


UNKNOWN = frozenset({"unknown", "asked-unknown", "temp-unknown", "UNK", "ASKU", "NAV", "NAVU"})
_OTHER = frozenset({"as-text", "unsupported", "not-a-number", "negative-infinity", "positive-infinity", "OTH"})


def null_flavour_of(reasons: Collection[str]) -> str:
    """PCORnet's null flavour for FHIR's data-absent-reason or v3 NullFlavor, however many say why."""
    if not UNKNOWN.isdisjoint(reasons):
        return "UN"
    return "NI" if _OTHER.isdisjoint(reasons) else "OT"
