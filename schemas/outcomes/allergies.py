"""What patients do not tolerate."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.outcomes.record import Codings, Number, PartialDate, Record, RecordId, fact


class AllergyReaction(BaseModel):
    """What happened when the patient met the substance (FHIR AllergyIntolerance.reaction)."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    substance: Codings = fact(
        "The substance of this event, where it is told more exactly.",
        source="AllergyIntolerance.reaction.substance",
        default_factory=list,
    )
    manifestations: Codings = fact(
        "Signs and symptoms.",
        source="AllergyIntolerance.reaction.manifestation",
        terminology="SNOMED CT",
        default_factory=list,
    )
    severity: str | None = fact(
        "How severe this reaction was.",
        source="AllergyIntolerance.reaction.severity",
        terminology="FHIR reaction-event-severity",
    )
    onset: datetime | None = fact("When this reaction began, UTC.", source="AllergyIntolerance.reaction.onset")
    onset_date: PartialDate | None = fact("Local date this reaction began.", source="AllergyIntolerance.reaction.onset")
    route: Codings = fact(
        "How the patient met it.",
        source="AllergyIntolerance.reaction.exposureRoute",
        terminology="SNOMED CT",
        default_factory=list,
    )


class Allergy(Record):
    """What a patient is allergic to or does not tolerate (OMOP observation)."""

    fhir = ("AllergyIntolerance",)
    type: Literal["allergy"] = "allergy"
    code: str | None = fact(
        "The substance, or the disorder.", source="AllergyIntolerance.code", terminology="SNOMED CT"
    )
    rxnorm: str | None = fact(
        "The substance: an ingredient as a rule.", source="AllergyIntolerance.code", terminology="RxNorm"
    )
    unii: str | None = fact(
        "The substance, by the source or the site's code map.", source="AllergyIntolerance.code", terminology="UNII"
    )
    codings: Codings = fact("Every coding of the source.", source="AllergyIntolerance.code", default_factory=list)
    kind: str | None = fact(
        "Whether the immune system is involved (allergy) or not (intolerance).",
        source="AllergyIntolerance.type",
        terminology="FHIR allergy-intolerance-type",
    )
    category: list[str] = fact(
        "Of what kind the substance is.",
        source="AllergyIntolerance.category",
        terminology="FHIR allergy-intolerance-category",
        default_factory=list,
    )
    criticality: str | None = fact(
        "How dangerous it may become.",
        source="AllergyIntolerance.criticality",
        terminology="FHIR allergy-intolerance-criticality",
    )
    clinical_status: str | None = fact(
        "Whether it still holds: active, inactive, resolved; NI where that is not understood.",
        source="AllergyIntolerance.clinicalStatus",
        terminology="FHIR allergyintolerance-clinical",
    )
    verification_status: str | None = fact(
        "How certain it is: unconfirmed, confirmed; a refuted one gives no record.",
        source="AllergyIntolerance.verificationStatus",
        terminology="FHIR allergyintolerance-verification",
    )
    onset: datetime | None = fact("When it began, UTC.", source="AllergyIntolerance.onsetDateTime, onsetPeriod.start")
    onset_date: PartialDate | None = fact(
        "Local date it began.", source="AllergyIntolerance.onsetDateTime, onsetPeriod.start, onsetString"
    )
    onset_age: Number | None = fact(
        "Age at onset, or the lower end of a range.",
        source="AllergyIntolerance.onsetAge, onsetRange.low, onsetString",
        unit="as in `onset_age_unit`",
    )
    onset_age_high: Number | None = fact(
        "Upper end of a range of ages at onset.",
        source="AllergyIntolerance.onsetRange.high, onsetString",
        unit="as in `onset_age_unit`",
    )
    onset_age_unit: str | None = fact(
        "Unit of `onset_age`, `onset_age_high`.",
        source="AllergyIntolerance.onsetAge, onsetRange, onsetString",
        terminology="UCUM a mo wk d h min",
    )
    recorded_date: PartialDate | None = fact("Local date of recording.", source="AllergyIntolerance.recordedDate")
    last_occurrence: datetime | None = fact(
        "When the last known reaction began, UTC.", source="AllergyIntolerance.lastOccurrence"
    )
    last_occurrence_date: PartialDate | None = fact(
        "Local date of the last occurrence.", source="AllergyIntolerance.lastOccurrence"
    )
    reactions: list[AllergyReaction] = fact(
        "Each reaction that is told.", source="AllergyIntolerance.reaction", default_factory=list
    )
    encounter: RecordId | None = fact("The visit it was recorded at.", source="AllergyIntolerance.encounter")
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="AllergyIntolerance.extension:replaces",
        default_factory=list,
    )
