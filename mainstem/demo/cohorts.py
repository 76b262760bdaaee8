"""What the demo's children have, and how Synthea's modules are bent so that they have it.

The natural prevalence of cystic fibrosis is 1 in 3,500: far too low for a demo. So children are made in cohorts, and in a
cohort every child has the condition. Only gates are replaced (who falls ill, when, how often a visit is); the visits' own
content stays Synthea's, with our modules of `modules/` where Synthea's children are never measured.
"""

from dataclasses import dataclass
from typing import Any

State = dict[str, Any]

EVERYDAY = ("wellness_encounters", "ear_infections", "sore_throat")
"""Modules that run for every child: check-ups, and what children have."""


@dataclass(frozen=True)
class Cohort:
    """Children with one condition: the module that gives it, and the states of it that are replaced."""

    name: str
    module: str
    youngest: int
    """Years; so that the condition has begun, and body mass index percentiles exist."""
    patches: dict[str, State]


def _chance_free(kind: str, to: str, **more: Any) -> State:
    return {"type": kind, **more, "direct_transition": to}


def _check_up(reason: str, to: str) -> State:
    code = {"system": "SNOMED-CT", "code": "185349003", "display": "Encounter for check up (procedure)"}
    return {
        "type": "Encounter",
        "encounter_class": "ambulatory",
        "reason": reason,
        "codes": [code],
        "direct_transition": to,
    }


def _weeks(low: int, high: int) -> dict[str, Any]:
    return {"range": {"low": low, "high": high, "unit": "weeks"}}


CYSTIC_FIBROSIS = Cohort(
    "cystic-fibrosis",
    "cystic_fibrosis",
    4,
    {
        "Potential_Onset": _chance_free("Simple", "Cystic_Fibrosis"),
        "Getting_Diagnosed": _chance_free("Simple", "Age Less Than 1"),  # found by newborn screening
        # the Cystic Fibrosis Foundation asks for a visit every three months; nobody of this demo dies of it
        "Life_With_Cystic_Fibrosis": _chance_free("Delay", "startDiseaseChain", **_weeks(11, 14)),
        "Take_Blood_Sample": _chance_free("CallSubmodule", "EndCheckup", submodule="mainstem/cf_visit"),
    },
)
INFLAMMATORY_BOWEL_DISEASE = Cohort(
    "inflammatory-bowel-disease",
    "inflammatory_bowel_disease",
    8,
    {
        "Initial": _chance_free("Initial", "Onset_Age_15_25"),
        "Onset_Age_15_25": _chance_free("Delay", "Onset_Entry", **_weeks(150, 400)),  # paediatric onset instead
        "Manage_Delay": _chance_free("Delay", "Followup_Encounter", **_weeks(10, 18)),
        "Followup_Encounter": _check_up("ibd", "Refill_Med_0"),
        "Refill_Med_1": _chance_free("CallSubmodule", "Refill_Med_2", submodule="mainstem/ibd_visit"),
    },
)
ASTHMA = Cohort(
    "asthma",
    "asthma",
    6,
    {
        "Delay_For_Atopy": _chance_free("Delay", "Delay_For_Childhood_Asthma", **_weeks(1, 1)),
        "Childhood_Asthma_Begins": {
            "type": "ConditionOnset",
            "target_encounter": "Asthma_Diagnosis",
            "assign_to_attribute": "asthma_condition",
            "codes": [{"system": "SNOMED-CT", "code": "195967001", "display": "Asthma (disorder)"}],
            "direct_transition": "Set_Childhood_Asthma",
        },
    },
)
TYPE_1_DIABETES = Cohort("type-1-diabetes", "type_1_diabetes", 6, {})

COHORTS = {cohort.name: cohort for cohort in (CYSTIC_FIBROSIS, INFLAMMATORY_BOWEL_DISEASE, ASTHMA, TYPE_1_DIABETES)}


@dataclass(frozen=True)
class HospitalPlan:
    """One hospital of the demo: how it is read, and how many children of each cohort it cares for."""

    site: str
    name: str
    road: str
    time_zone: str
    children: dict[str, int]
    algorithm: str = "ES384"
    """Signature of its SMART Backend Services client."""


HOSPITALS = (
    HospitalPlan(
        "lakeside",
        "Lakeside Children's Hospital",
        "search",
        "America/Chicago",
        {"cystic-fibrosis": 14, "inflammatory-bowel-disease": 3, "asthma": 3, "type-1-diabetes": 4},
        "RS384",
    ),
    HospitalPlan(
        "harbor",
        "Harbor Pediatrics",
        "bulk",
        "America/New_York",
        {"cystic-fibrosis": 14, "inflammatory-bowel-disease": 4, "asthma": 4, "type-1-diabetes": 3},
    ),
    HospitalPlan(
        "prairie",
        "Prairie Regional Children's Center",
        "files",
        "America/Denver",
        {"cystic-fibrosis": 32, "inflammatory-bowel-disease": 22, "asthma": 30, "type-1-diabetes": 24},
    ),
)
"""The search and the bulk hospital are small because a FHIR server stores only about 700 resources a second."""

NEWCOMER = ("prairie", "cystic-fibrosis")
"""The child who is new on day two: one more of this hospital and cohort, delivered in a file of its own."""
