"""SECURITY.md names tests that exist, and every test of an attack stands in it."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "SECURITY.md").read_text()


def test_every_line_of_the_table_names_a_test_that_exists() -> None:
    """A renamed file would leave a claim that nothing holds."""
    named = set(re.findall(r"\| ([\w/]+\.py) \|", PAGE))
    assert len(named) > 15
    assert [name for name in sorted(named) if not (TESTS / name).exists()] == []


def test_every_test_of_an_attack_stands_in_the_table() -> None:
    """What was tried is told."""
    files = {f"security/{path.name}" for path in Path(__file__).parent.glob("test_*.py")} - {
        "security/test_the_page.py"
    }
    assert [name for name in sorted(files) if name not in PAGE] == []
