"""Fields by which a resource is refused: of another FHIR version, or no fact."""

import re
from dataclasses import replace

import msgspec

from schemas.problems import Reason
from transforms.fhir.elements import (
    Scalar,
    Unusable,
    decode,
    text_of,
)
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting


def other_version() -> Rule:
    """A field that R4 does not have: the resource is of another FHIR version and is refused by name."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw == b"null":
            return NOTHING
        raise Unusable(Reason.OTHER_FHIR_VERSION)

    return Rule((), read)


def not_masked(raw: bytes, values: dict[str, str]) -> Found:
    """What is found where nothing stands; masked, it is hidden from us and not gone, so the answer is a partial one."""
    if is_masked(raw):
        raise Unusable(Reason.PARTIAL_ANSWER)
    return Found(dict(values))


MASKED = frozenset({"masked", "MSK"})


def is_masked(raw: bytes) -> bool:
    """Whether it says so, by FHIR's word or v3's."""
    return any(b'"%b"' % word.encode() in raw for word in MASKED)


def hides(raw: bytes) -> bool:
    """Whether an extension in a field says that something is hidden. Hidden from us, it is not gone."""
    return b'"masked"' in raw and _HIDDEN.search(raw) is not None


_HIDDEN = re.compile(
    rb'"url"\s*:\s*"[^"]*/data-absent-reason"\s*,\s*"valueCode"\s*:\s*"masked"'
    rb'|"valueCode"\s*:\s*"masked"\s*,\s*"url"\s*:\s*"[^"]*/data-absent-reason"'
)


def unless_masked() -> Rule:
    """What stands beside a primitive (`_birthDate`): masked, the answer is a partial one."""
    return Rule((), lambda raw, _companion, _setting: not_masked(raw, {}))


def unusable_if_given(reason: Reason) -> Rule:
    """A field that says in a way we cannot follow what has to be known: the resource is unusable for that reason."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw == b"null":
            return NOTHING
        raise Unusable(reason)

    return Rule((), read)


def unless_within(*members: str, rule: Rule | None = None) -> Rule:
    """A field in which other FHIR versions have members that R4 does not: those are refused by name; `rule` reads the others."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if has_members(raw, *members):
            raise Unusable(Reason.OTHER_FHIR_VERSION)
        return rule.read(raw, companion, setting) if rule else NOTHING

    return replace(rule, read=read, usual=None) if rule else Rule((), read)


def unless_codeable(rule: Rule) -> Rule:
    """A field that R5 shapes as CodeableReference, `{"concept": …, "reference": {…}}`: that is refused by name."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if has_members(raw, "concept") or _REFERENCE_INSIDE.search(raw):
            raise Unusable(Reason.OTHER_FHIR_VERSION)
        return rule.read(raw, companion, setting)

    return replace(rule, read=read, usual=None)


_REFERENCE_INSIDE = re.compile(rb'"reference"\s*:\s*\{')


def has_members(raw: bytes, *members: str) -> bool:
    """Whether an object, or one of a list of them, has any of these members; what is no object has none."""
    if not any(f'"{name}"'.encode() in raw for name in members):
        return False
    try:
        found = decode(raw, list[dict[str, msgspec.Raw] | None] | dict[str, msgspec.Raw] | None) or []
    except Unusable:
        return False
    listed = found if isinstance(found, list) else [found]
    return any(not set(members).isdisjoint(each) for each in listed if each is not None)


def unless_shaped(rule: Rule, *shapes: str) -> Rule:
    """A field that other FHIR versions shape otherwise: `unless_shaped(rule, "string", "array")` refuses those by name."""
    openings = {{"string": b'"', "array": b"[", "object": b"{"}[shape] for shape in shapes}

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw[:1] in openings:
            raise Unusable(Reason.OTHER_FHIR_VERSION)
        return rule.read(raw, companion, setting)

    return replace(rule, read=read)


def unless_listed(rule: Rule, member: str) -> Rule:
    """A field whose elements have, in other FHIR versions, a list where R4 has one: those are refused by name."""
    listed = re.compile(rb'"%b"\s*:\s*\[' % member.encode())

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if listed.search(raw):
            raise Unusable(Reason.OTHER_FHIR_VERSION, member)
        return rule.read(raw, companion, setting)

    return replace(rule, read=read)


def understood(rule: Rule) -> Rule:
    """A modifying element: one of another shape than FHIR's may say that the rest is not so, and refuses the resource."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        try:
            return rule.read(raw, companion, setting)
        except Unusable as fault:
            if fault.reason is not Reason.INVALID_FIELD:
                raise
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD) from None

    return replace(rule, read=read)


def not_a_fact_if_true() -> Rule:
    """A boolean by which a resource says that something is not to be done, or was not."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = text_of(decode(raw, Scalar)).lower()
        if said == "true":
            raise Unusable(Reason.NOT_A_FACT)
        if said not in ("false", ""):
            raise Unusable(Reason.INVALID_FIELD)
        return NOTHING

    return understood(Rule((), read))
