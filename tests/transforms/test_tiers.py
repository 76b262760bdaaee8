"""A record at a tier: the fields that leave, in their form, and what is held back of a teenager."""

import json
from typing import Any

import pytest

from schemas.outcomes import RECORD_TYPES
from transforms import Mapper
from transforms.codes.systems import CVX, ICD10CM, LOINC, RXNORM, SNOMED, known_systems
from transforms.privacy.field_policy import FieldPolicy
from transforms.privacy.tiers import Tier, codes_of

Json = dict[str, Any]
FORMS = {"year": lambda value: str(value)[:4], "recode": lambda value: "another"}
RESEARCH = Tier(2, forms=FORMS, public=known_systems())
PUBLISHED = Tier(3, forms=FORMS, public=known_systems())
HEAD = {"id": "r-" + "0" * 32, "subject": "s-" + "1" * 32, "site": "north"}
BORN = "2010-06-15"


def condition(code: str, day: str = "2025-03-02", **fields: Any) -> Json:
    coded = {"icd10cm": code, "codings": [{"system": ICD10CM, "code": code}]}
    return HEAD | {"type": "condition", "clinical_status": "active", "onset_date": day, **coded, **fields}


def reading(code: str, **fields: Any) -> Json:
    coded = {"code": code, "codings": [{"system": LOINC, "code": code}]}
    return HEAD | {"type": "observation", "value": 3, "effective_date": "2025-03-02", **coded, **fields}


def test_fields_leave_in_the_form_of_the_tier() -> None:
    """Ids by others, days by their year, places and times not at all; local codes stay, those of public systems leave."""
    record = condition(
        "E84.0",
        encounter="r-" + "2" * 32,
        onset="2025-03-02T10:00:00Z",
        codings=[{"system": ICD10CM, "code": "E84.0"}, {"system": "urn:mainstem:0a1b", "code": "CF"}],
    )
    assert RESEARCH.of(record, born="1980") == {
        "type": "condition",
        "id": "another",
        "subject": "another",
        "icd10cm": "E84.0",
        "codings": [{"system": ICD10CM, "code": "E84.0"}],
        "clinical_status": "active",
        "onset_date": "2025",
        "encounter": "another",
    }
    assert PUBLISHED.of(record, born="1980") == {
        "type": "condition",
        "icd10cm": "E84.0",
        "clinical_status": "active",
        "onset_date": "2025",
    }


def test_old_ages_are_pooled_and_small_areas_are_not_told() -> None:
    """In years; an age in months is nobody's who is that old."""
    old = condition("E84.0", onset_age=97, onset_age_unit="a")
    young = condition("E84.0", onset_age=97, onset_age_unit="mo")
    assert [(RESEARCH.of(each, born="1920") or {})["onset_age"] for each in (old, young)] == [90, 97]
    person = HEAD | {"type": "person", "birth_date": BORN, "sex": "female"}
    told = [(RESEARCH.of(person | {"zip5": each}, born=BORN) or {})["zip5"] for each in ("45229", "03601", "05901")]
    assert told == ["452", "000", "000"]


@pytest.mark.parametrize("kind", [name for name in RECORD_TYPES if FieldPolicy.load().listed(name)])
def test_no_more_leaves_than_the_policy_says(kind: str) -> None:
    """Of every record type: each of its fields filled, at each tier those that are not withheld."""
    policy = FieldPolicy.load()
    record: Json = HEAD | {"type": kind}
    for name in RECORD_TYPES[kind].model_fields:
        record.setdefault(name, [{"system": LOINC, "code": "718-7"}] if "codings" in name else "2001-01-01")
    for tier in (RESEARCH, PUBLISHED):
        told = tier.of(record | {"value_code": None}, born="1950") or {}
        for name in told:
            owner = "every_record" if name in {*HEAD, "type"} else kind
            assert policy.applies(tier.number, owner, name) != "withhold", name


@pytest.mark.parametrize(
    ("day", "told"),
    [
        ("2022-06-14", True),
        ("2022-06-15", False),
        ("2028-06-14", False),
        ("2028-06-15", True),
        ("2022", False),
        ("2021", True),
    ],
)
def test_a_teenagers_depression_is_told_to_nobody(day: str, told: bool) -> None:
    """On the day: from the twelfth birthday to the day before the eighteenth; where only the year is known, it might be."""
    assert (RESEARCH.of(condition("F32.1", day), born=BORN) is not None) == told
    assert (PUBLISHED.of(condition("F32.1", day), born=BORN) is not None) == told
    assert RESEARCH.of(condition("E84.0", day), born=BORN) is not None


def test_where_the_age_cannot_be_told_it_might_be_a_teenager() -> None:
    undated = {name: value for name, value in condition("F32.1").items() if name != "onset_date"}
    assert RESEARCH.of(condition("F32.1"), born=None) is None
    assert RESEARCH.of(undated, born=BORN) is None
    assert RESEARCH.of(condition("F32.1"), born="1980-02-02") is not None


@pytest.mark.parametrize(
    "record",
    [
        reading("44261-6"),
        reading("718-7", value_codings=[{"system": ICD10CM, "code": "F32.1"}]),
        condition("E84.0", codings=[{"system": ICD10CM, "code": "E84.0"}, {"system": ICD10CM, "code": "Z30.011"}]),
        HEAD | {"type": "medication", "kind": "ordered", "code": "6373", "start_date": "2025-03-02"},
        HEAD | {"type": "medication", "kind": "ordered", "ingredients": ["6373"], "start_date": "2025-03-02"},
        HEAD
        | {
            "type": "encounter",
            "class_code": "AMB",
            "start_date": "2025-03-02",
            "reasons": [{"system": ICD10CM, "code": "B20"}],
        },
    ],
)
def test_a_listed_code_takes_its_record_with_it_wherever_it_stands(record: Json) -> None:
    """As what the record is, what was found, what is in it, why it was done."""
    assert RESEARCH.of(record, born=BORN) is None
    assert RESEARCH.of(record, born="1980") is not None


def test_codes_of_systems_that_no_list_is_made_of_are_left_out() -> None:
    """The rest of the record stands, unless it had no other code of its own: it might be any."""
    both = condition("E84.0", codings=[{"system": SNOMED, "code": "190905008"}]) | {"code": "190905008"}
    told = RESEARCH.of(both, born=BORN)
    assert told is not None
    assert (told["icd10cm"], "code" in told, "codings" in told) == ("E84.0", False, False)
    one = HEAD | {"type": "condition", "code": "190905008", "onset_date": "2025-03-02"}
    vaccine = HEAD | {"type": "immunization", "code": "140", "occurrence_date": "2025-03-02"}
    assert [RESEARCH.of(each, born=BORN) for each in (one, vaccine)] == [None, None]
    assert None not in [RESEARCH.of(each, born="2016") for each in (one, vaccine)]


def test_a_mapped_record_is_read_as_it_leaves_the_site() -> None:
    """What mapping makes of a drug and its reason is what the codes are looked for in."""
    order = {
        "resourceType": "MedicationRequest",
        "id": "rx",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "authoredOn": "2025-03-02",
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "36437"}]},
        "reasonCode": [{"coding": [{"system": ICD10CM, "code": "F32.1"}]}],
    }
    site = Mapper(site="north", time_zone="UTC", subject_key=b"k" * 32)
    record = json.loads(site.map_line(json.dumps(order).encode()).records[0].content)
    assert {(RXNORM, "36437"), (ICD10CM, "F32.1")} <= set(codes_of(record))
    assert (RESEARCH.of(record, born=BORN), RESEARCH.of(record, born="1990") is None) == (None, False)


def test_an_export_that_forgets_a_form_is_refused() -> None:
    """Else a day would leave as it is."""
    with pytest.raises(ValueError, match="recode"):
        Tier(2, forms={"year": str}, public=(CVX,))
