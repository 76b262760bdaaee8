"""`mainstem audit`: what was done with patients' data at the sites of this state."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import (
    AsJson,
    OnlySite,
    opened_state,
    plain_table,
    print_json,
    read_settings,
    require_day,
    say,
    stdout,
)
from schemas.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from mainstem.state.audit import Audit, Audited

group = typer.Typer(
    name="audit",
    help="What was done with patients' data: pulled, disclosed, resolved, forgotten.",
    no_args_is_help=True,
)
Deeds = Annotated[
    str, typer.Option("--what", help="pull, disclose, replay, resolve, erase or consent alone.", show_default=False)
]
Subject = Annotated[str, typer.Option("--subject", help="What names this subject: s-…", show_default=False)]
Since = Annotated[str, typer.Option("--since", help="From that day on: 2026-11-03.", show_default=False)]


@group.command("show", epilog="Example: mainstem audit show --what resolve --since 2026-11-01 --json")
def show(
    site: OnlySite = None, what: Deeds = "", subject: Subject = "", since: Since = "", as_json: AsJson = False
) -> None:
    """Each entry, the oldest first; with --json as FHIR AuditEvents. Who saw which page is in `mainstem views`."""
    from mainstem.state.audit import Deed

    deeds, day = [deed.word for deed in Deed], require_day(since)
    if what and what not in deeds:
        raise OperatorError(f"nothing is done that is called {what}", f"There are {', '.join(deeds)}.")
    with _audit() as audit:
        entries = audit.entries()
    sites = sorted({each.site for each in entries})
    if site and site not in sites:
        raise OperatorError(
            f"{site}: nothing was done at such a site", f"There are entries of: {', '.join(sites) or 'none'}."
        )
    found = [each for each in entries if _wanted(each, site, what, subject, day)]
    if as_json:
        print_json([each.event for each in found])
        return
    table = plain_table("number", "when (UTC)", "site", "what", "who", "in words", "subjects")
    for each in found:
        cells = (str(each.number), each.at[:19], each.site, each.deed, each.who, each.what, ", ".join(each.subjects))
        table.add_row(*cells)
    stdout().print(table)


@group.command(
    "verify",
    epilog="Example: mainstem audit verify. Note number and digest elsewhere: a log written anew as a whole has others.",
)
def verify(as_json: AsJson = False) -> None:
    """Whether each entry is as it was written, and a FHIR AuditEvent; exit code 3 where one is not."""
    from fhir.resources.R4B.auditevent import AuditEvent
    from pydantic import ValidationError

    with _audit() as audit:
        broken, count, digest = audit.first_broken()
        entries = audit.entries() if broken is None else []
    unfit = None
    for each in entries:
        try:
            AuditEvent.model_validate(each.event)
        except ValidationError:
            unfit = each.number
            break
    if as_json:
        print_json({"entries": count, "digest": digest, "broken": broken, "no_audit_event": unfit})
    elif broken is not None:
        say(f"entry {broken} is not as it was written, or one before it is missing")
    elif unfit is not None:
        say(f"entry {unfit} is no FHIR AuditEvent")
    else:
        say(f"{count} entries, each as it was written" + (f"; the last has the digest {digest}" if count else ""))
    if broken is not None or unfit is not None:
        raise typer.Exit(ExitCode.ATTENTION)


def _wanted(each: "Audited", site: str | None, what: str, subject: str, since: str) -> bool:
    return (
        (not site or each.site == site)
        and (not what or each.deed == what)
        and (not subject or subject in each.subjects)
        and (not since or each.at >= since)
    )


@contextmanager
def _audit() -> "Iterator[Audit]":
    with opened_state(read_settings().database_url) as state:
        yield state.audit
