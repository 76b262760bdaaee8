"""Every message a person can meet, found where it is made: no second list that could differ from the first.

What an error says stands in the code that raises it, so the code is read (not run): cause and fix as written, who can
apply the fix, the exit code. Beside them the closed lists: why a type is missing, why a resource gave no record, what a
check of quality finds.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import ExitCode
from schemas.gaps import GapCause
from schemas.problems import Reason, who_acts

ROOMS = ("schemas", "connectors", "transforms", "mainstem", "services", "dags")
FILLED = "…"
"""Stands for what is filled in."""
CODES = {
    "MainstemError": ExitCode.DEFECT,
    "TemporaryError": ExitCode.LATER,
    "OperatorError": ExitCode.ACT_FIRST,
    "IncompleteError": ExitCode.NOT_WHOLE,
}
SITE_FILE = "`mainstem sites keys` lists every key."
"""What whoever wrote a site file is told besides."""


@dataclass(frozen=True)
class Message:
    """One message: cause and fix as they are written, … for what is filled in."""

    cause: str
    fix: str
    who: str
    exit_code: ExitCode
    """0 where it ends nothing: a gap, a resource without a record."""
    where: str
    """The file that makes it, from the project's folder."""


@cache
def catalogue() -> tuple[Message, ...]:
    """All of them, by file."""
    kinds = _kinds()
    raised = (message for path in _files() for message in _Reader(path, kinds).messages())
    return (*raised, *_listed())


def _listed() -> Iterator[Message]:
    """The closed lists."""
    for cause in GapCause:
        yield Message(cause.meaning, cause.fix, cause.who, ExitCode.DONE, "schemas/gaps.py")
    for reason in Reason:
        yield Message(reason.meaning, reason.fix, who_acts(reason), ExitCode.DONE, "schemas/problems.py")


def _root(room: str) -> Path:
    spec = find_spec(room)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)))


def _files() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted(_root(room).rglob("*.py"))


def _kinds() -> dict[str, str]:
    """Each class of our errors → the one of CODES that it is."""
    below: dict[str, list[str]] = {}
    for path in _files():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ClassDef) and node.bases:
                below.setdefault(ast.unparse(node.bases[0]), []).append(node.name)
    kinds: dict[str, str] = {}
    for kind in CODES:
        found = [kind]
        while found:
            name = found.pop()
            kinds[name] = kind
            found += [each for each in below.get(name, []) if each not in CODES]
    return kinds


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


class _Reader:
    """The messages of one file."""

    def __init__(self, path: Path, kinds: Mapping[str, str]) -> None:
        self._kinds, self._tree = kinds, _tree(path)
        room = next(room for room in ROOMS if path.is_relative_to(_root(room)))
        self._where = str(path.relative_to(_root(room).parent))
        self._named = dict(_constants(self._tree))

    def messages(self) -> Iterator[Message]:
        """Those whose cause is written here; one that is handed on is told where it is made."""
        for node in ast.walk(self._tree):
            if (
                isinstance(node, ast.Call)
                and (made := self._made(node)) is not None
                and made.cause.strip(f" {FILLED};:")
            ):
                yield made

    def _made(self, call: ast.Call) -> Message | None:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if name == "ValueError" and self._where == "schemas/sites.py" and call.args:
            return Message(self._words(call.args[0]), SITE_FILE, "network", ExitCode.ACT_FIRST, self._where)
        if name not in self._kinds or not call.args:
            return None
        fix = call.args[1] if len(call.args) > 1 else given.get("fix")
        who = given.get("who")
        return Message(
            self._words(call.args[0]),
            self._words(fix) if fix is not None else "",
            (self._words(who) if who is not None else "network").strip(FILLED) or "network",
            CODES[self._kinds[name]],
            self._where,
        )

    def _words(self, node: ast.expr) -> str:
        """A text as it is written: joined, chosen between (both), by the constant's name."""
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.JoinedStr):
            return "".join(self._words(part) for part in node.values)
        if isinstance(node, ast.BinOp):
            return self._words(node.left) + self._words(node.right)
        if isinstance(node, ast.IfExp):
            return f"{self._words(node.body)} / {self._words(node.orelse)}"
        if isinstance(node, ast.Name) and node.id in self._named:
            return self._named[node.id]
        if isinstance(node, ast.Attribute) and (cause := GapCause.__members__.get(ast.unparse(node.value)[9:])):
            return str(getattr(cause, node.attr, FILLED))
        return FILLED


def _constants(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Names that stand for a text, at the top or in a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from ((target.id, node.value.value) for target in node.targets if isinstance(target, ast.Name))
