"""What decides a record, as one hash: a line whose bytes and whose mapping's identity are known gives what it gave.

Read from the code itself, by its meaning: the declaration of a type and all that it, the mapper and the reader import
in the rooms that decide, without docstrings and comments, and the tables they open. What no mapping imports (a new
file, a derived value, a check, the judge) decides nothing.

Reading the code takes a fifth of a second, a tenth of a night in which nothing changed, so what it says is kept beside
Python's own cache of it, for as long as no byte of the rooms changes.
"""

import ast
import json
import os
import tomllib
import zoneinfo
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

_ROOMS = ("rules", "reading", "codes", "privacy", "fhir", "resources")
_OUTSIDE = ("derive/", "quality/")
_MAPPER = "transforms.mapper"
_JUDGE = "transforms.fhir.conformance"
_LIBRARIES = ("ucumvert", "pint", "tzdata")
_BYTES = 32


def identity_of(declaration: str, given: str, time_zone: str) -> bytes:
    """The identity of the mapping that a module declares, under a site's settings."""
    found = blake2b(given.encode(), digest_size=_BYTES)
    found.update(_libraries())
    found.update(_zone(time_zone))
    found.update(bytes.fromhex(_code_of(declaration)))
    return found.digest()


def derivation_of(wanted: str) -> str:
    """What decides about derived values, as one hash: which a network asks for, and how and by which tables they are made."""
    return _all_of("derive", wanted)


def judgement_of(wanted: str) -> str:
    """What decides about what checks find, as one hash."""
    return _all_of("quality", wanted)


def _all_of(room: str, wanted: str) -> str:
    found = blake2b(wanted.encode(), digest_size=_BYTES)
    for path, file in _all_files(files("transforms") / room, ""):
        found.update(f"\0{path}\0".encode() + file.read_bytes())
    return found.hexdigest()


@cache
def _libraries() -> bytes:
    """Their versions, which stand in files of their own."""
    return "".join(f"{name} {version(name)}\0" for name in _LIBRARIES).encode()


def _zone(name: str) -> bytes:
    """The system's rules of a time zone, which come before the library's."""
    found = (Path(folder, name) for folder in zoneinfo.TZPATH)
    return next((path.read_bytes() for path in found if path.is_file()), b"")


# -------------------------------------------------------------------- what is kept


def _code_of(declaration: str) -> str:
    """What a declaration's code says, in hexadecimal digits: as it was read before, or read now and kept."""
    known = _known()
    if declaration not in known:
        known[declaration] = _read(declaration)
        _keep({"bytes": _bytes(), "codes": known})
    return known[declaration]


def _place() -> Path:
    return Path(cache_from_source(__file__)).with_suffix(".known")


@cache
def _known() -> dict[str, str]:
    """What was kept of just these bytes, by declaration; what this process reads is added."""
    try:
        kept = json.loads(_place().read_bytes())
        return dict(kept["codes"]) if kept["bytes"] == _bytes() else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _keep(known: dict[str, Any]) -> None:
    """Whole or not at all; where nothing may be written, the code is read by each process."""
    place = _place()
    part = place.with_name(f"{place.name}.{os.getpid()}")
    with suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        part.write_text(json.dumps(known), "utf-8")
        part.replace(place)


@cache
def _bytes() -> str:
    """One hash of all files that could decide."""
    found = blake2b(digest_size=_BYTES)
    for path, file in _all_files(files("transforms"), ""):
        if path.startswith(_OUTSIDE):
            continue
        content = file.read_bytes()
        found.update(f"{path} {len(content)}\0".encode() + content)
    return found.hexdigest()


def _all_files(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.is_dir():
            yield from _all_files(file, f"{path}{file.name}/")
        elif file.name.endswith((".py", ".csv", ".toml")):
            yield path + file.name, file


# -------------------------------------------------------------------- what the code says


def _read(declaration: str) -> str:
    found = blake2b(digest_size=_BYTES)
    for module in sorted(_imported(_MAPPER) | _imported(declaration)):
        found.update(module.encode() + _meaning(module))
    return found.hexdigest()


def _imported(start: str) -> set[str]:
    """A module and all it imports of the rooms that decide, directly or not."""
    found, waiting = set(), {start}
    while waiting:
        module = waiting.pop()
        found.add(module)
        waiting |= _imports(module) - found
    return found


@cache
def _imports(module: str) -> frozenset[str]:
    nodes = (node for node in _nodes(module) if isinstance(node, ast.ImportFrom) and node.module)
    named = (_home(node.module or "", name.name) for node in nodes for name in node.names)
    return frozenset(name for name in named if _decides(name))


def _home(module: str, name: str) -> str:
    """The module a name comes from: a room's face only passes it on."""
    if not _decides(module) or not _is_room(module):
        return module
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return node.module or module
    return module


def _decides(module: str) -> bool:
    return module.startswith(tuple(f"transforms.{room}" for room in _ROOMS)) and module != _JUDGE


def _is_room(module: str) -> bool:
    return _source(module).name == "__init__.py"


def _source(module: str) -> Traversable:
    place = files("transforms")
    for name in module.split(".")[1:]:
        place = place / name
    return place / "__init__.py" if place.is_dir() else place.parent / f"{place.name}.py"  # type: ignore[attr-defined]


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_source(module).read_bytes())


@cache
def _nodes(module: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(_tree(module)))


@cache
def _meaning(module: str) -> bytes:
    """A module without what only people read, and the tables it opens."""
    tables = [_table(module, name) for name in sorted(set(_texts(module)))]
    for node in _nodes(module):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [line for line in body if not _is_said(line)]  # type: ignore[attr-defined]
    return b"\0".join([ast.dump(_tree(module)).encode(), *filter(None, tables)])


def _is_said(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _texts(module: str) -> Iterator[str]:
    for node in _nodes(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith((".csv", ".toml")):
            yield node.value


def _table(module: str, name: str) -> bytes:
    place = files(module.rpartition(".")[0]).joinpath(name)
    if not place.is_file():
        return b""  # named in a sentence
    return repr(tomllib.loads(place.read_text("utf-8"))).encode() if name.endswith(".toml") else place.read_bytes()
