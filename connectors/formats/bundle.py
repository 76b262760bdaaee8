"""A Bundle of search results → NDJSON lines: each resource's own bytes, the server's messages aside.

An entry that cannot be read costs itself: its bytes are a line like any other, which the mapping counts and keeps aside.
What does not say where the next page is costs the page.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

from connectors.formats.bundles import id_in_address, with_id
from connectors.formats.outcome import (
    ANOTHER_TYPE,
    NAMED_ALONE,
    error_answer,
    errors_in,
    errors_of,
    parameter_wanted,
    parameter_wanted_in,
)
from connectors.outside.decoding import ABSENT, TooDeep, Unreadable, count, decoded, doubled, said, without_unreadable
from connectors.outside.times import instant, newest
from schemas.errors import IncompleteError
from schemas.gaps import GapCause

_LIKENESS = "#"
_NOWHERE = (b"", b"null", b'""')
"""How servers write in the last page's link that nothing follows; whether that is so is proven as where there is no link."""
MOST = 1 << 53
"""Largest count believed; more is no count of anything."""


class _Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class _Search(msgspec.Struct):
    mode: str = "match"


class _Response(msgspec.Struct):
    outcome: msgspec.Raw = ABSENT


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = ABSENT
    fullUrl: msgspec.Raw = ABSENT
    search: _Search | None = None
    response: _Response | None = None


class Bundle(msgspec.Struct):
    """One page, of the form that nearly all are of."""

    resourceType: str = ""
    total: int | None = None
    link: list[_Link] = []
    entry: list[_Entry] = []
    issue: msgspec.Raw = ABSENT
    """Of an OperationOutcome that came in a Bundle's place."""


class _Loose(msgspec.Struct):
    """The same, of whatever form."""

    resourceType: msgspec.Raw = ABSENT
    total: msgspec.Raw = ABSENT
    link: msgspec.Raw = ABSENT
    entry: msgspec.Raw = ABSENT
    issue: msgspec.Raw = ABSENT


class _LooseEntry(msgspec.Struct):
    resource: msgspec.Raw = ABSENT
    fullUrl: msgspec.Raw = ABSENT
    search: msgspec.Raw = ABSENT
    response: msgspec.Raw = ABSENT


class _LooseLink(msgspec.Struct):
    relation: msgspec.Raw = ABSENT
    url: msgspec.Raw = ABSENT


class _Meta(msgspec.Struct):
    lastUpdated: str = ""


class _Head(msgspec.Struct):
    resourceType: str = ""
    id: str = ""
    meta: _Meta | None = None


class _LooseHead(msgspec.Struct):
    resourceType: msgspec.Raw = ABSENT
    id: msgspec.Raw = ABSENT
    meta: msgspec.Raw = ABSENT


_BUNDLE = msgspec.json.Decoder(Bundle)
_LOOSE = msgspec.json.Decoder(_Loose)
_LOOSE_ENTRY = msgspec.json.Decoder(_LooseEntry)
_HEAD = msgspec.json.Decoder(_Head)
_LOOSE_HEAD = msgspec.json.Decoder(_LooseHead)
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])


class BundleForm:
    """Reads a page: as it should be, else entry by entry."""

    def decode(self, content: bytes | msgspec.Raw, /) -> Bundle:
        """Raises Unreadable where more than entries is wrong, or they stand twice."""
        if doubled(bytes(content), "entry"):
            raise Unreadable(is_json=True)
        try:
            return decoded(content, _BUNDLE)
        except Unreadable as exc:
            content, cut = bytes(content), list[bytes]()
            if isinstance(exc, TooDeep) or not exc.is_json:
                content, cut = without_unreadable(content)
        bundle = _loosely(decoded(content, _LOOSE))
        bundle.entry += [_Entry(msgspec.Raw(element)) for element in cut]
        return bundle


BUNDLE = BundleForm()


def _loosely(loose: _Loose) -> Bundle:
    return Bundle(
        resourceType=said(loose.resourceType, str, ""),
        total=count(loose.total),
        link=[_link(raw) for raw in _raws(loose.link, _LooseLink)],
        entry=[_entry(raw) for raw in _raws(loose.entry, _LooseEntry)],
        issue=loose.issue,
    )


def _raws(raw: msgspec.Raw, kind: type[msgspec.Struct]) -> list[msgspec.Raw]:
    """The elements of a list; or the one that stands in its place, as what turns XML into JSON writes it."""
    if bytes(raw) in (b"", b"null"):
        return []
    if bytes(raw).lstrip()[:1] == b"{" and said(raw, kind, kind()) != kind():
        return [raw]
    return decoded(raw, _RAWS)


def _link(raw: msgspec.Raw) -> _Link:
    """A link to the next page must say where, or that there is none; what is wrong in others does not matter."""
    link = said(raw, _LooseLink, _LooseLink())
    relation, url = _word(said(link.relation, str, "")), said(link.url, str, "")
    if relation == "next" and not url and bytes(link.url) not in _NOWHERE:
        raise Unreadable(is_json=True)
    return _Link(relation, url)


def _entry(raw: msgspec.Raw) -> _Entry:
    try:
        entry = decoded(raw, _LOOSE_ENTRY)
    except Unreadable:
        return _Entry(raw)
    return _Entry(
        entry.resource,
        entry.fullUrl,
        said(entry.search, _Search, _Search()),
        said(entry.response, _Response, _Response()),
    )


class Page:
    """One page: the resources' own bytes, messages aside."""

    def __init__(self, bundle: Bundle, not_after: datetime, of: str = "") -> None:
        """`of`: the type that was asked for; matches of others are none, and nothing but such is an error."""
        self._of, self._others = of, 0
        self.beside: Counter[str] = Counter()
        """Resources of other types than the one asked for, by type, as their server names it."""
        self.resources: list[bytes] = []
        self.messages: list[bytes] = []
        self.errors: list[str] = []
        """Errors among the results, each by its code and kind: what they stand for did not come."""
        self._beside: list[tuple[str, datetime | None]] = []
        """Of the type that was asked for, and called included: matches, where there are no others."""
        self.ids: list[str] = []
        """Of the matches; the likeness of one that has none that can be told."""
        self.newest: datetime | None = None
        self.total = bundle.total if bundle.total is not None and 0 <= bundle.total < MOST else None
        self.next = _linked(bundle, "next")
        self.itself = _linked(bundle, "self")
        for entry in bundle.entry:
            self._take(entry, not_after)
        if not self.ids:  # nobody asked for what stands beside
            self.ids = [id_ for id_, _ in self._beside]
            for _, updated in self._beside:
                self._note(updated, not_after)
        if self._others and not self.ids:
            self.errors.append(ANOTHER_TYPE)

    def _take(self, entry: _Entry, not_after: datetime) -> None:
        outcome = one_line(bytes(entry.response.outcome)) if entry.response else b""
        if outcome:
            self._hear(outcome)
        line = one_line(bytes(entry.resource))
        mode = entry.search.mode if entry.search else "match"
        if line in (b"", b"null"):
            if mode == "match" and not outcome and bytes(entry.fullUrl) not in (b"", b"null"):
                self.errors.append(NAMED_ALONE)
            return
        kind, id_, updated = _head(line)
        if not id_:
            line, id_ = _identified(line, kind, entry.fullUrl)
        if mode == "outcome" or kind == "OperationOutcome":
            self._hear(line)
            return
        self.resources.append(line)
        if self._of and kind not in ("", self._of):
            self.beside[kind] += 1
        if mode != "include" and self._of and kind not in ("", self._of):
            self._others += 1
        elif mode != "include":
            self.ids.append(id_ or _likeness(line))
        elif self._of and kind == self._of:
            self._beside.append((id_ or _likeness(line), updated))
        if mode != "include":
            self._note(updated, not_after)

    def _note(self, updated: datetime | None, not_after: datetime) -> None:
        if updated is not None and updated <= not_after:
            self.newest = newest(self.newest, updated)

    def _hear(self, outcome: bytes) -> None:
        self.messages.append(outcome)
        self.errors += errors_of(outcome)


def require_bundle(bundle: Bundle, what: str) -> None:
    """Raises IncompleteError for anything else, with the code and kind of an error that came in its place; ParameterWanted
    where it is about what was asked for."""
    if bundle.resourceType == "Bundle":
        return
    if bundle.resourceType == "OperationOutcome":
        if parameter_wanted_in(bundle.issue):
            raise parameter_wanted(what)
        raise error_answer(what, errors_in(bundle.issue))
    raise IncompleteError(
        f"{what}: the server answers a search with no Bundle",
        "Check fhir.vendor; `mainstem check` tries each type.",
        gap=GapCause.ERROR_ANSWER,
    )


def _linked(bundle: Bundle, relation: str) -> str:
    """An address; some servers write it as for a web page."""
    return next(
        (link.url.replace("&amp;", "&").strip() for link in bundle.link if _word(link.relation) == relation), ""
    )


def _word(relation: str) -> str:
    """A relation however it is written."""
    return relation.strip().lower()


def _head(line: bytes) -> tuple[str, str, datetime | None]:
    """Type, id and time of update, as far as they can be told: what is wrong in a resource is for the mapping to say."""
    try:
        head = decoded(line, _HEAD)
    except Unreadable:
        pass
    else:
        return head.resourceType, head.id, instant(head.meta.lastUpdated) if head.meta else None
    loose = _loose_head(line)
    meta, named = said(loose.meta, _Meta, _Meta()), said(loose.id, int | str, "")  # type: ignore[arg-type]  # as in `count`
    return said(loose.resourceType, str, ""), str(named), instant(meta.lastUpdated)


def _identified(line: bytes, kind: str, full_url: msgspec.Raw) -> tuple[bytes, str]:
    """A resource that says no id, with that of its entry's address, which FHIR has agree with it. A UUID a search may make anew."""
    address = said(full_url, str, "")
    if not address or bytes(_loose_head(line).id):
        return line, ""
    id_ = id_in_address(address, kind)
    return (with_id(line, id_), id_) if id_ else (line, "")


def _loose_head(line: bytes) -> _LooseHead:
    try:
        return decoded(line, _LOOSE_HEAD)
    except Unreadable:
        return _LooseHead()


def head_of(line: bytes) -> tuple[str, str]:
    """A resource's type and id, each empty where it cannot be told."""
    return _head(line)[:2]


def id_of(line: bytes) -> str:
    """A resource's id; its likeness where it has none that can be told."""
    return _head(line)[1] or _likeness(line)


def is_likeness(ident: str) -> bool:
    """Whether a resource has no id."""
    return ident.startswith(_LIKENESS)


def _likeness(line: bytes) -> str:
    """No id, but the same for the same line: what comes again is not more."""
    return _LIKENESS + blake2b(line, digest_size=12).hexdigest()


def one_line(raw: bytes) -> bytes:
    """A resource's bytes as one NDJSON line: between its tokens a server may break lines, inside them JSON cannot."""
    if b"\n" in raw or b"\r" in raw:
        raw = raw.replace(b"\r", b" ").replace(b"\n", b" ")
    return raw


def lines(resources: Sequence[bytes]) -> list[bytes]:
    """A page's resources as one block of lines."""
    return [b"\n".join(resources) + b"\n"]
