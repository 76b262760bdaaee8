"""The road of REST search: one type, page by page, into the landing; after a crash it goes on at the page."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from connectors.client.fhir_client import FhirClient, Gone
from connectors.formats.ndjson import instant, newest
from connectors.landing import Landing
from connectors.pulled import Pulled
from connectors.vendors import Parameters
from schemas.errors import IncompleteError
from schemas.sites import Site

FILE_BYTES = 64 * 1024 * 1024
"""Compressed size after which a new landing file is begun."""
Progress = Callable[[str, int], None]
"""(unit, resources so far)."""


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


class _Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class _Search(msgspec.Struct):
    mode: str = "match"


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")
    search: _Search | None = None


class _Bundle(msgspec.Struct):
    resourceType: str = ""
    total: int | None = None
    link: list[_Link] = []
    entry: list[_Entry] = []


class _Meta(msgspec.Struct):
    lastUpdated: str = ""


class _Head(msgspec.Struct):
    resourceType: str = ""
    meta: _Meta | None = None


class _Kind(msgspec.Struct):
    resourceType: str = ""


_BUNDLE = msgspec.json.Decoder(_Bundle)
_HEAD = msgspec.json.Decoder(_Head)
_KIND = msgspec.json.Decoder(_Kind)


class _Page:
    """One page: the resources' own bytes, messages aside."""

    def __init__(self, bundle: _Bundle, not_after: datetime) -> None:
        self.resources: list[bytes] = []
        self.messages: list[bytes] = []
        self.matches = 0
        self.newest: datetime | None = None
        self.total = bundle.total
        self.next = next((link.url for link in bundle.link if link.relation == "next"), "")
        for entry in bundle.entry:
            self._take(entry, not_after)

    def _take(self, entry: _Entry, not_after: datetime) -> None:
        line = one_line(bytes(entry.resource))
        if not line:
            return
        kind, updated = _head(line)
        mode = entry.search.mode if entry.search else "match"
        if mode == "outcome" or kind == "OperationOutcome":
            self.messages.append(line)
            return
        self.resources.append(line)
        self.matches += mode != "include"
        if updated is not None and updated <= not_after:
            self.newest = newest(self.newest, updated)


def _head(line: bytes) -> tuple[str, datetime | None]:
    """Type and time of update, as far as they can be told: what is wrong in a resource is for the mapping to say."""
    try:
        head = _HEAD.decode(line)
    except msgspec.DecodeError:
        pass
    else:
        return head.resourceType, instant(head.meta.lastUpdated) if head.meta else None
    try:
        return _KIND.decode(line).resourceType, None
    except msgspec.DecodeError:
        return "", None


def one_line(raw: bytes) -> bytes:
    """A resource's bytes as one NDJSON line: between its tokens a server may break lines, inside them JSON cannot."""
    if b"\n" in raw or b"\r" in raw:
        raw = raw.replace(b"\r", b" ").replace(b"\n", b" ")
    return raw


def pull_search(
    client: FhirClient,
    site: Site,
    resource_type: str,
    *,
    landing: Landing,
    since: datetime | None,
    until: datetime | None,
    progress: Progress,
) -> Pulled:
    """All of a type that was updated in the window, into the landing folder.

    Raises IncompleteError for a loop of `next` links or too many pages.
    """
    search = _TypeSearch(client, site, resource_type, landing, since, until, progress)
    for _ in range(2):
        try:
            return search.run()
        except _LinkExpired:
            search.begin_again()
    raise IncompleteError(
        f"{resource_type}: the server's paging links expire before they can be read",
        "Raise fhir.page_size, or the server's own limit.",
    )


def read_one(client: FhirClient, resource_type: str) -> str:
    """A real read of the type's first page, as small as can be; says what came. For the preflight."""
    fan_out = client.vendor.fan_out.get(resource_type) or ((),)
    takes_count = client.vendor.page_sizes.get(resource_type, 1) is not None
    params = [*fan_out[0], *([("_count", "1")] if takes_count else [])]
    bundle, _ = client.read(client.url(resource_type), _BUNDLE, what=resource_type, params=params)
    _require_bundle(bundle, resource_type)
    page = _Page(bundle, not_after=client.clock())
    counted = f", {page.total} in all" if page.total is not None else ""
    stamped = "" if page.newest or not page.resources else "; no usable meta.lastUpdated"
    return f"{len(page.resources)} read{counted}{stamped}"


def _require_bundle(bundle: _Bundle, resource_type: str) -> None:
    if bundle.resourceType != "Bundle":
        raise IncompleteError(
            f"{resource_type}: the server answers a search with no Bundle",
            "Check fhir.vendor; `mainstem check` tries each type.",
        )


class _LinkExpired(Exception):
    """A paging link is no longer known to the server."""


class _TypeSearch:
    """The search of one type, with its cursor."""

    def __init__(
        self,
        client: FhirClient,
        site: Site,
        resource_type: str,
        landing: Landing,
        since: datetime | None,
        until: datetime | None,
        progress: Progress,
    ) -> None:
        assert site.fhir is not None
        self.client, self.site, self.type, self.landing, self.progress = client, site, resource_type, landing, progress
        vendor = client.vendor
        self.branches: Sequence[Parameters] = vendor.fan_out.get(resource_type) or ((),)
        cap = vendor.page_sizes.get(resource_type, site.fhir.page_size)
        self.common: list[tuple[str, str]] = []
        if vendor.last_updated:
            self.common += [("_lastUpdated", f"ge{zulu(since)}")] if since else []
            self.common += [("_lastUpdated", f"lt{zulu(until)}")] if until else []
        self.common += [("_count", str(min(cap, site.fhir.page_size)))] if cap is not None else []
        self.cursor = landing.cursor(resource_type, SearchCursor) or SearchCursor(began=client.clock())
        self.messages_path = landing.path(f"OperationOutcome-{resource_type}", 1)
        self.seen: set[bytes] = set()

    def run(self) -> Pulled:
        """Every branch from where the cursor stands; what ended incomplete begins again."""
        if self.cursor.done and self.cursor.missing:
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
        params: list[tuple[str, str]] = []
        if not cursor.url:
            params = [*self.branches[cursor.branch], *self.common]
        try:
            bundle, answer = self.client.read(
                cursor.url or self.client.url(self.type), _BUNDLE, what=self.type, params=params
            )
        except Gone as exc:
            if cursor.url:
                raise _LinkExpired from exc
            raise
        _require_bundle(bundle, self.type)
        now = self.client.clock()
        cursor.as_of = cursor.as_of or answer.date or cursor.began
        page = _Page(bundle, not_after=max(now, cursor.as_of))
        self._land(page)
        self._advance(page)
        self._save()
        self.progress(self.type, cursor.resources)

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
        if cursor.pages >= self.site.limits.pages:
            raise IncompleteError(
                f"{self.type}: more than {cursor.pages} pages", "Raise limits.pages if that is genuine."
            )
        self.seen.add(mark)

    def _land(self, page: _Page) -> None:
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

    def _advance(self, page: _Page) -> None:
        cursor = self.cursor
        cursor.pages += 1
        cursor.resources += len(page.resources)
        cursor.messages += len(page.messages)
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
        error = ""
        if cursor.missing:
            error = f"{self.type}: the server counts {cursor.missing} more than it sent, and names no further page"
        return Pulled(
            unit=self.type,
            files=cursor.files,
            resources=cursor.resources,
            types={self.type: cursor.resources},
            pages=cursor.pages,
            bytes=cursor.bytes,
            messages=cursor.messages,
            complete=not error,
            error=error,
            newest=cursor.newest,
            as_of=cursor.as_of or cursor.began,
        )


def lines(resources: Sequence[bytes]) -> list[bytes]:
    """A page's resources as one block of lines."""
    return [b"\n".join(resources) + b"\n"]


def zulu(moment: datetime) -> str:
    """A FHIR instant in UTC, with Z: some servers compare it as text, and then another offset loses everything."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
