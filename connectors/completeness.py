"""What is proven of a search: which ids came, how many there are, whether the server tells of more, what it understands."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Protocol

import msgspec

from connectors.client.fhir_client import FhirClient
from connectors.formats.bundle import BUNDLE, Page, id_of
from connectors.formats.ndjson import read_lines
from connectors.landing import Landing
from connectors.outside.times import zulu
from connectors.vendors import Parameters
from schemas.errors import IncompleteError, OperatorError, TemporaryError
from schemas.problems import Problem

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FAR_AHEAD = timedelta(days=3650)
"""Nothing was updated then."""
ROUND, BINARY = 5, 16
"""A page of round size, or of a power of two from `BINARY` on, may be full whatever was asked for: servers cap it in silence."""
LIMITS = 100
"""A count that is a multiple of it may be one's limit: search engines count to ten thousand and no further."""
COUNTED = 100
"""Most searches that are counted once more to prove a full read; more are not worth their requests."""
A_SECOND = timedelta(seconds=1)
"""What is finer than a second some servers do not compare."""
_SEEN = (
    "INSERT INTO seen VALUES (?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET branch = excluded.branch, crawl = excluded.crawl"
    " WHERE branch <> excluded.branch OR crawl <> excluded.crawl"
)


class Crawl(msgspec.Struct, kw_only=True):
    """One reading of one search, from its first page to where it ends."""

    number: int = 0
    """Which reading it is."""
    total: int | None = None
    """How many there were when it began, as the server counts."""
    matches: int = 0
    distinct: int = 0
    barren: int = 0
    """Pages in a row that brought only what had come."""
    empty: int = 0
    """The same of those that brought nothing."""
    repeated: bool = False
    """Whether a page brought what an earlier one had: what moves back and forth may hide, too."""
    way: str = ""
    """How it goes on where the server names no next page; empty while it does, or before that is known."""
    fruitless: list[str] = []
    """Ways that brought nothing new."""
    fruitful: bool = False
    """Whether the present way did."""
    paging: str = ""
    """The server's own address of these results, where it keeps them."""
    size: int = 0
    """Resources a page, as last asked for, where that is not the usual size."""
    most: int = 0
    """Resources that one of its pages brought: more than were asked for, where the server heeds no size."""
    windows: list[tuple[datetime, datetime]] = []
    """Times of update still to be read, where that is the way."""
    window_total: int | None = None
    window_matches: int = 0
    stuck: bool = False
    """Whether a window gave less than there is in it, and could not be halved."""
    proven: bool = False
    """Whether nothing comes behind the last page, though nobody counts."""

    def see_page(self, *, came: int, new: int) -> None:
        """Another page came: how many it brought, and how many of them are new."""
        self.most = max(self.most, came)
        self.barren = 0 if new or not came else self.barren + 1
        self.empty = 0 if came else self.empty + 1

    def asked(self, usual: int | None) -> int | None:
        """How many resources a page were asked for, where the server heeds that; `usual` of the other readings."""
        return self.size if 0 < self.most <= self.size else usual

    def anew(self, usual: int) -> "Crawl":
        """Another reading; where nobody counts and rows came twice, by pages of another size than `usual` (0: of no other).

        A server whose order is not the same from page to page hides the same rows each time its pages begin at the same.
        """
        doubted = self.repeated and self.total is None
        size = max(1, usual * (4 - self.number) // 5) if doubted and usual else 0
        return Crawl(number=self.number + 1, fruitless=self.fruitless, size=size)

    @property
    def short(self) -> int:
        """How many fewer came than the server counts."""
        return max(0, (self.total or 0) - self.distinct)

    @property
    def whole(self) -> bool:
        """Whether nothing is known to be missing, or feared to be."""
        return not self.short and (self.total is not None or self.proven)


class DistinctIds:
    """Ids of one type, each with the search and the crawl that gave it last; on the disk once they are many."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")
        self._rows.execute("CREATE TABLE seen (id INTEGER PRIMARY KEY, branch INTEGER, crawl INTEGER)")
        self.close = self._rows.close

    def see(self, ids: Iterable[str], branch: int, crawl: int) -> int:
        """How many of the ids are new in this crawl; a resource without an id is one."""
        before, nameless, named = self._rows.total_changes, 0, []
        for each in ids:
            if each:
                named.append((hash(each), branch, crawl))
            else:
                nameless += 1
        self._rows.executemany(_SEEN, named)
        return self._rows.total_changes - before + nameless

    def of(self, branch: int) -> int:
        """How many a search gave in all its crawls."""
        found: int = self._rows.execute("SELECT count(*) FROM seen WHERE branch = ?", (branch,)).fetchone()[0]
        return found

    def forget(self) -> None:
        """Nothing came yet."""
        self._rows.execute("DELETE FROM seen")


def may_be_full(came: int, size: int | None) -> bool:
    """Whether a page may hold less than there is, by how many came and how many were asked for."""
    is_round = came % ROUND == 0 or (came >= BINARY and came.bit_count() == 1)
    return came >= (size or 1) or (came > 0 and is_round)


def counted(client: FhirClient, resource_type: str, params: Parameters) -> int | None:
    """How many the server says there are, asked for nothing else; None where it does not say.

    Some say it where `_summary=count` is asked for, others where an accurate total is.
    """
    for more in ((("_summary", "count"),), (("_total", "accurate"), ("_count", "1"))):
        try:
            page = asked(client, resource_type, (*params, *more))
        except TemporaryError:
            return None
        if page is not None and page.total is not None:
            return page.total
    return None


def counted_together(client: FhirClient, resource_type: str, searches: Sequence[Parameters]) -> int | None:
    """How many the server says there are by some searches together; None where it does not say of each."""
    found = [counted(client, resource_type, params) for params in searches[:COUNTED]]
    return sum(each or 0 for each in found) if None not in found and len(searches) <= COUNTED else None


def gives_after_all(client: FhirClient, resource_type: str, params: Parameters) -> bool:
    """Whether a search that gave nothing gives something: while it is started or indexed anew, a server finds nothing."""
    try:
        page = asked(client, resource_type, params)
    except TemporaryError:
        return False
    return page is not None and bool(page.resources)


def counted_in_parts(client: FhirClient, resource_type: str, params: Parameters, total: int) -> int:
    """How many there are where a server may count to a limit, and no further: as it counts what was updated before some moment and
    since, such that some were updated on either side. `total` where that is no more, or it does not count by time."""
    if not honours_last_updated(client, resource_type, params) or counts_all(client, resource_type, params):
        return total
    begin, end = EPOCH, client.clock() + timedelta(days=1)
    while end - begin > A_SECOND:
        (later, _), (_, middle) = halves(begin, end)
        moment = zulu(later)
        since = counted(client, resource_type, (*params, ("_lastUpdated", f"ge{moment}")))
        before = counted(client, resource_type, (*params, ("_lastUpdated", f"lt{moment}")))
        if since is None or before is None or since + before < total:
            return total
        if since and before:
            return since + before
        begin, end = (middle, end) if since else (begin, middle)
    return total


def plain(params: Parameters) -> Parameters:
    """A search without its window."""
    return tuple(each for each in params if each[0] != "_lastUpdated")


def counts_all(client: FhirClient, resource_type: str, params: Parameters) -> bool:
    """Whether a server counts what is in no window, too, though it gives what is in one."""
    return bool(counted(client, resource_type, (*params, far_ahead(client))))


def asked(client: FhirClient, resource_type: str, params: Parameters) -> Page | None:
    """A page that is asked for to learn what the server understands; None where it refuses."""
    url = client.url(resource_type)
    try:
        bundle, _ = client.read(url, BUNDLE, what=resource_type, params=params)
    except (OperatorError, IncompleteError):
        return None
    page = Page(bundle, not_after=client.clock())
    return page if bundle.resourceType == "Bundle" and not page.errors else None


def honours_last_updated(client: FhirClient, resource_type: str, params: Parameters) -> bool | None:
    """Whether searches heed `_lastUpdated`: nothing was updated in the future, so a search for it must give nothing.

    None where the question is refused or not answered: that proves neither.
    """
    try:
        page = asked(client, resource_type, (*params, far_ahead(client)))
    except TemporaryError:
        return None
    return None if page is None else not page.resources and not page.total


def far_ahead(client: FhirClient) -> tuple[str, str]:
    """A window in which nothing was updated."""
    return "_lastUpdated", f"ge{zulu(client.clock() + FAR_AHEAD)}"


def finds_since(client: FhirClient, resource_type: str, params: Parameters, updated: datetime) -> bool:
    """Whether a search since a moment finds what was updated then: some servers compare it with their own local time.

    Only a search that gives nothing proves that it does not.
    """
    try:
        page = asked(client, resource_type, (*params, ("_lastUpdated", f"ge{zulu(updated - A_SECOND)}")))
    except TemporaryError:
        return True
    return page is None or _gives(page)


class Came(Protocol):
    """What came of a window."""

    resources: int
    first: datetime | None


class Gives(Enum):
    """What a server gives of a type by a time of update."""

    BY_TIME = auto()
    """What was updated then, as far as is known."""
    BUT_BY_TIME = auto()
    """Something, but not, or not all, by a time: a window is proven to leave out what is in it."""
    NOTHING = auto()
    """By no time, and without one."""


def gives_by_time(client: FhirClient, resource_type: str, params: Parameters, came: Came) -> Gives:
    """What came of a window may be all that is in it. `params`: the first of the searches, for one resource, without it."""
    if came.first is not None:
        return _proven(finds_since(client, resource_type, params, came.first))
    return Gives.BY_TIME if came.resources else _gives_at_all(client, resource_type, params)


def _gives_at_all(client: FhirClient, resource_type: str, params: Parameters) -> Gives:
    """Whether a search since ever gives something, where one without a time does, and one since a moment what was updated then:
    some servers give nothing for any time, some read times as their own."""
    try:
        ever = asked(client, resource_type, (*params, ("_lastUpdated", f"ge{zulu(EPOCH)}")))
        timeless = asked(client, resource_type, params) if ever is not None and not _gives(ever) else None
    except TemporaryError:
        return Gives.BY_TIME
    if ever is not None and ever.newest is not None:
        return _proven(finds_since(client, resource_type, params, ever.newest))
    if timeless is None:
        return Gives.BY_TIME
    return Gives.BUT_BY_TIME if _gives(timeless) else Gives.NOTHING


def _proven(finds: bool) -> Gives:
    return Gives.BY_TIME if finds else Gives.BUT_BY_TIME


def _gives(page: Page) -> bool:
    return bool(page.resources or page.total)


def landed_ids(landing: Landing, resource_type: str, cap: int) -> Iterator[str]:
    """Ids of the landed resources of a type; empty where one has none that can be told."""
    for path in landing.files(resource_type):
        for line in read_lines(path, cap=cap):
            yield "" if isinstance(line, Problem) else id_of(line)


def halves(begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """A window's later half and its earlier one."""
    middle = begin + (end - begin) / 2
    middle -= timedelta(microseconds=middle.microsecond % 1000)  # a search says milliseconds
    return [(middle, end), (begin, middle)]
