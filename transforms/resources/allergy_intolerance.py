"""AllergyIntolerance → allergy: what a patient does not tolerate. "No known allergies", a refuted one, are no facts."""

from schemas.problems import Reason
from transforms.codes.systems import RXNORM, SNOMED, UNII
from transforms.rules import (
    Ages,
    Resource,
    age,
    age_or_date_in_words,
    age_range,
    choice,
    clinical_status,
    coded,
    extensions,
    fact,
    instant,
    link,
    local_date,
    one_of,
    other_version,
    out_of_order,
    patient,
    period,
    reactions,
    replaced,
    required,
    told_before,
    unless_shaped,
    verification_status,
    words_of,
)

CLINICAL = ("active", "inactive", "resolved")
# The most doubtful first: of several that stand side by side it is taken.
VERIFICATION = ("unconfirmed", "confirmed")
CATEGORY = ("food", "medication", "environment", "biologic")
# DSTU2's codes, which systems kept.
CRITICALITY_SPELT = {"critl": "low", "crith": "high", "critu": "unable-to-assess"}
ONSET = Ages("onset_age", "onset_age_high", "onset_age_unit")

RESOURCE = Resource(
    source="AllergyIntolerance",
    record="allergy",
    version=1,
    subject={"patient": patient()},
    contradictions=(
        out_of_order("occurs-before-onset", "onset_date", "last_occurrence_date"),
        told_before("recorded-before-onset", "onset_date", "recorded_date", by=("onsetDateTime", "recordedDate")),
    ),
    fields={
        "code": required(
            fact(coded(code=SNOMED, rxnorm=RXNORM, unii=UNII, every="codings", text_is=Reason.MISSING_CODE)),
            Reason.MISSING_CODE,
        ),
        "type": unless_shaped(one_of("kind", ("allergy", "intolerance")), "object"),  # R5: a CodeableConcept
        "category": unless_shaped(words_of("category", CATEGORY), "string"),  # DSTU2: one code
        "criticality": one_of("criticality", ("low", "high", "unable-to-assess"), spellings=CRITICALITY_SPELT),
        "clinicalStatus": clinical_status(CLINICAL),
        "verificationStatus": verification_status(VERIFICATION),
        "onset[x]": choice(
            onsetDateTime=instant("onset", "onset_date"),
            onsetPeriod=period(start=("onset", "onset_date"), past=True, or_end=True),
            onsetAge=age(ONSET),
            onsetRange=age_range(ONSET),
            onsetString=age_or_date_in_words(ONSET, "onset", "onset_date"),
        ),
        "recordedDate": local_date("recorded_date"),
        "lastOccurrence": instant("last_occurrence", "last_occurrence_date"),
        "reaction": reactions("reactions"),
        "encounter": link("encounter", "Encounter"),
        "extension": extensions(replaced("replaces", "AllergyIntolerance")),
        # STU3 and DSTU2
        "assertedDate": other_version(),
        "substance": other_version(),
        "status": other_version(),
        "onset": other_version(),
        "lastOccurence": other_version(),
        # R5
        "participant": other_version(),
    },
)
