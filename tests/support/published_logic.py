"""The published measures once more, read from their CQL straight over FHIR resources: a second implementation to compare with.

Times are milliseconds, the earliest and the latest they can be, and the offset they are written with: days are those of that offset,
instants are compared in UTC. Of times that are stated to another precision neither is before the other, unless they cannot be of one
day. Yes, no and unknown are True, False and None.
Nothing here knows records, the mapping or the measure language.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from math import inf, trunc
from typing import Any, NamedTuple

Resource = dict[str, Any]
DAY = 86_400_000


class Time(NamedTuple):
    """A date or dateTime: when it is in UTC, and how far its own clock is ahead."""

    first: float
    last: float
    ahead: float = 0


Interval = tuple[Time, Time]
EVER, FOREVER, UNKNOWN = Time(-inf, -inf), Time(inf, inf), Time(-inf, inf)
FINAL = ("final", "amended", "corrected")
ORDERS = ("order", "original-order", "reflex-order", "filler-order", "instance-order")
NOT_OUTPATIENT = ("EMER", "IMP", "ACUTE", "NONAC", "PRENC", "SS")


def milliseconds(text: str) -> Time:
    """A date or dateTime."""
    if "T" not in text:
        first = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return Time(_of(first), _of(first) + DAY - 1)
    told = datetime.fromisoformat(text)
    ahead = told.utcoffset() or timedelta()
    return Time(_of(told), _of(told), ahead.total_seconds() * 1000)


def _of(moment: datetime) -> float:
    return round(moment.timestamp() * 1000)


def days(time: Time) -> Time:
    """As days since 1970."""
    return Time(*(each if abs(each) == inf else (each + time.ahead) // DAY for each in time[:2]))


def no_later(one: Time, other: Time) -> bool | None:
    """`one` ≤ `other`."""
    if one.last < other.first or (one[:2] == other[:2] != UNKNOWN[:2]):
        return True
    return False if one.first > other.last else None


def earlier(one: Time, other: Time) -> bool | None:
    """`one` < `other`."""
    found = no_later(other, one)
    return None if found is None else not found


def both(*answers: bool | None) -> bool | None:
    """Three-valued and."""
    return False if False in answers else None if None in answers else True


def by_day(interval: Interval) -> Interval:
    """Both ends as days."""
    return days(interval[0]), days(interval[1])


def overlaps(one: Interval, other: Interval) -> bool | None:
    """Something is in both."""
    return both(no_later(one[0], other[1]), no_later(other[0], one[1]))


def within(time: Time, other: Interval) -> bool | None:
    """A point in an interval."""
    return both(no_later(other[0], time), no_later(time, other[1]))


def during(one: Interval, other: Interval) -> bool | None:
    """One interval in another."""
    return both(no_later(other[0], one[0]), no_later(one[1], other[1]))


def moved(time: Time, *, months: int = 0, days: int = 0) -> Time:
    """By calendar time; of a month that lacks the day its last one."""
    first, last = (each if abs(each) == inf else _moved(each + time.ahead, months, days) for each in time[:2])
    return Time(first - time.ahead, last - time.ahead, time.ahead)


def just_before(time: Time) -> Time:
    """A millisecond earlier: the end of an interval that is open there."""
    return Time(time.first - 1, time.first - 1)


def _moved(at: float, months: int, days: int) -> float:
    start = datetime.fromtimestamp(at // 1000, UTC)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = (date(year + month // 11, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return _of(start.replace(year=year, month=month + 1, day=min(start.day, last)) + timedelta(days=days)) + at % 1000


class Patient:
    """One patient's resources, a measurement year, and who decides whether a coding is of a value set or code."""

    def __init__(self, resources: Sequence[Resource], year: int, is_of: Callable[[Resource, str], bool]) -> None:
        self.resources, self.year, self.is_of = resources, year, is_of
        self.patient = next(each for each in resources if each["resourceType"] == "Patient")
        self.period = milliseconds(f"{year}-01-01T00:00:00Z"), milliseconds(f"{year}-12-31T23:59:59.999Z")
        self.in_days = by_day(self.period)

    # ------------------------------------------------------------ what there is

    def among(self, concept: Any, names: Sequence[str]) -> bool:
        """A CodeableConcept, or one of a list of them, has a coding of one of these."""
        listed = concept if isinstance(concept, list) else [concept] if concept else []
        return any(self.is_of(coding, name) for each in listed for coding in each.get("coding", ()) for name in names)

    def all_of(self, kind: str, field: str = "code", *names: str) -> Iterator[Resource]:
        """Resources of a type whose code is among these."""
        for each in self.resources:
            if each["resourceType"] == kind and self.among(each.get(field), names):
                yield each

    def visits(self, *names: str) -> list[Resource]:
        """isEncounterPerformed."""
        seen = ("finished",) if self.year > 2025 else ("finished", "arrived", "triaged", "in-progress", "onleave")
        return [each for each in self.all_of("Encounter", "type", *names) if each["status"] in seen]

    def results(self, *names: str, statuses: Sequence[str] = FINAL, category: str = "") -> list[Resource]:
        """Observations by status; until 2025 also by category."""
        found = [each for each in self.all_of("Observation", "code", *names) if each["status"] in statuses]
        if self.year == 2025 and category:
            found = [each for each in found if _said(each.get("category"), category)]
        return found

    def assessments(self, *names: str) -> list[Resource]:
        """isAssessmentPerformed."""
        return self.results(*names, category="survey")

    def conditions(self, *names: str) -> list[Resource]:
        """Conditions of both profiles; from 2026 `verified()`."""
        found = list(self.all_of("Condition", "code", *names))
        if self.year == 2025:
            return found
        sure = ("confirmed", "unconfirmed", "provisional", "differential")
        return [
            each
            for each in found
            if "verificationStatus" not in each or any(_said(each["verificationStatus"], one) for one in sure)
        ]

    def ordered(self, kind: str, *names: str, statuses: Sequence[str] = ("active", "completed")) -> list[Resource]:
        """Orders that are to be carried out."""
        intents = ("order",) if self.year == 2025 else ORDERS
        field = {"DeviceRequest": "codeCodeableConcept", "MedicationRequest": "medicationCodeableConcept"}
        found = self.all_of(kind, field.get(kind, "code"), *names)
        return [
            each
            for each in found
            if each["status"] in statuses and each["intent"] in intents and not each.get("doNotPerform")
        ]

    def done(self, *names: str) -> list[Resource]:
        """isInterventionPerformed, isProcedurePerformed."""
        return [each for each in self.all_of("Procedure", "code", *names) if each["status"] == "completed"]

    # ------------------------------------------------------------ when it was

    def span(self, resource: Resource, name: str) -> Interval | None:
        """A dateTime or Period as an interval: no end is for ever, no start is not known, but not after the end."""
        if (at := resource.get(f"{name}DateTime") or resource.get(name) if name != "period" else None) is not None:
            return milliseconds(at), milliseconds(at)
        period = resource.get("period" if name == "period" else f"{name}Period")
        if period is None:
            return None
        start, end = period.get("start"), period.get("end")
        last = milliseconds(end) if end else FOREVER
        return milliseconds(start) if start else Time(-inf, last.last), last

    def latest(self, resource: Resource) -> Time | None:
        """latest(): the end, where there is one."""
        span = self.span(resource, "effective")
        return None if span is None else span[0] if span[1] == FOREVER else span[1]

    def prevalence(self, condition: Resource) -> Interval:
        """prevalenceInterval()."""
        start, end = self._onset(condition), self._abatement(condition)
        if end is None:
            active = any(_said(condition.get("clinicalStatus"), each) for each in ("active", "recurrence", "relapse"))
            if not active:
                return UNKNOWN, UNKNOWN  # a query over null is null
            end = FOREVER
        return start, end

    def _onset(self, condition: Resource) -> Time:
        if (age := condition.get("onsetAge")) is not None:
            return self._aged(age)
        found = self.span(condition, "onset")
        return EVER if found is None else found[0]

    def _abatement(self, condition: Resource) -> Time | None:
        if (age := condition.get("abatementAge")) is not None:
            return moved(self._aged(age), months=12, days=-1)
        if "abatementDateTime" in condition:
            return milliseconds(condition["abatementDateTime"])
        end = condition.get("abatementPeriod", {}).get("end")
        if end is None:
            return None
        first, last, ahead = milliseconds(end)
        return Time(first - 1, last - 1, ahead) if "T" in end else Time(first - DAY, last - DAY)

    def _aged(self, age: Resource) -> Time:
        return moved(milliseconds(self.patient["birthDate"]), months=12 * age["value"])

    def supply(self, request: Resource) -> Interval | None:
        """medicationRequestPeriod()."""
        dosage = (request.get("dosageInstruction") or [{}])[0]
        repeat = dosage.get("timing", {}).get("repeat", {})
        bounds = repeat.get("boundsPeriod", {})
        dispense = request.get("dispenseRequest", {})
        starts = (bounds.get("start"), request.get("authoredOn"), dispense.get("validityPeriod", {}).get("start"))
        start = next((milliseconds(each[:10]) for each in starts if each), None)
        total = _days_supplied(dosage, repeat, dispense)
        if start is None:
            return None
        if total is not None:
            return start, moved(start, days=trunc(total - 1))
        return (start, milliseconds(bounds["end"][:10])) if bounds.get("end") else None

    def age(self, at: Time) -> int:
        """Full years."""
        born, now = (
            date.fromisoformat(self.patient["birthDate"]),
            datetime.fromtimestamp((at.first + at.ahead) / 1000, UTC).date(),
        )
        return now.year - born.year - ((now.month, now.day) < (born.month, born.day))

    # ------------------------------------------------------------ what libraries share

    def any_overlaps(self, found: Sequence[Resource], name: str, when: Interval) -> bool:
        """Some of them overlaps days of an interval."""
        spans = [self.prevalence(each) if name == "prevalence" else self.span(each, name) for each in found]
        return any(span is not None and overlaps(by_day(span), by_day(when)) is True for span in spans)

    def hospice(self) -> bool:
        """Has Hospice Services."""
        out = [each for each in self.visits("inpatient") if self._to_hospice(each)]
        said = [each for each in self.assessments("hospice asked") if self._answered(each, "yes")]
        ordered = self.ordered("ServiceRequest", "hospice care")
        return (
            any(within(days(_span(self, each)[1]), self.in_days) is True for each in out)
            or self.any_overlaps(self.visits("hospice visit"), "period", self.period)
            or self.any_overlaps(said, "effective", self.period)
            or any(self._authored_in_period(each) for each in ordered)
            or self.any_overlaps(self.done("hospice care"), "performed", self.period)
            or self.any_overlaps(self.conditions("hospice diagnosis"), "prevalence", self.period)
        )

    def _to_hospice(self, visit: Resource) -> bool:
        told = visit.get("hospitalization", {}).get("dischargeDisposition")
        return self.among(told, ("to hospice home", "to hospice facility"))

    def _answered(self, result: Resource, *names: str) -> bool:
        return self.among(result.get("valueCodeableConcept"), names)

    def _authored_in_period(self, request: Resource) -> bool:
        at = request.get("authoredOn")
        return at is not None and within(days(milliseconds(at)), self.in_days) is True

    def palliative(self) -> bool:
        """Has Palliative Care in the Measurement Period."""
        return (
            self.any_overlaps(self.assessments("palliative asked"), "effective", self.period)
            or self.any_overlaps(self.conditions("palliative diagnosis"), "prevalence", self.period)
            or self.any_overlaps(self.visits("palliative visit"), "period", self.period)
            or self.any_overlaps(self.done("palliative care"), "performed", self.period)
        )

    def frail(self) -> bool:
        """Has Criteria Indicating Frailty."""
        asked = [each for each in self.assessments("equipment asked") if self._answered(each, "frailty device")]
        ends = [span[1] for each in asked if (span := self.span(each, "effective"))]
        symptoms = self.results("frailty symptom", statuses=("preliminary", *FINAL))
        return (
            any(self._authored_in_period(each) for each in self.ordered("DeviceRequest", "frailty device"))
            or any(within(days(end), self.in_days) is True for end in ends)
            or self.any_overlaps(self.conditions("frailty diagnosis"), "prevalence", self.period)
            or self.any_overlaps(self.visits("frailty visit"), "period", self.period)
            or self.any_overlaps(symptoms, "effective", self.period)
        )

    def ill(self) -> bool:
        """Advanced illness, or dementia medications, in the year before or during the period; or in a null interval, turned into instants."""
        wide = moved(self.period[0], months=-12), self.period[1]
        starts = [self.prevalence(each)[0] for each in self.conditions("advanced illness")]
        supplies = [
            self.supply(each) for each in self.ordered("MedicationRequest", "dementia drugs", statuses=("active",))
        ]
        return any(within(days(start), by_day(wide)) is True for start in starts) or any(
            each is None or overlaps(by_day(each), by_day(wide)) is True for each in supplies
        )

    def nursing_home(self) -> bool:
        """Is Age 66 or Older Living Long Term in a Nursing Home."""
        asked = [
            (span[1], each) for each in self.assessments("housing asked") if (span := self.span(each, "effective"))
        ]
        asked = [one for one in asked if no_later(days(one[0]), self.in_days[1]) is True]
        last = max(asked, key=lambda one: one[0], default=None)
        return last is not None and self.age(self.period[1]) >= 66 and self._answered(last[1], "nursing home")

    def seen(self, *names: str) -> bool:
        """A visit of these kinds within the period."""
        return any(during(by_day(_span(self, each)), self.in_days) is True for each in self.visits(*names))


def _said(concepts: Any, code: str) -> bool:
    listed = concepts if isinstance(concepts, list) else [concepts] if concepts else []
    return any(coding.get("code") == code for each in listed for coding in each.get("coding", ()))


def _span(patient: Patient, visit: Resource) -> Interval:
    found = patient.span(visit, "period")
    return (UNKNOWN, UNKNOWN) if found is None else found


def _days_supplied(dosage: Resource, repeat: Resource, dispense: Resource) -> float | None:
    """As it is written: `Count` of no times of day is 0, never null, and nothing is divided by 0."""
    fills = 1 + (dispense.get("numberOfRepeatsAllowed") or 0)
    if (given := dispense.get("expectedSupplyDuration", {}).get("value")) is not None:
        return float(given * fills)
    quantity = dispense.get("quantity", {}).get("value")
    how = (dosage.get("doseAndRate") or [{}])[0]
    dose = how.get("doseRange", {}).get("high", how.get("doseQuantity", {})).get("value")
    often, period = repeat.get("frequencyMax", repeat.get("frequency")), repeat.get("period")
    unit = {"h": 1 / 24, "d": 1, "wk": 7, "mo": 30, "a": 365}.get(repeat.get("periodUnit", ""))
    a_day = often / (period * unit) if often and period and unit else len(repeat.get("timeOfDay", ()))
    if quantity is None or not dose or not a_day:
        return None
    return float(round(quantity / (dose * a_day) * fills, 6))


def _lowest(values: Sequence[float | None]) -> float | None:
    """First of an ascending order, in which nulls stand first."""
    return None if None in values or not values else min(each for each in values if each is not None)


OUTPATIENT = ("office", "wellness", "established adult", "initial adult", "home care", "virtual", "telephone")


def cms165(one: Patient) -> list[dict[str, bool]]:
    """Controlling high blood pressure."""
    half = one.period[0], just_before(moved(one.period[0], months=6))
    hypertensive = [one.prevalence(each) for each in one.conditions("hypertension")]
    initial = (
        18 <= one.age(one.period[1]) <= 85
        and any(overlaps(each, half) is True for each in hypertensive)
        and one.seen(*OUTPATIENT)
    )
    sick = [one.prevalence(each) for each in one.conditions("pregnancy", "esrd", "transplanted", "ckd5")]
    done = [span for each in one.done("transplant", "dialysis") if (span := one.span(each, "performed"))]
    monthly = [_span(one, each)[0] for each in one.visits("esrd visit")]
    age = one.age(one.period[1])
    excluded = (
        one.hospice()
        or any(overlaps(each, one.period) is True for each in sick)
        or any(no_later(span[1], one.period[1]) is True for span in done)
        or any(no_later(start, one.period[1]) is True for start in monthly)
        or (66 <= age <= 80 and one.frail() and one.ill())
        or (age >= 81 and one.frail())
        or one.nursing_home()
        or one.palliative()
    )
    readings = [(latest, each) for each in one.results("blood pressure") if (latest := one.latest(each))]
    readings = [reading for reading in readings if _counts(one, *reading)]
    last = max((days(at)[0] for at, _ in readings), default=None)
    of_day = [each for at, each in readings if days(at)[0] == last]
    high = _lowest([_part(one, each, "systolic") for each in of_day])
    low = _lowest([_part(one, each, "diastolic") for each in of_day])
    met = high is not None and low is not None and high < 140 and low < 90
    return [_scored(initial, excluded, met)]


def _counts(one: Patient, latest: Time, reading: Resource) -> bool:
    reference = reading.get("encounter", {}).get("reference", "").rpartition("/")[2]
    visit = next(
        (each for each in one.resources if each["resourceType"] == "Encounter" and each["id"] == reference), None
    )
    other = visit is None or visit["class"]["code"] not in NOT_OUTPATIENT
    if other and within(days(latest), one.in_days) is True:
        return True
    stays = [by_day(_span(one, each)) for each in one.visits("inpatient", "emergency")]
    return one.year > 2025 and not any(within(days(latest), stay) is True for stay in stays)


def _part(one: Patient, panel: Resource, name: str) -> float | None:
    parts = [each for each in panel.get("component", ()) if one.among(each.get("code"), (name,))]
    value = parts[0].get("valueQuantity", {}).get("value") if len(parts) == 1 else None
    return None if value is None else float(value)


def cms122(one: Patient) -> list[dict[str, bool]]:
    """Glycemic status above 9 %."""
    diabetes = one.conditions("diabetes")
    kinds: tuple[str, ...] = OUTPATIENT
    if one.year > 2025:
        diabetes = [each for each in diabetes if _said(each.get("category"), "encounter-diagnosis")]
        kinds = (*(each for each in OUTPATIENT if each != "virtual"), "nutrition", "nutrition therapy")
    initial = (
        18 <= one.age(one.period[1]) <= 75 and one.seen(*kinds) and one.any_overlaps(diabetes, "prevalence", one.period)
    )
    excluded = (
        one.hospice()
        or one.nursing_home()
        or (one.age(one.period[1]) >= 66 and one.frail() and one.ill())
        or one.palliative()
    )
    tests = [(at, each) for each in one.results("hba1c", "gmi", category="laboratory") if (at := one.latest(each))]
    dated = [(days(at).first, each) for at, each in tests if within(days(at), one.in_days) is True]
    last = max((at for at, _ in dated), default=None)
    numbers = [each.get("valueQuantity", {}).get("value") for at, each in dated if at == last]
    lowest = _lowest(numbers)
    return [_scored(initial, excluded, lowest is None or lowest > 9)]


def cms155(one: Patient) -> list[dict[str, bool]]:
    """Weight assessment and counselling."""
    kinds = ("office", "individual", "established child", "initial child", "group", "home care", "telephone")
    initial = 3 <= one.age(one.period[1]) <= 17 and one.seen(*kinds)
    pregnant = list(one.all_of("Condition", "code", "pregnancy"))
    excluded = one.hospice() or any(overlaps(one.prevalence(each), one.period) is True for each in pregnant)

    def measured(name: str) -> bool:
        found = [
            each for each in one.results(name) if "comparator" not in each.get("valueQuantity", {"comparator": "<"})
        ]
        return any((span := one.span(each, "effective")) and _inside(one, span) for each in found)

    def counselled(name: str) -> bool:
        return any((span := one.span(each, "performed")) and _inside(one, span) for each in one.done(name))

    numerators = (
        measured("bmi") and measured("height") and measured("weight"),
        counselled("for nutrition"),
        counselled("for activity"),
    )
    return [_scored(initial, excluded, bool(each)) for each in numerators]


def _inside(one: Patient, span: Interval) -> bool:
    return during(by_day(span), one.in_days) is True


def cms2(one: Patient) -> list[dict[str, bool]]:
    """Screening for depression and follow-up plan."""
    visits = [_span(one, each) for each in one.all_of("Encounter", "type", *SCREENED) if each["status"] == "finished"]
    visits = [each for each in visits if _inside(one, each)]
    age = one.age(one.period[0])
    bipolar = [
        one.prevalence(each)[0]
        for each in one.all_of("Condition", "code", "bipolar")
        if any(_said(each.get("category"), kind) for kind in ("problem-list-item", "health-concern"))
    ]
    exact = one.year == 2025
    excluded = any(
        (earlier(start, visit[0]) if exact else earlier(days(start), days(visit[0]))) is True
        for start in bipolar
        for visit in visits
    )
    young, adult = _met(one, visits, "adolescents"), _met(one, visits, "adults")
    met = (12 <= age <= 16 and young) or (age == 17 and (young or adult)) or (age >= 18 and adult)
    excepted = any(
        _not_done(one, visits, kind) and not _screenings(one, visits, kind) for kind in ("adolescents", "adults")
    )
    return [_scored(age >= 12 and bool(visits), excluded, met, excepted)]


SCREENED = ("to screen", "physical therapy", "telephone")


def _before(time: Time, start: Time) -> bool:
    """14 days or less on or before the day of the start."""
    first, last = days(time), days(start)
    return both(no_later(first, last), no_later(Time(last.first - 14, last.last - 14), first)) is True


def _screenings(one: Patient, visits: Sequence[Interval], kind: str) -> list[tuple[Interval, Resource]]:
    final = ("final",) if one.year == 2025 else ("final", "corrected")
    found = []
    for each in one.results(f"screening of {kind}", statuses=final):
        span = one.span(each, "effective")
        answered = any(name.startswith("value") for name in each)
        if span and answered and any(_before(span[1], visit[0]) for visit in visits):
            found.append((span, each))
    return found


def _met(one: Patient, visits: Sequence[Interval], kind: str) -> bool:
    found = _screenings(one, visits, kind)
    if not found:
        return False
    span, last = max(found, key=lambda one: one[0][0])
    if one._answered(last, "negative"):
        return True
    if not one._answered(last, "positive"):
        return False
    return any(_followed(one, visits, visit, kind, span) for visit in visits if _before(span[0], visit[0]))


def _followed(one: Patient, visits: Sequence[Interval], visit: Interval, kind: str, screened: Interval) -> bool:
    for each in one.all_of("Procedure", "code", f"follow up of {kind}"):
        span = one.span(each, "performed")
        at_visit = span is not None and within(span[0], visit) is True
        if each["status"] == "completed" and span and at_visit and within(days(span[0]), one.in_days) is True:
            return True
    orders = [
        each
        for each in one.all_of("ServiceRequest", "code", f"referral of {kind}")
        if each["status"] in ("active", "completed") and not each.get("doNotPerform")
    ]
    orders += [
        each for each in one.ordered("MedicationRequest", f"drugs of {kind}") if _taken(one, visits, each, screened)
    ]
    for each in orders:
        at, end = days(milliseconds(each["authoredOn"])), days(visit[1])
        soon = both(no_later(end, at), no_later(at, Time(end.first + 2, end.last + 2)))
        if soon is True and within(at, one.in_days) is True:
            return True
    return False


def _taken(one: Patient, visits: Sequence[Interval], request: Resource, screened: Interval) -> bool:
    """From 2026: supplied on after the end of a visit that the screening was for, or in a null interval, turned into instants."""
    supply = one.supply(request)
    if one.year == 2025 or supply is None:
        return True
    first, last = by_day(supply)
    return any(
        _before(screened[0], visit[0]) and both(no_later(first, days(visit[1])), earlier(days(visit[1]), last)) is True
        for visit in visits
    )


def _not_done(one: Patient, visits: Sequence[Interval], kind: str) -> bool:
    for each in one.results(f"screening of {kind}", statuses=("cancelled",)):
        why = [
            told["valueCodeableConcept"] for told in each.get("extension", ()) if told["url"].endswith("notDoneReason")
        ]
        issued = each.get("issued")
        if issued is None or not one.among(why, ("declined", "medical reason")):
            continue
        at = milliseconds(issued)
        exact = one.year == 2025
        if any((within(at, visit) if exact else within(days(at), by_day(visit))) is True for visit in visits):
            return True
    return False


def cms159(one: Patient) -> list[dict[str, bool]]:
    """Depression remission at twelve months."""
    identified = moved(one.period[0], months=-14), just_before(moved(one.period[0], months=-2))
    depressed = [one.prevalence(each) for each in _sure(one, "depression", "dysthymia")]
    visits = [_span(one, each) for each in one.all_of("Encounter", "type", "contact") if each["status"] == "finished"]
    visits = [
        each
        for each in visits
        if within(days(each[1]), by_day(identified)) is True
        and any(overlaps(each, other) is True for other in depressed)
    ]
    scores = [(span, each) for each in one.results("phq-9") if (span := one.span(each, "effective"))]
    high = [
        span
        for span, each in scores
        if each.get("valueInteger", 0) > 9
        and any(during(by_day(span), (days(moved(v[0], days=-7)), days(v[1]))) is True for v in visits)
    ]
    index = min(high, key=lambda span: span[0], default=None)
    if index is None:
        return [_scored(False, False, False)]
    year_later = moved(days_back(index[0]), months=12)
    after = moved(year_later, days=-60), moved(year_later, days=60)
    again = [(span[0], each) for span, each in scores if within(days(span[0]), by_day(after)) is True]
    last = max(again, key=lambda each: each[0], default=None)
    whole = identified[0], after[1]
    other = _sure(one, "bipolar", "personality", "schizophrenia", "developmental")
    excluded = (
        _in_hospice(one, whole)
        or _in_palliative(one, whole)
        or _dead(one, after[1])
        or any(no_later(days(one.prevalence(each)[0]), days(after[1])) is True for each in other)
    )
    met = last is not None and last[1].get("valueInteger", 99) < 5
    return [_scored(one.age(moved(index[0], days=-1)) >= 12, excluded, met)]


def days_back(time: Time) -> Time:
    """The day as a Date: at midnight, where it is compared to the instant."""
    first = days(time).first * DAY
    return Time(first, first)


def _sure(one: Patient, *names: str) -> list[Resource]:
    """isConfirmedActiveDiagnosis."""
    return [
        each
        for each in one.all_of("Condition", "code", *names)
        if any(_said(each.get("clinicalStatus"), said) for said in ("active", "recurrence", "relapse"))
        and _said(each.get("verificationStatus"), "confirmed")
    ]


def _dead(one: Patient, end: Time) -> bool:
    died = one.patient.get("deceasedDateTime")
    if died is None:
        return False
    return no_later(days(milliseconds(died)), days(_surely(one, end))) is True


def _surely(one: Patient, end: Time) -> Time:
    """Until 2025 an instant is compared to a day without one: on that day it is uncertain."""
    return moved(end, days=-1) if one.year == 2025 else end


def _in_hospice(one: Patient, when: Interval) -> bool:
    out = [each for each in one.all_of("Encounter", "type", "inpatient") if each["status"] == "finished"]
    seen = [
        each
        for each in one.all_of("Encounter", "type", "hospice visit")
        if each["status"] not in ("cancelled", "entered-in-error", "unknown")
    ]
    said = [each for each in one.results("hospice asked") if one._answered(each, "yes")]
    ordered = [
        each
        for each in one.all_of("ServiceRequest", "code", "hospice care")
        if each["status"] in ("active", "completed") and each["intent"] in ORDERS and not each.get("doNotPerform")
    ]
    return (
        any(one._to_hospice(each) and within(days(_span(one, each)[1]), by_day(when)) is True for each in out)
        or one.any_overlaps(seen, "period", when)
        or one.any_overlaps(said, "effective", when)
        or any(within(days(milliseconds(each["authoredOn"])), by_day(when)) is True for each in ordered)
        or one.any_overlaps(_perhaps(one, "hospice care"), "performed", when)
        or one.any_overlaps(_sure(one, "hospice diagnosis"), "prevalence", when)
    )


def _perhaps(one: Patient, name: str) -> list[Resource]:
    said = ("not-done", "entered-in-error", "unknown")
    return [each for each in one.all_of("Procedure", "code", name) if each["status"] not in said]


def _in_palliative(one: Patient, when: Interval) -> bool:
    seen = [each for each in one.all_of("Encounter", "type", "palliative visit") if each["status"] == "finished"]
    spans = [one.span(each, "effective") for each in one.results("palliative asked")]
    spans += [one.prevalence(each) for each in _sure(one, "palliative diagnosis")]
    spans += [_span(one, each) for each in seen]
    spans += [one.span(each, "performed") for each in _perhaps(one, "palliative care")]
    if one.year > 2025:
        return any(overlaps(by_day(span), by_day(when)) is True for span in spans if span)
    to_the_day = when[0], Time(when[1].first, when[1].first + DAY - 1)
    return any(overlaps(span, to_the_day) is True for span in spans if span)


def _scored(initial: bool, excluded: bool, met: bool, excepted: bool | None = None) -> dict[str, bool]:
    """A proportion as FHIR scores it."""
    counting = initial and not excluded
    found = {
        "initial-population": initial,
        "denominator": initial,
        "denominator-exclusion": initial and excluded,
        "numerator": counting and met,
    }
    if excepted is not None:
        found["denominator-exception"] = counting and not met and excepted
    return found


PUBLISHED = {"CMS2": cms2, "CMS122": cms122, "CMS155": cms155, "CMS159": cms159, "CMS165": cms165}
