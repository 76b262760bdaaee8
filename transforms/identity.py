"""What decides a record, as one hash: a line whose bytes and whose mapping's identity are known gives what it gave.

Read from the code itself, by its meaning: the declaration of a type and all that it, the mapper and the reader import
in the rooms that decide, without docstrings and comments, and the tables they open. What no mapping imports (a new
file, a derived value, a check, the judge) decides nothing.
"""

import ast
import tomllib
import zoneinfo
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_ROOMS = ("rules", "reading", "codes", "privacy", "fhir", "resources")
_JUDGE = "transforms.fhir.conformance"
_LIBRARIES = ("ucumvert", "pint", "tzdata")
_BYTES = 32


def identity_of(declaration: str, given: str, time_zone: str) -> bytes:
    """The identity of the mapping that a module declares, under a site's settings."""
    found = blake2b(given.encode(), digest_size=_BYTES)
    for name in _LIBRARIES:
        found.update(f"{name} {version(name)}\0".encode())
    found.update(_zone(time_zone))
    for module in sorted(_imported("transforms.mapper") | _imported(declaration)):
        found.update(module.encode() + _meaning(module))
    return found.digest()


def _zone(name: str) -> bytes:
    """The system's rules of a time zone, which come before the library's."""
    found = (Path(folder, name) for folder in zoneinfo.TZPATH)
    return next((path.read_bytes() for path in found if path.is_file()), b"")


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
    nodes = (node for node in ast.walk(_tree(module)) if isinstance(node, ast.ImportFrom) and node.module)
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
def _meaning(module: str) -> bytes:
    """A module without what only people read, and the tables it opens."""
    tree = _tree(module)
    tables = [_table(module, name) for name in sorted(set(_texts(tree)))]
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [line for line in body if not _is_said(line)]  # type: ignore[attr-defined]
    return b"\0".join([ast.dump(tree).encode(), *filter(None, tables)])


def _is_said(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith((".csv", ".toml")):
            yield node.value


def _table(module: str, name: str) -> bytes:
    place = files(module.rpartition(".")[0]).joinpath(name)
    if not place.is_file():
        return b""  # named in a sentence
    return repr(tomllib.loads(place.read_text("utf-8"))).encode() if name.endswith(".toml") else place.read_bytes()
