"""Each message of the catalogue has a test that has its words."""

import re
from functools import cache
from pathlib import Path

import pytest

from mainstem.commands.messages.catalogue import FILLED, Message, catalogue

pytestmark = pytest.mark.slow  # the code of all rooms and of all tests is read
TESTS = Path(__file__).parents[1]
NOT_COUNTED = (Path(__file__).name, "test_messages.py")
RUN = 3
"""So many words in a row tell a message: fewer where it has no more between what is filled in."""
CLOSED_LISTS = ("schemas/gaps.py", "schemas/problems.py", "schemas/flags.py", "transforms/quality")
"""Told by their names, which tests compare: as they are, or by the name of the enumeration's member."""
DATA = (".py", ".json", ".ndjson", ".csv", ".txt", ".md", ".toml")
LARGEST = 400_000


@cache
def words_of_tests() -> tuple[frozenset[tuple[str, ...]], frozenset[str]]:
    """Runs of words in what tests say, and every name there."""
    runs, names = set[tuple[str, ...]](), set[str]()
    for path in TESTS.rglob("*"):
        if path.suffix in DATA and path.name not in NOT_COUNTED and path.stat().st_size < LARGEST:
            text = path.read_text(encoding="utf-8", errors="replace")
            names.update(each.rstrip(":.]") for each in re.findall(r"[\w][\w:.\[\]<>-]*", text))
            if path.suffix == ".py":
                words = _words(text)
                for length in range(1, RUN + 1):
                    runs.update(zip(*(words[start:] for start in range(length)), strict=False))
    return frozenset(runs), frozenset(names)


def _words(text: str) -> list[str]:
    return [word for each in WORD.findall(text) if (word := each.strip(".:|“”"))]


WORD = re.compile(r"[^\s\"'`()\[\]{},;]+")


def _is_met(message: Message) -> bool:
    runs, names = words_of_tests()
    if message.where in CLOSED_LISTS:
        return _is_named(message.cause.partition(": ")[0], names)
    parts = [_words(part) for way in message.cause.split(" / ") for part in way.split(FILLED)]
    length = min(RUN, max(map(len, parts), default=0))
    return any(tuple(part[start : start + length]) in runs for part in parts for start in range(len(part) - length + 1))


def _is_named(name: str, names: frozenset[str]) -> bool:
    if "<" in name:
        form = re.compile(re.sub(r"<\w+>", r".+", name))
        return any(map(form.fullmatch, names))
    forms = {name, name.removeprefix("implausible-"), name.removeprefix("several:")}
    return bool(forms & names) or any(each.endswith(name.upper().replace("-", "_")) for each in names)


def test_each_message_has_a_test() -> None:
    """A new message without a test is told here, with its place."""
    assert [f"{each.where}: {each.cause}" for each in catalogue() if not _is_met(each)] == []


@pytest.mark.parametrize("words", ["", "aaaa bbbb cccc", "no such"])
def test_words_that_no_test_says_are_no_test(words: str) -> None:
    """The rule can fail."""
    message = Message(f"{FILLED}: {words} qqqq xxxx", "Do it.", "network", catalogue()[0].exit_code, "here.py")
    assert not _is_met(message)
