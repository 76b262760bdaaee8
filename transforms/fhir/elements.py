"""FHIR R4 data types, narrow: only what the rules read, as lenient as real feeds are.

Numbers stand where strings belong and the other way round, and one object where a list belongs (Cerner's public
examples); what is stricter than that is refused by the decoder, with the path and without the value.
"""

import re
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from schemas.problems import Reason

Scalar = str | int | float | bool | None
T = TypeVar("T")

_PATH = re.compile(r" - at `\$\.?(.*)`$")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_LONGEST_NUMBER = 64
_LONGEST_QUOTED = 7
"""Digits before the point of a number that came as a text; longer ones are telephone and record numbers."""
_LARGEST_EXPONENT = 40


class Unusable(Exception):
    """A field that makes its resource unusable: a reason and a path, never a value."""

    def __init__(self, reason: Reason, path: str = "", flag: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path
        self.flag = flag


class Coding(Struct, gc=False):
    """Coding without display: texts are not read at all."""

    system: str | None = None
    code: Scalar = None


class CodeableConcept(Struct, gc=False):
    """CodeableConcept; its text serves the site's code map only and never leaves."""

    coding: list[Coding | None] | Coding | None = None
    text: Scalar = None

    @property
    def codings(self) -> list[Coding]:
        """The codings, whether they came as a list, alone or not at all."""
        found = [self.coding] if isinstance(self.coding, Coding) else self.coding or []
        return [coding for coding in found if coding is not None]


class ConceptOrCoding(CodeableConcept, gc=False):
    """CodeableConcept; or a Coding, as Encounter.class is: then it has a code."""

    code: Raw = None  # type: ignore[assignment]


class Quantity(Struct, gc=False):
    """Quantity; the value is kept as written, so that 7.10 stays 7.10."""

    value: Raw = None  # type: ignore[assignment]
    unit: Scalar = None
    system: str | None = None
    code: Scalar = None
    comparator: str | None = None


class Stated(Quantity, gc=False):
    """Quantity that may say, beside its value, that it has none: a form's empty field, exported as 0."""

    extension: Raw = None  # type: ignore[assignment]


class Period(Struct, gc=False):
    """Period."""

    start: str | None = None
    end: str | None = None


class Reference(Struct, gc=False):
    """Reference without display, which is a name."""

    reference: str | None = None
    type: str | None = None


Concepts = list[CodeableConcept | None] | CodeableConcept | None
Concept = ConceptOrCoding | list[CodeableConcept | None] | None

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decode(raw: bytes, kind: Any) -> Any:
    """A field's bytes as one of the types above.

    Raises Unusable: INVALID_FIELD with the path inside the field.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        raise Unusable(Reason.INVALID_FIELD, path_of(exc)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unusable(Reason.INVALID_FIELD) from None


def path_of(error: Exception) -> str:
    """The path in a msgspec error; the rest of its text may quote the source."""
    match = _PATH.search(str(error))
    return match[1] if match else ""


_ELEMENT = re.compile(r"(.*\[[0-9]+\])[^\[\]]*")
_STEP = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")
_loose = msgspec.json.Decoder(float_hook=lambda written: Raw(written.encode()))


def without_element(raw: bytes, path: str) -> bytes | None:
    """The JSON with null for the innermost element of a list that a path leads into; None where it leads into no list."""
    match = _ELEMENT.fullmatch(path)
    if match is None:
        return None
    found = _loose.decode(raw)
    *steps, last = [int(index) if index else name for index, name in _STEP.findall(match[1])]
    inner = found
    try:
        for step in steps:
            inner = inner[step]
        inner[last] = None
    except (LookupError, TypeError):
        return None  # one object where a list belongs
    return msgspec.json.encode(found)


def without_modified(raw: bytes) -> tuple[bytes, list[str]]:
    """The JSON with null for the elements that bear a `modifierExtension`, so that the others keep their places; their paths."""
    modified: list[str] = []
    kept = _unmodified(_loose.decode(raw), "", modified)
    return msgspec.json.encode(kept), [path.removeprefix(".") for path in modified]


def _unmodified(value: Any, path: str, modified: list[str]) -> Any:
    if isinstance(value, dict):
        if value.get("modifierExtension"):
            modified.append(path)
            return None
        return {name: _unmodified(inner, f"{path}.{name}", modified) for name, inner in value.items()}
    if isinstance(value, list):
        return [_unmodified(inner, f"{path}[{place}]", modified) for place, inner in enumerate(value)]
    return value


def text_of(value: Scalar) -> str:
    """A scalar as text without white space around it; empty for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def number_of(raw: bytes) -> tuple[str, bool]:
    """A number exactly as written, and whether it stood in quotation marks. Raises Unusable."""
    quoted = raw[:1] == b'"'
    text = text_of(decode(raw, str)) if quoted else raw.decode("ascii", "replace")
    match = _NUMBER.fullmatch(text)
    if match is None or len(text) > _LONGEST_NUMBER or abs(int((match[3] or "e0")[1:])) > _LARGEST_EXPONENT:
        raise Unusable(Reason.INVALID_FIELD)
    if quoted and len(match[1]) > _LONGEST_QUOTED:
        raise Unusable(Reason.INVALID_FIELD)
    return text, quoted


def plain(number: str | Decimal) -> Raw:
    """A number as JSON without exponent and closing zeros: equal values are equal bytes."""
    text = number if isinstance(number, str) and not ("e" in number or "E" in number) else f"{Decimal(number):f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return Raw(b"0" if text == "-0" else text.encode("ascii"))


def falls(low: Raw | None, high: Raw | None) -> bool:
    """Whether a number is above the one that it must not be above."""
    return low is not None and high is not None and float(bytes(low)) > float(bytes(high))


NOTHING_WRITTEN = (
    r"(?i:undefined|null|none|nil|nan|unknown|na|tbd|-1|[-._]+|xxx+|placeholder|(?:unknown|no|null)-?patient"
    r"|0{8}-0{4}-0{4}-0{4}-0{12}|f{8}-f{4}-f{4}-f{4}-f{12})"
)
"""What programs write for an id that they do not have."""
ZEROS = r"0+"
"""An id that stands for a missing one in some databases and is somebody's in others."""
_ID = re.compile(rf"(?!{NOTHING_WRITTEN}$)[^/?#:\s{{}}\[\]<>$%|&;,]{{1,128}}")
_NOBODY = re.compile(rf"{NOTHING_WRITTEN}|#.*|(?:urn:)?resource:[0-9]+|.*[{{}}\[\]<>$].*")
_NOTHING = re.compile(rf"{NOTHING_WRITTEN}|#.*|(?:urn:)?resource:[0-9]+|\$?\{{+[^{{}}]*\}}+|<[^<>]*>|\[object.*")
_UUID = re.compile(r"urn:uuid:([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})")
_OID = re.compile(r"urn:oid:([0-2](?:\.(?:0|[1-9][0-9]*)){5,40})")
_FEWEST_DIGITS = 8
"""Different digits of a UUID that was drawn: one in a thousand million has fewer. Those that count up do."""


def bare_id(ident: str, resource_type: str) -> str:
    """An id without what is none of it, so that it is the one by which others name the resource.

    Of `Patient/7`, `https://…/Patient/7/_history/2`, `urn:uuid:…`; any other is as it is.
    """
    text = ident.partition("/_history/")[0]
    if (drawn := _UUID.fullmatch(text)) is not None:
        return drawn[1]
    path, _, name = text.rpartition("/")
    return name if path.rpartition("/")[2] == resource_type else text


def can_be_named(ident: str) -> bool:
    """Whether a Reference can name a resource by an id: none can whose id holds a blank or a sign of an address."""
    return _ID.fullmatch(ident) is not None


def names_nothing(ident: str) -> bool:
    """Whether an id of a resource is what a program writes where it has none: `undefined`, `${id}`, a place in one Bundle."""
    return _NOTHING.fullmatch(ident) is not None


def names_nobody(ident: str) -> bool:
    """Whether an id is one that many bear: what a program writes where it has none, or a place within one Bundle."""
    return _NOBODY.fullmatch(ident) is not None


def reference_id(reference: Reference | None, wanted: str) -> str | None:
    """The id a reference names: the last path part of `Patient/1`, `https://…/Patient/1/_history/2`, a UUID or an OID.

    None where it names nothing, another type, something contained (`#p`), a search (`Patient?identifier=…`), or what has
    a meaning within one Bundle or page only (`resource:0`, a bare number, `urn:uuid:1`): the next Bundle means another by
    it. A UUID that was drawn means the same everywhere; one that counts up (`00000000-…-0001`) was made for its Bundle.
    Nor does what programs write where they have nothing (`Patient/undefined`, `Patient/${id}`) name anybody.
    """
    if reference is None or not reference.reference:
        return None
    if reference.type is not None and reference.type.rpartition("/")[2] != wanted:
        return None
    text = reference.reference.strip().partition("/_history/")[0]
    if text.startswith("urn:"):
        match = _UUID.fullmatch(text) or _OID.fullmatch(text)
        drawn = match is not None and (text[4] == "o" or len({*match[1].lower()} - {"-"}) >= _FEWEST_DIGITS)
        return match[1] if match and drawn else None
    path, _, name = text.rpartition("/")
    return name if path.rpartition("/")[2] == wanted and _ID.fullmatch(name) else None
