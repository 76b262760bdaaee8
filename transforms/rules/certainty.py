"""How sure a diagnosis or an allergy is, and whether it still holds: FHIR's clinical and verification status."""

from collections.abc import Iterable

from transforms.rules.codes import one_of
from transforms.rules.declaring import Rule
from transforms.rules.refusals import unless_shaped

REFUTED = dict.fromkeys(
    ("ruled-out", "ruledout", "excluded", "negated", "disproved", "disproven", "absent", "not-present", "known-absent"),
    "refuted",
) | dict.fromkeys(("410516002", "410594000", "723511001"), "refuted")
"""Words, and SNOMED CT's codes for known absent, definitely not present and refuted; below, for confirmed and suspected."""
_SPELT = {
    **REFUTED,
    "suspected": "provisional",
    "possible": "unconfirmed",
    "probable": "provisional",
    "presumed": "provisional",
    "verified": "confirmed",
    "410605003": "confirmed",
    "415684004": "provisional",
}


_OF_PROBLEMS = REFUTED | {"55561003": "active", "73425007": "inactive", "413322009": "resolved"}
"""SNOMED CT's codes, as C-CDA's problem status has them."""


def clinical_status(values: Iterable[str]) -> Rule:
    """clinicalStatus, a CodeableConcept (a code in STU3 and DSTU2) → the code; a local one is left out, flagged."""
    rule = one_of(
        "clinical_status",
        values,
        withdrawn=("entered-in-error",),
        not_a_fact=("refuted",),
        spellings=_OF_PROBLEMS,
        unclear="NI",
        within={"recurrence": "active", "relapse": "active", "remission": "inactive", "resolved": "inactive"},
    )
    return unless_shaped(rule, "string")


def verification_status(values: Iterable[str]) -> Rule:
    """verificationStatus, a CodeableConcept (a code in STU3 and DSTU2) → the code; one not understood refuses the resource.

    Of several that stand side by side the first of `values` is taken: the most doubtful stands first.
    """
    allowed = tuple(values)
    least = allowed[0]
    rule = one_of(
        "verification_status",
        allowed,
        withdrawn=("entered-in-error",),
        not_a_fact=("refuted",),
        spellings={word: code if code in (*allowed, "refuted") else least for word, code in _SPELT.items()},
        modifier=True,
        within={"provisional": "unconfirmed", "differential": "unconfirmed"},
    )
    return unless_shaped(rule, "string")
