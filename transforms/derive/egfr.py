"""Kidney function: eGFR by the bedside Schwartz equation below 18 years, by CKD-EPI 2021 from then on."""

from collections.abc import Iterator

from transforms.derive import Derived, Value
from transforms.derive.history import History
from transforms.derive.kinds.growth import HEIGHT, heights
from transforms.derive.references.kidney import bedside_schwartz, ckd_epi_2021

_CREATININE = ("2160-0",)
_ADULT = 18
_CHILD = 1
_HEIGHT_DAYS = 90
_UNIT = "mL/min/{1.73_m2}"


def _schwartz(history: History) -> Iterator[Derived]:
    tall = heights(history)
    for day, creatinine, fact in history.readings(_CREATININE, "mg/dL", above=0):
        years, height = history.birthdays(day), tall.last_before(day, _HEIGHT_DAYS)
        if history.person and height and years is not None and _CHILD <= years < _ADULT:
            yield Derived(fact, bedside_schwartz(height.value, creatinine), (history.person, height.fact, fact))


def _ckd_epi(history: History) -> Iterator[Derived]:
    for day, creatinine, fact in history.readings(_CREATININE, "mg/dL", above=0):
        years = history.birthdays(day)
        if history.person and history.sex and years is not None and years >= _ADULT:
            yield Derived(fact, ckd_epi_2021(history.sex, years, creatinine), (history.person, fact))


VALUES = (
    Value(
        name="egfr-schwartz-2009",
        quantity="estimated glomerular filtration rate",
        unit=_UNIT,
        needs=frozenset({"person", "observation"}),
        codes=frozenset({*_CREATININE, *HEIGHT}),
        window=f"each serum creatinine from 1 to 17 years; height of the day or at most {_HEIGHT_DAYS} days before",
        method="0.413 · height in cm ÷ creatinine in mg/dL",
        sources=("Schwartz GJ et al. J Am Soc Nephrol 2009;20:629-37, doi:10.1681/ASN.2008030287",),
        derive=_schwartz,
    ),
    Value(
        name="egfr-ckd-epi-2021",
        quantity="estimated glomerular filtration rate",
        unit=_UNIT,
        needs=frozenset({"person", "observation"}),
        codes=frozenset(_CREATININE),
        window="each serum creatinine from 18 years on",
        method="CKD-EPI 2021 creatinine, without race; age in completed years",
        sources=("Inker LA et al. N Engl J Med 2021;385:1737-49, doi:10.1056/NEJMoa2102953",),
        derive=_ckd_epi,
    ),
)
