"""What every resource has: its id, the patient it is about, and its `meta`."""

from binascii import unhexlify
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from schemas.problems import Reason
from transforms.fhir.elements import Unusable, bare_id, can_be_named, decode, names_nothing, text_of
from transforms.fhir.keys import has_key_twice
from transforms.fhir.times import instant
from transforms.reading.columns import Columns
from transforms.reading.marks import Meta, is_silent, marked
from transforms.reading.memories import LONGEST_KEY, Leaves, Note, Notes, Table, Texts, members, remember
from transforms.rules.declaring import Resource
from transforms.rules.setting import Setting
from transforms.rules.short_cuts import OTHER_VERSIONS, meta_cut

_encode = msgspec.json.Encoder().encode


class Origin(Struct, gc=False):
    """What `meta` says of a resource."""

    members: bytes = b'"'
    """What follows the ref in the provenance's source: `version` and `updated`."""
    updated: int | None = None
    """lastUpdated in microseconds since 1970."""
    note: Note | None = None


UNNAMED = Note(Reason.MISSING_ID, "id")
_REPAIRED, _ODD = Note(flags=("repaired:id",)), Note(flags=("id-unusual",))
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
_NOTHING = frozenset(
    each
    for word in ("undefined", "null", "none", "nil", "nan", "unknown", "tbd", "placeholder", "-1", "-", "_", ".", "xxx")
    for each in (word, word.upper(), word.capitalize())
) | {"NaN", *(f"{sign * 8}-{sign * 4}-{sign * 4}-{sign * 4}-{sign * 12}" for sign in "0fF")}
"""What programs write for an id that they do not have, as they usually do."""
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

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self._setting = setting

    def learn(self, raw: bytes) -> Origin:
        """A `meta` not at hand, which is remembered."""
        origin = self.of(raw)
        if len(raw) <= LONGEST_KEY:
            remember(self, raw, origin)
        return origin

    def of(self, raw: bytes) -> Origin:
        """What a `meta` says."""
        cut = meta_cut(raw, self._setting, is_silent)
        return self.read(raw) if cut is None else Origin(*cut)

    def read(self, raw: bytes) -> Origin:
        """What a `meta` says, decoded."""
        if has_key_twice(raw):
            return Origin(note=Note(Reason.DUPLICATE_KEY, "meta"))
        try:
            meta = decode(raw, Meta | None) or Meta()
        except Unusable as fault:
            path = ".".join(filter(None, ("meta", fault.path)))
            return Origin(note=Note(flags=("dropped:meta",), dropped=(path,)))
        if meta.profile is not None and OTHER_VERSIONS.search(_encode(meta.profile)):
            return Origin(note=Note(Reason.OTHER_FHIR_VERSION, "meta.profile"))
        version = text_of(meta.versionId)
        utc, updated, note = None, None, marked(meta)
        if said := text_of(meta.lastUpdated):
            utc, updated = self._moment(said)
            if utc is None:
                note = note or Note(flags=("updated-unreadable",))
        return Origin(
            b'"' + members([("version", self._setting.version(version)), ("updated", utc)]),
            updated,
            note,
        )

    def _moment(self, said: str) -> tuple[str | None, int | None]:
        """When it was updated; none of a time that cannot be: one to come would stand above all that does come."""
        try:
            utc, updated = instant(said, self._setting.zone)
        except ValueError:
            return None, None
        return (utc, updated) if 0 < updated <= self._setting.last_moment else (None, None)


class Known(dict[bytes, bytes]):
    """A text that recurs with a patient's resources → what is made of it."""

    def __init__(self, make: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: bytes) -> bytes:
        made = self._make(text)
        remember(self, text, made)
        return made


class HeadReader:
    """Reads what every resource of one type has."""

    def __init__(self, resource: Resource, *, site: str, setting: Setting, leaves: Leaves) -> None:
        self._type = resource.source
        self._refs = setting.pseudonyms.all_refs(resource.source.encode() + b"/")
        self._subject = Table(resource.subject, setting, lambda _field: True)
        self._is_patient = "id" in self._subject.names
        self.names = ["id", "meta", *(name for name in self._subject.names if name != "id")]
        """The FHIR fields that are decoded."""
        constants = ((name, value) for name, value in resource.constants.items() if leaves(name))
        where = members([("site", site), *constants])
        self._pseudonyms, self._named = Known(_pseudonym), Known(lambda text: text + where)
        self._origins = Origins(setting)

    def read(self, source: Columns, notes: Notes) -> Heads:
        """Who the resources are and whom they are about; what is wrong with that is added to `notes`."""
        idents = [ident if type(ident) is str else text_of(ident) for ident in source.values("id")]
        encoded = list(map(str.encode, idents))
        if b"".join(encoded).translate(None, _PLAIN) or not _NOTHING.isdisjoint(idents):
            idents = [self._as_named(place, ident, notes) for place, ident in enumerate(idents)]
            encoded = list(map(str.encode, idents))
        if "" in idents:
            _note_where(idents, "", UNNAMED, notes)
        refs = self._refs(encoded)
        if self._is_patient:
            source.put("id", [_encode(ident) if ident else None for ident in idents])
        found = self._subject.texts(source, notes)
        named = found[0] if len(found) == 1 else list(map(b"".join, zip(*found, strict=True))) or [b""] * source.count
        subjects = list(map(self._pseudonyms.__getitem__, named))
        origins, noted = [NO_ORIGIN] * source.count, []
        if "meta" in source:
            met, meet = self._origins.get, self._origins.learn
            contents = source.contents("meta")
            origins = [met(raw) or meet(raw) if raw is not None else NO_ORIGIN for raw in contents]
            noted = [(place, origin.note) for place, origin in enumerate(origins) if origin.note is not None]
        return Heads(refs, subjects, list(map(self._named.__getitem__, named)), origins, noted)

    def _as_named(self, place: int, ident: str, notes: Notes) -> str:
        """An id as others name the resource by it; none where many bear it."""
        bare = bare_id(ident, self._type)
        if names_nothing(bare):
            return ""
        if bare != ident:
            notes[place].append(_REPAIRED)
        elif not can_be_named(bare):
            notes[place].append(_ODD)
        return bare


def _pseudonym(text: bytes) -> bytes:
    """Of the members that say whom a resource is about; empty where they are."""
    return unhexlify(text[-33:-1])
