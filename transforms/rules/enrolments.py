"""Enrolments: in which registry or programme a patient is, since when, and how it ended."""

from dataclasses import replace

from msgspec import Struct

from schemas.problems import Reason
from transforms.codes.kinds import target_of, word_of
from transforms.codes.no_known import says_none
from transforms.codes.systems import known_systems
from transforms.fhir.elements import Period, Scalar, Unusable, decode, text_of
from transforms.rules.concepts import concepts_of, shared_coding, shared_codings, usable_codings
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.times import moment_found, period_found

_ABOUT = "registry"
ENROLMENT_STATUS = (
    "planned",
    "waitlist",
    "active",
    "onhold",
    "finished",
    "cancelled",
    "transferred",
    "transitioned",
    "lost",
    "died",
)
"""FHIR's of an episode of care, and how networks say that one ended."""
ENROLMENT_SPELT = {
    **dict.fromkeys(("on-hold", "paused", "suspended"), "onhold"),
    **dict.fromkeys(("complete", "completed", "closed", "discharged", "ended", "inactive"), "finished"),
    **dict.fromkeys(("canceled",), "cancelled"),
    **dict.fromkeys(("transfer", "transferred-out", "transferred-care"), "transferred"),
    **dict.fromkeys(("graduated", "transition", "transitioned-to-adult-care", "adult-care"), "transitioned"),
    **dict.fromkeys(("lost-to-follow-up", "lost-to-followup", "ltfu", "lost-to-follow"), "lost"),
    **dict.fromkeys(("deceased", "dead", "death", "expired"), "died"),
    **dict.fromkeys(("waiting", "wait-list", "waiting-list"), "waitlist"),
}


def programme(*, registry: str, every: str, named_by: str | None = None, public: bool = False) -> Rule:
    """CodeableConcepts → the site's word for the registry, and every coding; a name serves the site's code map only.

    `public`: local codes alone say nothing that others could read; without a word for them the resource is unusable.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found: list[tuple[str | None, str]] = []
        texts: list[str] = [_name_in(companion)] if companion else []
        flags: list[str] = []
        for concept in concepts_of(raw):
            if any(says_none(coding.system, text_of(coding.code)) for coding in concept.codings):
                raise Unusable(Reason.NOT_A_FACT)
            usable, noticed, _ = usable_codings(concept, setting)
            found += usable
            flags += noticed
            texts.append(text_of(concept.text))
        word = word_of(_ABOUT, [*found, *(("", text) for text in texts if text)], setting.codes)
        if word is None and (not found or (public and not any(system in known_systems() for system, _ in found))):
            raise Unusable(Reason.MISSING_CODE)
        values = {registry: word, every: shared_codings(found, setting)}
        flags = list(dict.fromkeys(flags))
        if word is not None:
            return Found(values, tuple(flags))
        shown = [shared_coding(*each, setting) for each in dict.fromkeys(found)]
        unmapped = tuple((system or "", code, target_of(_ABOUT)) for system, code in shown)
        return Found(values, (*flags, "code-unmapped"), unmapped)

    return Rule((registry, every), read, needs=named_by, fatal=True)


def programme_named(registry: str) -> Rule:
    """A name → the site's word for the registry; the name itself does not leave."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        word = word_of(_ABOUT, [("", _name_in(raw))], setting.codes)
        if word is None:
            raise Unusable(Reason.MISSING_CODE)
        return Found({registry: word})

    return Rule((registry,), read, fatal=True)


def _name_in(raw: bytes) -> str:
    try:
        return text_of(decode(raw, Scalar))
    except Unusable:
        return ""


class _Had(Struct, gc=False):
    status: Scalar = None
    period: Period | None = None


def status_history(name: str) -> Rule:
    """EpisodeOfCare.statusHistory → which status it had, from when to when; what is not understood is left out, by place."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found: list[dict[str, str]] = []
        dropped, flags = list[str](), dict[str, None]()
        listed = decode(raw, list[_Had | None] | _Had | None) or []
        for place, entry in enumerate(listed if isinstance(listed, list) else [listed]):
            if entry is None:
                continue
            said = "-".join(text_of(entry.status).lower().replace("_", " ").split())
            status = ENROLMENT_SPELT.get(said, said)
            if status not in ENROLMENT_STATUS:
                dropped.append(f"[{place}].status")
                continue
            times = period_found(entry.period or Period(), ("start", "start_date"), ("end", "end_date"), setting)
            dropped += [f"[{place}].period.{end}" for end in times.dropped]
            flags |= dict.fromkeys(times.flags)
            found.append({"status": status} | {field: value for field, value in times.values.items() if value})
        in_order = sorted(found, key=lambda had: (had.get("start_date", ""), had.get("start", ""), sorted(had.items())))
        return Found({name: in_order}, tuple(flags), dropped=tuple(dropped))

    return Rule((name,), read)


def persons_only() -> Rule:
    """Group.type: of animals, devices, practitioners, drugs, a group is not about patients."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = text_of(decode(raw, Scalar)).lower()
        if said in ("person", ""):
            return NOTHING
        if said in _OTHERS:
            raise Unusable(Reason.ABOUT_SOMEBODY_ELSE)
        raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD)

    return Rule((), read, fatal=True)


_OTHERS = frozenset({"animal", "practitioner", "device", "medication", "substance", "organization", "careteam"})


def unless_false(reason: Reason) -> Rule:
    """A boolean without which the resource says nothing of anybody: false is that reason, what is neither is not understood."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = text_of(decode(raw, Scalar)).lower()
        if said == "false":
            raise Unusable(reason)
        if said not in ("true", ""):
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD)
        return NOTHING

    return Rule((), read, fatal=True)


def membership(name: str, *, period: str) -> Rule:
    """Group.member.inactive → active, or finished: for one who is inactive, and one whose time there has ended."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = text_of(decode(raw, Scalar)).lower()
        if said not in ("true", "false", ""):
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD)
        ended = said == "true" or _has_ended(companion, setting)
        return Found({name: "finished" if ended else "active"})

    return Rule((name,), read, needs=period, fatal=True)


def flagged_if_over(rule: Rule, name: str, *, period: str) -> Rule:
    """The rule of a status; one by which it goes on, beside a Period whose end has passed, is flagged: both stand."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = rule.read(raw, None, setting)
        over = found.values.get(name) == "active" and _has_ended(companion, setting)
        return replace(found, flags=(*found.flags, "active-and-over")) if over else found

    return replace(rule, read=read, needs=period, usual=None)


def _has_ended(companion: bytes | None, setting: Setting) -> bool:
    """Whether a Period has an end that is not to come; one that cannot be read says nothing."""
    try:
        source = decode(companion, Period | None) if companion else None
        found = moment_found(((source and source.end) or "").strip(), "utc", "date", setting)
    except Unusable:
        return False
    return bool(found.values.get("date")) and "future" not in found.flags
