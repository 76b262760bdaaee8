"""Consents: what a patient permits, denies or has withdrawn, for which of the network's scopes. What is not understood permits nothing."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from msgspec import Raw, Struct

from schemas.problems import Reason
from transforms.codes.kinds import kind_of
from transforms.codes.systems import repaired_system
from transforms.fhir.elements import CodeableConcept, Coding, Period, Scalar, Unusable, decode, text_of
from transforms.privacy.pseudonyms import hexadecimal
from transforms.rules.concepts import concepts_of
from transforms.rules.declaring import NOTHING, Choice, Found, Read, Rule, choice
from transforms.rules.refusals import unless_shaped
from transforms.rules.setting import Setting
from transforms.rules.times import moment_found, period_found

_ABSENT: Any = None
_OTHER, _UNKNOWN = "other", "?"
_PRIVACY = "patient-privacy"
"""Says nothing of what it is for; its purposes do."""
_OPTS = {"OPTIN": "permit", "OPTOUT": "deny"}
_MADE = {"rejected": "deny", "denied": "deny", "refused": "deny", "inactive": "withdrawn", "revoked": "withdrawn"} | {
    "withdrawn": "withdrawn"
}
"""What a status makes of whatever the provisions say."""
_KNOWN = frozenset({"active", *_MADE})
_LIMITS = (
    *("actor", "action", "class", "code", "securityLabel", "data", "dataPeriod"),
    *("documentType", "resourceType", "expression"),  # R5
)
"""What of a provision holds for a part of its scope only, for some people or for some data."""
_BESIDE = ("status", "scope", "category")


class _Provision(Struct, gc=False, rename={"of_class": "class"}):
    type: Scalar = None
    period: Period | None = None
    purpose: list[Coding | None] | Coding | None = None
    provision: "list[_Provision | None] | None" = None
    actor: Raw = _ABSENT
    action: Raw = _ABSENT
    of_class: Raw = _ABSENT
    code: Raw = _ABSENT
    securityLabel: Raw = _ABSENT
    data: Raw = _ABSENT
    dataPeriod: Raw = _ABSENT
    documentType: Raw = _ABSENT
    resourceType: Raw = _ABSENT
    expression: Raw = _ABSENT
    modifierExtension: Raw = _ABSENT

    def limit(self) -> str:
        """What it is limited by; empty for nothing."""
        return next((name for name in _LIMITS if _stands(getattr(self, name.replace("class", "of_class")))), "")


@dataclass(frozen=True, slots=True)
class _Said:
    """What a consent says beside its provisions."""

    status: str
    scopes: frozenset[str]

    def made(self, decision: str) -> str:
        """A decision as the status leaves it."""
        return _MADE.get(self.status, decision)


def consent_decisions(name: str) -> Choice:
    """provision, else policyRule, else status → what is decided for each scope, and for how long."""
    return choice(
        provision=unless_shaped(
            Rule((name,), _understood(_by_provision(name)), needs=_BESIDE, fatal=True, modified=True), "array"
        ),  # R5: a list
        instead={
            "policyRule": unless_shaped(
                Rule((name,), _understood(_by_rule(name)), needs=_BESIDE, fatal=True, modified=True), "string"
            ),  # STU3
            "status": Rule((name,), _understood(_by_status(name)), needs=_BESIDE, fatal=True),
        },
        missing=Reason.CONSENT_NOT_UNDERSTOOD,
        fatal=True,
    )


def _understood(read: Read) -> Read:
    """A reading that leaves nothing out: of a consent, what has another shape than FHIR's may be the exception."""

    def understood(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        try:
            return read(raw, companion, setting)
        except Unusable as fault:
            if fault.reason is not Reason.INVALID_FIELD:
                raise
            raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD, fault.path) from None

    return understood


def _by_provision(name: str) -> Read:
    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        root = decode(raw, _Provision | None) or _Provision()
        said = _said(companion, setting)
        decided, flags = _decided(root, said, setting)
        times = period_found(root.period or Period(), ("start", "start_date"), ("end", "end_date"), setting)
        if times.dropped:  # nobody knows for how long it holds
            raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD, f"period.{times.dropped[0]}")
        flags = (*flags, *times.flags)
        return _found(name, {scope: said.made(each) for scope, each in decided.items()}, times.values, flags)

    return read


def _by_rule(name: str) -> Read:
    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = _said(companion, setting)
        codes = {text_of(coding.code) for concept in concepts_of(raw) for coding in concept.codings}
        decision = {_OPTS.get(code, "") for code in codes}
        if len(decision) != 1 or "" in decision:
            if said.status in _MADE:
                return _found(name, _for_all(said.scopes, said.made("")), {}, ())
            raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD)
        return _found(name, _for_all(said.scopes, said.made(decision.pop())), {}, ())

    return read


def _by_status(name: str) -> Read:
    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = _said(companion, setting)
        if said.status not in _MADE:
            raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD)
        return _found(name, _for_all(said.scopes, said.made("")), {}, ())

    return read


def _decided(root: _Provision, said: _Said, setting: Setting) -> tuple[dict[str, str], tuple[str, ...]]:
    """Scope → permit or deny, by the root and the exceptions from it. Raises Unusable where that cannot be told."""
    decision = _type(root, "")
    if (limit := root.limit()) and said.status not in _MADE:
        raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD, limit)
    decided = _for_all(_scopes(root, said.scopes, setting), decision)
    flags: tuple[str, ...] = ()
    for place, each in enumerate(root.provision or []):
        if each is None:
            continue
        path = f"provision[{place}]"
        contrary, own = _type(each, f"{path}."), _purposes(each, setting)
        touched = own & set(decided) if own - {_UNKNOWN} else set(decided)
        if not touched or contrary == decision:
            continue
        partly = each.limit() or each.provision or _stands_period(each.period) or not own or _UNKNOWN in own
        if partly and contrary == "permit":
            flags = ("consent-exception",)  # some of what is denied is permitted: it stays denied
        elif partly:
            raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD, path)
        else:
            decided |= dict.fromkeys(touched, contrary)
    return decided, flags


def _type(source: _Provision, path: str) -> str:
    if _stands(source.modifierExtension):
        raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, f"{path}modifierExtension")
    said = text_of(source.type).lower()
    if said not in ("permit", "deny"):
        raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD, f"{path}type")
    return said


def _scopes(source: _Provision, inherited: frozenset[str], setting: Setting) -> frozenset[str]:
    """The scopes of a provision: its purposes', else the consent's. Raises Unusable where none of them is ours."""
    return _ours(_purposes(source, setting) or inherited, "purpose")


def _ours(scopes: frozenset[str], path: str = "") -> frozenset[str]:
    found = frozenset(scopes) - {_UNKNOWN}
    if not found or (found == {_OTHER} and _UNKNOWN in scopes):
        raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD, path)
    if found == {_OTHER}:
        raise Unusable(Reason.CONSENT_ELSEWHERE, path)
    return found - {_OTHER}


def _purposes(source: _Provision, setting: Setting) -> frozenset[str]:
    """What the purposes mean; `?` for one that nobody knows."""
    listed = source.purpose if isinstance(source.purpose, list) else [source.purpose]
    if source.purpose is None:
        return frozenset()
    return frozenset(_words([each or Coding() for each in listed], setting, _UNKNOWN))


def _words(codings: Iterable[Coding], setting: Setting, otherwise: str = "") -> Iterator[str]:
    for coding in codings:
        if (
            word := kind_of("consent", [(repaired_system(coding.system), text_of(coding.code))], setting.codes)
            or otherwise
        ):
            yield word


def _said(companion: bytes | None, setting: Setting) -> _Said:
    status, *concepts = decode(companion or b"[null,null,null]", list[Raw])
    scopes: set[str] = set()
    try:
        for raw in concepts:
            for concept in concepts_of(bytes(raw)):
                scopes |= _meant(concept, setting)
    except Unusable:
        raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD) from None
    try:
        word = "-".join(text_of(decode(bytes(status), Scalar)).lower().split())
    except Unusable:
        word = ""
    if word not in _KNOWN:
        raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD)
    return _Said(word, frozenset(scopes))


def _meant(concept: CodeableConcept, setting: Setting) -> set[str]:
    found = set(_words(concept.codings, setting))
    if not found and (text := text_of(concept.text)) and (word := kind_of("consent", [("", text)], setting.codes)):
        found = {word}
    return found


def _for_all(scopes: frozenset[str], decision: str) -> dict[str, str]:
    return dict.fromkeys(_ours(scopes), decision)


def _found(name: str, decided: dict[str, str], times: dict[str, Any], flags: tuple[str, ...]) -> Found:
    told = {field: value for field, value in times.items() if value}
    listed = [{"scope": scope, "decision": decided[scope]} | told for scope in sorted(decided)]
    return Found({name: listed}, flags)


def _stands(raw: Any) -> bool:
    return raw is not None and bytes(raw) not in (b"null", b"[]", b"{}")


def _stands_period(period: Period | None) -> bool:
    return period is not None and bool(period.start or period.end)


def consent_scope() -> Rule:
    """Consent.scope: one that neither the table nor the site's code map knows may change all that is said."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        for concept in concepts_of(raw):
            known = any(text_of(coding.code).lower() == _PRIVACY for coding in concept.codings)
            if not known and not _meant(concept, setting):
                raise Unusable(Reason.CONSENT_NOT_UNDERSTOOD)
        return NOTHING

    return Rule((), read, fatal=True)


class _Verification(Struct, gc=False):
    verified: Scalar = None
    verificationDate: str | None = None


def verified(flag: str, date: str) -> Rule:
    """Consent.verification → whether somebody made sure with the patient or family, and the latest date of it."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = decode(raw, list[_Verification | None] | _Verification | None) or []
        listed = [each for each in (found if isinstance(found, list) else [found]) if each is not None]
        words = [text_of(each.verified).lower() for each in listed]
        said = {*words}
        dropped = [f"[{place}].verified" for place, word in enumerate(words) if word not in ("true", "false", "")]
        if not said & {"true", "false"}:
            return Found(dropped=tuple(dropped))
        days, flags = list[str](), dict[str, None]()
        for place, each in enumerate(listed):
            try:
                when = moment_found((each.verificationDate or "").strip(), "utc", "date", setting)
            except Unusable:
                dropped.append(f"[{place}].verificationDate")
                continue
            flags |= dict.fromkeys(when.flags)
            if text_of(each.verified).lower() == "true" and when.values.get("date"):
                days.append(str(when.values["date"]))
        return Found({flag: "true" in said, date: max(days, default=None)}, tuple(flags), dropped=tuple(dropped))

    return Rule((flag, date), read)


class _Policy(Struct, gc=False):
    uri: Scalar = None


_VERSION = re.compile(r"(?:[|/:_-]|\b[vV])[vV]?([0-9]{1,2}(?:\.[0-9]{1,2}){0,2})/?")


def policy(name: str, version: str) -> Rule:
    """Consent.policy → the keyed hash of the policy's address, and the version it ends with."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = decode(raw, list[_Policy | None] | _Policy | None) or []
        listed = [each for each in (found if isinstance(found, list) else [found]) if each is not None]
        uris = sorted({text_of(each.uri) for each in listed} - {""})
        if not uris:
            return NOTHING
        ends = [match[1] for match in _VERSION.finditer(uris[0]) if match.end() == len(uris[0])]
        ref = hexadecimal(b"h-", setting.pseudonyms.ref("policy", uris[0]))
        return Found({name: ref, version: ends[-1] if ends else None}, ("several:policy",) if len(uris) > 1 else ())

    return Rule((name, version), read)
