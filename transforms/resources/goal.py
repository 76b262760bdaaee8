"""Goal → goal: what a patient wants to reach. Each target becomes a record of its own."""

from schemas.problems import Reason
from transforms.codes.systems import LOINC, SNOMED
from transforms.rules import (
    ABOUT,
    Parts,
    Resource,
    ValueNames,
    boolean,
    choice,
    coded,
    coded_value,
    codings,
    date_to_come,
    extensions,
    fact,
    integer,
    local_date,
    one_of,
    other_version,
    patient,
    quantity,
    raised_by,
    ratio,
    said,
    supply,
    typed_links,
    value_range,
)

LIFECYCLE = ("proposed", "planned", "accepted", "active", "on-hold", "completed", "cancelled")
SPELLINGS = {"canceled": "cancelled", "complete": "completed", "in-progress": "active", "achieved": "completed"}
ACHIEVEMENT = (
    *("in-progress", "improving", "worsening", "no-change", "achieved"),
    *("sustaining", "not-achieved", "no-progress", "not-attainable"),
)

RESOURCE = Resource(
    source="Goal",
    record="goal",
    version=1,
    subject={"subject": patient()},
    constants={"kind": "goal"},
    fields={
        # Of one that says in words alone what is wanted, the words are withheld; its targets and what it is for stand.
        "description[x]": choice(
            description=fact(coded(code=(SNOMED, LOINC), every="codings")),
            unless=("target",),
            missing=Reason.MISSING_CODE,
        ),
        "lifecycleStatus": one_of(
            "lifecycle_status",
            LIFECYCLE,
            withdrawn=("entered-in-error",),
            not_a_fact=("rejected",),
            spellings=SPELLINGS,
            modifier=True,
        ),
        "achievementStatus": one_of("achievement_status", ACHIEVEMENT),
        "category": codings("category"),
        "priority": codings("priority"),
        "start[x]": choice(startDate=date_to_come("start_date"), startCodeableConcept=codings("start_event")),
        "statusDate": local_date("status_date"),
        "expressedBy": raised_by("expressed_by", of="subject"),
        "addresses": typed_links("addresses", *ABOUT),
        "outcomeCode": codings("outcomes"),
        "outcomeReference": typed_links("outcome_records", *ABOUT),
        "extension": extensions(),
        # STU3 and DSTU2
        "status": other_version(),
        "targetDate": other_version(),
        "targetQuantity": other_version(),
        "author": other_version(),
        # R5
        "continuous": other_version(),
        "acceptance": other_version(),
        "outcome": other_version(),
        "source": other_version(),
    },
    repeated={
        "measure": coded(measure=LOINC, every="measure_codings"),
        "detail[x]": choice(
            detailQuantity=quantity(
                value="value",
                unit="unit",
                raw_value="raw_value",
                raw_unit="raw_unit",
                comparator="comparator",
                absent="absent",
                unit_of="measure",
            ),
            detailRange=value_range(
                low="value_low", high="value_high", unit="unit", absent="absent", unit_of="measure"
            ),
            detailCodeableConcept=coded_value(
                value_code=(SNOMED, LOINC), every="value_codings", absent="absent", word_to="value_code"
            ),
            detailString=said(ValueNames(), unit_of="measure"),
            detailBoolean=boolean("value_code", as_code=True),
            detailInteger=integer(value="value", raw_value="raw_value", unit_of="measure"),
            detailRatio=ratio(
                numerator="ratio_numerator",
                denominator="ratio_denominator",
                unit="unit",
                comparator="comparator",
                absent="absent",
            ),
            fatal=True,
        ),
        "due[x]": choice(dueDate=date_to_come("due_date"), dueDuration=supply("due_days")),
    },
    parts=Parts(of="target", known_by="measure", systems=(LOINC, "urn:oid:2.16.840.1.113883.6.1"), alone=("kind",)),
)
