"""Visits, and other elements with elements in them: what is read of each entry of a list."""

from dataclasses import replace
from typing import Any

from msgspec import Raw, Struct

from transforms.codes.systems import ACT_CODE
from transforms.fhir.elements import (
    CodeableConcept,
    Period,
    Reference,
    Scalar,
    Unusable,
    decode,
    number_of,
    plain,
    text_of,
)
from transforms.mapped import WHOLE
from transforms.privacy.pseudonyms import hexadecimal
from transforms.rules.codes import one_of, unread_concepts
from transforms.rules.concepts import concept_of, concepts_of, gathered, usable_codings
from transforms.rules.declaring import Found, Rule
from transforms.rules.links import KINDS, kind_of, known_by, linked, named_by, named_of, references_in
from transforms.rules.setting import Setting
from transforms.rules.texts import string_of
from transforms.rules.times import moment_found, period_found

_ABSENT: Any = None
USES = ("AD", "DD", "CC", "CM", "pre-op", "post-op", "billing")
"""FHIR diagnosis-role."""


def _entries(raw: bytes) -> list[dict[str, Raw]]:
    """The elements of a list, or one alone."""
    found: list[dict[str, Raw] | None] | dict[str, Raw] | None = decode(
        raw, list[dict[str, Raw] | None] | dict[str, Raw] | None
    )
    listed = [found] if isinstance(found, dict) else found or []
    return [each for each in listed if each is not None]


def _members(raw: bytes, member: str) -> list[bytes]:
    found = (bytes(entry[member]) for entry in _entries(raw) if member in entry)
    return [each for each in found if each != b"null"]


def codings_in(name: str, member: str) -> Rule:
    """List of elements → every coding of one member, a CodeableConcept or a list of them."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        concepts = [concept for each in _members(raw, member) for concept in concepts_of(each)]
        codings, flags = gathered(concepts, setting)
        if not (codings or flags):
            unread = [unread_concepts(each) for each in _members(raw, member)]
            flags = [flag for each in unread for flag in each.flags]
            return Found(flags=tuple(dict.fromkeys(flags)), dropped=(member,) * any(each.dropped for each in unread))
        return Found({name: codings}, tuple(flags))

    return Rule((name,), read)


class _Extension(Struct, gc=False):
    url: Scalar = None
    valueCodeableConcept: CodeableConcept | None = None


def codings_in_extension(name: str, ending: str) -> Rule:
    """Extensions whose URL ends so → every coding of their CodeableConcept."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        listed = decode(raw, list[_Extension | None] | _Extension | None) or []
        found = [each for each in (listed if isinstance(listed, list) else [listed]) if each is not None]
        meant = [each.valueCodeableConcept for each in found if text_of(each.url).endswith(f"/{ending}")]
        codings, flags = gathered([each for each in meant if each is not None], setting)
        return Found({name: codings}, tuple(flags))

    return Rule((name,), read)


def kinds_in(name: str, member: str) -> Rule:
    """List of elements → the resource types that the References of one member name."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        kinds = {kind_of(reference) for each in _members(raw, member) for reference in references_in(each)}
        return Found({name: sorted(kinds & KINDS)})

    return Rule((name,), read)


def links_in(name: str, member: str, *resource_types: str) -> Rule:
    """List of elements → the record ids of the resources that one member names, of those that say they are of these types."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        each = [linked(inner, resource_types, setting, typed=True) for inner in _members(raw, member)]
        found = sorted({one for ids, _ in each for one in ids})
        return Found({name: found}, dropped=tuple([f"{member}{path}" for _, lost in each for path in lost]))

    return Rule((name,), read)


def participants(*, types: str, kinds: str) -> Rule:
    """Encounter.participant → as what somebody took part, and of what kind they are; never who."""
    told, who = codings_in(types, "type"), kinds_in(kinds, "individual")

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found, other = told.read(raw, companion, setting), who.read(raw, companion, setting)
        return Found(found.values | other.values, found.flags)

    return Rule((types, kinds), read)


def pseudonyms_in(name: str, member: str, resource_type: str) -> Rule:
    """List of elements → the keyed hashes of the resources of a type that one member names."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        kinds = (resource_type,)
        named = {pair for each in _members(raw, member) for pair in named_by(each, kinds) or known_by(each, kinds)}
        return Found({name: sorted(hexadecimal(b"h-", setting.pseudonyms.ref(*pair)) for pair in named)})

    return Rule((name,), read)


class _Stay(Struct, gc=False):
    admitSource: Raw = _ABSENT
    dischargeDisposition: Raw = _ABSENT
    reAdmission: Raw = _ABSENT


def hospitalization(*, source: str, disposition: str, readmission: str) -> Rule:
    """Encounter.hospitalization → from where, to where, whether again."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        stay = decode(raw, _Stay | None) or _Stay()
        members = {source: "admitSource", disposition: "dischargeDisposition", readmission: "reAdmission"}
        values, flags, dropped = dict[str, Any](), list[str](), list[str]()
        for name, member in members.items():
            try:
                values[name], noticed = gathered(concepts_of(bytes(getattr(stay, member) or b"null")), setting)
            except Unusable:
                dropped.append(member)
                continue
            flags += noticed
        return Found(values, tuple(dict.fromkeys(flags)), dropped=tuple(dropped))

    return Rule((source, disposition, readmission), read)


class _Diagnosis(Struct, gc=False):
    condition: Reference | None = None
    use: CodeableConcept | None = None
    role: CodeableConcept | None = None
    """STU3's name for `use`."""
    rank: Raw = _ABSENT


def diagnoses(name: str) -> Rule:
    """Encounter.diagnosis → the records of the diagnoses, their use and rank; by rank."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found: dict[tuple[int, str], dict[str, Any]] = {}
        dropped: list[str] = []
        listed = decode(raw, list[_Diagnosis | None] | _Diagnosis | None) or []
        for place, entry in enumerate(listed if isinstance(listed, list) else [listed]):
            if entry is None:
                continue
            each = _diagnosis(entry, setting)
            if each is not None:
                found[int(bytes(each.get("rank", b"999"))), repr(each)] = each
            elif entry.condition is not None:
                dropped.append(f"[{place}].condition")
            if _has_value(entry.rank) and _rank(entry.rank) is None:
                dropped.append(f"[{place}].rank")
        return Found({name: [found[key] for key in sorted(found)]}, dropped=tuple(dropped))

    return Rule((name,), read)


def _diagnosis(source: _Diagnosis, setting: Setting) -> dict[str, Any] | None:
    if source.condition is None:
        return None
    named = named_of([source.condition], ("Condition", "Procedure"))
    if not named:
        return None
    use = source.use or source.role
    said = [text_of(coding.code) for coding in use.codings] if use else []
    values = {
        "record": hexadecimal(b"r-", setting.pseudonyms.ref(*named[0]) + WHOLE),
        "use": next((use for use in USES if use in said), None),
        "rank": _rank(source.rank),
    }
    return {field: value for field, value in values.items() if value is not None}


def _has_value(raw: Any) -> bool:
    return raw is not None and bytes(raw) != b"null"


def _rank(raw: Any) -> Raw | None:
    try:
        value = plain(number_of(bytes(raw))[0]) if raw is not None else None
    except Unusable:
        return None
    return value if value is not None and bytes(value).isdigit() and int(bytes(value)) > 0 else None


class _Was(Struct, gc=False, rename={"visit_class": "class"}):
    visit_class: Raw = _ABSENT
    period: Period | None = None


def class_history(name: str) -> Rule:
    """Encounter.classHistory → which class the visit had, from when to when."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found, dropped = [], False
        for entry in decode(raw, list[_Was] | None) or []:
            if entry.visit_class is None:
                continue
            usable = usable_codings(concept_of(bytes(entry.visit_class)), setting).found
            code = next((code for system, code in usable if system == ACT_CODE), None)
            times = period_found(entry.period or Period(), ("start", "start_date"), ("end", "end_date"), setting)
            dropped |= bool(times.dropped)
            if code is not None:
                found.append({"class_code": code} | {field: value for field, value in times.values.items() if value})
        in_order = sorted(found, key=lambda was: (was.get("start_date", ""), was.get("start", ""), was["class_code"]))
        return Found({name: in_order}, dropped=("period",) if dropped else ())

    return Rule((name,), read)


class _Protocol(Struct, gc=False):
    doseNumberPositiveInt: Raw = _ABSENT
    doseNumberString: Scalar = None
    seriesDosesPositiveInt: Raw = _ABSENT
    seriesDosesString: Scalar = None
    doseNumber: Scalar = None
    """R5's name, as seriesDoses."""
    seriesDoses: Scalar = None
    targetDisease: list[CodeableConcept | None] | CodeableConcept | None = None


class _Reaction(Struct, gc=False):
    date: Scalar = None
    detail: Reference | None = None


def vaccine_reactions(*, dates: str, records: str) -> Rule:
    """Immunization.reaction → the local dates, and the observations that tell of it."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        listed = [each for each in decode(raw, list[_Reaction | None] | None) or [] if each is not None]
        days, flags, dropped = set(), dict[str, None](), list[str]()
        for place, each in enumerate(listed):
            found = period_found(Period(start=text_of(each.date)), ("moment", "day"), None, setting, past=True)
            flags |= dict.fromkeys(found.flags)
            dropped += [f"[{place}].date"] * bool(found.dropped)
            days.add(found.values.get("day") or "")
        named = named_of([each.detail for each in listed if each.detail], ("Observation",))
        ids = sorted({hexadecimal(b"r-", setting.pseudonyms.ref(*each) + WHOLE) for each in named})
        return Found({dates: sorted(days - {""}), records: ids}, tuple(flags), dropped=tuple(dropped))

    return Rule((dates, records), read)


def protocol(*, number: str, doses: str, diseases: str) -> Rule:
    """Immunization.protocolApplied → the number of the dose, of how many, against what; the series' name is not read.

    Of several protocols that number it differently, none is told.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        listed = [each for each in decode(raw, list[_Protocol | None] | None) or [] if each is not None]
        flags: list[str] = []
        told = [_dose(each.doseNumberPositiveInt, each.doseNumberString or each.doseNumber, flags) for each in listed]
        numbers = {each for each in told if each is not None}
        told = [
            _dose(each.seriesDosesPositiveInt, each.seriesDosesString or each.seriesDoses, flags) for each in listed
        ]
        series = {each for each in told if each is not None}
        if len(numbers) > 1 or len(series) > 1:
            flags.append("several-protocols")
        elif numbers and series and max(numbers) > max(series):
            flags.append("dose-beyond-series")
        targets = [each.targetDisease for each in listed]
        concepts = [one for some in targets for one in (some if isinstance(some, list) else [some]) if one is not None]
        codings, withheld = gathered(concepts, setting)
        values = {
            number: next(iter(numbers)) if len(numbers) == 1 else None,
            doses: next(iter(series)) if len(series) == 1 else None,
            diseases: codings,
        }
        return Found(values, tuple(dict.fromkeys([*flags, *withheld])))

    return Rule((number, doses, diseases), read)


def _dose(raw: Any, text: Scalar, flags: list[str]) -> int | None:
    """A small number, in figures wherever it stands; any other text is withheld."""
    said = bytes(raw).decode("ascii", "replace").strip('" ') if raw is not None else text_of(text)
    if said in ("", "null"):
        return None
    if said.isdigit() and len(said) <= 2 and int(said) > 0:
        return int(said)
    flags.append("text-withheld")
    return None


APPOINTMENT_STATUS = (
    *("proposed", "pending", "booked", "waitlist", "arrived", "checked-in", "fulfilled"),
    *("cancelled", "noshow"),
)
_CAME = frozenset({"arrived", "checked-in", "fulfilled", "noshow"})
_OFF = frozenset({"cancelled", "noshow"})
_SPELT = {
    "canceled": "cancelled",
    "no-show": "noshow",
    "no-showed": "noshow",
    "scheduled": "booked",
    "confirmed": "booked",
    "completed": "fulfilled",
    "checkedin": "checked-in",
}


def _to_come(start: bytes, setting: Setting) -> bool:
    """Whether a time is after the last day that may be today; one that cannot be read says nothing."""
    try:
        found = moment_found(string_of(start), "utc", "date", setting)
        return str(found.values.get("date", "")) > setting.latest
    except Unusable:
        return False


def appointment_status(status: str, became: str, *, start: str) -> Rule:
    """Appointment.status → what became of it, beside the status of a visit: planned, or cancelled where nobody came.

    One to which somebody came, and that is to `start` yet, is flagged.
    """
    known = one_of(became, APPOINTMENT_STATUS, withdrawn=("entered-in-error",), spellings=_SPELT, modifier=True)

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = known.read(raw, companion, setting)
        said = found.values.get(became)
        if said in _CAME and companion is not None and _to_come(companion, setting):
            found = replace(found, flags=(*found.flags, "future"))
        return replace(found, values={status: "cancelled" if said in _OFF else "planned", became: said})

    return Rule((status, became), read, needs=start)
