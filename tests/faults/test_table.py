"""The table of faults is whole, each row names tests that exist, and the page shows it."""

import shlex
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

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
