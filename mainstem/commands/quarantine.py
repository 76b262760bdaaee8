"""`mainstem quarantine`: what a site could not use: list, show one, try again."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.run import print_report
from mainstem.commands.terminal import AsJson, SiteOption, open_site, plain_table, print_json, say, stdout
from schemas.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from mainstem.refresh.refused import Refused

group = typer.Typer(name="quarantine", help="What a site could not use: list, show, retry.", no_args_is_help=True)
OfReason = Annotated[str, typer.Option(help="Only that of one reason, such as unknown-unit.")]
REF = "h-"


@group.command("list", epilog="Example: mainstem quarantine list --site north --reason unknown-unit --lines")
def list_refused(
    site: SiteOption,
    reason: OfReason = "",
    lines: Annotated[bool, typer.Option("--lines", help="Each resource, by the hospital's own reference.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what could not be used, by type, reason and field, with what to do and who can do it. Exit code 3 with some.

    References are shown at the site alone: nothing of this is sent or logged.
    """
    from mainstem.refresh.refused import refused

    _known(reason)
    with open_site(site, quiet=as_json) as refresh:
        name, found = refresh.site.site, list(refused(refresh, reason=reason))
    if as_json:
        print_json([_row(each) for each in found] if lines else _counted(found))
    elif lines:
        for each in found:
            say(
                f"{_named(each)}: {each.reason.value} at {each.path or 'the line'} ({each.load}, {each.file}:{each.line})"
            )
    elif found:
        _print(_counted(found))
    if not found and not as_json:
        say(f"{name}: nothing is in quarantine")
    if found:
        raise typer.Exit(ExitCode.ATTENTION)


@group.command(epilog="Example: mainstem quarantine show Observation/wt-7 --site north --resource")
def show(
    which: Annotated[
        str, typer.Argument(metavar="REFERENCE", help="Type/id, or h-… as in an event's source.", show_default=False)
    ],
    site: SiteOption,
    resource: Annotated[
        bool, typer.Option("--resource", help="The resource itself, too: patient data, on this terminal.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one resource that could not be used: reason, field, what FHIR's own rules find wrong, what to do and who."""
    from mainstem.config.site_mapper import site_mapper
    from mainstem.refresh.refused import refused

    with open_site(site, quiet=True) as refresh:
        found = [each for each in refused(refresh) if which in (each.reference, f"{REF}{each.ref.hex()}")]
        mapper = site_mapper(refresh.file, refresh.secrets) if found else None
    if not found or mapper is None:
        raise OperatorError("no such resource is in quarantine", "`mainstem quarantine list --lines` names them.")
    rows = [_row(each) | {"findings": mapper.explain(each.source) if each.source else []} for each in found]
    if resource:
        rows = [
            row | {"resource": each.source.decode("utf-8", "replace")} for row, each in zip(rows, found, strict=True)
        ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        for key, value in row.items():
            for said in value if isinstance(value, list) else [value]:
                say(f"{key:>10}  {said}")


@group.command(epilog="Example: mainstem quarantine retry --site north, after its code map was filled in")
def retry(site: SiteOption, reason: OfReason = "", as_json: AsJson = False) -> None:
    """Map again what could not be used, after the code map or the settings changed; what can be used now is published.

    A load of its own. What stays unusable stays named: exit code 3 with some. Codes that were kept without a meaning are
    no refusals: `mainstem remap` reads them again.
    """
    from mainstem.refresh import retry as retry_site

    _known(reason)
    with open_site(site, quiet=as_json) as refresh:
        report = retry_site(refresh, reason=reason)
        left = Counter(each.reason for _, each in refresh.store.quarantine.by_load(refresh.site.site))
    if as_json:
        print_json(report.model_dump(mode="json") | {"left": dict(left)})
    else:
        print_report(report)
        counted = ", ".join(f"{count:,} × {code}" for code, count in sorted(left.items()))
        say(f"left in quarantine: {counted or 'nothing'}")
    if left:
        raise typer.Exit(ExitCode.ATTENTION)


def _known(reason: str) -> None:
    from schemas.problems import Reason

    if reason and reason not in set(Reason):
        named = ", ".join(each.value for each in Reason if not each.expected)
        raise OperatorError(f"there is no reason {reason}", f"Reasons are {named}.")


def _named(each: "Refused") -> str:
    return each.reference or (f"{each.resource_type}/{REF}{each.ref.hex()}" if each.ref else each.resource_type)


def _row(each: "Refused") -> dict[str, Any]:
    return {
        "reference": each.reference,
        "ref": f"{REF}{each.ref.hex()}" if each.ref else "",
        "type": each.resource_type,
        "reason": each.reason.value,
        "field": each.path,
        "meaning": each.reason.meaning,
        "fix": each.reason.fix,
        "who": each.who,
        "load": each.load,
        "file": each.file,
        "line": each.line,
        "kept": bool(each.source),
    }


def _counted(found: "list[Refused]") -> list[dict[str, Any]]:
    from schemas.problems import who_acts

    counts = Counter((each.resource_type, each.reason, each.path) for each in found)
    return [
        {
            "count": count,
            "type": name,
            "reason": reason.value,
            "field": path,
            "meaning": reason.meaning,
            "fix": reason.fix,
            "who": who_acts(reason),
        }
        for (name, reason, path), count in counts.most_common()
    ]


def _print(rows: list[dict[str, Any]]) -> None:
    table = plain_table()
    table.add_column("count", justify="right")
    for name in ("reason", "field", "what to do", "who"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(f"{row['count']:,}", row["reason"], row["field"] or row["type"], row["fix"], row["who"])
    stdout().print(table)
