"""`mainstem check`: a site before its first run."""

import typer

from mainstem.commands.terminal import AsJson, SitePath, print_json, stdout, styled

group = typer.Typer()


@group.command(epilog="Example: mainstem check north --json")
def check(site: SitePath, as_json: AsJson = False) -> None:
    """Prove that a site can be read before its first run: server, log-in, one page of each type.

    Exit code 78 or 75 where a run would stop, 3 where it would leave gaps.
    """
    from dataclasses import asdict

    from connectors.pulling import Source
    from mainstem.check import check_site
    from mainstem.check.finding import alike, exit_code
    from mainstem.config.logs import configure_once
    from mainstem.config.site_files import file_secrets, read_site

    configure_once()
    file = read_site(site)
    findings = check_site(Source(site=file.site, folder=file.folder, secrets=file_secrets(file.folder)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        console = stdout()
        for names, told in alike(findings):
            mark = ("ok  ", "green") if told.ok else ("fail", "red")
            console.print(styled(mark, f" {', '.join(names)}: {told.what}"))
            if not told.ok:
                console.print(styled(("     fix:", "bold green"), f" {told.fix} ({told.who})"))
    if code := exit_code(findings):
        raise typer.Exit(code)
