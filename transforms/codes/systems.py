"""Code systems by their URI, and the repair of URIs that real feeds get wrong."""

import re

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"
CPT = "http://www.ama-assn.org/go/cpt"
UCUM = "http://unitsofmeasure.org"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
DATA_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
BCP47 = "urn:ietf:bcp:47"
RACE_AND_ETHNICITY = "urn:oid:2.16.840.1.113883.6.238"

NOT_A_CODE = frozenset({DATA_ABSENT_REASON, NULL_FLAVOR})
"""Systems whose codes say that there is no code."""

_SAME = {
    # HL7's terminology registry lists each OID beside the URI: https://terminology.hl7.org/identifiers.html
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "urn:oid:2.16.840.1.113883.6.90": ICD10CM,
    "urn:oid:2.16.840.1.113883.6.4": ICD10PCS,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "urn:oid:2.16.840.1.113883.12.292": CVX,
    "urn:oid:2.16.840.1.113883.6.12": CPT,
    "urn:oid:2.16.840.1.113883.6.8": UCUM,
    "urn:oid:2.16.840.1.113883.5.4": ACT_CODE,
    "urn:oid:2.16.840.1.113883.5.83": INTERPRETATION,
    # STU3's URIs of the same systems, still written by R4 feeds.
    "http://hl7.org/fhir/v3/actcode": ACT_CODE,
    "http://hl7.org/fhir/v3/observationinterpretation": INTERPRETATION,
    "http://hl7.org/fhir/v2/0078": INTERPRETATION,
    "http://terminology.hl7.org/codesystem/v2-0078": INTERPRETATION,
    "http://hl7.org/fhir/data-absent-reason": DATA_ABSENT_REASON,
    "http://hl7.org/fhir/v3/nullflavor": NULL_FLAVOR,
}
_KNOWN = _SAME | {
    uri.lower(): uri
    for uri in (
        LOINC,
        SNOMED,
        ICD10CM,
        ICD10PCS,
        RXNORM,
        CVX,
        CPT,
        UCUM,
        ACT_CODE,
        INTERPRETATION,
        DATA_ABSENT_REASON,
        NULL_FLAVOR,
        BCP47,
        RACE_AND_ETHNICITY,
    )
}
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[!-~]{1,200}")


def repaired_system(system: str | None) -> str | None:
    """The code system's URI with white space, case, `https`, a closing slash or an OID put right; none where it is no URI.

    Cerner's public examples hold `http: //snomed.info/sct`.
    """
    if system is None:
        return None
    bare = "".join(system.split())
    key = bare.lower().rstrip("/")
    known = _KNOWN.get(key) or _KNOWN.get(key.replace("https://", "http://", 1))
    if known is not None:
        return known
    return bare if _URI.fullmatch(bare) else None
