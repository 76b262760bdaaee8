"""DeviceUseStatement → device_use: that a patient uses a pump, a glucose sensor, or any other device with a code."""

from schemas.problems import Reason
from transforms.codes.systems import SNOMED
from transforms.rules import (
    Resource,
    choice,
    codings,
    device,
    extensions,
    flagged_if_over,
    instant,
    kinds_of,
    links,
    local_date,
    one_of,
    other_version,
    out_of_order,
    patient,
    period,
    replaced,
    required,
    timing_bounds,
)

STATUS = ("active", "completed", "intended", "stopped", "on-hold")
START, END = ("start", "start_date"), ("end", "end_date")

RESOURCE = Resource(
    source="DeviceUseStatement",
    record="device_use",
    version=1,
    subject={"subject": patient()},
    contradictions=(out_of_order("ends-before-start", "start_date", "end_date"),),
    fields={
        "device": required(device(kind="device", code=SNOMED, every="codings"), Reason.UNKNOWN_DEVICE),
        "timing[x]": choice(
            timingPeriod=period(start=START, end=END, past=True),
            timingDateTime=instant(*START),
            timingTiming=timing_bounds(START, END),
        ),
        "recordedOn": local_date("recorded_date"),
        "status": flagged_if_over(
            one_of("status", STATUS, withdrawn=("entered-in-error",), not_a_fact=("not-done",), modifier=True),
            "status",
            period="timingPeriod",
        ),
        "source": kinds_of("reporter_kinds"),
        "reasonCode": codings("reasons"),
        "reasonReference": links("reason_records", "Condition", "Observation"),
        "bodySite": codings("body_sites"),
        "basedOn": links("orders", "ServiceRequest"),
        "derivedFrom": links("derived_from", "Observation", "Procedure"),
        "extension": extensions(replaced("replaces", "DeviceUseStatement")),
        # STU3 and DSTU2
        "whenUsed": other_version(),
        "indication": other_version(),
        "notes": other_version(),
        "bodySiteCodeableConcept": other_version(),
        "bodySiteReference": other_version(),
        # R5
        "patient": other_version(),
        "dateAsserted": other_version(),
        "usageStatus": other_version(),
        "adherence": other_version(),
        "informationSource": other_version(),
    },
)
