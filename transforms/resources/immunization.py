"""Immunization → immunization: a vaccine given."""

from schemas.problems import Reason
from transforms.codes.systems import CVX
from transforms.rules import (
    Resource,
    amount_of,
    boolean,
    choice,
    coded,
    codings,
    date_in_words,
    done_yet_not,
    extensions,
    fact,
    instant,
    link,
    links,
    local_date,
    negative,
    noted_unless_true,
    one_of,
    other_version,
    patient,
    protocol,
    replaced,
    required,
    told_before,
    unless_within,
    vaccine_reactions,
)

# HL7 table 0322 and what systems write for its words.
SPELLINGS = {"cp": "completed", "complete": "completed"}
SPELLINGS |= dict.fromkeys(("re", "na", "refused", "declined", "cancelled", "canceled"), "not-done")

RESOURCE = Resource(
    source="Immunization",
    record="immunization",
    version=1,
    subject={"patient": patient()},
    contradictions=(
        done_yet_not(),
        negative("negative-amount", "dose"),
        told_before("recorded-before-given", "occurrence_date", "recorded_date", by=("occurrenceDateTime", "recorded")),
    ),
    fields={
        "vaccineCode": required(
            fact(coded(code=CVX, every="codings", text_is=Reason.MISSING_CODE)), Reason.MISSING_CODE
        ),
        "occurrence[x]": choice(
            occurrenceDateTime=instant("occurrence", "occurrence_date"),
            occurrenceString=date_in_words("occurrence", "occurrence_date"),
            missing=Reason.MISSING_TIME,
        ),
        "status": one_of(
            "status",
            ("completed",),
            withdrawn=("entered-in-error",),
            not_a_fact=("not-done",),
            spellings=SPELLINGS,
            modifier=True,
        ),
        "isSubpotent": boolean("subpotent", modifier=True),
        "subpotentReason": noted_unless_true("isSubpotent", "subpotent-unclear"),
        "statusReason": codings("status_reasons"),
        "primarySource": boolean("primary_source"),
        "reportOrigin": codings("report_origin"),
        "protocolApplied": protocol(number="dose_number", doses="series_doses", diseases="target_diseases"),
        "reaction": unless_within(  # R5
            "manifestation", rule=vaccine_reactions(dates="reaction_dates", records="reaction_records")
        ),
        "doseQuantity": amount_of("dose", "dose_unit", unknown="999"),  # HL7 v2, RXA-6
        "route": codings("route"),
        "site": codings("body_sites"),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Observation"),
        "recorded": local_date("recorded_date"),
        "encounter": link("encounter", "Encounter"),
        "extension": extensions(replaced("replaces", "Immunization")),
        # STU3 and DSTU2
        "notGiven": other_version(),
        "wasNotGiven": other_version(),
        "explanation": other_version(),
        "vaccinationProtocol": other_version(),
        "date": other_version(),
        # R5
        "administeredProduct": other_version(),
        "informationSource": other_version(),
        "reason": other_version(),
    },
)
