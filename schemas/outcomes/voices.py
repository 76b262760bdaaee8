"""What patients and families say: answers to questionnaires, issues raised."""

from datetime import datetime
from typing import Literal

from schemas.outcomes.record import Codings, NullFlavour, Number, PartialDate, Record, RecordId, fact


class ProResponse(Record):
    """A questionnaire that was answered; each answer and score is a record of its own (PCORnet PRO_CM)."""

    fhir = ("QuestionnaireResponse",)
    refers = ("Questionnaire",)
    optional = ("Questionnaire",)
    type: Literal["pro_response"] = "pro_response"
    instrument: str | None = fact(
        "The instrument: its panel, else a keyed hash of the questionnaire's URL.",
        source="QuestionnaireResponse.questionnaire, Questionnaire.code",
        terminology="LOINC",
    )
    instrument_version: str | None = fact(
        "Its version; hashed where it is no plain number.",
        source="QuestionnaireResponse.questionnaire, Questionnaire.version",
    )
    code: str | None = fact(
        "Item or score.",
        source="QuestionnaireResponse.item.linkId, Questionnaire.item.code",
        terminology="LOINC",
    )
    codings: Codings = fact(
        "Every coding of the question, its linkId among them.",
        source="QuestionnaireResponse.item.linkId, Questionnaire.item.code",
        default_factory=list,
    )
    value: Number | None = fact(
        "Numeric answer or score.",
        source="QuestionnaireResponse.item.answer.valueDecimal, valueInteger, valueQuantity, valueString",
        unit="as in `unit`, else {score}",
    )
    unit: str | None = fact(
        "Unit of `value`.", source="QuestionnaireResponse.item.answer.valueQuantity", terminology="UCUM"
    )
    raw_value: str | None = fact(
        "The number exactly as the source wrote it.", source="QuestionnaireResponse.item.answer.value[x]"
    )
    raw_unit: str | None = fact("The source's unit code.", source="QuestionnaireResponse.item.answer.valueQuantity")
    comparator: str | None = fact(
        "< <= >= > where the value is a bound.", source="QuestionnaireResponse.item.answer.valueQuantity.comparator"
    )
    value_code: str | None = fact(
        "Coded answer; true or false.",
        source="QuestionnaireResponse.item.answer.valueCoding, valueBoolean",
        terminology="LOINC answers, SNOMED CT",
    )
    value_codings: Codings = fact(
        "Every coding of the answer.", source="QuestionnaireResponse.item.answer.valueCoding", default_factory=list
    )
    weight: Number | None = fact(
        "What the coded answer scores.",
        source="extension ordinalValue, itemWeight of the answer or of Questionnaire.item.answerOption",
        unit="{score}",
    )
    value_time: str | None = fact(
        "Time of day that is the answer, local.", source="QuestionnaireResponse.item.answer.valueTime"
    )
    value_instant: datetime | None = fact(
        "Instant that is the answer, UTC.", source="QuestionnaireResponse.item.answer.valueDateTime"
    )
    value_date: PartialDate | None = fact(
        "Local date that is the answer.", source="QuestionnaireResponse.item.answer.valueDate, valueDateTime"
    )
    absent: NullFlavour | None = fact(
        "Why there is no value: OT for what people wrote, which is withheld.",
        source="QuestionnaireResponse.item.answer.value[x]",
        terminology="NI UN OT",
    )
    reporter: Literal["self", "proxy", "clinician"] | None = fact(
        "Who answered.", source="QuestionnaireResponse.source, author"
    )
    author_kind: str | None = fact(
        "Of what kind who recorded it is; never who.",
        source="QuestionnaireResponse.author",
        terminology="FHIR resource types",
    )
    mode: str | None = fact(
        "How it was answered.",
        source="QuestionnaireResponse.extension completionMode",
        terminology="v3-ParticipationMode",
    )
    status: str | None = fact(
        "Status.", source="QuestionnaireResponse.status", terminology="FHIR questionnaire-answers-status"
    )
    effective: datetime | None = fact("When it was answered, UTC.", source="QuestionnaireResponse.authored")
    effective_date: PartialDate | None = fact("Local date of the answer.", source="QuestionnaireResponse.authored")
    parent: RecordId | None = fact("The questionnaire this is an answer of.", source="QuestionnaireResponse.item")
    parts: list[RecordId] = fact("Records of the answers.", source="QuestionnaireResponse.item", default_factory=list)
    based_on: list[RecordId] = fact(
        "The requests it answers.", source="QuestionnaireResponse.basedOn", default_factory=list
    )
    encounter: RecordId | None = fact("The visit it belongs to.", source="QuestionnaireResponse.encounter")


class Issue(Record):
    """What a patient, family or clinician raised or asked for, and what became of it. Its words stay at the site."""

    fhir = ("Communication", "Task")
    type: Literal["issue"] = "issue"
    kind: Literal["message", "task"] = fact("How it was raised.", source="resource type", required=True)
    raised_by: Literal["patient", "family", "clinician"] | None = fact(
        "Role of who raised it; never who.", source="Communication.sender, Task.requester"
    )
    addressed_to: list[str] = fact(
        "Of what kind those are whom it is for; never who.",
        source="Communication.recipient, Task.owner",
        terminology="FHIR resource types",
        default_factory=list,
    )
    topic: str | None = fact(
        "Coded topic.",
        source="Communication.topic, Task.code",
        terminology="SNOMED CT, LOINC, CPT, HCPCS; FHIR communication-topic, task-code",
    )
    codings: Codings = fact("Every coding of the topic.", source="Communication.topic, Task.code", default_factory=list)
    category: Codings = fact("Category.", source="Communication.category", default_factory=list)
    reasons: Codings = fact("Reasons.", source="reasonCode", default_factory=list)
    reason_records: list[RecordId] = fact(
        "Records that are the reason.", source="reasonReference", default_factory=list
    )
    measure: str | None = fact("The measure it is about, as a keyed hash.", source="Communication.about, Task.focus")
    about: list[RecordId] = fact("Records it is about.", source="Communication.about, Task.focus", default_factory=list)
    medium: Codings = fact(
        "By what means.",
        source="Communication.medium",
        terminology="v3-ParticipationMode",
        default_factory=list,
    )
    intent: str | None = fact("Intent.", source="Task.intent", terminology="FHIR task-intent")
    priority: str | None = fact("Priority.", source="priority", terminology="FHIR request-priority")
    status: str | None = fact("Status.", source="status", terminology="FHIR event-status; task-status")
    status_reasons: Codings = fact("Why it has this status.", source="statusReason", default_factory=list)
    raised: datetime | None = fact("When it was raised, UTC.", source="Communication.sent, Task.authoredOn")
    raised_date: PartialDate | None = fact("Local date it was raised.", source="Communication.sent, Task.authoredOn")
    answered: datetime | None = fact(
        "When it came to an end, UTC.", source="Communication.received, Task.executionPeriod.end"
    )
    answered_date: PartialDate | None = fact(
        "Local date it came to an end.", source="Communication.received, Task.executionPeriod.end"
    )
    due_date: PartialDate | None = fact("Local date it is due.", source="Task.restriction.period.end")
    response: Codings = fact("Coded response.", source="Task.output", default_factory=list)
    response_records: list[RecordId] = fact("Records that answer it.", source="Task.output", default_factory=list)
    in_response_to: list[RecordId] = fact(
        "What it answers, or is a part of.",
        source="Communication.inResponseTo, Communication.partOf, Task.focus, Task.partOf",
        default_factory=list,
    )
    based_on: list[RecordId] = fact("The requests it follows.", source="basedOn", default_factory=list)
    encounter: RecordId | None = fact("The visit it belongs to.", source="encounter")
