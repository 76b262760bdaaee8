"""What is known of each site: of those in the state, and of those that have a site file only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Literal, NamedTuple

from mainstem.config.schedule import late_since, next_load
from mainstem.config.settings import Settings
from mainstem.config.site_files import may_be_of, read_site
from mainstem.state import Attempt, Load, SiteType, State
from schemas.errors import ExitCode, MainstemError
from schemas.sites import Site

Word = Literal["ok", "running", "never loaded", "gaps", "late", "failed", "interrupted", "broken file"]
WENT_WELL = (ExitCode.DONE, ExitCode.ATTENTION)
LONGEST_WAIT = timedelta(days=1)
RUN = "`mainstem run` takes it up where it was."


class Pace(NamedTuple):
    """How long the last whole load took, and one of its kind usually does."""

    took: timedelta
    usual: timedelta | None
    """The median of those before; None where there are fewer than three."""

    @property
    def slow(self) -> bool:
        """Whether it took far longer than usual, and long enough to be noticed."""
        return self.usual is not None and self.took > max(2 * self.usual, self.usual + timedelta(minutes=5))


@dataclass
class SiteStatus:
    """One site."""

    site: str
    rows: list[SiteType]
    attempt: Attempt | None
    whole_from: datetime | None
    """When the last load began that completed."""
    now: datetime
    pace: Pace | None = None
    late_since: datetime | None = None
    """The time of its schedule that it missed."""
    next_load: datetime | None = None
    at_work: bool = False
    open_load: bool = False
    troubles: list[tuple[str, str, str]] = field(default_factory=list)
    """Cause, fix, who: of what concerns the whole site."""
    fault: MainstemError | None = None
    """Of its file."""

    @property
    def failed(self) -> bool:
        """Whether the last attempt did."""
        return self.attempt is not None and self.attempt.exit_code not in (None, *WENT_WELL)

    @property
    def interrupted(self) -> bool:
        """Something was begun and nobody is at it."""
        begun = self.open_load or (self.attempt is not None and self.attempt.ended is None)
        return begun and not self.at_work and not self.waiting

    @property
    def waiting(self) -> bool:
        """Whether the attempt goes on by itself: it waits for an export, and not for days."""
        attempt = self.attempt
        return (
            attempt is not None
            and attempt.ended is None
            and bool(attempt.cause)
            and self.now - attempt.began < LONGEST_WAIT
        )

    @property
    def state(self) -> Word:
        """In a word: the worst that is known."""
        states: dict[Word, bool] = {
            "running": self.at_work or self.waiting,
            "broken file": self.fault is not None,
            "failed": self.failed,
            "interrupted": self.interrupted,
            "late": self.late_since is not None,
            "never loaded": self.whole_from is None,
            "gaps": any(row.gaps or row.refused for row in self.rows),
        }
        return next((word for word, true in states.items() if true), "ok")

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should look at it."""
        unwell = any(row.gaps or row.refused for row in self.rows)
        return self.state not in ("ok", "running", "never loaded") or unwell


def gather(store: State, settings: Settings, now: datetime, wanted: str | None = None) -> list[SiteStatus]:
    """All sites, or the one that is wanted, by name."""
    paths = sorted(settings.sites.glob("*.toml"))
    files = {path.stem: path for path in paths if wanted is None or may_be_of(path, wanted)}
    known = set(store.sites())
    found: dict[str, tuple[Site | None, MainstemError | None]] = {}
    for stem, path in files.items():
        try:
            site = read_site(path).site
            found[site.site] = (site, None)
        except MainstemError as exc:
            found[stem] = (None, exc)
    for name in known - set(found):
        found[name] = (None, None)
    names = sorted(found) if wanted is None else [wanted] if wanted in found else []
    return [_of(store, name, *found[name], now, loaded=name in known) for name in names]


def _of(
    store: State, name: str, site: Site | None, fault: MainstemError | None, now: datetime, *, loaded: bool
) -> SiteStatus:
    loads = store.loads.whole(name)
    whole = loads[0].started if loads else None
    found = SiteStatus(
        site=name,
        rows=store.status(name) if loaded else [],
        attempt=store.attempts.of(name),
        whole_from=whole,
        now=now,
        pace=_pace(loads),
        late_since=late_since(site, whole, now) if site and whole else None,
        next_load=next_load(site, now) if site else None,
        at_work=store.at_work(name),
        open_load=store.loads.open(name) is not None,
        fault=fault,
    )
    if found.interrupted:
        found.rows = [
            row._replace(load_status="interrupted" if row.load_status == "running" else row.load_status)
            for row in found.rows
        ]
    if found.late_since is not None and found.at_work:
        found.late_since = None
    found.troubles = list(_troubles(found))
    return found


FEWEST = 3
"""Loads of one kind that make a habit."""


def _pace(loads: Sequence[Load]) -> Pace | None:
    """Of the newest; a full read is compared with full reads alone."""
    took = [load.ended - load.started for load in loads if load.ended is not None and load.mode == loads[0].mode]
    if not took:
        return None
    usual = median(each.total_seconds() for each in took[1:]) if len(took) > FEWEST else None
    return Pace(took[0], None if usual is None else timedelta(seconds=usual))


def _troubles(found: SiteStatus) -> Iterator[tuple[str, str, str]]:
    if found.fault is not None:
        for cause in found.fault.causes:
            yield cause, found.fault.fix, found.fault.who
    if found.failed and found.attempt is not None:
        yield found.attempt.cause, found.attempt.fix, found.attempt.who
    elif found.interrupted:
        sent = "; all that it saved was sent" if not sum(row.pending for row in found.rows) else ""
        yield f"a load was begun and nobody is at it{sent}", RUN, "network"
    if found.late_since is not None:
        yield (
            f"nothing was loaded since its schedule's {found.late_since:%Y-%m-%d %H:%M} UTC",
            "See that what starts it (Airflow, cron) is up; `mainstem run` loads it now.",
            "network",
        )
