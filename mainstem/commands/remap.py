"""`mainstem remap`: what was landed is mapped again, without asking the EHR."""

import typer

from mainstem.commands.run import print_report
from mainstem.commands.terminal import AsJson, SiteOption, open_site, print_json
from schemas.errors import ExitCode

group = typer.Typer()


@group.command(epilog="Example: mainstem remap --site sites/north.toml, after its code map changed")
def remap(site: SiteOption, as_json: AsJson = False) -> None:
    """Map again what the landing holds, after a change of code map, setting or version; only what differs is published.

    A load of its own, taken up again after a crash. What the landing holds no more is counted and named. Exit code 3
    where something stays as it was.
    """
    from mainstem.refresh import remap as remap_site

    with open_site(site, quiet=as_json) as refresh:
        report = remap_site(refresh)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        print_report(report)
    if report.notes:
        raise typer.Exit(ExitCode.ATTENTION)
