"""A site judged by the checks of its quality: its current records, the figures of its last load, what there was before."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING

from mainstem.refresh.opening import Progress, Refresh, no_progress
from mainstem.state import Load, State
from mainstem.state.subjects import index_subjects
from schemas.errors import OperatorError
from schemas.loads import LoadQuality
from schemas.outcomes import record_type_of
from transforms.privacy.pseudonyms import SUBJECT_BYTES

if TYPE_CHECKING:
    from transforms.quality import Found, Judged
    from transforms.quality.facts import Row

_AT_ONCE = 10_000
"""Records after which it is told how far it is."""
_RECORDS, _PERSONS = 3_000, 50
"""Records that a night reads to judge those it touched: a third of a second; and persons whose records are asked for at once."""
_EASTERNMOST = timedelta(hours=14)
"""Where a day begins first: what is dated after this day is of nobody's today."""


def judge_site(
    store: State,
    site: str,
    now: datetime,
    progress: Progress = no_progress,
    sink: "Callable[[str, Found], None] | None" = None,
) -> "tuple[str, Judged]":
    """The load that is judged, and what the checks found; what is counted is kept for whoever judges the next load. `sink` is
    given each record that a check finds.

    Raises OperatorError where no load of the site has completed.
    """
    from transforms.quality import About, judge, no_sink  # loaded only where somebody is judged

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
    judged = judge(_told(store.quality.rows(site), progress), about, sink=sink or no_sink)
    store.quality.keep(site, load.id, judged.profile)
    return load.id, judged


def judge_touched(refresh: Refresh, load: Load) -> LoadQuality | None:
    """What the checks that judge a person alone find of those whom a load touched, of as many as a night has time for.

    None where nobody was touched, and of a site's first load: that touches everybody, whom `mainstem quality` judges. It makes
    the index by which later nights read whom they touch.
    """
    store, site = refresh.store, load.site
    if not store.subjects.any_changed(load.id):
        return None
    index_subjects(store.database)
    if store.quality.last_load(site) is None:
        return None
    from transforms.quality import About, judge, shipped

    touched = list(store.subjects.changed(load.id))
    alone = {name: check for name, check in shipped().items() if check.alone}
    rows = _affordable(store, site, from_another(touched, load.id))
    judged = judge(rows, About(today=(refresh.clock() + _EASTERNMOST).date()), alone)
    looked = {each.name: sum(line.looked for _, line in each.lines) for each in judged.results}
    found = {each.name: sum(line.found for _, line in each.lines) for each in judged.results}
    return LoadQuality(
        touched=len(touched),
        judged=judged.persons,
        looked={name: count for name, count in looked.items() if count},
        found={name: count for name, count in found.items() if count},
    )


def from_another(touched: Sequence[bytes], load_id: str) -> list[bytes]:
    """Pseudonyms, ascending, from a place that the load's name tells: each load begins with others, the same whenever it is run."""
    place = bisect_left(touched, blake2b(load_id.encode(), digest_size=SUBJECT_BYTES).digest())
    return [*touched[place:], *touched[:place]]


def _affordable(store: State, site: str, touched: Sequence[bytes]) -> "Iterator[Row]":
    """The records of whole persons, the first. Pseudonyms are in no order of anything else, so these are as good a sample as any."""
    read = 0
    for start in range(0, len(touched), _PERSONS):
        if read >= _RECORDS:
            return
        for row in store.quality.rows_of(site, touched[start : start + _PERSONS]):
            read += 1
            yield row


def _complete(store: State, site: str) -> dict[str, date]:
    """By record type the earliest of its resource types."""
    found: dict[str, date] = {}
    for name, value in store.watermarks.of(site).items():
        kind = record_type_of(name) or name
        found[kind] = min(found.get(kind, value.date()), value.date())
    return found


def _told(rows: "Iterable[Row]", progress: Progress) -> "Iterator[Row]":
    for count, row in enumerate(rows, 1):
        if count % _AT_ONCE == 0:
            progress("quality", "records", count)
        yield row
