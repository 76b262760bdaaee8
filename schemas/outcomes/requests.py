"""What was asked to be done for a patient: referrals, follow-up, orders of tests, services and devices."""

from datetime import datetime
from typing import Literal

from schemas.outcomes.record import Codings, PartialDate, Record, RecordId, fact


class ServiceRequest(Record):
    """A service or device asked for: a referral, a follow-up, an order. What is not to be done is no record."""

    fhir = ("ServiceRequest", "DeviceRequest")
    refers = ("Device",)
    type: Literal["service_request"] = "service_request"
    kind: Literal["service", "device"] = fact(
        "Whether a service or a device is asked for.", source="resource type", required=True
    )
    code: str | None = fact(
        "The service or device, by the source or the site's code map.",
        source="ServiceRequest.code, DeviceRequest.code[x]",
        terminology="SNOMED CT, LOINC, CPT, HCPCS",
    )
    codings: Codings = fact(
        "Every coding of the source.",
        source="ServiceRequest.code, DeviceRequest.code[x]",
        default_factory=list,
    )
    order_details: Codings = fact("How it is to be done.", source="ServiceRequest.orderDetail", default_factory=list)
    category: Codings = fact(
        "Kind of service: laboratory, imaging, counselling …",
        source="ServiceRequest.category",
        terminology="SNOMED CT",
        default_factory=list,
    )
    intent: str | None = fact(
        "How binding it is: proposal, plan, order …", source="intent", terminology="FHIR request-intent"
    )
    status: str | None = fact(
        "Where the request stands: draft, active, on-hold, revoked, completed.",
        source="status",
        terminology="FHIR request-status",
    )
    status_reasons: Codings = fact(
        "Why it has this status.", source="extension request-statusReason", default_factory=list
    )
    priority: str | None = fact(
        "How urgent it is: routine, urgent, asap, stat.", source="priority", terminology="FHIR request-priority"
    )
    authored: datetime | None = fact("When it was asked for, UTC.", source="authoredOn")
    authored_date: PartialDate | None = fact("Local date it was asked for.", source="authoredOn")
    occurrence: datetime | None = fact("When it is to be done, or to begin, UTC.", source="occurrence[x]")
    occurrence_date: PartialDate | None = fact("Local date it is to be done, or to begin.", source="occurrence[x]")
    occurrence_end: datetime | None = fact("When it is to end, UTC.", source="occurrencePeriod.end")
    occurrence_end_date: PartialDate | None = fact("Local date it is to end.", source="occurrencePeriod.end")
    as_needed: bool | None = fact("To be done as needed.", source="ServiceRequest.asNeeded[x]")
    reasons: Codings = fact("Why it is asked for, as codes.", source="reasonCode", default_factory=list)
    reason_records: list[RecordId] = fact(
        "Conditions and observations that are the reason.", source="reasonReference", default_factory=list
    )
    body_sites: Codings = fact(
        "Where in the body it is to be done.",
        source="ServiceRequest.bodySite",
        terminology="SNOMED CT",
        default_factory=list,
    )
    requester_kinds: list[str] = fact(
        "Of what kind who asks is; never who.",
        source="requester",
        terminology="FHIR resource types",
        default_factory=list,
    )
    performer_types: Codings = fact("Who is asked, by role.", source="performerType", default_factory=list)
    performer_kinds: list[str] = fact(
        "Of what kind those are who are asked; never who.",
        source="performer",
        terminology="FHIR resource types",
        default_factory=list,
    )
    location_codes: Codings = fact(
        "Where it is to be done.", source="ServiceRequest.locationCode", default_factory=list
    )
    requisition: str | None = fact(
        "What was asked for together with it, as a keyed hash.",
        source="ServiceRequest.requisition, DeviceRequest.groupIdentifier",
    )
    based_on: list[RecordId] = fact("The requests it fulfils.", source="basedOn", default_factory=list)
    replaces: list[RecordId] = fact(
        "Requests that were completed or ended, from which this one takes over; both were made, and both count.",
        source="ServiceRequest.replaces, DeviceRequest.priorRequest",
        default_factory=list,
    )
    encounter: RecordId | None = fact("The visit it was asked for at.", source="encounter")
