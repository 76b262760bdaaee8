"""What a coordinator does next, from the grid, what came, and what is doubted: feeds first, then what got worse, then whom to learn from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.loads import LoadEventType
from services.pages.grid import Cell, Grid, Line
from services.pages.wording import day, title_of
from services.registry.across import Across, shipped
from services.registry.across.kinds.far import Compared
from services.registry.completeness import SiteCompleteness

STALE = timedelta(days=2)
"""A site refreshes every night: without a load for so long something stands still."""
SHOWN = 8
"""Findings and changes that are listed; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Change:
    """A site's measure that is better or worse now than it was."""

    title: str
    site: str
    cell: Cell


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
    worse: tuple[Change, ...]
    better: tuple[Change, ...]
    doubts: tuple[Doubt, ...]

    @property
    def troubled(self) -> list[Feed]:
        """Sites whose feed wants a call."""
        return [feed for feed in self.feeds if feed.troubles]


def overview_of(grid: Grid, brought: Sequence[SiteCompleteness], across: Across, now: datetime) -> Overview:
    """All of it."""
    cells = [(line, cell) for line in grid.lines for cell in line.cells]
    return Overview(
        tuple(Feed(title_of(site.site), site, tuple(_troubles(site, now)), _missing(site)) for site in brought),
        tuple(_changes(cells, better=False)),
        tuple(_changes(cells, better=True)),
        tuple(doubts_of(across)),
    )


def _changes(cells: Sequence[tuple[Line, Cell]], *, better: bool) -> Iterator[Change]:
    for line, cell in cells:
        if cell.now is not None and cell.now.better is better:
            yield Change(line.title, line.site, cell)


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
    done = f". {gap['fix']} ({gap['who']})" if gap.get("fix") and gap.get("who") else ""
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
