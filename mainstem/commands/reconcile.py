"""`mainstem reconcile`: the topic against the state."""

from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.replay import counted, sites_meant
from mainstem.commands.terminal import (
    AsJson,
    OneOfSites,
    opened_state,
    print_json,
    progress_bars,
    read_settings,
    say,
    tell,
)
from schemas.errors import ExitCode

if TYPE_CHECKING:
    from mainstem.mending.reconcile import Reconciled

group = typer.Typer()


@group.command(epilog="Examples: mainstem reconcile north; mainstem reconcile --all-sites --repair, nightly")
def reconcile(
    site: OneOfSites = "",
    all_sites: Annotated[bool, typer.Option("--all-sites", help="Every site that the state knows.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what differs: the state is right.")] = False,
    withdraw_extra: Annotated[
        bool,
        typer.Option(
            "--withdraw-extra", help="With --repair: withdraw what the site does not hold, however much it is."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare what the topic says of each record with what the state published: missing, stale, extra, foreign.

    May run beside a site's night. Exit code 3 where something differs and is not mended.
    """
    from mainstem.mending.reconcile import reconcile as compare

    settings = read_settings()
    with opened_state(settings.database_url) as state, progress_bars(quiet=as_json) as progress:
        done = compare(
            state,
            settings,
            sites_meant(state, site, all_sites),
            repair=repair,
            withdraw_extra=withdraw_extra,
            progress=counted(progress, "topic", "reconcile"),
            notice=tell,
        )
    if as_json:
        print_json([each._asdict() for each in done])
    else:
        for each in done:
            _say(each)
    if not all(each.same for each in done):
        raise typer.Exit(ExitCode.ATTENTION)


def _say(done: "Reconciled") -> None:
    from mainstem.mending.reconcile import KINDS

    waits = f"; {done.unjudged:,} were changing and are not judged" if done.unjudged else ""
    say(f"{done.site}: {done.records:,} records compared with {done.events:,} events{waits}")
    for kind, meaning in KINDS.items():
        if count := done.differences.get(kind):
            mended = f", {done.mended.get(kind, 0):,} mended" if done.mended or done.left else ""
            say(f"  {kind}: {count:,} ({meaning}){mended}")
    if not done.differences:
        say("  no difference")
    elif not done.mended and not done.left:
        say(
            f"  fix: `mainstem reconcile {done.site} --repair` tells again what the site holds, and withdraws what it does not"
        )
    if done.unreadable:
        say(
            f"  {done.unreadable:,} records of the topic are no events; `mainstem dlq list` shows what consumers made of them"
        )
