"""Resources that others are read with (a Medication, a Questionnaire): those that landed ones name and that did not come are asked for."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec

from connectors.by_id import MOST_READ, Reading
from connectors.client.fhir_client import BadRequest, FhirClient, Gone
from connectors.cohort import shards
from connectors.formats.bundle import BUNDLE, Page, is_likeness, lines, require_bundle
from connectors.formats.ndjson import read_lines
from connectors.formats.outcome import error_answer
from connectors.landing import Landing
from connectors.pulled import EXPORT, Pulled
from connectors.source import Source, Wanted
from schemas.errors import IncompleteError, OperatorError
from schemas.outcomes import OPTIONAL_TYPES, REFERS
from schemas.problems import Problem

AT_ONCE = 50
"""Ids asked for by one search: short enough for every server's longest address."""
BY_ID, BY_URL = "_id", "url"
CANONICAL = {"Questionnaire": "questionnaire"}
"""Types that others name by a canonical URL, and the element that holds it."""
Name = tuple[str, str]
"""By which search parameter a resource is asked for, and its value."""


class ReferredCursor(msgspec.Struct, kw_only=True):
    """How far the asking has come; ids that came are not asked for again."""

    size: int = 0
    """Bytes of the landing file that are whole."""
    resources: int = 0
    missing: int = 0
    """Ids that the server has nothing for."""
    deleted: int = 0
    """Ids of which it says that they were deleted."""
    singly: int = 0
    """Reads of one id each that were made."""
    note: str = ""
    done: bool = False


class _Named(msgspec.Struct):
    resourceType: str = ""
    id: str = ""
    url: str = ""


_NAMED = msgspec.json.Decoder(_Named)


def complete_referred(source: Source, wanted: Wanted, pulled: Pulled) -> Pulled:
    """What a unit that was pulled whole is read with, into the landing folder, each once; counted with the unit.

    Raises what the server's refusal is by the road of search; an export is whole without, and says so in a note, as is
    every type without what only adds to its records.
    """
    for referred in dict.fromkeys(each for name in pulled.types for each in REFERS.get(name, ())):
        with source.client() as client:
            asked = _Asked(
                client, source, wanted, referred, [name for name in pulled.types if referred in REFERS.get(name, ())]
            )
            cursor = asked.run()
        pulled = _with(pulled, referred, cursor, asked.path)
    return pulled


def _with(pulled: Pulled, referred: str, cursor: ReferredCursor, path: Path) -> Pulled:
    notes = [cursor.note] if cursor.note else []
    if cursor.deleted:
        notes.append(f"{referred}: the server says that {cursor.deleted} that {pulled.unit} names were deleted")
    if cursor.missing:
        notes.append(f"the server has {cursor.missing} fewer of the type {referred} than {pulled.unit} names")
    return msgspec.structs.replace(
        pulled,
        files=[*pulled.files, *([path.name] if cursor.size else [])],
        resources=pulled.resources + cursor.resources,
        types=pulled.types | ({referred: pulled.types.get(referred, 0) + cursor.resources} if cursor.resources else {}),
        notes=[*pulled.notes, *notes],
    )


class _Asked:
    """The asking for one unit's referred resources of one type."""

    def __init__(self, client: FhirClient, source: Source, wanted: Wanted, referred: str, naming: list[str]) -> None:
        self.client, self.type, self.naming = client, referred, naming
        self.unit, self.landing, self.cap = wanted.unit, wanted.landing, source.site.limits.line_bytes
        self.path = self.landing.path(f"{referred}-{wanted.unit}", 1)
        self.takes_count = client.vendor.page_size(referred, AT_ONCE) is not None
        self.base = str(source.fhir.base_url).rstrip("/")
        self.key = f"{wanted.unit}-{referred}"
        self.cursor = self.landing.cursor(self.key, ReferredCursor) or ReferredCursor()

    def run(self) -> ReferredCursor:
        """All that is named and did not come; after a crash, what is left of it."""
        if self.cursor.done:
            return self.cursor
        if self.path.exists():
            self.landing.append(self.path, self.cursor.size, [])  # what a crash left behind is cut off
        try:
            with closing(_Ids()) as ids:
                self._ask_for_all(ids)
        except (OperatorError, IncompleteError) as exc:
            if self.unit != EXPORT and self.type not in OPTIONAL_TYPES:
                raise
            self.cursor.note = f"{self.type}: {exc.cause}"
        self.cursor.done = True
        self._save()
        return self.cursor

    def _ask_for_all(self, ids: "_Ids") -> None:
        for name in self.naming:
            ids.name(named_in(self.landing, name, self.type, self.base))
        ids.forget(come(self.landing, self.type, self.cap))
        for by in (BY_ID, BY_URL):
            left = ids.left(by)
            while some := list(islice(left, AT_ONCE)):
                for fitting in shards(some):  # ids of some vendors are longer than FHIR allows
                    self._ask_together(by, fitting)

    def _ask_together(self, by: str, ids: list[str]) -> None:
        """Several at once; one by one where the server, or a gateway before it, does not take that."""
        try:
            self._ask_for(by, ids)
        except (BadRequest, Gone):
            if len(ids) == 1:
                raise
            for each in ids:
                self._ask_for(by, [each])

    def _ask_for(self, by: str, ids: list[str]) -> None:
        count = [("_count", str(len(ids)))] if self.takes_count else []
        params, url = [(by, ",".join(ids)), *count], self.client.url(self.type)
        came, nameless, landed = set[str](), 0, 0
        for _ in range(len(ids) + 1):
            bundle, _answer = self.client.read(url, BUNDLE, what=self.type, params=params, require=require_bundle)
            page = Page(bundle, not_after=self.client.clock())
            if page.errors:
                raise error_answer(self.type, page.errors, "among the results")
            if page.resources:
                self.cursor.size = self.landing.append(self.path, self.cursor.size, lines(page.resources))
            came.update(page.ids)
            nameless += sum(map(is_likeness, page.ids))
            landed += len(page.resources)
            if not page.next:
                break
            url, params = self.client.onward(self.type, page.next), []
        else:
            raise IncompleteError(
                f"{self.type}: the server's next links do not end", "Mend the paging links.", who="EHR vendor"
            )
        self.cursor.resources += landed
        if by == BY_URL:
            self.cursor.missing += max(0, len(ids) - landed)
        else:
            missing = [each for each in ids if each not in came]
            self.cursor.missing += max(0, len(missing) - nameless - self._read(missing))
        self._save()

    def _read(self, ids: list[str]) -> int:
        """Those that no search gave, one by one while they are few; how many came, be it the word that one was deleted."""
        reading = Reading(self.client, self.type, left=MOST_READ - self.cursor.singly)
        found = [each for ident in ids if (each := reading.read(ident)).line]
        self.cursor.singly = MOST_READ - reading.left
        if found:
            self.cursor.size = self.landing.append(self.path, self.cursor.size, lines([each.line for each in found]))
        gone = sum(each.deleted for each in found)
        self.cursor.deleted += gone
        self.cursor.resources += len(found) - gone
        return len(found)

    def _save(self) -> None:
        self.landing.save_cursor(self.key, self.cursor)


class _Ids:
    """What is named, less what came; on the disk once it is much."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")
        self._rows.execute("CREATE TABLE named (by TEXT, id TEXT, PRIMARY KEY (by, id)) WITHOUT ROWID")
        self.close = self._rows.close

    def name(self, names: Iterator[Name]) -> None:
        self._rows.executemany("INSERT OR IGNORE INTO named VALUES (?, ?)", names)

    def forget(self, names: Iterator[Name]) -> None:
        self._rows.executemany("DELETE FROM named WHERE by = ? AND id = ?", names)

    def left(self, by: str) -> Iterator[str]:
        return (row[0] for row in self._rows.execute("SELECT id FROM named WHERE by = ? ORDER BY id", (by,)))


def named_in(landing: Landing, resource_type: str, referred: str, base: str) -> Iterator[Name]:
    """The resources of one type that landed ones of another name, at this server."""
    if referred in CANONICAL:
        yield from _canonicals_in(landing, resource_type, referred, base)
        return
    places = rb"(?:%b/)?" % re.escape(base.encode())
    name = rb'"reference"\s*:\s*"\s*%b%b/([A-Za-z0-9.\-_]{1,255})(?:/_history/[^"]*)?\s*"' % (places, referred.encode())
    find = re.compile(name).findall
    for path in landing.files(resource_type):
        for line in read_lines(path, cap=1 << 62):
            if not isinstance(line, Problem):
                yield from ((BY_ID, found.decode()) for found in find(line))


def _canonicals_in(landing: Landing, resource_type: str, referred: str, base: str) -> Iterator[Name]:
    """By their URLs; by id where that is an address at this server."""
    find = re.compile(rb'"%b"\s*:\s*"\s*([^"|#\\\s]{1,512})' % CANONICAL[referred].encode()).findall
    here = re.compile(rf"(?:{re.escape(base)}/)?{referred}/([A-Za-z0-9.\-_]{{1,255}})")
    for path in landing.files(resource_type):
        for line in read_lines(path, cap=1 << 62):
            for found in find(line) if not isinstance(line, Problem) else ():
                url = found.decode("utf-8", "replace")
                own = here.fullmatch(url)
                yield (BY_ID, own[1]) if own else (BY_URL, _value(url))


def _value(url: str) -> str:
    """As a value of several: their commas stand between them."""
    return url.replace(",", "\\,")


def come(landing: Landing, resource_type: str, cap: int) -> Iterator[Name]:
    """What the landed resources of a type are named by."""
    for path in landing.files(resource_type):
        for line in read_lines(path, cap=cap):
            if isinstance(line, Problem):
                continue
            try:
                found = _NAMED.decode(line)
            except msgspec.DecodeError:
                continue
            yield BY_ID, found.id
            if resource_type in CANONICAL and found.url:
                yield BY_URL, _value(found.url)
