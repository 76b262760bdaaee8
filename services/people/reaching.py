"""How long what is stored at a site takes to stand in the pages' figures: noted whenever the pages have counted, told by half and by nineteen
of twenty. Kept are counts by seconds, never whose."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from services.registry.said import page_count
from services.registry.tables import history
from services.registry.write import write

WINDOW = timedelta(days=30)
AT_FIRST = timedelta(minutes=15)
"""Before there were pages nobody waited for them: of what was there when they first counted, only what came within this."""
EXACT = 100
"""Below so many seconds each is told; above, two digits of them."""
PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Reached:
    """How long it took."""

    changes: int
    half: timedelta
    """Half of them took so long at most."""
    most: timedelta
    """Nineteen of twenty did."""


def arrived(connection: Connection) -> datetime | None:
    """When the last change came: to be asked before counting, for what comes meanwhile may be missing in the count."""
    last: datetime | None = connection.scalar(select(func.max(history.c.arrived)))
    return last


def note_counted(connection: Connection, until: datetime, *, at: datetime) -> int:
    """What came `until` then is in the figures that were counted by `at`; returns how many changes that is. Again is nothing."""
    before = connection.scalar(select(func.max(page_count.c.arrived)))
    if before is not None and before >= until:
        return 0
    delays = Counter[int]()
    for stored in _stored(connection, before or until - AT_FIRST, until):
        delays[_rounded((at - stored).total_seconds())] += 1
    write(connection, page_count, [(until, at.astimezone(UTC), json.dumps(delays))], replace=False)
    return delays.total()


def reached(connection: Connection, now: datetime) -> Reached | None:
    """Of what came into the figures within the last thirty days; none where nothing did."""
    delays = Counter[int]()
    for each in connection.scalars(select(page_count.c.delays).where(page_count.c.at >= now.astimezone(UTC) - WINDOW)):
        delays.update({int(seconds): count for seconds, count in json.loads(each).items()})
    if not delays.total():
        return None
    return Reached(delays.total(), _within(delays, 1, 2), _within(delays, 19, 20))


def _stored(connection: Connection, since: datetime, until: datetime) -> Iterator[datetime]:
    row = history.c
    query = select(row.time).where(row.arrived > since, row.arrived <= until)
    yield from connection.execute(query, execution_options={"yield_per": PAGE}).scalars()


def _within(delays: Mapping[int, int], part: int, of: int) -> timedelta:
    """The shortest time within which that part of them came."""
    wanted, seen = -(-sum(delays.values()) * part // of), 0
    for seconds, count in sorted(delays.items()):
        seen += count
        if seen >= wanted:
            return timedelta(seconds=seconds)
    raise AssertionError("a part is never more than the whole")


def _rounded(seconds: float) -> int:
    """Up, to two digits; a clock that runs ahead at a site tells nothing below zero."""
    whole = max(0, -int(-seconds // 1))
    if whole < EXACT:
        return whole
    step: int = 10 ** (len(str(whole)) - 2)
    return -(-whole // step) * step
