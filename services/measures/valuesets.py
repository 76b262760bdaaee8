"""Value sets from outside: FHIR ValueSet resources with their expansions, from a folder that the network supplies.

None is in the repository: their codes have licences of their own. A measure names them by OID; which edition was used is
said by version and checksum.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from schemas.errors import OperatorError
from schemas.showing import shown
from services.measures.language.codes import Code, Codes, ValueSet

Pair = tuple[str, str]
"""Code system and code."""


@dataclass(frozen=True)
class Expanded:
    """A value set with its codes."""

    oid: str
    title: str
    version: str
    codes: frozenset[Pair]

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of its codes in order, hexadecimal: the same codes, the same checksum, whatever the file."""
        return sha256("\n".join(f"{system}|{code}" for system, code in sorted(self.codes)).encode()).hexdigest()


class ValueSets:
    """The value sets of a folder, by OID."""

    def __init__(self, found: dict[str, Expanded], source: str) -> None:
        self._found = found
        self._source = source

    @classmethod
    def none(cls) -> "ValueSets":
        """No value set at all: enough for measures that name codes only."""
        return cls({}, "no folder of value sets was given")

    @classmethod
    def of_folder(cls, folder: Path) -> "ValueSets":
        """Reads every `*.json` of a folder.

        Raises `OperatorError` where the folder holds none, a file is no FHIR ValueSet with codes, or two files give one
        value set different codes.
        """
        paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
        if not paths:
            raise OperatorError(
                f"{folder}: no value set (*.json) there", "Give the folder of FHIR ValueSets with their expansions."
            )
        found: dict[str, Expanded] = {}
        for path in paths:
            one = _read(path)
            same = found.setdefault(one.oid, one)
            if same.codes != one.codes:
                raise OperatorError(
                    f"{path}: value set {one.oid} is there twice, with different codes",
                    "Keep the edition that the measures are to use.",
                )
        return cls(found, str(folder))

    def __getitem__(self, wanted: ValueSet) -> Expanded:
        """The value set a measure names. Raises `OperatorError` where it is not there."""
        found = self._found.get(wanted.oid)
        if found is None:
            raise OperatorError(
                f"value set {wanted.oid} ({wanted.title}) is missing: {self._source}",
                "Download its expansion, for instance from the Value Set Authority Center, and put it into the folder.",
            )
        return found

    def codes(self, wanted: Iterable[Codes]) -> frozenset[Pair]:
        """All codes of some value sets and single codes."""
        return frozenset(pair for each in wanted for pair in self._pairs(each))

    def _pairs(self, wanted: Codes) -> Iterable[Pair]:
        return [(wanted.system, wanted.code)] if isinstance(wanted, Code) else self[wanted].codes


def _read(path: Path) -> Expanded:
    try:
        resource = json.loads(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise OperatorError(f"{path}: not readable as JSON", "Download the file again.") from problem
    if not isinstance(resource, dict) or resource.get("resourceType") != "ValueSet":
        raise OperatorError(f"{path}: no FHIR ValueSet", "Keep only FHIR ValueSet resources in the folder.")
    codes = frozenset(_codes(resource))
    if not codes:
        raise OperatorError(
            f"{path}: a value set without codes", "Download it with its expansion (FHIR operation $expand)."
        )
    name = str(resource.get("url") or resource.get("id") or path.stem)
    title = shown(str(resource.get("title") or resource.get("name") or name))
    return Expanded(_oid(name), title, str(resource.get("version", "")), codes)


def _oid(name: str) -> str:
    """`2.16.840.1…` of a canonical address, `urn:oid:…` or a bare OID, without a version."""
    return name.split("|")[0].rstrip("/").rsplit("/", 1)[-1].removeprefix("urn:oid:")


def _codes(resource: dict[str, Any]) -> Iterator[Pair]:
    """Of the expansion; where there is none, the codes that the definition lists one by one."""
    expansion = resource.get("expansion")
    if isinstance(expansion, dict):
        yield from _contained(expansion.get("contains"))
        return
    for include in (resource.get("compose") or {}).get("include", []):
        for concept in include.get("concept", []):
            yield include["system"], concept["code"]


def _contained(entries: Any) -> Iterator[Pair]:
    """Codes of an expansion, nested ones too; an abstract entry only groups."""
    for entry in entries or []:
        if not entry.get("abstract") and "code" in entry:
            yield entry.get("system", ""), entry["code"]
        yield from _contained(entry.get("contains"))
