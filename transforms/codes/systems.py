"""Code systems by their URI, and the repair of URIs that real feeds get wrong."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
DMD = "https://dmd.nhs.uk"
ICD10GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"
UNII = "http://fdasis.nlm.nih.gov"
CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
UCUM = "http://unitsofmeasure.org"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
DATA_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
INSTRUMENT = "urn:mainstem:instrument"
"""Ours, of disease activity instruments, which have no LOINC codes; for code maps."""
COMMUNICATION_TOPIC = "http://terminology.hl7.org/CodeSystem/communication-topic"
TASK_CODE = "http://hl7.org/fhir/CodeSystem/task-code"
SOPT = "https://nahdo.org/sopt"
"""The Source of Payment Typology, of who pays."""
NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
BCP47 = "urn:ietf:bcp:47"

NOT_A_CODE = frozenset({DATA_ABSENT_REASON, NULL_FLAVOR})
"""Systems whose codes say that there is no code."""


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """A code system that records name by its URI."""

    form: re.Pattern[str] | None = None
    codes: frozenset[str] = frozenset()
    """All its codes, where it is closed."""
    dot: int = 0
    """After how many characters its codes have a dot."""
    stem: int = 0
    """How many characters of a code name the thing; what follows tells how it was done."""
    digits: int = 0
    """How many its codes have at least: zeros before them, which spreadsheets and numbers lose, make them up."""

    def has(self, code: str) -> bool:
        """Whether a text may be one of its codes."""
        return code in self.codes if self.codes else self.form is None or self.form.fullmatch(code) is not None


@cache
def _listed() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("transforms.codes").joinpath("systems.toml").read_text(encoding="utf-8"))


@cache
def known_systems() -> dict[str, CodeSystem]:
    """`systems.toml` by URI."""
    return {
        uri: CodeSystem(
            re.compile(row["form"]) if "form" in row else None,
            frozenset(row.get("codes", "").split()),
            row.get("dot", 0),
            row.get("stem", 0),
            row.get("digits", 0),
        )
        for uri, row in _listed().items()
    }


@cache
def _spellings() -> dict[str, str]:
    """How feeds write a system, in lower case and without closing slash → its URI."""
    return {
        written.lower().rstrip("/"): uri for uri, row in _listed().items() for written in (uri, *row.get("also", ()))
    }


_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[!-~]{1,200}")


_SNOMED_EDITION = re.compile(r"https?://snomed\.info/x?sct/\d{6,18}(/version/\d{6,8})?")
"""An edition's URI, which belongs into `version`."""


def repaired_system(system: str | None) -> str | None:
    """The code system's URI with white space, case, `https`, a closing slash, a version or an OID put right; none where it is no URI.

    Cerner's public examples hold `http: //snomed.info/sct`.
    """
    if system is None:
        return None
    bare = "".join(system.partition("|")[0].split())
    key = bare.lower().rstrip("/")
    spellings = _spellings()
    for written in (
        key,
        key.replace("https://", "http://", 1),
        key.replace("http://", "https://", 1),
        f"urn:oid:{key}",
    ):
        if written in spellings:
            return spellings[written]
    if _SNOMED_EDITION.fullmatch(key):
        return SNOMED
    return bare if _URI.fullmatch(bare) else None
