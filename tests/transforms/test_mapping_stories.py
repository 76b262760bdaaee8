"""Input and expected record, one story a rule that matters to a clinician."""

import json
from hashlib import blake2b
from typing import Any

import pytest
from pydantic import TypeAdapter

from schemas.events import OutcomeEvent
from schemas.outcomes import AnyRecord
from schemas.problems import Reason
from transforms import CodeMapRow, Mapper, Outcome
from transforms.privacy import FieldPolicy

KEY = b"a key of thirty-two bytes, no less"
RECORD = TypeAdapter(AnyRecord)
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"


def mapper(**options: Any) -> Mapper:
    return Mapper(site="north", time_zone="America/New_York", subject_key=KEY, **options)


def mapped(resource: dict[str, Any], **options: Any) -> Outcome:
    return mapper(**options).map_line(json.dumps(resource).encode())


def only(resource: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The one record a resource gives, without what every record has."""
    outcome = mapped(resource, **options)
    assert outcome.problem is None, outcome.problem
    (record,) = outcome.records
    content = json.loads(record.content)
    RECORD.validate_json(record.content)
    return {name: value for name, value in content.items() if name not in ("type", "id", "subject", "site")}


def flags(resource: dict[str, Any], **options: Any) -> list[str]:
    found: list[str] = json.loads(b"{" + mapped(resource, **options).records[0].provenance + b"}").get("flags", [])
    return found


def reason(resource: dict[str, Any], **options: Any) -> tuple[Reason, str]:
    problem = mapped(resource, **options).problem
    assert problem is not None
    return problem.reason, problem.path


def observation(**fields: Any) -> dict[str, Any]:
    resource = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "8302-2", "display": "Body height"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-02T04:10:00+01:00",
        "valueQuantity": {"value": 120.5, "unit": "cm", "system": UCUM, "code": "cm"},
    } | fields
    return {name: value for name, value in resource.items() if value is not ...}


def quantity(value: float | str, unit: str, code: str = "8302-2") -> dict[str, Any]:
    return observation(
        code={"coding": [{"system": LOINC, "code": code}]},
        valueQuantity={"value": value, "system": UCUM, "code": unit},
    )


def test_a_height_becomes_an_observation_in_centimetres() -> None:
    """The record holds the normalised code and value, and beside them what the source wrote."""
    assert only(observation(encounter={"reference": "Encounter/e1"})) == {
        "status": "final",
        "effective": "2026-03-02T03:10:00Z",
        "effective_date": "2026-03-02",
        "encounter": "r-"
        + mapped({"resourceType": "Encounter", "id": "e1", "subject": {"reference": "Patient/p1"}}).records[0].id.hex(),
        "code": "8302-2",
        "codings": [{"system": LOINC, "code": "8302-2"}],
        "value": 120.5,
        "unit": "cm",
        "raw_value": "120.5",
        "raw_unit": "cm",
    }


def test_pounds_become_kilograms_and_say_so() -> None:
    """One unit a code leaves the site; the conversion is flagged."""
    record = only(quantity(100, "[lb_av]", "29463-7"))
    assert (record["value"], record["unit"], record["raw_value"], record["raw_unit"]) == (
        45.359237,
        "kg",
        "100",
        "[lb_av]",
    )
    assert flags(quantity(100, "[lb_av]", "29463-7")) == ["unit-converted"]


def test_fahrenheit_becomes_celsius() -> None:
    """Temperatures have an offset too."""
    assert only(quantity(98.6, "[degF]", "8310-5"))["value"] == 37


def test_a_unit_that_the_library_must_convert() -> None:
    """What stands in no table is converted by UCUM's arithmetic."""
    assert only(quantity(16, "kPa", "8480-6"))["value"] == pytest.approx(120.0099, abs=1e-3)


def test_height_in_kilograms_is_a_mismatch() -> None:
    """A unit that cannot measure what the code says is a problem, not a guess."""
    assert reason(quantity(120, "kg")) == (Reason.UNIT_MISMATCH, "Observation.valueQuantity.code")


def test_ifcc_hba1c_becomes_ngsp_by_the_master_equation_and_keeps_what_was_written() -> None:
    """48 mmol/mol is 6.5 %, not 4.8 %."""
    record = only(quantity(48, "mmol/mol", "4548-4"))
    assert (round(record["value"], 2), record["unit"], record["raw_value"], record["raw_unit"]) == (
        6.54,
        "%",
        "48",
        "mmol/mol",
    )
    assert round(only(quantity(6.5, "%", "59261-8"))["value"], 1) == 47.5


def test_a_unit_that_is_of_no_list_is_named_until_the_site_maps_it() -> None:
    """The site's code map can say what its own word means."""
    pressure = observation(
        code={"coding": [{"system": LOINC, "code": "8480-6"}]}, valueQuantity={"value": 110, "unit": "mmq"}
    )
    assert reason(pressure) == (Reason.UNKNOWN_UNIT, "Observation.valueQuantity.unit")
    record = only(pressure, code_map=[CodeMapRow("", "mmq", UCUM, "mm[Hg]")])
    assert (record["value"], record["unit"], record["raw_unit"]) == (110, "mm[Hg]", "mmq")


def test_an_implausible_value_is_flagged_and_kept() -> None:
    """Plausibility is for the reader to judge."""
    assert only(quantity(400, "mm[Hg]", "8480-6"))["value"] == 400
    assert flags(quantity(400, "mm[Hg]", "8480-6")) == ["implausible-high"]
    assert flags(quantity(5, "mm[Hg]", "8462-4")) == ["implausible-low"]


def test_a_panel_is_exploded_into_its_components() -> None:
    """Each component is a record with the panel's time and status; the panel lists them."""
    panel = observation(
        code={"coding": [{"system": LOINC, "code": "85354-9"}]},
        valueQuantity=...,
        component=[
            {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": {"value": value, "code": "mm[Hg]"}}
            for code, value in (("8480-6", 110), ("8462-4", 70))
        ],
    )
    whole, systolic, diastolic = (json.loads(record.content) for record in mapped(panel).records)
    assert whole["parts"] == sorted([systolic["id"], diastolic["id"]])
    assert "absent" not in whole
    assert (systolic["code"], systolic["value"], systolic["parent"]) == ("8480-6", 110, whole["id"])
    assert (diastolic["effective"], diastolic["status"]) == (whole["effective"], "final")
    panel["component"].reverse()
    assert {record.id for record in mapped(panel).records} == {
        bytes.fromhex(r["id"][2:]) for r in (whole, systolic, diastolic)
    }


def test_two_components_of_one_code_are_two_records() -> None:
    """Ids do not collide within a resource."""
    component = {"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, "valueInteger": 1}
    outcome = mapped(observation(valueQuantity=..., component=[component, component, component]))
    assert len({record.id for record in outcome.records}) == 4


def test_a_panel_of_results_of_their_own_names_them() -> None:
    """hasMember: the members are records of their own resources."""
    member = mapped(observation(id="m1")).records[0].id.hex()
    panel = observation(valueQuantity=..., hasMember=[{"reference": "Observation/m1"}, {"display": "another"}])
    assert only(panel)["members"] == [f"r-{member}"]


def test_a_bad_component_names_its_place() -> None:
    """The path leads the site's people to the field."""
    component = {"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, "valueQuantity": {"value": 1, "code": "kg"}}
    assert reason(observation(component=[component], valueQuantity=...)) == (
        Reason.UNIT_MISMATCH,
        "Observation.component[0].valueQuantity.code",
    )


@pytest.mark.parametrize("status", ["entered-in-error", "entered-in-error ", "Entered-In-Error"])
def test_entered_in_error_observation_is_withdrawn(status: str) -> None:
    """The source takes it back, whatever else is wrong with it."""
    outcome = mapped(observation(status=status, code=..., meta={"lastUpdated": "1970-01-01T00:00:01Z"}))
    assert (outcome.withdrawn, outcome.records, outcome.problem, outcome.updated) == (True, [], None, 1_000_000)


def test_status_changes_do_not_change_the_record_id() -> None:
    """preliminary → final is one record changing."""
    before, after = (mapped(observation(status=status)).records[0] for status in ("preliminary", "final"))
    assert before.id == after.id
    assert before.content != after.content


def test_the_coding_is_chosen_by_system_not_by_place() -> None:
    """A proprietary coding with userSelected stands first in Cerner's feeds."""
    record = only(
        observation(
            code={
                "coding": [
                    {"system": "https://fhir.cerner.com/codeSet/72", "code": "4154126", "userSelected": True},
                    {"system": "http: //loinc.org ", "code": "8302-2"},
                ]
            }
        )
    )
    assert record["code"] == "8302-2"
    assert [coding["code"] for coding in record["codings"]] == ["8302-2", "4154126"]


def test_the_code_map_fills_in_what_is_missing_and_the_rest_is_counted() -> None:
    """A local code without meaning keeps its coding and is counted for the site to map."""
    local = observation(code={"coding": [{"system": "urn:oid:1.2.3", "code": "HT"}], "text": "Height"})
    site = mapper()
    site.map_line(json.dumps(local).encode())
    site.map_line(json.dumps(local | {"id": "o2"}).encode())
    assert site.noticed.unmapped == {("urn:oid:1.2.3", "HT", LOINC): 2}
    assert site.noticed.flags == {"code-unmapped": 2}
    assert only(local, code_map=[CodeMapRow("urn:oid:1.2.3", "HT", LOINC, "8302-2")])["code"] == "8302-2"


def test_a_text_without_code_is_a_missing_code_until_mapped() -> None:
    """Free text never leaves, but the site may say what it means."""
    spoken = observation(code={"text": "Height of Ann Example"})
    assert reason(spoken) == (Reason.MISSING_CODE, "Observation.code")
    record = only(spoken, code_map=[CodeMapRow("", "Height of Ann Example", LOINC, "8302-2")])
    assert record["code"] == "8302-2"
    assert "codings" not in record


@pytest.mark.parametrize(
    ("code", "flag"),
    [
        ("9279-2", "loinc-check-digit"),
        ("9279-01-01", "loinc-spreadsheet-date"),
        ("Jan-79", "loinc-spreadsheet-date"),
        ("RESP", "loinc-form"),
        ("9279 1", "loinc-form"),
    ],
)
def test_a_code_with_a_wrong_check_digit_or_made_a_date_is_bad(code: str, flag: str) -> None:
    """A spreadsheet turned 9279-1 into 9279-01-01."""
    site = mapper()
    outcome = site.map_line(json.dumps(quantity(20, "/min", code)).encode())
    assert outcome.problem is not None
    assert (outcome.problem.reason, outcome.problem.path) == (Reason.BAD_CODE, "Observation.code.coding[0].code")
    assert site.noticed.flags == {flag: 1}


def test_the_local_date_is_the_offsets_else_the_sites() -> None:
    """At 02:30 UTC it is still the evening before in New York."""
    assert only(observation(effectiveDateTime="2026-03-02T02:30:00Z"))["effective_date"] == "2026-03-01"
    assert only(observation(effectiveDateTime="2026-03-02T02:30:00+02:00"))["effective_date"] == "2026-03-02"
    assert only(observation(effectiveDateTime="2026-03"))["effective_date"] == "2026-03"
    assert "effective" not in only(observation(effectiveDateTime="2026-03-02"))


def test_cerners_spaced_time_is_repaired() -> None:
    """`2023-08-01T16: 09: 08.000Z` stands in Cerner's public examples."""
    spaced = observation(effectiveDateTime="2023-08-01T16: 09: 08.000Z")
    assert only(spaced)["effective"] == "2023-08-01T16:09:08Z"
    assert flags(spaced) == ["time-repaired"]


def test_numbers_in_quotation_marks_and_numeric_versions_are_repaired() -> None:
    """Decimals as strings, versionId a number."""
    quoted = quantity("7.10", "cm") | {"meta": {"versionId": 3, "lastUpdated": "2026-03-02T04:11:09Z"}}
    record = only(quoted)
    assert (record["raw_value"], record["value"]) == ("7.10", 7.1)
    provenance = json.loads(b"{" + mapped(quoted).records[0].provenance + b"}")
    assert (provenance["source"][0]["version"], provenance["source"][0]["updated"]) == ("3", "2026-03-02T04:11:09Z")


def test_nulls_and_empty_fields_are_as_if_absent() -> None:
    """FHIR forbids them; feeds send them."""
    untidy = observation(interpretation=[], encounter=None, category=[None, {}])
    assert only(untidy) == only(observation())
    assert reason(observation(effectiveDateTime=None)) == (Reason.MISSING_TIME, "Observation.effective[x]")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"valueString": "Ann feels better"}, {"absent": "OT"}),
        ({"valueBoolean": True}, {"value_code": "true"}),
        ({"valueInteger": 12}, {"value": 12, "raw_value": "12"}),
        ({"valueCodeableConcept": {"text": "rash on Ann"}}, {"absent": "OT"}),
        (
            {"valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "266919005"}]}},
            {"value_code": "266919005", "value_codings": [{"system": SNOMED, "code": "266919005"}]},
        ),
        ({"dataAbsentReason": {"coding": [{"code": "asked-unknown"}]}}, {"absent": "UN"}),
        ({"dataAbsentReason": {"coding": [{"code": "not-performed"}]}}, {"absent": "NI"}),
        ({}, {"absent": "NI"}),
        ({"hasMember": [{"reference": "Observation/o2"}]}, {}),
    ],
)
def test_every_kind_of_value(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """A value, or a null flavour that says why there is none."""
    record = only(observation(valueQuantity=..., **fields))
    names = ("value", "raw_value", "value_code", "value_codings", "absent")
    assert {name: value for name, value in record.items() if name in names} == expected


def test_two_values_are_refused() -> None:
    """FHIR allows one of value[x]."""
    assert reason(observation(valueInteger=3)) == (Reason.INVALID_FIELD, "Observation.value[x]")


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ({"resourceType": "Condition", "id": "c", "clinicalStatus": "active"}, "Condition.clinicalStatus"),
        ({"resourceType": "Encounter", "id": "e", "class": "inpatient"}, "Encounter.class"),
        ({"resourceType": "Encounter", "id": "e", "class": [{"coding": []}]}, "Encounter.class"),
        (
            {"resourceType": "MedicationRequest", "id": "m", "medication": {"concept": {}}},
            "MedicationRequest.medication",
        ),
        (
            {"resourceType": "MedicationRequest", "id": "m", "requester": {"agent": {"reference": "Practitioner/1"}}},
            "MedicationRequest.requester",
        ),
        (observation(context={"reference": "Encounter/1"}), "Observation.context"),
        (observation(comments="text"), "Observation.comments"),
        (
            observation(meta={"profile": ["http://hl7.org/fhir/DSTU2/StructureDefinition/x"]}),
            "Observation.meta.profile",
        ),
        ({"resourceType": "MedicationOrder", "id": "m"}, "MedicationOrder"),
    ],
)
def test_resources_of_other_fhir_versions_are_refused_by_name(resource: dict[str, Any], path: str) -> None:
    """Refused, not mangled."""
    filled = {"subject": {"reference": "Patient/p"}} | resource
    assert reason(filled) == (Reason.OTHER_FHIR_VERSION, path)


def test_ids_longer_than_fhir_allows_are_ids() -> None:
    """Epic has such; a reference with one leads to its patient."""
    one, other = (
        mapped(observation(id=f"{end}{'e' * 120}", subject={"reference": f"Patient/{'T' * 90}"})).records[0]
        for end in "ab"
    )
    assert one.id != other.id
    assert json.loads(one.content)["subject"] == json.loads(other.content)["subject"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": ...}, (Reason.MISSING_ID, "Observation.id")),
        ({"subject": ...}, (Reason.MISSING_SUBJECT, "Observation.subject")),
        ({"subject": {"reference": "Group/g"}}, (Reason.MISSING_SUBJECT, "Observation.subject")),
        ({"subject": {"display": "Ann"}}, (Reason.MISSING_SUBJECT, "Observation.subject")),
        ({"code": ...}, (Reason.MISSING_CODE, "Observation.code")),
        ({"effectiveDateTime": ...}, (Reason.MISSING_TIME, "Observation.effective[x]")),
        ({"status": "Ann"}, (Reason.MODIFIER_NOT_UNDERSTOOD, "Observation.status")),
        ({"code": {"coding": 5}}, (Reason.INVALID_FIELD, "Observation.code.coding")),
        ({"valueQuantity": {"value": "1,5", "code": "cm"}}, (Reason.INVALID_FIELD, "Observation.valueQuantity.value")),
        ({"valueQuantity": [1]}, (Reason.INVALID_FIELD, "Observation.valueQuantity")),
        ({"id": ["x"]}, (Reason.INVALID_FIELD, "Observation.id")),
    ],
)
def test_what_cannot_be_used_says_why_and_where(fields: dict[str, Any], expected: tuple[Reason, str]) -> None:
    """A reason and a field path, never a value."""
    assert reason(observation(**fields)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"", Reason.INVALID_JSON),
        (b"{", Reason.INVALID_JSON),
        (b'{"resourceType":"Observation","id":"a"', Reason.INVALID_JSON),
        (b'{"resourceType":"Observation","id":"a\x00"}', Reason.INVALID_JSON),
        (b'{"resourceType":"Observation","id":"\\ud800"}', Reason.INVALID_JSON),
        (b'{"resourceType":"Observation","x":' + b"[" * 100_000, Reason.INVALID_JSON),
        (b"[]", Reason.NOT_A_RESOURCE),
        (b"{}", Reason.NOT_A_RESOURCE),
        (b'{"resourceType":5}', Reason.NOT_A_RESOURCE),
        (b'{"resourceType":"Ann Example"}', Reason.NOT_A_RESOURCE),
        (b'{"resourceType":"Claim"}', Reason.TYPE_NOT_MAPPED),
        (b'{"resourceType":"OperationOutcome"}', Reason.SERVER_MESSAGE),
    ],
)
def test_lines_that_are_no_resource(line: bytes, expected: Reason) -> None:
    """Each gets its reason; none stops the run."""
    problem = mapper().map_line(line).problem
    assert problem is not None
    assert problem.reason is expected
    assert "Ann" not in repr(problem)


def test_a_type_the_site_leaves_out_is_not_mapped() -> None:
    """`types` of the site file decides."""
    assert reason(observation(), types=["Patient"])[0] is Reason.TYPE_NOT_MAPPED


def test_the_type_is_found_wherever_it_stands() -> None:
    """JSON members have no order, and contained resources have types of their own."""
    resource = {"contained": [{"resourceType": "Medication"}], **observation()}
    assert only({**{k: v for k, v in resource.items() if k != "resourceType"}, "resourceType": "Observation"}) == only(
        observation()
    )


def test_a_byte_order_mark_is_skipped() -> None:
    """Windows tools put one at the start of a file."""
    line = json.dumps(observation()).encode()
    assert mapper().map_line(b"\xef\xbb\xbf" + line) == mapper().map_line(line)
    assert mapper().map_line(b"\xef\xbb\xbf" * 3).problem is not None


def test_what_is_remembered_changes_nothing() -> None:
    """A content met before gives the same bytes and the same notes as one met first."""
    site, lines = mapper(), [json.dumps(quantity(value, "mm[Hg]", "8480-6")).encode() for value in (110, 400, 110, 400)]
    outcomes = [site.map_line(line) for line in lines]
    assert outcomes == [mapper().map_line(line) for line in lines]
    assert site.noticed.flags == {"implausible-high": 2}


def test_a_patient_becomes_a_person() -> None:
    """US Core's race and ethnicity, ZIP, language, death; nothing that names."""
    category = "urn:oid:2.16.840.1.113883.6.238"
    base = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "name": [{"family": "Example", "given": ["Ann"]}],
        "gender": "female",
        "birthDate": "2015-04-01",
        "address": [{"use": "old", "postalCode": "99999"}, {"postalCode": "02139-1234", "city": "Cambridge"}],
        "communication": [
            {"language": {"coding": [{"code": "en-US"}]}},
            {"language": {"coding": [{"code": "es"}]}, "preferred": True},
        ],
        "deceasedDateTime": "2026-01-02T03:00:00Z",
        "extension": [
            {
                "url": base + "race",
                "extension": [
                    {"url": "ombCategory", "valueCoding": {"system": category, "code": "2106-3"}},
                    {"url": "ombCategory", "valueCoding": {"system": category, "code": "2054-5"}},
                    {"url": "text", "valueString": "Ann says"},
                ],
            },
            {"url": base + "ethnicity", "extension": [{"url": "ombCategory", "valueCoding": {"code": "UNK"}}]},
            {"url": base + "birthsex", "valueCode": "F"},
            {"url": base + "genderIdentity", "valueCodeableConcept": {"coding": [{"code": "446141000124107"}]}},
        ],
    }
    assert only(patient) == {
        "birth_date": "2015-04-01",
        "sex": "female",
        "birth_sex": "female",
        "race": ["2054-5", "2106-3"],
        "ethnicity": "UN",
        "zip5": "02139",
        "language": "es",
        "deceased": True,
        "death_date": "2026-01-01",
    }


@pytest.mark.parametrize(
    ("said", "kept", "flags"),
    [
        ("M", "male", []),
        ("f", "female", []),
        ("UNK", "UN", []),
        ("OTH", "OT", []),
        ("Ann", None, ["dropped:extension"]),
        ({"code": "F"}, None, ["dropped:extension"]),
    ],
)
def test_birth_sex_is_read_or_left_out_by_name(said: object, kept: str | None, flags: list[str]) -> None:
    """A fault in one extension takes nothing from its neighbours."""
    base = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
    ethnicity = {"url": base + "ethnicity", "extension": [{"url": "ombCategory", "valueCoding": {"code": "2135-2"}}]}
    birth = {"url": base + "birthsex", "valueCode": said}
    (record,) = mapped({"resourceType": "Patient", "id": "p1", "extension": [birth, ethnicity]}).records
    content = json.loads(record.content)
    assert (content.get("birth_sex"), content["ethnicity"]) == (kept, "2135-2")
    assert json.loads(b"{" + record.provenance + b"}").get("flags", []) == flags


@pytest.mark.parametrize(
    "extension",
    [
        {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-genderIdentity"},
        {"url": "http://hl7.org/fhir/StructureDefinition/patient-genderIdentity"},
        {"url": "http://hl7.org/fhir/StructureDefinition/individual-genderIdentity"},
    ],
)
def test_gender_identity_leaves_only_where_the_policy_lets_it(
    monkeypatch: pytest.MonkeyPatch, extension: dict[str, Any]
) -> None:
    """As it stands, it does not."""
    said = {"coding": [{"system": SNOMED, "code": "446141000124107", "display": "Ann says"}], "text": "Ann says"}
    inner = [{"url": "value", "valueCodeableConcept": said}]
    told = {"extension": inner} if "individual" in extension["url"] else {"valueCodeableConcept": said}
    line = json.dumps({"resourceType": "Patient", "id": "p1", "extension": [extension | told]}).encode()
    assert b"446141000124107" not in mapper().map_line(line).records[0].content
    allowed = {"person": {"gender_identity": ("keep",)}}
    monkeypatch.setattr(FieldPolicy, "load", classmethod(lambda cls: cls(allowed)))
    content = mapper().map_line(line).records[0].content
    assert json.loads(content)["gender_identity"] == [{"system": SNOMED, "code": "446141000124107"}]
    assert b"Ann" not in content


def test_person_and_observation_share_the_subject_in_every_form_of_reference() -> None:
    """Relative, absolute, versioned, urn:uuid: one patient."""
    name = "7d3f1c52-90ab-4e6d-8f21-b35c70e4a918"
    person = mapped({"resourceType": "Patient", "id": name}).records[0]
    relative = f"Patient/{name}"
    forms = (relative, f"https://ehr.example/fhir/{relative}", f"{relative}/_history/4", f"urn:uuid:{name}")
    assert {mapped(observation(subject={"reference": form})).records[0].subject for form in forms} == {person.subject}


def test_an_encounter() -> None:
    """Class by v3-ActCode, types and reasons as codings, both times."""
    encounter = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "planned",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [{"coding": [{"system": SNOMED, "code": "162673000"}], "text": "Visit of Ann"}],
        "reasonCode": [{"text": "Ann is ill"}],
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2026-03-02T09:00:00-05:00", "end": "2026-03-02T10:00:00-05:00"},
    }
    assert only(encounter) == {
        "class_code": "AMB",
        "types": [{"system": SNOMED, "code": "162673000"}],
        "start": "2026-03-02T14:00:00Z",
        "start_date": "2026-03-02",
        "end": "2026-03-02T15:00:00Z",
        "end_date": "2026-03-02",
        "status": "planned",
    }
    assert flags(encounter) == ["text-withheld"]


def condition(**fields: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": "Patient/p1"},
        "code": {
            "coding": [
                {"system": "urn:oid:2.16.840.1.113883.6.90", "code": "E84.0"},
                {"system": SNOMED, "code": "190905008"},
            ]
        },
    } | fields


def test_a_condition_has_its_snomed_and_its_icd_code() -> None:
    """Both target systems are looked for, OIDs included."""
    record = only(condition(verificationStatus={"coding": [{"code": "differential"}]}, onsetPeriod={"start": "2020"}))
    assert (record["code"], record["icd10cm"]) == ("190905008", "E84.0")
    assert (record["verification_status"], record["onset_date"]) == ("differential", "2020")


def test_a_condition_entered_in_error_is_withdrawn() -> None:
    """By its verification status."""
    assert mapped(condition(verificationStatus={"coding": [{"code": "entered-in-error"}]})).withdrawn


def test_a_contained_medication_is_resolved_and_one_elsewhere_flagged() -> None:
    """Epic orders by reference."""
    rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
    order = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "authoredOn": "2026-03-02",
        "medicationReference": {"reference": "#med"},
        "contained": [
            {
                "resourceType": "Medication",
                "id": "med",
                "code": {"coding": [{"system": rxnorm, "code": "308192"}]},
                "ingredient": [{"itemCodeableConcept": {"coding": [{"system": rxnorm, "code": "723"}]}}],
            }
        ],
        "dosageInstruction": [
            {
                "text": "for Ann",
                "asNeededBoolean": "false",
                "doseAndRate": [{"doseQuantity": {"value": 5.0, "code": "mL"}}],
            }
        ],
        "dispenseRequest": {"expectedSupplyDuration": {"value": 2, "code": "wk"}},
    }
    assert only(order) == {
        "kind": "ordered",
        "code": "308192",
        "codings": [{"system": rxnorm, "code": "308192"}],
        "ingredients": ["723"],
        "drug_by_reference": True,
        "start_date": "2026-03-02",
        "days_supply": 14,
        "dose": 5,
        "dose_unit": "mL",
        "as_needed": False,
        "intent": "order",
        "status": "active",
    }
    elsewhere = order | {"medicationReference": {"reference": "Medication/7"}}
    assert reason(elsewhere)[0] is Reason.UNKNOWN_MEDICATION
    assert reason(order | {"doNotPerform": True})[0] is Reason.NOT_A_FACT


def test_procedures_and_immunizations_not_done_are_no_facts() -> None:
    """`not-done` says that something did not happen."""
    procedure = {
        "resourceType": "Procedure",
        "id": "x",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": SNOMED, "code": "430193006"}]},
        "performedPeriod": {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T10:00:00Z"},
    }
    vaccine = {
        "resourceType": "Immunization",
        "id": "x",
        "status": "completed",
        "patient": {"reference": "Patient/p1"},
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "119"}]},
        "occurrenceDateTime": "2026-03-02",
    }
    assert only(procedure)["performed_end"] == "2026-03-02T10:00:00Z"
    assert only(vaccine)["code"] == "119"
    assert reason(procedure | {"status": "not-done"}) == (Reason.NOT_A_FACT, "Procedure.status")
    assert reason(vaccine | {"status": "not-done"}) == (Reason.NOT_A_FACT, "Immunization.status")


def test_a_batch_gives_what_its_lines_give() -> None:
    """Types, parts, problems and withdrawals mixed, in any size of batch; numbers and flags of one line stay with it."""
    lines = [
        json.dumps(resource).encode()
        for resource in (
            observation(id=0),
            observation(id="", status="final"),
            observation(
                id="a", component=[{"code": observation()["code"], "valueQuantity": {"value": n}} for n in (1, 2)]
            ),
            observation(id="b", status="entered-in-error"),
            quantity(500, "cm") | {"id": "c"},
            {"resourceType": "Patient", "id": "p1", "gender": "female"},
            observation(id="d", subject=..., valueString="text"),
            observation(id="e", encounter=None, component=[{"code": None}]),
            {"resourceType": "Practitioner", "id": "x"},
            observation(id="f", valueQuantity=..., dataAbsentReason={"coding": [{"code": "unknown"}]}),
        )
    ]
    lines += [b"{", b'{"resourceType":"Observation","id":"g","status":1}', b'{"resourceType":"Observation","id":[]}']
    alone = [mapper().map_line(line) for line in lines]
    for size in (1, 2, 5, len(lines)):
        site = mapper()
        for first in range(0, len(lines), size):
            batch = site.map_lines(lines[first : first + size])
            expected = alone[first : first + size]
            assert batch.records == [record for outcome in expected for record in outcome.records]
            assert {place: outcome.problem for place, outcome in batch.unusual.items() if outcome.problem} == {
                place: outcome.problem for place, outcome in enumerate(expected) if outcome.problem
            }
            assert [batch.unusual[place].withdrawn for place in sorted(batch.unusual)] == [
                outcome.withdrawn for outcome in expected if len(outcome.records) != 1
            ]
    one_by_one = mapper()
    for line in lines:
        one_by_one.map_line(line)
    assert site.noticed.flags == one_by_one.noticed.flags
    assert site.noticed.flags["implausible-high"] == 1


@pytest.mark.parametrize(
    "meta",
    [
        '{"versionId":"3","lastUpdated":"2026-03-02T04:11:09.123+01:00"}',
        '{"versionId":"3","lastUpdated":"2026-03-02T04:11:09Z","source":"#a,b","profile":["http://x/vitalsigns","y"]}',
        '{"versionId":"3","lastUpdated":"2026-03-02T04:11:09Z","profile":["http://hl7.org/fhir/STU3/vitalsigns"]}',
        '{"versionId":"3","lastUpdated":"2026-13-02T04:11:09Z"}',
        '{"versionId":"3","lastUpdated":"2026-03-02T04:11:09Z","versionId":"4"}',
        '{"versionId":"3","lastUpdated":"2026-03-02T04:11:09Z","extension":[{"url":"x"},{"url":"y"}]}',
    ],
)
def test_meta_in_its_usual_form_is_cut_to_what_it_is_read_as(meta: str) -> None:
    """The short cut and the reader agree, whatever follows."""
    line = json.dumps(observation()).encode()[:-1] + b',"meta":%b}'
    cut = mapper().map_line(line % meta.encode())
    read = mapper().map_line(line % meta.replace(":", ": ", 1).encode())
    assert cut == read
    assert cut.problem is not None or (cut.updated is None) == ("2026-13" in meta)


def test_a_record_and_its_provenance_make_a_valid_event() -> None:
    """What the store concatenates is what the schema promises."""
    outcome = mapped(quantity(500, "cm") | {"meta": {"versionId": "1", "lastUpdated": "2026-03-02T04:11:09.123Z"}})
    (record,) = outcome.records
    digest = blake2b(record.content, digest_size=16).hexdigest().encode()
    event = OutcomeEvent.model_validate_json(
        b'{"record":%b,"change":{"op":"recorded","sequence":1,"previous":0,"digest":"%b"},'
        b'"provenance":{"site":"north","load":"north/1","software":"0",%b}}'
        % (record.content, digest, record.provenance)
    )
    assert event.provenance.mapping == "observation@1"
    assert event.provenance.flags == ["implausible-high"]
    assert event.provenance.source[0].ref == "h-" + outcome.ref.hex()
    assert record.id == outcome.ref + bytes(4)
    assert next(iter(json.loads(record.content))) == "type"
