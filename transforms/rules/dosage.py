"""Dosages: how much of a medicine, how often, from when to when, step by step. Their texts are not read."""

from dataclasses import dataclass, field
from typing import Any

from msgspec import Raw, Struct

from transforms.fhir.elements import (
    CodeableConcept,
    Period,
    Scalar,
    Stated,
    Unusable,
    decode,
    falls,
    number_of,
    plain,
    text_of,
    without_modified,
)
from transforms.rules.amounts import LONGEST_BARE, Ratio, amount, amount_per, days_of
from transforms.rules.concepts import shared_codings, usable_codings
from transforms.rules.declaring import Found, Rule
from transforms.rules.schedules import PERIOD_UNITS, SCHEDULES, SPOKEN, TIMES, as_often
from transforms.rules.setting import Setting
from transforms.rules.times import period_found

_ABSENT: Any = None

DAYS_OF_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHEN = frozenset(
    [
        "MORN",
        "MORN.early",
        "MORN.late",
        "NOON",
        "AFT",
        "AFT.early",
        "AFT.late",
        "EVE",
        "EVE.early",
        "EVE.late",
        "NIGHT",
        "PHS",
        "IMD",
        "HS",
        "WAKE",
        "C",
        "CM",
        "CD",
        "CV",
        "AC",
        "ACM",
        "ACD",
        "ACV",
        "PC",
        "PCM",
        "PCD",
        "PCV",
    ]
)


class _Range(Struct, gc=False):
    low: Stated | None = None
    high: Stated | None = None


class _DoseAndRate(Struct, gc=False):
    type: CodeableConcept | None = None
    doseQuantity: Stated | None = None
    doseRange: _Range | None = None
    rateQuantity: Stated | None = None
    rateRange: _Range | None = None
    rateRatio: Ratio | None = None

    @property
    def tells_twice(self) -> tuple[bool, bool]:
        """Whether it says the dose, and the rate, in two ways of which FHIR allows one."""
        rates = (self.rateQuantity, self.rateRange, self.rateRatio)
        return bool(self.doseQuantity and self.doseRange), sum(each is not None for each in rates) > 1


class _Repeat(Struct, gc=False):
    boundsPeriod: Period | None = None
    boundsDuration: Stated | None = None
    boundsRange: _Range | None = None
    count: Raw = _ABSENT
    countMax: Raw = _ABSENT
    frequency: Raw = _ABSENT
    frequencyMax: Raw = _ABSENT
    period: Raw = _ABSENT
    periodMax: Raw = _ABSENT
    periodUnit: Scalar = None
    dayOfWeek: list[Scalar] | Scalar = None
    timeOfDay: list[Scalar] | Scalar = None
    when: list[Scalar] | Scalar = None


class _Timing(Struct, gc=False):
    event: list[Scalar] | None = None
    repeat: _Repeat | None = None
    code: CodeableConcept | None = None


class _Dosage(Struct, gc=False):
    sequence: Raw = _ABSENT
    text: Raw = _ABSENT
    patientInstruction: Raw = _ABSENT
    timing: Raw = _ABSENT
    asNeededBoolean: Scalar = None
    asNeededCodeableConcept: Raw = _ABSENT
    asNeededFor: Raw = _ABSENT
    """R5's."""
    route: Raw = _ABSENT
    doseAndRate: Raw = _ABSENT
    maxDosePerPeriod: Raw = _ABSENT
    maxDosePerAdministration: Raw = _ABSENT
    maxDosePerLifetime: Raw = _ABSENT
    doseQuantity: Stated | None = None
    """STU3's."""
    doseRange: _Range | None = None


@dataclass(slots=True)
class _Step:
    """One step while it is read: what was found, and what was noticed."""

    setting: Setting
    values: dict[str, Any] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)

    def read(self, raw: Any, kind: Any, fault: str) -> Any:
        """A part of the dosage; one that cannot be read is flagged, and the others stand."""
        try:
            return None if raw is None else decode(bytes(raw), kind)
        except Unusable:
            self.flags.append(fault)
            return None

    def number(self, name: str, raw: Any, *, whole: bool = False) -> None:
        """A number of a timing; one that is none, or less than nothing, is flagged."""
        if raw is None or bytes(raw) == b"null":
            return
        try:
            value = plain(number_of(bytes(raw))[0])
        except Unusable:
            value = Raw(b"-")
        size = float(bytes(value).strip(b"-") or b"0")
        none = (name in _ABOVE_NOTHING and not size) or size > LONGEST_BARE
        if bytes(value).startswith(b"-") or none or (whole and b"." in bytes(value)):
            self.flags.append("timing-unreadable")
        else:
            self.values[name] = value

    def add(self, found: Found) -> None:
        """What another rule found."""
        self.values |= found.values
        self.flags += found.flags


_ABOVE_NOTHING = frozenset({"frequency", "period", "count"})
"""Nobody takes something no times, or every nought days."""
FIRST = ("dose", "dose_low", "dose_high", "dose_unit", "route", "as_needed")
"""Fields of the first step that stand in the record, too."""
DOSAGE = (*FIRST, "end", "end_date", "steps")


def dosage() -> Rule:
    """List of Dosage → the first step's dose, route and as-needed, when the last one ends; the steps, where they tell more."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        steps, flags = steps_of(raw, setting)
        if not steps:
            return Found({}, flags)
        values = {name: steps[0].get(name) for name in FIRST} | _end(steps)
        tells_more = len(steps) > 1 or not steps[0].keys() <= {*FIRST}
        return Found(values | ({"steps": steps} if tells_more else {}), flags)

    return Rule(DOSAGE, read, modified=True)


def steps_of(raw: bytes, setting: Setting) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Dosages as steps by sequence, else as listed; and what was noticed. One modified in an unknown way is left out."""
    listed = decode(raw, list[Raw] | None) or [] if raw[:1] != b"{" else [Raw(raw)]
    steps = [_step(bytes(each), setting) for each in listed if bytes(each) != b"null"]
    found = [step.values for step in steps if any(step.values)]
    flags = dict.fromkeys(flag for step in steps for flag in step.flags)
    return sorted(found, key=_sequence), tuple(flags)


def ends(raw: bytes | None, setting: Setting) -> bool:
    """Whether dosages say when the last of their steps ends."""
    try:
        return raw is not None and bool(_end(steps_of(raw, setting)[0]))
    except Unusable:
        return False


def _sequence(step: dict[str, Any]) -> tuple[bool, int]:
    place = step.get("sequence")
    return place is None, 0 if place is None else int(bytes(place))


def _end(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The latest end; none where the last step has none."""
    if not steps or not steps[-1].get("end_date"):
        return {}
    last = max(
        (step for step in steps if step.get("end_date")), key=lambda step: (step["end_date"], step.get("end") or "")
    )
    return {"end": last.get("end"), "end_date": last["end_date"]}


def _step(raw: bytes, setting: Setting) -> _Step:
    step = _Step(setting)
    if b'"modifierExtension"' in raw:
        raw, modified = without_modified(raw)
        step.flags += [f"{path.partition('.')[0] or 'dosage'}-modified" for path in modified]
    source: _Dosage | None = step.read(raw, _Dosage | None, "dosage-unreadable")
    if source is None:  # or modified in a way nobody here knows
        return step
    step.number("sequence", source.sequence, whole=True)
    listed = step.read(source.doseAndRate, list[_DoseAndRate | None] | _DoseAndRate | None, "dose-unreadable")
    listed = [listed] if isinstance(listed, _DoseAndRate) else listed
    if source.doseAndRate is None and (source.doseQuantity or source.doseRange):
        listed = [_DoseAndRate(doseQuantity=source.doseQuantity, doseRange=source.doseRange)]
    _dose(step, listed)
    _most(step, source)
    _timing(step, step.read(source.timing, _Timing | None, "timing-unreadable"))
    _as_needed(step, source)
    step.values["route"] = _codings(step, step.read(source.route, CodeableConcept | None, "route-unreadable"))
    step.values = {name: value for name, value in step.values.items() if value not in (None, "", [])}
    in_words = source.text is not None or source.patientInstruction is not None
    if in_words and step.values.keys() <= {"sequence", "as_needed"} and not step.flags:
        step.flags.append("text-withheld")
    return step


def _as_needed(step: _Step, source: _Dosage) -> None:
    written = text_of(source.asNeededBoolean).lower()
    said = {"true": True, "false": False}.get(written)
    if written and said is None:
        step.flags.append("as-needed-unreadable")
    named = source.asNeededCodeableConcept or source.asNeededFor
    if said is False and named is not None:
        step.flags.append("dosage-contradictory")
    concept = _merged(step.read(named, list[CodeableConcept | None] | CodeableConcept | None, "as-needed-unreadable"))
    step.values["as_needed"] = said if concept is None else True
    step.values["as_needed_for"] = _codings(step, concept)


def _merged(given: list[CodeableConcept | None] | CodeableConcept | None) -> CodeableConcept | None:
    """Several concepts as one of all their codings."""
    if not isinstance(given, list):
        return given
    told = [each for each in given if each is not None]
    return CodeableConcept(coding=[one for each in told for one in each.codings], text=told[0].text) if told else None


def _codings(step: _Step, concept: CodeableConcept | None) -> list[dict[str, str]]:
    if concept is None:
        return []
    usable, flags, _ = usable_codings(concept, step.setting)
    step.flags += flags
    if not usable and text_of(concept.text):
        step.flags.append("text-withheld")
    return shared_codings(usable, step.setting)


# ---------------------------------------------------------------- how much


def _dose(step: _Step, listed: list[_DoseAndRate | None] | None) -> None:
    """The dose as ordered; of several others none, unless they are the same."""
    given = [each for each in listed or [] if each is not None]
    doses = [each for each in given if each.doseQuantity or each.doseRange]
    rates = [each for each in given if each.rateQuantity or each.rateRange or each.rateRatio]
    if (dose := _ordered(doses)) is not None and not dose.tells_twice[0]:
        if dose.doseQuantity is not None:
            step.add(amount(dose.doseQuantity, "dose", "dose_unit", step.setting))
        elif dose.doseRange is not None:
            _range(step, dose.doseRange, "dose")
    elif doses:
        step.flags.append("several-doses")
    if (rate := _ordered(rates)) is not None and not rate.tells_twice[1]:
        if rate.rateRange is not None:
            _range(step, rate.rateRange, "rate")
        step.add(amount(rate.rateQuantity, "rate", "rate_unit", step.setting))
        step.add(amount_per(rate.rateRatio, "rate", "rate_unit", step.setting))
    elif rates:
        step.flags.append("several-rates")


def _ordered(listed: list[_DoseAndRate]) -> _DoseAndRate | None:
    ordered = [each for each in listed if each.type and _says(each.type, "ordered")] or listed
    return ordered[0] if ordered and all(each == ordered[0] for each in ordered) else None


def _says(concept: CodeableConcept, code: str) -> bool:
    said = [text_of(coding.code) for coding in concept.codings] or [text_of(concept.text)]
    return code in [each.lower() for each in said]


def _range(step: _Step, source: _Range, what: str) -> None:
    unit = f"{what}_unit"
    ends = (f"{what}_low", source.low), (f"{what}_high", source.high)
    low, high = (amount(end, name, unit, step.setting) for name, end in ends)
    units = {found.values[unit] for found in (low, high) if unit in found.values}
    if len(units) > 1:
        step.flags.append(f"{what}-unit-unknown")
        return
    step.add(low)
    step.add(high)
    if falls(*(step.values.get(name) for name, _ in ends)):
        step.flags.append("dosage-contradictory")


def _most(step: _Step, source: _Dosage) -> None:
    """What is not to be exceeded."""
    for raw, name in (
        (source.maxDosePerAdministration, "max_dose"),
        (source.maxDosePerLifetime, "max_dose_lifetime"),
    ):
        step.add(amount(step.read(raw, Stated | None, "dose-unreadable"), name, f"{name}_unit", step.setting))
    most = step.read(source.maxDosePerPeriod, Ratio | None, "dose-unreadable")
    step.add(amount_per(most, "max_dose_period", "max_dose_period_unit", step.setting))


# ---------------------------------------------------------------- how often, from when to when


def _timing(step: _Step, source: _Timing | None) -> None:
    if source is None:
        return
    repeat = source.repeat or _Repeat()
    for name, raw in (
        ("frequency", repeat.frequency),
        ("frequency_max", repeat.frequencyMax),
        ("count", repeat.count),
        ("count_max", repeat.countMax),
    ):
        step.number(name, raw, whole=True)
    step.number("period", repeat.period)
    step.number("period_max", repeat.periodMax)
    if "period" in step.values:
        step.values["period_unit"] = _period_unit(step, text_of(repeat.periodUnit))
        if repeat.frequency is None:
            step.values["frequency"] = Raw(b"1")  # FHIR's default
    elif text_of(repeat.periodUnit):
        step.flags.append("timing-unreadable")
    step.values["times_of_day"] = len(_each(repeat.timeOfDay)) or None
    days = {text_of(each).lower()[:3] for each in _each(repeat.dayOfWeek)}
    times = {text_of(each) for each in _each(repeat.when)}
    step.values["days_of_week"] = [day for day in DAYS_OF_WEEK if day in days]
    step.values["when"] = sorted(WHEN & times)
    if not (days <= {*DAYS_OF_WEEK} and times <= WHEN):
        step.flags.append("timing-unreadable")
    for name in ("frequency", "count", "period"):
        if falls(step.values.get(name), step.values.get(f"{name}_max")):
            step.flags.append("dosage-contradictory")
    _schedule(step, source.code)
    _events(step, source.event or [])
    _bounds(step, repeat)


def _each(found: list[Scalar] | Scalar) -> list[Scalar]:
    """A list, or one alone."""
    return found if isinstance(found, list) else [] if found is None else [found]


def _period_unit(step: _Step, said: str) -> str | None:
    """The unit of a period, in any case and as a word; another one, or none, is flagged: nobody knows how often."""
    unit = said if said in PERIOD_UNITS else TIMES.get(said.lower(), said.lower())
    if unit not in PERIOD_UNITS:
        step.flags.append("timing-unreadable")
        return None
    if unit != said:
        step.flags.append("timing-repaired")
    return unit


_HOW_OFTEN = ("frequency", "times_of_day", "days_of_week", "when")


def _schedule(step: _Step, concept: CodeableConcept | None) -> None:
    """A schedule's name says how often, where the timing does not."""
    named = [text_of(coding.code).upper() for coding in concept.codings] if concept else []
    code = next((code for code in named if code in SCHEDULES), None)
    if code is None and concept is not None and (text := " ".join(text_of(concept.text).lower().split())):
        code = SPOKEN.get(text.replace("-", " "))
        step.flags.append("text-withheld" if code is None else "from-text")
    elif code is None and any(named) and not any(map(step.values.get, _HOW_OFTEN)):
        step.flags.append("timing-unreadable")  # a schedule of the hospital's own
    step.values["timing_code"] = code
    if code is not None and "period_unit" in step.values and not as_often(step.values, SCHEDULES[code]):
        step.flags.append("dosage-contradictory")
    if code is not None and "frequency" not in step.values:
        frequency, period, unit = SCHEDULES[code]
        step.values |= {"frequency": frequency, "period": period, "period_unit": unit}


def _events(step: _Step, listed: list[Scalar]) -> None:
    """The days on which it is taken, where they are named."""
    days = set()
    for each in listed:
        found = period_found(Period(start=text_of(each)), ("moment", "day"), None, step.setting)
        step.flags += [*found.flags, *["timing-unreadable"] * bool(found.dropped)]
        days.add(found.values.get("day") or "")
    step.values["dates"] = sorted(days - {""})


def _bounds(step: _Step, repeat: _Repeat) -> None:
    if repeat.boundsPeriod is not None:
        found = period_found(repeat.boundsPeriod, ("start", "start_date"), ("end", "end_date"), step.setting)
        step.add(found)
        step.flags += ["timing-unreadable"] * bool(found.dropped)
    step.add(days_of(repeat.boundsDuration, "days", step.setting))
    if repeat.boundsRange is not None:
        step.add(days_of(repeat.boundsRange.low, "days_low", step.setting))
        step.add(days_of(repeat.boundsRange.high, "days_high", step.setting))
