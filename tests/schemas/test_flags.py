"""The list of flags is what the code sets: each flag of the code is explained, each that is explained is set.

Flags are found in the mapping's source by where they stand: as an argument of a parameter that takes flags, under a name
or in a function that holds some. A part that is known only when it runs is `<>`.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import transforms
from schemas.events import IMPLAUSIBLE_FLAGS
from schemas.flags import FLAGS
from transforms.quality import flag_of, shipped

TAKING = {"flag", "flags", "fault", "elsewhere"}
"""Parameters and fields that take flags …"""
OTHERS = {"died", "verified"}
"""… but for those of functions that name a field of the record so."""
HOLDING = {"flags", "future", "several", "own", "_AGAINST", "_CERTAINTY", "SAYS_NOTHING"}
"""Variables whose texts are flags."""
GIVING = {"_implausible", "code_fault", "loinc_fault", "snomed_fault"}
"""Functions that return flags."""
ONE_WORD = {"future", "replaced"}
FOUND = re.compile(r"[A-Za-z<>]+([-:][A-Za-z<>]+)+")


@cache
def nodes() -> list[ast.AST]:
    folder = Path(transforms.__file__).parent
    paths = [path for path in sorted(folder.rglob("*.py")) if not {"quality", "derive"} & {*path.parts}]
    return [node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


@cache
def parameters() -> dict[str, list[str]]:
    """Function or class → its parameters, without self."""
    found: dict[str, list[str]] = {}
    for node in nodes():
        if isinstance(node, ast.FunctionDef):
            given = [each.arg for each in node.args.args if each.arg != "self"]
            if node.name not in found or TAKING.intersection(given):  # many rules have a `read`
                found[node.name] = given
        elif isinstance(node, ast.ClassDef):
            fields = [each.target.id for each in node.body if isinstance(each, ast.AnnAssign)]
            inits = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
            found[node.name] = [each.arg for init in inits for each in init.args.args[1:]] or fields
    return found


def named(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def expressions() -> Iterator[ast.AST]:
    """What stands where flags do."""
    for node in nodes():
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from [node.value] * any(named(target) in HOLDING for target in targets)
        elif isinstance(node, ast.FunctionDef) and node.name in GIVING:
            yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value)
        elif isinstance(node, ast.Call) and named(node.func) not in OTHERS:
            yield from (each.value for each in node.keywords if each.arg in TAKING)
            given = zip(parameters().get(named(node.func), ()), node.args, strict=False)
            yield from (value for name, value in given if name in TAKING)
            if isinstance(node.func, ast.Attribute) and named(node.func.value) == "flags":
                yield from node.args


def texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(each.value) if isinstance(each, ast.Constant) else "<>" for each in node.values)
    elif isinstance(node, ast.Constant):
        yield str(node.value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


@cache
def of_the_mapping() -> frozenset[str]:
    found = {text for value in expressions() for text in texts(value)}
    return frozenset(text for text in found if FOUND.fullmatch(text) or text in ONE_WORD)


def of_the_checks() -> set[str]:
    return {flag_of(name) for name, check in shipped().items() if check.alone}


def said(flag: str) -> str:
    return re.sub("<[^>]*>", "<>", flag)


def fits(flag: str, form: str) -> bool:
    """Whether a flag is one of a form; a form that is all unknown fits none."""
    known = re.escape(form).replace("<>", "[A-Za-z-]+")
    return bool(form.strip("<>:-")) and re.fullmatch(known, flag) is not None


def is_explained(flag: str) -> bool:
    listed = set(map(said, FLAGS))
    if flag in listed or f"{flag}:<>" in listed or not flag.strip("<>:-"):
        return True
    if any(fits(flag, each) for each in listed if each.endswith(":<>")):
        return True
    return "<>" in flag and any(fits(each, flag) for each in listed)


def test_flags_are_found_in_the_mapping():
    """By each of the ways in which one is set: else the tests below would say nothing."""
    ways = {"unit-converted", "time-in-gap", "several:policy", "dropped:<>", "<>-unreadable", "snomed-form"}
    more = {"ends-before-start", "diagnosis-suspected", "time-issued", "says-nothing", "route-unreadable", "future"}
    assert sorted((ways | more) - of_the_mapping()) == []


def test_every_flag_that_the_code_sets_is_explained():
    assert sorted(flag for flag in of_the_mapping() if not is_explained(flag)) == []
    assert of_the_checks() | {*IMPLAUSIBLE_FLAGS} <= FLAGS.keys()


@pytest.mark.parametrize("flag", sorted(FLAGS))
def test_every_flag_that_is_explained_is_set(flag):
    """By a check of persons, by its name in the mapping, or by a form that it has."""
    form = said(flag)
    given = of_the_mapping() | of_the_checks()
    assert {form, form.removesuffix(":<>")} & given or any(fits(form, each) for each in given if "<>" in each)


def test_a_flag_that_nobody_sets_is_seen():
    """And one that nobody explains."""
    assert not any(fits("value-guessed", each) for each in of_the_mapping() if "<>" in each)
    assert not is_explained("value-guessed")
    assert is_explained("patient-linked")
