"""What every resource has: its id, the patient it is about, and its `meta`."""

import re
from binascii import unhexlify
from collections.abc import Sequence
from datetime import tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from schemas.problems import Reason
from transforms.fhir.elements import (
    Scalar,
    Unusable,
    decode,
    text_of,
)
from transforms.fhir.keys import has_key_twice
from transforms.fhir.times import instant
from transforms.reading.columns import Columns
from transforms.reading.memories import LONGEST_KEY, Leaves, Note, Notes, Table, Texts, members, remember
from transforms.rules.declaring import Resource
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import OTHER_VERSIONS, meta_cut


class _Meta(Struct, gc=False):
    versionId: Scalar = None
    lastUpdated: Scalar = None
    profile: Any = None
    tag: Any = None
    security: Any = None
    extension: Any = None
    deleted: Any = None


_encode = msgspec.json.Encoder().encode


class Origin(Struct, gc=False):
    """What `meta` says of a resource."""

    members: bytes = b'"'
    """What follows the ref in the provenance's source: `version` and `updated`."""
    updated: int | None = None
    """lastUpdated in microseconds since 1970."""
    note: Note | None = None


_GONE = re.compile(r"(?i)(soft-?|is-?)?deleted?|tombstone|removed|nullified|entered-in-error")
_GONE_URL = re.compile(r"(?i)(is-?)?(soft-?)?deleted?(-?(state|at|on|date|flag|status))?|tombstone")
_TEST = frozenset({"htest", "test-patient", "testpatient", "test-data"})
_PARTIAL = frozenset({"subsetted", "masked", "redacted"})
_NOT_SO = (None, False, "", "false", "no", "0", "active")


def _marked(meta: _Meta) -> Note | None:
    """What the marks in `meta` say of the resource: gone, given in part, of a test patient."""
    labels = [*_labels(meta.tag), *_labels(meta.security)]
    if meta.deleted not in _NOT_SO or _is_gone(labels) or any(map(_says_gone, _objects(meta.extension))):
        return Note(withdrawn=True)
    codes = {code.lower() for _, code in labels}
    if codes & _PARTIAL:
        return Note(Reason.PARTIAL_ANSWER, "meta.tag")
    if codes & _TEST:
        return Note(Reason.TEST_DATA, "meta.tag")
    return None


def _labels(codings: Any) -> list[tuple[str, str]]:
    return [(_text(each.get("system")), _text(each.get("code"))) for each in _objects(codings)]


def _is_gone(labels: Sequence[tuple[str, str]]) -> bool:
    named = (_GONE_URL.fullmatch(_end(system)) and code.lower() not in _NOT_SO for system, code in labels)
    return any(named) or any(_GONE.fullmatch(code) for _, code in labels)


def _says_gone(extension: dict[str, Any]) -> bool:
    values = [value for name, value in extension.items() if name.startswith("value")]
    if not _GONE_URL.fullmatch(_end(_text(extension.get("url")))):
        return False
    return not values or any(value not in _NOT_SO for value in values)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _end(url: str) -> str:
    return re.split(r"[/:#]", url.rstrip("/"))[-1]


@lru_cache(maxsize=1024)
def _is_silent(rest: bytes) -> bool:
    """Whether what stands in a `meta` behind version and time (`,"profile":[…]`) says nothing that changes the resource."""
    text = b'{"versionId":""' + rest + b"}"
    try:
        meta = decode(text, _Meta)
    except Unusable:
        return False
    if has_key_twice(text):
        return False
    return _marked(meta) is None and not OTHER_VERSIONS.search(rest)


UNNAMED = Note(Reason.MISSING_ID, "id")
_VERSION = re.compile(r"[A-Za-z0-9.\-]{1,64}")
NO_ORIGIN = Origin()


class Heads(NamedTuple):
    """What every resource has, place by place."""

    refs: list[bytes]
    subjects: list[bytes]
    """Pseudonyms; empty where nobody is named."""
    named: Texts
    """The members that say whom it is about, where and, by the mapping's constants, as what."""
    origins: list[Origin]
    noted: list[tuple[int, Note]]
    """What was noticed in `meta`."""


def _note_where(values: Sequence[Any], value: Any, note: Note, notes: Notes) -> None:
    for place, found in enumerate(values):
        if found is value or found == value:
            notes[place].append(note)


class Origins(dict[bytes, Origin]):
    """What is known of `meta`: its bytes → what it says. A server's hardly recurs, and is cut in its usual form."""

    def __init__(self, zone: tzinfo) -> None:
        super().__init__()
        self._zone = zone

    def learn(self, raw: bytes) -> Origin:
        """A `meta` not at hand, which is remembered."""
        origin = self.of(raw)
        if len(raw) <= LONGEST_KEY:
            remember(self, raw, origin)
        return origin

    def of(self, raw: bytes) -> Origin:
        """What a `meta` says."""
        cut = meta_cut(raw, self._zone, _is_silent)
        return self.read(raw) if cut is None else Origin(*cut)

    def read(self, raw: bytes) -> Origin:
        """What a `meta` says, decoded."""
        if has_key_twice(raw):
            return Origin(note=Note(Reason.DUPLICATE_KEY, "meta"))
        try:
            meta = decode(raw, _Meta | None) or _Meta()
        except Unusable as fault:
            path = ".".join(filter(None, ("meta", fault.path)))
            return Origin(note=Note(flags=("dropped:meta",), dropped=(path,)))
        if meta.profile is not None and OTHER_VERSIONS.search(_encode(meta.profile)):
            return Origin(note=Note(Reason.OTHER_FHIR_VERSION, "meta.profile"))
        version = text_of(meta.versionId)
        utc, updated, note = None, None, _marked(meta)
        if said := text_of(meta.lastUpdated):
            try:
                utc, updated = instant(said, self._zone)
            except ValueError:
                note = note or Note(flags=("updated-unreadable",))
        return Origin(
            b'"' + members([("version", version if _VERSION.fullmatch(version) else None), ("updated", utc)]),
            updated,
            note,
        )


class HeadReader:
    """Reads what every resource of one type has."""

    def __init__(self, resource: Resource, *, site: str, setting: Setting, leaves: Leaves) -> None:
        self._ref = setting.pseudonyms.refs(resource.source.encode() + b"/")
        self._subject = Table(resource.subject, setting, lambda _field: True)
        self._is_patient = "id" in self._subject.names
        self.names = ["id", "meta", *(name for name in self._subject.names if name != "id")]
        """The FHIR fields that are decoded."""
        constants = ((name, value) for name, value in resource.constants.items() if leaves(name))
        self._site = members([("site", site), *constants])
        self._origins = Origins(setting.zone)

    def read(self, source: Columns, notes: Notes) -> Heads:
        """Who the resources are and whom they are about; what is wrong with that is added to `notes`."""
        idents = [ident if type(ident) is str else text_of(ident) for ident in source.values("id")]
        if "" in idents:
            _note_where(idents, "", UNNAMED, notes)
        refs = list(map(self._ref, map(str.encode, idents)))
        if self._is_patient:
            source.put("id", [_encode(ident) if ident else None for ident in idents])
        found = self._subject.texts(source, notes)
        named = found[0] if len(found) == 1 else list(map(b"".join, zip(*found, strict=True))) or [b""] * source.count
        subjects = [unhexlify(text[-33:-1]) for text in named]
        site, origins, noted = self._site, [NO_ORIGIN] * source.count, []
        if "meta" in source:
            met, meet = self._origins.get, self._origins.learn
            contents = source.contents("meta")
            origins = [met(raw) or meet(raw) if raw is not None else NO_ORIGIN for raw in contents]
            noted = [(place, origin.note) for place, origin in enumerate(origins) if origin.note is not None]
        return Heads(refs, subjects, [text + site for text in named], origins, noted)
