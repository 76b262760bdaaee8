"""What the measures ask for, and how much of it a site has."""

from typing import NamedTuple

from mainstem.refresh import Refresh
from services.measures.library import measures
from transforms.codes.systems import ICD10CM, LOINC, SNOMED

_FIELDS = {LOINC: "code", SNOMED: "code", ICD10CM: "icd10cm"}


class Need(NamedTuple):
    """What a measure asks for: one of some codes."""

    measure: str
    codes: list[tuple[str, str]]
    """(system, code); of ICD-10-CM a category."""
    records: int
    """Records of the site that have one of them."""


def needs(refresh: Refresh) -> list[Need]:
    """What the measures ask for, with the records a site has of it."""
    found = []
    for measure in measures().values():
        diagnoses = [(SNOMED, code) for code in measure.cohort.snomed]
        diagnoses += [(ICD10CM, code) for code in measure.cohort.icd10cm]
        for codes in ([(LOINC, measure.target.loinc)], diagnoses):
            found.append(Need(measure.id, codes, sum(_held(refresh, *code) for code in codes)))
    return found


def _held(refresh: Refresh, system: str, code: str) -> int:
    closed = "" if system == ICD10CM else '"'
    return refresh.store.contents.counted(refresh.site.site, f'"{_FIELDS[system]}":"{code}{closed}')


def asked_for(target: str, codes: list[str]) -> list[str]:
    """The measures that ask for one of some codes of a system."""
    asking = []
    for measure in measures().values():
        asked = {LOINC: (measure.target.loinc,), SNOMED: measure.cohort.snomed, ICD10CM: measure.cohort.icd10cm}
        if not set(asked.get(target, ())).isdisjoint(codes):
            asking.append(measure.id)
    return asking
