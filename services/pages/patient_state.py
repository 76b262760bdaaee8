"""What is known of one patient before a visit: last states, what is overdue, what stands out. Pure: records in, words out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

Value = tuple[date, float, str | None]
"""When, how much, and the state or band it falls in."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the registry holds of a patient."""

    subject: str
    born: date | None
    sex: str | None
    diagnoses: tuple[tuple[str | None, str | None], ...]
    """SNOMED CT and ICD-10-CM codes."""
    values: Mapping[str, Sequence[Value]]
    """Derived values by their method, in the order of time."""
    treatments: tuple[str, ...] = ()
    raised: tuple[tuple[str, date | None], ...] = ()
    """Open issues of patient and family: topic and when."""
    measured: Mapping[str, Sequence[tuple[date, float]]] = field(default_factory=dict)
    """Height in cm and weight in kg as they were measured, in the order of time."""


@dataclass(frozen=True, slots=True)
class Disease:
    """A condition the network cares for."""

    name: str
    snomed: str
    icd10cm: str
    """A category: `K50` is K50 and K50.*"""


IBD = (Disease("Crohn's disease", "34000006", "K50"), Disease("Ulcerative colitis", "64766004", "K51"))
CF = (Disease("Cystic fibrosis", "190905008", "E84"),)
T1D = (Disease("Type 1 diabetes", "46635009", "E10"),)
ASTHMA = (Disease("Asthma", "195967001", "J45"),)
DISEASES = (*IBD, *CF, *T1D, *ASTHMA)


@dataclass(frozen=True, slots=True)
class State:
    """A state that is told at every visit."""

    method: str
    words: str
    unit: str = ""
    digits: int = 0
    concern: frozenset[str] = frozenset()
    """Bands that stand out."""
    below: float | None = None
    above: float | None = None
    by_word: bool = False
    """Told by its band alone."""
    percentile: bool = False
    """A place among a hundred: there is no place 0, and none behind all."""


POOR_CONTROL = frozenset({"not-well-controlled", "very-poorly-controlled"})
STATES = (
    State("pga-state", "Disease state", concern=frozenset({"moderate", "severe"}), by_word=True),
    State("pucai-state", "PUCAI", concern=frozenset({"moderate", "severe"})),
    State("hba1c-band", "HbA1c", " %", 1, concern=frozenset({"above-9"})),
    State("fev1-percent-predicted-gli2022", "FEV1, share of predicted", " %", below=70),
    State("act-control", "Asthma control (ACT)", concern=POOR_CONTROL),
    State("phq-9-severity", "Depression (PHQ-9)", concern=frozenset({"moderate", "moderately-severe", "severe"})),
    State("systemic-steroid-days-90", "Days on steroids, of 90", above=28),
    State("bmi-percentile", "BMI percentile", below=5, percentile=True),
    State("height-percentile", "Height percentile", below=3, percentile=True),
    State("weight-percentile", "Weight percentile", percentile=True),
)


@dataclass(frozen=True, slots=True)
class Expected:
    """Something that is to be known again and again."""

    words: str
    methods: tuple[str, ...]
    days: int
    diseases: tuple[Disease, ...]
    from_years: int = 0
    source: str = ""


EXPECTED = (
    Expected("Assessment of disease", ("pga-state", "pucai-state", "spcdai-state"), 120, IBD, source="ImproveCareNow"),
    Expected("HbA1c", ("hba1c-band",), 120, T1D, source="ADA Standards of Care: every three months"),
    Expected("PHQ", ("phq-9-severity", "phq-2-screen", "phq-9-screen"), 395, T1D, 12, "ADA: every year from 12 years"),
    Expected("Spirometry", ("fev1-percent-predicted-gli2022",), 120, CF, 6, "CF Foundation: every three months"),
    Expected("Asthma control", ("act-control", "c-act-control"), 120, ASTHMA, source="NAEPP: at every visit"),
    Expected("Height and weight", ("bmi-percentile",), 120, (*IBD, *CF), source="ImproveCareNow, CF Foundation"),
)
"""A third of a month more than the three months that guidelines say, so that a visit a little late is not called overdue."""
FALL, WITHIN = 10.0, timedelta(days=365)
"""FEV1 that fell by so many points below the best of so long stands out."""


def age(kept: Kept, day: date) -> int | None:
    """In full years."""
    if kept.born is None:
        return None
    return day.year - kept.born.year - ((day.month, day.day) < (kept.born.month, kept.born.day))


def diseases(kept: Kept) -> list[str]:
    """Those of `DISEASES` the patient has."""
    return [each.name for each in DISEASES if _has(kept, each)]


def _has(kept: Kept, disease: Disease) -> bool:
    return any(
        snomed == disease.snomed
        or (icd is not None and (icd == disease.icd10cm or icd.startswith(disease.icd10cm + ".")))
        for snomed, icd in kept.diagnoses
    )


def states(kept: Kept) -> list[tuple[str, str, str, str]]:
    """What, last, before, when; of what was ever known."""
    rows = []
    for state in STATES:
        known = kept.values.get(state.method, ())
        if known:
            before = [told(state, value) for value in known[-4:-1]]
            rows.append((state.words, told(state, known[-1]), ", ".join(before) or "–", in_words(known[-1][0])))
    return rows


def told(state: State, value: Value) -> str:
    """A value for people."""
    _, number, band = value
    words = (band or "").replace("-", " ")
    if state.by_word:
        return words or f"{number:.0f}"
    if state.percentile and not 1 <= round(number) <= 99:
        return "below 1" if number < 50 else "above 99"
    said = f"{number:.{state.digits}f}{state.unit}"
    return f"{said} ({words})" if words else said


@dataclass(frozen=True, slots=True)
class Due:
    """What should be known by a day and is not."""

    expected: Expected
    last: date | None


def due(kept: Kept, day: date) -> Iterator[Due]:
    """Each that is due by that day."""
    years = age(kept, day)
    for each in EXPECTED:
        if not any(_has(kept, disease) for disease in each.diseases) or (years is not None and years < each.from_years):
            continue
        last = max((kept.values[method][-1][0] for method in each.methods if kept.values.get(method)), default=None)
        if last is None or day - last > timedelta(days=each.days):
            yield Due(each, last)


def overdue(kept: Kept, day: date) -> Iterator[str]:
    """The same in words."""
    for each in due(kept, day):
        if each.last is None:
            yield f"{each.expected.words}: never recorded"
        else:
            yield f"{each.expected.words}: last on {in_words(each.last)}, {(day - each.last).days} days ago"


def standing_out(kept: Kept) -> Iterator[str]:
    """Last states that want a look."""
    for state in STATES:
        known = kept.values.get(state.method, ())
        if known and (
            known[-1][2] in state.concern
            or (state.below is not None and known[-1][1] < state.below)
            or (state.above is not None and known[-1][1] > state.above)
        ):
            yield f"{state.words}: {told(state, known[-1])} on {in_words(known[-1][0])}"
    lungs = kept.values.get("fev1-percent-predicted-gli2022", ())
    if lungs and (best := _best(lungs)) - lungs[-1][1] >= FALL:
        yield f"FEV1 fell to {lungs[-1][1]:.0f} % from a best of {best:.0f} % within a year"


def _best(lungs: Sequence[Value]) -> float:
    return max(number for day, number, _ in lungs if lungs[-1][0] - day <= WITHIN)


def flags(kept: Kept, day: date) -> tuple[str, ...]:
    """What stands out, and then what is overdue."""
    return (*standing_out(kept), *(f"Overdue. {each}" for each in overdue(kept, day)))


def in_words(day: date) -> str:
    """3 November 2026."""
    return f"{day:%-d %B %Y}"


def in_order(values: Iterable[tuple[str, Value]]) -> dict[str, list[Value]]:
    """By method, in the order of time."""
    found: dict[str, list[Value]] = {}
    for method, value in values:
        found.setdefault(method, []).append(value)
    return {method: sorted(known, key=lambda value: value[0]) for method, known in found.items()}
