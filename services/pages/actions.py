"""The one thing to do next about a measure, by rule: what is missing first, then what got worse, then what got better."""

from services.charts.icons import LEAST, Assurance, Variation
from services.charts.rebasing import Cause
from services.measures.declared import Measure
from services.pages.results import Note, Series

WITHIN = 6
"""A signal that ended more than so many points ago is past: what is said is of now."""


def next_action(series: Series, measure: Measure) -> str:
    """A sentence in the imperative."""
    if broken := _broken(series):
        return broken
    if not series.seen:
        return "Nobody whom it counts was seen in the time shown: nothing, unless you know of somebody."
    if not series.drawn:
        return (
            "People were seen and nobody was measured: find out whether it is not done, or does not reach the registry."
        )
    current = [note for note in series.notes if _current(series, note)]
    if worse := next((note for note in current if note.better is False), None):
        return (
            f"Find out what changed before {worse.first:%B %Y}: look through the patients who did not reach it since then, together, "
            "and note what you try."
        )
    if improved := next((each for each in series.proposed if each.cause is Cause.IMPROVEMENT), None):
        return f"Keep what brought the change. If it is meant to stay, let new lines begin with {improved.label}, so that the next change shows."
    if any(note.better for note in current):
        return "Keep what brought the change, and tell the network what you did: other sites want to learn it."
    if odd := next((note for note in current if note.better is None), None):
        return f"Look at how {odd.when} was counted: a pattern like this often comes from the data."
    return _usual(series, measure)


def _usual(series: Series, measure: Measure) -> str:
    """Nothing stands out."""
    if series.chart is None:
        return "Too few people for limits: look at each of them, not at ups and downs of the share."
    if series.variation is Variation.TOO_FEW:
        return f"Too early to tell change from chance: from {LEAST} points on the chart does. Until then look at the people behind the figure."
    if series.assurance is Assurance.MET:
        return "Nothing: the target will be met if nothing changes. Look elsewhere for what to improve."
    wanted = "the target will be missed" if series.assurance is Assurance.MISSED else "to do better"
    end = "unless something is changed" if series.assurance is Assurance.MISSED else "something has to be changed"
    return f"The ups and downs are chance: {wanted} {end}. Plan a test of change, and note from when on it is tried."


def _broken(series: Series) -> str | None:
    """What is missing of the data, and who can mend it."""
    if series.lacking:
        return f"Ask your IT for {', '.join(series.lacking)}: never loaded, so the figures are not known."
    gaps = [gap for known in series.site.types.values() for gap in known.gaps] if series.site else []
    if gaps and series.stopped:
        return f"Mend the data first: {gaps[0]['reason']}. {gaps[0].get('fix') or 'Ask your IT.'}"
    if series.stopped:
        return f"Nobody was measured after {series.stopped.label}: find out whether it is not done, or does not reach the registry."
    return None


def _current(series: Series, note: Note) -> bool:
    drawn = [row for row in series.rows if row.point is not None]
    return any(note.number in row.notes for row in drawn[-WITHIN:])
