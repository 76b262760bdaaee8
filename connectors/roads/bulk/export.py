"""One export of a site: the job, its manifest, its files, and what of them did not come."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from urllib.parse import urljoin

import msgspec

from connectors.client.fhir_client import BadRequest, FhirClient, Gone, Refused, WebPage, decode
from connectors.completeness import counted, honours_last_updated
from connectors.formats.outcome import error_answer, errors_of
from connectors.landing import DiskError
from connectors.outside.times import believed, newest, zulu
from connectors.pulled import EVERY_TYPE, EXPORT, Pulled, Shortfall, unread
from connectors.roads.bulk.deletions import Deletions
from connectors.roads.bulk.files import Files
from connectors.roads.bulk.jobs import Job, JobFailed, Jobs
from connectors.roads.bulk.manifest import Manifest, ManifestPart, Use
from connectors.source import Source, Wanted
from schemas.errors import IncompleteError, MainstemError, TemporaryError
from schemas.gaps import GapCause
from schemas.outcomes import REFERRED_TYPES

MANIFESTS, MOST_FILES = 1000, 100_000
"""Most pages of a manifest, and most files they name together."""
ATTEMPTS = 3
"""How often a manifest that is not whole is asked for."""
SAVE_AFTER = 1.0
"""Seconds of work that a crash may cost: with tens of thousands of small files a cursor a file would be most of it."""
_MANIFEST = msgspec.json.Decoder(Manifest)


class ExportCursor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How far an export has come."""

    began: datetime
    job: Job | None = None
    as_of: datetime | None = None
    log_in: bool = True
    parts: list[ManifestPart] | None = None
    """The files to fetch; None while the server is still at work."""
    numbers: dict[str, int] = {}
    """Files there are in the landing, by the beginning of their names."""
    short: list[Shortfall] = []
    """What the manifest itself leaves out."""
    notes: list[str] = []
    done: bool = False


def export_one(
    source: Source, wanted: Wanted, key: str = EXPORT, numbers: Mapping[str, int] | None = None
) -> tuple[Pulled, list[str]]:
    """All types of the site that the server exports, into the landing folder, by one export; and the types it does not.

    `key`: its cursor; `numbers`: files there are in the landing by others. Raises TemporaryError while an export is not
    ready in time, or the server is gone; the job is kept for the next call.
    """
    with source.client() as client:
        return _Export(client, source, wanted, key, numbers or {}).run()


class _Export:
    """One export, with its cursor."""

    def __init__(
        self, client: FhirClient, source: Source, wanted: Wanted, key: str, numbers: Mapping[str, int]
    ) -> None:
        self.client, self.types, self.key = client, source.site.types, key
        self.landing, self.progress = wanted.landing, wanted.progress
        self.since, self.everybody = wanted.since, not source.fhir.groups
        self.overlap = source.site.overlap
        self.jobs = Jobs(client, source, wanted.landing, wanted.since)
        self.cursor = self.landing.cursor(key, ExportCursor) or ExportCursor(
            began=client.clock(), numbers=dict(numbers)
        )
        self.files = Files(client, self.landing, source.site.limits, self.types, self.cursor.numbers)
        self.resumed = self.cursor.parts is not None
        self._saved = time.monotonic()
        self._readdressed_at = -1
        """How many files had come when the manifest was last asked for their addresses again."""
        self._landed = sum(_sum_types(self.cursor.parts or ()).values())

    def run(self) -> tuple[Pulled, list[str]]:
        """Every step from where the cursor stands; a job that is gone begins again. What ended short stays so: its job is
        given back, and the next load asks for another."""
        try:
            return self._run()
        finally:
            self._save()

    def _run(self) -> tuple[Pulled, list[str]]:
        for _ in range(2):
            try:
                self._go_on()
            except Gone:
                self._begin_again()
            except JobFailed:
                self._fail()
            else:
                return self._pulled(), self._not_exported()
        raise TemporaryError("the server forgets its exports before they can be fetched", "Run it again later.")

    def _go_on(self) -> None:
        cursor = self.cursor
        if cursor.done:
            return
        job = cursor.job if cursor.parts is not None else None
        if job is None:
            job = cursor.job = self.jobs.current()
            try:
                self._take_manifest(job)
            except IncompleteError:
                self.jobs.note_failed(job)
                raise
        for part in cursor.parts or ():
            if not part.taken:
                self._fetch(part, job)
        self._withdraw()
        self.jobs.give_back(job)
        cursor.notes += self.jobs.notes
        cursor.done = True

    def _fail(self) -> None:
        if self.cursor.job is not None:
            self.jobs.note_failed(self.cursor.job)
        self._begin_again()
        raise TemporaryError(
            "the server's export failed", "Find why the export failed; the next run begins another.", who="EHR vendor"
        )

    def _begin_again(self) -> None:
        if self.cursor.job is not None:
            self.jobs.forget(self.cursor.job)
        self.files.settle()
        self.landing.discard([self.landing.folder / name for part in self.cursor.parts or () for name in part.files])
        self.cursor = ExportCursor(began=self.client.clock(), numbers=self.cursor.numbers)
        self.resumed = False
        self._save()

    # ------------------------------------------------------------ the manifest

    def _take_manifest(self, job: Job) -> None:
        cursor, now = self.cursor, self.client.clock()
        parts: dict[str, ManifestPart] = {}
        left: Counter[str] = Counter()
        for number, (at, page) in enumerate(self._pages(job)):
            if number == 0:
                cursor.log_in = page.log_in
                cursor.as_of = believed(page.time, now) or job.as_of
            for found in page.parts(self.types, at):
                if isinstance(found, Shortfall):
                    cursor.short.append(found)
                elif parts.setdefault(found.url, found).type != found.type:
                    parts[found.url] = ManifestPart(found.url, or_at=found.or_at, use=found.use)  # of several types
            left.update(page.left(self.types))
            if len(parts) > MOST_FILES:
                raise IncompleteError(
                    f"the export's manifest names more than {MOST_FILES} files",
                    "Write fewer, larger files.",
                    who="EHR vendor",
                )
        if left:
            cursor.notes.append(f"files of types that the site is not read for: {unread(left)}")
        self.jobs.note_ready()
        # What is deleted is looked up among what came.
        cursor.parts = sorted(parts.values(), key=lambda part: part.use is Use.DELETIONS)
        self._save()

    def _pages(self, job: Job) -> Iterator[tuple[str, Manifest]]:
        """The manifest and those it leads on to, with their addresses. What cannot be read on holds every watermark."""
        at = job.status_url
        page = self._page(at, job)
        yield at, page
        seen = {at}
        while page.next:
            at = urljoin(at, page.next) if page.next.startswith("?") else page.next
            if at in seen or len(seen) >= MANIFESTS:
                self._cut_short(GapCause.PAGING, "the pages of the export's manifest do not end", "")
                return
            seen.add(at)
            try:
                page = self._page(at, job)
            except TemporaryError:
                raise
            except MainstemError as exc:
                self._cut_short(GapCause.FILE_NOT_READ, f"a page of the export's manifest: {exc.cause}", exc.fix)
                return
            yield at, page

    def _page(self, url: str, job: Job) -> Manifest:
        what, place = "the export's manifest", self.client.origins.place(url)
        for attempt in range(ATTEMPTS):
            answer = self.jobs.wait(url, job)
            try:
                page = decode(answer, _MANIFEST, what=what, place=place)
                if page.says_nothing:
                    raise error_answer(what, errors_of(answer.content), "in its place")
            except (IncompleteError, WebPage):
                if attempt + 1 == ATTEMPTS:
                    raise
                self.jobs.rest()
            else:
                return page
        raise AssertionError("the last attempt raises")

    def _cut_short(self, cause: GapCause, reason: str, fix: str) -> None:
        self.cursor.short.append(Shortfall(EVERY_TYPE, cause, reason, fix))

    # ------------------------------------------------------------ its files

    def _fetch(self, part: ManifestPart, job: Job) -> None:
        """One file: what is wrong with it costs its types. Raises where the fault is the server's or the disk's."""
        try:
            self._take(part)
        except DiskError:
            raise
        except MainstemError as exc:
            self._require_server(exc, job)
            self._take_elsewhere(part, job, exc)
        part.taken = True
        if time.monotonic() - self._saved > SAVE_AFTER:
            self._save()
        self._landed += sum(part.types.values())
        self.progress(EXPORT, self._landed, _expected(self.cursor.parts or (), self._landed))

    def _take(self, part: ManifestPart) -> None:
        not_after = max(self.client.clock(), self.cursor.as_of or self.cursor.began)
        self.files.fetch(part, log_in=self.cursor.log_in, not_after=not_after)

    def _take_elsewhere(self, part: ManifestPart, job: Job, error: MainstemError) -> None:
        """A file that was refused, from where the manifest says by now: signed addresses expire, and downloads outlast them."""
        came = sum(each.taken and not each.short for each in self.cursor.parts or ())
        if not isinstance(error, BadRequest | Gone | Refused) or "?" not in part.url or came == self._readdressed_at:
            self._note_unread(part, error)
            return
        self._readdressed_at, before = came, part.url
        self._readdress(job)
        if part.url == before:
            self._note_unread(part, error)
            return
        try:
            self._take(part)
        except DiskError:
            raise
        except MainstemError as exc:
            self._note_unread(part, exc)

    def _readdress(self, job: Job) -> None:
        """Asks for the manifest again; a file of it is known by its type and its address without parameters, where no other has these."""
        short = list(self.cursor.short)
        new: dict[tuple[str, ...], list[ManifestPart]] = {}
        with suppress(MainstemError):
            for at, page in self._pages(job):
                for found in page.parts(self.types, at):
                    if isinstance(found, ManifestPart):
                        new.setdefault(_key(found), []).append(found)
        self.cursor.short = short
        old = Counter(_key(part) for part in self.cursor.parts or ())
        for part in self.cursor.parts or ():
            now = new.get(_key(part), [])
            if not part.taken and len(now) == old[_key(part)] == 1:
                part.url, part.or_at = now[0].url, now[0].or_at

    def _require_server(self, error: MainstemError, job: Job) -> None:
        """Raises TemporaryError where the whole server does not answer, Gone where it forgot a job of an earlier attempt."""
        if isinstance(error, TemporaryError | Gone) and not self.jobs.is_known(job) and self.resumed:
            raise Gone("the export is gone from the server", "Run it again.")

    def _note_unread(self, part: ManifestPart, error: MainstemError) -> None:
        if part.harmless:
            part.notes.append(f"the server's messages about its export were not read: {error.cause}")
            return
        cause = error.gap if isinstance(error, TemporaryError | WebPage) else GapCause.FILE_NOT_READ
        of = f"{part.type}: " if part.type else ""
        reason, fix = f"{of}a file of the export: {error.cause}", error.fix
        if isinstance(error, Refused) and not self.cursor.log_in:
            reason += "; its manifest says that its files want no log-in, so none was shown"
            fix = "Have the manifest say requiresAccessToken true, or its files given without a log-in."
        part.short.append(Shortfall(part.type, cause, reason, fix, error.who))

    def _withdraw(self) -> None:
        """Stubs of what the export says is deleted, in the place of the files that say so."""
        self.files.settle()
        Deletions(self.landing, self.types).settle(self.cursor.parts or [], self.cursor.numbers)

    # ------------------------------------------------------------ what came of it

    def _save(self) -> None:
        """What the cursor counts is on the disk before it."""
        self.files.settle()
        self.landing.save_cursor(self.key, self.cursor)
        self._saved = time.monotonic()

    def _not_exported(self) -> list[str]:
        refused = self.cursor.job.refused if self.cursor.job else []
        without = {*refused, *self.client.vendor.not_exported}
        return [name for name in self.types if name in without or (self.everybody and self._is_left_out(name))]

    def _is_left_out(self, name: str) -> bool:
        """Whether an export of everybody brought nothing of a type, said nothing of it, and the server counts some."""
        cursor, parts = self.cursor, self.cursor.parts or []
        if name in REFERRED_TYPES or _sum_types(parts).get(name):
            return False
        short = [*cursor.short, *(short for part in parts for short in part.short)]
        return not any(each.type in (name, EVERY_TYPE) for each in short) and bool(self._counted(name))

    def _counted(self, name: str) -> int | None:
        """How many of a type the server counts that the export is of, but for what the one before it brought already; None where it does
        not count, or heeds no time of update.
        """
        if self.since is None:
            return counted(self.client, name, ())
        until = self.cursor.as_of or self.cursor.began
        ends = (("gt", self.since + self.overlap), (self.client.vendor.window_ends.get(name, "lt"), until))
        window = tuple(("_lastUpdated", f"{word}{zulu(moment)}") for word, moment in ends)
        found = counted(self.client, name, window) if self.client.vendor.last_updated else None
        return found if found and honours_last_updated(self.client, name, (("_count", "1"),)) else None

    def _pulled(self) -> Pulled:
        cursor, parts = self.cursor, self.cursor.parts or []
        types = _sum_types(parts)
        return Pulled(
            unit=EXPORT,
            files=[name for part in parts for name in part.files],
            resources=sum(types.values()),
            types=types,
            pages=len(parts),
            bytes=sum(part.bytes for part in parts if part.use is Use.DATA),
            messages=sum(part.messages for part in parts),
            short=[*cursor.short, *(short for part in parts for short in part.short)],
            notes=[*cursor.notes, *(note for part in parts for note in part.notes)],
            newest=newest(*(part.newest for part in parts if part.use is Use.DATA)),
            as_of=cursor.as_of or cursor.began,
        )


def _key(part: ManifestPart) -> tuple[str, ...]:
    return part.use, part.type, part.url.partition("?")[0]


def _expected(parts: Collection[ManifestPart], landed: int) -> int | None:
    """How many there will be: as the manifest counts, else as the files that came let expect."""
    data = [part for part in parts if part.use is Use.DATA]
    if data and all(part.count is not None for part in data):
        return max(landed, sum(part.count or 0 for part in data))
    taken = sum(part.taken for part in data)
    return landed * len(data) // taken if taken else None


def _sum_types(parts: Iterable[ManifestPart]) -> dict[str, int]:
    types: dict[str, int] = {}
    for part in parts:
        for name, count in part.types.items():
            types[name] = types.get(name, 0) + count
    return types
