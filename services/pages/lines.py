"""The lines of a chart: where phases begin and by whose word, what is proposed, what was tried. Pure: rows in, places out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.charts.chart import BASELINE, Approval, Chart, Phase, draw
from services.charts.point import Subgroup
from services.charts.rebasing import Annotation, Cause, proposals
from services.measures.declared import Change, Measure
from services.measures.evaluate.sentences import YEAR_DAYS
from services.pages.periods import Row
from services.people.phases import Begun
from services.people.tests_of_change import Tried


@dataclass(frozen=True, slots=True)
class Proposed:
    """New lines that a rule proposes and a person may begin."""

    since: date
    label: str
    """The period with which they would begin."""
    cause: Cause


@dataclass(frozen=True, slots=True)
class Stretch:
    """A phase after the first, as the page tells it."""

    since: date
    label: str
    cause: Cause
    by: str
    reason: str
    begun: Begun | None = None
    """None where a new version of the definition began it."""


def chart_of_rows(drawn: Sequence[Row], measure: Measure, stretches: Sequence[Stretch]) -> Chart:
    """The control chart of the rows that count in it."""
    phases = [Phase(baseline=BASELINE)]
    for stretch in stretches:
        place = _place(drawn, stretch.since)
        if place is not None and place > phases[-1].first:
            phases.append(Phase(place, BASELINE, Approval(stretch.by, stretch.reason)))
    target = None if measure.target is None else float(measure.target)
    return draw(measure.chart, [_subgroup(row, measure) for row in drawn], phases=phases, target=target)


def stretches_of(drawn: Sequence[Row], measure: Measure, begun: Iterable[Begun]) -> tuple[Stretch, ...]:
    """Where new lines begin, in their order: with a version of the definition from the second on, and as people approved."""
    found: list[tuple[date, Cause, str, str, Begun | None]] = [
        (date.fromisoformat(change.since + "-01"), Cause.DEFINITION, measure.owner, _versioned(change), None)
        for change in measure.changes[1:]
    ]
    found += [(each.since, each.cause, each.by, each.reason, each) for each in begun]
    return tuple(
        Stretch(since, drawn[place].label, cause, by, reason, kept)
        for since, cause, by, reason, kept in sorted(found, key=lambda each: each[0])
        if (place := _place(drawn, since)) is not None
    )


def _versioned(change: Change) -> str:
    return f"version {change.version} of the definition: {change.what}"


def proposed_in(
    chart: Chart, drawn: Sequence[Row], measure: Measure, tried: Iterable[Tried], begun: Iterable[Begun]
) -> tuple[Proposed, ...]:
    """What the rules propose: never because a measure got worse."""
    places = [place for each in tried if (place := _place(drawn, each.since)) is not None]
    notes = [Annotation(place, Cause.INTERVENTION) for place in places]
    taken = {each.since for each in begun}
    found: dict[date, Proposed] = {}
    for each in proposals(chart, higher_is_better=measure.higher_is_better, annotations=notes):
        row = drawn[each.first]
        if row.start not in taken:
            found.setdefault(row.start, Proposed(row.start, row.label, each.cause))
    return tuple(found.values())


def _place(drawn: Sequence[Row], since: date) -> int | None:
    """Of the first row that begins then or later; a period under way on that day counts as of before."""
    return next((at for at, row in enumerate(drawn) if row.start >= since.replace(day=1) and row.end >= since), None)


def _subgroup(row: Row, measure: Measure) -> Subgroup:
    counts = row.counts
    if measure.kind == "share":
        return Subgroup(counts.met, counts.measured)
    if measure.kind == "rate":
        return Subgroup(counts.events, counts.days / YEAR_DAYS / measure.per_years)
    return Subgroup(row.value, counts.measured, spread=counts.spread)
