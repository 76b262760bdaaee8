"""The reference pages of the documentation site, made from what the product declares, whenever `make docs` builds it."""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from connectors.vendors import Vendor

TESTS = Path(__file__).parents[1] / "tests"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds them to the site (a hook of MkDocs)."""
    for name, page in PAGES.items():
        files.append(File.generated(config, f"{name}.md", content="\n".join(page()) + "\n"))
    return files


def _commands() -> Iterator[str]:
    import click
    from typer.main import get_command

    from mainstem.commands import app

    yield "# Command line\n\nEvery command takes `--help`, which shows examples. Errors go to standard error with their cause and their fix."

    def told(command: Any, path: str, above: Any) -> Iterator[str]:
        context = click.Context(command, info_name=path.rpartition(" ")[2], parent=above)
        if hasattr(command, "list_commands"):
            if above is not None:
                yield f"\n## {path}\n\n{_text(command.help)}"
            for name in command.list_commands(context):
                yield from told(command.get_command(context, name), f"{path} {name}", context)
            return
        yield f"\n{'##' if path.count(' ') == 1 else '###'} {path}\n\n{_text(command.help)}\n"
        rows = [_parameter(each, context) for each in command.params if not getattr(each, "hidden", False)]
        if rows := [row for row in rows if row[0] != "`--help`"]:
            yield from _table(("argument or option", "meaning"), rows)
        yield from _examples(command.epilog or "")

    yield from told(get_command(app), "mainstem", None)


def _parameter(parameter: Any, context: Any) -> tuple[str, str]:
    name, meaning = parameter.get_help_record(context) or (parameter.name, "")
    return f"`{name}`", meaning


def _examples(epilog: str) -> Iterator[str]:
    told = re.sub(r"^Examples?: ", "", " ".join(epilog.split()))
    if told:
        yield "\n```shell"
        yield from re.split(r"[.;,] (?=mainstem )", told)
        yield "```"


def _site_file() -> Iterator[str]:
    from schemas.sites import site_keys

    yield "# Site file\n\nOne TOML file a hospital, `sites/<site>.toml`. `mainstem sites new` writes it with comments; `mainstem sites keys` prints this table.\n"
    yield from _table(
        ("key", "default", "meaning"), ((f"`{key}`", f"`{default}`", meaning) for key, default, meaning in site_keys())
    )


def _settings() -> Iterator[str]:
    from mainstem.config.settings import Settings

    yield "# Settings\n\nVariables of the environment; `mainstem settings` shows their values.\n"
    rows = []
    for name, info in Settings.model_fields.items():
        default = info.get_default(call_default_factory=True)
        rows.append((f"`MAINSTEM_{name.upper()}`", "" if default is None else f"`{default}`", info.description or ""))
    yield from _table(("variable", "default", "meaning"), rows)


def _problems() -> Iterator[str]:
    from schemas.errors import ExitCode
    from schemas.gaps import GapCause
    from schemas.problems import Reason
    from schemas.runbooks import of_exit_code, of_gap, of_reason

    yield "# Gaps, reasons, exit codes\n\nEach code has a section: status, reports and the notes of runs lead here."
    yield "\n## Exit codes"
    for code in ExitCode:
        yield from _section(str(code.value), of_exit_code(code), code.meaning)
    yield "\n## Gaps: why a type of a site is not whole\n\n`mainstem gaps retry` reads it again; that is always safe."
    for gap in GapCause:
        yield from _section(f"`{gap.value}`", of_gap(gap), gap.meaning, gap.fix, gap.who)
    yield "\n## Reasons: why a resource gave no record"
    for reason in Reason:
        who = "nobody" if reason.expected else "whoever looks after the site's data"
        yield from _section(f"`{reason.value}`", of_reason(reason), reason.meaning, reason.fix, who)
    yield "\nFlags stand in the [catalogue of events](../events.md)."


def _section(title: str, place: str, meaning: str, fix: str = "", who: str = "") -> Iterator[str]:
    yield f"\n### {title} {{ #{place.partition('#')[2]} }}\n\n{_text(meaning)}"
    if fix:
        yield f"\n**What to do** ({who}): {_text(fix)}"


def _quality() -> Iterator[str]:
    from transforms.quality import shipped

    yield "# Quality checks\n\n`mainstem quality` judges a site's current records by them; exit code 3 where one fails.\n"
    rows = [
        (f"`{name}`", each.kind, each.what, f"{each.tolerated:.0%}", each.source, each.fix, each.who)
        for name, each in sorted(shipped().items())
    ]
    yield from _table(("check", "kind", "what is found", "tolerated", "source", "what to do", "who"), rows)


def _derived() -> Iterator[str]:
    from transforms.derive import shipped

    yield "# Derived values\n\nComputed at the site, of each person whom a load touched; `MAINSTEM_DERIVE` says which. `mainstem derive list` tells the same.\n"
    rows = [
        (f"`{each.key}`", f"{each.quantity}; {each.method}", each.unit or "", each.window, "; ".join(each.sources))
        for each in shipped()
    ]
    yield from _table(("value", "what", "unit", "window", "sources"), rows)


def _measures() -> Iterator[str]:
    from mainstem.commands.measures.own import own_measure, shown
    from services.measures.library import measures

    yield "# Measures\n\nThe network's own, each from the declaration that is evaluated; `mainstem measures list` names the published ones too."
    for name in sorted(measures()):
        measure = own_measure(name)
        lines = list(shown(measure)) if measure is not None else []
        yield f"\n## {lines[0]}\n\n{lines[1]}\n\n{lines[2]}\n\n```text"
        yield from lines[3:]
        yield "```"


def _vendors() -> Iterator[str]:
    from connectors.vendors import vendor, vendor_names

    yield "# Vendors\n\nWhat Mainstem does differently for each, and what a hospital's IT should know. The vendor is recognised by what"
    yield "its server says of itself; `fhir.vendor` in the site file overrides that. All of it comes from the vendors' documentation."
    for each in map(vendor, vendor_names()):
        yield f"\n## {each.title}\n"
        if each.advice:
            yield f"{each.advice}\n"
        yield f"**Where the public key goes:** {_cell(each.key_goes)}\n"
        yield from (f"- {line}" for line in _manners(each))


def _hospitals() -> Iterator[str]:
    rules = tomllib.loads((TESTS / "connectors" / "rules.toml").read_text(encoding="utf-8"))["rule"]
    yield "# How hospitals' servers behave\n\nWhat is known of them, and kept to. Each line is shown by tests, many of them by a hospital"
    yield "with just that quirk, read over two nights (`tests/connectors/rules.toml` names them)."
    for of, some in groupby(rules, key=lambda rule: rule["of"]):
        yield f"\n## {of[0].upper()}{of[1:]}\n"
        yield from _table(("what is kept to", "shown by"), ((each["says"], _shown(each["shown"])) for each in some))


def _shown(tests: list[str]) -> str:
    quirks = sum("[" in each for each in tests)
    found = [(quirks, "hospital"), (len(tests) - quirks, "story")]
    return ", ".join(
        f"{count} {'stories' if word == 'story' else f'{word}s'}" if count > 1 else f"1 {word}"
        for count, word in found
        if count
    )


def _manners(each: "Vendor") -> Iterator[str]:
    if not each.last_updated:
        yield "Searches do not honour `_lastUpdated`: every pull reads everything; only what changed is mapped and travels."
    for name, searches in each.fan_out.items():
        yield f"{name} is searched {len(searches)} times: by {', '.join('&'.join(f'{key}={value}' for key, value in one) for one in searches)}."
    for name, most in each.page_sizes.items():
        yield f"{name}: {most} a page at most."
    if each.group_most:
        yield f"A Group for an export should hold {each.group_most:,} patients at most."
    if each.not_exported:
        yield f"An export is not asked for {', '.join(sorted(each.not_exported))}."
    if each.one_filter_a_type:
        yield "An export takes one `_typeFilter` of each type at most."
    if each.by_read_alone:
        yield f"{', '.join(sorted(each.by_read_alone))}: what was combined with another comes by read alone."
    if each.quota_left or each.quota_used:
        yield "The day's quota of requests is watched."


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(_cell(each) for each in row)} |"


def _cell(text: str) -> str:
    """One line, nothing in it a mark of the table's or a tag of the page's."""
    plain = " ".join(str(text).split()).replace("|", "\\|")
    return re.sub(r"<(?=[a-zA-Z/])(?![^`]*`)", "&lt;", plain)


def _text(text: str | None) -> str:
    return _cell((text or "").replace("\b", ""))


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "explanation/hospitals": _hospitals,
    "how-to/vendors": _vendors,
    "reference/commands": _commands,
    "reference/site-file": _site_file,
    "reference/settings": _settings,
    "reference/problems": _problems,
    "reference/quality": _quality,
    "reference/derived": _derived,
    "reference/measures": _measures,
}
