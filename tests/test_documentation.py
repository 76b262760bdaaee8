"""What the documentation tells people to type is understood, what it names exists, and its site builds."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from mainstem.commands import app
from mainstem.config.settings import Settings
from schemas.errors import ExitCode
from schemas.gaps import GapCause
from schemas.problems import Reason
from schemas.runbooks import NIGHT, PROBLEMS, found_at, of_exit_code, of_gap, of_reason
from schemas.sites import site_keys

REPOSITORY = Path(__file__).parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
ALERT_RULES, SERVED = REPOSITORY / "docker" / "monitoring" / "alerts.yml", "https://docs.example"
COMMANDS = re.compile(r"^ {4,}(mainstem .+)$|`(mainstem [^`]+)`", re.MULTILINE)


def commands() -> Iterator[str]:
    """Each command shown, without what a shell makes of it and without its comment."""
    found = {a or b for page in PAGES for a, b in COMMANDS.findall(page.read_text(encoding="utf-8"))}
    for command in sorted(found):
        yield re.split(r" [|>#] ?|,? then |…", command)[0].strip()


@pytest.mark.parametrize("command", dict.fromkeys(commands()))
def test_a_command_that_is_shown_is_understood(command: str) -> None:
    """Its words lead to a command; where it is shown with arguments, that command takes them all."""
    asked: object = get_command(app)
    words = shlex.split(command)[1:]
    shown_whole = False
    while words and words[0] in getattr(asked, "commands", {}):
        asked, shown_whole = asked.commands[words.pop(0)], True  # type: ignore[attr-defined]
    assert shown_whole or words == ["--help"], command
    for option in [word for word in words if word.startswith("-") and word != "--help"]:
        assert any(option in each.opts + each.secondary_opts for each in asked.params), f"{command}: {option}"  # type: ignore[attr-defined]
    most = [each for each in asked.params if each.param_type_name == "argument"]  # type: ignore[attr-defined]
    if not most and not getattr(asked, "commands", None):
        assert not words or words[0].startswith("-"), f"{command}: takes no argument"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_and_targets_that_are_named_exist(page: Path) -> None:
    """`MAINSTEM_…`, `make …` and the keys of a site file."""
    text = page.read_text(encoding="utf-8")
    ours = {f"MAINSTEM_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"MAINSTEM_[A-Z_]+[A-Z]", text)) <= ours
    targets = set(re.findall(r"^([a-z][a-z-]*):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)|^ {4}make ([a-z-]+)", text, re.MULTILINE)) <= {
        pair for name in targets for pair in ((name, ""), ("", name))
    }
    keys = {key for key, _, _ in site_keys()}
    assert set(re.findall(r"`((?:fhir|files|cohort|limits)\.[a-z_.]+)`", text)) <= keys | {"fhir.resources"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a warning fails it."""
    pytest.importorskip("mkdocs", reason="`make docs` installs MkDocs")
    site = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    done = subprocess.run(build, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return site


@pytest.mark.slow
def test_the_site_builds_and_no_link_leads_nowhere(built: Path) -> None:
    """Every page of the reference, made from the declarations, holds what it is for."""
    for page, told in {
        "commands": "mainstem topics create",
        "site-file": "fhir.auth.method",
        "settings": "MAINSTEM_KAFKA",
        "problems": "short-of-count",
        "quality": "duplicates",
        "derived": "bmi",
        "measures": "CF-2",
    }.items():
        assert told in (built / "reference" / page / "index.html").read_text(encoding="utf-8"), page


def led_to() -> Iterator[str]:
    """Addresses below the documentation's that alerts, run notes, DAGs, `status` and reports send people to."""
    for group in yaml.safe_load(ALERT_RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["annotations"]["runbook_url"].replace("{{ $externalLabels.docs }}", SERVED)
    for place in (NIGHT, PROBLEMS, *map(of_gap, GapCause), *map(of_reason, Reason), *map(of_exit_code, ExitCode)):
        yield found_at(place, SERVED)


@pytest.mark.slow
def test_what_alerts_and_codes_lead_to_is_there_in_the_built_site(built: Path) -> None:
    """Page and section, as a browser asks for them."""
    astray = []
    for address in led_to():
        page, _, section = address.removeprefix(f"{SERVED}/").partition("#")
        html = built / page / "index.html"
        if not html.is_file() or (section and f' id="{section}"' not in html.read_text(encoding="utf-8")):
            astray.append(address)
    assert astray == []
