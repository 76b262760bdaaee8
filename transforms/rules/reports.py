"""Reports: which results they list, and when those were true where the results do not say."""

from collections.abc import Mapping
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import encode

from schemas.problems import Reason
from transforms.fhir.elements import Period, Reference, Scalar, Unusable, decode, reference_id, text_of
from transforms.privacy.pseudonyms import hexadecimal
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.links import named_of
from transforms.rules.meaning import extensions
from transforms.rules.setting import Setting
from transforms.rules.times import period_found

_TIME = ("effective", "effective_date")
_KNOWN = frozenset(
    {"registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled", "unknown", ""}
)
_ABSENT: Any = None


class _Report(Struct, gc=False):
    status: Scalar = None
    subject: Reference | None = None
    effectiveDateTime: Scalar = None
    effectivePeriod: Period | None = None
    issued: Scalar = None
    result: list[Reference | None] | Reference | None = None
    extension: Raw = _ABSENT
    # DSTU2 and STU3
    context: Raw = _ABSENT
    codedDiagnosis: Raw = _ABSENT
    image: Raw = _ABSENT
    # R5
    composition: Raw = _ABSENT
    supportingInfo: Raw = _ABSENT
    note: Raw = _ABSENT


_OTHER_VERSIONS = ("context", "codedDiagnosis", "image", "composition", "supportingInfo", "note")
_MARKS = extensions()


class _Said(Struct, gc=False):
    """What a report says, as a result is told."""

    subject: str | None = None
    effective: str | None = None
    effective_date: str | None = None
    flags: tuple[str, ...] = ()


def results_of(name: str) -> Any:
    """A report → under a name its keyed hash for each result that it lists, with the report's patient and time.

    One entered in error or cancelled says nothing of its results, which have a status of their own. One that is not
    final says the same as a final one: neither the link nor when a sample was taken hangs on that.
    """

    def lend(raw: bytes, ref: bytes, setting: Setting) -> Mapping[bytes, bytes] | None:
        source: _Report = decode(raw, _Report)
        status = text_of(source.status).lower()
        if status == "entered-in-error" or _deleted(source, setting):
            return None
        if status not in _KNOWN:
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, "status")
        if status == "cancelled":
            return {}
        listed = [source.result] if isinstance(source.result, Reference) else source.result or []
        named = named_of(filter(None, listed), ("Observation",))
        said = encode({name: hexadecimal(b"h-", ref), **_patient(source, setting), **_time(source, setting)})
        return {setting.pseudonyms.ref(kind, ident): said for kind, ident in named}

    return lend


def _deleted(source: _Report, setting: Setting) -> bool:
    """Raises Unusable for what changes the meaning of a report and is not understood."""
    if any(getattr(source, field) is not None for field in _OTHER_VERSIONS):
        raise Unusable(Reason.OTHER_FHIR_VERSION)
    return source.extension is not None and _MARKS.read(bytes(source.extension), None, setting).withdrawn


def _patient(source: _Report, setting: Setting) -> dict[str, str]:
    named = reference_id(source.subject, "Patient")
    return {"subject": hexadecimal(b"s-", setting.pseudonyms.subject(named))} if named else {}


def _time(source: _Report, setting: Setting) -> dict[str, Any]:
    """Of what was observed, else of the report itself; one that cannot be read is none."""
    period = source.effectivePeriod or Period()
    for text in filter(None, (text_of(source.effectiveDateTime), period.start, period.end, text_of(source.issued))):
        found = period_found(Period(start=text), _TIME, None, setting)
        if found.values.get(_TIME[1]):
            return {**{name: value for name, value in found.values.items() if value}, "flags": found.flags}
    return {}


def time_of_report(utc: str, date: str) -> Rule:
    """What reports say → their time, the earliest of several, for a result of the same patient that has none itself."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        patient = reference_id(decode(companion, Reference | None), "Patient") if companion else None
        own = hexadecimal(b"s-", setting.pseudonyms.subject(patient)) if patient else None
        said: list[_Said] = decode(raw, list[_Said])
        times = {(each.effective_date, each.effective or "", each.flags) for each in said if each.subject == own}
        dated = sorted(time for time in times if time[0])
        if not dated:
            return NOTHING
        day, moment, flags = dated[0]
        future = ("future",) if str(day) > setting.latest else ()
        several = ("several:report-time",) if len(dated) > 1 else ()
        return Found({utc: moment, date: day}, ("time-report", *flags, *future, *several))

    return Rule((utc, date), read, needs="subject")
