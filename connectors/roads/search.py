"""The road of REST search: one type, page by page, into the landing; after a crash it goes on at the page."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from hashlib import blake2b

from connectors.client.fhir_client import Answer, BadRequest, FhirClient, Gone
from connectors.completeness import (
    A_SECOND,
    COUNTED,
    EPOCH,
    LIMITS,
    Crawl,
    DistinctIds,
    Gives,
    asked,
    counted,
    counted_in_parts,
    counted_together,
    counts_all,
    gives_after_all,
    gives_by_time,
    halves,
    honours_last_updated,
    landed_ids,
    may_be_full,
    plain,
)
from connectors.fan_out import BOTH, CATEGORY, PATIENT, everybody, gives_by_patient, parts, wants, ways
from connectors.formats.bundle import BUNDLE, Bundle, Page, lines, require_bundle
from connectors.formats.outcome import ParameterWanted, parameter_wanted
from connectors.landing import FILE_BYTES, Growing
from connectors.outside.times import believed, newest, zulu
from connectors.pulled import Pulled, need
from connectors.searched import LinkRefused, SearchCursor, in_a_circle, kept_back, too_many_pages
from connectors.source import Source, Wanted
from connectors.vendors import Parameters
from schemas.errors import IncompleteError, OperatorError

CRAWLS = 3
"""Readings of a search of which rows may have hidden: others were written meanwhile, and pages moved."""
OFFSETS = ("_offset", "_getpagesoffset")
LARGER, WINDOWS = "_count", "_lastUpdated"
"""Parameters by which a search goes on that names no next page: from a number on, by a larger page, by smaller windows."""
BARREN = 20
"""Pages in a row that bring only what came before: links that are new each time may lead nowhere, too."""
EMPTY = 1000
"""The same of pages that bring nothing: where much may not be seen, many in a row are so."""


def pull_search(source: Source, wanted: Wanted) -> Pulled:
    """All of a type that was updated in the window, into the landing folder.

    Raises IncompleteError for a loop of `next` links or too many pages.
    """
    with source.client() as client, closing(DistinctIds()) as ids:
        search = _TypeSearch(client, source, wanted, ids)
        while True:
            try:
                return kept_back(client, search.run())
            except LinkRefused:
                search.begin_again()


class _TypeSearch:
    """The search of one type, with its cursor."""

    def __init__(self, client: FhirClient, source: Source, wanted: Wanted, ids: DistinctIds) -> None:
        self.client, self.most_pages = client, source.site.limits.pages
        self.type, self.landing, self.progress = wanted.unit, wanted.landing, wanted.progress
        self.since, self.latest = wanted.since or EPOCH, wanted.until
        self.wanted, self.asked_size = wanted, source.fhir.page_size
        self.cursor = self.landing.cursor(self.type, SearchCursor) or SearchCursor(began=client.clock())
        self._take_way()
        self.messages_path = self.landing.path(f"OperationOutcome-{self.type}", 1)
        self.kept = Growing(self.landing, self.type)
        self.seen: set[bytes] = set()
        self.led_away = False
        """Whether the last page named a next one where nothing is asked."""
        self.ids = ids
        if self.cursor.pages and not self.cursor.done:
            self._remember(source.site.limits.line_bytes)

    def _take_way(self) -> None:
        """The searches that together give the type, by the way that the server takes."""
        wanted, way = self.wanted, self.cursor.way
        self.windowed = wanted.since is not None and self.client.vendor.last_updated and not self.cursor.timeless
        window = self._window(wanted.since, wanted.until)
        more = parts(self.type, self.client.vendor, way)
        roster = wanted.roster
        if roster is None and way in (PATIENT, BOTH):
            roster = everybody(self.client, self.landing, self.type, self.most_pages)
        self.branches: Sequence[Parameters] = (
            roster.searches(self.type, more, window, wanted.new) if roster else [(*each, *window) for each in more]
        )
        if self.cursor.singly:
            self.branches = [((name, each), *more) for (name, some), *more in self.branches for each in some.split(",")]
        size = self.client.vendor.page_size(self.type, self.asked_size, self.branches[0])
        self.size = None if self.cursor.sizeless else size

    def _fan_out(self, refused: ParameterWanted) -> None:
        """The next way, from its beginning. Raises the refusal where there is none left."""
        left = ways(self.type, self.client.vendor, by_patient=self.wanted.roster is not None)
        after = left[left.index(self.cursor.way) + 1 :] if self.cursor.way in left else left
        if not after:
            raise refused
        self.cursor.way = after[0]
        self._begin_otherwise()
        self._save()

    def _remember(self, cap: int) -> None:
        """After a crash: what the landing holds came, by whichever reading."""
        cursor = self.cursor
        if cursor.files and not cursor.done:
            self.landing.append(self.landing.folder / cursor.files[-1], cursor.size, [])  # what a crash left is cut off
        self.ids.see(landed_ids(self.landing, self.type, cap), cursor.branch, cursor.crawl.number)

    def _window(self, begin: datetime | None, end: datetime | None) -> Parameters:
        if not self.client.vendor.last_updated or self.cursor.timeless:
            return ()
        ends = (("ge", begin), (self.client.vendor.window_ends.get(self.type, "lt"), end))
        return tuple(("_lastUpdated", f"{word}{zulu(moment)}") for word, moment in ends if moment)

    def run(self) -> Pulled:
        """Every branch from where the cursor stands; what ended incomplete begins again."""
        try:
            return self._run()
        finally:
            self.kept.settle()

    def _run(self) -> Pulled:
        if self.cursor.done and (self.cursor.missing or self.cursor.unproven or self.cursor.errors):
            self.begin_again()
        while not self.cursor.done:
            self._read_page()
        if self.windowed and not (self.cursor.resources or self.cursor.confirmed):
            self.cursor.confirmed = True
            if gives_after_all(self.client, self.type, (*self.branches[0], *self._page_size(1))):
                self.begin_again()
                return self._run()
        if self.windowed and self.cursor.heeds is None and not self.cursor.silent:
            one = (*self._timeless()[0], *self._page_size(1))
            gives = gives_by_time(self.client, self.type, one, self.cursor)
            self.cursor.silent = gives is Gives.NOTHING and self.wanted.roster is None and len(self.branches) == 1
            self.cursor.timeless = gives is Gives.BUT_BY_TIME
        nothing = not (self.cursor.resources or self.cursor.way) and (self.cursor.silent or not self.windowed)
        if nothing and self.wanted.roster is None and gives_by_patient(self.client, self.type):
            self.cursor.way = PATIENT
        if (self.windowed and self.cursor.timeless) or (nothing and self.cursor.way):
            self._begin_otherwise()
            return self._run()
        if self.windowed and self.cursor.resources and self.cursor.heeds is None:
            self.cursor.heeds = honours_last_updated(self.client, self.type, self._timeless()[0])
            if self.cursor.heeds is False:  # an odd answer to an odd question is no proof that all came
                count = counted_together(self.client, self.type, self._timeless())
                self.cursor.counted &= count == self.cursor.distinct
            self._save()
        return self._pulled()

    def _timeless(self) -> list[Parameters]:
        return [plain(branch) for branch in self.branches]

    def begin_again(self) -> None:
        """Forget what was read; the cursor does before the files go that it counts."""
        old = self.cursor
        self.cursor = old.anew()
        self.seen.clear()
        self.ids.forget()
        self._save()
        self.kept.settle()
        self.kept.discard([*(self.landing.folder / name for name in old.files), self.messages_path])

    def _begin_otherwise(self) -> None:
        self.begin_again()
        self._take_way()

    def _read_page(self) -> None:
        cursor = self.cursor
        if self._leads_back():
            self._save()
            return
        try:
            read = self._ask()
            if read is None:
                self._next_way()
            else:
                self._take(*read)
        except ParameterWanted as exc:
            if cursor.url or cursor.crawl.way:
                raise
            self._fan_out(exc)
            return
        except BadRequest:
            if not self._pass_over():
                raise
        except Gone:  # some call so what is too long
            if not self._ask_singly():
                raise
        self._save()
        self.progress(self.type, cursor.resources, self._expected())

    def _expected(self) -> int | None:
        """How many there will be: what the server counts, of several searches as the first of them let expect."""
        cursor, searches = self.cursor, len(self.branches)
        counted_so_far = cursor.distinct + (cursor.crawl.total or 0)
        looked_at = cursor.branch + (cursor.crawl.total is not None)
        return max(cursor.resources, counted_so_far * searches // looked_at) if looked_at else None

    def _pass_over(self) -> bool:
        """Whether what was refused can do without: several patients at once, or a category that this server does not know."""
        cursor, branch = self.cursor, self.branches[self.cursor.branch]
        if cursor.url or cursor.crawl.way or cursor.crawl.number:
            return False
        if self._ask_singly() or self._do_without():
            return True
        category = next((value for name, value in branch if name == "category"), "")
        if cursor.way not in (CATEGORY, BOTH) or not category:
            return False
        cursor.not_taken = list(dict.fromkeys([*cursor.not_taken, category]))
        if len(cursor.not_taken) == len(parts(self.type, self.client.vendor, cursor.way)):
            self._fan_out(parameter_wanted(self.type))
        else:
            self._next_branch()
        return True

    def _ask_singly(self) -> bool:
        """Whether several patients were asked for at once, and will be one by one."""
        cursor, branch = self.cursor, self.branches[self.cursor.branch]
        several = any(name in ("patient", "_id") and "," in value for name, value in branch[:1])
        if cursor.url or cursor.crawl.way or cursor.crawl.number or not several:
            return False
        cursor.singly = True
        self._begin_otherwise()
        return True

    def _do_without(self) -> bool:
        """Whether what was refused is taken without a time, or without a size, by each of which every search does."""
        cursor, branch = self.cursor, self.branches[self.cursor.branch]
        size = self._page_size()
        less = [(plain(branch), size, True, False), (branch, (), False, True), (plain(branch), (), True, True)]
        for params, count, timeless, sizeless in less:
            fewer = (*params, *count)
            if len(fewer) < len(branch) + len(size) and asked(self.client, self.type, fewer) is not None:
                cursor.timeless, cursor.sizeless = cursor.timeless or timeless, cursor.sizeless or sizeless
                self._begin_otherwise()
                return True
        return False

    def _take(self, bundle: Bundle, answer: Answer) -> None:
        cursor, now = self.cursor, self.client.clock()
        if cursor.as_of is None:
            date = believed(answer.date, now)
            cursor.as_of, cursor.dated = date or cursor.began, date is not None
        page = Page(bundle, not_after=max(now, cursor.as_of), of=self.type)
        if wants(page):
            raise parameter_wanted(self.type)
        self._land(page)
        self._advance(page)

    def _ask(self) -> tuple[Bundle, Answer] | None:
        """The next page; None where the server does not understand the way it was asked for."""
        crawl, url = self.cursor.crawl, self.cursor.url
        params = () if url else self._params()
        start = url or (crawl.way == "_getpagesoffset" and crawl.paging) or self.client.url(self.type)
        try:
            return self.client.read(start, BUNDLE, what=self.type, params=params, require=require_bundle)
        except (Gone, BadRequest) as exc:
            if url:
                self.cursor.refused_links += 1
                raise LinkRefused from exc
            if not crawl.way or (isinstance(exc, BadRequest) and crawl.fruitful):
                raise
        except (OperatorError, IncompleteError):
            if url or not crawl.way or crawl.fruitful:
                raise
        return None

    def _params(self) -> Parameters:
        """Of the first page of the present way."""
        crawl = self.cursor.crawl
        offset = (crawl.way, str(crawl.matches))
        if crawl.way == "_getpagesoffset" and crawl.paging:
            return (offset,)
        branch = self._narrowed(*crawl.windows[-1]) if crawl.windows else self.branches[self.cursor.branch]
        params = (*branch, *self._page_size(crawl.size))
        return (*params, offset) if crawl.way in OFFSETS else params

    def _narrowed(self, begin: datetime, end: datetime) -> Parameters:
        """The present search in a smaller window; the outermost ones begin and end where it does."""
        branch = self.branches[self.cursor.branch]
        own = [moment for name, moment in branch if name == WINDOWS]
        outer = [("ge", begin == self.since), ("l", end == self._latest())]
        kept = [(WINDOWS, moment) for moment in own for word, same in outer if same and moment.startswith(word)]
        window = self._window(None if begin == self.since else begin, None if end == self._latest() else end)
        return (*(each for each in branch if each[0] != WINDOWS), *kept, *window)

    def _latest(self) -> datetime:
        return self.latest or self.cursor.began + timedelta(days=1)

    def _page_size(self, size: int = 0) -> Parameters:
        return () if self.size is None else (("_count", str(size or self.size)),)

    def _free_size(self) -> int:
        return 0 if self.type in self.client.vendor.page_sizes else self.size or 0

    def _leads_back(self) -> bool:
        """Links lead onwards, and not for ever: whether the last page named another, and all came. What any other loop brought
        twice is thrown away with it."""
        cursor, crawl = self.cursor, self.cursor.crawl
        at = cursor.url or (crawl.matches, *crawl.windows[-1:])
        place = (cursor.way, cursor.singly, cursor.branch, crawl.number, crawl.way, crawl.size, at)
        mark = blake2b(repr(place).encode(), digest_size=8).digest()
        if mark in self.seen and crawl.total is not None and not (crawl.way or crawl.short):
            self._end_crawl()
            return True
        if mark in self.seen or crawl.barren > BARREN or crawl.empty > EMPTY:
            self.begin_again()
            raise in_a_circle(self.type)
        if cursor.pages >= self.most_pages:
            raise too_many_pages(self.type, cursor.pages)
        self.seen.add(mark)
        return False

    def _land(self, page: Page) -> None:
        """The page's bytes onto the disk, before the cursor counts them."""
        cursor = self.cursor
        if page.resources:
            if not cursor.files or cursor.size > FILE_BYTES:
                cursor.files.append(self.landing.path(self.type, len(cursor.files) + 1).name)
                cursor.size = 0
            cursor.size = self.kept.append(
                self.landing.folder / cursor.files[-1], cursor.size, lines(self.wanted.sifted(page.resources))
            )
        if page.messages:
            cursor.messages_size = self.kept.append(self.messages_path, cursor.messages_size, lines(page.messages))

    def _advance(self, page: Page) -> None:
        cursor, crawl = self.cursor, self.cursor.crawl
        cursor.pages += 1
        cursor.resources += len(page.resources)
        for kind, count in page.beside.items():
            if need(kind):  # all else a server may call anything
                cursor.beside[kind] = cursor.beside.get(kind, 0) + count
        cursor.messages += len(page.messages)
        cursor.errors = list(dict.fromkeys([*cursor.errors, *page.errors]))
        cursor.bytes += sum(map(len, page.resources)) + len(page.resources)
        cursor.newest = newest(cursor.newest, page.newest)
        cursor.first = newest(cursor.first, page.newest) if cursor.branch == 0 else cursor.first
        cursor.url = page.next = self._onward(page.next)
        new = self.ids.see(page.ids, cursor.branch, crawl.number)
        crawl.distinct += new
        crawl.fruitful |= new > 0
        crawl.see_page(came=len(page.ids), new=new)
        if crawl.way == WINDOWS:
            self._advance_window(page)
            return
        if not crawl.way:
            crawl.total = page.total if crawl.total is None else crawl.total
            crawl.paging = crawl.paging or (page.itself if "_getpages=" in page.itself else "")
        if not crawl.way or (new and crawl.way != LARGER):
            crawl.repeated |= new < len(page.ids)
            crawl.matches += len(page.ids)
        if not page.next:
            self._go_on(page, new)

    def _onward(self, link: str) -> str:
        """Where the next page is; nowhere where that is no place to ask: then the search goes on as one without links."""
        onward, self.led_away = self.client.onward(self.type, link), False
        if onward and self.cursor.refused_links > 1:  # each time: they do not lapse, they do not lead anywhere
            self.led_away = True
            return ""
        if onward and not self.client.origins.own_or_allowed(onward):
            self.cursor.elsewhere, self.led_away = self.client.origins.place(onward), True
            return ""
        return onward

    def _go_on(self, page: Page, new: int) -> None:
        """After a page that names no next one: is there more, and how is it asked for?"""
        crawl = self.cursor.crawl
        if not crawl.way:
            self._ask_how_many(page)
            self._doubt_limit()
        elif crawl.way == LARGER:
            crawl.proven |= new > 0 and len(page.ids) < crawl.size and not self.led_away
            crawl.size *= 4
        elif not new:
            crawl.proven |= crawl.fruitful or not page.ids
        if crawl.whole or (crawl.repeated and crawl.number + 1 < CRAWLS):
            self._end_crawl()
        elif not (crawl.way and new):
            self._next_way()

    def _ask_how_many(self, page: Page) -> None:
        """Proves the end of a search: by the server's count, else by whether it tells of more where there is more."""
        crawl, came = self.cursor.crawl, len(page.ids)
        full = may_be_full(came, crawl.asked(self.size)) or self.led_away
        if crawl.total is not None and crawl.total < crawl.distinct:
            crawl.total = None  # it counts something else
        crawl.proven = not full
        if crawl.total is not None and (not full or crawl.total != came):
            return
        if not full and (not came or self.cursor.uncounted or self.cursor.branch >= COUNTED):
            return
        params = self.branches[self.cursor.branch]
        count = counted(self.client, self.type, params)
        self.cursor.uncounted |= count is None
        beyond = count is not None and count > crawl.distinct and not full
        if beyond and self.windowed and counts_all(self.client, self.type, plain(params)):
            return
        if count is not None and count >= crawl.distinct:
            crawl.total = max(count, crawl.total or 0)
        elif full and crawl.total is None and self.size is not None and came > 1 and not self.led_away:
            smaller = asked(self.client, self.type, (*params, ("_count", str(came // 2))))
            crawl.proven = smaller is not None and bool(smaller.next) and len(smaller.ids) < came

    def _doubt_limit(self) -> None:
        """Just as many came as the server counts: it may count, and give, as many as its search engine can and no more."""
        crawl, params = self.cursor.crawl, self.branches[self.cursor.branch]
        by_time = self.client.vendor.last_updated and not self.cursor.timeless
        if by_time and crawl.total and crawl.total % LIMITS == 0 and crawl.distinct == crawl.total:
            crawl.total = counted_in_parts(self.client, self.type, params, crawl.total)

    def _next_way(self) -> None:
        """Where the present way brings nothing, another one; where none is left, the crawl ends."""
        crawl = self.cursor.crawl
        if crawl.way and not crawl.fruitful:
            crawl.fruitless.append(crawl.way)
        left = [way for way in self._ways() if way not in crawl.fruitless]
        after = left[left.index(crawl.way) + 1 :] if crawl.way in left else left
        crawl.way, crawl.fruitful = after[0] if after else "", False
        crawl.size = 4 * (self.size or 0) if crawl.way == LARGER else 0
        if not after:
            self._end_crawl()
        elif crawl.way == WINDOWS and not self._open_windows():
            self._next_way()

    def _ways(self) -> list[str]:
        windows = [WINDOWS] if self.client.vendor.last_updated else []
        return [*OFFSETS, *([LARGER] if self._free_size() else []), *windows]

    def _open_windows(self) -> bool:
        """The whole window in halves, where the server heeds them."""
        crawl = self.cursor.crawl
        branch = plain(self.branches[self.cursor.branch])
        if honours_last_updated(self.client, self.type, branch):
            crawl.windows = halves(self.since, self._latest())
        return bool(crawl.windows)

    def _advance_window(self, page: Page) -> None:
        """A window that gave less than there is in it is read in halves."""
        crawl = self.cursor.crawl
        crawl.window_total = page.total if crawl.window_total is None else crawl.window_total
        crawl.window_matches += len(page.ids)
        if page.next:
            return
        begin, end = crawl.windows.pop()
        full = may_be_full(len(page.ids), self.size) or self.led_away
        counts = crawl.window_total is not None and crawl.window_total >= crawl.window_matches  # else something else
        total = crawl.window_total or 0
        limited = total > 0 and total % LIMITS == 0
        short = (crawl.window_matches < total or limited) if counts else full
        if short and end - begin > A_SECOND:
            crawl.windows += halves(begin, end)
        elif short:
            crawl.stuck = True
        crawl.window_total, crawl.window_matches, crawl.barren, crawl.empty = None, 0, 0, 0  # windows end
        if not crawl.windows:
            crawl.proven |= not crawl.stuck
            self._end_crawl()

    def _end_crawl(self) -> None:
        """Where rows may have hidden, another crawl; else the search is settled."""
        cursor, crawl = self.cursor, self.cursor.crawl
        steady = crawl.number > 0 and crawl.distinct == self.ids.of(cursor.branch)
        doubtful = crawl.short or (crawl.repeated and not steady)
        cursor.url = ""
        if doubtful and crawl.number + 1 < CRAWLS:
            cursor.crawl = crawl.anew(self._free_size())
            return
        came = max(crawl.distinct, self.ids.of(cursor.branch) if crawl.number else 0)
        if crawl.total is not None:
            cursor.missing += max(0, crawl.total - came)
        else:
            cursor.unproven |= not crawl.proven or (crawl.repeated and not steady)
        # what stands under no category of US Core's is counted by no search
        cursor.counted &= crawl.total == crawl.distinct and cursor.way not in (CATEGORY, BOTH)
        cursor.distinct += came
        self._next_branch()

    def _next_branch(self) -> None:
        self.cursor.branch, self.cursor.crawl = self.cursor.branch + 1, Crawl()
        self.cursor.done = self.cursor.branch >= len(self.branches)

    def _save(self) -> None:
        self.kept.save(self.cursor)

    def _pulled(self) -> Pulled:
        way = self.cursor.way or (CATEGORY if self.type in self.client.vendor.fan_out else "")
        return self.cursor.pulled(self.type, way, windowed=self.windowed)
