"""Codes a measure asks for: single ones, sets of the network's own, and value sets that it is supplied with."""

from dataclasses import dataclass
from hashlib import sha256


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


@dataclass(frozen=True, slots=True)
class CodeSet:
    """A code set of the network's own, from a file of `library/codes/`; citable by version and checksum."""

    id: str
    version: str
    title: str
    codes: tuple[Code, ...]
    categories: tuple[Code, ...] = ()
    """Each stands for itself and all below it: `E84` is E84 and E84.*"""

    @property
    def checksum(self) -> str:
        """SHA-256 of the codes in order: alike where the codes are, whatever their meanings say."""
        lines = [f"{each.system}|{each.code}\n" for each in self.codes]
        lines += [f"{each.system}|{each.code}.*\n" for each in self.categories]
        return sha256("".join(sorted(lines)).encode()).hexdigest()


Codes = ValueSet | Code | CodeSet

LOINC, SNOMED, CPT = "http://loinc.org", "http://snomed.info/sct", "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
RXNORM, ICD10CM = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://hl7.org/fhir/sid/icd-10-cm"
