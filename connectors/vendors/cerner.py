"""Oracle Health (Cerner): small pages; 307 on downloads, whose origin belongs in `fhir.allowed_origins`."""

from connectors.vendors import Vendor

VENDOR = Vendor(
    title="Oracle Health (Cerner)",
    # An Encounter search takes `_count` only together with a patient.
    page_sizes={"Observation": 200, "DocumentReference": 100, "Encounter": None},
    not_exported=frozenset({"Medication", "Binary"}),
)
