"""A manifest of an export → the files to fetch, whatever edition of Bulk Data it is written by.

Editions 1 to 3 list the server's messages as `error`, the fourth as `outcome`; both names are read. Where files are
organized by patient, none says a type.
"""

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urljoin

import msgspec

from connectors.outside.decoding import ABSENT, count, each, elements, said
from connectors.outside.times import instant
from connectors.pulled import EVERY_TYPE, Shortfall
from schemas.gaps import GapCause

MESSAGES = "OperationOutcome"
_GRAVE = ("error", "fatal")
_NOWHERE = re.compile(r"(?![A-Za-z][A-Za-z0-9+.-]*:|/)")
_NAME = re.compile("[A-Z][A-Za-z]{2,}")
_ENDINGS = re.compile(r"\.(ndjson|jsonl?)(\.gz)?$")


class Use(StrEnum):
    """What a file of an export holds."""

    DATA = "data"
    MESSAGES = "messages"
    DELETIONS = "deletions"


class ManifestPart(msgspec.Struct, omit_defaults=True):
    """One file of an export: what the manifest says of it, and what came of it."""

    url: str
    or_at: str = ""
    """Where it is if not there: of an address that begins nowhere no server says below what it stands."""
    type: str = EVERY_TYPE
    """EVERY_TYPE: of several types, or of one that is not said."""
    use: Use = Use.DATA
    count: int | None = None
    harmless: bool = False
    """Messages of which the manifest says that none is an error."""
    taken: bool = False
    files: list[str] = []
    """What it became in the landing folder."""
    types: dict[str, int] = {}
    messages: int = 0
    bytes: int = 0
    newest: datetime | None = None
    short: list[Shortfall] = []
    notes: list[str] = []


class _Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class _Entry(msgspec.Struct):
    """Each field by itself: a count that is none costs the count."""

    type: msgspec.Raw = ABSENT
    url: msgspec.Raw = ABSENT
    count: msgspec.Raw = ABSENT
    countSeverity: msgspec.Raw = ABSENT


class Manifest(msgspec.Struct):
    """The same of the whole."""

    transactionTime: msgspec.Raw = ABSENT
    requiresAccessToken: msgspec.Raw = ABSENT
    outputOrganizedBy: msgspec.Raw = ABSENT
    output: msgspec.Raw = ABSENT
    error: msgspec.Raw = ABSENT
    outcome: msgspec.Raw = ABSENT
    deleted: msgspec.Raw = ABSENT
    link: msgspec.Raw = ABSENT

    @property
    def says_nothing(self) -> bool:
        """Whether it is none: `output` is there even where nothing came; without it nothing proves that nothing changed."""
        return not isinstance(said(self.output, list[msgspec.Raw], None), list)

    @property
    def next(self) -> str:
        """Where the manifest goes on."""
        return next((link.url for link in each(self.link, _Link) if link.relation == "next"), "")

    @property
    def time(self) -> datetime | None:
        """The server's time of the data."""
        return instant(said(self.transactionTime, str, ""))

    @property
    def log_in(self) -> bool:
        """Whether files want the token."""
        return str(said(self.requiresAccessToken, object, True)).strip().lower() != "false"

    def parts(self, wanted: Collection[str], at: str) -> Iterator[ManifestPart | Shortfall]:
        """The files to fetch, and what of them cannot be. What was not asked for is left there: a server may ignore `_type`.

        `at`: the manifest's own address.
        """
        for found in self._parts(wanted):
            yield found if isinstance(found, Shortfall) else _placed(found, at)

    def _parts(self, wanted: Collection[str]) -> Iterator[ManifestPart | Shortfall]:
        organized = bool(said(self.outputOrganizedBy, str, ""))
        for entry in self._entries(self.output):
            if isinstance(entry, Shortfall):
                yield entry
                continue
            named = _type_of(entry, wanted)
            if named == MESSAGES:
                yield from _part(entry, EVERY_TYPE, Use.MESSAGES)
            elif organized or named in wanted or not named:
                yield from _part(entry, EVERY_TYPE if organized else named, Use.DATA)
        for raw in (self.error, self.outcome):
            for entry in self._entries(raw):
                if isinstance(entry, Shortfall):
                    yield entry
                    continue
                named = _type_of(entry, wanted)
                if named in wanted or named in (MESSAGES, EVERY_TYPE):
                    yield from _part(entry, named if named in wanted else EVERY_TYPE, Use.MESSAGES)
        for entry in self._entries(self.deleted):
            yield from [entry] if isinstance(entry, Shortfall) else _part(entry, EVERY_TYPE, Use.DELETIONS)
        if elements(self.link, _Link)[1]:
            yield _unreadable(EVERY_TYPE)

    def left(self, wanted: Collection[str]) -> Iterator[str]:
        """The types of files that were not asked for, a name a file."""
        if not said(self.outputOrganizedBy, str, ""):
            for entry in self._entries(self.output):
                named = "" if isinstance(entry, Shortfall) else _type_of(entry, wanted)
                if named and named not in (MESSAGES, *wanted):
                    yield named

    def _entries(self, raw: msgspec.Raw) -> Iterator[_Entry | Shortfall]:
        entries, unreadable = elements(raw, _Entry)
        yield from entries
        yield from [_unreadable(EVERY_TYPE)] * unreadable


def _type_of(entry: _Entry, wanted: Collection[str]) -> str:
    """The type an entry names, be it in small letters, as a file's name or a URL; EVERY_TYPE for what is no name of a type."""
    text = said(entry.type, str, "").strip()
    if text in wanted or _NAME.fullmatch(text):
        return text
    word = _ENDINGS.sub("", text.rpartition("/")[2].lower())
    return next((name for name in wanted if name.lower() == word), EVERY_TYPE)


def _part(entry: _Entry, resource_type: str, use: Use) -> Iterator[ManifestPart | Shortfall]:
    url = said(entry.url, str, "").strip()
    if not url:
        yield _unreadable(resource_type)
        return
    counted = count(entry.count) if use is Use.DATA else None
    yield ManifestPart(
        url,
        type=resource_type,
        use=use,
        count=counted,
        harmless=use is Use.MESSAGES and _is_harmless(entry.countSeverity),
    )


def _placed(part: ManifestPart, at: str) -> ManifestPart:
    """With a whole address: what begins nowhere stands below what names it (RFC 3986), at some servers below their base URL."""
    if not _NOWHERE.match(part.url):
        return part
    return msgspec.structs.replace(part, url=urljoin(at, part.url), or_at=part.url)


def _is_harmless(raw: msgspec.Raw) -> bool:
    """By `countSeverity`: an object of counts in edition 3, a list of codes and counts in edition 4; unsaid, it may be grave."""
    counts = {str(code): count for code, count in said(raw, dict[str, Any], {}).items()}
    counts |= {str(item.get("code")): item.get("count") for item in said(raw, list[dict[str, Any]], [])}
    return bool(counts) and not any(counts.get(severity) for severity in _GRAVE)


def _unreadable(resource_type: str) -> Shortfall:
    of = f"{resource_type}: " if resource_type else ""
    reason = f"{of}the export's manifest names a file in a form that is not FHIR's"
    return Shortfall(resource_type, GapCause.FILE_NOT_READ, reason)
