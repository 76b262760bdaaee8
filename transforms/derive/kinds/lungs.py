"""What spirometry is expected to give, and where a reading stands, by both editions of GLI."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from transforms.derive import Derived, Value
from transforms.derive.history import Fact, History
from transforms.derive.kinds.growth import HEIGHT, heights
from transforms.derive.references.gli import Lungs, Predicted, gli_2012, gli_2022
from transforms.derive.references.growth import Sex, Ungiven

FEV1 = ("20150-9",)
FVC = ("19868-9", "19870-5")
RATIO = ("19926-5",)
_HEIGHT_DAYS = 90
"""How old the height may be below 20 years; from then on the last since."""
_GROWN_YEARS = 20.0
_GROUPS = {"2106-3": "caucasian", "2054-5": "african-american"}
"""CDC race to GLI-2012's groups. Asian tells neither north-east nor south-east, so it is `other`, as all else."""
_WHOLE = 100
_UNKNOWN = {"NI", "UN", "OT", "UNK", "ASKU"}


class Blown(NamedTuple):
    """A reading of spirometry: litres, or the ratio as a fraction."""

    day: int
    value: float
    anchor: Fact
    inputs: tuple[Fact, ...]


def group_of(person: Fact) -> str | None:
    """GLI-2012's group of a person: more than one race is mixed; none known, none."""
    races = set(person.race) - _UNKNOWN
    if not races:
        return None
    return _GROUPS.get(races.pop(), "other") if len(races) == 1 else "other"


def by_gli(
    name: str,
    measure: Lungs,
    read: Callable[[History], Iterable[Blown]],
    codes: frozenset[str],
    unit: str,
    scale: float,
) -> tuple[Value, ...]:
    """Predicted, per cent of predicted and z-score, by GLI-2012 and GLI Global 2022."""
    forms = (
        ("predicted", "predicted", unit, lambda found, _value: found.predicted * scale),
        ("percent-predicted", "percent predicted", "%", Predicted.percent),
        ("z", "z-score", "{Zscore}", Predicted.z),
    )
    return tuple(
        Value(
            name=f"{name}-{form}-{edition}",
            quantity=quantity,
            unit=form_unit,
            needs=frozenset({"person", "observation"}),
            codes=codes | frozenset(HEIGHT),
            window=f"each reading; height of the day or at most {_HEIGHT_DAYS} days before, from 20 years on the last since",
            method=f"{source}; ages 3 to 95, splines linear between quarters of a year{group}",
            sources=(doi,),
            derive=_expected(measure, read, edition, tell),
        )
        for edition, source, group, doi in (
            ("gli2012", "GLI-2012", "; group by race: White, Black, all else other", "doi:10.1183/09031936.00080312"),
            ("gli2022", "GLI Global 2022, race-neutral", "", "doi:10.1164/rccm.202205-0963OC"),
        )
        for form, quantity, form_unit, tell in forms
    )


def _expected(
    measure: Lungs,
    read: Callable[[History], Iterable[Blown]],
    edition: str,
    tell: Callable[[Predicted, float], float],
) -> Callable[[History], Iterator[Derived]]:
    def derive(history: History) -> Iterator[Derived]:
        if (sex := history.sex) is None or history.born is None or (person := history.person) is None:
            return
        tall = heights(history)
        for each in read(history):
            years = history.years(each.day) or 0.0
            grown = int((years - _GROWN_YEARS) * 365.25)
            height = tall.last_before(each.day, max(_HEIGHT_DAYS, grown))
            found = _predicted(edition, measure, sex, years, height.value, person) if height else None
            if height and isinstance(found, Predicted):
                yield Derived(each.anchor, tell(found, each.value), (person, height.fact, *each.inputs))

    return derive


def _predicted(
    edition: str, measure: Lungs, sex: Sex, years: float, height: float, person: Fact
) -> Predicted | Ungiven | None:
    if edition == "gli2022":
        return gli_2022(measure, sex, years, height)
    group = group_of(person)
    return None if group is None else gli_2012(measure, sex, years, height, group)


def litres(codes: tuple[str, ...]) -> Callable[[History], Iterator[Blown]]:
    """All readings of some codes."""

    def read(history: History) -> Iterator[Blown]:
        return (Blown(day, value, fact, (fact,)) for day, value, fact in history.readings(codes, "L", above=0))

    return read


def ratios(history: History) -> Iterator[Blown]:
    """FEV1/FVC as the site wrote it down; of a day without, FEV1 over the FVC of its time, or the day's only one.

    Nobody breathes out more in the first second than in all: of such two there is no ratio.
    """
    said, volumes = history.readings(RATIO, "%"), history.readings(FVC, "L", above=0)
    days = set(said.days)
    yield from (Blown(day, value / 100, fact, (fact,)) for day, value, fact in said if 0 < value <= _WHOLE)
    for day, value, fact in history.readings(FEV1, "L", above=0):
        same_day = volumes.of_day(day)
        fitting = [each for each in same_day if each.fact.effective == fact.effective] or same_day
        if day not in days and len(fitting) == 1 and value <= fitting[0].value:
            yield Blown(day, value / fitting[0].value, fact, (fact, fitting[0].fact))
