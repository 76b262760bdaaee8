"""Condition → condition: a diagnosis or problem. A refuted one is no fact: it is refused, and withdraws what it gave before."""

from schemas.problems import Reason
from transforms.codes.systems import ICD10CM, SNOMED
from transforms.rules import (
    Ages,
    Resource,
    age,
    age_or_date_in_words,
    age_range,
    choice,
    coded,
    codings,
    codings_in,
    each_of,
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
    replaced,
    required,
    together,
    unless_shaped,
)

CLINICAL = ("active", "recurrence", "relapse", "inactive", "remission", "resolved")
# The most doubtful first: of several that stand side by side it is taken.
VERIFICATION = ("differential", "provisional", "unconfirmed", "confirmed")
REFUTED = dict.fromkeys(
    ("ruled-out", "ruledout", "excluded", "negated", "disproved", "disproven", "absent", "not-present", "known-absent"),
    "refuted",
) | dict.fromkeys(("410516002", "410594000", "723511001"), "refuted")
"""Words, and SNOMED CT's codes for known absent, definitely not present and refuted; below, for confirmed and suspected."""
VERIFICATION_SPELT = {
    **REFUTED,
    "suspected": "provisional",
    "possible": "unconfirmed",
    "probable": "provisional",
    "verified": "confirmed",
    "410605003": "confirmed",
    "415684004": "provisional",
}
CATEGORY = ("problem-list-item", "encounter-diagnosis", "health-concern", "sdoh")

ONSET = Ages("onset_age", "onset_age_high", "onset_age_unit")
ABATEMENT = Ages("abatement_age", "abatement_age_high", "abatement_age_unit")

RESOURCE = Resource(
    source="Condition",
    record="condition",
    version=1,
    subject={"subject": patient()},
    contradictions=(
        together("active-and-abated", "abatement", "clinical_status", ("active", "recurrence", "relapse")),
        out_of_order("ends-before-start", "onset_date", "abatement_date"),
    ),
    fields={
        "code": required(
            fact(coded(code=SNOMED, icd10cm=ICD10CM, every="codings", text_is=Reason.MISSING_CODE)),
            Reason.MISSING_CODE,
        ),
        "category": each_of("category", CATEGORY),
        # A code in STU3 and DSTU2, a CodeableConcept in R4.
        "clinicalStatus": unless_shaped(
            one_of(
                "clinical_status",
                CLINICAL,
                withdrawn=("entered-in-error",),
                not_a_fact=("refuted",),
                spellings=REFUTED,
                unclear="NI",
            ),
            "string",
        ),
        "verificationStatus": unless_shaped(
            one_of(
                "verification_status",
                VERIFICATION,
                withdrawn=("entered-in-error",),
                not_a_fact=("refuted",),
                spellings=VERIFICATION_SPELT,
                modifier=True,
            ),
            "string",
        ),
        "onset[x]": choice(
            onsetDateTime=instant("onset", "onset_date"),
            onsetPeriod=period(start=("onset", "onset_date"), past=True),
            onsetAge=age(ONSET),
            onsetRange=age_range(ONSET),
            onsetString=age_or_date_in_words(ONSET, "onset", "onset_date"),
        ),
        "abatement[x]": choice(
            abatementDateTime=instant("abatement", "abatement_date"),
            abatementPeriod=period(end=("abatement", "abatement_date")),
            abatementAge=age(ABATEMENT),
            abatementRange=age_range(ABATEMENT),
            abatementString=age_or_date_in_words(ABATEMENT, "abatement", "abatement_date"),
        ),
        "severity": codings("severity"),
        "stage": codings_in("stages", "summary"),
        "bodySite": codings("body_sites"),
        "recordedDate": local_date("recorded_date"),
        "encounter": link("encounter", "Encounter"),
        "extension": extensions(replaced("replaces", "Condition")),
        # STU3 and DSTU2
        "context": other_version(),
        "assertedDate": other_version(),
        "abatementBoolean": other_version(),
        "dateRecorded": other_version(),
        # R5
        "participant": other_version(),
    },
)
