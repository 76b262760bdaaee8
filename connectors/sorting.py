"""Which of a delivery's files is of which resource type: by its name, else by what its first lines say."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from connectors.delivery import (
    Delivery,
    NotPlain,
    blocks,
    empty,
    look_into,
    name_of,
    opened,
    require_end_marker,
    told_of,
)
from connectors.formats.bundles import BUNDLE, held_in
from connectors.formats.gzip import TruncatedGzip, plain
from connectors.formats.json import is_document
from connectors.formats.ndjson import text_batches
from connectors.formats.utf8 import BOM
from connectors.formats.zip import Member, UnreadableZip, member_blocks, members
from connectors.outside.decoding import Unreadable, decoded, is_whole
from connectors.outside.file_names import is_beside, is_json, is_packed, is_read, is_xml, is_zip, signs
from connectors.source import Source
from schemas.errors import OperatorError
from schemas.outcomes import referred_types
from schemas.problems import Reason

UNKNOWN = "?"
"""Type of a file that neither its name nor its first lines tell."""
NO_FHIR = ""
SORTED = "*"
"""Type of a file whose resources say each its own."""
FIRST_LINES = 10
_FHIR = re.compile(
    rb"""^\s*[{\[].{0,2000}?"resourceType"\s*:\s*"[A-Z]|<[A-Z]\w+[^>]*xmlns=["']http://hl7\.org/fhir["']""", re.DOTALL
)
_LOOKED_AT = 4096
"""Bytes."""


class DeliveryPart(NamedTuple):
    """A file, or one of an archive."""

    path: Path
    member: Member | None = None

    @property
    def name(self) -> str:
        """Its own, without those of folders."""
        return self.member.name.rpartition("/")[2] if self.member else self.path.name

    @property
    def size(self) -> int:
        """Bytes: of a file as it lies there, of a member unpacked."""
        return self.member.size if self.member else self.path.stat(follow_symlinks=False).st_size

    def key(self, folder: Path) -> str:
        """Another for each part of a delivery."""
        name = name_of(self.path, folder)
        return f"{name}#{self.member.place}" if self.member else name

    def blocks(self, folder: Path) -> Iterator[bytes]:
        """Its bytes, packed where it is by gzip. Raises NotPlain, UnreadableZip."""
        if self.member is None:
            yield from blocks(self.path, folder)
            return
        with opened(self.path, folder) as file:
            yield from member_blocks(file, self.member)


class _Kind(msgspec.Struct):
    resourceType: str = ""


_KIND = msgspec.json.Decoder(_Kind)


def files_by_type(delivery: Delivery, types: list[str], *, cap: int) -> dict[str, list[DeliveryPart]]:
    """A delivery's files by resource type, of other types too; SORTED where their resources say it, UNKNOWN where nothing does.

    A file is named after its type (`Observation.ndjson`, `Observation.000.ndjson.gz`, `1.Observation.ndjson`), else its
    lines tell. Empty files are left out. An archive that cannot be opened, and what holds FHIR by a name that is not read, join those
    that are refused.
    """
    found: dict[str, list[DeliveryPart]] = {}
    with share(delivery.folder):
        for path in delivery.files:
            for part in _parts(path, delivery, types):
                if part.size:
                    found.setdefault(_type_of(part, types, delivery.folder, cap), []).append(part)
    delivery.others += [part.path for part in found.pop(NO_FHIR, [])]
    delivery.refused += [path for path in delivery.others if not named_type(path.name, types) and _speaks_fhir(path)]
    return found


def _speaks_fhir(path: Path) -> bool:
    """Whether a file that is not read begins as FHIR does, in either form; what cannot be looked at is no news."""
    try:
        known = path.stat(follow_symlinks=False)
    except OSError:
        return False
    return _begins_as_fhir(path, known.st_size, known.st_mtime_ns)


@lru_cache(maxsize=1 << 16)
def _begins_as_fhir(path: Path, _size: int, _written: int) -> bool:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            return _FHIR.search(file.read(_LOOKED_AT)) is not None
    except OSError:
        return False


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _parts(path: Path, delivery: Delivery, types: list[str]) -> list[DeliveryPart]:
    if not is_zip(path.name):
        return [DeliveryPart(path)]
    if path in delivery.refused:
        return []
    try:
        with opened(path, delivery.folder) as file:
            found = members(file)
    except (NotPlain, UnreadableZip):
        delivery.refused.append(path)
        return []
    kept = [each for each in found if is_read(each.name) and each.readable]
    signed = {each.name for each in found}
    if any(each not in kept and signs(each.name) not in signed and _may_hold(each.name, types) for each in found):
        delivery.refused.append(path)
    return [DeliveryPart(path, each) for each in kept]


def _may_hold(name: str, types: list[str]) -> bool:
    """Whether a member of an archive that is not read may hold resources."""
    if is_beside(name):
        return False
    named = named_type(name.rpartition("/")[2], types) != ""
    return named or is_read(name) or is_packed(name) or is_zip(name) or is_xml(name)


def _type_of(part: DeliveryPart, types: list[str], folder: Path, cap: int) -> str:
    """NO_FHIR for JSON that is of something else, such as a program's settings."""
    named = named_type(part.name, types)
    try:
        first = first_type(part, folder, cap=cap)
    except OperatorError:
        if not named:
            raise
        return named  # it costs its own type, when it is read
    if is_json(part.name) and first == UNKNOWN and not named:
        return NO_FHIR if any(map(is_whole, first_lines(part, folder, 1, cap=cap))) else UNKNOWN
    if first == BUNDLE or is_json(part.name) or _begins(part, folder, cap).document:
        return SORTED
    return named or (first if first == UNKNOWN or first in _words(part.name) else SORTED)


def _words(name: str) -> set[str]:
    return set(re.split(r"[^A-Za-z]+", name))


def delivered(source: Source) -> tuple[Delivery, dict[str, list[DeliveryPart]]]:
    """What a site delivered, and its files by type. Raises MainstemError where it is nothing, or not whole."""
    delivery, types = look_into(source.files), list(source.site.types)
    if source.site.files and (marker := source.site.files.end_marker):
        require_end_marker(delivery, marker)
    told_of(delivery)
    found = files_by_type(delivery, types, cap=source.site.limits.line_bytes)
    readable = {*types, *referred_types(types), UNKNOWN, SORTED}
    if not readable.intersection(found) and not delivery.refused and not any(map(_is_packed, delivery.others)):
        raise empty(delivery.folder, _instead(delivery, found))
    return delivery, found


def _instead(delivery: Delivery, found: dict[str, list[DeliveryPart]]) -> str:
    if found:
        return f"holds files of {', '.join(sorted(found))} only, none of the site's types"
    if delivery.files or delivery.others:
        return f"holds no file that is read: {len(delivery.files)} empty ones, {len(delivery.others)} of other names"
    return "is empty"


def _is_packed(path: Path) -> bool:
    return is_packed(path.name)


def named_type(name: str, types: list[str]) -> str:
    """The one type a file is named after; empty where there is none, or several."""
    named = _words(name).intersection(types)
    return named.pop() if len(named) == 1 else ""


def first_type(part: DeliveryPart, folder: Path, *, cap: int) -> str:
    """resourceType of the first line that has one; UNKNOWN where none of the first ten does."""
    return _begins(part, folder, cap).type


def holds_no_resource(part: DeliveryPart, folder: Path, *, cap: int) -> bool:
    """Whether something stands in a file, and none of its first lines is a resource."""
    begins = _begins(part, folder, cap)
    return begins.type == UNKNOWN and not begins.empty


class _Beginning(NamedTuple):
    """What the beginning of a file tells."""

    type: str
    empty: bool
    document: bool
    """It is one JSON document, not a line for each resource."""


def _begins(part: DeliveryPart, folder: Path, cap: int) -> _Beginning:
    with share(part.path):
        known = part.path.stat(follow_symlinks=False)
        return _beginning(part, folder, cap, known.st_size, known.st_mtime_ns)


@lru_cache(maxsize=1 << 16)
def _beginning(part: DeliveryPart, folder: Path, cap: int, _size: int, _written: int) -> _Beginning:
    """The same, once for a file as it is: each type of a site asks anew."""
    kinds = (kind for line in first_lines(part, folder, FIRST_LINES, cap=cap) if (kind := kind_of(line)))
    block = _first_block(part, folder)
    return _Beginning(next(kinds, UNKNOWN), block.removeprefix(BOM).strip() in (b"", b"[]"), is_document(block))


def _first_block(part: DeliveryPart, folder: Path) -> bytes:
    """What a part begins with, unpacked."""
    try:
        return next(plain(part.blocks(folder)), b"")
    except (NotPlain, UnreadableZip, TruncatedGzip):
        return b""


def first_lines(part: DeliveryPart, folder: Path, most: int, *, cap: int) -> list[bytes]:
    """The lines a part begins with; none where it cannot be read as text."""
    try:
        found = text_batches(part.blocks(folder), cap=cap, name=part.name)
        return list(islice(chain.from_iterable(each for each in found if not isinstance(each, Reason)), most))
    except (NotPlain, UnreadableZip):
        return []


def kind_of(line: bytes) -> str:
    """resourceType of a line; empty where it says none."""
    try:
        return decoded(line, _KIND).resourceType
    except Unreadable:
        return ""


def each_resource(lines: list[bytes]) -> Iterator[tuple[bytes, str]]:
    """Resources with their types, those that Bundles hold in the Bundles' place."""
    for line in lines:
        kind = kind_of(line)
        yield from ((held, kind_of(held)) for held in held_in(line)) if kind == BUNDLE else [(line, kind)]


def plain_type(kind: str) -> str:
    """A type as a report may show it: it is somebody else's word."""
    return kind if re.fullmatch("[A-Z][A-Za-z]{2,39}", kind) else "of no FHIR type"


@contextmanager
def share(path: Path) -> Iterator[None]:
    """What the system refuses there, in our words."""
    try:
        yield
    except OSError as exc:
        raise OperatorError(
            f"{path} cannot be read ({exc.strerror})", "Check permissions and the share.", who="site IT"
        ) from exc
