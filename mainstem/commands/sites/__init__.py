"""`mainstem sites`: site files and what is made from them."""

from pathlib import Path
from typing import Annotated

import typer

from mainstem.commands.terminal import AsJson, SitePath, bare, plain_table, print_json, read_settings, say, stdout, tell
from schemas.errors import OperatorError

SitesFolder = Annotated[
    Path | None,
    typer.Argument(
        metavar="FOLDER", help="Folder of the site files; MAINSTEM_SITES or sites where absent.", show_default=False
    ),
]
group = typer.Typer(name="sites", help="Site files and what is made from them.", no_args_is_help=True)


@group.command(
    "new",
    epilog="Examples: mainstem sites new. mainstem sites new north --folder /data/export --time-zone America/New_York. "
    "mainstem sites new south --base-url https://fhir.south.example/r4",
)
def new(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Short name of the site: lower case, digits, hyphens; asked where absent."),
    ] = "",
    base_url: Annotated[str | None, typer.Option(help="FHIR base URL of the site's server.")] = None,
    folder: Annotated[
        str | None, typer.Option(help="Folder of NDJSON files, where there is no server to read.")
    ] = None,
    hospital: Annotated[str, typer.Option(help="The hospital's name.")] = "",
    vendor: Annotated[
        str, typer.Option(help="The EHR's vendor, as `fhir.vendor`; told by the server where absent.")
    ] = "",
    cohort: Annotated[
        str, typer.Option("--group", help="id of the FHIR Group that is read; all patients where absent.")
    ] = "",
    patients: Annotated[
        Path | None,
        typer.Option(
            help="File of the patients that are read: a line each, FHIR id or system|value.", show_default=False
        ),
    ] = None,
    search: Annotated[
        str, typer.Option(help="Search that finds the patients that are read: Condition?code=system|code.")
    ] = "",
    time_zone: Annotated[str, typer.Option(help="IANA time zone of the site; this machine's where absent.")] = "",
    client_id: Annotated[str, typer.Option(help="Client id that the EHR's vendor gave; none: no log-in yet.")] = "",
    private_key: Annotated[
        Path | None,
        typer.Option(
            help="File of the client's private key; that of `mainstem keys new` where absent.", show_default=False
        ),
    ] = None,
    scope: Annotated[
        str, typer.Option(help="OAuth scopes; of each type where absent. Exports often want system/*.read.")
    ] = "",
    secret: Annotated[str, typer.Option(help="Place of the client's secret, where it has no key: env:NAME.")] = "",
    to: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; MAINSTEM_SITES or sites where absent.", show_default=False),
    ] = None,
    dags: Annotated[Path, typer.Option(help="Airflow's DAG folder; stubs are written where it is there.")] = Path(
        "dags"
    ),
) -> None:
    """Write a site file, its pseudonym key, its DAG stubs where there is a dags folder, and a page for the EHR's administrator.

    On a terminal what was not given is asked for; the server is looked at before anything is written.
    """
    from mainstem.commands.sites.wizard import asked, finish
    from mainstem.config.new_site import Wanted

    words = (name, hospital, base_url or "", vendor, cohort, time_zone, search, client_id, scope, secret)
    name, hospital, address, vendor, cohort, time_zone, search, client_id, scope, secret = map(bare, words)
    whose = (cohort, time_zone, patients, search)
    wanted = Wanted(name, hospital, address, _delivered(folder), vendor, *whose, client_id, private_key, scope, secret)
    where = to or _folder()
    finish(asked(wanted, where), where, dags)


@group.command("list", epilog="Example: mainstem sites list --json")
def list_sites(folder: SitesFolder = None, as_json: AsJson = False) -> None:
    """List the sites: name, hospital, road, where they are read from, schedule; and what is wrong with a file."""
    from mainstem.config.site_files import site_paths, try_site

    rows = [try_site(path) for path in site_paths(folder or _folder())]
    if as_json:
        print_json(rows)
        return
    table = plain_table("site", "hospital", "road", "read from", "schedule")
    for row in rows:
        table.add_row(row["site"], row["name"] or row["fault"], row["road"], row["source"], row["schedule"])
    stdout().print(table)


@group.command("validate", epilog="Example: mainstem sites validate && git commit")
def validate(folder: SitesFolder = None) -> None:
    """Prove every site file: keys, names, no two with one `site` or one subject key. Exit code 78 with what is wrong."""
    from mainstem.config.dag_stubs import faults
    from mainstem.config.site_files import read_sites, require_own_key

    where = folder or _folder()
    if broken := faults(where):
        raise OperatorError(broken, "Correct the files; `mainstem sites keys` lists every key.")
    found = read_sites(where)
    for file in found:
        require_own_key(file)
    say(f"{len(found)} site files are valid")


@group.command("schema", epilog="Example: mainstem sites schema > site.schema.json")
def schema() -> None:
    """Print the JSON Schema of a site file, for an editor that completes and checks TOML."""
    from schemas.sites import Site

    print_json(Site.model_json_schema())


@group.command("packet", epilog="Example: mainstem sites packet north --to north-packet")
def packet(
    site: SitePath,
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("packet"),
    check: Annotated[bool, typer.Option("--check/--no-check", help="Read the site first, for what it fills.")] = True,
) -> None:
    """Write what goes to whom: the EHR's administrator, the firewall team, the privacy officer, the clinical lead.

    From the site file, the field policy and the check; text and HTML; no secret, no patient data.
    """
    from connectors.pulling import Source
    from mainstem.check import check_site
    from mainstem.commands.sites.packet import write_packet
    from mainstem.config.site_files import file_secrets, read_site, require_own_key

    settings, file = read_settings(), read_site(site)
    require_own_key(file)
    source = Source(site=file.site, folder=file.folder, secrets=file_secrets(file.folder), notice=tell)
    write_packet(file, settings, check_site(source, closer=True) if check else [], to)


def _delivered(folder: str | None) -> Path | None:
    """The folder that is given. Raises OperatorError for one without a name: a variable of the shell that is empty, as a rule."""
    if folder is None:
        return None
    if not bare(folder):
        raise OperatorError("--folder is empty", "Name the folder in which the site's files lie.")
    return Path(bare(folder).removeprefix("file://")).expanduser()


def _folder() -> Path:
    from mainstem.config.settings import load_settings

    return load_settings().sites


@group.command("keys", epilog="Example: mainstem sites keys")
def keys(as_json: AsJson = False) -> None:
    """List every key a site file can have."""
    from schemas.sites import site_keys

    rows = site_keys()
    if as_json:
        print_json([dict(zip(("key", "default", "meaning"), row, strict=True)) for row in rows])
        return
    table = plain_table("Key", "Default", "Meaning")
    for row in rows:
        table.add_row(*row)
    stdout().print(table)


@group.command("dags", epilog="Example: mainstem sites dags --to /opt/airflow/dags")
def dags(
    folder: SitesFolder = None,
    to: Annotated[Path, typer.Option(help="Airflow's DAG folder.")] = Path("dags"),
) -> None:
    """Write each site's DAG stub, and remove those of sites that are gone."""
    from mainstem.config.dag_stubs import faults, write_stubs

    where = folder or _folder()
    for line in write_stubs(where, to):
        say(line)
    if broken := faults(where):
        raise OperatorError(broken, "Correct the file; until then its DAG fails at once and says so.")


@group.command("pools", epilog="Example: mainstem sites pools --to pools.json, then airflow pools import pools.json")
def pools(
    folder: SitesFolder = None,
    at_once: Annotated[
        int,
        typer.Option(
            min=1,
            envvar="AIRFLOW__CORE__PARALLELISM",
            help="Tasks that Airflow runs at once, its core.parallelism; a site gets half at most.",
        ),
    ] = 32,
    to: Annotated[Path | None, typer.Option(help="File to write; printed where absent.", show_default=False)] = None,
) -> None:
    """Tell each site's Airflow pool, as Airflow imports them: how many tasks run at once that work for it.

    A site's first run makes its pool, where there is none; this one brings them to what the site files say now.
    """
    import json

    from mainstem.commands.terminal import write_file
    from mainstem.config.pools import pools as declared

    told = declared(folder or _folder(), at_once)
    if to is None:
        print_json(told)
        return
    write_file(to, json.dumps(told, indent=2) + "\n")
    say(f"next: airflow pools import {to}")
