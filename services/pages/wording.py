"""What charts, signals and figures are called on the pages, in plain words."""

from collections.abc import Sequence
from datetime import UTC, date

from schemas.loads import LoadEventType
from services.charts.control_chart import Labels
from services.measures.measure import Measure
from services.pages.periods import Row
from services.registry.completeness import SiteCompleteness


def chart_labels(centre: float | None) -> Labels:
    """A control chart's texts."""
    return Labels(
        period="When",
        share="Share",
        met="Reached it",
        measured="Measured",
        unmeasured="Seen, not measured",
        centre="" if centre is None else f"average {centre:.0%}",
        upper="upper limit",
        lower="lower limit",
    )


def percent(share: float | None) -> str:
    """A proportion for people."""
    return "–" if share is None else f"{share:.0%}"


def title_of(site: str) -> str:
    """A site's id as a name."""
    return site.replace("-", " ").replace("_", " ").title()


def freshness(site: SiteCompleteness) -> str:
    """When the site's data were last brought, in plain words."""
    if site.last_completed is None:
        return "no load completed yet"
    when = f"{site.last_completed.astimezone(UTC):%-d %B %Y, %H:%M} UTC"
    if site.last_event == LoadEventType.FAILED:
        return f"{when}; the load after it failed"
    if missing := sorted(name for name, known in site.types.items() if known.gaps):
        return f"{when}; incomplete: {', '.join(missing)}"
    return when


def headline(measure: Measure, where: str, rows: Sequence[Row], since: str) -> str:
    """The last complete period with visits in plain words; else the one under way; else that nobody was seen."""
    seen = [row for row in rows if row.seen]
    row = next((row for row in reversed(seen) if row.complete), seen[-1] if seen else None)
    if row is None:
        return measure.sentence(
            where, f"the time since {date.fromisoformat(since + '-01'):%B %Y}", measured=0, met=0, unmeasured=0
        )
    when = row.label if row.complete else f"{row.label} so far"
    return measure.sentence(where, when, measured=row.measured, met=row.met, unmeasured=row.unmeasured)


def day(moment: date) -> str:
    """A date, or the date of an instant, for people."""
    return f"{moment:%-d %B %Y}"
