"""`mainstem consent`: who withdrew, for what; what is done about it, and who has done it."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.terminal import AsJson, SiteOption, open_site, print_json, say
from schemas.errors import MainstemError, OperatorError

if TYPE_CHECKING:
    from mainstem.refresh import Refresh
    from mainstem.state import Decision, Standing
    from schemas.subjects import ConsentHeeded, ErasureReport

group = typer.Typer(name="consent", help="Consent: withdraw, give, import, asked, status.", no_args_is_help=True)


class _Scope(StrEnum):
    QI = "qi"
    RESEARCH = "research"


class _StopOrErase(StrEnum):
    STOP = "stop"
    ERASE = "erase"


Subject = Annotated[str, typer.Option("--subject", help="The subject, as in the events: s-…", show_default=False)]
Patient = Annotated[
    str, typer.Option("--patient", help="The EHR's id of the patient; - reads it, unseen, from standard input.")
]
Scope = Annotated[_Scope, typer.Option("--scope", help="qi: all collection. research: extracts alone.")]
StopOrErase = Annotated[
    _StopOrErase,
    typer.Option("--mode", help="stop: nothing more is collected. erase: what was collected is forgotten, too."),
]


@group.command(epilog="Example: mainstem consent withdraw --site north --patient - --mode erase < id.txt")
def withdraw(
    site: SiteOption,
    subject: Subject = "",
    patient: Patient = "",
    scope: Scope = _Scope.QI,
    mode: StopOrErase = _StopOrErase.STOP,
    as_json: AsJson = False,
) -> None:
    """Consent is withdrawn: keep it, forget what is to be forgotten, tell the network. The same again changes nothing."""
    if mode is _StopOrErase.ERASE and scope is _Scope.RESEARCH:
        raise OperatorError(
            "who withdrew consent to research alone goes on being cared for by what was collected",
            "Say --scope qi to have it erased, or --mode stop.",
        )
    _one(site, subject, patient, scope, permit=False, erase=mode is _StopOrErase.ERASE, as_json=as_json)


@group.command(epilog="Example: mainstem consent give --site north --subject s-0123456789abcdef0123456789abcdef")
def give(
    site: SiteOption, subject: Subject = "", patient: Patient = "", scope: Scope = _Scope.QI, as_json: AsJson = False
) -> None:
    """Consent that was withdrawn is given again: the next load reads the site from the beginning."""
    _one(site, subject, patient, scope, permit=True, erase=False, as_json=as_json)


@group.command("import", epilog="Example: mainstem consent import withdrawn.csv --site north --mode erase")
def import_file(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV (patient or subject; scope, decision, mode), or FHIR Consents: NDJSON, a Bundle."
        ),
    ],
    site: SiteOption,
    mode: Annotated[
        _StopOrErase, typer.Option(help="What withdrawals in FHIR Consents mean; CSV says it itself.")
    ] = _StopOrErase.STOP,
    as_json: AsJson = False,
) -> None:
    """Take decisions from a list or from FHIR Consents, all or none."""
    from mainstem.refresh.deciding import heard, listed

    if not path.is_file():
        raise OperatorError(f"there is no file {path.name}", "Name a CSV file, or FHIR Consents in NDJSON.")
    with open_site(site, quiet=True) as refresh:
        if path.suffix.lower() == ".csv":
            _done(refresh, listed(refresh, path, refresh.clock()), as_json)
            return
        found = heard(refresh, path, refresh.clock(), erase=mode is _StopOrErase.ERASE)
        for reason, count in sorted(found.refused.items()):
            say(f"{count} of {found.read} say nothing that binds: {reason}", err=True)
        _done(refresh, found.decisions, as_json)


@group.command(epilog="Example: mainstem consent status --site north --json")
def status(site: SiteOption, subject: Subject = "", patient: Patient = "", as_json: AsJson = False) -> None:
    """How it stands with whom: what is withdrawn, by whose word; and which consumers have erased or go by it, and which do not."""
    from mainstem.refresh.deciding import subject_of

    with open_site(site, quiet=True) as refresh:
        wanted = {subject_of(refresh, subject=subject, patient=patient)} if subject or patient else None
        rows = _rows(refresh, wanted)
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("nobody withdrew consent, and no subject is another")
        return
    for row in rows:
        _say_row(row)


@group.command(epilog="Example: mainstem consent asked --site north, then the same with --decide")
def asked(
    site: SiteOption,
    decide: Annotated[bool, typer.Option("--decide", help="Decide all that waits as families ask it.")] = False,
    as_json: AsJson = False,
) -> None:
    """What families ask of this site by the network's page, and whether it is done. Nothing is done before you decide."""
    from mainstem.refresh.deciding import asked as found
    from mainstem.refresh.deciding import decision_on

    with open_site(site, quiet=True) as refresh:
        rows = found(refresh)
        if decide:
            _done(refresh, [decision_on(each.asked) for each in rows if each.waiting], as_json)
            return
    told = [{**each.asked.model_dump(mode="json"), "waiting": each.waiting} for each in rows]
    if as_json:
        print_json(told)
        return
    if not told:
        say("no family has asked anything")
    for row in told:
        who = "the patient" if row["by"] == "self" else "a guardian"
        state = "waits for you" if row["waiting"] else "done"
        say(f"{row['subject']}: {who} asks to {row['wish']} consent to {row['scope']}, {row['at'][:10]}: {state}")


@group.command(epilog="Example: mainstem consent tell --site north, after the broker's disk was lost")
def tell(site: SiteOption) -> None:
    """Tell the network again how it stands with everybody; it changes nothing for who knows it."""
    from mainstem.refresh.telling import tell as publish

    with open_site(site, quiet=True) as refresh:
        count = refresh.store.consents.tell_again(refresh.site.site, refresh.clock())
        publish(refresh)
    say(f"{count:,} told")


def _one(site: str, subject: str, patient: str, scope: _Scope, *, permit: bool, erase: bool, as_json: bool) -> None:
    from mainstem.refresh.deciding import subject_of
    from mainstem.state import Decision

    named = sys.stdin.readline().strip() if patient == "-" else patient
    with open_site(site, quiet=True) as refresh:
        who = subject_of(refresh, subject=subject, patient=named)
        _done(refresh, [Decision(who, scope.value, permit, refresh.clock(), erase)], as_json)


def _done(refresh: "Refresh", decisions: "Sequence[Decision]", as_json: bool) -> None:
    """Decides, tells the network, and says what was done; where the broker is away that too, and it fails to be tried again."""
    from mainstem.refresh.deciding import decide
    from mainstem.refresh.telling import tell as publish

    decided, away = decide(refresh, decisions), None
    try:
        publish(refresh)
    except MainstemError as exc:
        away = exc
    result = {
        "decisions": len(decisions),
        "changed": decided.done.changed,
        "subjects": sorted({f"s-{each.subject.hex()}" for each in decisions}),
        "records_forgotten": decided.done.records,
        "landed_lines_removed": decided.lines,
        "landing_purged": decided.purged,
        "told": away is None,
        "unknown_subjects": sorted(f"s-{each.hex()}" for each in decided.strangers),
    }
    if as_json:
        print_json(result)
    else:
        say(
            f"{decided.done.changed:,} of {len(decisions):,} decisions are new; {decided.done.records:,} records forgotten"
        )
        say(
            f"{decided.lines:,} lines removed from the landing"
            + ("" if decided.purged else "; the load under way is purged when it ends")
        )
    if strangers := len(decided.strangers):
        people = len({each.subject for each in decisions})
        say(
            f"{strangers:,} of {people:,} people are unknown here: look whether their ids are right. "
            "It is kept, and holds when they come",
            err=True,
        )
    if away is not None:
        say("kept at the site; the network is not told yet: the same again, or the next run, does it", err=True)
        raise away


def _rows(refresh: "Refresh", wanted: "set[bytes] | None") -> list[dict[str, Any]]:
    from mainstem.refresh.deciding import consumers, reports

    site, store = refresh.site.site, refresh.store
    known = store.consents.of(site)
    said: dict[tuple[str, int], list[ErasureReport | ConsentHeeded]] = {}
    groups: list[str] | None = None
    if known:
        try:
            groups = consumers(refresh)
            for report in reports(refresh):
                said.setdefault((report.subject, report.sequence), []).append(report)
        except MainstemError as exc:
            say(f"who has erased, and who goes by it, is not known: {exc.cause}", err=True)
    waiting = {told.name for told in store.outbox.told(site, 1_000_000) if told.kind == "subject"}
    by: dict[bytes, list[dict[str, Any]]] = {}
    for one in store.consents.withdrawals(site):
        by.setdefault(one.subject, []).append({"scope": one.scope, "by": one.by, "since": one.since})
    return [
        _row(each, by.get(each.subject, []), said, groups, waiting)
        for each in known
        if wanted is None or each.subject in wanted
    ]


def _row(
    each: "Standing",
    decisions: list[dict[str, Any]],
    said: "dict[tuple[str, int], list[ErasureReport | ConsentHeeded]]",
    groups: list[str] | None,
    waiting: set[str],
) -> dict[str, Any]:
    name = f"s-{each.subject.hex()}"
    told = {report.group: report for report in said.get((name, each.sequence), [])}
    erased = {group: getattr(report, "erased", False) for group, report in told.items()}
    missing = set(groups or ()) - set(told)
    of_erasure, of_consent = (missing, set[str]()) if each.erase else (set[str](), missing)
    return {
        "subject": name,
        "withdrawn": each.withdrawn,
        "mode": "erase" if each.erase else "stop" if each.qi else "",
        "superseded_by": each.superseded_by and f"s-{each.superseded_by.hex()}",
        "changed": each.changed,
        "sequence": each.sequence,
        "decisions": decisions,
        "told": f"{name}/{each.sequence}" not in waiting,
        "landing_purged": each.purged is not None if each.erase else None,
        "erased": [report.model_dump(mode="json") for group, report in told.items() if erased[group]],
        "not_erased": sorted({*of_erasure, *(group for group in told if each.erase and not erased[group])}),
        "heeded": [report.model_dump(mode="json") for report in told.values() if not each.erase],
        "not_heeded": sorted(of_consent),
        "consumers_known": groups is not None,
    }


def _say_row(row: dict[str, Any]) -> None:
    withdrawn = ", ".join(row["withdrawn"]) or "nothing"
    say(f"{row['subject']}: withdrawn for {withdrawn}" + (f", to be {_WORDS[row['mode']]}" if row["mode"] else ""))
    if row["superseded_by"]:
        say(f"  is {row['superseded_by']}")
    for each in row["decisions"]:
        say(f"  {each['scope']}: by {each['by']}, since {each['since']:%Y-%m-%d %H:%M} UTC")
    if not row["told"]:
        say("  the network is not told yet: `mainstem publish`, or the next run")
    if row["mode"] == "erase":
        say("  landing: purged" if row["landing_purged"] else "  landing: not purged yet, a load is under way")
        for each in row["erased"]:
            say(f"  {each['group']}: has erased it, {each['rows']:,} rows, {each['at'][:16].replace('T', ' ')} UTC")
        for name in row["not_erased"]:
            say(f"  {name}: has not erased it")
    for each in row["heeded"]:
        goes_by = ", ".join(each["withdrawn"]) or "nothing"
        say(f"  {each['group']}: goes by it, withdrawn for {goes_by}, {each['at'][:16].replace('T', ' ')} UTC")
    for name in row["not_heeded"]:
        say(f"  {name}: has not said that it goes by it")


_WORDS = {"stop": "left out", "erase": "forgotten"}
