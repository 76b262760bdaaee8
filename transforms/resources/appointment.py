"""Appointment → encounter: a visit that was planned. Whatever became of it, it is never a visit that happened."""

from transforms.rules import (
    Resource,
    all_of,
    appointment_status,
    choice,
    codings,
    codings_in,
    event_time,
    extensions,
    kinds_in,
    links,
    local_date,
    other_version,
    out_of_order,
    patient_among,
    pseudonyms_in,
    replaced,
    together,
    unless_codeable,
)

STANDING = ("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled")

RESOURCE = Resource(
    source="Appointment",
    record="encounter",
    version=1,
    subject={"participant": patient_among()},
    contradictions=(
        out_of_order("ends-before-start", "start_date", "end_date"),
        out_of_order("ends-before-start", "start", "end"),
        together("done-yet-not", "status_reasons", "appointment_status", STANDING),
    ),
    fields={
        "status[x]": choice(
            status=appointment_status("status", "appointment_status", start="start"), otherwise={"status": "planned"}
        ),
        "cancelationReason": codings("status_reasons"),
        "appointmentType": codings("types"),
        "serviceType": unless_codeable(codings("service_type")),  # R5: CodeableReferences
        "specialty": codings("specialties"),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Procedure", "Observation"),
        "start": event_time("start", "start_date"),
        "end": event_time("end", "end_date"),
        "created": local_date("booked_date"),
        "basedOn": links("based_on", "ServiceRequest"),
        "participant": all_of(
            codings_in("participant_types", "type"),
            kinds_in("participant_kinds", "actor"),
            pseudonyms_in("locations", "actor", "Location"),
        ),
        "extension": extensions(replaced("replaces", "Appointment")),
        # STU3 and DSTU2
        "type": other_version(),
        "reason": other_version(),
        "indication": other_version(),
        "incomingReferral": other_version(),
        # R5
        "class": other_version(),
        "subject": other_version(),
        "cancellationReason": other_version(),
        "previousAppointment": other_version(),
        "virtualService": other_version(),
        "cancellationDate": other_version(),
        "replaces": other_version(),
        "originatingAppointment": other_version(),
        "recurrenceTemplate": other_version(),
        "recurrenceId": other_version(),
        "occurrenceChanged": other_version(),
    },
)
