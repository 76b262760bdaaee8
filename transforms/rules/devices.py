"""Devices: which one a statement of use is about, and from when to when it was used. No carrier, serial or lot number is read."""

from typing import Any

from msgspec import Raw, Struct
from msgspec.json import encode

from schemas.problems import Reason
from transforms.codes.kinds import kind_of, target_of
from transforms.codes.no_known import says_none, says_none_in_words
from transforms.fhir.elements import (
    CodeableConcept,
    Coding,
    Period,
    Reference,
    Scalar,
    Unusable,
    decode,
    text_of,
    without_modified,
)
from transforms.rules.codes import coded_found
from transforms.rules.concepts import chosen_code, shared_coding, shared_codings, usable_codings
from transforms.rules.declaring import Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.times import period_found

_ABSENT: Any = None
_STATUS = frozenset({"", "active", "inactive", "unknown"})
_GONE = "entered-in-error"
_OTHER_VERSIONS = ("udi", "model", "displayName", "name")
"""What STU3, DSTU2 and R5 call what R4 calls otherwise."""


class _Name(Struct, gc=False):
    name: Scalar = None


class _Special(Struct, gc=False):
    systemType: CodeableConcept | None = None


class _Device(Struct, gc=False):
    status: Scalar = None
    type: CodeableConcept | list[CodeableConcept] | None = None
    deviceName: list[_Name] | None = None
    specialization: list[_Special] | None = None
    udi: Raw = _ABSENT
    model: Raw = _ABSENT
    displayName: Raw = _ABSENT
    name: Raw = _ABSENT


class _KeptDevice(Struct, gc=False):
    """What is kept of a Device: codes, and the names by which a site's code map may know it."""

    codings: list[tuple[str, str]] = []
    names: list[str] = []


def kept_device(raw: bytes) -> bytes | None:
    """A Device → its codes and names; None where it says that it is an error. Raises Unusable."""
    if b'"modifierExtension"' in raw:
        raw, _ = without_modified(raw)
        if raw == b"null":
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, "modifierExtension")
    source: _Device = decode(raw, _Device)
    if any(getattr(source, name) is not None for name in _OTHER_VERSIONS):
        raise Unusable(Reason.OTHER_FHIR_VERSION, next(n for n in _OTHER_VERSIONS if getattr(source, n) is not None))
    if isinstance(source.type, list):
        raise Unusable(Reason.OTHER_FHIR_VERSION, "type")
    status = "-".join(text_of(source.status).lower().split())
    if status == _GONE:
        return None
    if status not in _STATUS:
        raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, "status")
    concepts = [source.type, *(each.systemType for each in source.specialization or [])]
    told = [concept for concept in concepts if concept is not None]
    codings = {(coding.system or "", text_of(coding.code)) for concept in told for coding in concept.codings}
    names = {text_of(concept.text) for concept in told} | {text_of(each.name) for each in source.deviceName or []}
    return encode({"codings": sorted(each for each in codings if each[1]), "names": sorted(names - {""})})


def device(*, kind: str, every: str, **targets: str) -> Rule:
    """Reference to a Device → the word for its kind and its codes, of the one contained or looked up; its names do not leave."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = _looked_up(raw, companion)
        if any(says_none(system, code) for system, code in source.codings) or any(
            map(says_none_in_words, source.names)
        ):
            raise Unusable(Reason.NOT_A_FACT, "reference")
        usable, flags, faulty = usable_codings(_concept(source), setting)
        sought = [*usable, *(("", name) for name in source.names)]
        word = kind_of("device", sought, setting.codes)
        chosen = {name: chosen_code(usable, (system,), setting.codes) for name, system in targets.items()}
        if not usable and word is None:
            if faulty is not None:
                raise Unusable(Reason.BAD_CODE, "reference", flag=flags[-1])
            raise Unusable(Reason.MISSING_CODE, "reference")
        values: dict[str, Any] = {kind: word, **chosen}
        values[every] = shared_codings(usable, setting)
        if values[kind] or any(chosen.values()):
            return Found(values, tuple(flags))
        shown = [shared_coding(*each, setting) for each in usable]
        unmapped = tuple((system or "", code, target_of("device")) for system, code in shown)
        return Found(values, (*flags, "code-unmapped"), unmapped)

    return Rule((kind, *targets, every), read, needs="contained", refers="Device", fatal=True)


def device_asked(*, every: str, **targets: tuple[str, ...]) -> Rule:
    """Reference to a Device that is asked for → its codes, of the one contained or looked up; its names do not leave."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        source = _looked_up(raw, companion)
        return coded_found(_concept(source), targets, every, Reason.MISSING_CODE, setting)

    return Rule((*targets, every), read, needs="contained", refers="Device", fatal=True)


def _looked_up(raw: bytes, companion: bytes | None) -> _KeptDevice:
    """What is kept of the Device that a Reference names. Raises Unusable."""
    named = ((decode(raw, Reference | None) or Reference()).reference or "").strip()
    kept = _contained(named[1:], companion) if named.startswith("#") else companion
    if kept is None:
        raise Unusable(Reason.UNKNOWN_DEVICE, "reference")
    found: _KeptDevice = decode(kept, _KeptDevice)
    return found


def _concept(source: _KeptDevice) -> CodeableConcept:
    return CodeableConcept([Coding(system or None, code) for system, code in source.codings])


class _Contained(Struct, gc=False):
    resourceType: Scalar = None
    id: Scalar = None
    implicitRules: Raw = _ABSENT


def _contained(name: str, companion: bytes | None) -> bytes | None:
    """What would be kept of a contained Device; none where it is not there. Raises Unusable."""
    listed: list[Raw] = (decode(companion, list[Raw] | None) if companion else None) or []
    for each in map(bytes, listed):
        head = decode(each, _Contained | None)
        if head is None or head.resourceType != "Device" or text_of(head.id).removeprefix("#") != name:
            continue
        if head.implicitRules is not None and bytes(head.implicitRules) != b"null":
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, "contained.implicitRules")
        try:
            return kept_device(each)
        except Unusable as fault:
            raise Unusable(fault.reason, f"contained.{fault.path}") from None
    return None


class _Repeat(Struct, gc=False):
    boundsPeriod: Period | None = None


class _Timing(Struct, gc=False):
    repeat: _Repeat | None = None


def timing_bounds(start: tuple[str, str], end: tuple[str, str]) -> Rule:
    """Timing → from when to when it holds; how often is not read."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        timing = decode(raw, _Timing | None) or _Timing()
        bounds = (timing.repeat and timing.repeat.boundsPeriod) or Period()
        found = period_found(bounds, start, end, setting, past=True)
        if found.values:
            return found
        return Found(flags=(*found.flags, "timing-withheld"), dropped=found.dropped)

    return Rule((*start, *end), read)
