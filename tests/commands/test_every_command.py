"""What holds of every command, walked over the tree of them: examples that are understood, one name for one thing, JSON, sites."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from screens import Said

from mainstem.commands import app
from mainstem.commands.naming import site_names

Command = tuple[str, Any]


def walked(command: Any, words: tuple[str, ...] = ()) -> Iterator[Command]:
    """Each command, and each group that does something by itself."""
    below = getattr(command, "commands", {})
    if not below or command.invoke_without_command:
        yield " ".join(words), command
    for name in sorted(below):
        yield from walked(below[name], (*words, name))


COMMANDS = dict(walked(typer.main.get_command(app)))
each_command = pytest.mark.parametrize("words", COMMANDS)


def examples(epilog: str) -> list[str]:
    """The commands of an epilog, without what a shell or a person does with them."""
    found = re.split(r"(?=\bmainstem )", epilog)
    return [
        re.split(r"[;,|<>]|\. |&&|\.$", each)[0].replace("…", "").strip()
        for each in found
        if each.startswith("mainstem ")
    ]


@each_command
def test_a_command_shows_examples_of_itself_that_are_understood(words: str) -> None:
    """Below its options; each word and option of them is one that it takes."""
    shown = examples(COMMANDS[words].epilog or "")
    assert any(each.startswith(f"mainstem {words}".rstrip()) for each in shown), words
    for example in shown:
        _taken(shlex.split(example)[1:])


def _taken(given: list[str]) -> None:
    name = ""
    while given and any(
        each == f"{name} {given[0]}".strip() or each.startswith(f"{name} {given[0]} ".lstrip()) for each in COMMANDS
    ):
        name = f"{name} {given.pop(0)}".strip()
    command = COMMANDS[name]
    context = command.context_class(command, info_name=name)
    options, left, _ = command.make_parser(context).parse_args(given)
    assert not left or (len(left) == 1 and command._as_option is not None), (name, left)
    for each in command.params:
        assert not each.required or options.get(each.name) is not None or command._as_option is each, (name, each.name)


WORDS_ALONE = {
    "consent tell", "db upgrade", "deletes release", "demo", "demo day-two", "demo network", "dlq drop", "dlq retry",
    "extract", "feedback", "feedback plan", "feedback report", "feedback run", "gaps accept", "home", "measures explain",
    "measures set-aside", "measures show", "measures take-back", "publish", "registry erase", "registry rebuild", "registry run",
    "registry serve", "registry tokens new", "registry tokens revoke", "restore", "schemas", "sites dags", "sites new", "sites packet",
    "sites validate", "subjects alias", "subjects moved", "subjects tokens", "topics allow", "topics create", "version",
}  # fmt: skip
"""They do something, or write files or pages, and say so in a line or in sentences: there is no table to be read by a program."""
IN_A_FORM = {
    "dlq show": "JSON", "feedback pull": "NDJSON", "keys jwks": "JSON", "keys new": "JSON", "map": "JSON lines",
    "metrics": "Prometheus's text", "sites pools": "JSON", "sites schema": "JSON",
}  # fmt: skip
"""What they print is for programs, always."""


def test_what_prints_a_table_prints_json_too() -> None:
    """A new command takes --json, or says by a line above that it prints none."""
    without = {words for words, command in COMMANDS.items() if "--json" not in options_of(command)}
    assert without == WORDS_ALONE | IN_A_FORM.keys()


def options_of(command: Any) -> dict[str, Any]:
    """By every name."""
    return {name: each for each in command.params for name in each.opts if name.startswith("--")}


TWO_KINDS = {"--csv": "a file's place where lists are written, the form of the answer where a series is judged"}
OTHER_FORM = {
    "--site": "several, for a token",
    "--type": "several, for a replay and for a token",
    "--registry": "a switch where the registry's setting says which, an address for the demo",
    "--group": "several topics of groups; a FHIR Group",
    "--loads": "a switch for `tail`, a number for the trend",
    "--subjects": "a switch for `tail`, a place of a file",
    "--dates": "", "--port": "NAME=NUMBER for the demo's parts",
}  # fmt: skip


def test_one_option_name_is_one_kind_of_option() -> None:
    """A switch nowhere takes a value elsewhere, but for those that are named here with why."""
    kinds: dict[str, set[tuple[bool, bool]]] = {}
    for command in COMMANDS.values():
        for name, option in options_of(command).items():
            kinds.setdefault(name, set()).add((option.is_flag, option.multiple))
    assert {name for name, found in kinds.items() if len(found) > 1} <= TWO_KINDS.keys() | OTHER_FORM.keys()


OF_A_SITE = [
    words
    for words, command in COMMANDS.items()
    if any(each.name == "site" for each in command.params) and words != "registry tokens new"
]


@pytest.mark.parametrize("words", OF_A_SITE)
def test_a_site_is_named_by_site_everywhere_and_completed(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--site is taken by each command that is about a site; a shell knows the names there are."""
    (tmp_path / "north.toml").touch()
    monkeypatch.setenv("MAINSTEM_SITES", str(tmp_path))
    command = COMMANDS[words]
    context = command.context_class(command, info_name=words)
    taken = [each for each in command.get_params(context) if "--site" in each.opts]
    assert len(taken) == 1
    asked = [*taken, *(each for each in command.params if each.name == "site")]
    assert {item.value for each in asked for item in each.shell_complete(context, "no")} == {"north"}


def test_names_are_completed_by_how_they_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("north", "nancy", "south"):
        (tmp_path / f"{name}.toml").touch()
    monkeypatch.setenv("MAINSTEM_SITES", str(tmp_path))
    assert (site_names("n"), site_names("")) == (["nancy", "north"], ["nancy", "north", "south"])


@pytest.mark.parametrize(
    "words",
    [
        ("check", "nroth"),
        ("run", "--site", "nroth"),
        ("run", "--site=nroth", "--full"),
        ("publish", "nroth"),
        ("status", "nroth"),
        ("status", "--site", "nroth"),
        ("gaps", "list", "nroth"),
        ("gaps", "accept", "--site", "nroth", "Patient", "--reason", "none"),
        ("deletes", "list", "--site", "nroth"),
        ("report", "nroth"),
        ("codes", "unmapped", "nroth"),
        ("quarantine", "list", "--site", "nroth"),
        ("remap", "nroth"),
        ("trace", "--source", "Observation/1", "--site", "nroth"),
        ("map", "--site", "nroth", "."),
        ("sites", "packet", "--site", "nroth"),
    ],
)  # fmt: skip
def test_either_way_an_unknown_site_is_refused_with_what_there_is(
    screen: Said, north_alone: Path, words: tuple[str, ...]
) -> None:
    code, _, err = screen(*words)
    assert (code, "nroth" in err) == (78, True), err
    assert "Sites there are: north." in err or f"{north_alone}/nroth.toml" in err, err


@pytest.fixture
def north_alone(tmp_path: Path) -> Path:
    """A folder of one site."""
    folder = tmp_path / "sites"
    folder.mkdir()
    (folder / "north.toml").touch()
    return folder


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("reconcile", "--site", "nroth"), "the state knows no site nroth"),
        (("replay", "nroth"), "the state knows no site nroth"),
        (("quality", "nroth"), "nroth"),
        (("audit", "show", "nroth"), "nothing was done at such a site"),
    ],
)
def test_a_site_that_the_state_does_not_know(screen: Said, words: tuple[str, ...], told: str) -> None:
    code, _, err = screen(*words)
    assert (code, told in err) == (78, True), err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("status", "north", "south"), "unexpected extra argument"),
        (("status", "north", "--site", "south"), "unexpected extra argument"),
        (("run", "north", "--site", "north"), "unexpected extra argument"),
        (("run", "--site"), "requires an argument"),
        (("run",), "Sites there are: north."),
        (("report",), "Sites there are: north."),
        (("resolve", "s-0", "north", "--site", "north", "--for", "care"), "unexpected extra argument"),
    ],
)
def test_a_site_that_is_named_twice_or_not_at_all(
    screen: Said, north_alone: Path, words: tuple[str, ...], told: str
) -> None:
    assert north_alone.is_dir()
    code, _, err = screen(*words)
    assert (code, told in err) == (2, True), err
