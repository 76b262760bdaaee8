"""Generated persons for the evaluators' tests: any of what measures ask about, half of it missing, dates known in part."""

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from persons import codings, insert
from sqlalchemy import Connection

from services.measures.compile.people import Record
from services.measures.language.codes import Codes
from services.measures.official import cms2, cms122, cms155, cms159, cms165, common
from services.registry.tables import RECORD_TABLES

DAYS = [
    None,
    "2024-12-31",
    "2025-01-01",
    "2025-02-28",
    "2025-06-30",
    "2025-07-01",
    "2025-12-31",
    "2026-01-01",
    "2025",
    "2025-02",
    "2026-03",
    "2026-03-01",
    "2026-03-14",
    "2026-03-15",
    "2026-12-31",
    "9999-12-31",
    "0001-01-01",
]
MOMENTS = st.tuples(st.sampled_from(DAYS), st.sampled_from([None, "T00:00:00Z", "T09:30:00Z", "T23:59:59Z"]))
KINDS: dict[str, list[Codes]] = {
    "encounter": [
        common.OFFICE,
        common.INPATIENT,
        common.HOSPICE_VISIT,
        cms2.KINDS[0],
        cms159.CONTACT,
        cms165.EMERGENCY,
    ],
    "condition": [
        cms165.HYPERTENSION,
        cms165.PREGNANCY,
        cms122.DIABETES,
        cms2.BIPOLAR,
        cms159.DEPRESSION[0],
        common.FRAILTY_DIAGNOSIS,
        common.ADVANCED_ILLNESS,
    ],
    "observation": [
        cms165.BLOOD_PRESSURE,
        cms122.HBA1C,
        cms2.ADULTS.screening,
        cms2.ADOLESCENTS.screening,
        cms159.PHQ9,
        common.HOUSING_ASKED,
        cms155.HEIGHT,
        cms155.BMI[0],
    ],
    "procedure": [cms155.NUTRITION, cms165.KIDNEY_PROCEDURES[0], cms2.ADULTS.follow_up, common.HOSPICE_CARE],
    "medication": [common.DEMENTIA_DRUGS, cms2.ADULTS.drugs],
    "service_request": [common.HOSPICE_CARE, common.FRAILTY_DEVICE, cms2.ADULTS.referral],
}
ANSWERS: list[Codes] = [cms2.NEGATIVE, cms2.POSITIVE, common.YES, common.NURSING_HOME]


def _one(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


@st.composite
def _records(draw: st.DrawFn, record: str) -> Record:
    """A record with any of what measures ask about; about half of it is missing."""

    def when(date_field: str, field: str) -> dict[str, Any]:
        day, clock = draw(MOMENTS)
        instant = f"{day}{clock}" if day and clock and len(day) == 10 else None
        return {date_field: day, field: instant}

    codes = codings(draw(st.sampled_from(KINDS[record])))
    if record == "encounter":
        given_ = {"types": codes, **when("start_date", "start"), **when("end_date", "end")}
        given_ |= {"status": draw(_one("finished", "in-progress", "planned")), "class_code": draw(_one("AMB", "IMP"))}
        given_["discharge_disposition"] = draw(_one(codings(common.TO_HOSPICE[0])))
        given_["part_of"] = draw(_one(None, _id(0, 1)))
    elif record == "condition":
        given_ = {"codings": codes, **when("onset_date", "onset"), **when("abatement_date", "abatement")}
        given_ |= {"clinical_status": draw(_one("active", "relapse", "resolved"))}
        given_ |= {"verification_status": draw(_one("confirmed", "provisional"))}
        given_ |= {"category": draw(_one(["encounter-diagnosis"], ["problem-list-item", "sdoh"]))}
        given_ |= {"code": draw(_one("46635009", "190905008")), "icd10cm": draw(_one("E84.0", "E10", "E101"))}
        if not given_["onset_date"]:
            given_ |= {"onset_age": draw(_one(0, 12, 60)), "onset_age_unit": draw(_one("a", "mo", "wk", "min"))}
    elif record == "observation":
        given_ = {"codings": codes, **when("effective_date", "effective"), **when("issued_date", "issued")}
        given_ |= {"effective_end_date": draw(_one("2025-01-01", "2026-12-31")), "unit": draw(_one("%", "mm[Hg]"))}
        given_["effective_ongoing"] = draw(_one(True))
        given_ |= {
            "status": draw(_one("final", "corrected", "cancelled")),
            "category": draw(_one(["survey"], ["laboratory"])),
        }
        given_ |= {"value": draw(_one(4, 5, 9, 10, 89, 140)), "comparator": draw(_one(None, None, "<", ">=", ">"))}
        given_["code"] = draw(_one("4548-4", "59576-9"))
        given_["value_codings"] = draw(_one(*(codings(each) for each in ANSWERS)))
        given_["status_reasons"] = draw(_one(codings(cms2.DECLINED)))
    elif record == "procedure":
        given_ = {
            "codings": codes,
            **when("performed_date", "performed"),
            **when("performed_end_date", "performed_end"),
        }
        given_ |= {"status": draw(_one("completed", "stopped")), "performed_ongoing": draw(_one(True))}
    elif record == "medication":
        given_ = {"codings": codes, "kind": "ordered", **when("start_date", "start")}
        given_ |= {"status": draw(_one("active", "completed")), "intent": draw(_one("order", "plan"))}
        given_ |= {"days_supply": draw(_one(1, 30, 30.5, 90)), "refills": draw(_one(1)), "quantity": draw(_one(7, 60))}
        given_["drug_by_reference"] = draw(_one(True))
        step = {"dose": draw(_one(1, 2)), "frequency": draw(_one(1, 3)), "period": draw(_one(1, 2))}
        step |= {"period_unit": draw(_one("d", "wk", "h", "mo", "s")), "end_date": draw(_one("2026-03-20"))}
        filled = {name: value for name, value in step.items() if value is not None}
        given_["steps"] = draw(st.sampled_from([None, [filled], [filled, filled]])) if filled else None
    else:
        given_ = {
            "codings": codes,
            "kind": draw(st.sampled_from(["service", "device"])),
            **when("authored_date", "authored"),
        }
        given_ |= {"status": draw(_one("active", "draft")), "intent": draw(_one("order", "filler-order"))}
    return {"type": record, **{name: value for name, value in given_.items() if value is not None}}


@st.composite
def people(draw: st.DrawFn) -> list[list[Record]]:
    """Some persons' records, linked: results to visits, components to panels."""
    return [_person(draw, number) for number in range(draw(st.integers(20, 40)))]


def _person(draw: st.DrawFn, number: int) -> list[Record]:
    birth = draw(_one("1970-06-15", "2009-03-15", "1945", "2013-02", "1960-02-29", "2016-01-01"))
    person = {"type": "person", "birth_date": birth, "death_date": draw(_one("2026-03-14"))}
    events = draw(st.lists(st.sampled_from(list(KINDS)).flatmap(_records), max_size=9))
    records = [{name: value for name, value in person.items() if value is not None}, *events]
    for place, record in enumerate(records):
        record |= {"id": _id(number, place), "subject": f"s-{number}", "site": "north"}
    _link(draw, records)
    return records


def _id(number: int, place: int) -> str:
    """As real ones are: 26 characters of the resource, then which part of it."""
    return f"r-{number:012}{place:012}{0:08}"


def _link(draw: st.DrawFn, records: list[Record]) -> None:
    for record in records[1:]:
        if draw(st.integers(0, 9)) == 0:
            other = draw(st.sampled_from(records))
            record["replaces"] = [other["id"]]
            if other is not records[0] and draw(st.booleans()):
                other["replaces"] = [*other.get("replaces", ()), record["id"]]
    visits = [each["id"] for each in records if each["type"] == "encounter"]
    for result in [each for each in records if each["type"] == "observation"]:
        if visits and draw(st.booleans()):
            result["encounter"] = draw(st.sampled_from(visits))
        if result["codings"] == codings(cms165.BLOOD_PRESSURE):
            for part in draw(st.lists(st.sampled_from([cms165.SYSTOLIC, cms165.DIASTOLIC]), max_size=3)):
                component = {name: each for name, each in result.items() if name not in ("value", "encounter")}
                value = draw(_one(80, 90, 139, 140))
                component |= {
                    "id": f"{result['id'][:26]}{len(records):08}",
                    "parent": result["id"],
                    "codings": codings(part),
                }
                component |= {"unit": "mm[Hg]"} | ({"value": value} if value else {})
                records.append(component)


def fill_anew(connection: Connection, records: Iterable[Record]) -> None:
    for table in RECORD_TABLES.values():
        connection.execute(table.delete())
    for record in records:
        insert(connection, record)
