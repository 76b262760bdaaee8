"""The fields we write are those of OHDSI's own tables: names, order, types, and which may not be empty.

The facts below were read off `inst/csv/OMOP_CDMv5.4_Field_Level.csv` (at 00169dd) and the DDL made from it for PostgreSQL (at 2ccb893) of
OHDSI/CommonDataModel, Apache-2.0: a name, then i integer, f number, d date, t timestamp, a number of characters or x for any; ! not null.
"""

import pytest

from services.research.omop import tables

OHDSI = {
    "person": "person_id i! gender_concept_id i! year_of_birth i! month_of_birth i day_of_birth i birth_datetime t race_concept_id i! "
    "ethnicity_concept_id i! location_id i provider_id i care_site_id i person_source_value 50 gender_source_value 50 "
    "gender_source_concept_id i race_source_value 50 race_source_concept_id i ethnicity_source_value 50 ethnicity_source_concept_id i",
    "observation_period": "observation_period_id i! person_id i! observation_period_start_date d! observation_period_end_date d! "
    "period_type_concept_id i!",
    "visit_occurrence": "visit_occurrence_id i! person_id i! visit_concept_id i! visit_start_date d! visit_start_datetime t "
    "visit_end_date d! visit_end_datetime t visit_type_concept_id i! provider_id i care_site_id i visit_source_value 50 "
    "visit_source_concept_id i admitted_from_concept_id i admitted_from_source_value 50 discharged_to_concept_id i "
    "discharged_to_source_value 50 preceding_visit_occurrence_id i",
    "condition_occurrence": "condition_occurrence_id i! person_id i! condition_concept_id i! condition_start_date d! "
    "condition_start_datetime t condition_end_date d condition_end_datetime t condition_type_concept_id i! condition_status_concept_id i "
    "stop_reason 20 provider_id i visit_occurrence_id i visit_detail_id i condition_source_value 50 condition_source_concept_id i "
    "condition_status_source_value 50",
    "drug_exposure": "drug_exposure_id i! person_id i! drug_concept_id i! drug_exposure_start_date d! drug_exposure_start_datetime t "
    "drug_exposure_end_date d! drug_exposure_end_datetime t verbatim_end_date d drug_type_concept_id i! stop_reason 20 refills i "
    "quantity f days_supply i sig x route_concept_id i lot_number 50 provider_id i visit_occurrence_id i visit_detail_id i "
    "drug_source_value 50 drug_source_concept_id i route_source_value 50 dose_unit_source_value 50",
    "procedure_occurrence": "procedure_occurrence_id i! person_id i! procedure_concept_id i! procedure_date d! procedure_datetime t "
    "procedure_end_date d procedure_end_datetime t procedure_type_concept_id i! modifier_concept_id i quantity i provider_id i "
    "visit_occurrence_id i visit_detail_id i procedure_source_value 50 procedure_source_concept_id i modifier_source_value 50",
    "device_exposure": "device_exposure_id i! person_id i! device_concept_id i! device_exposure_start_date d! "
    "device_exposure_start_datetime t device_exposure_end_date d device_exposure_end_datetime t device_type_concept_id i! "
    "unique_device_id 255 production_id 255 quantity i provider_id i visit_occurrence_id i visit_detail_id i device_source_value 50 "
    "device_source_concept_id i unit_concept_id i unit_source_value 50 unit_source_concept_id i",
    "measurement": "measurement_id i! person_id i! measurement_concept_id i! measurement_date d! measurement_datetime t "
    "measurement_time 10 measurement_type_concept_id i! operator_concept_id i value_as_number f value_as_concept_id i unit_concept_id i "
    "range_low f range_high f provider_id i visit_occurrence_id i visit_detail_id i measurement_source_value 50 "
    "measurement_source_concept_id i unit_source_value 50 unit_source_concept_id i value_source_value 50 measurement_event_id i "
    "meas_event_field_concept_id i",
    "observation": "observation_id i! person_id i! observation_concept_id i! observation_date d! observation_datetime t "
    "observation_type_concept_id i! value_as_number f value_as_string 60 value_as_concept_id i qualifier_concept_id i unit_concept_id i "
    "provider_id i visit_occurrence_id i visit_detail_id i observation_source_value 50 observation_source_concept_id i "
    "unit_source_value 50 qualifier_source_value 50 value_source_value 50 observation_event_id i obs_event_field_concept_id i",
    "death": "person_id i! death_date d! death_datetime t death_type_concept_id i cause_concept_id i cause_source_value 50 "
    "cause_source_concept_id i",
    "payer_plan_period": "payer_plan_period_id i! person_id i! payer_plan_period_start_date d! payer_plan_period_end_date d! "
    "payer_concept_id i payer_source_value 50 payer_source_concept_id i plan_concept_id i plan_source_value 50 plan_source_concept_id i "
    "sponsor_concept_id i sponsor_source_value 50 sponsor_source_concept_id i family_source_value 50 stop_reason_concept_id i "
    "stop_reason_source_value 50 stop_reason_source_concept_id i",
    "cdm_source": "cdm_source_name 255! cdm_source_abbreviation 25! cdm_holder 255! source_description x "
    "source_documentation_reference 255 cdm_etl_reference 255 source_release_date d! cdm_release_date d! cdm_version 10 "
    "cdm_version_concept_id i! vocabulary_version 20!",
}
TYPES = {"i": "integer", "f": "float", "d": "date", "t": "datetime", "x": "varchar(MAX)"}


def test_every_table_we_write_is_one_of_theirs() -> None:
    assert set(tables()) == set(OHDSI)


@pytest.mark.parametrize("table", OHDSI)
def test_fields_are_theirs(table: str) -> None:
    """In their order."""
    said = OHDSI[table].split()
    theirs = []
    for name, kind in zip(said[::2], said[1::2], strict=True):
        plain = kind.removesuffix("!")
        theirs.append((name, kind.endswith("!"), TYPES.get(plain, f"varchar({plain})")))
    assert [(each.name, each.required, each.type) for each in tables()[table]] == theirs
