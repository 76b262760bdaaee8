"""The road of bulk export: `$export` kicked off, waited for, and its files streamed into the landing.

The job's status URL is kept, so a crash comes back to the same job: many servers allow one a day.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from connectors.client.capabilities import meet
from connectors.client.fhir_client import Answer, FhirClient, Gone, decode
from connectors.formats.meter import Meter, TooLarge
from connectors.formats.ndjson import read_lines
from connectors.outside.decoding import ABSENT, Unreadable, decoded, each, elements, said
from connectors.outside.times import believed, instant, newest, pause_after, zulu
from connectors.pulled import EVERY_TYPE, EXPORT, Pulled, Shortfall
from connectors.source import Source, Wanted
from schemas.errors import IncompleteError, MainstemError, OperatorError, TemporaryError
from schemas.gaps import GapCause
from schemas.outcomes import REFERRED_TYPES
from schemas.problems import Problem

SHORTEST_POLL, USUAL_POLL, LONGEST_POLL = 0.5, 5.0, 60.0
"""Seconds between questions whether an export is ready; the server's Retry-After is followed between them."""
MOST = 1 << 53
"""Largest count believed."""
MANIFESTS, MOST_FILES = 1000, 100_000
"""Most pages of a manifest, and most files they name together."""


class ExportedFile(msgspec.Struct):
    """What a manifest says of one file."""

    type: str = ""
    url: str = ""
    count: int | None = None


class ExportCursor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How far an export has come."""

    began: datetime
    status_url: str = ""
    as_of: datetime | None = None
    log_in: bool = True
    parts: list[ExportedFile] | None = None
    """The files to fetch, messages among them; None while the server is still at work."""
    taken: int = 0
    """How many of the parts are in the landing."""
    files: list[str] = []
    types: dict[str, int] = {}
    messages: int = 0
    bytes: int = 0
    newest: datetime | None = None
    short: list[Shortfall] = []
    """What of the export did not come."""
    notes: list[str] = []
    done: bool = False


class _Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class _Manifest(msgspec.Struct):
    """Each field by itself: what is wrong in one costs what it says, and is counted."""

    transactionTime: msgspec.Raw = ABSENT
    requiresAccessToken: msgspec.Raw = ABSENT
    output: msgspec.Raw = ABSENT
    error: msgspec.Raw = ABSENT
    deleted: msgspec.Raw = ABSENT
    link: msgspec.Raw = ABSENT

    @property
    def next(self) -> str:
        """Where the manifest goes on."""
        return next((link.url for link in each(self.link, _Link) if link.relation == "next"), "")

    @property
    def unreadable(self) -> int:
        """Files and links of which nobody can tell what they are."""
        return sum(
            elements(raw, form)[1]
            for raw, form in ((self.output, ExportedFile), (self.error, ExportedFile), (self.link, _Link))
        )


class _Issue(msgspec.Struct):
    severity: str = ""


class _Message(msgspec.Struct):
    issue: list[_Issue] = []


_MANIFEST = msgspec.json.Decoder(_Manifest)
_MESSAGE = msgspec.json.Decoder(_Message)
MESSAGES = "OperationOutcome"


def pull_export(source: Source, wanted: Wanted) -> Pulled:
    """All types of the site, into the landing folder, by one export.

    Raises TemporaryError while an export is not ready in time; the job is kept for the next call.
    """
    with source.client() as client:
        return _Export(client, source, wanted).run()


class _Export:
    """One export, with its cursor."""

    def __init__(self, client: FhirClient, source: Source, wanted: Wanted) -> None:
        self.client, self.site, self.fhir = client, source.site, source.fhir
        self.landing, self.since, self.progress = wanted.landing, wanted.since, wanted.progress
        self.cursor = self.landing.cursor(EXPORT, ExportCursor) or ExportCursor(began=client.clock())

    def run(self) -> Pulled:
        """Every step from where the cursor stands; what ended incomplete, and a job that is gone, begin again."""
        if self.cursor.done and self.cursor.short:
            self._begin_again()
        for _ in range(2):
            try:
                self._go_on()
            except Gone:
                self._begin_again()
            else:
                return self._pulled()
        raise TemporaryError("the server forgets its exports before they can be fetched", "Run it again later.")

    def _go_on(self) -> None:
        cursor = self.cursor
        if cursor.done:
            return
        if not cursor.status_url:
            self._kick_off()
        if cursor.parts is None:
            self._take_manifest(self._wait())
        assert cursor.parts is not None
        for number in range(cursor.taken, len(cursor.parts)):
            self._fetch(cursor.parts[number])
        self._delete_job()
        cursor.done = True
        self._save()

    def _kick_off(self) -> None:
        location = self._accepted().headers.get("Content-Location", "")
        if not location:
            raise IncompleteError("the server accepts the export but does not say where to wait for it")
        self.cursor.status_url = str(self.client.origins.trusted(location))
        self.cursor.began = self.client.clock()
        self._save()

    def _accepted(self) -> Answer:
        """The answer to the best export that the server does not refuse."""
        types = [name for name in self.site.types if name not in self.client.vendor.not_exported]
        own = [name for name in types if name not in REFERRED_TYPES]  # some servers refuse what is no patient's
        *asked, last = [
            (level, some) for level in self._levels() for some in ([types, own] if own and own != types else [types])
        ]
        for level, some in asked:
            with suppress(OperatorError):
                return self._ask_for(level, some)
        try:
            return self._ask_for(*last)
        except OperatorError as exc:
            raise OperatorError(exc.cause, f'{exc.fix} `road = "search"` reads the site without an export.') from exc

    def _ask_for(self, level: str, types: list[str]) -> Answer:
        path = {"system": "$export", "Patient": "Patient/$export"}.get(level, f"Group/{self.fhir.group}/$export")
        return self.client.ask(
            "GET",
            self.client.url(path),
            what=f"the export of {level}",
            accepted=(202,),
            params=self._parameters(types),
            headers={"Prefer": "respond-async"},
        )

    def _levels(self) -> list[str]:
        """Which exports to ask for, the best first."""
        if self.fhir.group:
            return ["Group"]
        advertised = meet(self.client).exports
        return ["system", "Patient"] if advertised == ["system"] else ["Patient", "system"]

    def _parameters(self, types: list[str]) -> list[tuple[str, str]]:
        since = [("_since", zulu(self.since))] if self.since else []
        return [("_type", ",".join(types)), *since]

    def _wait(self) -> Answer:
        """Ask until the export is ready. A failed job (500) is forgotten, so that the next call begins another."""
        while (answer := self._status()).status != 200:
            if answer.status == 500:
                self._begin_again()
                raise TemporaryError(
                    "the server's export failed (500)", "The next run begins another; ask the EHR vendor."
                )
            self._pause(answer)
        return answer

    def _status(self) -> Answer:
        return self.client.ask(
            "GET",
            self.cursor.status_url,
            what="the export's status",
            accepted=(200, 202, 429, 500),
            headers={"Accept": "application/json"},
        )

    def _pause(self, answer: Answer) -> None:
        now = self.client.clock()
        if now >= self.cursor.began + timedelta(minutes=self.fhir.bulk_wait_minutes):
            raise TemporaryError(
                f"the export is not ready after {self.fhir.bulk_wait_minutes:g} minutes",
                "Run it again: it comes back to the same job. Raise fhir.bulk_wait_minutes for a large site.",
            )
        asked = pause_after(answer.headers.get("Retry-After", ""), now)
        self.client.sleep(min(max(USUAL_POLL if asked is None else asked, SHORTEST_POLL), LONGEST_POLL))

    def _take_manifest(self, answer: Answer) -> None:
        cursor = self.cursor
        place = self.client.origins.place(cursor.status_url)
        manifest = decode(answer, _MANIFEST, what="the export's manifest", place=place)
        cursor.log_in = said(manifest.requiresAccessToken, bool, True)
        now = self.client.clock()
        stamp = believed(instant(said(manifest.transactionTime, str, "")), now)
        cursor.as_of = stamp or believed(answer.date, now) or cursor.began
        parts: list[ExportedFile] = []
        deleted = unreadable = 0
        for page in self._pages(manifest):
            parts += self._files(page)
            deleted += len(each(page.deleted, msgspec.Raw))
            unreadable += page.unreadable
            if len(parts) > MOST_FILES:
                raise IncompleteError(
                    f"the export's manifest names more than {MOST_FILES} files", "Report it to the EHR vendor."
                )
        if deleted:
            cursor.notes.append(f"{deleted} files of deletions in the export were not read")
        if unreadable:
            reason = f"the export's manifest names {unreadable} files in a form that is not FHIR's"
            cursor.short.append(Shortfall(EVERY_TYPE, GapCause.FILE_NOT_READ, reason))
        cursor.parts = parts
        self._save()

    def _pages(self, manifest: _Manifest) -> Iterator[_Manifest]:
        """The manifest and those it leads on to."""
        yield manifest
        for _ in range(MANIFESTS - 1):
            if not manifest.next:
                return
            manifest, _answer = self.client.read(manifest.next, _MANIFEST, what="the export's manifest")
            yield manifest
        if manifest.next:
            raise IncompleteError(
                f"the export's manifest has more than {MANIFESTS} pages", "Report it to the EHR vendor."
            )

    def _files(self, page: _Manifest) -> Iterator[ExportedFile]:
        """What is fetched of a manifest. A server may ignore `_type`; what was not asked for is left there."""
        output = each(page.output, ExportedFile)
        yield from (file for file in output if file.type in self.site.types)
        # `error` holds OperationOutcomes whatever it says; a server may also list them as output.
        yield from (ExportedFile(MESSAGES, file.url) for file in each(page.error, ExportedFile))
        yield from (file for file in output if file.type == MESSAGES)

    def _fetch(self, file: ExportedFile) -> None:
        """One file, whole or not at all; then the cursor."""
        cursor = self.cursor
        path = self._target(file)
        try:
            meter = self.client.again_and_again(lambda: self._download(file, path))
        except TooLarge as exc:
            reason = f"{file.type}: a file of the export {exc}; not taken"
            cursor.short.append(Shortfall(file.type, GapCause.FILE_NOT_READ, reason))
            cursor.taken += 1
            self._save()
            return
        cursor.files.append(path.name)
        cursor.taken += 1
        if file.type == MESSAGES:
            cursor.messages += meter.lines
            cursor.short += _grave(path, self.site.limits.line_bytes)
        else:
            cursor.types[file.type] = cursor.types.get(file.type, 0) + meter.lines
            cursor.bytes += meter.bytes
            cursor.newest = newest(cursor.newest, meter.newest)
            cursor.short += _shortfall(file, meter)
        self._save()
        self.progress(EXPORT, sum(cursor.types.values()))

    def _target(self, file: ExportedFile) -> Path:
        stem = f"{MESSAGES}-{EXPORT}" if file.type == MESSAGES else file.type
        if not stem.replace("-", "").isalnum():
            raise IncompleteError(
                "the export's manifest names a file without a resource type", "Report it to the EHR vendor."
            )
        return self.landing.path(stem, sum(name.startswith(f"{stem}-") for name in self.cursor.files) + 1)

    def _download(self, file: ExportedFile, path: Path) -> Meter:
        limits = self.site.limits
        meter = Meter(cap=limits.line_bytes, most=limits.file_bytes)
        not_after = max(self.client.clock(), self.cursor.as_of or self.cursor.began)
        with self.client.download(file.url, what=f"the export's {file.type}", log_in=self.cursor.log_in) as blocks:
            self.landing.write(path, meter.through(blocks, not_after=not_after))
        return meter

    def _delete_job(self) -> None:
        """Tell the server that it may forget the export: Epic wants it, and the files hold patients' data."""
        try:
            self.client.ask(
                "DELETE",
                self.cursor.status_url,
                what="deleting the export",
                accepted=(200, 202, 204, 404, 410),
                headers={"Accept": "application/json"},
            )
        except MainstemError as exc:
            self.cursor.notes.append(f"the finished export could not be deleted at the server: {exc.cause}")

    def _begin_again(self) -> None:
        self.landing.discard([self.landing.folder / name for name in self.cursor.files])
        self.cursor = ExportCursor(began=self.client.clock())
        self._save()

    def _save(self) -> None:
        self.landing.save_cursor(EXPORT, self.cursor)

    def _pulled(self) -> Pulled:
        cursor = self.cursor
        return Pulled(
            unit=EXPORT,
            files=cursor.files,
            resources=sum(cursor.types.values()),
            types=cursor.types,
            pages=cursor.taken,
            bytes=cursor.bytes,
            messages=cursor.messages,
            short=cursor.short,
            notes=cursor.notes,
            newest=cursor.newest,
            as_of=cursor.as_of or cursor.began,
        )


def _shortfall(file: ExportedFile, meter: Meter) -> list[Shortfall]:
    """What is missing in a file that came."""
    if meter.truncated:
        return [Shortfall(file.type, GapCause.CUT, f"{file.type}: a file of the export ends in mid-line")]
    if file.count is not None and meter.lines < file.count:
        reason = f"{file.type}: a file of the export holds {meter.lines} of {min(file.count, MOST)} resources"
        return [Shortfall(file.type, GapCause.SHORT_OF_COUNT, reason)]
    return []


def _grave(path: Path, cap: int) -> list[Shortfall]:
    """Whether a server's messages about its export say that something is missing; warnings do not."""
    grave = 0
    for line in read_lines(path, cap=cap):
        if isinstance(line, Problem):
            grave += 1
            continue
        try:
            issues = decoded(line, _MESSAGE).issue
        except Unreadable:
            grave += 1
        else:
            grave += any(issue.severity in ("error", "fatal") for issue in issues)
    reason = f"the server reports {grave} errors in its export"
    return [Shortfall(EVERY_TYPE, GapCause.EXPORT_ERROR, reason)] if grave else []
