"""Condition → condition: a diagnosis or problem. A refuted one is no fact: it is refused, and withdraws what it gave before."""

from schemas.problems import Reason
from transforms.codes.systems import ICD10CM, SNOMED
from transforms.rules import (
    Ages,
    Resource,
    age,
    age_or_date_in_words,
    age_range,
    ages_out_of_order,
    all_of,
    choice,
    clinical_status,
    coded,
    codings,
    codings_in,
    date_in_extension,
    each_of,
    extensions,
    fact,
    gone_if_wrong,
    instant,
    link,
    local_date,
    other_version,
    patient,
    period,
    replaced,
    required,
    together,
    told_before,
    unless_of_family,
    verification_status,
)

CLINICAL = ("active", "recurrence", "relapse", "inactive", "remission", "resolved")
# The most doubtful first: of several that stand side by side it is taken.
VERIFICATION = ("differential", "provisional", "unconfirmed", "confirmed")
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
        told_before("ends-before-start", "onset_date", "abatement_date", by=("onsetDateTime", "abatementDateTime")),
        ages_out_of_order("ends-before-start", "onset_age", "abatement_age"),
        told_before("recorded-before-onset", "onset_date", "recorded_date", by=("onsetDateTime", "recordedDate")),
    ),
    fields={
        "code": required(
            fact(coded(code=SNOMED, icd10cm=ICD10CM, every="codings", text_is=Reason.MISSING_CODE)),
            Reason.MISSING_CODE,
        ),
        "category": unless_of_family(each_of("category", CATEGORY)),
        "clinicalStatus": clinical_status(CLINICAL),
        "verificationStatus": verification_status(VERIFICATION),
        "onset[x]": choice(
            onsetDateTime=instant("onset", "onset_date"),
            onsetPeriod=period(start=("onset", "onset_date"), past=True, or_end=True),
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
        "status": gone_if_wrong(),
        "extension": extensions(
            all_of(replaced("replaces", "Condition"), date_in_extension("asserted_date", "condition-assertedDate"))
        ),
        # STU3 and DSTU2
        "context": other_version(),
        "assertedDate": other_version(),
        "abatementBoolean": other_version(),
        "dateRecorded": other_version(),
        "onsetQuantity": other_version(),
        "abatementQuantity": other_version(),
        # R5
        "participant": other_version(),
    },
)
