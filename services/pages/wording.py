"""What charts, signals and figures are called on the pages, in plain words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, timedelta
from math import ceil

from markupsafe import Markup, escape

from schemas.loads import LoadEventType
from services.charts.control_chart import Labels
from services.charts.icons import Assurance, Variation
from services.measures.declared import Measure
from services.measures.evaluate.aside import SetAsideReason
from services.measures.evaluate.counts import Counts
from services.measures.evaluate.sentences import sentence
from services.pages.explaining import many
from services.pages.periods import Row
from services.registry.completeness import SiteCompleteness


def chart_labels(measure: Measure, centre: float | None, target: float | None) -> Labels:
    """A control chart's texts."""
    rate = measure.kind == "rate"
    return Labels(
        period="When",
        share={"share": "Share", "rate": f"In {measure.per_years} years", "level": "Value"}[measure.kind],
        met="Events" if rate else "Reached it",
        measured="Followed" if rate else "Measured",
        unmeasured="Not followed" if rate else "Seen, not measured",
        centre="" if centre is None else f"average {shown(centre, measure)}",
        upper="upper limit",
        lower="lower limit",
        target="" if target is None else f"target {shown(target, measure)}",
    )


def shown(value: float | None, measure: Measure) -> str:
    """What a point shows, for people: a share in per cent, a rate or a level with one decimal."""
    if value is None:
        return "–"
    if measure.kind == "share":
        return f"{value:.0%}"
    return f"{value:.1f}{f' {measure.unit}' if measure.unit else ''}"


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
        when = f"the time since {date.fromisoformat(since + '-01'):%B %Y}"
        return sentence(measure, where, when, Counts("", "", 0, 0, 0))
    return sentence(measure, where, row.label if row.complete else f"{row.label} so far", row.counts)


def set_aside_said(counts: Mapping[str, int]) -> str:
    """How many a site has set aside, by reason: `2 × cared for elsewhere, 1 × too ill for the aim to be theirs`."""
    return ", ".join(f"{count} × {SetAsideReason(reason).words}" for reason, count in counts.items())


def coded(text: str) -> Markup:
    """A text for people, what stands between backticks in it set as a command."""
    parts = enumerate(text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in parts)


def day(moment: date) -> str:
    """A date, or the date of an instant, for people."""
    return f"{moment:%-d %B %Y}"


STEPS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def lasting(span: timedelta) -> str:
    """A length of time for people, in its largest unit of which it is two at least, rounded up."""
    seconds = max(1, ceil(span.total_seconds()))
    step, unit = next((each for each in STEPS if seconds >= 2 * each[0]), STEPS[-1])
    return many(ceil(seconds / step), unit)


VARIATIONS = {
    Variation.COMMON_CAUSE: "usual ups and downs",
    Variation.IMPROVING_HIGH: "getting better: higher than before",
    Variation.IMPROVING_LOW: "getting better: lower than before",
    Variation.CONCERNING_HIGH: "getting worse: higher than before",
    Variation.CONCERNING_LOW: "getting worse: lower than before",
    Variation.UNJUDGED: "unusual",
    Variation.UNJUDGED_HIGH: "unusually high",
    Variation.UNJUDGED_LOW: "unusually low",
    Variation.TOO_FEW: "fewer than 13 points: too early to say",
}
ASSURANCES = {
    Assurance.MET: "the target will be met if nothing changes",
    Assurance.MISSED: "the target will be missed if nothing changes",
    Assurance.BY_CHANCE: "the target is met or missed by chance",
    Assurance.NO_TARGET: "no target",
    Assurance.TOO_FEW: "fewer than 13 points: too early to say",
}


def letter_of(number: int) -> str:
    """A, B, C … of what was tried."""
    return chr(ord("A") + number % 26)
