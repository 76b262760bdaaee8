"""What `mainstem charts` and `mainstem funnel` print: a table for a person, JSON, CSV, a picture."""

import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mainstem.commands.charts.series import Judged, warnings
from mainstem.commands.terminal import plain_table, print_json, say, stdout, styled
from schemas.errors import OperatorError
from services.charts.funnel import WINSORISED, Funnel
from services.charts.icons import LEAST, assurance, variation
from services.charts.limits import kinds
from services.charts.patterns import Signal
from services.charts.rebasing import proposals
from services.charts.rules import rule_sets
from services.pages.explaining import explain, explain_runs, many

if TYPE_CHECKING:
    from services.charts.look import Sign

LINES = ("y", "n", "centre", "lower", "upper", "sigma")


def answer_series(judged: Judged, form: str) -> None:
    """The series in the form asked for; what a reader should know besides, on standard error."""
    for line in warnings(judged):
        say(f"{judged.series.path}: {line}", err=True)
    points = _points(judged)
    if form == "json":
        asked, runs = judged.asked, judged.chart.runs
        print_json(
            {"chart": asked.chart, "rules": asked.rules, "points": points, "runs": asdict(runs) if runs else None}
        )
    elif form == "csv":
        _print_csv([{**point, "signals": " ".join(point["signals"])} for point in points])
    elif form == "table":
        _print_series(judged, points)
    else:
        _print_picture(form, lambda: _series_picture(judged))


def answer_funnel(funnel: Funnel, name: str, form: str, higher_is_better: bool | None) -> None:
    """The funnel in the form asked for."""
    points = _places(funnel)
    if form == "json":
        figures = {"centre": funnel.centre, "tau2": funnel.tau2, "phi": funnel.phi, "winsorised": WINSORISED}
        print_json({**figures, "points": points, "conventions": funnel.conventions})
    elif form == "csv":
        _print_csv(points)
    elif form == "table":
        _print_funnel(funnel, name, points)
    else:
        _print_picture(form, lambda: _funnel_picture(funnel, name, higher_is_better))


def _points(judged: Judged) -> list[dict[str, Any]]:
    """The points as they are printed: y is the plotted value."""
    taking = _taking_part(judged.signals)
    return [
        {
            "x": label,
            "y": point.value,
            "n": _whole(point.n),
            "centre": point.centre,
            "lower": point.lower,
            "upper": point.upper,
            "sigma": point.sigma,
            "signals": list(dict.fromkeys(str(signal.rule) for signal in taking.get(place, ()))),
        }
        for place, (label, point) in enumerate(zip(judged.series.labels, judged.chart.points, strict=True))
    ]


def _taking_part(signals: Iterable[Signal]) -> dict[int, list[Signal]]:
    """The signals of each place."""
    found: dict[int, list[Signal]] = {}
    for signal in signals:
        for place in signal.places:
            found.setdefault(place, []).append(signal)
    return found


def _places(funnel: Funnel) -> list[dict[str, Any]]:
    return [
        {
            "site": place.site.name,
            "y": _whole(place.site.y),
            **({"expected": place.site.expected} if funnel.model else {"n": _whole(place.site.n)}),
            "z": place.z,
            "lower2": place.lower2,
            "upper2": place.upper2,
            "lower3": place.lower3,
            "upper3": place.upper3,
            "flag": place.flag,
        }
        for place in funnel.places
    ]


def _whole(number: float | None) -> float | None:
    """A count as a whole number."""
    return int(number) if number is not None and number == int(number) else number


def _print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _print_picture(form: str, specification: Callable[[], dict[str, Any]]) -> None:
    """The picture; a PNG goes into a file or a pipe, not onto a terminal."""
    from services.charts import pictures

    if form == "svg":
        sys.stdout.write(pictures.svg(specification()) + "\n")
        return
    if sys.stdout.isatty():
        raise OperatorError("a PNG is no text for a terminal", "Send it into a file: --png > chart.png")
    sys.stdout.buffer.write(pictures.png(specification()))


def _print_series(judged: Judged, points: Sequence[Mapping[str, Any]]) -> None:
    asked, runs = judged.asked, judged.chart.runs
    kind = kinds()[asked.chart]
    say(f"{kind.name} of {judged.series.path.name}: {many(len(points), 'point')}, rules {asked.rules}")
    _print_table(("x", *LINES), [{**point, "signals": ", ".join(point["signals"])} for point in points], "signals")
    say("")
    for line in stories(judged):
        say(line)
    if runs:
        say(f"Runs: {explain_runs(runs)}.")
    if asked.higher_is_better is not None:
        say(f"Variation: {variation(judged.chart, judged.signals, higher_is_better=asked.higher_is_better)}.")
        if asked.target is not None:
            say(f"Target {asked.target:g}: {assurance(judged.chart, higher_is_better=asked.higher_is_better)}.")
    for line in _proposed(judged):
        say(line)
    say(f"Lines: {kind.convention}.")
    stdout().print(styled(("Picture: ", "bold"), "the same with --svg > chart.svg"), soft_wrap=True)


def _proposed(judged: Judged) -> list[str]:
    """Where new lines may begin; a person decides, and never because it got worse."""
    found = proposals(judged.chart, higher_is_better=judged.asked.higher_is_better)
    places = [judged.series.labels[proposal.first] for proposal in found]
    return [
        f"It got better from {x} on, and stayed so: if you know why, new lines may begin there (--phase {x})."
        for x in places
    ]


def stories(judged: Judged) -> list[str]:
    """Each signal in a sentence; points beyond the same limit together."""
    labels = judged.series.labels
    grouped: dict[object, list[Signal]] = {}
    for signal in judged.signals:
        grouped.setdefault((signal.rule, signal.up) if len(signal.places) == 1 else signal, []).append(signal)
    lines = []
    for signals in grouped.values():
        first = signals[0]
        spans = [labels[s.first] if s.first == s.last else f"{labels[s.first]} to {labels[s.last]}" for s in signals]
        lines.append(
            f"{_called(first, judged.asked.higher_is_better)}, {', '.join(spans)}: {explain(first, 'points')}."
        )
    by_runs = rule_sets()[judged.asked.rules].by_runs and judged.chart.runs
    if by_runs and by_runs.signal:
        lines.append(f"Unusual: {explain_runs(by_runs)}.")
    return lines or [_nothing(judged)]


def _nothing(judged: Judged) -> str:
    """What no signal means: of few points, little."""
    known = sum(point.value is not None for point in judged.chart.points)
    if known < LEAST:
        return f"Nothing stands out, but {many(known, 'point')} can hardly tell change from chance: {LEAST} can."
    return "Nothing stands out: the ups and downs are what chance gives."


def _called(signal: Signal, higher_is_better: bool | None) -> str:
    if higher_is_better is None or signal.up is None:
        return "Unusual"
    return "Better" if signal.up == higher_is_better else "Worse"


def _print_funnel(funnel: Funnel, name: str, points: Sequence[Mapping[str, Any]]) -> None:
    say(f"funnel of {name}: {many(len(points), 'site')}, centre {_short(funnel.centre)}")
    size = "expected" if funnel.model else "n"
    values = [{**point, "value": place.value} for point, place in zip(points, funnel.places, strict=True)]
    columns = ("site", "y", size, "value", "z", "lower2", "upper2", "lower3", "upper3")
    _print_table(columns, [{**value, "flag": value["flag"] or ""} for value in values], "flag")
    say("")
    say(f"Overdispersion: φ {_short(funnel.phi)}, τ² {_short(funnel.tau2)}.")
    for line in funnel.conventions:
        say(f"  {line}")
    say("A site outside differs from the others by more than chance; it says nothing of why. It is no league table.")


def _print_table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], last: str) -> None:
    """Numbers to the right, the last column in words."""

    table = plain_table()
    table.add_column(columns[0])
    for name in columns[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(last)
    for row in rows:
        table.add_row(str(row[columns[0]]), *(_short(row[name]) for name in columns[1:]), str(row[last]))
    stdout().print(table)


def _short(number: float | None) -> str:
    """Four digits that count; whole numbers whole."""
    if number is None:
        return "–"
    return f"{number:,.0f}" if number == int(number) or abs(number) >= 10_000 else f"{number:.4g}"


def _series_picture(judged: Judged) -> dict[str, Any]:
    from services.charts.series_chart import SeriesChart, specification

    asked, chart = judged.asked, judged.chart
    title = f"{kinds()[asked.chart].name} of {judged.series.path.name}"
    said = (
        f"{title}, {many(len(chart.points), 'point')}, centre line {_short(chart.centre)}. {' '.join(stories(judged))}"
    )
    breaks = [phase.first for phase in chart.phases[1:]]
    signs = _signs(judged)
    return specification(SeriesChart(title, said, chart.points, judged.series.labels, signs, asked.target, breaks))


def _signs(judged: Judged) -> "list[Sign]":
    """What the first signal says that a point takes part in."""
    from services.charts.look import Sign

    named = {"Better": Sign.BETTER, "Worse": Sign.WORSE, "Unusual": Sign.ODD}
    taking = _taking_part(judged.signals)
    return [
        named[_called(taking[place][0], judged.asked.higher_is_better)] if place in taking else Sign.NONE
        for place in range(len(judged.chart.points))
    ]


def _funnel_picture(funnel: Funnel, name: str, higher_is_better: bool | None) -> dict[str, Any]:
    from services.charts.funnel_chart import FunnelChart, specification

    outside = [f"{place.site.name} ({place.flag})" for place in funnel.places if place.flag]
    told = f"Outside the limits: {', '.join(outside)}" if outside else "No site is outside the limits"
    said = f"Funnel of {name}, {many(len(funnel.places), 'site')}, centre {_short(funnel.centre)}. {told}."
    return specification(FunnelChart(f"Funnel of {name}", said, funnel, higher_is_better))
