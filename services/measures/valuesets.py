"""Value sets from outside: FHIR ValueSets with their expansions, from a folder of JSON files. None is part of the project.

Only what an expansion lists belongs to a set: definitions (`compose`) are not worked out here. The pages of an expansion are one
set where all are there. What would make a set smaller than it is, is refused by file: no expansion, a page without the others, an
entry without system or code, an empty set.
"""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.errors import OperatorError
from services.measures.language.codes import Code, Codes, CodeSet

OID = "urn:oid:"


@dataclass(frozen=True, slots=True)
class Expanded:
    """The codes of a set, citable by version and checksum."""

    url: str
    version: str
    """As its publisher numbers it; empty where it has none."""
    title: str
    codes: frozenset[tuple[str, str]]
    """(system, code): the system as records write it, the code as the expansion does."""

    @property
    def oid(self) -> str:
        """The last part of its url: for sets of the VSAC their OID."""
        return self.url.rsplit("/", 1)[-1].removeprefix(OID)

    @property
    def checksum(self) -> str:
        """SHA-256 of the codes in order: alike where the codes are, whatever the order, displays and version."""
        return sha256("".join(f"{system}|{code}\n" for system, code in sorted(self.codes)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ValueSets:
    """The value sets of a folder."""

    folder: Path
    by_url: Mapping[str, Expanded]

    def codes(self, wanted: Iterable[Codes]) -> frozenset[tuple[str, str]]:
        """(system, code) of some value sets and single codes. OperatorError where a set is missing."""
        return frozenset(pair for each in wanted for pair in self._pairs(each))

    def _pairs(self, wanted: Codes) -> Iterable[tuple[str, str]]:
        if isinstance(wanted, Code):
            return [(wanted.system, wanted.code)]
        if isinstance(wanted, CodeSet):
            return [(each.system, each.code) for each in wanted.codes]
        return self.named(wanted.oid, wanted.title).codes

    def named(self, name: str, title: str = "") -> Expanded:
        """The set of a url (`url|version` for that version alone), an OID or `urn:oid:…`. OperatorError where there is none."""
        url, _, version = name.partition("|")
        bare = url.removeprefix(OID)
        found = self.by_url.get(url) or next((each for each in self.by_url.values() if each.oid == bare), None)
        if found is None:
            raise OperatorError(
                f"{self.folder}: no value set {name}{f' ({title})' if title else ''}",
                "Add a file with its expansion, as the VSAC gives it.",
            )
        if version and found.version != version:
            raise OperatorError(
                f"{self.folder}: value set {url} is of version {found.version or 'unknown'}, not {version}",
                "Add the expansion of the version that is asked for, or ask for the one that is there.",
            )
        return found


NONE = ValueSets(Path(), {})
"""For measures that ask for none."""


class _Contained(msgspec.Struct):
    """An entry of an expansion; those below it belong to the set too."""

    system: str = ""
    code: str = ""
    abstract: bool = False
    contains: list["_Contained"] = []


class _Expansion(msgspec.Struct):
    total: int | None = None
    offset: int = 0
    contains: list[_Contained] = []


class _ValueSet(msgspec.Struct, tag_field="resourceType", tag="ValueSet"):
    url: str = ""
    version: str = ""
    title: str = ""
    name: str = ""
    expansion: _Expansion | None = None


class _Entry(msgspec.Struct):
    resource: _ValueSet | None = None


class _Bundle(msgspec.Struct, tag_field="resourceType", tag="Bundle"):
    entry: list[_Entry] = []


class _Unusable(Exception):
    """Why a file, or a set in it, cannot be used; holds no content."""


def load_value_sets(folder: Path, *, system: Callable[[str], str]) -> ValueSets:
    """Every value set of the folder's JSON files, those in folders below too; a file holds one or a Bundle of them.

    `system` gives a code system's URI as records write it: the VSAC names HCPCS otherwise than CMS does.
    OperatorError with a line for each file that cannot be used.
    """
    if not folder.is_dir():
        what = "a file, not a folder" if folder.exists() else "no such folder"
        raise OperatorError(f"{folder}: {what}", "Name the folder of FHIR ValueSets with expansions.")
    paths = sorted(path for path in folder.rglob("*.json") if not path.name.startswith("."))
    if not paths:
        raise OperatorError(
            f"{folder}: no file of a value set (*.json)", "Name the folder of FHIR ValueSets with expansions."
        )
    found: dict[str, Expanded] = {}
    origins: dict[str, Path] = {}
    pages: dict[tuple[str, str, int | None], list[tuple[Path, _Page]]] = {}
    faults: list[str] = []
    for path in paths:
        try:
            for page in _read(path, system):
                if page.whole:
                    _add(page.codes, path, found, origins)
                else:
                    pages.setdefault((page.codes.url, page.codes.version, page.total), []).append((path, page))
        except _Unusable as exc:
            faults.append(f"{path}: {exc}")
    for some in pages.values():
        try:
            _add(_joined([page for _, page in some]), some[0][0], found, origins)
        except _Unusable as exc:
            faults += [f"{path}: {exc}" for path, _ in some]
    if faults:
        raise OperatorError(faults, "Replace each file by the whole expansion, as the VSAC's $expand gives it.")
    return ValueSets(folder, found)


def _add(value_set: Expanded, path: Path, found: dict[str, Expanded], origins: dict[str, Path]) -> None:
    """A set that stands twice must be the same both times: which one counts would be chance."""
    before = found.setdefault(value_set.url, value_set)
    if (before.version, before.codes) != (value_set.version, value_set.codes):
        raise _Unusable(f"value set {value_set.url} is another in {origins[value_set.url]}")
    origins.setdefault(value_set.url, path)


class _Page(NamedTuple):
    """The codes of an expansion, or of a page of it."""

    codes: Expanded
    offset: int
    entries: int
    total: int | None
    """Of all pages."""

    @property
    def whole(self) -> bool:
        return not self.offset and (self.total is None or self.total <= self.entries)


def _joined(pages: list[_Page]) -> Expanded:
    """The set of which these are all the pages, each told once or more. `_Unusable` where one is missing."""
    there, codes = 0, frozenset[tuple[str, str]]()
    for page in sorted(pages, key=lambda each: each.offset):
        if page.offset <= there:
            there, codes = max(there, page.offset + page.entries), codes | page.codes.codes
    first = pages[0]
    if first.total is None or there < first.total:
        raise _Unusable(
            f"value set {first.codes.url} is a page of its expansion: {there or first.entries} of {first.total or 'more'} codes"
        )
    return replace(first.codes, codes=codes)


def _read(path: Path, system: Callable[[str], str]) -> Iterator[_Page]:
    try:
        text = path.read_bytes().removeprefix(BOM_UTF8)
        read: _ValueSet | _Bundle = msgspec.json.decode(text, type=_ValueSet | _Bundle)
    except OSError:
        raise _Unusable("cannot be read") from None
    except RecursionError:
        raise _Unusable("is no FHIR ValueSet: brackets in brackets without end") from None
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _Unusable(f"is no FHIR ValueSet, nor a Bundle of them ({_where(exc)})") from None
    resources = [read] if isinstance(read, _ValueSet) else [entry.resource for entry in read.entry if entry.resource]
    if not resources:
        raise _Unusable("is a Bundle without a ValueSet")
    for resource in resources:
        yield _value_set(resource, system)


def _where(exc: Any) -> str:
    """What the decoder says of the place; its messages quote no value but an unknown resource type."""
    return "it is of another resource type" if "Invalid value" in str(exc) else str(exc)


def _value_set(resource: _ValueSet, system: Callable[[str], str]) -> _Page:
    if not resource.url:
        raise _Unusable("a ValueSet without url")
    expansion = resource.expansion
    if expansion is None:
        raise _Unusable(f"value set {resource.url} has no expansion")
    entries = list(_entries(expansion.contains))
    codes = frozenset((entry.system and system(entry.system), entry.code) for entry in entries if not entry.abstract)
    if any(not uri or not code for uri, code in codes):
        raise _Unusable(f"value set {resource.url} has an entry without system or code")
    if not codes:
        raise _Unusable(f"value set {resource.url} holds no code")
    value_set = Expanded(resource.url, resource.version, resource.title or resource.name, codes)
    return _Page(value_set, expansion.offset, len(entries), expansion.total)


def _entries(top: list[_Contained]) -> Iterator[_Contained]:
    """All entries of a hierarchy."""
    waiting = list(top)
    while waiting:
        entry = waiting.pop()
        waiting += entry.contains
        yield entry
