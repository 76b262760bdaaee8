"""Consent → consent: what a patient permits for quality improvement, research, contact, reported outcomes.

What is not understood whole is refused by name, and withdraws what was read before: it is never a permit.
"""

from schemas.problems import Reason
from transforms.rules import (
    Resource,
    consent_decisions,
    consent_scope,
    extensions,
    instant,
    kinds_of,
    one_of,
    other_version,
    patient,
    policy,
    replaced,
    required,
    verified,
)

SPELLINGS = dict.fromkeys(("revoked", "withdrawn"), "inactive") | dict.fromkeys(("denied", "refused"), "rejected")

RESOURCE = Resource(
    source="Consent",
    record="consent",
    version=1,
    subject={"patient": patient()},
    fields={
        "scope": consent_scope(),
        "status": required(
            one_of(
                "status",
                ("rejected", "inactive", "active"),
                withdrawn=("entered-in-error",),
                not_a_fact=("draft", "proposed", "not-done"),
                spellings=SPELLINGS,
                modifier=True,
            ),
            Reason.CONSENT_NOT_UNDERSTOOD,
        ),
        "provision[x]": consent_decisions("decisions"),
        "dateTime": instant("effective", "effective_date"),
        "policy": policy("policy", "policy_version"),
        "verification": verified("verified", "verified_date"),
        "performer": kinds_of("performer_kinds"),
        "extension": extensions(replaced("replaces", "Consent")),
        # STU3
        "consentingParty": other_version(),
        "except": other_version(),
        "purpose": other_version(),
        "action": other_version(),
        "actor": other_version(),
        "data": other_version(),
        "dataPeriod": other_version(),
        "securityLabel": other_version(),
        # STU3 and R5
        "period": other_version(),
        # R5
        "subject": other_version(),
        "date": other_version(),
        "decision": other_version(),
        "grantor": other_version(),
        "grantee": other_version(),
    },
)
