"""A site judged by the checks of its quality: its current records, the figures of its last load, what there was before."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from mainstem.refresh.opening import Progress, no_progress
from mainstem.state import State
from schemas.errors import OperatorError
from schemas.outcomes import record_type_of
from transforms.quality import About, Judged, judge
from transforms.quality.facts import Row

_AT_ONCE = 10_000
"""Records after which it is told how far it is."""
_EASTERNMOST = timedelta(hours=14)
"""Where a day begins first: what is dated after this day is of nobody's today."""


def judge_site(store: State, site: str, now: datetime, progress: Progress = no_progress) -> tuple[str, Judged]:
    """The load that is judged, and what the checks found; it is kept for whoever judges the next load.

    Raises OperatorError where no load of the site has completed.
    """
    load = store.quality.last_load(site)
    if load is None:
        known = ", ".join(store.sites()) or "none"
        raise OperatorError(f"{site}: no load has completed", f"Load it: `mainstem run`. The state knows: {known}.")
    held = store.quality.held(site)
    about = About(
        today=(now + _EASTERNMOST).date(),
        before=store.quality.before(site, load.id),
        counts=load.counts,
        held=held.records,
        quarantined=held.quarantined,
        complete=_complete(store, site),
    )
    judged = judge(_told(store.quality.rows(site), progress), about)
    store.quality.keep(site, load.id, judged.profile)
    return load.id, judged


def _complete(store: State, site: str) -> dict[str, date]:
    """By record type the earliest of its resource types."""
    found: dict[str, date] = {}
    for name, value in store.watermarks.of(site).items():
        kind = record_type_of(name) or name
        found[kind] = min(found.get(kind, value.date()), value.date())
    return found


def _told(rows: Iterable[Row], progress: Progress) -> Iterator[Row]:
    for count, row in enumerate(rows, 1):
        if count % _AT_ONCE == 0:
            progress("quality", "records", count)
        yield row
