"""Searches that a server takes only with a further parameter: the ways to ask for a whole type nevertheless."""

from collections.abc import Sequence

from connectors.vendors import Parameters, Vendor

CATEGORIES = {
    "Observation": (
        "laboratory",
        "vital-signs",
        "social-history",
        "survey",
        "imaging",
        "exam",
        "procedure",
        "therapy",
        "activity",
        "sdoh",
        "functional-status",
        "disability-status",
        "cognitive-status",
    ),
    "Condition": ("problem-list-item", "encounter-diagnosis", "health-concern"),
    "DiagnosticReport": ("LAB", "LP29684-5", "LP29708-2", "LP7839-6"),
    "DocumentReference": ("clinical-note",),
}
"""Those of the US Core profiles, by type: radiology, cardiology and pathology reports have LOINC's codes."""
CATEGORY, PATIENT, BOTH = "category", "patient", "patient and category"


def ways(resource_type: str) -> list[str]:
    """What to fan out by, the cheapest first."""
    if resource_type == "Patient":
        return []
    return [CATEGORY, PATIENT, BOTH] if resource_type in CATEGORIES else [PATIENT]


def categories(resource_type: str, vendor: Vendor) -> Sequence[Parameters]:
    """A search for each category that the vendor takes."""
    taken = [each for each in CATEGORIES[resource_type] if each not in vendor.rejected_categories]
    return [(("category", each),) for each in taken]
