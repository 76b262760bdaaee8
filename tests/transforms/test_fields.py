"""What measures ask of visits, diagnoses, procedures, vaccines, results and people beside the fact itself."""

import json
from typing import Any

import pytest

from schemas.outcomes import RECORD_TYPES, record_type_of
from transforms import Mapper
from transforms.privacy import Pseudonyms

KEY = b"a key of thirty-two bytes, no less"
SNOMED, CVX, LOINC = "http://snomed.info/sct", "http://hl7.org/fhir/sid/cvx", "http://loinc.org"
HL7 = "http://terminology.hl7.org/CodeSystem/"
Json = dict[str, Any]


def concept(code: str, system: str = SNOMED) -> Json:
    return {"coding": [{"system": system, "code": code, "display": "Ann Quux"}], "text": "Ann Quux"}


def coding(code: str, system: str = SNOMED) -> Json:
    return {"system": system, "code": code}


def resource(kind: str, **fields: Any) -> Json:
    whom = "patient" if kind == "Immunization" else "subject"
    usual: Json = {"resourceType": kind, "id": "x1", whom: {"reference": "Patient/kid-7"}}
    usual |= {
        "Encounter": {"status": "finished"},
        "Condition": {"code": concept("195967001")},
        "Procedure": {"status": "completed", "code": concept("80146002")},
        "Immunization": {"status": "completed", "vaccineCode": concept("140", CVX), "occurrenceDateTime": "2026-05-02"},
        "Observation": {
            "status": "final",
            "code": concept("8302-2", LOINC),
            "effectiveDateTime": "2026-05-02",
            "valueQuantity": {"value": 120, "unit": "cm"},
        },
        "Patient": {},
    }[kind]
    return usual | fields


def read(given: Json) -> tuple[Json, list[str]]:
    """The record, proven against its model, and its flags; no name left."""
    (found,) = (
        Mapper(site="north", time_zone="America/New_York", subject_key=KEY).map_line(json.dumps(given).encode()).records
    )
    content: Json = json.loads(found.content)
    RECORD_TYPES[record_type_of(given["resourceType"]) or ""].model_validate(content)
    assert b"Quux" not in found.content + found.provenance
    flags: list[str] = json.loads(b"{" + found.provenance + b"}").get("flags", [])
    return content, flags


def said(given: Json, *names: str) -> list[Any]:
    content, _ = read(given)
    return [content.get(name) for name in names]


def record(kind: str, name: str) -> str:
    return f"r-{Pseudonyms(KEY).ref(kind, name).hex()}00000000"


def keyed(kind: str, name: str) -> str:
    return f"h-{Pseudonyms(KEY).ref(kind, name).hex()}"


# ---------------------------------------------------------------- visits


def test_a_visit_tells_where_from_where_to_and_why() -> None:
    """What hospice, readmission and follow-up measures ask."""
    visit = resource(
        "Encounter",
        hospitalization={
            "admitSource": concept("emd", HL7 + "admit-source"),
            "dischargeDisposition": concept("428371000124100"),
            "reAdmission": concept("R", HL7 + "v2-0092"),
            "destination": {"display": "Ann Quux"},
        },
        reasonReference=[{"reference": "Condition/dx-3", "display": "Ann Quux"}, {"reference": "Patient/other"}],
        diagnosis=[
            {
                "condition": {"reference": "Condition/dx-2"},
                "rank": 2,
                "use": concept("billing", HL7 + "diagnosis-role"),
            },
            {"condition": {"reference": "Procedure/op-1"}, "rank": "first"},
            {"condition": {"reference": "Condition/dx-1"}, "rank": 1, "use": concept("AD", HL7 + "diagnosis-role")},
            {"condition": {"display": "Ann Quux"}},
        ],
        serviceType=concept("310000008"),
    )
    names = ("admit_source", "discharge_disposition", "readmission", "reason_records", "service_type")
    assert said(visit, *names) == [
        [coding("emd", HL7 + "admit-source")],
        [coding("428371000124100")],
        [coding("R", HL7 + "v2-0092")],
        [record("Condition", "dx-3")],
        [coding("310000008")],
    ]
    assert read(visit)[0]["diagnoses"] == [
        {"record": record("Condition", "dx-1"), "use": "AD", "rank": 1},
        {"record": record("Condition", "dx-2"), "use": "billing", "rank": 2},
        {"record": record("Procedure", "op-1")},
    ]


def test_a_visit_tells_places_by_hash_and_people_by_kind() -> None:
    """Never who; the same place has the same hash at its site."""
    visit = resource(
        "Encounter",
        serviceProvider={"reference": "Organization/clinic-4", "display": "Ann Quux"},
        location=[
            {"location": {"reference": "Location/w-2"}},
            {"location": {"reference": "Location/w-1"}, "period": {"start": "2026-05-02"}},
            {"location": {"display": "Ann Quux"}},
        ],
        participant=[
            {"type": [concept("ATND", HL7 + "v3-ParticipationType")], "individual": {"reference": "Practitioner/ann"}},
            {"individual": {"type": "RelatedPerson", "identifier": {"value": "Ann Quux"}}},
            {"individual": {"reference": "Quux/1"}},
        ],
    )
    assert said(visit, "provider", "locations", "participant_types", "participant_kinds") == [
        keyed("Organization", "clinic-4"),
        sorted([keyed("Location", "w-1"), keyed("Location", "w-2")]),
        [coding("ATND", HL7 + "v3-ParticipationType")],
        ["Practitioner", "RelatedPerson"],
    ]


def test_a_visit_that_changed_class_tells_which_it_had() -> None:
    act = HL7 + "v3-ActCode"
    history = [
        {"class": {"system": act, "code": "IMP"}, "period": {"start": "2026-05-03", "end": "2026-05-05"}},
        {"class": {"system": act, "code": "EMER"}, "period": {"start": "2026-05-02", "end": "2026-05-03"}},
        {"class": {"code": "Ann Quux"}},
    ]
    for listed in (history, history[::-1]):
        assert read(resource("Encounter", classHistory=listed))[0]["class_history"] == [
            {"class_code": "EMER", "start_date": "2026-05-02", "end_date": "2026-05-03"},
            {"class_code": "IMP", "start_date": "2026-05-03", "end_date": "2026-05-05"},
        ]


# ---------------------------------------------------------------- diagnoses, procedures

AGES = [
    ({"onsetAge": {"value": 6, "unit": "years", "code": "a"}}, [6, None, "a"], []),
    ({"onsetAge": {"value": 18, "unit": "months"}}, [18, None, "mo"], []),
    ({"onsetAge": {"value": 600, "code": "a"}}, [600, None, "a"], ["implausible-high"]),
    ({"onsetRange": {"low": {"value": 5, "code": "a"}, "high": {"value": 7, "code": "a"}}}, [5, 7, "a"], []),
    ({"onsetString": "6 years old"}, [6, None, "a"], ["from-text"]),
    ({"onsetString": "at age 6"}, [6, None, "a"], ["from-text"]),
    ({"onsetString": "Aged 18 months"}, [18, None, "mo"], ["from-text"]),
    ({"onsetString": "3-4 yrs"}, [3, 4, "a"], ["from-text"]),
    ({"onsetString": "6"}, [None, None, None], ["text-withheld"]),
    ({"onsetString": "when Ann Quux was 6 years old"}, [None, None, None], ["text-withheld"]),
]


@pytest.mark.parametrize(("fields", "expected", "flags"), AGES)
def test_an_age_stays_an_age(fields: Json, expected: list[Any], flags: list[str]) -> None:
    """With its unit; in words only where they are nothing but an age."""
    for kind, ours, theirs in (
        ("Condition", "onset", "onset"),
        ("Condition", "abatement", "abatement"),
        ("Procedure", "performed", "performed"),
    ):
        given = resource(kind, **{name.replace("onset", theirs): value for name, value in fields.items()})
        content, noticed = read(given)
        assert [content.get(f"{ours}_{name}") for name in ("age", "age_high", "age_unit")] == expected
        assert noticed == flags


@pytest.mark.parametrize(
    ("text", "date"), [("2019", "2019"), ("2019-04", "2019-04"), (" 2019-04-03 ", "2019-04-03"), ("2019-13", None)]
)
def test_a_date_in_words_is_a_date(text: str, date: str | None) -> None:
    content, flags = read(resource("Condition", onsetString=text))
    assert (content.get("onset_date"), flags) == (date, ["from-text" if date else "text-withheld"])


def test_a_diagnosis_tells_severity_stage_and_site() -> None:
    given = resource(
        "Condition",
        severity=concept("24484000"),
        stage=[
            {"summary": concept("1222806003"), "assessment": [{"display": "Ann Quux"}]},
            {"type": concept("254292007")},
        ],
        bodySite=[concept("39607008"), {"text": "Ann Quux"}],
    )
    assert said(given, "severity", "stages", "body_sites") == [
        [coding("24484000")],
        [coding("1222806003")],
        [coding("39607008")],
    ]
    assert read(given)[1] == ["text-withheld"]


def test_a_procedure_tells_why_where_and_what_became_of_it() -> None:
    given = resource(
        "Procedure",
        status="stopped",
        statusReason=concept("182862001"),
        category=concept("387713003"),
        bodySite=[concept("66754008")],
        outcome=concept("385669000"),
        complication=[concept("131148009")],
        reasonReference=[{"reference": "Condition/dx-1"}],
        partOf=[{"reference": "Procedure/op-0"}],
        location={"reference": "Location/theatre"},
        performer=[{"actor": {"reference": "PractitionerRole/ann"}}],
        performedPeriod={"start": "2026-05-02", "end": "2026-05-03"},
    )
    names = ("status_reasons", "category", "body_sites", "outcome", "complications", "reason_records", "part_of")
    assert said(given, *names) == [
        [coding("182862001")],
        [coding("387713003")],
        [coding("66754008")],
        [coding("385669000")],
        [coding("131148009")],
        [record("Condition", "dx-1")],
        [record("Procedure", "op-0")],
    ]
    assert said(given, "location", "performer_kinds", "performed_date", "performed_end_date") == [
        keyed("Location", "theatre"),
        ["PractitionerRole"],
        "2026-05-02",
        "2026-05-03",
    ]


# ---------------------------------------------------------------- results, vaccines


def test_a_result_tells_by_whom_on_what_and_when_it_came() -> None:
    given = resource(
        "Observation",
        issued="2026-05-02T16:00:00Z",
        performer=[{"reference": "Patient/kid-7"}, {"reference": "Practitioner/ann", "display": "Ann Quux"}],
        specimen={"reference": "Specimen/s-1"},
        method=concept("702873001"),
        bodySite=concept("40983000"),
        derivedFrom=[{"reference": "Observation/o-2"}, {"reference": "Media/photo"}],
    )
    names = ("issued", "issued_date", "performer_kinds", "specimen", "method", "body_sites", "derived_from")
    assert said(given, *names) == [
        "2026-05-02T16:00:00Z",
        "2026-05-02",
        ["Patient", "Practitioner"],
        keyed("Specimen", "s-1"),
        [coding("702873001")],
        [coding("40983000")],
        [record("Observation", "o-2")],
    ]


def test_a_vaccine_tells_its_dose_series_and_source_and_no_lot() -> None:
    given = resource(
        "Immunization",
        primarySource=False,
        reportOrigin=concept("record", HL7 + "immunization-origin"),
        lotNumber="Quux-77",
        reaction=[{"detail": {"display": "Ann Quux"}}],
        protocolApplied=[
            {
                "series": "Ann Quux",
                "doseNumberPositiveInt": 2,
                "seriesDosesString": "3",
                "targetDisease": [concept("6142004")],
            }
        ],
        doseQuantity={"value": 0.5, "unit": "mL"},
        route=concept("IM", HL7 + "v3-RouteOfAdministration"),
        site=concept("LA", HL7 + "v3-ActSite"),
        reasonCode=[concept("429060002")],
        recorded="2026-05-03",
    )
    names = ("primary_source", "dose_number", "series_doses", "dose", "dose_unit", "recorded_date")
    assert said(given, *names) == [False, 2, 3, 0.5, "mL", "2026-05-03"]
    assert said(given, "report_origin", "target_diseases", "reasons") == [
        [coding("record", HL7 + "immunization-origin")],
        [coding("6142004")],
        [coding("429060002")],
    ]
    worded = resource("Immunization", protocolApplied=[{"doseNumberString": "booster for Ann Quux"}])
    assert read(worded)[1] == ["text-withheld"]
    two = resource("Immunization", protocolApplied=[{"doseNumberPositiveInt": 1}, {"doseNumberPositiveInt": 2}])
    assert (said(two, "dose_number"), read(two)[1]) == ([None], ["several-protocols"])


# ---------------------------------------------------------------- people


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([{"postalCode": "02139", "period": {"end": "2020-01-01"}}, {"postalCode": "45229"}], "45229"),
        (
            [{"use": "home", "postalCode": "02139", "period": {"end": "2020"}}, {"use": "temp", "postalCode": "45229"}],
            "45229",
        ),
        (
            [{"postalCode": "02139", "period": {"end": "2019"}}, {"postalCode": "45229", "period": {"end": "2021"}}],
            "45229",
        ),
        ([{"use": "work", "postalCode": "02139"}, {"use": "home", "postalCode": "45229-1234"}], "45229"),
        ([{"use": "old", "postalCode": "02139"}], None),
        ([{"use": "home", "postalCode": "75008", "country": "FR"}, {"use": "work", "postalCode": "45229"}], None),
        ([{"postalCode": "00907", "country": "Puerto Rico"}], "00907"),
        ([{"postalCode": "45229", "country": "U.S.A."}], "45229"),
        ([{"use": "home", "city": "Quux"}, {"postalCode": "45229"}], "45229"),
    ],
)
def test_the_zip_code_is_of_where_the_patient_lives(addresses: list[Json], expected: str | None) -> None:
    """One that ended comes behind one that stands; five digits abroad are no ZIP code."""
    for listed in (addresses, addresses[::-1]):
        assert read(resource("Patient", address=listed))[0].get("zip5") == expected
