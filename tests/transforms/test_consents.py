"""Consent as systems write it: what is permitted, denied and withdrawn, and that nothing else is ever a permit."""

from typing import Any

import pytest
from reading import KEY, Json, only, reason

from transforms import CodeMapRow
from transforms.privacy import Pseudonyms

HL7 = "http://terminology.hl7.org/CodeSystem/"
REASON = HL7 + "v3-ActReason"
SITE = [
    CodeMapRow("urn:local", "REG-1", "urn:mainstem:consent", "qi"),
    CodeMapRow("urn:local", "CONTACT", "urn:mainstem:consent", "recontact"),
    CodeMapRow("", "Registry questionnaires", "urn:mainstem:consent", "pro"),
    CodeMapRow("urn:local", "PHOTO", "urn:mainstem:consent", "other"),
]


def concept(*codings: tuple[str, str], text: str = "words that stay") -> Json:
    return {
        "coding": [{"system": system, "code": code, "display": "Ann Quux"} for system, code in codings],
        "text": text,
    }


def purpose(*codes: str) -> list[Json]:
    return [{"system": REASON, "code": code, "display": "Ann Quux"} for code in codes]


def consent(**fields: Any) -> Json:
    resource = {
        "resourceType": "Consent",
        "id": "n1",
        "status": "active",
        "scope": concept((HL7 + "consentscope", "research")),
        "category": [concept(("http://loinc.org", "59284-0"))],
        "patient": {"reference": "Patient/kid-7", "display": "Ann Quux"},
        "dateTime": "2026-02-03",
        "provision": {"type": "permit"},
    } | fields
    return {name: value for name, value in resource.items() if value is not ...}


def decided(given: Json, **options: Any) -> dict[str, str]:
    return {each["scope"]: each["decision"] for each in only(given, **options)[0]["decisions"]}


def test_a_research_consent_is_read_whole() -> None:
    """Decision, time, policy by hash and version, who agreed by kind, that it was verified; no paper, no name."""
    given = consent(
        dateTime="2026-02-03T10:00:00-05:00",
        performer=[{"reference": "RelatedPerson/ann", "display": "Ann Quux"}],
        organization=[{"display": "Quux Clinic"}],
        sourceAttachment={"title": "signed by Ann Quux", "url": "https://x/quux.pdf"},
        policy=[{"authority": "https://x", "uri": "https://registry.example/consents/cf|2.1"}],
        verification=[
            {"verified": True, "verificationDate": "2026-02-04T09:00:00-05:00", "verifiedWith": {"display": "Q"}}
        ],
        provision={"type": "permit", "period": {"start": "2026-02-03", "end": "2031-02-03"}},
    )
    record, flags = only(given)
    assert record == {
        "status": "active",
        "decisions": [
            {"scope": "research", "decision": "permit", "start_date": "2026-02-03", "end_date": "2031-02-03"}
        ],
        "effective": "2026-02-03T15:00:00Z",
        "effective_date": "2026-02-03",
        "policy": f"h-{Pseudonyms(KEY).ref('policy', 'https://registry.example/consents/cf|2.1').hex()}",
        "policy_version": "2.1",
        "verified": True,
        "verified_date": "2026-02-04",
        "performer_kinds": ["RelatedPerson"],
    }
    assert flags == []


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({}, {"research": "permit"}),
        ({"provision": {"type": "deny"}}, {"research": "deny"}),
        ({"status": "rejected"}, {"research": "deny"}),
        ({"status": "inactive"}, {"research": "withdrawn"}),
        ({"status": "inactive", "provision": ...}, {"research": "withdrawn"}),
        ({"status": "rejected", "provision": ...}, {"research": "deny"}),
        ({"provision": ..., "policyRule": concept((HL7 + "v3-ActCode", "OPTIN"))}, {"research": "permit"}),
        ({"provision": ..., "policyRule": concept((HL7 + "v3-ActCode", "OPTOUT"))}, {"research": "deny"}),
        ({"provision": {"type": "permit", "purpose": purpose("HQUALIMP")}}, {"qi": "permit"}),
        (
            {"provision": {"type": "permit", "purpose": purpose("HQUALIMP", "HRESCH", "TREAT")}},
            {"qi": "permit", "research": "permit"},
        ),
        (
            {
                "scope": concept((HL7 + "consentscope", "patient-privacy")),
                "provision": {
                    "type": "permit",
                    "purpose": purpose("HQUALIMP", "HRESCH"),
                    "provision": [{"type": "deny", "purpose": purpose("HRESCH")}],
                },
            },
            {"qi": "permit", "research": "deny"},
        ),
        (
            {
                "provision": {
                    "type": "deny",
                    "purpose": purpose("HQUALIMP", "HRESCH"),
                    "provision": [{"type": "permit", "purpose": purpose("HQUALIMP")}],
                }
            },
            {"qi": "permit", "research": "deny"},
        ),
        (
            {"provision": {"type": "permit", "provision": [{"type": "deny", "purpose": purpose("TREAT")}]}},
            {"research": "permit"},
        ),
    ],
    ids=str,
)
def test_what_is_decided_for_which_scope(fields: Json, right: dict[str, str]) -> None:
    """Status before provisions, purposes before the consent's scope, exceptions over what they are exceptions from."""
    assert decided(consent(**fields)) == right


def test_a_site_names_its_scopes() -> None:
    """By local codes and by words, of scope, category and purpose."""
    local = consent(scope=concept(("urn:local", "REG-1")), category=[concept(("urn:local", "CONTACT"))])
    assert decided(local, code_map=SITE) == {"qi": "permit", "recontact": "permit"}
    spoken = consent(scope={"text": "Registry questionnaires"}, category=[])
    assert decided(spoken, code_map=SITE) == {"pro": "permit"}
    photo = consent(scope=concept(("urn:local", "PHOTO")))
    assert reason(photo, code_map=SITE) == "consent-elsewhere Consent.provision.purpose"


NOT = "consent-not-understood Consent."


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"provision": ...}, NOT + "status"),
        ({"provision": {}}, NOT + "status"),
        ({"provision": {"type": "perhaps"}}, NOT + "provision.type"),
        (
            {"provision": {"type": "permit", "actor": [{"reference": {"reference": "Organization/1"}}]}},
            NOT + "provision.actor",
        ),
        ({"provision": {"type": "permit", "data": [{"meaning": "instance"}]}}, NOT + "provision.data"),
        ({"provision": {"type": "permit", "class": [{"code": "Observation"}]}}, NOT + "provision.class"),
        ({"provision": {"type": "permit", "securityLabel": [{"code": "R"}]}}, NOT + "provision.securityLabel"),
        ({"provision": {"type": "permit", "period": {"start": "once"}}}, NOT + "provision.period.start"),
        ({"provision": {"type": "permit", "purpose": [{"system": "urn:l", "code": "7"}]}}, NOT + "provision.purpose"),
        (
            {"provision": {"type": "permit", "provision": [{"type": "deny", "purpose": [{"code": "LOCAL"}]}]}},
            NOT + "provision.provision[0]",
        ),
        (
            {"provision": {"type": "permit", "provision": [{"type": "deny", "class": [{"code": "Observation"}]}]}},
            NOT + "provision.provision[0]",
        ),
        ({"provision": {"type": "permit", "provision": [{"type": "deny"}]}}, NOT + "provision.provision[0]"),
        (
            {
                "provision": {
                    "type": "permit",
                    "provision": [{"type": "deny", "purpose": purpose("HRESCH"), "period": {"end": "2027"}}],
                }
            },
            NOT + "provision.provision[0]",
        ),
        ({"provision": {"type": "permit", "provision": ["deny all"]}}, NOT + "provision.provision[0]"),
        ({"provision": {"type": "permit", "provision": {"type": "deny"}}}, NOT + "provision.provision"),
        ({"provision": {"type": "permit", "purpose": ["HRESCH"]}}, NOT + "provision.purpose[0]"),
        ({"category": ["research"]}, NOT + "provision"),
        (
            {"provision": {"type": "permit", "provision": [{"type": "deny", "modifierExtension": [{"url": "urn:x"}]}]}},
            "modifier-not-understood Consent.provision.provision[0].modifierExtension",
        ),
        ({"provision": {"type": "permit", "provision": [{}]}}, NOT + "provision.provision[0].type"),
        ({"provision": ..., "policyRule": concept((HL7 + "v3-ActCode", "OPTINR"))}, NOT + "policyRule"),
        ({"provision": ..., "policyRule": {"text": "opt in"}}, NOT + "policyRule"),
        ({"scope": concept(("urn:local", "7"))}, NOT + "scope"),
        ({"scope": concept((HL7 + "consentscope", "patient-privacy"))}, NOT + "provision.purpose"),
        ({"scope": concept((HL7 + "consentscope", "treatment"))}, "consent-elsewhere Consent.provision.purpose"),
        ({"scope": concept((HL7 + "consentscope", "adr"))}, "consent-elsewhere Consent.provision.purpose"),
        ({"status": "draft"}, "not-a-fact Consent.status"),
        ({"status": "proposed"}, "not-a-fact Consent.status"),
        ({"status": "quux"}, "modifier-not-understood Consent.status"),
        ({"status": ...}, NOT + "status"),
        ({"status": "entered-in-error"}, "withdrawn"),
        ({"modifierExtension": [{"url": "urn:x"}]}, "modifier-not-understood Consent.modifierExtension"),
        (
            {"provision": {"type": "permit", "modifierExtension": [{"url": "urn:x"}]}},
            "modifier-not-understood Consent.provision.modifierExtension",
        ),
        ({"patient": ...}, "missing-subject Consent.patient"),
        ({"provision": [{"purpose": []}]}, "other-fhir-version Consent.provision"),
        ({"provision": ..., "policyRule": "http://x/optin"}, "other-fhir-version Consent.policyRule"),
        ({"except": [{"type": "deny"}]}, "other-fhir-version Consent.except"),
        ({"consentingParty": [{}]}, "other-fhir-version Consent.consentingParty"),
        ({"decision": "permit"}, "other-fhir-version Consent.decision"),
        ({"grantee": [{}]}, "other-fhir-version Consent.grantee"),
    ],
    ids=str,
)
def test_what_is_not_understood_is_never_a_permit(fields: Json, right: str) -> None:
    """Limits, exceptions that are limited, unknown words, other versions: refused by name."""
    assert reason(consent(**fields)) == right


def test_a_limited_exception_from_a_denial_stays_denied_and_is_flagged() -> None:
    exception = {"type": "permit", "purpose": purpose("HRESCH"), "actor": [{"role": {"text": "x"}}]}
    given = consent(provision={"type": "deny", "provision": [exception]})
    record, flags = only(given)
    assert [each["decision"] for each in record["decisions"]] == ["deny"]
    assert flags == ["consent-exception"]


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({"dateTime": "yesterday"}, "dropped:dateTime"),
        ({"policy": "https://x"}, "dropped:policy"),
        ({"policy": [{"uri": "https://x/1"}, {"uri": "https://x/2"}]}, "several:policy"),
        ({"verification": [{"verified": True, "verificationDate": "May"}]}, "dropped:verification"),
        ({"performer": 7}, "dropped:performer"),
        ({"status": "Active "}, "repaired:status"),
    ],
)
def test_a_fault_beside_the_decision_leaves_that_out(fields: Json, flag: str) -> None:
    record, flags = only(consent(**fields))
    assert record["decisions"] == [{"scope": "research", "decision": "permit"}]
    assert flags == [flag]
