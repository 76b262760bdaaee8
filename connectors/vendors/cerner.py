"""Oracle Health (Cerner): small pages; 307 on downloads, whose origin belongs in `fhir.allowed_origins`.

Patients and encounters that were combined come back inactive, by read alone; a combine can be undone. `_lastUpdated` marks
what is clinically significant only. 500 is said of what is fatal and of what passes alike, so it is tried again.
"""

from connectors.vendors import Vendor

VENDOR = Vendor(
    title="Oracle Health (Cerner)",
    names=r"\bcerner\b|\boracle health\b",
    addresses=r"^https://[^/]*\.(cerner|cernerpowerchart|oraclehealth)\.com/",
    page_sizes={"Observation": 200, "DocumentReference": 100},
    count_needs={"Encounter": "patient"},
    # It takes `ge` and `le` only, each with a time.
    window_ends={"MedicationRequest": "le"},
    by_read_alone=frozenset({"Patient"}),
    not_exported=frozenset({"Medication", "Binary"}),
    filter_rejects=frozenset({"_lastUpdated", "patient", "encounter"}),
    one_filter_a_type=True,
    group_most=10_000,
    key_goes=(
        "Oracle Health Code Console: an application of type System, privacy Confidential; "
        "its JWKS URL (https) or JWKS under Cerner Central > System Accounts"
    ),
    advice="One export a client at a time, Groups of 10,000 patients at most; a tenant's administrator must add the client.",
)
