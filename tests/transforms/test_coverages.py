"""Coverage as systems write it, and who pays by it; and how far from the site somebody lives."""

import csv
import json
from importlib.resources import files
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from reading import KEY, Json, mapped, only, reason

from transforms import CodeMapRow, Mapper
from transforms.codes.systems import ACT_CODE, SOPT
from transforms.rules.distances import band_between, position_of

SELF_PAY = "http://terminology.hl7.org/CodeSystem/coverage-selfpay"
HERE = (39.1410, -84.5020)


def coverage(*codings: tuple[str, str], **fields: Any) -> Json:
    given = {
        "resourceType": "Coverage",
        "id": "c1",
        "status": "active",
        "type": {"coding": [{"system": system, "code": code, "display": "Ann's plan"} for system, code in codings]},
        "beneficiary": {"reference": "Patient/kid-7", "display": "Ann Quux"},
        "payor": [{"reference": "Organization/aetna", "display": "Aetna"}],
    } | fields
    return {name: value for name, value in given.items() if value is not ...}


def payer_of(given: Json, **options: Any) -> tuple[str | None, list[str]]:
    told, flags = only(given, **options)
    return told.get("payer"), flags


def test_a_coverage_says_who_pays_from_when_to_when_and_names_nobody() -> None:
    """The group alone of a code that names an illness; no subscriber, number, plan or payor; judged by FHIR's own model."""
    given = coverage(
        (SOPT, "342"),
        identifier=[{"system": "urn:card", "value": "QUUX-8812"}],
        subscriber={"reference": "RelatedPerson/mother-of-ann"},
        subscriberId="QUUX-8812",
        policyHolder={"display": "Mrs Quux"},
        dependent="QUUX-2",
        relationship={"coding": [{"code": "child"}]},
        period={"start": "2024-03-01", "end": "2026-02-28"},
        order=2,
        network="QUUX-5",
        **{"class": [{"type": {"text": "plan"}, "value": "QUUX-9", "name": "QUUX Gold"}]},
        contract=[{"reference": "Contract/QUUX"}],
    )
    get_fhir_model_class("Coverage").model_validate(given)
    (record,) = mapped(given).records
    assert only(given)[0] == {
        "payer": "3",
        "status": "active",
        "order": 2,
        "start_date": "2024-03-01",
        "end_date": "2026-02-28",
    }
    assert b"quux" not in (record.content + record.provenance).lower()


@pytest.mark.parametrize(
    ("codings", "payer"),
    [
        ([(SOPT, "1")], "1"),
        ([(SOPT, "21"), (SOPT, "2")], "2"),
        ([("urn:oid:2.16.840.1.113883.3.221.5", "521")], "5"),
        ([(SOPT, "9999")], "UN"),
        ([(SOPT, "9999"), (SOPT, "61")], "6"),
        ([(SOPT, "0")], None),
        ([(ACT_CODE, "HMO"), (SOPT, "2")], "2"),
        ([(ACT_CODE, "HMO")], "7"),
        ([(SELF_PAY, "pay")], "8"),
        ([(ACT_CODE, "DENTAL")], None),
        ([("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "UNK")], "UN"),
        ([], None),
    ],
)
def test_the_group_is_the_typology_s_else_as_the_table_has_it(
    codings: list[tuple[str, str]], payer: str | None
) -> None:
    """The typology's own codes come before what others say; a dental policy pays for no care of an illness."""
    assert payer_of(coverage(*codings)) == (
        payer,
        [] if payer or not codings or codings[0][0] != SOPT else ["code-unmapped"],
    )


def test_codes_of_two_groups_contradict_each_other() -> None:
    """None is chosen, and it is said."""
    assert payer_of(coverage((SOPT, "2"), (SOPT, "52"))) == (None, ["several:payer"])


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ((ACT_CODE, "PUBLICPOL"), coverage((ACT_CODE, "PUBLICPOL"))),
        (("urn:local", "MCD"), coverage(("urn:local", "MCD"))),
        (("", "Ohio Medicaid"), coverage(type={"text": "Ohio Medicaid"})),
    ],
)
def test_what_leaves_the_group_open_is_the_site_s_to_say(code: tuple[str, str], given: Json) -> None:
    """Flagged until its code map does; a public policy may be Medicare as well as Medicaid, and a text does not leave."""
    payer, flags = payer_of(given)
    assert payer is None
    assert flags == (["code-unmapped"] if code[0] else ["text-withheld"])
    assert payer_of(given, code_map=[CodeMapRow(*code, SOPT, "2")]) == ("2", [])


# fmt: off
ACT_COVERAGE_TYPES = [
    "ANNU", "AUTOPOL", "CANPRG", "CHAR", "COL", "CRIME", "DENTAL", "DENTPRG", "DIS", "DISEASE", "DISEASEPRG",
    "DRUGPOL", "EAP", "EHCPOL", "ENDRENAL", "EWB", "FLEXP", "GOVEMP", "HIP", "HIRISK", "HIVAIDS", "HMO", "HSAPOL",
    "IND", "LIFE", "LTC", "MANDPOL", "MCPOL", "MENTPOL", "MENTPRG", "MILITARY", "PNC", "POS", "PPO", "PUBLICPOL",
    "REI", "RETIRE", "SAFNET", "SOCIAL", "SUBPOL", "SUBPRG", "SUBSIDIZ", "SUBSIDMC", "SUBSUPP", "SURPL", "TLIFE",
    "ULIFE", "UMBRL", "UNINSMOT", "VET", "VISPOL", "WCBPOL",
]
# fmt: on
"""What HL7's v3 ActCode has below ActCoverageTypeCode, but for its headings (version 2018-08-12, as in FHIR R4)."""
ILLNESSES = {"CANPRG", "DISEASE", "DISEASEPRG", "ENDRENAL", "HIVAIDS", "MENTPOL", "MENTPRG", "SUBPOL", "SUBPRG"}
"""Those that name one: what they pay for is no group of payers, and whom they pay for is nobody's to know."""


def test_the_table_says_something_of_every_kind_of_coverage_that_names_no_illness() -> None:
    """None is missing, none is made up; and what pays for no care is no payer, silently."""
    with files("transforms.codes").joinpath("payers.csv").open(encoding="utf-8") as lines:
        said = {row["code"] for row in csv.DictReader(lines) if row["system"] == ACT_CODE}
    assert said == {*ACT_COVERAGE_TYPES} - ILLNESSES
    assert len(ACT_COVERAGE_TYPES) == len({*ACT_COVERAGE_TYPES}) == 52
    assert [payer_of(coverage((ACT_CODE, code))) for code in ("COL", "REI", "UMBRL")] == [(None, [])] * 3
    for code in sorted(ILLNESSES):
        (record,) = mapped(coverage((ACT_CODE, code))).records
        assert code.encode() not in record.content + record.provenance


def test_every_row_of_the_table_is_a_group_none_or_left_open() -> None:
    """Each code once."""
    with files("transforms.codes").joinpath("payers.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["group"] for row in rows} <= {*"123456789", "", "open"}
    assert len({(row["system"], row["code"]) for row in rows}) == len(rows) > 30


# ---------------------------------------------------------------- how far


def living(*addresses: Json) -> Json:
    return {"resourceType": "Patient", "id": "kid-7", "address": list(addresses)}


def placed(latitude: Any, longitude: Any) -> Json:
    degrees = [{"url": "latitude", "valueDecimal": latitude}, {"url": "longitude", "valueDecimal": longitude}]
    return {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/geolocation", "extension": degrees}]}


def told_of(given: Json, place: tuple[float, float] | None = HERE) -> tuple[Json, list[str]]:
    return only(given, place=place)


@pytest.mark.parametrize(
    ("there", "band"),
    [
        ((39.1410, -84.5020), "0-9"),
        ((39.2850, -84.5020), "0-9"),  # 9.95 miles: a degree of latitude is 69.09
        ((39.2865, -84.5020), "10-24"),
        ((39.7589, -84.1916), "25-49"),  # Dayton, 45.8
        ((39.9612, -82.9988), "50-99"),  # Columbus, 98.2
        ((41.4993, -81.6944), "100+"),
        ((-39.1410, 95.4980), "100+"),  # the other end of the earth
    ],
)
def test_a_band_is_the_great_circle_s(there: tuple[float, float], band: str) -> None:
    """Both ways."""
    assert band_between(HERE, there) == band_between(there, HERE) == band


def test_a_distance_leaves_as_a_band_and_the_coordinates_never() -> None:
    """Nowhere in what leaves."""
    (record,) = mapped(living({"use": "home", "postalCode": "45402"} | placed(39.7589, -84.1916)), place=HERE).records
    assert json.loads(record.content)["distance"] == "25-49"
    assert not any(part in record.content + record.provenance for part in (b"39.7", b"84.1", b"7589", b"1916"))


def test_without_a_place_of_the_site_nothing_changes() -> None:
    """Byte for byte, whatever positions stand there."""
    home = {"use": "home", "postalCode": "45402"}
    options = ((home, None), (home | placed(39.7589, -84.1916), None), (home, HERE))
    found = {mapped(living(each), place=place).records[0].content for each, place in options}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("addresses", "distance", "flags"),
    [
        ([{"use": "home"} | placed("39.7589", "-84.1916")], "25-49", []),
        ([{"postalCode": "45402"} | placed(39.7589, -84.1916)], "25-49", []),
        ([{"use": "work", "postalCode": "45402"} | placed(39.1, -84.5)], None, ["zip-of-work"]),
        ([{"use": "old", "postalCode": "45402"} | placed(39.1, -84.5)], None, []),
        ([{"use": "home", "postalCode": "45402"}, {"use": "temp"} | placed(39.1, -84.5)], None, []),
        ([{"use": "home"} | placed(0, 0)], None, ["dropped:address"]),
        ([{"use": "home"} | placed(91, 3)], None, ["dropped:address"]),
        ([{"use": "home"} | placed("here", None)], None, ["dropped:address"]),
        ([{"use": "home", "extension": "…/geolocation"}], None, ["dropped:address"]),
        (
            [{"use": "home", "extension": [*placed(39, -84)["extension"], *placed(41, -84)["extension"]]}],
            None,
            ["dropped:address"],
        ),
        ([{"use": "home", "extension": [{"url": "urn:county", "valueString": "Hamilton"}]}], None, []),
    ],
)
def test_the_distance_is_of_the_home(addresses: list[Json], distance: str | None, flags: list[str]) -> None:
    """Of the address whose ZIP code is asked first, and of no other; what is no place on earth is said."""
    told, noticed = told_of(living(*addresses))
    assert (told.get("distance"), noticed) == (distance, flags)


@pytest.mark.parametrize("degrees", ["1e3", "NaN", "39,1", "39.1N", True, None, "٣٩"])
def test_odd_degrees_are_no_position(degrees: Any) -> None:
    """Nor is one of them alone."""
    assert position_of(degrees, 3) is None
    assert position_of(3, degrees) is None


def test_a_coverage_of_nobody_is_refused() -> None:
    """As any resource is."""
    assert reason(coverage((SOPT, "2"), beneficiary=...)) == "missing-subject Coverage.beneficiary"


def test_the_place_decides_the_mapping_s_identity() -> None:
    """So that a site that moves, or names its place, has its patients read again."""
    one, other = (Mapper(site="n", time_zone="UTC", subject_key=KEY, place=place) for place in (None, HERE))
    assert one.identity("Patient") != other.identity("Patient")
