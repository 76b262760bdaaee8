"""Procedure → procedure."""

from schemas.problems import Reason
from transforms.codes.systems import CPT, ICD10PCS, SNOMED
from transforms.rules import (
    Ages,
    Resource,
    age,
    age_or_date_in_words,
    age_range,
    choice,
    coded,
    codings,
    done_yet_not,
    extensions,
    fact,
    instant,
    kinds_in,
    link,
    links,
    of_itself,
    one_of,
    other_version,
    over,
    patient,
    period,
    pseudonym_of,
    replaced,
    required,
    unless_codeable,
)

STATUS = ("preparation", "in-progress", "on-hold", "stopped", "completed", "unknown")

SPELLINGS = {"complete": "completed", "done": "completed"}
# v3's ActStatus, as HL7's C-CDA on FHIR reads it.
SPELLINGS |= {"aborted": "stopped", "active": "in-progress", "suspended": "on-hold", "held": "on-hold"}
SPELLINGS |= dict.fromkeys(("cancelled", "canceled"), "not-done")
PERFORMED = Ages("performed_age", "performed_age_high", "performed_age_unit")

RESOURCE = Resource(
    source="Procedure",
    record="procedure",
    version=1,
    subject={"subject": patient()},
    contradictions=(
        done_yet_not(),
        of_itself("part-of-itself", "part_of"),
        over("active-and-over", "status", ("preparation", "in-progress"), end="performed_end_date"),
    ),
    fields={
        "code": required(
            fact(coded(code=(SNOMED, CPT, ICD10PCS), every="codings", text_is=Reason.MISSING_CODE)),
            Reason.MISSING_CODE,
        ),
        "performed[x]": choice(
            performedDateTime=instant("performed", "performed_date"),
            performedPeriod=period(
                start=("performed", "performed_date"),
                end=("performed_end", "performed_end_date"),
                ongoing="performed_ongoing",
                past=True,
            ),
            performedAge=age(PERFORMED),
            performedRange=age_range(PERFORMED),
            performedString=age_or_date_in_words(PERFORMED, "performed", "performed_date"),
        ),
        "status": one_of(
            "status",
            STATUS,
            withdrawn=("entered-in-error",),
            not_a_fact=("not-done",),
            spellings=SPELLINGS,
            modifier=True,
        ),
        "statusReason": codings("status_reasons"),
        "category": codings("category"),
        "bodySite": codings("body_sites"),
        "outcome": codings("outcome"),
        "complication": unless_codeable(codings("complications")),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Observation", "Procedure"),
        "partOf": links("part_of", "Procedure", "Observation", "MedicationAdministration"),
        "location": pseudonym_of("location", "Location"),
        "performer": kinds_in("performer_kinds", "actor"),
        "encounter": link("encounter", "Encounter"),
        "extension": extensions(replaced("replaces", "Procedure")),
        # STU3 and DSTU2
        "context": other_version(),
        "notDone": other_version(),
        "notPerformed": other_version(),
        "reasonCodeableConcept": other_version(),
        "notDoneReason": other_version(),
        "reasonNotPerformed": other_version(),
        "definition": other_version(),
        # R5
        "occurrenceDateTime": other_version(),
        "occurrencePeriod": other_version(),
        "occurrenceAge": other_version(),
        "occurrenceRange": other_version(),
        "occurrenceString": other_version(),
        "occurrenceTiming": other_version(),
        "focus": other_version(),
        "reportedBoolean": other_version(),
        "reportedReference": other_version(),
        "reason": other_version(),
    },
)
