"""Codes a measure asks for: single ones, and value sets that the network supplies."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A value set by its OID or canonical address; its codes come from outside (`valuesets.py`), never from here."""

    oid: str
    title: str


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a code system. `meaning` is ours, in plain words."""

    system: str
    code: str
    meaning: str


Codes = ValueSet | Code

LOINC, SNOMED, CPT = "http://loinc.org", "http://snomed.info/sct", "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
RXNORM, ICD10CM = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://hl7.org/fhir/sid/icd-10-cm"
