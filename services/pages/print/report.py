"""A site's monthly report, from the registry: each of its measures as a page, and whether its data are whole."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date, datetime

from sqlalchemy import Connection

from schemas.errors import OperatorError
from services.charts import pictures
from services.measures.declared import Measure
from services.measures.evaluate.counts import needed_types
from services.measures.library import measures
from services.pages.actions import next_action
from services.pages.charting import chart_of, described
from services.pages.counted import Together, counted, said_of
from services.pages.measure import ROOM
from services.pages.print.setting import pdf, png
from services.pages.print.site_report import TEMPLATE, MeasurePage, SiteReport
from services.pages.refused import gaps_of, refused_lines
from services.pages.results import Note, Series, laid_out
from services.pages.wording import ASSURANCES, VARIATIONS, day, freshness, letter_of, set_aside_said, shown, title_of
from services.registry.completeness import SiteCompleteness, completeness

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


class MonthReport:
    """The report, with its pictures."""

    def __init__(self, connection: Connection, *, network: str, site: str, month: str, made: datetime) -> None:
        """Raises OperatorError where the month is not over in the data, or the network knows no such site."""
        after = _after(month)
        loaded = {each.site: each for each in completeness(connection)}
        if site not in loaded:
            raise OperatorError(
                f"the registry knows no site {site}", f"It knows: {', '.join(sorted(loaded)) or 'none'}."
            )
        if made.date() < after:
            raise OperatorError(
                f"{month} is not over in the data of {site}, which are of {made:%-d %B %Y}",
                "Choose an earlier month, or bring the site's data first.",
            )
        self.made = made
        self.pictures: dict[str, str] = {}
        found, unknown = _series(connection, site, network, made, after)
        pages = tuple(self._page(measure, series) for measure, series in found)
        self.report = SiteReport(
            network=network,
            site=title_of(site),
            title=f"{title_of(site)}, {date.fromisoformat(month + '-01'):%B %Y}",
            summary=_summary(found),
            foot=f"{title_of(site)} · data as of {made:%-d %B %Y, %H:%M} UTC · small numbers are not suppressed; do not publish",
            data=_data(loaded[site]),
            types=tuple(_types(loaded[site])),
            unknown=tuple((measure.title, ", ".join(series.lacking)) for measure, series in unknown),
            gaps=tuple(f"{name} missing: {why}. {fix}" for name, why, fix, _ in gaps_of(loaded[site])),
            refused=tuple(
                (each.fhir_type, f"{each.count:,}", f"{each.why} {each.fix}")
                for each in refused_lines(connection, site).refused
            ),
            pages=pages,
        )

    def pdf(self) -> bytes:
        """As a PDF."""
        return pdf(TEMPLATE, self.report, self.pictures, made=self.made)

    def png(self) -> list[bytes]:
        """Its pages."""
        return png(TEMPLATE, self.report, self.pictures)

    def _page(self, measure: Measure, series: Series) -> MeasurePage:
        name = f"chart-{measure.slug}"
        if series.drawn:
            self.pictures[name] = pictures.svg(chart_of(series, measure) | {"padding": ROOM})
        last = series.last
        return MeasurePage(
            key=measure.slug,
            title=measure.title,
            question=measure.question,
            sentence=series.headline,
            action=next_action(series, measure),
            last=last_said(last.value, last.measured, measure) if last else "not known",
            variation=_varied(series),
            assurance="not known" if series.lacking else ASSURANCES[series.assurance],
            tone=_tone(series),
            picture=name if series.drawn else None,
            alternative=described(series),
            signals=tuple(_told(note) for note in series.notes),
            facts=tuple(_facts(measure, series)),
        )


def last_said(value: float | None, measured: int, measure: Measure) -> str:
    """A share of how many; a level or a rate with their number, since 6.5 % of 20 would be another thing."""
    return f"{shown(value, measure)}{' of ' if measure.kind == 'share' else ', n '}{measured}"


def _series(
    connection: Connection, site: str, network: str, now: datetime, after: date
) -> tuple[list[tuple[Measure, Series]], list[tuple[Measure, Series]]]:
    """Of each measure of which the site has anybody, as on the first day after the month; and of those of which that is not known."""
    found, unknown = [], []
    together = Together(lambda: nullcontext(connection), list(measures().values()))
    for measure in measures().values():
        said = said_of(connection, measure)
        ours = counted(connection, measure, now, said, until=after, site=site, surveyed=together)
        results = laid_out(ours, said, network)
        series = results.of(site)
        if series is not None and (series.drawn or (series.known and series.known.patients)):
            found.append((measure, series))
        elif series is not None and series.lacking:
            unknown.append((measure, series))
    return found, unknown


def _summary(found: list[tuple[Measure, Series]]) -> str:
    if not found:
        return "No measure has anybody to count here: what was never loaded is unknown, not zero."
    tones = [_tone(series) for _, series in found]
    better, worse = tones.count("better"), tones.count("worse")
    whole = "1 measure" if len(found) == 1 else f"{len(found)} measures"
    stopped = sum(series.stopped is not None for _, series in found)
    unknown = sum(bool(series.lacking) for _, series in found)
    others = len(found) - better - worse - stopped - unknown
    without = f"{stopped} without new results, " if stopped else ""
    without += f"{unknown} not known, " if unknown else ""
    return f"{whole}: {better} getting better, {worse} getting worse, {without}{others} as ever or with too few people to say."


def _varied(series: Series) -> str:
    """What the last point says; of results that stopped, or of which the data never came, that they did not."""
    if series.lacking:
        return f"not known: {', '.join(series.lacking)} never came"
    return f"no results after {series.stopped.label}" if series.stopped else VARIATIONS[series.variation]


def _tone(series: Series) -> str:
    if series.stopped or series.lacking:
        return "none"
    kind = str(series.variation).split(",")[0]
    return {"improving": "better", "concerning": "worse", "special cause": "odd"}.get(kind, "none")


def _told(note: Note) -> tuple[str, str, str]:
    tone = "odd" if note.better is None else "better" if note.better else "worse"
    called = {"odd": "Unusual", "better": "Better", "worse": "Worse"}[tone]
    return tone, called, f"{note.when}: {note.text}."


def _facts(measure: Measure, series: Series) -> list[tuple[str, str]]:
    better = "Higher" if measure.higher_is_better else "Lower"
    target = f"{shown(float(measure.target), measure)}; " if measure.target is not None else "none; "
    found = [
        ("Variation", _varied(series)),
        ("Target", f"{target}{ASSURANCES[series.assurance]}. {better} is better."),
    ]
    if series.last:
        found.append(("Counted", f"{series.last.measured} measured of {series.last.seen} seen, {series.last.label}"))
    if series.known and series.known.aside:
        found.append(("Set aside", f"by the site, and not counted: {set_aside_said(series.known.aside)}"))
    for number, each in enumerate(series.tried):
        found.append((f"Tried, {letter_of(number)}", f"{each.what}; since {day(each.since)} ({each.by})"))
    for stretch in series.stretches:
        found.append(("New lines", f"from {stretch.label}: {stretch.reason} ({stretch.by})"))
    return found


STATES = {"loaded": "came", "none": "came: the site has none", "not loaded": "never came"}


def _types(site: SiteCompleteness) -> Iterator[tuple[str, str, str]]:
    """Type by type what came and up to when it is whole: of those that came, and those that a measure reads."""
    read = {name for measure in measures().values() for name in needed_types(measure)}
    for name, known in site.types.items():
        if known.state != "not loaded" or known.gaps or name in read:
            missing = "; ".join(str(gap["reason"]) for gap in known.gaps)
            state = f"{STATES[known.state]}; missing: {missing}" if missing else STATES[known.state]
            yield name, state, day(known.up_to) if known.up_to else "–"


def _data(site: SiteCompleteness) -> tuple[str, ...]:
    return (f"Last brought {freshness(site)}.",)


def _after(month: str) -> date:
    """The first day after a month."""
    if not MONTH.fullmatch(month):
        raise OperatorError(f"--month {month} is no month", "Give it as 2026-10.")
    years, after = divmod(int(month[:4]) * 12 + int(month[5:]), 12)
    return date(years, after + 1, 1)
