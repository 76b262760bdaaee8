"""`mainstem quality`: what a site's records are worth: checks of one load and between loads, with what to do and who."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import (
    AsJson,
    OnlySite,
    opened_state,
    print_json,
    progress_bars,
    read_settings,
    say,
    stdout,
    styled,
    write_file,
)
from schemas.errors import ExitCode

if TYPE_CHECKING:
    from rich.text import Text

group = typer.Typer()
_STYLES = {"failed": "bold red", "noted": "yellow", "passed": "green", "not-applicable": "dim"}


@group.command(epilog="Example: mainstem quality --site north --html quality.html")
def quality(
    site: OnlySite = None,
    across: Annotated[
        bool,
        typer.Option("--across", help="Compare all sites of the registry (`MAINSTEM_REGISTRY_URL`) with one another."),
    ] = False,
    as_json: AsJson = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Also write a page that needs nothing else; it stays at the site.", show_default=False),
    ] = None,
    findings: Annotated[
        Path | None,
        typer.Option(help="Also write each record that is found, as CSV: check, of, record.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show what passed and what does not apply, too.")] = False,
) -> None:
    """Judge a site's current records: conformance, completeness, plausibility. Exit code 3 when a check fails.

    All records are read. What is counted is kept with the load: the next judgement is compared with it. With `--across` the
    sites of the registry are compared instead: what one has far otherwise than its peers, the three most worth a call first.
    """
    if across == (site is not None):
        raise typer.BadParameter("name a site, or compare them: --site or --across")
    if site is None:
        from mainstem.commands.quality.across import tell_across

        tell_across(as_json=as_json, html=html, every=every)
        return
    from mainstem.commands.quality.told import findings_to, told_of
    from mainstem.refresh.quality import judge_site

    now = datetime.now(UTC)
    with (
        opened_state(read_settings().database_url) as store,
        progress_bars(quiet=as_json) as progress,
        findings_to(findings) as sink,
    ):
        load, judged = judge_site(store, site, now, progress, sink)
    told = told_of(site, load, now, judged)
    if html is not None:
        from mainstem.commands.quality.page import page_of

        write_file(html, page_of(told))
    if as_json:
        print_json(told)
    else:
        _print(told, every=every)
    if told["status"] == "failed":
        raise typer.Exit(ExitCode.ATTENTION)


def _print(told: "dict[str, object]", *, every: bool) -> None:
    from mainstem.commands.quality.told import in_words, shown_checks

    say(in_words(told))
    console = stdout()
    for check in shown_checks(told, every=every):
        status = check["status"]
        console.print(
            styled((f"{status:14}", _STYLES[status]), (f" {check['id']}", "bold"), f": {check['what']}"), soft_wrap=True
        )
        for line in check["lines"]:
            if every or line["found"]:
                console.print(_line(line), soft_wrap=True)
        if status == "failed":
            console.print(styled(("      fix:", "bold green"), f" {check['fix']} ({check['who']})"), soft_wrap=True)


def _line(line: "dict[str, object]") -> "Text":
    from mainstem.commands.quality.told import figures

    status = str(line["status"])
    return styled("      ", (f"{line['of']}", _STYLES[status]), f": {figures(line)}")
