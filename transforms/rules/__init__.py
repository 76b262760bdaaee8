"""The words that mappings are declared in: a rule reads one FHIR field and gives one or more fields of the record.

A rule is a pure function of the field's bytes (and of one companion field where it names one) and of the site's
setting. The mapper calls it once for each distinct content of a field and remembers what it gave, so rules are written
for the reader, not for speed.
"""

import re
from binascii import hexlify
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from msgspec import Raw, Struct
from msgspec.json import encode

from schemas.problems import Reason
from transforms.codes.code_map import CodeMap
from transforms.codes.loinc import loinc_fault
from transforms.codes.systems import LOINC, NOT_A_CODE, NULL_FLAVOR, UCUM, repaired_system
from transforms.codes.units import (
    SAME,
    Conversion,
    UnitFault,
    UnitRow,
    conversion,
    is_ucum,
    shareable,
    unit_table,
    without_annotations,
)
from transforms.fhir.elements import (
    CodeableConcept,
    Coding,
    Concept,
    Concepts,
    Period,
    Quantity,
    Reference,
    Scalar,
    Unusable,
    decode,
    number_of,
    plain,
    reference_id,
    text_of,
)
from transforms.fhir.times import UsualMoments, calendar_date, moment
from transforms.mapped import WHOLE
from transforms.privacy import Pseudonyms, hexadecimal

_TOKEN = re.compile(r"[!-~]+( [!-~]+)*")
_LONGEST_TOKEN = 64


@dataclass(frozen=True)
class Setting:
    """What a rule may know about the site."""

    zone: tzinfo
    pseudonyms: Pseudonyms
    codes: CodeMap
    manners: dict[Any, Any] = field(default_factory=dict)
    """How the numbers of one code and unit are treated: remembered, bounded."""

    @cached_property
    def moments(self) -> UsualMoments:
        """Times in their usual form."""
        return UsualMoments(self.zone)


@dataclass(slots=True)
class Found:
    """What a rule found in one field."""

    values: dict[str, Any] = field(default_factory=dict)
    """Output field → JSON value; None, empty text and empty lists are left out."""
    flags: tuple[str, ...] = ()
    unmapped: tuple[tuple[str, str], ...] = ()
    """(system, code) that neither is of the target system nor in the code map."""
    withdrawn: bool = False


NOTHING = Found()
Read = Callable[[bytes, "bytes | None", Setting], Found]
Openings = Sequence["bytes | None"]
"""`,"name":` of each field in `gives`; None for one that does not leave."""
Usual = Callable[[bytes, "bytes | None"], "bytes | None"]
"""(the field's bytes, the companion's bytes) → the members they become; None where `read` has to look."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one FHIR field is read."""

    gives: tuple[str, ...]
    """Output fields; those the field policy does not list are dropped."""
    read: Read
    """(the field's bytes, the companion's bytes, setting) → what was found. Raises Unusable."""
    needs: str | None = None
    """Companion: another FHIR field of the same element that decides how to read this one."""
    missing: Reason | None = None
    """Why the resource is unusable without this field."""
    usual: Callable[[Setting, Openings], Usual] | None = None
    """A short cut for contents that hardly recur: text to text in the usual form."""


@dataclass(frozen=True, slots=True)
class Choice:
    """FHIR's choice of types, `value[x]`: at most one of these fields stands in a resource."""

    fields: Mapping[str, Rule]
    missing: Reason | None = None
    """Why the resource is unusable without any of them."""
    otherwise: Mapping[str, str] = field(default_factory=dict)
    """Output fields where none of them stands …"""
    unless: tuple[str, ...] = ()
    """… nor any of these."""


Fields = Mapping[str, Rule | Choice]
"""FHIR field → how it is read. What is not a key here is not even decoded."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A mapping: one FHIR resource type to one record type."""

    source: str
    record: str
    version: int
    """Rises when the same source gives another record; stands in every record's provenance."""
    fields: Fields
    subject: str | None = "subject"
    """FHIR field that names the patient; none where the resource is the patient."""
    constants: Mapping[str, str] = field(default_factory=dict)
    repeated: Fields = field(default_factory=dict)
    """Fields that stand in the resource and again in each element of `parts`, which become records of their own."""
    parts: str | None = None

    @property
    def mapping(self) -> str:
        """`observation@1`."""
        return f"{self.record}@{self.version}"


def choice(
    *,
    missing: Reason | None = None,
    otherwise: Mapping[str, str] | None = None,
    unless: Iterable[str] = (),
    **fields: Rule,
) -> Choice:
    """One of several FHIR fields: `choice(effectiveDateTime=…, effectivePeriod=…, missing=Reason.MISSING_TIME)`."""
    return Choice(fields, missing, otherwise or {}, tuple(unless))


def required(rule: Rule, missing: Reason) -> Rule:
    """The rule, and the reason why a resource without the field is unusable."""
    return replace(rule, missing=missing)


# ---------------------------------------------------------------- codes


def coded(*, every: str | None = None, text_is: Reason | None = None, **targets: str | tuple[str, ...]) -> Rule:
    """CodeableConcept (or Coding, or the first of a list) → the normalised code by system; `every` holds all codings.

    `coded(code=SNOMED, icd10cm=ICD10CM, every="codings")`. The coding is chosen by its system, not by its place; what no
    coding has, the site's code map fills in; what is still missing is counted as unmapped. `text_is` says why a concept
    without any code is unusable; where it is none, its text is withheld and flagged.
    """
    wanted = {name: (systems,) if isinstance(systems, str) else systems for name, systems in targets.items()}

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return _coded(_concept(raw), wanted, every, text_is, setting)

    return Rule((*wanted, *((every,) if every else ())), read)


def coded_value(*, every: str, absent: str, **targets: str | tuple[str, ...]) -> Rule:
    """A coded value: as `coded`, but a text-only value is withheld and a null flavour says why there is no value."""
    rule = coded(every=every, text_is=None, **targets)

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        concept = _concept(raw)
        if not concept.codings and text_of(concept.text):
            return Found({absent: "OT"}, ("text-withheld",))
        reason = next((c.code for c in concept.codings if repaired_system(c.system) in NOT_A_CODE), None)
        found = rule.read(raw, companion, setting)
        if not found.values.get(every):
            return Found({absent: _null_flavour(text_of(reason))}, found.flags)
        return replace(found, unmapped=())  # many answers have codes of their own; only questions are mapped

    return Rule((*rule.gives, absent), read)


def codings(name: str) -> Rule:
    """List of CodeableConcept → every coding. A text without coding is withheld and flagged."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found: list[dict[str, str]] = []
        flags: list[str] = []
        for concept in _concepts(raw):
            usable, withheld = _usable(concept)
            found += [coding for coding in map(_shared, usable) if coding not in found]
            flags += withheld
            if not usable and text_of(concept.text):
                flags.append("text-withheld")
        return Found({name: found}, tuple(dict.fromkeys(flags)))

    return Rule((name,), read)


def one_of(name: str, values: Iterable[str], *, withdrawn: Iterable[str] = (), not_a_fact: Iterable[str] = ()) -> Rule:
    """A code of a closed value set (FHIR's required bindings), as `code` or CodeableConcept → the code.

    White space and case are repaired (`"entered-in-error "`); a code outside the set is INVALID_FIELD. `withdrawn` codes
    withdraw what the resource gave before; with `not_a_fact` codes it says that something was not done.
    """
    allowed, undone, withdrawing = frozenset(values), frozenset(not_a_fact), frozenset(withdrawn)

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw[:1] == b'"':
            said = [text_of(decode(raw, Scalar)).lower()]
        else:
            said = [text_of(coding.code).lower() for coding in _concept(raw).codings]
        for code in said:
            if code in withdrawing:
                return Found(withdrawn=True)
            if code in undone:
                raise Unusable(Reason.NOT_A_FACT)
            if code in allowed:
                return Found({name: code})
        if any(said):
            raise Unusable(Reason.INVALID_FIELD)
        return NOTHING

    return Rule((name,), read)


def each_of(name: str, values: Iterable[str]) -> Rule:
    """List of CodeableConcept → those codes that belong to a value set; local categories do not leave."""
    allowed = frozenset(values)

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = (text_of(coding.code).lower() for concept in _concepts(raw) for coding in concept.codings)
        return Found({name: list(dict.fromkeys(code for code in said if code in allowed))})

    return Rule((name,), read)


def first_of(name: str, system: str) -> Rule:
    """List of CodeableConcept → the first code of one system."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        usable = (coding for concept in _concepts(raw) for coding in _usable(concept)[0])
        return Found({name: next((code for found, code in usable if found == system), None)})

    return Rule((name,), read)


def null_flavour(name: str) -> Rule:
    """dataAbsentReason → NI, UN or OT."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = next((text_of(coding.code) for coding in _concept(raw).codings if coding.code is not None), "")
        return Found({name: _null_flavour(said)})

    return Rule((name,), read)


# ---------------------------------------------------------------- times


def instant(utc: str, date: str) -> Rule:
    """date, dateTime or instant → the instant in UTC (none for a date only) and the local date."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return _moment(_string(raw), utc, date, setting)

    def usual(setting: Setting, openings: Openings) -> Usual:
        moments = setting.moments

        def cut(raw: bytes, companion: bytes | None) -> bytes | None:
            found = moments(raw)
            return None if found is None else _members(openings, found)

        return cut

    return Rule((utc, date), read, usual=usual)


def period(*, start: tuple[str, str] | None = None, end: tuple[str, ...] | None = None) -> Rule:
    """Period → for its start and its end the instant in UTC and the local date: `period(start=("start", "start_date"))`."""
    gives = (*(start or ()), *(end or ()))

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return _period(decode(raw, Period | None) or Period(), start, end, setting)

    def usual(setting: Setting, openings: Openings) -> Usual:
        moments = setting.moments

        def cut(raw: bytes, companion: bytes | None) -> bytes | None:
            middle = raw.find(b'","end":"')
            if middle < 0 or not raw.startswith(b'{"start":"'):
                return None
            first = moments(raw[9 : middle + 1])
            last = moments(raw[middle + 8 : -1])
            if first is None or last is None or raw[-1:] != b"}":
                return None
            return _members(openings, (*first[: len(start or ())], *last[: len(end or ())]))

        return cut

    return Rule(gives, read, usual=usual)


def local_date(name: str) -> Rule:
    """date or dateTime → the local date only."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = _moment(_string(raw), "", name, setting)
        return replace(found, values={name: found.values.get(name)})

    def usual(setting: Setting, openings: Openings) -> Usual:
        moments = setting.moments

        def cut(raw: bytes, companion: bytes | None) -> bytes | None:
            found = moments(raw)
            return None if found is None else _members(openings, found[1:])

        return cut

    return Rule((name,), read, usual=usual)


def died(*, flag: str, date: str) -> Rule:
    """deceasedDateTime → that the patient has died, and the local date."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = _moment(_string(raw), "", date, setting)
        when = found.values.get(date)
        return replace(found, values={flag: True, date: when}) if when else NOTHING

    return Rule((flag, date), read)


def birth_date(name: str) -> Rule:
    """date → the date; a time of birth is cut off."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        text = _string(raw)
        try:
            return Found({name: calendar_date(text.partition("T")[0])}) if text else NOTHING
        except ValueError:
            raise Unusable(Reason.INVALID_FIELD) from None

    return Rule((name,), read)


# ---------------------------------------------------------------- numbers


def quantity(
    *,
    value: str,
    unit: str,
    raw_value: str,
    raw_unit: str,
    comparator: str,
    absent: str,
    unit_of: str,
) -> Rule:
    """Quantity → the value in the one unit of its code (units.csv), beside the value and unit as written.

    `unit_of` names the FHIR field with the code. Unknown or dimension-wrong units are problems; implausible values are flagged.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, Quantity | None)
        if source is None or source.value is None or bytes(source.value) == b"null":
            return Found({absent: "NI"})
        written, flags = _number(source)
        bound = None if source.comparator is None else _comparator(source.comparator)
        manner = _manner(source, companion, setting)
        if manner.fault is not None:
            raise Unusable(manner.fault, "code" if source.code is not None else "unit")
        if not manner.unit:
            return Found({value: plain(written), raw_value: written, comparator: bound}, (*flags, "unit-missing"))
        number, noticed = _in_unit(written, manner)
        values = {value: number, unit: manner.unit, raw_value: written, raw_unit: manner.shown, comparator: bound}
        return Found(values, (*flags, *noticed))

    def usual(setting: Setting, openings: Openings) -> Usual:
        remembered: dict[tuple[bytes | None, bytes], tuple[UnitRow | None, bytes, bytes] | None] = {}

        def cut(raw: bytes, companion: bytes | None) -> bytes | None:
            match = _USUAL_QUANTITY.fullmatch(raw)
            if match is None or (companion is not None and len(companion) > _LONGEST_COMPANION):
                return None
            number, rest = match.groups()
            key = companion, rest
            if key not in remembered:
                if len(remembered) >= _MANNERS:
                    remembered.clear()
                manner = _plain_manner(rest, companion, setting)
                remembered[key] = manner and (manner.row, _json(manner.unit), _json(manner.shown))
            if (known := remembered[key]) is None:
                return None
            row, meant, shown = known
            written = number.decode()
            if row is not None and not row.low <= Decimal(written) <= row.high:
                return None
            return _members(openings, (bytes(plain(written)), meant, b'"%b"' % number, shown, b"", b""))

        return cut

    gives = (value, unit, raw_value, raw_unit, comparator, absent)
    return Rule(gives, read, needs=unit_of, usual=usual)


def integer(*, value: str, raw_value: str) -> Rule:
    """integer → the value and the value as written."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw == b"null":
            return NOTHING
        written, quoted = number_of(raw)
        return Found({value: plain(written), raw_value: written}, ("number-as-text",) if quoted else ())

    return Rule((value, raw_value), read)


def boolean(name: str, *, as_code: bool = False) -> Rule:
    """boolean → true or false; `as_code` gives the text "true" or "false"."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        said = text_of(decode(raw, Scalar)).lower()
        if said not in ("true", "false", ""):
            raise Unusable(Reason.INVALID_FIELD)
        return Found({name: said if as_code else said == "true"}) if said else NOTHING

    return Rule((name,), read)


# ---------------------------------------------------------------- links, and what does not leave


def link(name: str, resource_type: str) -> Rule:
    """Reference → the record id of the resource it names; none where that cannot be told."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        named = reference_id(decode(raw, Reference | None), resource_type)
        if named is None:
            return NOTHING
        return Found({name: hexadecimal(b"r-", setting.pseudonyms.ref(resource_type, named) + WHOLE)})

    def usual(setting: Setting, openings: Openings) -> Usual:
        digest = setting.pseudonyms.refs()
        form = re.compile(rb'\{"reference":"(%b/[A-Za-z0-9.\-]{1,64})"\}' % resource_type.encode()).fullmatch
        before, after = (openings[0] or b"") + b'"r-', hexlify(WHOLE) + b'"'

        def cut(raw: bytes, companion: bytes | None) -> bytes | None:
            match = form(raw)
            if match is None:
                return None
            return before + hexlify(digest(match[1])) + after if openings[0] else b""

        return cut

    return Rule((name,), read, usual=usual)


def withheld(flag: str, **values: str) -> Rule:
    """Free text, or a type the model has no place for: it does not leave; a flag and a null flavour say so."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return Found(dict(values), (flag,)) if raw != b"null" else NOTHING

    return Rule(tuple(values), read)


def presence() -> Rule:
    """A field of which only matters that it is there."""
    return Rule((), lambda raw, companion, setting: NOTHING)


def other_version() -> Rule:
    """A field that R4 does not have: the resource is of another FHIR version and is refused by name."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw == b"null":
            return NOTHING
        raise Unusable(Reason.OTHER_FHIR_VERSION)

    return Rule((), read)


def unless_shaped(rule: Rule, *shapes: str) -> Rule:
    """A field that other FHIR versions shape otherwise: `unless_shaped(rule, "string", "array")` refuses those by name."""
    openings = {{"string": b'"', "array": b"[", "object": b"{"}[shape] for shape in shapes}

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if raw[:1] in openings:
            raise Unusable(Reason.OTHER_FHIR_VERSION)
        return rule.read(raw, companion, setting)

    return replace(rule, read=read)


def not_a_fact_if_true() -> Rule:
    """A boolean by which a resource says that something is not to be done, or was not."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if text_of(decode(raw, Scalar)).lower() == "true":
            raise Unusable(Reason.NOT_A_FACT)
        return NOTHING

    return Rule((), read)


# ---------------------------------------------------------------- how rules read


def _string(raw: bytes) -> str:
    return text_of(decode(raw, str | None))


def _concept(raw: bytes) -> CodeableConcept:
    """CodeableConcept, Coding (as Encounter.class is) or the first of a list."""
    if raw[:1] == b"{" and b'"coding"' not in raw and b'"code"' in raw:
        return CodeableConcept(coding=decode(raw, Coding))
    found = decode(raw, Concept)
    if isinstance(found, list):
        found = found[0] if found else None
    return found or CodeableConcept()


def _concepts(raw: bytes) -> list[CodeableConcept]:
    found = decode(raw, Concepts)
    found = [found] if isinstance(found, CodeableConcept) else found or []
    return [concept for concept in found if concept is not None]


def _usable(concept: CodeableConcept) -> tuple[list[tuple[str | None, str]], list[str]]:
    """(system, code) of each coding that is one, and flags for those that are not fit to leave."""
    found, flags = [], []
    for coding in concept.codings:
        system, code = repaired_system(coding.system), text_of(coding.code)
        if not code or system in NOT_A_CODE:
            continue
        if len(code) > _LONGEST_TOKEN or not _TOKEN.fullmatch(code):
            flags.append("code-withheld")
            continue
        found.append((system, code))
    return found, flags


def _shared(coding: tuple[str | None, str]) -> dict[str, str]:
    system, code = coding
    return {"system": system, "code": code} if system else {"code": code}


def _coded(
    concept: CodeableConcept,
    wanted: Mapping[str, tuple[str, ...]],
    every: str | None,
    text_is: Reason | None,
    setting: Setting,
) -> Found:
    usable, flags = _usable(concept)
    text = text_of(concept.text)
    sought = (
        [*usable, ("", text)] if text else usable
    )  # a text-only concept may stand in the code map, as system "" code text
    chosen = {name: _chosen(sought, systems, setting.codes) for name, systems in wanted.items()}
    if not usable and not any(chosen.values()):
        if text_is is not None:
            raise Unusable(text_is)
        return Found(flags=(*flags, "text-withheld") if text else tuple(flags))
    if not any(chosen.values()):
        _refuse_faulty(usable, wanted)
    unmapped = () if any(chosen.values()) else tuple((system or "", code) for system, code in usable)
    if unmapped:
        flags.append("code-unmapped")
    values: dict[str, Any] = dict(chosen)
    if every:
        values[every] = [_shared(coding) for coding in dict.fromkeys(usable)]
    return Found(values, tuple(flags), unmapped)


def _chosen(usable: Iterable[tuple[str | None, str]], systems: tuple[str, ...], codes: CodeMap) -> str | None:
    """The code in the first target system that any coding has; else what the code map says of any coding."""
    listed = list(usable)
    for target in systems:
        for system, code in listed:
            if system == target and not (target == LOINC and loinc_fault(code)):
                return code
    for coding in listed:
        meant = codes.get((coding[0] or "", coding[1]))
        if meant:
            for target in systems:
                if target in meant:
                    return meant[target]
    return None


def _refuse_faulty(usable: list[tuple[str | None, str]], wanted: Mapping[str, tuple[str, ...]]) -> None:
    if not any(LOINC in systems for systems in wanted.values()):
        return
    for index, (system, code) in enumerate(usable):
        if system == LOINC and (fault := loinc_fault(code)) not in (None, "loinc-form"):
            raise Unusable(Reason.BAD_CODE, f"coding[{index}].code", flag=fault or "")


_UNKNOWN = frozenset({"unknown", "asked-unknown", "temp-unknown", "UNK", "ASKU", "NAV", "NAVU"})
_OTHER = frozenset({"as-text", "unsupported", "not-a-number", "negative-infinity", "positive-infinity", "OTH"})


def _null_flavour(reason: str) -> str:
    """PCORnet's null flavour for FHIR's data-absent-reason or v3 NullFlavor."""
    if reason in _UNKNOWN:
        return "UN"
    return "OT" if reason in _OTHER else "NI"


def _moment(text: str, utc: str, date: str, setting: Setting) -> Found:
    if not text:
        return NOTHING
    try:
        found = moment(text, setting.zone)
    except ValueError:
        raise Unusable(Reason.INVALID_FIELD) from None
    return Found({utc: found.utc, date: found.date}, found.flags)


def _period(source: Period, start: tuple[str, ...] | None, end: tuple[str, ...] | None, setting: Setting) -> Found:
    values: dict[str, Any] = {}
    flags: tuple[str, ...] = ()
    for names, text, path in ((start, source.start, "start"), (end, source.end, "end")):
        if not names or not text:
            continue
        try:
            found = moment(text, setting.zone)
        except ValueError:
            raise Unusable(Reason.INVALID_FIELD, path) from None
        values |= dict(zip(names, (found.utc, found.date), strict=False))
        flags = (*flags, *(flag for flag in found.flags if flag not in flags))
    return Found(values, flags)


_COMPARATORS = frozenset({"<", "<=", ">=", ">"})


def _comparator(text: str) -> str:
    said = text.strip()
    if said not in _COMPARATORS:
        raise Unusable(Reason.INVALID_FIELD, "comparator")
    return said


def _number(source: Quantity) -> tuple[str, tuple[str, ...]]:
    try:
        written, quoted = number_of(bytes(source.value))
    except Unusable:
        raise Unusable(Reason.INVALID_FIELD, "value") from None
    return written, ("number-as-text",) if quoted else ()


def _unit(source: Quantity, setting: Setting) -> tuple[str, str]:
    """The UCUM unit the source means (empty where it gives none), and the unit as it wrote it, fit to leave."""
    system = repaired_system(source.system)
    code, text = text_of(source.code), text_of(source.unit)
    for key in ((system or "", code), ("", code), ("", text)):
        if key[1] and (meant := setting.codes.get(key, {}).get(UCUM)):
            return meant, key[1]
    given = code or text
    return given, shareable(given)


class _Manner(NamedTuple):
    """How the numbers of one code and unit are treated."""

    unit: str = ""
    """Unit of the value; empty where the source gives none."""
    shown: str = ""
    turn: Conversion = SAME
    row: UnitRow | None = None
    fault: Reason | None = None


_MANNERS = 4096
_LONGEST_COMPANION = 1024


def _manner(source: Quantity, companion: bytes | None, setting: Setting) -> _Manner:
    key = (companion, source.unit, source.code, source.system)
    manner = setting.manners.get(key)
    if manner is None and companion is not None and len(companion) > _LONGEST_COMPANION:
        return _new_manner(source, companion, setting)
    if manner is None:
        if len(setting.manners) >= _MANNERS:
            setting.manners.clear()
        manner = setting.manners[key] = _new_manner(source, companion, setting)
    return manner


def _new_manner(source: Quantity, companion: bytes | None, setting: Setting) -> _Manner:
    given, shown = _unit(source, setting)
    if not given:
        return _Manner()
    row = _unit_row(companion, setting)
    if row is None:
        return _Manner(shareable(given), shown) if is_ucum(given) else _Manner(fault=Reason.UNKNOWN_UNIT)
    try:
        return _Manner(row.unit, shown, conversion(given, row.unit), row)
    except UnitFault as fault:
        return _Manner(fault=fault.reason)


_USUAL_QUANTITY = re.compile(rb'\{"value":(-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?)(,"[^\\]{1,400}\})')


def _plain_manner(rest: bytes, companion: bytes | None, setting: Setting) -> _Manner | None:
    """How numbers before this text are treated, where that is: as they stand. None for all else."""
    if b'"value"' in rest:
        return None  # given twice
    try:
        source = decode(b'{"value":0' + rest, Quantity)
        manner = _manner(source, companion, setting)
    except Unusable:
        return None
    usual = source.comparator is None and manner.fault is None and manner.unit and manner.turn is SAME
    return manner if usual else None


def _members(openings: Openings, texts: Sequence[bytes]) -> bytes:
    """The members of fields whose values are JSON already; empty ones, and those that do not leave, are left out."""
    return b"".join([opening + text for opening, text in zip(openings, texts, strict=True) if opening and text])


def _json(text: str) -> bytes:
    return encode(text) if text else b""


def _unit_row(companion: bytes | None, setting: Setting) -> UnitRow | None:
    if companion is None:
        return None
    try:
        usable = _usable(_concept(companion))[0]
    except Unusable:
        return None  # the code's own rule reports it
    loinc = _chosen(usable, (LOINC,), setting.codes)
    return unit_table().get(loinc) if loinc else None


def _in_unit(written: str, manner: _Manner) -> tuple[Raw, tuple[str, ...]]:
    """The value in its code's unit, and what was noticed."""
    if manner.row is None:
        return plain(written), ()
    value = Decimal(written)
    flags: tuple[str, ...] = ()
    if manner.turn is not SAME:
        value = manner.turn.of(value)
        flags = ("unit-converted",)
    if value > manner.row.high:
        flags = (*flags, "implausible-high")
    elif value < manner.row.low:
        flags = (*flags, "implausible-low")
    return plain(value if flags[:1] == ("unit-converted",) else written), flags


# ---------------------------------------------------------------- rules of single resources


class _Extension(Struct, gc=False):
    url: str | None = None
    valueCoding: Coding | None = None
    extension: "list[_Extension] | None" = None


_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_CDC_CODE = re.compile(r"[0-9]{4}-[0-9]")


def us_core_category(*, race: str, ethnicity: str) -> Rule:
    """Patient.extension → US Core's OMB categories of race and ethnicity; the text beside them is not read."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found: dict[str, list[str]] = {race: [], ethnicity: []}
        for extension in decode(raw, list[_Extension] | None) or []:
            name = {_US_CORE + "race": race, _US_CORE + "ethnicity": ethnicity}.get(extension.url or "")
            for part in (extension.extension or []) if name else []:
                if name and part.url == "ombCategory" and part.valueCoding is not None:
                    found[name] += _category(part.valueCoding)
        return Found({race: list(dict.fromkeys(found[race])), ethnicity: next(iter(found[ethnicity]), None)})

    return Rule((race, ethnicity), read)


def _category(coding: Coding) -> list[str]:
    code = text_of(coding.code)
    if repaired_system(coding.system) == NULL_FLAVOR or code in _UNKNOWN:
        return [_null_flavour(code)]
    return [code] if _CDC_CODE.fullmatch(code) else []


class _Address(Struct, gc=False):
    use: str | None = None
    postalCode: Scalar = None


_ZIP = re.compile(r"([0-9]{5})(-?[0-9]{4})?")


def home_zip(name: str) -> Rule:
    """Patient.address → five digits of the home address's ZIP code; nothing else of the address is read."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        addresses = decode(raw, list[_Address | None] | None) or []
        current = [address for address in addresses if address is not None and address.use != "old"]
        for address in sorted(current, key=lambda address: address.use != "home"):
            if match := _ZIP.fullmatch(text_of(address.postalCode)):
                return Found({name: match[1]})
        return NOTHING

    return Rule((name,), read)


class _Communication(Struct, gc=False):
    language: CodeableConcept | None = None
    preferred: Scalar = None


_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?")


def preferred_language(name: str) -> Rule:
    """Patient.communication → the BCP 47 tag of the preferred language, else of the first."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        spoken = [entry for entry in decode(raw, list[_Communication | None] | None) or [] if entry is not None]
        for entry in sorted(spoken, key=lambda entry: text_of(entry.preferred).lower() != "true"):
            for coding in entry.language.codings if entry.language else []:
                if _LANGUAGE.fullmatch(code := text_of(coding.code)):
                    return Found({name: code})
        return NOTHING

    return Rule((name,), read)


class _Ingredient(Struct, gc=False):
    itemCodeableConcept: CodeableConcept | None = None


class _Medication(Struct, gc=False):
    id: Scalar = None
    resourceType: str | None = None
    code: CodeableConcept | None = None
    ingredient: list[_Ingredient] | None = None


def contained_medication(
    *, every: str, ingredients: str, ingredient_system: str, **targets: str | tuple[str, ...]
) -> Rule:
    """Reference to a Medication → the code of the one contained; one elsewhere is flagged, its code stays empty."""
    wanted = {name: (systems,) if isinstance(systems, str) else systems for name, systems in targets.items()}

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        reference = decode(raw, Reference | None) or Reference()
        named = (reference.reference or "").strip()
        if not named.startswith("#"):
            return Found(flags=("medication-elsewhere",))
        for medication in (decode(companion, list[_Medication]) if companion else []) or []:
            if text_of(medication.id).removeprefix("#") == named[1:] and medication.code is not None:
                found = _coded(medication.code, wanted, every, Reason.MISSING_CODE, setting)
                parts = [part.itemCodeableConcept for part in medication.ingredient or [] if part.itemCodeableConcept]
                codes = (_chosen(_usable(part)[0], (ingredient_system,), setting.codes) for part in parts)
                found.values[ingredients] = [code for code in codes if code]
                return found
        raise Unusable(Reason.MISSING_CODE, "reference")

    return Rule((*wanted, every, ingredients), read, needs="contained")


class _DoseAndRate(Struct, gc=False):
    doseQuantity: Quantity | None = None


class _Dosage(Struct, gc=False):
    doseAndRate: list[_DoseAndRate] | None = None
    asNeededBoolean: Scalar = None
    asNeededCodeableConcept: CodeableConcept | None = None


def dosage(*, dose: str, unit: str, as_needed: str) -> Rule:
    """List of Dosage → the single dose of the first, and whether it is taken as needed; its text is not read."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        first = next(iter(decode(raw, list[_Dosage] | None) or []), None)
        if first is None:
            return NOTHING
        said = text_of(first.asNeededBoolean).lower()
        needed = True if first.asNeededCodeableConcept is not None else {"true": True, "false": False}.get(said)
        amount = next((part.doseQuantity for part in first.doseAndRate or [] if part.doseQuantity), None)
        found = _amount(amount, dose, unit, setting)
        return replace(found, values=found.values | {as_needed: needed})

    return Rule((dose, unit, as_needed), read)


def _amount(source: Quantity | None, value: str, unit: str, setting: Setting) -> Found:
    """A quantity that does not decide whether its resource is usable: `2 tablets` is left out and flagged."""
    if source is None or source.value is None or bytes(source.value) == b"null":
        return NOTHING
    written, flags = _number(source)
    given, _ = _unit(source, setting)
    if given and not is_ucum(given):
        return Found({}, (*flags, "dose-unit-unknown"))
    return Found({value: plain(written), unit: shareable(given)}, flags)


class _Dispense(Struct, gc=False):
    validityPeriod: Period | None = None
    expectedSupplyDuration: Quantity | None = None


def dispense(*, end: tuple[str, str], days: str) -> Rule:
    """dispenseRequest → the end of its validity and the days of supply."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = decode(raw, _Dispense | None) or _Dispense()
        found = _period(source.validityPeriod or Period(), None, end, setting)
        supply = source.expectedSupplyDuration
        if supply is None or supply.value is None or bytes(supply.value) == b"null":
            return found
        written, flags = _number(supply)
        given = without_annotations(_unit(supply, setting)[0])
        try:
            turn = conversion(given, "d")
        except UnitFault:
            return replace(found, flags=(*found.flags, *flags, "supply-unit-unknown"))
        amount = plain(written) if turn is SAME else plain(turn.of(Decimal(written)))
        return replace(found, values=found.values | {days: amount}, flags=(*found.flags, *flags))

    return Rule((*end, days), read)
