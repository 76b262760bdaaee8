"""Codes: the normalised one by its system, all codings of the source, members of closed value sets."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from msgspec import Raw, Struct

from schemas.problems import Reason
from transforms.codes.systems import ACT_CODE, NOT_A_CODE, known_systems, repaired_system
from transforms.fhir.elements import (
    CodeableConcept,
    Concepts,
    Reference,
    Scalar,
    Unusable,
    decode,
    text_of,
)
from transforms.rules.concepts import (
    absences_in,
    chosen_code,
    concept_of,
    concepts_of,
    fit_alike,
    gathered,
    null_flavour_of,
    shared_coding,
    shared_codings,
    usable_codings,
)
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.refusals import MASKED, is_masked, understood
from transforms.rules.setting import Setting
from transforms.rules.texts import says_both, word_code, words_among


def coded(*, every: str | None = None, text_is: Reason | None = None, **targets: str | tuple[str, ...]) -> Rule:
    """CodeableConcept (or Coding, or the first of a list) → the normalised code by system; `every` holds all codings.

    `coded(code=SNOMED, icd10cm=ICD10CM, every="codings")`. The coding is chosen by its system, not by its place; what no
    coding has, the site's code map fills in; what is still missing is counted as unmapped. `text_is` says why a concept
    without any code is unusable; where it is none, its text is withheld and flagged.
    """
    wanted = {name: (systems,) if isinstance(systems, str) else systems for name, systems in targets.items()}

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        try:
            return coded_found(concept_of(raw), wanted, every, text_is, setting)
        except Unusable as fault:
            if fault.reason is text_is and is_masked(raw):
                raise Unusable(Reason.PARTIAL_ANSWER) from None
            raise

    return Rule((*wanted, *((every,) if every else ())), read)


def coded_value(
    *, every: str, absent: str, word_to: str = "", listed: bool = False, **targets: str | tuple[str, ...]
) -> Rule:
    """A coded value: as `coded`, but a text-only value is withheld and a null flavour says why there is no value.

    A text that is a qualitative word of the closed list is read as its code, flagged, into the field `word_to`. Codes without
    a meaning are counted by name only where they are `listed`: many results have codes of their own.
    """
    rule = coded(every=every, text_is=None, **targets)

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        concept = concept_of(raw)
        if not concept.codings and (text := text_of(concept.text)):
            if (code := word_code(text)) and word_to:
                return Found({word_to: code}, ("from-text",))
            return Found({absent: "OT"}, ("text-withheld",))
        reasons = [text_of(c.code) for c in concept.codings if repaired_system(c.system) in NOT_A_CODE]
        found = rule.read(raw, companion, setting)
        if not found.values.get(every):
            reasons += absences_in(raw)
            if not MASKED.isdisjoint(reasons):
                raise Unusable(Reason.PARTIAL_ANSWER)
            return Found({absent: "OT" if found.flags else null_flavour_of(reasons)}, found.flags)
        if _contradicts_itself(raw, concept):
            found = replace(found, flags=tuple(dict.fromkeys((*found.flags, f"several:{next(iter(targets))}"))))
        return found if listed else replace(found, unmapped=())

    return Rule((*rule.gives, absent), read)


def _contradicts_itself(raw: bytes, concept: CodeableConcept) -> bool:
    """Whether a value says one qualitative word and another: by codes and text, or the opposite by what is shown beside a code."""
    codes = [text_of(coding.code) for coding in concept.codings]
    return len(words_among(concept.text, codes)) > 1 or says_both(codes, (concept.text, *_displays(raw)))


def codings(name: str) -> Rule:
    """List of CodeableConcept → every coding. A text without coding is withheld and flagged."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found, flags = gathered(concepts_of(raw), setting)
        if not (found or flags):
            return unread_concepts(raw)
        return Found({name: found}, tuple(flags))

    return Rule((name,), read)


class _Named(Struct, gc=False):
    code: Scalar = None
    display: Scalar = None


class _Naming(Struct, gc=False):
    coding: list[_Named | None] | _Named | None = None


def unread_concepts(raw: bytes) -> Found:
    """What concepts say that gave no coding: words beside no code are withheld, what has no form of a concept is left out."""
    members = decode(raw, list[dict[str, Raw] | None] | dict[str, Raw] | None) or []
    for each in members if isinstance(members, list) else [members]:
        if each and _CONCEPT.isdisjoint(each):
            return Found(dropped=("",))
    told = decode(raw, list[_Naming | None] | _Naming | None) or []
    concepts = [each for each in (told if isinstance(told, list) else [told]) if each is not None]
    named = [one for each in concepts for one in (each.coding if isinstance(each.coding, list) else [each.coding])]
    worded = any(one and text_of(one.display) and not text_of(one.code) for one in named)
    return Found(flags=("text-withheld",)) if worded else NOTHING


_CONCEPT = frozenset({"coding", "text", "extension", "id", "_text", "_coding"})


class _Contained(Struct, gc=False):
    id: Scalar = None
    code: Concepts = None


def codings_of_contained(name: str, elsewhere: str) -> Rule:
    """Reference to what is contained → every coding of its `code`. One that stands elsewhere is not read: a flag says so."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        named = ((decode(raw, Reference | None) or Reference()).reference or "").strip()
        if not named.startswith("#"):
            return Found(flags=(elsewhere,)) if named else NOTHING
        listed = decode(companion or b"null", list[_Contained | None] | _Contained | None) or []
        inside = [each for each in (listed if isinstance(listed, list) else [listed]) if each is not None]
        meant = [each.code for each in inside if f"#{text_of(each.id).removeprefix('#')}" == named]
        concepts = [each if isinstance(each, list) else [each] for each in meant]
        found, flags = gathered([each for some in concepts for each in some if each is not None], setting)
        return Found({name: found}, tuple(flags)) if meant else Found(flags=(elsewhere,))

    return Rule((name,), read, needs="contained")


def one_of(
    name: str,
    values: Iterable[str],
    *,
    withdrawn: Iterable[str] = (),
    not_a_fact: Iterable[str] = (),
    spellings: Mapping[str, str] | None = None,
    modifier: bool = False,
    unclear: str | None = None,
    within: Mapping[str, str] | None = None,
) -> Rule:
    """A code of a closed value set (FHIR's required bindings), as `code` or CodeableConcept → the code.

    White space, case and known `spellings` are repaired; a concept without a code is read by its words, of the same
    closed list. `withdrawn` codes withdraw what the resource gave before; with `not_a_fact` codes it says that something
    was not done or is not so. Words that say either count beside a code that does not. What is not understood is left out, with `unclear` in its place, or, of a `modifier` element, refused.
    Several codes of which one alone can be so are flagged; one that is a kind of another, `within` it, can.
    """
    allowed, undone, withdrawing = tuple(values), frozenset(not_a_fact), frozenset(withdrawn)
    own = (*allowed, *undone, *withdrawing)
    known = {**(_WRONGED if withdrawing else {}), **(spellings or {}), **dict(zip(own, own, strict=True))}

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        given, in_words, text = _said(raw)
        said = {known.get(_word(each), "") for each in given}
        denied = known.get(_word(text), "")
        said |= {known.get(_word(each), "") for each in (text, *_shown_beside(raw, given))} & (undone | withdrawing)
        if not said.isdisjoint(withdrawing):
            return Found(withdrawn=True)
        if not said.isdisjoint(undone):
            raise Unusable(Reason.NOT_A_FACT)
        code = next((code for code in allowed if code in said), None)
        if code is None and (any(given) or _otherwise_said(raw)):
            if unclear is None:
                raise Unusable(Reason.INVALID_FIELD)
            return Found({name: unclear}, dropped=("",))
        if code is None:
            return NOTHING
        apart = {(within or {}).get(each, each) for each in (*said, denied) if each in own}
        flags = (f"several:{name}",) if len(apart) > 1 else ()
        return Found({name: code}, flags, repaired=in_words or code not in given)

    return understood(Rule((name,), read)) if modifier else Rule((name,), read)


_WRONGED = dict.fromkeys(
    ("error", "in-error", "enteredinerror", "deleted", "nullified", "void", "voided"), "entered-in-error"
)
"""What systems write for `entered-in-error`."""


def _said(raw: bytes) -> tuple[list[str], bool, str]:
    """The codes of a `code` or CodeableConcept as written; of a concept without any, its words, and that it was these; its words."""
    if raw[:1] in b'"-0123456789tf':
        return [text_of(decode(raw, Scalar))], False, ""
    concept = concept_of(raw)
    codes = [text_of(coding.code) for coding in concept.codings if repaired_system(coding.system) not in NOT_A_CODE]
    text = text_of(concept.text)
    if any(codes):
        return codes, False, text
    words = [text] if text else _displays(raw)
    return words or [""], True, text or " ".join(words)


def _shown_beside(raw: bytes, given: Iterable[str]) -> list[str]:
    """What codes are shown as, where that may be other words than theirs."""
    return _displays(raw) if any(given) else []


def _otherwise_said(raw: bytes) -> bool:
    """Whether something stands in it, and nothing that a concept has: `{"value": "entered-in-error"}`."""
    return raw[:1] in (b"{", b"[") and b'"' in raw and not _CONCEPTS.search(raw)


_CONCEPTS = re.compile(rb'"(?:coding|text|code|display|extension)"')


class _Shown(Struct, gc=False):
    display: Scalar = None


class _Shows(Struct, gc=False):
    coding: list[_Shown | None] | _Shown | None = None
    display: Scalar = None


def _displays(raw: bytes) -> list[str]:
    """What codings without a code are shown as: of a closed list of words, or not understood."""
    if b'"display"' not in raw:
        return []
    found: list[_Shows | None] | _Shows | None = decode(raw, list[_Shows | None] | _Shows | None)
    listed = [each for each in (found if isinstance(found, list) else [found]) if each is not None]
    shown = [each.display for each in listed]
    for each in listed:
        shown += [one.display for one in (each.coding if isinstance(each.coding, list) else [each.coding]) if one]
    return [text_of(each) for each in shown if text_of(each)]


def _word(said: str) -> str:
    return "-".join(said.lower().replace("_", " ").replace("-", " ").split())


def each_of(name: str, values: Iterable[str], spellings: Mapping[str, str] | None = None) -> Rule:
    """List of CodeableConcept → those codes that belong to a value set; local categories do not leave."""
    known = {**{code: code for code in values}, **(spellings or {})}

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = set[str]()
        for concept in concepts_of(raw):
            said |= {text_of(coding.code) for coding in concept.codings} or {text_of(concept.text)}
        meant = {known[_word(each)] for each in said if _word(each) in known}
        return Found({name: sorted(meant)}, repaired=not meant <= said)

    return Rule((name,), read)


def words_of(name: str, values: Iterable[str]) -> Rule:
    """List of codes of a closed value set, or one alone → those that belong to it; others are left out, by place."""
    known = {value: value for value in values}

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = decode(raw, list[Scalar] | Scalar)
        said = [text_of(each) for each in (found if isinstance(found, list) else [found])]
        odd = tuple(f"[{place}]" for place, each in enumerate(said) if each and _word(each) not in known)
        meant = {known[_word(each)] for each in said if _word(each) in known}
        return Found({name: sorted(meant)}, repaired=not meant <= set(said), dropped=odd)

    return Rule((name,), read)


def visit_class(name: str) -> Rule:
    """Encounter.class → the code of v3-ActCode; a letter of HL7 v2's patient class, a word of a closed list, a code without its system are repaired."""
    plain = coded(every=None, text_is=None, **{name: ACT_CODE})
    allowed = known_systems()[ACT_CODE].codes

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = plain.read(raw, companion, setting)
        if found.values.get(name):
            return found
        codings = concept_of(raw).codings
        for coding in codings:
            said, system = text_of(coding.code), (coding.system or "").strip()
            code = _V2_CLASSES.get(said.upper()) if not system or _V2_SYSTEMS.fullmatch(system) else None
            if not system or repaired_system(system) == ACT_CODE:
                code = code or _CLASS_WORDS.get(_word(said)) or (said.upper() if said.upper() in allowed else None)
            if code:
                return Found({name: code}, repaired=True)
        if not any(text_of(coding.code) for coding in codings):
            words = [code for shown in _displays(raw) if (code := _CLASS_WORDS.get(_word(shown)))]
            return Found({name: words[0]}, repaired=True) if words else replace(found, dropped=("",) * (raw != b"{}"))
        return found

    return Rule((name,), read)


_V2_SYSTEMS = re.compile(r"(.*/v2[-/]0004|urn:oid:2\.16\.840\.1\.113883\.(12\.4|18\.5))", re.IGNORECASE)
_V2_CLASSES = {"I": "IMP", "O": "AMB", "E": "EMER", "P": "PRENC"}
"""HL7 table 0004, Patient Class."""
_CLASS_WORDS = {
    "inpatient": "IMP",
    "outpatient": "AMB",
    "ambulatory": "AMB",
    "emergency": "EMER",
    "er": "EMER",
    "ed": "EMER",
    "home": "HH",
    "home-health": "HH",
    "field": "FLD",
    "virtual": "VR",
    "telehealth": "VR",
}
"""DSTU2's codes, and what v3-ActCode's are shown as."""


def first_of(name: str, system: str) -> Rule:
    """List of CodeableConcept → the first code of one system, in the alphabet's order. A code of it without its system is repaired."""
    own = known_systems()[system].codes

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        concepts = concepts_of(raw)
        given = [usable_codings(concept, setting) for concept in concepts]
        codes = {code for each in given for found, code in each.found if found == system}
        bare = {code for each in given for found, code in each.found if not found and code in own}
        repaired, codes = not codes and bool(bare), codes or bare
        flags = [flag for each in given for flag in each.flags]
        if not codes:
            said = [text_of(concept.text) for concept in concepts]
            flags += ["code-unmapped"] * any(each.found for each in given) + ["text-withheld"] * any(said)
        elif len(codes) > 1:
            flags.append(f"several:{name}")
        return Found({name: min(codes, default=None)}, tuple(dict.fromkeys(flags)), repaired=repaired)

    return Rule((name,), read)


def null_flavour(name: str) -> Rule:
    """dataAbsentReason → NI, UN or OT."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        as_code = raw[:1] == b'"'
        reasons = [text_of(decode(raw, str))] if as_code else _reasons(raw)
        if not MASKED.isdisjoint(reasons):
            raise Unusable(Reason.PARTIAL_ANSWER)
        return Found({name: null_flavour_of(reasons)}, repaired=as_code)

    return Rule((name,), read)


def _reasons(raw: bytes) -> list[str]:
    """The codes of a concept; of one without any, its words."""
    concept = concept_of(raw)
    codes = [code for each in concept.codings if (code := text_of(each.code))]
    return codes or ([text_of(concept.text)] if text_of(concept.text) else _displays(raw))


def coded_found(
    concept: CodeableConcept,
    wanted: Mapping[str, tuple[str, ...]],
    every: str | None,
    text_is: Reason | None,
    setting: Setting,
) -> Found:
    """What one concept gives: the codes wanted (field → systems, the first preferred), and all codings as `every`."""
    usable, flags, faulty = usable_codings(concept, setting)
    text = text_of(concept.text)
    sought = (
        [*usable, ("", text)] if text else usable
    )  # a text-only concept may stand in the code map, as system "" code text
    chosen = {name: chosen_code(sought, systems, setting.codes) for name, systems in wanted.items()}
    if not usable and not any(chosen.values()):
        if text_is is not None:
            _refuse(text_is, flags, faulty)
        return Found(flags=(*flags, "text-withheld") if text else tuple(flags))
    unmapped = () if any(chosen.values()) else tuple(shared_coding(*coding, setting) for coding in usable)
    if unmapped:
        flags.append("code-unmapped")
    if len(usable) > 1:
        flags += [f"several:{name}" for name, systems in wanted.items() if fit_alike(usable, systems)]
    values: dict[str, Any] = dict(chosen)
    if every:
        values[every] = shared_codings(usable, setting)
    target = next(iter(wanted.values()))[0] if wanted else ""
    return Found(values, tuple(flags), tuple((system or "", code, target) for system, code in unmapped))


def _refuse(reason: Reason, flags: list[str], faulty: int | None) -> None:
    """No coding is one: where one of them says it is, that is what to mend."""
    if faulty is None:
        raise Unusable(reason)
    raise Unusable(Reason.BAD_CODE, f"coding[{faulty}].code", flag=flags[-1])
