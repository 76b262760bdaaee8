"""What patients and families say: answers to questionnaires, issues raised."""

from datetime import datetime
from typing import Literal

from schemas.outcomes.record import Codings, NullFlavour, Number, PartialDate, Record, RecordId, fact


class ProResponse(Record):
    """A questionnaire that was answered; each answer and score is a record of its own (PCORnet PRO_CM).

    An answer or score that the source sends as an Observation is an `observation`, `survey` in its `category`: all that patients
    answered is in both types, under the same codes.
    """

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
        "The question or score that this is the answer of, by the source or the site's code map.",
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
        "Unit of the number in `value`.", source="QuestionnaireResponse.item.answer.valueQuantity", terminology="UCUM"
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
        "Who answered: the patient (self), somebody close (proxy), a clinician.",
        source="QuestionnaireResponse.source, author",
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
        "Whether it was answered whole: in-progress, completed, amended, stopped.",
        source="QuestionnaireResponse.status",
        terminology="FHIR questionnaire-answers-status",
    )
    effective: datetime | None = fact("When it was answered, UTC.", source="QuestionnaireResponse.authored")
    effective_date: PartialDate | None = fact("Local date of the answer.", source="QuestionnaireResponse.authored")
    parent: RecordId | None = fact("The questionnaire this is an answer of.", source="QuestionnaireResponse.item")
    parts: list[RecordId] = fact("Records of the answers.", source="QuestionnaireResponse.item", default_factory=list)
    based_on: list[RecordId] = fact(
        "The requests it answers.", source="QuestionnaireResponse.basedOn", default_factory=list
    )
    encounter: RecordId | None = fact("The visit it belongs to.", source="QuestionnaireResponse.encounter")
    replaces: list[RecordId] = fact(
        "Records that this one replaces; whoever counts leaves them out.",
        source="QuestionnaireResponse.extension:replaces",
        default_factory=list,
    )


class Issue(Record):
    """What a patient, family or clinician raised or asked for, and what became of it. Its words stay at the site."""

    fhir = ("Communication", "Task")
    type: Literal["issue"] = "issue"
    kind: Literal["message", "task", "page"] = fact(
        "How it was raised: in a message, as a task, on a page of the network.", source="resource type", required=True
    )
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
        "What it is about, as a code.",
        source="Communication.topic, Task.code",
        terminology="SNOMED CT, LOINC, CPT, HCPCS; FHIR communication-topic, task-code",
    )
    codings: Codings = fact("Every coding of the topic.", source="Communication.topic, Task.code", default_factory=list)
    category: Codings = fact(
        "Kind of message: alert, reminder, instruction …", source="Communication.category", default_factory=list
    )
    reasons: Codings = fact("Why it was raised, as codes.", source="reasonCode", default_factory=list)
    reason_records: list[RecordId] = fact(
        "Records that are the reason.", source="reasonReference", default_factory=list
    )
    measure: str | None = fact("The measure it is about, as a keyed hash.", source="Communication.about, Task.focus")
    about: list[RecordId] = fact("Records it is about.", source="Communication.about, Task.focus", default_factory=list)
    medium: Codings = fact(
        "By what means it was sent: in writing, by telephone …",
        source="Communication.medium",
        terminology="v3-ParticipationMode",
        default_factory=list,
    )
    intent: str | None = fact(
        "How binding a task is: proposal, plan, order …", source="Task.intent", terminology="FHIR task-intent"
    )
    priority: str | None = fact(
        "How urgent it is: routine, urgent, asap, stat.", source="priority", terminology="FHIR request-priority"
    )
    status: str | None = fact(
        "Where it stands: of a message in-progress, completed …; of a task requested, accepted, completed …",
        source="status",
        terminology="FHIR event-status; task-status",
    )
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
    response: Codings = fact("What a task gave back, as codes.", source="Task.output", default_factory=list)
    response_records: list[RecordId] = fact("Records that answer it.", source="Task.output", default_factory=list)
    in_response_to: list[RecordId] = fact(
        "What it answers, or is a part of.",
        source="Communication.inResponseTo, Communication.partOf, Task.focus, Task.partOf",
        default_factory=list,
    )
    based_on: list[RecordId] = fact("The requests it follows.", source="basedOn", default_factory=list)
    encounter: RecordId | None = fact("The visit it belongs to.", source="encounter")


class Goal(Record):
    """A goal of a patient, or a plan of care; each target of a goal and each activity of a plan is a record of its own."""

    fhir = ("Goal", "CarePlan")
    type: Literal["goal"] = "goal"
    kind: Literal["goal", "plan"] = fact("Whether it is a goal or a plan.", source="resource type", required=True)
    code: str | None = fact(
        "What is wanted; of an activity of a plan what is to be done.",
        source="Goal.description, CarePlan.activity.detail.code",
        terminology="SNOMED CT, LOINC, CPT, HCPCS",
    )
    codings: Codings = fact(
        "Every coding of the source.",
        source="Goal.description, CarePlan.activity.detail.code",
        default_factory=list,
    )
    category: Codings = fact("Kind of goal or plan: dietary, behavioural …", source="category", default_factory=list)
    priority: Codings = fact(
        "How important the goal is.", source="Goal.priority", terminology="FHIR goal-priority", default_factory=list
    )
    intent: str | None = fact(
        "How binding a plan is: proposal, plan, order, option, directive.",
        source="CarePlan.intent",
        terminology="FHIR care-plan-intent",
    )
    lifecycle_status: str | None = fact(
        "Where the goal or plan stands: proposed, planned, active, on-hold, completed …",
        source="Goal.lifecycleStatus, CarePlan.status",
        terminology="FHIR goal-status; request-status",
    )
    achievement_status: str | None = fact(
        "How far it is reached.", source="Goal.achievementStatus", terminology="FHIR goal-achievement"
    )
    status_date: PartialDate | None = fact("Local date since when it stands so.", source="Goal.statusDate")
    expressed_by: Literal["patient", "family", "clinician"] | None = fact(
        "Role of who set it; never who.", source="Goal.expressedBy, CarePlan.author"
    )
    start: datetime | None = fact("When the plan begins, UTC.", source="CarePlan.period.start")
    start_date: PartialDate | None = fact("Local date of the start.", source="Goal.startDate, CarePlan.period.start")
    end: datetime | None = fact("When the plan ends, UTC.", source="CarePlan.period.end")
    end_date: PartialDate | None = fact("Local date of the end.", source="CarePlan.period.end")
    start_event: Codings = fact("What it starts with.", source="Goal.startCodeableConcept", default_factory=list)
    measure: str | None = fact("What the target measures.", source="Goal.target.measure", terminology="LOINC")
    measure_codings: Codings = fact(
        "Every coding of what is measured.", source="Goal.target.measure", default_factory=list
    )
    value: Number | None = fact("Target value in `unit`.", source="Goal.target.detail[x]", unit="as in `unit`")
    value_low: Number | None = fact("Low end of the target.", source="Goal.target.detailRange", unit="as in `unit`")
    value_high: Number | None = fact("High end of the target.", source="Goal.target.detailRange", unit="as in `unit`")
    ratio_numerator: Number | None = fact("First number of a ratio.", source="Goal.target.detailRatio")
    ratio_denominator: Number | None = fact("Second number of a ratio.", source="Goal.target.detailRatio")
    unit: str | None = fact("Unit of the target; one unit a code.", source="Goal.target.detail[x]", terminology="UCUM")
    raw_value: str | None = fact("The number exactly as the source wrote it.", source="Goal.target.detail[x]")
    raw_unit: str | None = fact("The source's unit code.", source="Goal.target.detailQuantity")
    comparator: str | None = fact("< <= >= > where the target is a bound.", source="Goal.target.detail[x]")
    value_code: str | None = fact(
        "The target as a code, by the source or the site's code map.",
        source="Goal.target.detailCodeableConcept",
        terminology="SNOMED CT, LOINC answers",
    )
    value_codings: Codings = fact(
        "Every coding of the target.", source="Goal.target.detailCodeableConcept", default_factory=list
    )
    absent: NullFlavour | None = fact(
        "Why a target has no value.", source="Goal.target.detail[x]", terminology="NI UN OT"
    )
    due_date: PartialDate | None = fact("Local date the target is due.", source="Goal.target.dueDate")
    due_days: Number | None = fact("Days after the start it is due.", source="Goal.target.dueDuration", unit="d")
    addresses: list[RecordId] = fact("Records it is for.", source="addresses", default_factory=list)
    outcomes: Codings = fact("What came of it.", source="Goal.outcomeCode", default_factory=list)
    outcome_records: list[RecordId] = fact(
        "Records of what came of it.", source="Goal.outcomeReference", default_factory=list
    )
    goals: list[RecordId] = fact(
        "Goals a plan, or an activity, is for.",
        source="CarePlan.goal, CarePlan.activity.detail.goal",
        default_factory=list,
    )
    activities: list[RecordId] = fact(
        "Requests and appointments that are the plan's activities.",
        source="CarePlan.activity.reference",
        default_factory=list,
    )
    activity_status: str | None = fact(
        "Where an activity stands.",
        source="CarePlan.activity.detail.status",
        terminology="FHIR care-plan-activity-status",
    )
    replaces: list[RecordId] = fact(
        "Plans that were completed or ended, from which this one takes over; both were made, and both count.",
        source="CarePlan.replaces",
        default_factory=list,
    )
    parent: RecordId | None = fact("The goal or plan it is a part of.", source="Goal.target, CarePlan.activity")
    parts: list[RecordId] = fact(
        "Records of targets or activities.", source="Goal.target, CarePlan.activity", default_factory=list
    )
    encounter: RecordId | None = fact("The visit it belongs to.", source="CarePlan.encounter")
