"""What all requests have in common: their statuses, intents and priorities, and what cannot be true of them."""

from collections.abc import Mapping

from transforms.rules.answers import reporter
from transforms.rules.codes import one_of
from transforms.rules.contradictions import done_early, of_itself, out_of_order
from transforms.rules.declaring import Choice, Rule, choice
from transforms.rules.meaning import extensions
from transforms.rules.texts import withheld
from transforms.rules.times import event_time, instant, period
from transforms.rules.visits import codings_in_extension

REQUEST_CONTRADICTIONS = (
    out_of_order("ends-before-start", "occurrence_date", "occurrence_end_date"),
    of_itself("part-of-itself", "replaces"),
    done_early("completed", start="occurrence_date"),
)

_STATUS = ("draft", "active", "on-hold", "revoked", "completed", "unknown")
_SPELLINGS = {
    "cancelled": "revoked",
    "canceled": "revoked",
    "suspended": "on-hold",
    "held": "on-hold",
    "complete": "completed",
}
_INTENT = (
    "proposal",
    "plan",
    "directive",
    "order",
    "original-order",
    "reflex-order",
    "filler-order",
    "instance-order",
    "option",
)
_PRIORITY = ("routine", "urgent", "asap", "stat")


def asked(*, intent: Rule | None = None) -> Mapping[str, Rule | Choice]:
    """The fields that every request has, whatever it asks for: what it is worth, and when."""
    return {
        "status": one_of("status", _STATUS, withdrawn=("entered-in-error",), spellings=_SPELLINGS, modifier=True),
        "intent": intent or request_intent(),
        "priority": request_priority(),
        "authoredOn": instant("authored", "authored_date"),
        "occurrence[x]": choice(
            occurrenceDateTime=event_time("occurrence", "occurrence_date"),
            occurrencePeriod=period(
                start=("occurrence", "occurrence_date"), end=("occurrence_end", "occurrence_end_date")
            ),
            occurrenceTiming=withheld("timing-withheld"),
        ),
        "extension": extensions(codings_in_extension("status_reasons", "request-statusReason")),
    }


RAISED_BY = {
    "RelatedPerson": "family",
    **dict.fromkeys(("Practitioner", "PractitionerRole", "CareTeam", "Organization", "HealthcareService"), "clinician"),
}
ABOUT = (
    *("Condition", "Observation", "Procedure", "MedicationRequest", "MedicationStatement", "Immunization", "Encounter"),
    *("Appointment", "ServiceRequest", "DeviceRequest", "QuestionnaireResponse", "AllergyIntolerance", "Goal"),
)
"""What messages and tasks are about, of that which becomes a record."""


def raised_by(name: str, *, of: str) -> Rule:
    """Reference to who raised something → patient, family (another patient's too) or clinician."""
    return reporter(name, of=of, own="patient", other="family", words=RAISED_BY)


def request_priority() -> Rule:
    """priority → one of FHIR's words."""
    return one_of("priority", _PRIORITY)


def request_intent() -> Rule:
    """intent → one of FHIR's words; another refuses the resource."""
    return one_of("intent", _INTENT, modifier=True)
