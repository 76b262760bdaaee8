"""A series as a control chart: its rows as marks, its signals as signs, in the pages' words; its figures as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from services.charts.control_chart import Axis, ControlChart, Flagpole, Mark, specification
from services.charts.look import Sign
from services.measures.declared import Measure
from services.pages.periods import Row
from services.pages.results import Note, Series
from services.pages.wording import chart_labels, letter_of


def chart_of(
    series: Series, measure: Measure, *, compact: bool = False, beside: Sequence[Series] = ()
) -> dict[str, Any]:
    """The series' chart as a Vega-Lite specification, on one scale with those that stand beside it."""
    centre = series.chart.centre if series.chart else None
    marks = tuple(_mark(row, series) for row in series.rows)
    target = None if measure.target is None else float(measure.target)
    axis = Axis() if measure.kind == "share" else _axis([series, *beside], target, zero=measure.kind == "rate")
    said = described(series)
    labels = chart_labels(measure, centre, target)
    poles = tuple(Flagpole(each.since, letter_of(number)) for number, each in enumerate(series.tried))
    return specification(ControlChart(marks, centre, labels, said, axis, target, poles), compact=compact)


def described(series: Series) -> str:
    """What the chart shows, for who does not see it."""
    return " ".join([f"Control chart of {series.title}: {series.headline}", *(_told(note) for note in series.notes)])


def _axis(some: Iterable[Series], target: float | None, *, zero: bool) -> Axis:
    """From the lowest to the highest of points, limits and target, rounded to what is read easily; a rate from nothing."""
    rows = [row for series in some for row in series.rows]
    told = [value for row in rows if row.point for value in (row.point.lower, row.point.upper) if value is not None]
    told += [row.value for row in rows if row.value is not None]
    told += [target] if target is not None else []
    return Axis.around([*told, 0.0] if zero else told)


def figures_of(series: Series) -> str:
    """The figures behind the series' chart as CSV, a row a period in their order; what does not exist, or is not told, is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["start", "end", "complete", "seen", "measured", "met", "value", "centre", "lower", "upper", "signals"]
    )
    for row in series.rows:
        lines = (row.point.centre, row.point.lower, row.point.upper) if row.point else (None, None, None)
        told = "; ".join(note.text for note in series.notes if note.number in row.notes)
        counts = (None, None, None, None) if row.withheld else (row.seen, row.measured, row.met, row.value)
        writer.writerow([row.start, row.end, "yes" if row.complete else "no", *counts, *lines, told])
    return out.getvalue()


def _told(note: Note) -> str:
    called = "Unusual" if note.better is None else "Better" if note.better else "Worse"
    return f"{called}, {note.when}: {note.text}."


def _mark(row: Row, series: Series) -> Mark:
    return Mark(
        start=row.start,
        end=row.end,
        label=row.label if row.complete else f"{row.label} (so far)",
        seen=row.seen,
        measured=row.measured,
        met=row.met,
        value=row.value,
        lower=row.point.lower if row.point else None,
        upper=row.point.upper if row.point else None,
        centre=row.point.centre if row.point else None,
        phase=row.phase,
        hollow=row.small or not row.complete,
        sign=_sign(row, series),
        number=" ".join(str(note.number) for note in series.notes if note.last == row.start),
    )


def _sign(row: Row, series: Series) -> Sign:
    """What the first signal says that the row is part of."""
    note = next((note for note in series.notes if note.number in row.notes), None)
    if note is None:
        return Sign.NONE
    if note.better is None:
        return Sign.ODD
    return Sign.BETTER if note.better else Sign.WORSE
