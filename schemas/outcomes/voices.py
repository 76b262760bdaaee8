"""What patients and families say: answers to questionnaires, issues raised."""

from datetime import datetime
from typing import Literal

from schemas.outcomes.record import Number, PartialDate, Record, fact


class ProResponse(Record):
    """One answer or score of a patient-reported outcome instrument (PCORnet PRO_CM)."""

    type: Literal["pro_response"] = "pro_response"
    instrument: str = fact("The instrument.", source="QuestionnaireResponse.questionnaire", required=True)
    instrument_version: str | None = fact("Its version.", source="QuestionnaireResponse.questionnaire")
    code: str | None = fact("Item or score.", source="QuestionnaireResponse.item.linkId", terminology="LOINC")
    value: Number | None = fact("Numeric answer or score.", source="QuestionnaireResponse.item.answer", unit="{score}")
    value_code: str | None = fact(
        "Coded answer.", source="QuestionnaireResponse.item.answer", terminology="LOINC answers"
    )
    reporter: Literal["self", "proxy"] | None = fact("Who answered.", source="QuestionnaireResponse.source")
    mode: str | None = fact("How it was answered.", source="QuestionnaireResponse.extension")
    effective: datetime | None = fact("When it was answered, UTC.", source="QuestionnaireResponse.authored")
    effective_date: PartialDate | None = fact("Local date of the answer.", source="QuestionnaireResponse.authored")


class Issue(Record):
    """What a patient, family or clinician raised, and what became of it."""

    type: Literal["issue"] = "issue"
    raised_by: Literal["patient", "family", "clinician"] = fact(
        "Role of who raised it.", source="Communication.sender", required=True
    )
    topic: str = fact("Coded topic.", source="Communication.topic", required=True)
    measure: str | None = fact("The measure it is about.", source="Communication.about")
    code: str | None = fact("Coded text.", source="Communication.reasonCode")
    status: str | None = fact("Status.", source="Task.status", terminology="FHIR task-status")
    response: str | None = fact("Coded response.", source="Task.output")
