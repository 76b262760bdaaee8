"""AllergyIntolerance as vendors write it, and the record of each."""

from typing import Any

import pytest
from reading import Json, only, reason, record_id

SNOMED, RXNORM, UNII = (
    "http://snomed.info/sct",
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://fdasis.nlm.nih.gov",
)
HL7 = "http://terminology.hl7.org/CodeSystem/"


def concept(*codings: tuple[str, str], text: str = "words that stay") -> Json:
    return {
        "coding": [{"system": system, "code": code, "display": "Ann Quux"} for system, code in codings],
        "text": text,
    }


def allergy(**fields: Any) -> Json:
    resource = {
        "resourceType": "AllergyIntolerance",
        "id": "al-7",
        "patient": {"reference": "Patient/kid-7", "display": "Ann Quux"},
        "clinicalStatus": concept((HL7 + "allergyintolerance-clinical", "active")),
        "verificationStatus": concept((HL7 + "allergyintolerance-verification", "confirmed")),
        "code": concept((RXNORM, "7980"), text="Penicillin V"),
    } | fields
    return {name: value for name, value in resource.items() if value is not ...}


def coding(code: str, system: str = SNOMED) -> Json:
    return {"system": system, "code": code}


US_CORE: tuple[Json, Json] = (
    allergy(
        meta={"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-allergyintolerance|6.1.0"]},
        category=["medication"],
        criticality="high",
        code=concept((SNOMED, "387406002"), text="sulfonamide antibacterial"),
        reaction=[{"manifestation": [concept((SNOMED, "271807003"), text="skin rash")], "severity": "mild"}],
    ),
    {
        "code": "387406002",
        "codings": [coding("387406002")],
        "category": ["medication"],
        "criticality": "high",
        "clinical_status": "active",
        "verification_status": "confirmed",
        "reactions": [{"manifestations": [coding("271807003")], "severity": "mild"}],
    },
)
SYNTHEA: tuple[Json, Json] = (
    allergy(
        type="allergy",
        category=["food"],
        criticality="low",
        code=concept((SNOMED, "102263004"), text="Eggs (edible) (substance)"),
        recordedDate="2019-08-11T02:31:11-04:00",
        reaction=[
            {"manifestation": [concept((SNOMED, "247472004"))], "severity": "moderate"},
            {"manifestation": [concept((SNOMED, "49727002"))], "severity": "mild"},
        ],
    ),
    {
        "code": "102263004",
        "codings": [coding("102263004")],
        "kind": "allergy",
        "category": ["food"],
        "criticality": "low",
        "clinical_status": "active",
        "verification_status": "confirmed",
        "recorded_date": "2019-08-11",
        "reactions": [
            {"manifestations": [coding("247472004")], "severity": "moderate"},
            {"manifestations": [coding("49727002")], "severity": "mild"},
        ],
    },
)
EPIC: tuple[Json, Json] = (
    allergy(
        category=["medication"],
        code=concept((UNII, "Q42T66VG0C"), (RXNORM, "7984"), ("urn:oid:2.16.840.1.113883.6.88", "70618")),
        onsetPeriod={"start": "2021-03-02"},
        recorder={"reference": "Practitioner/x", "display": "Ann Quux"},
        encounter={"reference": "Encounter/v1"},
        note=[{"text": "told by her mother, Ann Quux"}],
        reaction=[
            {
                "manifestation": [concept((SNOMED, "247472004"), text="Hives"), {"text": "felt odd"}],
                "description": "hives on arms, Ann Quux",
                "onset": "2021-03-02T14:00:00Z",
                "severity": "severe",
                "exposureRoute": concept((SNOMED, "26643006")),
            }
        ],
    ),
    {
        "rxnorm": "70618",
        "unii": "Q42T66VG0C",
        "codings": [coding("Q42T66VG0C", UNII), coding("70618", RXNORM), coding("7984", RXNORM)],
        "category": ["medication"],
        "clinical_status": "active",
        "verification_status": "confirmed",
        "onset_date": "2021-03-02",
        "reactions": [
            {
                "manifestations": [coding("247472004")],
                "severity": "severe",
                "onset": "2021-03-02T14:00:00Z",
                "onset_date": "2021-03-02",
                "route": [coding("26643006")],
            }
        ],
        "encounter": record_id("Encounter", "v1"),
    },
)
ORACLE: tuple[Json, Json] = (
    allergy(
        type="intolerance",
        category=["medication"],
        criticality="unable-to-assess",
        clinicalStatus=concept((HL7 + "allergyintolerance-clinical", "resolved")),
        verificationStatus=concept((HL7 + "allergyintolerance-verification", "unconfirmed")),
        code={
            "coding": [
                {"system": "https://fhir.cerner.com/ec2458f2/nomenclature", "code": "2684003"},
                coding("7980", RXNORM),
            ]
        },
        onsetAge={"value": 4, "unit": "years", "system": "http://unitsofmeasure.org", "code": "a"},
        lastOccurrence="2024-11",
    ),
    {
        "rxnorm": "7980",
        "kind": "intolerance",
        "category": ["medication"],
        "criticality": "unable-to-assess",
        "clinical_status": "resolved",
        "verification_status": "unconfirmed",
        "onset_age": 4,
        "onset_age_unit": "a",
        "last_occurrence_date": "2024-11",
    },
)


@pytest.mark.parametrize(
    ("given", "expected"), [US_CORE, SYNTHEA, EPIC, ORACLE], ids=["us-core", "synthea", "epic", "oracle"]
)
def test_what_vendors_write_becomes_the_same_kind_of_record(given: Json, expected: Json) -> None:
    """Substance by each system it has, reactions by code; no name, note or description."""
    record, _ = only(given)
    assert "Quux" not in str(record)
    assert record | expected == record
    assert set(record) - {"codings"} == set(expected) - {"codings"}


def test_a_text_among_the_reactions_is_withheld_and_said() -> None:
    assert only(EPIC[0])[1] == ["several:rxnorm", "text-withheld"]


@pytest.mark.parametrize(
    "code",
    [
        concept((SNOMED, "716186003"), text="No Known Allergies"),
        concept((SNOMED, "160244002")),
        concept((SNOMED, "429625007")),
        concept((SNOMED, "1003774007")),
        concept(("http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips", "no-allergy-info")),
        concept(("urn:local", "4711"), text="NKDA"),
        {"text": "No known drug allergies"},
        {"text": "Patient has no known allergies."},
        {"coding": [{"system": "urn:local", "code": "12", "display": "No Known Food Allergies"}]},
    ],
    ids=str,
)
def test_no_known_allergies_is_no_fact(code: Json) -> None:
    """Neither by a code nor in words; what it gave before is withdrawn."""
    assert reason(allergy(code=code)) == "not-a-fact AllergyIntolerance.code"


@pytest.mark.parametrize("text", ["Nobiletin", "Nickel", "None of the above penicillins", "Nuts", "NK cell therapy"])
def test_a_substance_whose_name_begins_alike_is_one(text: str) -> None:
    assert only(allergy(code=concept((RXNORM, "7980"), text=text)))[0]["rxnorm"] == "7980"


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"verificationStatus": concept((HL7 + "x", "refuted"))}, "not-a-fact AllergyIntolerance.verificationStatus"),
        ({"verificationStatus": {"text": "Refuted"}}, "not-a-fact AllergyIntolerance.verificationStatus"),
        ({"verificationStatus": concept((HL7 + "x", "entered-in-error"))}, "withdrawn"),
        (
            {"verificationStatus": concept((HL7 + "x", "quux"))},
            "modifier-not-understood AllergyIntolerance.verificationStatus",
        ),
        ({"clinicalStatus": concept((HL7 + "x", "entered-in-error"))}, "withdrawn"),
        ({"modifierExtension": [{"url": "urn:x"}]}, "modifier-not-understood AllergyIntolerance.modifierExtension"),
        ({"code": ...}, "missing-code AllergyIntolerance.code"),
        ({"code": {"text": "something in the garden"}}, "missing-code AllergyIntolerance.code"),
        ({"patient": ...}, "missing-subject AllergyIntolerance.patient"),
        ({"clinicalStatus": "active"}, "other-fhir-version AllergyIntolerance.clinicalStatus"),
        ({"category": "food"}, "other-fhir-version AllergyIntolerance.category"),
        ({"type": concept((HL7 + "x", "allergy"))}, "other-fhir-version AllergyIntolerance.type"),
        ({"substance": concept((RXNORM, "7980"))}, "other-fhir-version AllergyIntolerance.substance"),
        ({"assertedDate": "2020"}, "other-fhir-version AllergyIntolerance.assertedDate"),
        ({"participant": [{}]}, "other-fhir-version AllergyIntolerance.participant"),
        (
            {"reaction": [{"manifestation": [{"concept": concept((SNOMED, "49727002"))}]}]},
            "other-fhir-version AllergyIntolerance.reaction.manifestation",
        ),
    ],
)
def test_what_refuses_an_allergy_is_named(fields: Json, right: str) -> None:
    """R4's modifiers, other versions' shapes, and no substance."""
    assert reason(allergy(**fields)) == right


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({"clinicalStatus": concept(("urn:x", "quiescent"))}, "dropped:clinicalStatus"),
        ({"type": "Allergies"}, "dropped:type"),
        ({"category": ["food", "Quux"]}, "dropped:category"),
        ({"criticality": "dire"}, "dropped:criticality"),
        ({"onsetString": "when she was small"}, "text-withheld"),
        ({"recordedDate": "yesterday"}, "dropped:recordedDate"),
        ({"lastOccurrence": "2031"}, "future"),
        ({"reaction": [{"severity": "awful", "manifestation": [concept((SNOMED, "49727002"))]}]}, "dropped:reaction"),
        ({"reaction": "rash"}, "dropped:reaction"),
        ({"onsetDateTime": "2024-03-01", "lastOccurrence": "2020-01-01"}, "occurs-before-onset"),
        ({"criticality": "CRITH"}, "repaired:criticality"),
        ({"category": "..."}, "dropped:category"),
    ][:-1],
)
def test_a_fault_in_another_field_leaves_that_out_and_says_so(fields: Json, flag: str) -> None:
    """The allergy stands."""
    record, flags = only(allergy(**fields))
    assert record["rxnorm"] == "7980"
    assert flag in flags


def test_one_odd_reaction_leaves_its_siblings() -> None:
    """By name: a modifier inside it, a severity that is none, a shape that is none."""
    good = {"manifestation": [concept((SNOMED, "271807003"))], "severity": "Mild "}
    odd = [
        {"manifestation": [concept((SNOMED, "49727002"))], "modifierExtension": [{"url": "urn:did-not"}]},
        {"manifestation": ["hives"]},
        {"manifestation": [concept((SNOMED, "247472004"))], "onset": "2 minutes"},
        "rash",
        None,
    ]
    record, flags = only(allergy(reaction=[*odd, good]))
    assert record["reactions"] == [
        {"manifestations": [coding("247472004")]},
        {"manifestations": [coding("271807003")], "severity": "mild"},
    ]
    assert flags == ["dropped:reaction"]


def test_the_order_of_reactions_and_codings_changes_nothing() -> None:
    """They are sets: another serialiser makes no change."""
    given = SYNTHEA[0]
    again = given | {"reaction": given["reaction"][::-1]}
    assert only(again) == only(given)
