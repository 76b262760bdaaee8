"""The road of REST search: one type, page by page, into the landing; after a crash it goes on at the page."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

from connectors.client.fhir_client import Answer, FhirClient, Gone
from connectors.formats.bundle import BUNDLE, Bundle, Page, lines, require_bundle
from connectors.formats.outcome import error_answer
from connectors.outside.times import believed, newest, zulu
from connectors.pulled import Pulled, Shortfall
from connectors.source import Source, Wanted
from connectors.vendors import Parameters
from schemas.errors import IncompleteError
from schemas.gaps import GapCause

FILE_BYTES = 64 * 1024 * 1024
"""Compressed size after which a new landing file is begun."""
AMONG = "among the results"


class SearchCursor(msgspec.Struct, kw_only=True):
    """How far a search has come: what the landing holds, and the page to read next."""

    began: datetime
    as_of: datetime | None = None
    branch: int = 0
    """Which of the searches that make up the type."""
    url: str = ""
    """Next page; empty at a branch's beginning."""
    of_branch: int = 0
    """Matches the branch gave so far."""
    missing: int = 0
    """How many fewer matches came than the server counts."""
    errors: list[str] = []
    """Errors the server sent among the results, each kind once."""
    files: list[str] = []
    size: int = 0
    """Bytes of the last file that are whole."""
    messages_size: int = 0
    resources: int = 0
    messages: int = 0
    pages: int = 0
    bytes: int = 0
    newest: datetime | None = None
    done: bool = False


def pull_search(source: Source, wanted: Wanted) -> Pulled:
    """All of a type that was updated in the window, into the landing folder.

    Raises IncompleteError for a loop of `next` links or too many pages.
    """
    with source.client() as client:
        search = _TypeSearch(client, source, wanted)
        for _ in range(2):
            try:
                return search.run()
            except _LinkExpired:
                search.begin_again()
    raise IncompleteError(
        f"{wanted.unit}: the server's paging links expire before they can be read",
        "Raise fhir.page_size, or the server's own limit.",
    )


def read_one(client: FhirClient, resource_type: str) -> str:
    """A real read of the type's first page, as small as can be; says what came. For the preflight."""
    fan_out = client.vendor.fan_out.get(resource_type) or ((),)
    size = client.vendor.page_size(resource_type, 1, fan_out[0])
    params = [*fan_out[0], *([("_count", "1")] if size else [])]
    url = client.url(resource_type)
    bundle, _ = client.read(url, BUNDLE, what=resource_type, params=params, require=require_bundle)
    page = Page(bundle, not_after=client.clock())
    if page.errors:
        raise error_answer(resource_type, page.errors, AMONG)
    counted = f", {page.total} in all" if page.total is not None else ""
    stamped = "" if page.newest or not page.resources else "; no usable meta.lastUpdated"
    return f"{len(page.resources)} read{counted}{stamped}"


class _LinkExpired(Exception):
    """A paging link is no longer known to the server."""


class _TypeSearch:
    """The search of one type, with its cursor."""

    def __init__(self, client: FhirClient, source: Source, wanted: Wanted) -> None:
        self.client, self.most_pages = client, source.site.limits.pages
        self.type, self.landing, self.progress = wanted.unit, wanted.landing, wanted.progress
        fan_out: Sequence[Parameters] = client.vendor.fan_out.get(self.type) or ((),)
        window = self._window(wanted)
        self.branches: Sequence[Parameters] = (
            wanted.roster.searches(self.type, fan_out, window, wanted.new)
            if wanted.roster
            else [(*each, *window) for each in fan_out]
        )
        self.common = self._page_size(source.fhir.page_size)
        self.cursor = self.landing.cursor(self.type, SearchCursor) or SearchCursor(began=client.clock())
        self.messages_path = self.landing.path(f"OperationOutcome-{self.type}", 1)
        self.seen: set[bytes] = set()

    def _window(self, wanted: Wanted) -> Parameters:
        if not self.client.vendor.last_updated:
            return ()
        ends = (("ge", wanted.since), (self.client.vendor.window_ends.get(self.type, "lt"), wanted.until))
        return tuple(("_lastUpdated", f"{end}{zulu(moment)}") for end, moment in ends if moment)

    def _page_size(self, asked: int) -> Parameters:
        size = self.client.vendor.page_size(self.type, asked, self.branches[0])
        return () if size is None else (("_count", str(size)),)

    def run(self) -> Pulled:
        """Every branch from where the cursor stands; what ended incomplete begins again."""
        if self.cursor.done and (self.cursor.missing or self.cursor.errors):
            self.begin_again()
        while not self.cursor.done:
            self._read_page()
        return self._pulled()

    def begin_again(self) -> None:
        """Forget what was read."""
        self.landing.discard([self.landing.folder / name for name in self.cursor.files])
        self.landing.discard([self.messages_path])
        self.cursor = SearchCursor(began=self.cursor.began)
        self.seen.clear()
        self._save()

    def _read_page(self) -> None:
        cursor = self.cursor
        self._guard_loop()
        bundle, answer = self._ask()
        now = self.client.clock()
        cursor.as_of = cursor.as_of or believed(answer.date, now) or cursor.began
        page = Page(bundle, not_after=max(now, cursor.as_of))
        self._land(page)
        self._advance(page)
        self._save()
        self.progress(self.type, cursor.resources)

    def _ask(self) -> tuple[Bundle, Answer]:
        url = self.cursor.url
        params = () if url else (*self.branches[self.cursor.branch], *self.common)
        try:
            return self.client.read(
                url or self.client.url(self.type), BUNDLE, what=self.type, params=params, require=require_bundle
            )
        except Gone as exc:
            if url:
                raise _LinkExpired from exc
            raise

    def _guard_loop(self) -> None:
        """Links lead onwards, and not for ever. What a loop brought twice is thrown away with it."""
        cursor = self.cursor
        mark = blake2b(f"{cursor.branch} {cursor.url}".encode(), digest_size=8).digest()
        if mark in self.seen:
            self.begin_again()
            raise IncompleteError(
                f"{self.type}: the server's next links go in a circle",
                "Report it to the EHR vendor; try another fhir.page_size.",
            )
        if cursor.pages >= self.most_pages:
            raise IncompleteError(
                f"{self.type}: more than {cursor.pages} pages", "Raise limits.pages if that is genuine."
            )
        self.seen.add(mark)

    def _land(self, page: Page) -> None:
        """The page's bytes onto the disk, before the cursor counts them."""
        cursor = self.cursor
        if page.resources:
            if not cursor.files or cursor.size > FILE_BYTES:
                cursor.files.append(self.landing.path(self.type, len(cursor.files) + 1).name)
                cursor.size = 0
            cursor.size = self.landing.append(
                self.landing.folder / cursor.files[-1], cursor.size, lines(page.resources)
            )
        if page.messages:
            cursor.messages_size = self.landing.append(self.messages_path, cursor.messages_size, lines(page.messages))

    def _advance(self, page: Page) -> None:
        cursor = self.cursor
        cursor.pages += 1
        cursor.resources += len(page.resources)
        cursor.messages += len(page.messages)
        cursor.errors = list(dict.fromkeys([*cursor.errors, *page.errors]))
        cursor.bytes += sum(map(len, page.resources)) + len(page.resources)
        cursor.newest = newest(cursor.newest, page.newest)
        cursor.of_branch += page.matches
        cursor.url = page.next
        if not page.next:
            # Some servers count 1000, send 200 and no next link.
            cursor.missing += max(0, (page.total or 0) - cursor.of_branch)
            cursor.branch, cursor.of_branch = cursor.branch + 1, 0
            cursor.done = cursor.branch >= len(self.branches)

    def _save(self) -> None:
        self.landing.save_cursor(self.type, self.cursor)

    def _pulled(self) -> Pulled:
        cursor = self.cursor
        short = []
        if cursor.errors:
            short.append(Shortfall.of_error(self.type, error_answer(self.type, cursor.errors, AMONG)))
        if cursor.missing:
            reason = f"{self.type}: the server counts {cursor.missing} more than it sent, and names no further page"
            short.append(Shortfall(self.type, GapCause.SHORT_OF_COUNT, reason))
        return Pulled(
            unit=self.type,
            files=cursor.files,
            resources=cursor.resources,
            types={self.type: cursor.resources},
            pages=cursor.pages,
            bytes=cursor.bytes,
            messages=cursor.messages,
            short=short,
            newest=cursor.newest,
            as_of=cursor.as_of or cursor.began,
        )
