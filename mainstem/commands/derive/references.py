"""The references that can be tried on a file: what each reads, what it gives, how it is computed."""

import re
from abc import ABC, abstractmethod
from typing import ClassVar, get_args

from mainstem.commands.derive.cells import Cells, Row
from schemas.errors import OperatorError
from transforms.derive.references import gli, growth
from transforms.derive.references.growth import Measure, Sex, Ungiven


class Reference(ABC):
    """A published reference, row by row."""

    name: ClassVar[str]
    what: ClassVar[str]
    must: ClassVar[tuple[str, ...]]
    """Columns without which nothing can be told."""
    measured: ClassVar[tuple[str, ...]]
    """Columns of measurements, at least one of them."""
    others: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]]
    method: ClassVar[tuple[str, ...]]
    sources: ClassVar[tuple[str, ...]]

    @property
    def reads(self) -> tuple[str, ...]:
        """All columns."""
        return self.must + self.others + self.measured

    def told(self) -> dict[str, str | list[str]]:
        """For `mainstem derive show`."""
        lists = {"reads": self.reads, "gives": self.gives, "method": self.method, "sources": self.sources}
        return {"name": self.name, "what": self.what} | {key: list(each) for key, each in lists.items()}

    def answer(self, cells: Cells) -> Row:
        """One row: every column of `gives`, then the methods and why a cell is empty."""
        row: Row = dict.fromkeys(name for name in self.gives if self.asked(name, cells))
        methods: dict[str, None] = {}
        if not cells.unread and (sex := cells.sex()):
            self._fill(row, methods, cells, sex)
        return row | {"method": "; ".join(methods) or None, "why_empty": "; ".join(cells.reasons) or None}

    def asked(self, column: str, cells: Cells) -> bool:
        """Whether a file asks for a column of `gives`."""
        return True

    @abstractmethod
    def _fill(self, row: Row, methods: dict[str, None], cells: Cells, sex: Sex) -> None: ...


class Growth(Reference):
    """WHO 2006 below 24 months, CDC 2000 from then on, extended BMI at and above P95."""

    name = "growth"
    what = "Height, weight, BMI and head circumference for age: z-score and percentile."
    must = ("sex", "age_months")
    measured = ("height_cm", "weight_kg", "bmi", "head_cm")
    gives = (
        *("height_z", "height_percentile", "weight_z", "weight_percentile"),
        *("bmi_z", "bmi_percentile", "bmi_percent_of_p95", "head_z", "head_percentile"),
    )
    method = (
        "Below 24 months WHO 2006 (stature is length; weeks to the twelfth and months, L, M, S linear in age between them, "
        "at most 0.03 SD from WHO's tables by day; weight and BMI beyond 3 SD in steps of the outermost SD, as WHO computes them).",
        "From 24 to 240 months CDC 2000 by LMS, L, M, S linear in age between the published rows; head to 36 months.",
        "BMI at and above CDC's P95: 90 + 10·Φ((BMI − P95)/σ), σ by sex and age in years (CDC 2022); z from it, 8.21 at most, "
        "as CDC's programs tell it.",
        "BMI from height and weight where its cell is empty; head_cm may be left out, and with it what is told of it.",
    )
    sources = (
        "https://www.cdc.gov/growthcharts/cdc-data-files.htm",
        "https://www.cdc.gov/growthcharts/who-data-files.htm",
        "https://www.cdc.gov/growthcharts/extended-bmi.htm",
        "https://www.who.int/tools/child-growth-standards",
    )
    _measures: ClassVar[tuple[tuple[Measure, str, str, float, float], ...]] = (
        ("stature", "height", "height_cm", 20, 280),
        ("weight", "weight", "weight_kg", 0.2, 700),
        ("head", "head", "head_cm", 10, 100),
    )

    def asked(self, column: str, cells: Cells) -> bool:
        """Head circumference where there is a column of it."""
        return not column.startswith("head_") or cells.has("head_cm")

    def _fill(self, row: Row, methods: dict[str, None], cells: Cells, sex: Sex) -> None:
        months = cells.number("age_months", 0, 1500)
        if months is None:
            return
        values: dict[str, float | None] = {}
        for measure, prefix, column, low, high in self._measures:
            if measure == "head" and not cells.has(column):
                continue
            values[prefix] = cells.number(column, low, high)
            _place(row, methods, cells, prefix, values[prefix], measure, sex, months)
        bmi = _bmi(cells, values["height"], values["weight"])
        _place(row, methods, cells, "bmi", bmi, "bmi", sex, months)
        if bmi is not None and months < growth.CDC_FROM:
            cells.because("bmi_percent_of_p95 begins at 24 months")


def _bmi(cells: Cells, height: float | None, weight: float | None) -> float | None:
    if cells.said("bmi"):
        return cells.number("bmi", 1, 500)
    if height is None or weight is None:
        cells.because("bmi is empty and cannot be computed")
        return None
    return weight / (height / 100) ** 2


def _place(
    row: Row,
    methods: dict[str, None],
    cells: Cells,
    prefix: str,
    value: float | None,
    measure: Measure,
    sex: Sex,
    months: float,
) -> None:
    if value is None:
        return
    found = growth.grown(measure, sex, months, value)
    if isinstance(found, Ungiven):
        cells.because(f"{prefix}: {found.reason}")
        return
    row[f"{prefix}_z"], row[f"{prefix}_percentile"] = found.z, found.percentile
    if measure == "bmi":
        row["bmi_percent_of_p95"] = found.percent_of_p95
    methods[f"{prefix} {found.method}"] = None


class Lungs(Reference):
    """GLI-2012 by ethnic group and GLI Global 2022."""

    name = "gli"
    what = "FEV1, FVC and their ratio: predicted, per cent of predicted, z-score, lower limit of normal."
    must = ("sex", "age_years", "height_cm")
    others = ("ethnicity",)
    measured = ("fev1_l", "fvc_l")
    gives = tuple(
        f"{measure}_{quantity}_{edition}"
        for edition in ("gli2012", "gli2022")
        for measure in get_args(gli.Lungs)
        for quantity in ("predicted", "percent_predicted", "z", "lln")
    )
    method = (
        "gli2012: GLI-2012 by ethnic group (caucasian, african-american, ne-asian, se-asian, other); "
        "gli2022: GLI Global, race-neutral. Ages 3 to 95 years, fractions too.",
        "Splines are linear in age between the quarters of a year that GLI publishes; all else is by exact age and height.",
        "fev1, fvc in litres; fev1fvc is their ratio, a fraction. z by L, M, S.",
        "lln: the 5th percentile as GLI publishes it, z = -1.645.",
    )
    sources = (
        "Quanjer PH et al. Eur Respir J 2012;40:1324-43, doi:10.1183/09031936.00080312",
        "Bowerman C et al. Am J Respir Crit Care Med 2023;207:768-74, doi:10.1164/rccm.202205-0963OC",
    )

    def _fill(self, row: Row, methods: dict[str, None], cells: Cells, sex: Sex) -> None:
        years, height = cells.number("age_years", 0, 130), cells.number("height_cm", 20, 280)
        if years is None or height is None:
            return
        group = _group(cells.text("ethnicity"))
        values = {"fev1": cells.number("fev1_l", 0.01, 20), "fvc": cells.number("fvc_l", 0.01, 20)}
        values["fev1fvc"] = _ratio(cells, values["fev1"], values["fvc"])
        for measure in get_args(gli.Lungs):
            by_group = gli.gli_2012(measure, sex, years, height, group)
            _expect(row, methods, cells, measure, "gli2012", by_group, values[measure])
            by_all = gli.gli_2022(measure, sex, years, height)
            _expect(row, methods, cells, measure, "gli2022", by_all, values[measure])


def _group(text: str) -> str:
    """As the column calls it, or as GLI does."""
    said = re.sub(r"[\s_/-]+", "-", text.lower())
    return _CALLED.get(said, said)


_CALLED = {
    **dict.fromkeys(("north-east-asian", "northeast-asian"), "ne-asian"),
    **dict.fromkeys(("south-east-asian", "southeast-asian"), "se-asian"),
    **dict.fromkeys(("other-mixed", "mixed"), "other"),
}


def _ratio(cells: Cells, fev1: float | None, fvc: float | None) -> float | None:
    if fev1 is None or fvc is None:
        return None
    if fev1 > fvc:
        cells.because("fev1fvc: fev1_l is above fvc_l")
        return None
    return fev1 / fvc


def _expect(
    row: Row,
    methods: dict[str, None],
    cells: Cells,
    measure: str,
    edition: str,
    found: gli.Predicted | Ungiven,
    value: float | None,
) -> None:
    if isinstance(found, Ungiven):
        cells.because(f"{edition}: {found.reason}")
        return
    methods[edition] = None
    row[f"{measure}_predicted_{edition}"], row[f"{measure}_lln_{edition}"] = found.predicted, found.lln
    if value is not None:
        row[f"{measure}_percent_predicted_{edition}"] = found.percent(value)
        row[f"{measure}_z_{edition}"] = found.z(value)


REFERENCES: dict[str, Reference] = {each.name: each for each in (Growth(), Lungs())}


def reference_of(name: str) -> Reference:
    """The reference of a name."""
    if found := REFERENCES.get(name):
        return found
    raise OperatorError(f"no reference {name}", f"There are: {', '.join(REFERENCES)}.")
