"""Who the patients are, what they permit, and where they are enrolled."""

from datetime import datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from schemas.outcomes.record import Codings, PartialDate, Record, RecordId, fact

Band = Literal["0-9", "10-24", "25-49", "50-99", "100+"]
"""Whole miles."""
BANDS: tuple[str, ...] = get_args(Band)


class Person(Record):
    """A patient of a site (OMOP person and death; PCORnet DEMOGRAPHIC and DEATH)."""

    fhir = ("Patient",)
    everywhere = ("Patient",)
    type: Literal["person"] = "person"
    birth_date: PartialDate | None = fact(
        "Date of birth, as precise as it is known; a time of birth is cut off.", source="Patient.birthDate"
    )
    sex: str | None = fact(
        "Gender for administrative purposes, as the EHR has it.",
        source="Patient.gender",
        terminology="FHIR administrative-gender",
    )
    birth_sex: str | None = fact(
        "Sex assigned at birth.",
        source="Patient.extension us-core-birthsex, UKCore-BirthSex, individual-recordedSexOrGender",
        terminology="FHIR administrative-gender male female; NI UN OT",
    )
    recorded_sex: str | None = fact(
        "Sex that is documented and not said to be of birth.",
        source="Patient.extension us-core-sex, us-core-individual-sex",
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
        "Whether the patient is Hispanic or Latino, as the patient reported; of several codes the lowest.",
        source="Patient.extension us-core-ethnicity ombCategory",
        terminology="CDC race and ethnicity 2.16.840.1.113883.6.238; NI UN OT",
    )
    zip5: str | None = fact(
        "First five digits of the ZIP code of where the patient lives; at work or billing where no home is told (flag `zip-of-work`).",
        source="Patient.address.postalCode",
    )
    distance: Band | None = fact(
        "How far from the site's own place the patient lives, as the crow flies: a band, reckoned at the site; no coordinate leaves. "
        "Absent where the site names no place or the address no position: that is unknown.",
        source="Patient.address.extension geolocation",
        unit="[mi_i]",
    )
    language: str | None = fact(
        "The language the patient prefers, else the first that is named.",
        source="Patient.communication.language",
        terminology="BCP 47",
    )
    deceased: bool | None = fact(
        "True where the source says that the patient has died, or when.", source="Patient.deceased[x]"
    )
    death_date: PartialDate | None = fact("Local date of death.", source="Patient.deceasedDateTime")


class ConsentDecision(BaseModel):
    """What is decided for one scope (FHIR Consent.provision)."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    scope: Literal["qi", "research", "recontact", "pro"] = fact(
        "For what it is decided: quality improvement (qi), research, contact about studies (recontact), reported outcomes (pro).",
        source="Consent.scope, category, provision.purpose, by the table and the site's code map",
        required=True,
    )
    decision: Literal["permit", "deny", "withdrawn"] = fact(
        "What holds for this scope; withdrawn: it was given and is no more, by the consent's status inactive.",
        source="Consent.provision.type, policyRule, status",
        required=True,
    )
    start: datetime | None = fact("From when it holds, UTC.", source="Consent.provision.period.start")
    start_date: PartialDate | None = fact("From which local date.", source="Consent.provision.period.start")
    end: datetime | None = fact("Until when, UTC.", source="Consent.provision.period.end")
    end_date: PartialDate | None = fact("Until which local date.", source="Consent.provision.period.end")


class Consent(Record):
    """What a patient permits (PCORnet TRIAL_WITHDRAW_DATE). No record is no permit."""

    fhir = ("Consent",)
    type: Literal["consent"] = "consent"
    decisions: list[ConsentDecision] = fact(
        "What is decided, a scope each.", source="Consent.provision, policyRule, status", default_factory=list
    )
    status: str | None = fact(
        "State of the consent document: active, inactive, rejected.",
        source="Consent.status",
        terminology="FHIR consent-state-codes",
    )
    effective: datetime | None = fact("When it was given, UTC.", source="Consent.dateTime")
    effective_date: PartialDate | None = fact("Local date it was given.", source="Consent.dateTime")
    policy: str | None = fact("The policy agreed to, as a keyed hash of its address.", source="Consent.policy.uri")
    policy_version: str | None = fact("The version that the address ends with.", source="Consent.policy.uri")
    verified: bool | None = fact(
        "Whether somebody made sure of it with the patient or family.", source="Consent.verification.verified"
    )
    verified_date: PartialDate | None = fact(
        "Local date when that was done last.", source="Consent.verification.verificationDate"
    )
    performer_kinds: list[str] = fact(
        "Of what kind those were who agreed; never who.",
        source="Consent.performer",
        terminology="FHIR resource types",
        default_factory=list,
    )
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="Consent.extension:replaces",
        default_factory=list,
    )


class EnrolmentStatus(BaseModel):
    """A status that an enrolment had for some time (FHIR EpisodeOfCare.statusHistory)."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    status: str = Field(
        description="The status it had then: FHIR episode-of-care-status; transferred transitioned lost died."
    )
    start: datetime | None = fact("Start, UTC.", source="EpisodeOfCare.statusHistory.period.start")
    start_date: PartialDate | None = fact("Local date of the start.", source="EpisodeOfCare.statusHistory.period.start")
    end: datetime | None = fact("End, UTC.", source="EpisodeOfCare.statusHistory.period.end")
    end_date: PartialDate | None = fact("Local date of the end.", source="EpisodeOfCare.statusHistory.period.end")


class Enrolment(Record):
    """Membership of a patient in a registry or programme (OMOP episode; PCORnet ENROLLMENT)."""

    fhir = ("EpisodeOfCare", "Group")
    type: Literal["enrolment"] = "enrolment"
    registry: str | None = fact(
        "The registry, in the network's word: by the site's code map.",
        source="EpisodeOfCare.type, Group.code, Group.name",
        terminology="urn:mainstem:registry",
    )
    codings: Codings = fact(
        "Every coding of the programme.", source="EpisodeOfCare.type, Group.code", default_factory=list
    )
    diagnoses: list[RecordId] = fact(
        "The conditions it is for; their onset is the date of diagnosis.",
        source="EpisodeOfCare.diagnosis.condition",
        default_factory=list,
    )
    start: datetime | None = fact(
        "When the membership began, UTC.", source="EpisodeOfCare.period.start, Group.member.period.start"
    )
    start_date: PartialDate | None = fact(
        "Local date of enrolment.", source="EpisodeOfCare.period.start, Group.member.period.start"
    )
    end: datetime | None = fact(
        "When the membership ended, UTC.", source="EpisodeOfCare.period.end, Group.member.period.end"
    )
    end_date: PartialDate | None = fact(
        "Local date the enrolment ended.", source="EpisodeOfCare.period.end, Group.member.period.end"
    )
    status: str | None = fact(
        "Where the membership stands; of a group's member active, or finished where inactive or ended.",
        source="EpisodeOfCare.status, Group.member.inactive",
        terminology="FHIR episode-of-care-status; transferred transitioned lost died",
    )
    status_history: list[EnrolmentStatus] = fact(
        "Which status it had before.", source="EpisodeOfCare.statusHistory", default_factory=list
    )
    provider: str | None = fact(
        "The organization that cares for the patient, as a keyed hash.", source="EpisodeOfCare.managingOrganization"
    )
    orders: list[RecordId] = fact(
        "The referrals it follows.", source="EpisodeOfCare.referralRequest", default_factory=list
    )
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="EpisodeOfCare.extension:replaces",
        default_factory=list,
    )


class Coverage(Record):
    """Who pays for a patient's care, from when to when; read where a site's file names it (OMOP payer_plan_period)."""

    fhir = ("Coverage",)
    by_name = ("Coverage",)
    type: Literal["coverage"] = "coverage"
    payer: str | None = fact(
        "Kind of payer: the group, the first digit, of the Source of Payment Typology. No finer code leaves, since some name an illness; "
        "absent where none is told or the codes contradict each other.",
        source="Coverage.type, by the table and the site's code map",
        terminology="Source of Payment Typology, groups 1 to 9; NI UN OT",
    )
    status: str | None = fact(
        "Whether it holds: active, cancelled.", source="Coverage.status", terminology="FHIR fm-status"
    )
    order: int | None = fact("Who pays first has 1.", source="Coverage.order")
    start: datetime | None = fact("When it began, UTC.", source="Coverage.period.start")
    start_date: PartialDate | None = fact("Local date it began.", source="Coverage.period.start")
    end: datetime | None = fact("When it ended, UTC.", source="Coverage.period.end")
    end_date: PartialDate | None = fact("Local date it ended.", source="Coverage.period.end")
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="Coverage.extension:replaces",
        default_factory=list,
    )
