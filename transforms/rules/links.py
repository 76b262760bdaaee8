"""Links from one record to another."""

import re
from collections.abc import Iterable
from itertools import chain

from msgspec import Raw, Struct

from transforms.fhir.elements import (
    Reference,
    Scalar,
    Unusable,
    decode,
    reference_id,
    text_of,
)
from transforms.mapped import WHOLE
from transforms.privacy.pseudonyms import hexadecimal
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import link_cut


def link(name: str, resource_type: str) -> Rule:
    """Reference → the record id of the resource it names; none where that cannot be told."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source: Reference | None = decode(raw, Reference | None)
        named = reference_id(source, resource_type)
        if named is None:
            return Found(dropped=lead_nowhere(raw, (resource_type,)))
        return Found({name: hexadecimal(b"r-", setting.pseudonyms.ref(resource_type, named) + WHOLE)})

    return Rule((name,), read, usual=link_cut(resource_type))


def linked(
    raw: bytes, resource_types: tuple[str, ...], setting: Setting, *, typed: bool = False
) -> tuple[list[str], tuple[str, ...]]:
    """The record ids of what References name, of these types (`typed`: of those that say so), and the paths of those that lead nowhere."""
    listed = references_in(raw)
    asked = [each for each in listed if kind_of(each) in resource_types] if typed else listed
    named = named_of(asked, resource_types)
    found = sorted({hexadecimal(b"r-", setting.pseudonyms.ref(*each) + WHOLE) for each in named})
    return found, () if len(named) == len(listed) else lead_nowhere(raw, resource_types, typed=typed)


def lead_nowhere(
    raw: bytes, resource_types: tuple[str, ...], path: str = "", *, typed: bool = False
) -> tuple[str, ...]:
    """The paths of those References that may be of these types and say something, but name nothing that a record could be of.

    They are contained, told by a business identifier or in words, or hold in one Bundle alone.
    """
    if raw[:1] == b"[":
        inside = enumerate(decode(raw, list[Raw]))
        each = [lead_nowhere(bytes(one), resource_types, f"{path}[{place}]", typed=typed) for place, one in inside]
        return tuple(chain.from_iterable(each))
    source: Reference | None = decode(raw, Reference | None)
    kind = kind_of(source) if source is not None else "?"
    if source is None or kind not in ("", *resource_types):
        return ()
    if (kind or not typed) and reference_id(source, kind or resource_types[0]) is not None:
        return ()
    says = bool(source.reference) or b'"identifier"' in raw or b'"display"' in raw
    return (path,) if says else ()


def links(name: str, *resource_types: str) -> Rule:
    """List of References (or one) → the record ids of the resources they name, of these types; others name no record."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found, lost = linked(raw, resource_types, setting)
        return Found({name: found}, dropped=lost)

    return Rule((name,), read)


def typed_links(name: str, *resource_types: str) -> Rule:
    """List of References to anything (or one) → the record ids of those that say they are of these types."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found, lost = linked(raw, resource_types, setting, typed=True)
        return Found({name: found}, dropped=lost)

    return Rule((name,), read)


def typed_pseudonym(name: str, resource_type: str) -> Rule:
    """List of References to anything (or one) → the keyed hash of the first that says it is of this type."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        typed = named_of([each for each in references_in(raw) if kind_of(each) == resource_type], (resource_type,))
        return Found({name: hexadecimal(b"h-", setting.pseudonyms.ref(*typed[0]))}) if typed else NOTHING

    return Rule((name,), read)


class _Extension(Struct, gc=False):
    url: Scalar = None
    valueReference: Reference | None = None


_REPLACES = re.compile(r"(?i).*[/:-]replaces/?")
_REPLACED = re.compile(r"(?i).*[/:-]replaced-?by/?")


def replaced(name: str, resource_type: str) -> Rule:
    """Extensions that name what a resource replaces → the record ids; one that says it is replaced itself is flagged.

    Neither withdraws: the source alone says that the old one is not true. Who counts leaves out what another replaces.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        listed = decode(raw, list[_Extension | None] | _Extension | None) or []
        found = [each for each in (listed if isinstance(listed, list) else [listed]) if each is not None]
        old = [each.valueReference for each in found if _REPLACES.fullmatch(text_of(each.url)) and each.valueReference]
        ids = {
            hexadecimal(b"r-", setting.pseudonyms.ref(resource_type, named) + WHOLE)
            for _, named in named_of(old, (resource_type,))
        }
        gone = any(_REPLACED.fullmatch(text_of(each.url)) for each in found)
        return Found({name: sorted(ids)}, flags=("replaced",) if gone else ())

    return Rule((name,), read)


def pseudonym_of(name: str, *resource_types: str) -> Rule:
    """Reference (or the first of a list) → the keyed hash of the resource it names: an organization, a place, a specimen.

    One that is named by a business identifier alone has a hash of that: the same for all that name it so.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = named_by(raw, resource_types) or known_by(raw, resource_types)
        return Found({name: hexadecimal(b"h-", setting.pseudonyms.ref(*found[0]))}) if found else NOTHING

    return Rule((name,), read)


class _Identifier(Struct, gc=False):
    use: Scalar = None
    system: Scalar = None
    value: Scalar = None


class _Logical(Reference, gc=False):
    identifier: Raw = None  # type: ignore[assignment]


_SEARCH = re.compile(r"(?:.*/)?([A-Za-z]+)\?identifier=([^|&]*)\|([^|&]+)")


def known_by(raw: bytes, resource_types: tuple[str, ...]) -> list[tuple[str, str]]:
    """(type, `system|value`) of what References name by a business identifier: `Organization?identifier=urn:x|7`, or beside.

    One without a system means something else at each place where it stands. Raises Unusable.
    """
    found = decode(raw, list[_Logical | None] | _Logical | None)
    listed = [found] if isinstance(found, _Logical) else found or []
    told = [
        _identified(each)
        for each in listed
        if each is not None and (kind_of(each) or resource_types[0]) in resource_types
    ]
    return [(resource_types[0], each) for each in told if each]


def _identified(source: _Logical) -> str:
    """`system|value` of a business identifier that tells whom a Reference means; empty for none."""
    if match := _SEARCH.fullmatch((source.reference or "").strip()):
        return f"{match[2]}|{match[3]}" if match[2] else ""
    if source.reference or source.identifier is None:
        return ""
    try:
        told = decode(bytes(source.identifier), _Identifier | None) or _Identifier()
    except Unusable:
        return ""
    system, value = text_of(told.system), text_of(told.value)
    return f"{system}|{value}" if system and value else ""


def grouped_by(name: str) -> Rule:
    """Identifier that a group of orders has in common → its keyed hash; one without a system holds at the site."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, _Identifier | None) or _Identifier()
        if not (value := text_of(source.value)) or text_of(source.use) == "old":
            return NOTHING
        return Found({name: hexadecimal(b"h-", setting.pseudonyms.ref("group", f"{text_of(source.system)}|{value}"))})

    return Rule((name,), read)


def kinds_of(name: str) -> Rule:
    """List of References → the resource types they name: who did it is told by kind, never by name."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        listed = references_in(raw)
        kinds = {kind_of(each) for each in listed}
        return Found({name: sorted(kind for kind in kinds if kind in KINDS)})

    return Rule((name,), read)


KINDS = frozenset(
    {"Practitioner", "PractitionerRole", "Organization", "CareTeam", "Patient", "RelatedPerson", "Device"}
    | {"HealthcareService", "Location"}
)


def kind_of(reference: Reference) -> str:
    """The resource type a Reference names: by its `type`, else by its path; empty for neither."""
    if reference.type:
        return reference.type.strip().rpartition("/")[2]
    named = (reference.reference or "").strip()
    path, sought, _ = named.partition("?identifier=")
    path = path if sought else named.partition("/_history/")[0].partition("?")[0].rpartition("/")[0]
    return path.rpartition("/")[2]


def references_in(raw: bytes) -> list[Reference]:
    """The References of a list, or one alone. Raises Unusable."""
    found = decode(raw, list[Reference | None] | Reference | None)
    listed = [found] if isinstance(found, Reference) else found or []
    return [each for each in listed if each is not None]


def named_by(raw: bytes, resource_types: tuple[str, ...]) -> list[tuple[str, str]]:
    """(type, id) of each resource that References name, of these types. Raises Unusable."""
    return named_of(references_in(raw), resource_types)


def named_of(references: Iterable[Reference], resource_types: tuple[str, ...]) -> list[tuple[str, str]]:
    """(type, id) of each resource that they name, of these types; one that says no type is of the first."""
    found = []
    for reference in references:
        kind = kind_of(reference) or resource_types[0]
        if kind in resource_types and (named := reference_id(reference, kind)) is not None:
            found.append((kind, named))
    return found
