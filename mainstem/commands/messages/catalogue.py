"""Every message a person can meet, found where it is made: no second list that could differ from the first.

What an error says stands in the code that raises it, so the code is read (not run): cause and fix as written, who can
apply the fix, the exit code. Beside them the closed lists: why a type is missing, why a resource gave no record, what a
check of quality finds, the flags of a record.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeGuard

from schemas.errors import ExitCode
from schemas.flags import FLAGS
from schemas.gaps import GapCause
from schemas.problems import Reason, who_acts
from transforms.quality import flag_of, shipped

ROOMS = ("schemas", "connectors", "transforms", "mainstem", "services", "dags")
FILLED = "…"
"""Stands for what is filled in."""
CODES = {
    "MainstemError": ExitCode.DEFECT,
    "TemporaryError": ExitCode.LATER,
    "OperatorError": ExitCode.ACT_FIRST,
    "IncompleteError": ExitCode.NOT_WHOLE,
}
FREQUENT = (
    "Nothing, where it is rare; where it is frequent, let the EHR send what FHIR asks for there.",
    "EHR vendor",
)
OF_FLAGS = {
    "code-": (
        "Say what the codes mean in the site's code map: `mainstem codes suggest` writes a first one.",
        "network",
    ),
    "implausible-": (
        "Look at them in the chart: `mainstem quality` lists them, and what to do.",
        "the site's data manager",
    ),
    "midnight-utc": ("If the EHR writes dates so, set dates_as_midnight_utc = true in the site file.", "network"),
}
"""What can be done about a flag, by how it begins; `FREQUENT` for all others."""
BY_CASE = "What is to be done depends on the case; the screen says it."
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
        yield Message(f"{cause.value}: {cause.meaning}", cause.fix, cause.who, ExitCode.DONE, "schemas/gaps.py")
    for reason in Reason:
        yield Message(
            f"{reason.value}: {reason.meaning}", reason.fix, who_acts(reason), ExitCode.DONE, "schemas/problems.py"
        )
    of_checks: dict[str, tuple[str, str]] = {}
    for name, check in shipped().items():
        of_checks[flag_of(name)] = check.fix, check.who
        yield Message(f"{name}: {check.what}", check.fix, check.who, ExitCode.DONE, "transforms/quality")
    for flag, meaning in FLAGS.items():
        like = next((told for beginning, told in OF_FLAGS.items() if flag.startswith(beginning)), FREQUENT)
        fix, who = of_checks.get(flag, like)
        yield Message(f"{flag}: {meaning}", fix, who, ExitCode.DONE, "schemas/flags.py")


@cache
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
        for node in _nodes(path):
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
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """All that stands in a file, gone through once for every question."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


class _Reader:
    """The messages of one file."""

    def __init__(self, path: Path, kinds: Mapping[str, str]) -> None:
        self._kinds, self._nodes = kinds, _nodes(path)
        room = next(room for room in ROOMS if path.is_relative_to(_root(room)))
        self._where = str(path.relative_to(_root(room).parent))
        self._named = dict(_imported(self._nodes)) | _constants(path)
        self._chosen = dict(_choices(self._nodes))
        self._given: dict[str, str] = {}
        """What stands for the parameters of a function, while its message is told."""
        gives = any(isinstance(node, ast.Return) and self._is_error(node.value) for node in self._nodes)
        makers = [node for node in self._nodes if gives and isinstance(node, ast.FunctionDef)]
        self._makers = {made.name: (made, handed) for made in makers if (handed := self._handed(made)) is not None}

    def messages(self) -> Iterator[Message]:
        """Those whose cause is written here; one that is handed on is told where it is made."""
        told = dict[Message, None]()
        names = {getattr(node.func, "id", "") for node in self._nodes if isinstance(node, ast.Call)}
        asked = {
            id(handed) for name, (_, handed) in self._makers.items() if name in names
        }  # told with each call's words
        for node in self._nodes:
            if isinstance(node, ast.Call) and id(node) not in asked:
                told |= dict.fromkeys([*self._made(node), *self._made_by(node)])
            elif isinstance(node, ast.Tuple):
                told |= dict.fromkeys(self._listed(node))
        yield from (each for each in told if each.cause.strip(f" {FILLED};:"))

    def _made(self, call: ast.Call) -> Iterator[Message]:
        """By the class itself, or by one of two."""
        if getattr(call.func, "id", "") == "ValueError" and self._where == "schemas/sites.py" and call.args:
            yield Message(self._words(call.args[0]), SITE_FILE, "network", ExitCode.ACT_FIRST, self._where)
        yield from (self._of(name, call) for name in self._classes(call.func) if call.args)

    def _classes(self, node: ast.expr, met: frozenset[str] = frozenset()) -> list[str]:
        """The names of errors that a call may be of; `met`: names that were followed already, since one may be chosen from itself."""
        if isinstance(node, ast.IfExp):
            return [*self._classes(node.body, met), *self._classes(node.orelse, met)]
        if isinstance(node, ast.Name) and node.id in self._chosen and node.id not in met:
            return self._classes(self._chosen[node.id], met | {node.id})
        return [node.id] if isinstance(node, ast.Name) and node.id in self._kinds else []

    def _made_by(self, call: ast.Call) -> Iterator[Message]:
        """By a function of the file that makes an error of the words it is given."""
        if (found := self._makers.get(getattr(call.func, "id", ""))) is None:
            return
        maker, handed = found
        given = dict(zip((each.arg for each in maker.args.args), map(self._words, call.args), strict=False))
        self._given = given | {each.arg: self._words(each.value) for each in call.keywords if each.arg}
        yield from self._made(handed)
        self._given = {}

    def _handed(self, maker: ast.FunctionDef) -> ast.Call | None:
        """The error that a function gives, where it gives nothing else."""
        returned = [each.value for each in ast.walk(maker) if isinstance(each, ast.Return)]
        one = returned[0] if len(returned) == 1 else None
        return one if self._is_error(one) else None

    def _is_error(self, node: ast.expr | None) -> TypeGuard[ast.Call]:
        return isinstance(node, ast.Call) and bool(self._classes(node.func))

    def _listed(self, row: ast.Tuple) -> Iterator[Message]:
        """Of a table: class, what is said behind the name of what it concerns, what to do."""
        if len(row.elts) == 3 and (names := self._classes(row.elts[0])) and isinstance(row.elts[1], ast.Constant):
            cause, fix = (self._words(each).replace("{setting}", FILLED) for each in row.elts[1:])
            yield Message(f"{FILLED} {cause}", fix, "network", CODES[self._kinds[names[0]]], self._where)

    def _of(self, name: str, call: ast.Call) -> Message:
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        fix = call.args[1] if len(call.args) > 1 else given.get("fix")
        who = given.get("who")
        return Message(
            self._words(call.args[0]),
            told if (told := self._words(fix) if fix is not None else "").strip(f" {FILLED}") else BY_CASE,
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
        if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
            return self._given.get(node.value.id, FILLED)
        if isinstance(node, ast.Name):
            return self._given.get(node.id, self._named.get(node.id, FILLED))
        if isinstance(node, ast.Attribute) and (cause := GapCause.__members__.get(ast.unparse(node.value)[9:])):
            return str(getattr(cause, node.attr, FILLED))
        return FILLED


def _choices(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.IfExp]]:
    """Names that stand for one class or another."""
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))


def _imported(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Names that stand for a text in another file of ours."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in ROOMS:
            place = _place(node.module)
            texts = _constants(place) if place.is_file() else {}
            yield from ((each.asname or each.name, texts[each.name]) for each in node.names if each.name in texts)


def _place(module: str) -> Path:
    """Where a module of ours stands."""
    room, *folders = module.split(".")
    path = _root(room).joinpath(*folders)
    return path / "__init__.py" if (path / "__init__.py").is_file() else path.with_suffix(".py")


@cache
def _constants(path: Path) -> dict[str, str]:
    """Names that stand for a text, at the top or in a function."""
    found = dict[str, str]()
    for node in _nodes(path):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found |= {target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)}
    return found
