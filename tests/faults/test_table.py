"""The table of faults is whole, each row names tests that exist, and the page shows it."""

import shlex
from importlib.util import module_from_spec, spec_from_file_location
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
spec = spec_from_file_location("faults_main", Path(__file__).with_name("__main__.py"))
assert spec is not None
assert spec.loader is not None
faults = module_from_spec(spec)
spec.loader.exec_module(faults)


def test_there_are_twenty_six_rows() -> None:
    assert len(faults.rows()) == 26


@pytest.mark.parametrize("words", [words for row in faults.rows() for words in row["tests"]])
def test_what_a_row_names_is_there(words: str) -> None:
    place, *more = shlex.split(words)
    file, _, name = place.partition("::")
    text = (TESTS / file).read_text(encoding="utf-8")
    assert f"def {name}" in text
    if more:
        wanted = more[1].replace(" or ", " ").split()
        assert all(each in text for each in wanted), words


def test_the_page_shows_the_table() -> None:
    """`python tests/faults --page` writes it."""
    assert faults.PAGE.read_text(encoding="utf-8") == faults.page()


def test_a_test_that_several_rows_name_runs_once_and_counts_in_each() -> None:
    """In the rows' order; a row is told when its last test has ended, and fell where one of them failed."""
    told = StringIO()
    tests = ["consumer/test_poison.py -k 'poison or letter'", "consumer/test_poison.py::test_poison_is_known"]
    first, second = (faults.Row(number, {"fault": "poison", "tests": tests[:number]}) for number in (1, 2))
    plugin = faults.Faults([first, second], told)
    names = ("test_table", "test_poison_is_known[no id]", "test_letter_too_large[apache]")
    items: list[Any] = [
        SimpleNamespace(path=TESTS / "consumer/test_poison.py", name=name, nodeid=f"poison::{name}") for name in names
    ]
    plugin.pytest_collection_modifyitems(items)
    assert [item.name for item in items] == [*names[1:]]
    for item, outcome in zip(items, ("passed", "failed"), strict=True):
        report = SimpleNamespace(nodeid=item.nodeid, when="call", duration=2.0, longreprtext="it fell", skipped=False)
        report.passed, report.failed = outcome == "passed", outcome == "failed"
        plugin.pytest_runtest_logreport(report)
        plugin.pytest_runtest_logfinish(item.nodeid)
    assert [" ".join(line.split()) for line in told.getvalue().splitlines()] == [
        f"{number} FELL 1 passed 1 failed 0 skipped 4 s poison" for number in (1, 2)
    ]
    assert not first.held
