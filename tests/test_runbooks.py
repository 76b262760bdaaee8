"""Every code that somebody meets at night leads to a page of the documentation that says what to do."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from schemas.errors import ExitCode
from schemas.gaps import GapCause
from schemas.problems import Reason
from schemas.runbooks import ALERTS, NIGHT, PROBLEMS, found_at, of_exit_code, of_gap, of_reason

REPOSITORY = Path(__file__).parents[1]
RULES = yaml.safe_load((REPOSITORY / "docker" / "monitoring" / "alerts.yml").read_text())["groups"][0]["rules"]
PLACES = [*map(of_gap, GapCause), *map(of_reason, Reason), *map(of_exit_code, ExitCode)]


def sections(text: str) -> set[str]:
    """The anchors of a page: given ones, and those that MkDocs makes of headings."""
    headings = re.findall(r"^#{2,3} (.+?)(?: \{ #(.+) \})?$", text, re.MULTILINE)
    return {given or heading.lower().replace(" ", "-") for heading, given in headings}


def generated() -> str:
    """The page of codes, as the documentation site has it."""
    pytest.importorskip("mkdocs", reason="`make docs` installs MkDocs")
    spec = importlib.util.spec_from_file_location("reference", REPOSITORY / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return "\n".join(module.PAGES[PROBLEMS]())


def test_each_gap_reason_and_exit_code_has_a_section_that_says_what_it_means() -> None:
    page = generated()
    assert len(set(PLACES)) == len(PLACES)
    assert {place.partition("#")[2] for place in PLACES} <= sections(page)
    for code in (*GapCause, *Reason):
        told = page.partition(f"### `{code.value}` {{")[2].partition("\n### ")[0]
        assert "**What to do**" in told, code


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_each_alert_leads_to_its_section_that_says_where_to_look_and_who_acts(rule: dict[str, dict[str, str]]) -> None:
    page, _, section = rule["annotations"]["runbook"].partition("#")
    text = (REPOSITORY / page).read_text()
    assert page == f"docs/{ALERTS}.md"
    assert section in sections(text)
    told = text.partition(f"## {rule['alert']}\n")[2].partition("\n## ")[0]
    assert "**Who**" in told
    assert "mainstem" in told
    assert rule["annotations"]["runbook_url"].endswith(f"/{ALERTS}/#{section}")


def test_no_alert_section_is_without_its_rule() -> None:
    text = (REPOSITORY / "docs" / f"{ALERTS}.md").read_text()
    assert sections(text) == {str(rule["alert"]).lower() for rule in RULES}


def test_a_place_is_an_address_where_the_documentation_is_served_else_a_file() -> None:
    assert found_at(of_gap("refused"), "") == "docs/reference/problems.md#gap-refused"
    assert found_at(NIGHT, "") == "docs/how-to/night.md"
    assert found_at(NIGHT, "https://docs.example/") == "https://docs.example/how-to/night/"
    assert found_at(of_exit_code(78), "https://docs.example") == "https://docs.example/reference/problems/#exit-78"
    assert found_at(NIGHT, "javascript:alert(1)") == "docs/how-to/night.md"
