"""Each rule of reading EHRs, and each quirk that is known, names what shows it, and that is there."""

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
RULES = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))["rule"]
HOSPITALS = sorted(path.relative_to(TESTS).as_posix() for path in (TESTS / "refresh").glob("test_*quirk*.py"))


@cache
def names(file: str) -> frozenset[str]:
    """The tests of a file, and the hospitals of its table."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            found |= {f"[{key.value}]" for key in node.keys if isinstance(key, ast.Constant)}
    return frozenset(found)


@pytest.mark.parametrize("rule", RULES, ids=[rule["says"] for rule in RULES])
def test_what_shows_a_rule_is_there(rule: dict[str, str]) -> None:
    assert rule["shown"]
    for shown in rule["shown"]:
        file = shown.partition("::")[0].partition("[")[0]
        assert shown.removeprefix(file).removeprefix("::") in names(file), shown


def test_no_rule_stands_twice() -> None:
    said = [rule["says"] for rule in RULES]
    assert len(set(said)) == len(said) > 50


def test_every_table_of_hospitals_shows_some_rule() -> None:
    shown = {each.partition("[")[0] for rule in RULES for each in rule["shown"] if "[" in each}
    assert shown == set(HOSPITALS)
