"""`mainstem check`: a site before its first run."""

import typer

from mainstem.commands.terminal import AsJson, SitePath, print_json, stdout, styled

group = typer.Typer()


@group.command(epilog="Example: mainstem check sites/north.toml --json")
def check(site: SitePath, as_json: AsJson = False) -> None:
    """Prove that a site can be read before its first run: server, log-in, one page of each type."""
    from dataclasses import asdict

    from connectors.pulling import Source
    from mainstem.check import check_site
    from mainstem.config.site_files import file_secrets, read_site

    file = read_site(site)
    findings = check_site(Source(site=file.site, folder=file.folder, secrets=file_secrets(file.folder)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        console = stdout()
        for finding in findings:
            mark = ("ok  ", "green") if finding.ok else ("fail", "red")
            console.print(styled(mark, f" {finding.name}: {finding.what}"))
            if not finding.ok:
                console.print(f"       {finding.who}: {finding.fix}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
