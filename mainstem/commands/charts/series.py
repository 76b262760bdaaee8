"""A file's rows as subgroups of a chart, and the chart as it was asked for."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path

from mainstem.commands.charts.columns import Row, read_rows
from mainstem.commands.charts.totals import named_as_total, refuse_totals
from schemas.errors import OperatorError
from services.charts.chart import Chart, Phase, draw
from services.charts.limits import Takes, kinds
from services.charts.patterns import Signal
from services.charts.point import Subgroup
from services.charts.rules import rule_sets

DATED = re.compile(r"\d{4}-(\d\d|Q\d|W\d\d)")
"""How a date begins that sorts as text."""
DATES = (
    "%Y/%m/%d",
    "%Y/%m",
    "%d.%m.%Y",
    "%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%Y",
    "%b %Y",
    "%B %Y",
    "%b-%y",
    "%d %b %Y",
)
"""Others that are read, to see whether time goes forward."""


@dataclass(frozen=True, slots=True)
class Series:
    """A file's subgroups in their order, each with its x."""

    path: Path
    labels: tuple[str, ...]
    subgroups: tuple[Subgroup, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for on the command line."""

    chart: str
    rules: str
    baseline: int | None = None
    phases: tuple[str, ...] = ()
    target: float | None = None
    higher_is_better: bool | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The chart, its signals, and what was asked for."""

    series: Series
    asked: Asked
    chart: Chart
    signals: tuple[Signal, ...]


def read_series(path: Path, kind: str) -> Series:
    """The file's subgroups as the kind of chart takes them."""
    _known(kind, kinds(), "--chart")
    takes = kinds()[kind].takes
    rows = read_rows(path, COLUMNS[takes], f"--chart {kind}")
    for row in rows:
        if not row.text("x"):
            raise row.fault("x", "is empty", "Say in each row when it was, or which: points are told apart by it.")
    if takes is Takes.READINGS:
        return _grouped(path, rows)
    series = Series(path, tuple(row.text("x") for row in rows), tuple(READERS[takes](row) for row in rows))
    refuse_totals(rows, "x", ("y", "n") if "n" in COLUMNS[takes] else ("y",))
    return series


def judge(series: Series, asked: Asked) -> Judged:
    """The chart with its signals."""
    _known(asked.rules, rule_sets(), "--rules")
    if asked.target is not None and not isfinite(asked.target):
        raise OperatorError(f"--target {asked.target} is not a number", "Give what is wanted, such as --target 0.6.")
    phases = [Phase(place, asked.baseline) for place in _places(series, asked.phases)]
    chart = draw(asked.chart, series.subgroups, phases=phases, target=asked.target)
    return Judged(series, asked, chart, tuple(chart.signals(asked.rules)))


def warnings(judged: Judged) -> list[str]:
    """What a reader of the chart should know: no limits, a short baseline, an order that runs backwards, an x of several points or of a total."""
    found, labels, baseline = [], judged.series.labels, judged.asked.baseline
    point = next((point for point in judged.chart.present if point.value is not None), None)
    if point is None:
        found.append("no point has a value")
    elif judged.asked.chart not in ("run", "given") and all(one.upper is None for one in judged.chart.present):
        found.append("too few values for limits")
    if baseline and judged.asked.chart != "given" and judged.chart.baseline < baseline:
        found.append(f"--baseline {baseline}: {judged.chart.baseline} known are there, by which the lines are set")
    if _backwards(labels):
        found.append("x does not go forward in time from row to row: points are taken in the order of the file")
    if len({*labels}) < len(labels):
        found.append("an x stands in several rows: each is a point of its own")
    found += [f"'{x}' is called like a total or a mean, and is a point of its own" for x in labels if named_as_total(x)]
    return found


def _known(name: str, names: Iterable[str], option: str) -> None:
    choices = sorted(names)
    if name not in choices:
        raise OperatorError(f"{option} {name}: there is no such", f"Choose one of {', '.join(choices)}.")


def _places(series: Series, wanted: Sequence[str]) -> list[int]:
    """Where phases begin: the first point, and those named by their x."""
    places = {0}
    for x in wanted:
        if x not in series.labels:
            raise OperatorError(
                f"--phase {x}: {series.path} has no such x", "Give the x of the first point of the phase."
            )
        places.add(series.labels.index(x))
    return sorted(places)


def _share(row: Row) -> Subgroup:
    y, n = row.number("y", least=0, whole=True), row.number("n", least=0, whole=True)
    if y is not None and n is not None and y > n:
        raise row.fault(
            "y", "is more than n", "y counts those of the n who reached it; events over a size are --chart u."
        )
    return _of(y, n)


def _rate(row: Row) -> Subgroup:
    y, n = row.number("y", least=0, whole=True), row.number("n", least=0)
    if y and n == 0:
        raise row.fault("n", "is 0 where y is not", "Give what the events happened in, or leave both empty.")
    return _of(y, n)


def _of(y: float | None, n: float | None) -> Subgroup:
    """A count of a denominator; without one of them there is no value."""
    return Subgroup(None if n is None else y, n)


def _lines(row: Row) -> Subgroup:
    y, centre, sigma = row.number("y"), row.number("centre"), row.number("sigma", least=0)
    if y is not None and centre is None:
        raise row.fault("centre", "is empty where y is not", "Give the centre line of every point.")
    return Subgroup(y, centre=centre, sigma=sigma)


COLUMNS = {
    Takes.SHARES: ("x", "y", "n"),
    Takes.RATES: ("x", "y", "n"),
    Takes.MEASUREMENTS: ("x", "y"),
    Takes.READINGS: ("x", "y"),
    Takes.GAPS: ("x", "y"),
    Takes.LINES: ("x", "y", "centre", "sigma"),
}
READERS: dict[Takes, Callable[[Row], Subgroup]] = {
    Takes.SHARES: _share,
    Takes.RATES: _rate,
    Takes.MEASUREMENTS: lambda row: Subgroup(row.number("y")),
    Takes.GAPS: lambda row: Subgroup(row.number("y", least=0)),
    Takes.LINES: _lines,
}


def _grouped(path: Path, rows: Iterable[Row]) -> Series:
    """Rows of the same x as one subgroup, in the order in which each x comes first."""
    readings: dict[str, list[float]] = {}
    for row in rows:
        ours = readings.setdefault(row.text("x"), [])
        value = row.number("y")
        if value is not None:
            ours.append(value)
    return Series(path, tuple(readings), tuple(Subgroup(readings=tuple(values)) for values in readings.values()))


def _backwards(labels: Sequence[str]) -> bool:
    """Whether the labels are all dates, or all numbers, and do not rise."""
    if all(DATED.match(label) for label in labels):
        return list(labels) != sorted(labels)
    orders = list(_orders(labels))
    return bool(orders) and all(order != sorted(order) for order in orders)


def _orders(labels: Sequence[str]) -> Iterator[list[float]]:
    """The labels as numbers, and as moments by each way of writing dates in which all of them are."""
    for read in (float, *(_moment(form) for form in DATES)):
        try:
            yield [read(label) for label in labels]
        except (ValueError, OverflowError):
            continue


def _moment(form: str) -> Callable[[str], float]:
    return lambda label: float(datetime.strptime(label, form).date().toordinal())
