"""Who the patients are, what they permit, and where they are enrolled."""

from datetime import datetime
from typing import Literal

from schemas.outcomes.record import Codings, PartialDate, Record, fact


class Person(Record):
    """A patient of a site (OMOP person and death; PCORnet DEMOGRAPHIC and DEATH)."""

    fhir = ("Patient",)
    everywhere = ("Patient",)
    type: Literal["person"] = "person"
    birth_date: PartialDate | None = fact("Date of birth.", source="Patient.birthDate")
    sex: str | None = fact("Administrative gender.", source="Patient.gender", terminology="FHIR administrative-gender")
    birth_sex: str | None = fact(
        "Sex assigned at birth.",
        source="Patient.extension us-core-birthsex",
        terminology="FHIR administrative-gender male female; NI UN OT",
    )
    gender_identity: Codings = fact(
        "Gender identity; withheld by the field policy.",
        source="Patient.extension us-core-genderIdentity, patient-genderIdentity, individual-genderIdentity",
        terminology="SNOMED CT",
        default_factory=list,
    )
    race: list[str] = fact(
        "Race categories the patient reported, or null flavours.",
        source="Patient.extension us-core-race ombCategory",
        terminology="CDC race and ethnicity 2.16.840.1.113883.6.238; NI UN OT",
        default_factory=list,
    )
    ethnicity: str | None = fact(
        "Ethnicity category.",
        source="Patient.extension us-core-ethnicity ombCategory",
        terminology="CDC race and ethnicity 2.16.840.1.113883.6.238; NI UN OT",
    )
    zip5: str | None = fact("ZIP code of the home address, five digits.", source="Patient.address.postalCode")
    language: str | None = fact("Preferred language.", source="Patient.communication.language", terminology="BCP 47")
    deceased: bool | None = fact("Whether the patient has died.", source="Patient.deceased[x]")
    death_date: PartialDate | None = fact("Local date of death.", source="Patient.deceasedDateTime")


class Consent(Record):
    """What a patient permits (PCORnet TRIAL_WITHDRAW_DATE)."""

    type: Literal["consent"] = "consent"
    scope: Literal["qi", "research", "recontact", "pro"] = fact(
        "For what.", source="Consent.provision.purpose", required=True
    )
    decision: Literal["permit", "deny", "withdrawn"] = fact(
        "The decision.", source="Consent.provision.type", required=True
    )
    effective: datetime | None = fact("From when, UTC.", source="Consent.dateTime")
    effective_date: PartialDate | None = fact("From which local date.", source="Consent.dateTime")
    policy_version: str | None = fact("Version of the consent policy agreed to.", source="Consent.policy.uri")


class Enrolment(Record):
    """Membership of a patient in a registry (OMOP episode; PCORnet ENROLLMENT)."""

    type: Literal["enrolment"] = "enrolment"
    registry: str = fact("The registry.", source="Group.code, EpisodeOfCare.type", required=True)
    diagnosis_date: PartialDate | None = fact("Local date of diagnosis.", source="Condition.onset[x]")
    start_date: PartialDate | None = fact("Local date of enrolment.", source="EpisodeOfCare.period.start")
    end_date: PartialDate | None = fact("Local date the enrolment ended.", source="EpisodeOfCare.period.end")
    status: Literal["active", "transferred", "transitioned", "lost", "died"] = fact(
        "Status of the enrolment.", source="EpisodeOfCare.status", required=True
    )
