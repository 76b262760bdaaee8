"""The `mainstem` command. Rooms are imported inside the commands, so that `--help` answers at once."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schemas.errors import MainstemError

if TYPE_CHECKING:
    from rich.console import Console

    from mainstem.config.settings import Settings
    from mainstem.refresh import Mode, Progress, Report

app = typer.Typer(
    name="mainstem",
    help="Outcome events for Learning Health Networks: FHIR from every site's EHR, one outcome data model, one Kafka stream.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich help pages would cost 0.5 s a start
    epilog="First steps: mainstem sites new north, mainstem check sites/north.toml, "
    "mainstem run sites/north.toml. Parts are found by MAINSTEM_* variables; see mainstem settings.",
)
topics_app = typer.Typer(help="The network's Kafka topics.", no_args_is_help=True)
sites_app = typer.Typer(help="Site files and what is made from them.", no_args_is_help=True)
registry_app = typer.Typer(help="The reference registry: events into relational tables.", no_args_is_help=True)
demo_app = typer.Typer(help="A network of three hospitals on this machine.", invoke_without_command=True)
for name, child in (("topics", topics_app), ("sites", sites_app), ("registry", registry_app), ("demo", demo_app)):
    app.add_typer(child, name=name)

SitePath = Annotated[Path, typer.Argument(metavar="SITE", help="The site's TOML file.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]


def main() -> None:
    """Runs the command; an error of ours is printed as its cause and its fix, without a traceback."""
    try:
        app()
    except MainstemError as exc:
        _print_error(exc)
        sys.exit(exc.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def _print_error(exc: MainstemError) -> None:
    from rich.markup import escape

    console = _stderr()
    console.print(f"[bold red]error:[/] {escape(exc.cause)}", soft_wrap=True, highlight=False)
    if exc.fix:
        console.print(f"[bold green]  fix:[/] {escape(exc.fix)}", soft_wrap=True, highlight=False)


def _stderr() -> "Console":
    from rich.console import Console

    return Console(stderr=True)


def _stdout() -> "Console":
    from rich.console import Console

    return Console()


def _print_json(value: Any) -> None:
    import json

    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def _settings(**given: object) -> "Settings":
    """The environment, for a command that reaches database or broker; such commands log, so logs are set up."""
    from mainstem.config.logs import configure_once
    from mainstem.config.settings import load_settings

    configure_once()
    return load_settings(**given)


@app.callback()
def _configure(
    log_format: Annotated[
        str, typer.Option("--log", envvar="MAINSTEM_LOG", help="Log on standard error: none, text or json.")
    ] = "none",
) -> None:
    if log_format != "none":
        from mainstem.config.logs import configure

        configure(log_format)


@app.command()
def version() -> None:
    """Print the version."""
    from mainstem import __version__

    typer.echo(f"mainstem {__version__}")


@app.command()
def settings(as_json: AsJson = False) -> None:
    """Show every MAINSTEM_* variable, its value and its meaning."""
    from rich.table import Table

    current = _settings()
    if as_json:
        _print_json(current.model_dump(mode="json", exclude={"database_url", "registry_url"}))
        return
    table = Table("Variable", "Value", "Meaning", box=None, header_style="bold")
    for name, info in type(current).model_fields.items():
        value = getattr(current, name)
        shown = _without_password(str(value)) if value is not None else "–"
        table.add_row(f"MAINSTEM_{name.upper()}", shown, info.description)
    _stdout().print(table)


def _without_password(url: str) -> str:
    import re

    return re.sub(r"(://[^:/@]+:)[^@/]+@", r"\1…@", url)


# -- a site ----------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: mainstem run sites/north.toml --types Observation --full")
def run(
    site: SitePath,
    full: Annotated[bool, typer.Option("--full", help="Read everything again, not only what changed since.")] = False,
    types: Annotated[str, typer.Option(help="Only these resource types, separated by commas.")] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Give up an unfinished load instead of taking it up.")] = False,
    as_json: AsJson = False,
) -> None:
    """Refresh one site: plan, pull, map, publish, complete. Run it again after any failure."""
    from mainstem.refresh import open_refresh
    from mainstem.refresh import run as run_refresh

    mode: Mode = "full" if full else "incremental"
    wanted = [name.strip() for name in types.split(",") if name.strip()]
    with _progress(quiet=as_json) as progress, open_refresh(site, _settings(), progress=progress) as refresh:
        report = run_refresh(refresh, mode=mode, types=wanted, fresh=fresh)
    if as_json:
        _print_json(report.as_json())
    else:
        _print_report(report)
    if report.status == "partial":
        raise typer.Exit(3)


@contextmanager
def _progress(*, quiet: bool) -> Iterator["Progress"]:
    """Bars for people: one line a step and type, on standard error, only where somebody looks."""
    if quiet or not sys.stderr.isatty():
        yield lambda _step, _unit, _count: None
        return
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    tasks: dict[str, Any] = {}
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<34}"),
        TextColumn("{task.completed:>12,}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=_stderr(), transient=True) as bars:

        def show(step: str, unit: str, count: int) -> None:
            label = f"{step:<8} {unit}"
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=None)
            bars.update(tasks[label], completed=count)

        yield show


def _print_report(report: "Report") -> None:
    from rich.table import Table

    console = _stdout()
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("type")
    names = ("read", "mapped", "skipped", "records", "recorded", "amended", "withdrawn", "unchanged")
    for name in names:
        table.add_column(name, justify="right")
    for label, counts in [*report.types.items(), ("all", report.total)]:
        figures = {**counts.model_dump(), "skipped": sum(counts.skipped.values())}
        table.add_row(label, *(f"{figures[name]:,}" for name in names), style="bold" if label == "all" else None)
    console.print(table)
    for reason, count in sorted(report.total.skipped.items()):
        console.print(f"  skipped {count:,} × {reason}: {_reason_fix(reason)}")
    for gap in report.gaps:
        console.print(f"  [yellow]gap[/] {gap.resource_type}: {gap.reason}")
    taken_up = ", an unfinished load taken up" if report.resumed else ""
    console.print(
        f"{report.site}: {report.published:,} events published, {report.status} in {report.seconds:.1f} s (load {report.load}{taken_up})"
    )


def _reason_fix(reason: str) -> str:
    from schemas.problems import Reason

    found = Reason[reason.upper().replace("-", "_")]
    return f"{found.meaning} {found.fix}"


@app.command("map", epilog="Example: mainstem map --site sites/north.toml export/ --problems problems.jsonl | head")
def map_files(
    paths: Annotated[
        list[Path], typer.Argument(help="NDJSON files (.ndjson, .ndjson.gz) or folders.", show_default=False)
    ],
    site: Annotated[Path, typer.Option("--site", help="The site's TOML file: its key, time zone and code map.")],
    problems: Annotated[
        Path | None, typer.Option(help="Write what could not be mapped here, a JSON line each.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="With --problems: all that FHIR R4's own rules find wrong.")
    ] = False,
) -> None:
    """Try a mapping: FHIR NDJSON in, outcome records as JSON lines out. Needs no broker and no database."""
    from mainstem.commands.map_files import map_paths
    from schemas.errors import IncompleteError

    with _progress(quiet=False) as progress:
        trial = map_paths(paths, site, out=sys.stdout.buffer, problems=problems, explain=explain, progress=progress)
    skipped = sum(trial.skipped.values())
    typer.echo(
        f"read {trial.read:,} = mapped {trial.mapped:,} + skipped {skipped:,}; {trial.records:,} records", err=True
    )
    for reason, count in sorted(trial.skipped.items()):
        typer.echo(f"  skipped {count:,} × {reason}: {_reason_fix(reason)}", err=True)
    if not trial.mapped:
        raise IncompleteError("nothing could be mapped", "Give files of FHIR R4 resources, one a line.")


@app.command(epilog="Example: mainstem check sites/north.toml --json")
def check(site: SitePath, as_json: AsJson = False) -> None:
    """Prove that a site can be read before its first run: server, log-in, one page of each type."""
    from dataclasses import asdict

    from mainstem.check.preflight import check as check_site
    from mainstem.config.site_files import file_secrets, read_site

    file = read_site(site)
    findings = check_site(file.site, folder=file.folder, secrets=file_secrets(file.folder))
    if as_json:
        _print_json([asdict(finding) for finding in findings])
    else:
        console = _stdout()
        for finding in findings:
            console.print(
                f"{'[green]ok[/]  ' if finding.ok else '[red]fail[/]'} {finding.name}: {finding.what}", highlight=False
            )
            if not finding.ok:
                console.print(f"       {finding.who}: {finding.fix}", highlight=False)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def publish(site: SitePath) -> None:
    """Publish what is pending at a site, without reading its EHR."""
    from mainstem.refresh import open_refresh

    with (
        _progress(quiet=False) as progress,
        open_refresh(site, _settings(), progress=progress) as refresh,
        refresh.publisher() as publisher,
    ):
        published = publisher.publish()
    typer.echo(f"{refresh.site.site}: {published.events:,} events published")


@app.command()
def status(site: Annotated[str | None, typer.Option(help="Only this site.")] = None, as_json: AsJson = False) -> None:
    """Show each site and type: watermark, records, pending changes, gaps, quarantine."""
    from mainstem.commands.status import as_json_rows, as_table
    from mainstem.state import Store

    store = Store.open(_settings().database_url)
    try:
        store.migrate()
        rows = store.status(site)
    finally:
        store.close()
    if as_json:
        _print_json(as_json_rows(rows))
    elif rows:
        _stdout().print(as_table(rows, datetime.now(UTC)))
    else:
        typer.echo("nothing has been loaded yet: mainstem run sites/<site>.toml")


@app.command(epilog="Example: mainstem tail --from-beginning --site north --type observation")
def tail(
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="All that the topic holds, not only what comes.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Stay and wait for more.")] = True,
    loads: Annotated[bool, typer.Option("--loads", help="The sites' loads instead of the outcome events.")] = False,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    record_type: Annotated[str | None, typer.Option("--type", help="Only this record type.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show events readably as they arrive. Ctrl-C ends it."""
    from mainstem.consumer.tail import print_events
    from schemas.events import outcome_topic
    from schemas.loads import load_topic

    current = _settings()
    topic = load_topic(current.network) if loads else outcome_topic(current.network)
    try:
        print_events(
            current.kafka_settings(),
            topic,
            _stdout(),
            from_beginning=from_beginning,
            follow=follow,
            site=site,
            record_type=record_type,
            as_json=as_json,
        )
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


# -- topics ----------------------------------------------------------------------------------------------------------


Partitions = Annotated[int, typer.Option(min=1, help="Partitions of the outcome topic; never changed afterwards.")]
Replication = Annotated[int, typer.Option(min=1, help="Copies of each partition.")]
Groups = Annotated[list[str], typer.Option("--group", help="Consumer group that needs a dead-letter topic.")]


@topics_app.command("create")
def topics_create(partitions: Partitions = 12, replication: Replication = 3, groups: Groups = ["registry"]) -> None:  # noqa: B006 - typer copies it
    """Create the network's topics with their settings; topics that exist stay as they are."""
    from mainstem.kafka.topics import create

    current = _settings()
    created = create(
        current.kafka_settings(), current.network, groups=groups, partitions=partitions, replication=replication
    )
    for name in created:
        typer.echo(f"created {name}")
    if not created:
        typer.echo("all topics exist; `mainstem topics check` compares their settings")


@topics_app.command("check")
def topics_check(partitions: Partitions = 12, replication: Replication = 3, groups: Groups = ["registry"]) -> None:  # noqa: B006 - typer copies it
    """Compare the topics with what Mainstem needs; exit 1 on a difference."""
    from mainstem.kafka.topics import check as check_topics

    current = _settings()
    findings = check_topics(
        current.kafka_settings(), current.network, groups=groups, partitions=partitions, replication=replication
    )
    for finding in findings:
        typer.echo(str(finding))
    if findings:
        raise typer.Exit(1)
    typer.echo("topics are as they should be")


# -- sites -----------------------------------------------------------------------------------------------------------


@sites_app.command("new")
def sites_new(
    name: Annotated[str, typer.Argument(help="Short name of the site: lower case, digits, hyphens.")],
    base_url: Annotated[str | None, typer.Option(help="FHIR base URL of the site's server.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of NDJSON files, where there is no server to read.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="IANA time zone of the site.")] = "America/New_York",
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("sites"),
) -> None:
    """Write a site file and its pseudonym key."""
    from mainstem.config.new_site import write_site

    path = write_site(name, to, base_url=base_url, folder=folder, time_zone=time_zone)
    typer.echo(f"wrote {path}\nnext: mainstem check {path}")


@sites_app.command("keys")
def sites_keys() -> None:
    """List every key a site file can have."""
    from rich.table import Table

    from schemas.sites import site_keys

    table = Table("Key", "Default", "Meaning", box=None, header_style="bold")
    for row in site_keys():
        table.add_row(*row)
    _stdout().print(table)


@sites_app.command("dags")
def sites_dags(
    folder: Annotated[Path, typer.Argument(help="Folder of the site files.")] = Path("sites"),
    to: Annotated[Path, typer.Option(help="Airflow's DAG folder.")] = Path("dags"),
) -> None:
    """Write one DAG stub a site, and remove those of sites that are gone."""
    from mainstem.config.dag_stubs import write_stubs

    for line in write_stubs(folder, to):
        typer.echo(line)


# -- consumers -------------------------------------------------------------------------------------------------------


@registry_app.command("run")
def registry_run() -> None:
    """Consume outcome events into the registry's tables until stopped."""
    from services.registry.running import run as run_registry

    current = _settings()
    run_registry(current.kafka_settings(), current.network, current.registry_url)


@registry_app.command("serve")
def registry_serve(
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8070,
) -> None:
    """Serve the registry's read-only API and the events' schemas."""
    from services.registry.running import serve

    serve(_settings().registry_url, host=host, port=port)


@app.command()
def feedback(
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8071,
) -> None:
    """Serve the feedback pages: measures as control charts."""
    from services.pages.running import serve

    current = _settings()
    serve(current.registry_url, network=current.network, host=host, port=port)


@app.command()
def schemas(to: Annotated[Path, typer.Option(help="Folder to write the JSON Schemas to.")]) -> None:
    """Write the JSON Schemas of events, site files and reason codes."""
    from schemas.generate import generated

    to.mkdir(parents=True, exist_ok=True)
    files = generated()
    for stale in {path.name for path in to.glob("*.json")} - set(files):
        (to / stale).unlink()
    for name, text in files.items():
        (to / name).write_text(text, encoding="utf-8")
    typer.echo(f"{len(files)} schemas in {to}")


# -- demo ------------------------------------------------------------------------------------------------------------


State = Annotated[Path, typer.Option(help="Where the demo keeps its databases, keys and hospitals.")]


@demo_app.callback()
def demo(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="The same work without Airflow, day two included, then exit.")
    ] = False,
    state: State = Path("var/demo"),
) -> None:
    """Three hospitals, a broker, a database, the registry, the page and Airflow on 127.0.0.1, until Ctrl-C."""
    if context.invoked_subcommand is None:
        from mainstem.demo import run as run_demo

        run_demo(quick=quick, state=state, console=_stdout())


@demo_app.command("day-two")
def demo_day_two(state: State = Path("var/demo")) -> None:
    """While the demo is up: one value corrected, one observation in error, one new patient; then nothing."""
    from mainstem.demo import day_two

    day_two(state=state, console=_stdout())
