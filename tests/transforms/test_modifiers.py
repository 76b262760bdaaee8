"""Every element that FHIR R4 marks as modifying what a resource means (`?!`) is read, or refuses the resource by name."""

import pytest
from fhir.resources.R4B import get_fhir_model_class

from transforms import Mapper
from transforms.reading.members import MemberReader
from transforms.reading.reader import Reader
from transforms.resources import mappings

CATEGORIES = "http://terminology.hl7.org/CodeSystem/consentcategorycodes"
EVERYWHERE = {"implicitRules", "modifierExtension"}
MODIFIERS: dict[str, set[str]] = {
    "Appointment": {"status"},
    "CarePlan": {"status", "intent"},
    "Goal": {"lifecycleStatus"},
    "Communication": {"status"},
    "Task": {"status", "intent"},
    "AllergyIntolerance": {"clinicalStatus", "verificationStatus"},
    "Condition": {"clinicalStatus", "verificationStatus"},
    "Consent": {"status", "scope"},
    "Coverage": {"status"},
    "DeviceUseStatement": {"status"},
    "DeviceRequest": {"status", "intent"},
    "Encounter": {"status"},
    "EpisodeOfCare": {"status"},
    "Group": set(),
    "Immunization": {"status", "isSubpotent"},
    "MedicationAdministration": {"status"},
    "MedicationDispense": {"status"},
    "MedicationRequest": {"status", "intent", "doNotPerform"},
    "MedicationStatement": {"status"},
    "Observation": {"status"},
    "Patient": {"active", "deceasedBoolean", "deceasedDateTime", "link"},
    "Procedure": {"status"},
    "QuestionnaireResponse": {"status"},
    "ServiceRequest": {"status", "intent", "doNotPerform"},
}
"""From the definitions of R4 (4.0.1); of data types see below."""
SITE = Mapper(site="north", time_zone="UTC", subject_key=b"k" * 32)


def test_every_mapped_type_is_in_the_table() -> None:
    """A new type brings its row."""
    assert set(MODIFIERS) == set(mappings())


@pytest.mark.parametrize("resource_type", MODIFIERS)
def test_each_is_an_element_of_r4_and_is_read(resource_type: str) -> None:
    """The table holds no word that R4 does not have, and the mapping none less than the table."""
    fields = {info.alias or name for name, info in get_fhir_model_class(resource_type).model_fields.items()}
    wanted = MODIFIERS[resource_type] | EVERYWHERE
    assert wanted <= fields
    reader = SITE._readers[resource_type.encode()]
    if isinstance(reader, MemberReader):
        reader = reader._reader
    assert isinstance(reader, Reader)
    assert wanted <= reader._whole.declared


@pytest.mark.parametrize("resource_type", MODIFIERS)
def test_what_is_not_understood_refuses_the_resource_or_is_flagged(resource_type: str) -> None:
    """Whatever stands there, no record leaves as if it did not."""
    for name in sorted(MODIFIERS[resource_type] | EVERYWHERE):
        line = f'{{"resourceType":"{resource_type}","id":"1","{name}":"quux",{_rest(resource_type)}}}'
        outcome = SITE.map_line(line.encode())
        said = [record.provenance for record in outcome.records]
        assert outcome.problem is not None or all(b'"flags":' in each for each in said), name
        if outcome.problem is not None:
            assert outcome.problem.path.startswith(f"{resource_type}.{name}"), outcome.problem


def _rest(resource_type: str) -> str:
    coded = '{"coding":[{"system":"http://loinc.org","code":"29463-7"}]}'
    rxnorm = '{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"161"}]}'
    patient = '{"reference":"Patient/1"}'
    vaccine = '{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"140"}]}'
    snomed = '{"coding":[{"system":"http://snomed.info/sct","code":"34000006"}]}'
    return {
        "Patient": '"gender":"male"',
        "Encounter": f'"subject":{patient}',
        "Observation": f'"subject":{patient},"code":{coded},"effectiveDateTime":"2026","valueInteger":3',
        "Immunization": f'"patient":{patient},"vaccineCode":{vaccine},"occurrenceDateTime":"2026"',
        "AllergyIntolerance": f'"patient":{patient},"code":{snomed}',
        "Consent": f'"patient":{patient},"category":[{{"coding":[{{"system":"{CATEGORIES}","code":"rsdid"}}]}}],'
        '"provision":{"type":"permit"}',
        "Coverage": f'"beneficiary":{patient}',
        "EpisodeOfCare": f'"patient":{patient},"type":[{snomed}]',
        "Group": f'"type":"person","actual":true,"code":{snomed},"member":[{{"entity":{patient}}}]',
        "DeviceUseStatement": f'"subject":{patient},"device":{{"reference":"#d"}},'
        f'"contained":[{{"resourceType":"Device","id":"d","type":{snomed}}}]',
        "Condition": f'"subject":{patient},"code":{snomed}',
        "Procedure": f'"subject":{patient},"code":{snomed}',
        "ServiceRequest": f'"subject":{patient},"code":{snomed}',
        "Appointment": f'"participant":[{{"actor":{patient}}}]',
        "Communication": f'"subject":{patient},"topic":{snomed}',
        "Task": f'"for":{patient},"code":{snomed}',
        "CarePlan": f'"subject":{patient}',
        "Goal": f'"subject":{patient},"description":{snomed}',
        "QuestionnaireResponse": f'"subject":{patient},"questionnaire":"urn:q"',
        "DeviceRequest": f'"subject":{patient},"codeCodeableConcept":{snomed}',
    }.get(resource_type, f'"subject":{patient},"medicationCodeableConcept":{rxnorm}')
