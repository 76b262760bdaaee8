"""`mainstem feedback`: the pages; and what is printed from them."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import SiteName, json_lines, private_file, read_settings, say, tell
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from mainstem.config.settings import Settings
    from services.measures.keeping.keeper import Keeper
    from services.measures.keeping.standing import Plan
    from services.pages.running import Login

group = typer.Typer(
    name="feedback",
    help="The feedback pages: measures as control charts; pre-visit plans and site reports on paper; results for a site.",
    invoke_without_command=True,
    epilog="Example: mainstem feedback --port 8071",
)


class Form(StrEnum):
    """How results are written."""

    MEASURE_REPORT = "measure-report"
    EVENTS = "events"


To = Annotated[Path, typer.Option("--to", help="The PDF to write; readable by its owner alone.", show_default=False)]


@group.callback()
def feedback(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8071,
) -> None:
    """Serve the feedback pages: measures as control charts."""
    if context.invoked_subcommand is not None:
        return
    from services.pages.running import Served, run

    current = read_settings()
    served = Served(
        current.registry_url,
        current.access_url,
        current.network,
        host,
        port,
        current.host_names,
        home_address=current.home_address,
        age_policy=current.age_policy,
        questionnaire=current.questionnaire,
    )
    run(served, login=_login(current), demo_site=current.demo_roles, say=tell)


@group.command("plan", epilog="Example: mainstem feedback plan --site north --day 2026-11-03 --to plan.pdf")
def plan(
    site: SiteName,
    to: To,
    day: Annotated[str, typer.Option(help="The day of the visits; tomorrow where it is left out.")] = "",
) -> None:
    """Write the pre-visit plans of a site's day: who is booked, last states, what is overdue, growth, lung function."""
    from services.pages.print.making import plan_of

    current = read_settings()
    made = plan_of(current.registry_url, network=current.network, site=site, day=_day(day))
    _write(to, made.pdf())
    say(f"{to}: {made.plan.summary}")


@group.command("report", epilog="Example: mainstem feedback report --site north --month 2026-10 --to october.pdf")
def report(
    site: SiteName,
    to: To,
    month: Annotated[str, typer.Option(help="The month, such as 2026-10.", show_default=False)],
) -> None:
    """Write a site's monthly report: a page a measure, one sentence, one action; and whether its data are whole."""
    from services.pages.print.making import report_of

    current = read_settings()
    made = report_of(current.registry_url, network=current.network, site=site, month=month)
    _write(to, made.pdf())
    say(f"{to}: {made.report.summary}")


@group.command(
    "pull",
    epilog="Examples: mainstem feedback pull --site north --to results.ndjson. "
    "mainstem feedback pull --site north --as events | load-into-warehouse",
)
def pull(
    site: SiteName,
    to: Annotated[
        Path | None, typer.Option("--to", help="The NDJSON to write; standard output without.", show_default=False)
    ] = None,
    form: Annotated[
        Form, typer.Option("--as", help="measure-report: FHIR R4 MeasureReports; events: as they came on the stream.")
    ] = Form.MEASURE_REPORT,
) -> None:
    """Fetch a site's results for its EHR or warehouse: of each measure and period what the stream told last, a JSON a line.

    Reads the feedback topic alone, so that a site can run it; `mainstem topics allow --results` gives it the right.
    """
    from services.measures.returned import measure_reports, returned

    current = read_settings()
    found = returned(current.kafka_settings(), current.network, site)
    if found.unreadable:
        say(f"{found.unreadable:,} records of the feedback topic are no results and were left out", err=True)
    if not found.results:
        raise OperatorError(
            f"the feedback topic of network {current.network} holds no result of site {site}",
            "Check the site's id; `mainstem feedback run`, at the centre, keeps results and tells them.",
        )
    lines = (
        [json.dumps(each, separators=(",", ":")) for each in measure_reports(found.results)]
        if form is Form.MEASURE_REPORT
        else [each.model_dump_json() for each in found.results]
    )
    content = "".join(f"{line}\n" for line in lines)
    if to is None:
        json_lines().write(content.encode())
        return
    _write(to, content.encode())
    say(f"{to}: {len(lines):,} of {site}, of measures {', '.join(sorted({each.measure for each in found.results}))}")


@group.command("run", epilog="Example: mainstem feedback run --since 2026-09")
def keep_results(
    since: Annotated[
        str, typer.Option(help="The first month of which the network's measures are kept; twelve ago by default.")
    ] = "",
    valuesets: Annotated[
        Path | None,
        typer.Option(help="Folder of FHIR ValueSets: keep the published measures too.", show_default=False),
    ] = None,
    year: Annotated[int | None, typer.Option(help="The published measures' year; this one by default.")] = None,
    measure: Annotated[
        list[str] | None, typer.Option(help="Published measures that are kept, such as CMS165; all by default.")
    ] = None,
) -> None:
    """Keep the results of measures up to the stream, person by person, and publish them to the sites, until stopped."""
    from mainstem.centre import SITE, Results
    from mainstem.kafka.topics import require_topics
    from mainstem.publisher import publisher_of
    from schemas.events import feedback_topic
    from services.measures.keeping.running import run

    current = read_settings()
    kafka = current.kafka_settings()
    require_topics(kafka, current.network, [feedback_topic(current.network)])

    def send(keeper: "Keeper") -> None:
        if keeper.waiting(1):
            with publisher_of(SITE, current, Results(keeper)) as publisher:
                publisher.publish()

    plan = _plan(since, valuesets, year or date.today().year, measure or ())
    run(kafka, current.network, current.registry_url, plan, send, say=tell)


def _plan(since: str, valuesets: Path | None, year: int, wanted: Sequence[str]) -> "Plan":
    """Months end with this one, whatever the day: what is kept of them does not change at midnight."""
    from services.measures.evaluate.periods import periods
    from services.measures.keeping.plans import network_plan, official_plan
    from services.measures.library import measures
    from services.measures.valuesets import load_value_sets
    from transforms.codes.systems import repaired_system

    today = date.today()
    first = _month(since) if since else f"{today.year - 1}-{today.month:02}"
    last = (today.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    plan = network_plan(measures().values(), periods("month", first, last.isoformat()))
    if valuesets is None:
        return plan
    sets = load_value_sets(valuesets, system=lambda uri: repaired_system(uri) or uri)
    return plan + official_plan(year, sets, wanted)


def _month(text: str) -> str:
    try:
        return date.fromisoformat(f"{text}-01").isoformat()[:7]
    except ValueError:
        raise OperatorError(f"--since {text} is no month", "Give it as 2026-09.") from None


def _day(text: str) -> date:
    if not text:
        return date.today() + timedelta(days=1)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise OperatorError(f"--day {text} is no date", "Give it as 2026-11-03.") from None


def _write(path: Path, content: bytes) -> None:
    """It tells of patients: its owner alone reads it."""
    with private_file(path) as file:
        file.write(content)


def _login(current: "Settings") -> "Login | None":
    from mainstem.config.site_files import file_secrets
    from services.access.claims import Mapped
    from services.pages.running import Login

    if not current.oidc_issuer:
        return None
    secret = current.oidc_client_secret
    return Login(
        current.oidc_issuer,
        current.oidc_client_id,
        file_secrets(Path.cwd())(secret).decode() if secret else None,
        current.pages_address,
        Mapped.of(current.oidc_role_claim, current.oidc_site_claim, current.oidc_roles, current.oidc_sites),
    )
