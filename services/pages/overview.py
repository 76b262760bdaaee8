"""What a coordinator does next, from the grid, what came, and what is doubted: feeds first, then what got worse, then whom to learn from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.loads import LoadEventType
from services.charts.icons import Variation
from services.pages.grid import Cell, Grid, Line
from services.pages.wording import day, title_of
from services.registry.across import Across, shipped
from services.registry.across.kinds.far import Compared
from services.registry.completeness import SiteCompleteness

STALE = timedelta(days=2)
"""A site refreshes every night: without a load for so long something stands still."""
SHOWN = 8
"""Findings, calls and changed sites that are listed; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A site of which something is better, or worse, now than it was."""

    title: str
    site: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something of which a site lies far from its peers."""

    title: str
    what: str
    figure: str
    fix: str
    who: str


@dataclass(frozen=True, slots=True)
class Feed:
    """What a site brought."""

    title: str
    site: SiteCompleteness
    troubles: tuple[str, ...]
    missing: tuple[str, ...]
    """Types never loaded."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The coordinator's page beside its grid."""

    feeds: tuple[Feed, ...]
    """Those that want a call first."""
    worse: tuple[Changed, ...]
    better: tuple[Changed, ...]
    """Sites with most such measures first."""
    doubts: tuple[Doubt, ...]
    judged: int
    """Of how many sites' measures a chart says something."""

    @property
    def troubled(self) -> list[Feed]:
        """Sites whose feed wants a call."""
        return [feed for feed in self.feeds if feed.troubles]


def overview_of(grid: Grid, brought: Sequence[SiteCompleteness], across: Across, now: datetime) -> Overview:
    """All of it."""
    feeds = [Feed(title_of(site.site), site, tuple(_troubles(site, now)), _missing(site)) for site in brought]
    return Overview(
        tuple(sorted(feeds, key=lambda feed: not feed.troubles)),
        tuple(_changed(grid.lines, better=False)),
        tuple(_changed(grid.lines, better=True)),
        tuple(doubts_of(across)),
        sum(cell.variation not in (None, Variation.TOO_FEW) for line in grid.lines for cell in line.cells),
    )


def _changed(lines: Sequence[Line], *, better: bool) -> list[Changed]:
    """A site once, however many of its measures changed: often they tell of the same."""
    cells = [
        (line, tuple(cell for cell in line.cells if cell.now is not None and cell.now.better is better))
        for line in lines
    ]
    found = [Changed(line.title, line.site, those) for line, those in cells if those]
    return sorted(found, key=lambda each: -len(each.cells))


def _troubles(site: SiteCompleteness, now: datetime) -> Iterator[str]:
    """What somebody should call about, in words."""
    if site.last_event == LoadEventType.FAILED:
        yield "the last load failed"
    if site.last_completed is None:
        yield "no load was ever completed"
    elif now - site.last_completed > STALE:
        yield f"nothing came since {day(site.last_completed)}"
    for name, known in sorted(site.types.items()):
        for gap in known.gaps:
            yield f"{name} is incomplete{_of(gap)}"


def _of(gap: Mapping[str, Any]) -> str:
    """Since when, why, and who can do what."""
    since = f" since {day(datetime.fromisoformat(gap['since']))}" if gap.get("since") else ""
    why = f": {gap['reason']}" if gap.get("reason") else ""
    done = f". {gap['fix'].rstrip('.')} ({gap['who']})" if gap.get("fix") and gap.get("who") else ""
    return since + why + done


def _missing(site: SiteCompleteness) -> tuple[str, ...]:
    return tuple(sorted(name for name, known in site.types.items() if known.state == "not loaded"))


def doubts_of(across: Across, site: str | None = None) -> Iterator[Doubt]:
    """The findings most worth a call, then every other; of one site alone, where it is named."""
    first = [(finding.check, finding.line) for finding in across.calls]
    others = [(each.check, line) for each in across.results for line in each.lines if line.far]
    found = [*first, *(each for each in others if each not in first)]
    for check, line in [each for each in found if site in (None, each[1].site)][:SHOWN]:
        declared = shipped()[check]
        yield Doubt(title_of(line.site), declared.what, _figure(line), declared.fix, declared.who)


def _figure(line: Compared) -> str:
    unit = f" {line.unit}".replace("  ", " ") if line.unit else ""
    peers = "" if line.peers is None else f", others {line.peers:.3g}{unit} (n {line.looked:,})"
    return f"{line.of}: {line.shown:.3g}{unit}{peers}" + (f"; {line.said}" if line.said else "")
