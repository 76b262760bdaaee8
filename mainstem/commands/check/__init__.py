"""`mainstem check`: a site before its first run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.naming import site_names
from mainstem.commands.terminal import AsJson, print_json, read_settings, site_path, stdout, styled, tell

if TYPE_CHECKING:
    from mainstem.check import Finding

group = typer.Typer()


@group.command(epilog="Examples: mainstem check north --html north-check.html; mainstem check kafka")
def check(
    site: Annotated[
        str,
        typer.Argument(
            metavar="SITE",
            help="The site's TOML file, its name, or the word kafka: the brokers.",
            show_default=False,
            autocompletion=lambda incomplete: [
                *site_names(incomplete),
                *(["kafka"] if "kafka".startswith(incomplete) else []),
            ],
        ),
    ],
    html: Annotated[Path | None, typer.Option("--html", help="Write a page to mail here.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that a site can be read before its first run, and say what will come: server, log-in, a page of each type, a sample mapped.

    Of `kafka`: whether the brokers can be used, TCP, TLS, host name, authority, SASL, rights and topics each on its own.
    Each finding says what to do and who can do it. No patient data. Exit code 78 or 75 where a run would stop, 3 where
    something would be missing.
    """
    from dataclasses import asdict

    from connectors.pulling import Source
    from mainstem.check import check_site
    from mainstem.check.finding import exit_code
    from mainstem.config.logs import configure_once
    from mainstem.config.settings import load_settings
    from mainstem.config.site_files import file_secrets, read_site, require_own_key

    configure_once()
    if site == "kafka":
        asked, findings = "Can the brokers be used?", _brokers()
    else:
        file = read_site(site_path(site, load_settings()))
        require_own_key(file)
        source = Source(site=file.site, folder=file.folder, secrets=file_secrets(file.folder), notice=tell)
        asked, findings = f"Can {file.site.name} be read?", check_site(source, closer=True)
    if html is not None:
        from mainstem.commands.check.page import write_page

        write_page(html, asked, findings)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    elif html is None:
        print_findings(findings)
    if code := exit_code(findings):
        raise typer.Exit(code)


def _brokers() -> "list[Finding]":
    from mainstem.check.kafka import check_kafka
    from schemas.channels import PARTITIONS, REPLICATION

    settings = read_settings()
    return check_kafka(settings.kafka_settings(), settings.network, partitions=PARTITIONS, replication=REPLICATION)


def print_findings(findings: "Sequence[Finding]") -> None:
    """A line a finding, what is told alike once."""
    from mainstem.check.finding import alike

    console = stdout()
    for names, told in alike(findings):
        mark = ("ok  ", "green") if told.ok else ("fail", "red")
        console.print(styled(mark, f" {', '.join(names)}: {told.what}"), soft_wrap=not console.is_terminal)
        if not told.ok:
            console.print(
                styled(("     fix:", "bold green"), f" {told.fix} ({told.who})"), soft_wrap=not console.is_terminal
            )
