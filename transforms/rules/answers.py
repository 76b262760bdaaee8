"""Answers to questionnaires: groups and nested items spread out, an element an answer, each with what its question is known as."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from schemas.problems import Reason
from transforms.codes.loinc import loinc_fault
from transforms.codes.systems import LOINC
from transforms.fhir.elements import (
    CodeableConcept,
    Coding,
    Reference,
    Scalar,
    Unusable,
    decode,
    number_of,
    plain,
    reference_id,
    text_of,
    without_modified,
)
from transforms.privacy.pseudonyms import hexadecimal
from transforms.rules.concepts import absence_in, chosen_code, usable_codings
from transforms.rules.declaring import NOTHING, Element, Found, Rule
from transforms.rules.links import KINDS, kind_of
from transforms.rules.meaning import CHANGES_MEANING
from transforms.rules.setting import Setting
from transforms.rules.texts import string_of

_EMPTY = frozenset({b"null", b'""', b"{}", b"[]"})
_says = re.compile(rb'"(?:reference|identifier|display)"').search
_encode = msgspec.json.Encoder().encode
_ABSENT: Any = None
_LONGEST_NUMBER = 99_999
"""A larger answer without a unit may be a telephone's or a record's number."""


# -------------------------------------------------------------------- Questionnaires


class _Weighted(Struct, gc=False):
    url: Scalar = None
    valueDecimal: Raw = _ABSENT
    valueInteger: Raw = _ABSENT


class _Answer(Struct, gc=False):
    """A Coding as an answer, with what it scores."""

    system: str | None = None
    code: Scalar = None
    extension: list[_Weighted | None] | None = None


class _Option(Struct, gc=False):
    valueCoding: _Answer | None = None
    extension: list[_Weighted | None] | None = None


class _Question(Struct, gc=False):
    linkId: Scalar = None
    code: list[Coding | None] | Coding | None = None
    answerOption: list[_Option | None] | None = None
    option: list[_Option | None] | None = None  # STU3's name
    item: "list[_Question | None] | None" = None


class _Questionnaire(Struct, gc=False):
    id: Scalar = None
    resourceType: str = ""
    status: Scalar = None
    url: Scalar = None
    version: Scalar = None
    code: list[Coding | None] | Coding | None = None
    item: list[_Question | None] | None = None


class _Known(Struct, gc=False, omit_defaults=True):
    """What is kept of a Questionnaire: codes, and no word of it."""

    version: str = ""
    code: list[tuple[str, str]] = []
    items: dict[str, list[tuple[str, str]]] = {}
    scores: dict[str, dict[str, Raw]] = {}
    """By linkId and answer code."""


def kept_questionnaire(raw: bytes) -> bytes | None:
    """A Questionnaire → the codes of its questions by linkId, and what their answers score. Raises Unusable."""
    source: _Questionnaire = decode(without_modified(raw)[0] if b'"modifierExtension"' in raw else raw, _Questionnaire)
    if (status := text_of(source.status).lower()) == "entered-in-error":
        return None
    if status not in ("draft", "active", "retired", "unknown", ""):
        raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, "status")
    return _encode(_known(source))


def names_of_questionnaire(raw: bytes) -> list[str]:
    """What a Questionnaire is named by beside its id: its canonical URL."""
    url = text_of(decode(raw, _Questionnaire).url)
    return [url] if url else []


def _known(source: _Questionnaire) -> _Known:
    known = _Known(version=text_of(source.version), code=_pairs(source.code), items={}, scores={})
    left = list(source.item or [])
    while left:
        question = left.pop()
        if question is None:
            continue
        left += question.item or []
        name = text_of(question.linkId)
        if pairs := _pairs(question.code):
            known.items[name] = pairs
        if scores := dict(_scores(question.answerOption or question.option or [])):
            known.scores[name] = dict(sorted(scores.items()))
    known.items, known.scores = dict(sorted(known.items.items())), dict(sorted(known.scores.items()))
    return known


def _pairs(codings: list[Coding | None] | Coding | None) -> list[tuple[str, str]]:
    listed = [codings] if isinstance(codings, Coding) else codings or []
    return sorted(
        {(each.system or "", text_of(each.code)) for each in listed if each is not None and text_of(each.code)}
    )


def _scores(options: Iterable[_Option | None]) -> Iterator[tuple[str, Raw]]:
    for option in options:
        if option is not None and (answer := option.valueCoding) is not None:
            weight = _weight([*(option.extension or []), *(answer.extension or [])])
            if weight is not None and (code := text_of(answer.code)):
                yield code, weight


_WEIGHTS = re.compile(r"/(((questionnaire|codesystem|valueset)-)?ordinalValue|itemWeight|iso21090-CO-value)$")


def _weight(extensions: Iterable[_Weighted | None]) -> Raw | None:
    """What an answer scores, of the extensions that FHIR has had for it."""
    for each in extensions:
        if each is None or not _WEIGHTS.search(text_of(each.url)):
            continue
        raw = each.valueDecimal if each.valueDecimal is not None else each.valueInteger
        try:
            return plain(number_of(bytes(raw))[0]) if raw is not None else None
        except Unusable:
            return None
    return None


# -------------------------------------------------------------------- which questionnaire


class _Canonical(NamedTuple):
    url: str
    version: str

    @property
    def loinc(self) -> str:
        """The panel, where the URL is LOINC's."""
        match = _LOINC_URL.fullmatch(self.url)
        return match[1] if match and loinc_fault(match[1]) is None else ""


_LOINC_URL = re.compile(r"https?://(?:www\.)?loinc\.org/(?:q/|questionnaire/)?([0-9]{3,7}-[0-9])/?", re.IGNORECASE)


@lru_cache(maxsize=256)
def _canonical(raw: bytes | None) -> _Canonical:
    url, _, version = (string_of(raw) if raw else "").partition("|")
    return _Canonical(url.partition("#")[0].strip(), version.strip())


def _looked_up(named: bytes | None, companion: bytes | None) -> _Known:
    """What is known of the Questionnaire: the one contained, or the one looked up."""
    if not companion:
        return _Known()
    if not (named or b"").startswith(b'"#'):
        return _decoded(companion)
    wanted = string_of(named or b"").removeprefix("#")
    listed = decode(companion, list[Raw])
    for each in listed:
        source = decode(bytes(each), _Questionnaire)
        if source.resourceType == "Questionnaire" and text_of(source.id).removeprefix("#") == wanted:
            return _known(source)
    return _Known()


@lru_cache(maxsize=64)
def _decoded(kept: bytes) -> _Known:
    """Few Questionnaires are answered by many."""
    known: _Known = decode(kept, _Known)
    return known


_PLAIN_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}")


def instrument(name: str, version: str) -> Rule:
    """QuestionnaireResponse.questionnaire → the instrument by LOINC, else a keyed hash of its URL; and its version.

    The panel's code stands in the URL, in the Questionnaire, or in the site's code map by the URL (without a system).
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        canonical, known = _canonical(raw), _known_or_none(raw, companion)
        codings = [Coding(LOINC, canonical.loinc), *(Coding(system, code) for system, code in known.code)]
        usable = usable_codings(CodeableConcept(coding=[*codings]), setting).found
        code = chosen_code([*usable, ("", canonical.url)], (LOINC,), setting.codes)
        if code is None and canonical.url:
            code = hexadecimal(b"h-", setting.pseudonyms.ref("Questionnaire", canonical.url))
        said = canonical.version or known.version
        plainly = said if _PLAIN_VERSION.fullmatch(said) else setting.version(said)
        return Found({name: code, version: plainly})

    return Rule((name, version), read, needs="contained", refers="Questionnaire")


def _known_or_none(raw: bytes | None, companion: bytes | None) -> _Known:
    try:
        return _looked_up(raw, companion)
    except Unusable:
        return _Known()


# -------------------------------------------------------------------- items


class _Item(Struct, gc=False):
    linkId: Scalar = None
    answer: Raw = _ABSENT
    item: Raw = _ABSENT
    subject: Raw = _ABSENT  # STU3's, in place of the extension
    extension: Raw = _ABSENT
    modifierExtension: Raw = _ABSENT


_IS_SUBJECT = Raw(b'{"url":"http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject"}')
_Marks = tuple[list[Raw], list[Raw]]
"""Modifier extensions, and extensions that say whom answers are about, of an item and all around it."""


def answers(content: bytes, named: bytes | None, companion: bytes | None) -> list[Element]:
    """QuestionnaireResponse.item → an element for each answer, whatever group or answer it stands in.

    An item that cannot be read is an element without content, so that it alone is named. Raises Unusable where `content`
    is no list.
    """
    known, canonical = _known_or_none(named, companion), _url_of(named)
    left: list[tuple[str, Raw, _Marks]] = list(reversed(_listed("item", content, ([], []))))
    found: list[Element] = []
    while left:
        path, raw, around = left.pop()
        if bytes(raw) == b"null":
            continue
        try:
            item = decode(bytes(raw), _Item)
            marks = _marked(item, around)
            own, inside = _answered(path, item, marks, known, canonical)
        except Unusable as fault:
            found.append(Element(".".join(filter(None, (path, fault.path))), b""))
            continue
        found += own
        left += reversed(inside)
    return found


def _url_of(named: bytes | None) -> str:
    try:
        return _canonical(named).url
    except Unusable:
        return ""


def _listed(path: str, content: bytes, marks: _Marks) -> list[tuple[str, Raw, _Marks]]:
    if content[:1] == b"{":
        return [(path, Raw(content), marks)]
    listed: list[Raw] = decode(content, list[Raw] | None) or []
    return [(f"{path}[{index}]", raw, marks) for index, raw in enumerate(listed)]


def _marked(item: _Item, around: _Marks) -> _Marks:
    modifiers, about = around
    if item.modifierExtension is not None:
        modifiers = [*modifiers, *decode(bytes(item.modifierExtension), list[Raw])]
    if item.extension is not None and CHANGES_MEANING.search(bytes(item.extension)):
        about = [*about, *decode(bytes(item.extension), list[Raw])]
    if item.subject is not None and bytes(item.subject) not in _EMPTY:
        about = [*about, _IS_SUBJECT]
    return modifiers, about


def _answered(
    path: str, item: _Item, marks: _Marks, known: _Known, url: str
) -> tuple[list[Element], list[tuple[str, Raw, _Marks]]]:
    """The elements of an item's own answers, and the items inside it and them."""
    inside = _listed(f"{path}.item", bytes(item.item), marks) if item.item is not None else []
    given = _listed(f"{path}.answer", bytes(item.answer), marks) if item.answer is not None else []
    told = [(place, decode(bytes(raw), dict[str, Raw])) for place, raw, _ in given if bytes(raw) != b"null"]
    link, elements = text_of(item.linkId), list[Element]()
    asked = Raw(_asked(link, url, tuple(known.items.get(link, ())))) if told else None
    for place, answer in told:
        if "item" in answer:
            inside += _listed(f"{place}.item", bytes(answer["item"]), marks)
        values = {name: raw for name, raw in answer.items() if name.startswith("value") and bytes(raw) not in _EMPTY}
        absence = _absence_of(answer)
        if not (values or absence):
            continue
        own = decode(bytes(answer["modifierExtension"]), list[Raw]) if "modifierExtension" in answer else []
        beside = {
            "modifierExtension": [*marks[0], *own] or None,
            "extension": [*marks[1], *_telling(answer)] or None,
            "weight": _score(link, values, known),
            "dataAbsentReason": absence,
        }
        told_apart = link if len(told) == 1 else f"{link}|{_label(values)}"
        told_of = {name: each for name, each in beside.items() if each is not None}
        elements.append(Element(place, _encode({"part": told_apart, "linkId": asked, **values, **told_of})))
    return elements, inside


def _telling(answer: dict[str, Raw]) -> list[Raw]:
    """Extensions of an answer, where one changes what it means."""
    said = bytes(answer.get("extension", b""))
    return decode(said, list[Raw]) if CHANGES_MEANING.search(said) else []


def _absence_of(answer: dict[str, Raw]) -> Raw | None:
    """What an answer, or what stands beside its value, says of why there is none."""
    for name, raw in answer.items():
        if (name == "extension" or name.startswith("_value")) and (said := absence_in(bytes(raw))) is not None:
            return Raw(said)
    return None


def _label(values: dict[str, Raw]) -> str:
    """What tells one of several answers from the others."""
    if "valueCoding" in values:
        coding = _coding(values["valueCoding"])
        return f"{coding.system or ''}|{text_of(coding.code)}"
    return " ".join(bytes(values[name]).decode("utf-8", "replace") for name in sorted(values))


def _coding(raw: Raw) -> _Answer:
    try:
        found: _Answer = decode(bytes(raw), _Answer | None) or _Answer()
    except Unusable:
        return _Answer()
    return found


_LINKED = re.compile(r"(?:/[0-9]{1,7}-[0-9])*/([0-9]{3,7}-[0-9])|([0-9]{4,7}-[0-9])")
"""A linkId that is a LOINC code, as LOINC's own forms and tools write it: `/44249-1/44250-9`, `44250-9`."""


@lru_cache(maxsize=4096)
def _asked(link: str, url: str, known_as: tuple[tuple[str, str], ...]) -> bytes:
    """A question as a CodeableConcept: by its codes in the Questionnaire, by a linkId that is a LOINC code, and by itself."""
    pairs = list(known_as)
    if (match := _LINKED.fullmatch(link)) and loinc_fault(code := match[1] or match[2]) is None:
        pairs.append((LOINC, code))
    pairs += [(url, link)] if link else []
    listed = [{"system": system, "code": code} if system else {"code": code} for system, code in pairs]
    return _encode({"coding": listed})


def _score(link: str, values: dict[str, Raw], known: _Known) -> Raw | None:
    """What a coded answer scores, as the answer says itself, else as its question does."""
    if "valueCoding" not in values or not (link in known.scores or b'"extension"' in bytes(values["valueCoding"])):
        return None
    answer = _coding(values["valueCoding"])
    own = _weight(answer.extension or [])
    return known.scores.get(link, {}).get(text_of(answer.code)) if own is None else own


# -------------------------------------------------------------------- answers


class _Shown(Struct, gc=False):
    code: Scalar = None
    display: Scalar = None


def chosen_answer(rule: Rule, absent: str) -> Rule:
    """Coding → the answer chosen, as `rule` reads it; one that says its words alone is withheld."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        shown = decode(raw, _Shown | None) or _Shown()
        if not text_of(shown.code) and text_of(shown.display):
            return Found({absent: "OT"}, ("text-withheld",))
        return rule.read(raw, companion, setting)

    return Rule(rule.gives, read)


class _Amount(Struct, gc=False):
    value: Raw = _ABSENT
    unit: Scalar = None
    code: Scalar = None


def no_long_number(rule: Rule, absent: str) -> Rule:
    """The rule, but for a number without a unit that is long enough to be somebody's: it is withheld."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        amount = decode(raw, _Amount) if raw[:1] == b"{" else _Amount(Raw(raw))
        if amount.value is not None and not (text_of(amount.unit) or text_of(amount.code)):
            written = bytes(amount.value)
            if written != b"null" and abs(float(number_of(written)[0])) > _LONGEST_NUMBER:
                return Found({absent: "OT"}, ("number-withheld",))
        return rule.read(raw, companion, setting)

    return Rule((*rule.gives, *(() if absent in rule.gives else (absent,))), read, needs=rule.needs)


_SPOKEN = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,2})?")


def spoken_answer(value: str, absent: str) -> Rule:
    """A text → a number of three digits at most, flagged; all else that people write is withheld."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        text = string_of(raw)
        if _SPOKEN.fullmatch(text) and str(int(text.partition(".")[0])) == text.partition(".")[0]:
            return Found({value: plain(text)}, ("from-text",))
        return Found({absent: "OT"}, ("text-withheld",)) if text else NOTHING

    return Rule((value, absent), read)


def weight(name: str) -> Rule:
    """What an answer scores, as it was found with it."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return Found({name: plain(number_of(raw)[0])})

    return Rule((name,), read)


# -------------------------------------------------------------------- who and how


REPORTERS = {"RelatedPerson": "proxy", "Practitioner": "clinician", "PractitionerRole": "clinician"}


def reporter(
    name: str, *, of: str, own: str = "self", other: str = "proxy", words: Mapping[str, str] = REPORTERS
) -> Rule:
    """Reference to who said it → the word for who it is to the patient in the field `of`: themselves, for them, by profession."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        kind = kind_of(source := decode(raw, Reference | None) or Reference())
        if kind == "Patient" and (who := reference_id(source, "Patient")) is not None and companion:
            themselves = who == reference_id(decode(companion, Reference | None), "Patient")
            return Found({name: own if themselves else other})
        return Found({name: words.get(kind)}, dropped=("",) if not kind and _says(raw) else ())

    return Rule((name,), read, needs=of)


def kind_of_one(name: str) -> Rule:
    """Reference → the resource type it names; never who."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        kind = kind_of(decode(raw, Reference | None) or Reference())
        return Found({name: kind if kind in KINDS else None})

    return Rule((name,), read)


MODES = (
    *("FACE", "PHONE", "VIDEOCONF", "DICTATE", "VERBAL", "ONLINEWRIT", "EMAILWRIT", "FAXWRIT", "HANDWRIT", "MAILWRIT"),
    *("TYPEWRIT", "WRITTEN", "ELECTRONIC", "PHYSICAL", "REMOTE"),
)
"""v3-ParticipationMode, the more specific first."""
_MODES = re.compile(r"/questionnaireresponse-completionMode$")


class _Completed(Struct, gc=False):
    url: Scalar = None
    valueCodeableConcept: CodeableConcept | None = None


def completion_mode(name: str) -> Rule:
    """Extensions → how the questionnaire was answered, v3-ParticipationMode."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        listed = decode(raw, list[_Completed | None] | _Completed | None) or []
        found = [each for each in (listed if isinstance(listed, list) else [listed]) if each is not None]
        concepts = [each.valueCodeableConcept for each in found if _MODES.search(text_of(each.url))]
        said = {text_of(coding.code) for concept in concepts if concept for coding in concept.codings}
        return Found({name: next((mode for mode in MODES if mode in said), None)})

    return Rule((name,), read)
