"""`mainstem replay`: what was published is told again, from the state."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

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
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mainstem.mending.replay import Replayed
    from mainstem.refresh import Progress
    from mainstem.state import State, Wanted

group = typer.Typer()


@group.command(
    epilog="Examples: mainstem replay north, after a broker was lost; mainstem replay north --type observation --to-group registry; "
    "mainstem replay --all-sites"
)
def replay(
    site: OneOfSites = "",
    all_sites: Annotated[bool, typer.Option("--all-sites", help="Every site that the state knows.")] = False,
    types: Annotated[list[str], typer.Option("--type", help="Only this record type; several times for several.")] = [],  # noqa: B006 - typer copies it
    subject: Annotated[str, typer.Option(help="Only this subject: s- and 32 hexadecimal digits.")] = "",
    since: Annotated[
        str | None,
        typer.Option(help="Only what changed then or later, UTC: 2026-11-03 or 2026-11-03T05:00.", show_default=False),
    ] = None,
    to_group: Annotated[
        str | None,
        typer.Option(
            "--to-group",
            help="Tell this consumer group alone, by a topic of its own; it reads it by itself.",
            show_default=False,
        ),
    ] = None,
    afresh: Annotated[bool, typer.Option("--afresh", help="From the start, though the same was begun before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell again what was published: the same ids, marked as a replay. After a broker was lost, or for one consumer group.

    May run beside a site's night. Killed and run again, it goes on from where it was.
    """
    from mainstem.kafka.topics import require_group
    from mainstem.mending.replay import replay as tell_again

    settings = read_settings()
    group = "" if to_group is None else require_group(to_group)
    with opened_state(settings.database_url) as state, progress_bars(quiet=as_json) as progress:
        wanted = _wanted(types, subject, since)
        done = []
        for name in sites_meant(state, site, all_sites):
            count = counted(progress, name, "replay")
            done.append(
                tell_again(state, settings, name, wanted, group=group, afresh=afresh, progress=count, notice=tell)
            )
    if as_json:
        print_json([each._asdict() for each in done])
    else:
        for each in done:
            _say(each)
    if subject and not any(each.events or each.waiting for each in done):
        raise OperatorError("the state holds nothing of this subject", "Take it from an event: `mainstem tail`.")


def sites_meant(state: "State", site: str, all_sites: bool) -> list[str]:
    """The sites that are meant, each known to the state."""
    known = state.sites()
    if all_sites == bool(site):
        raise OperatorError("one site is named, or all are meant", "Name a site, or say --all-sites.")
    if all_sites:
        return known
    if site not in known:
        raise OperatorError(f"the state knows no site {site}", f"It knows {', '.join(known) or 'none'}.")
    return [site]


def _wanted(types: list[str], subject: str, since: str | None) -> "Wanted":
    from mainstem.commands.subjects import subject_of
    from mainstem.state import Wanted
    from schemas.outcomes import RECORD_TYPES

    if unknown := sorted({*types} - {*RECORD_TYPES}):
        raise OperatorError(f"there is no record type {unknown[0]}", f"There are {', '.join(sorted(RECORD_TYPES))}.")
    return Wanted(
        types=tuple(types),
        subject=subject_of(subject) if subject else None,
        since=None if since is None else _moment(since),
    )


def _moment(text: str) -> datetime:
    """In UTC where it has no zone. Raises OperatorError for what is no time, or is yet to come: nothing would be told."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise OperatorError(f"--since {text}: no time", "Write it as 2026-11-03 or 2026-11-03T05:00, UTC.") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > datetime.now(UTC):
        raise OperatorError(f"--since {text} is yet to come", "Write a time that has been, UTC.")
    return moment


def counted(progress: "Progress", name: str, step: str) -> "Callable[[int], None]":
    """Adds up what is told, for a bar."""
    so_far = 0

    def count(events: int) -> None:
        nonlocal so_far
        so_far += events
        progress(step, name, so_far)

    return count


def _say(done: "Replayed") -> None:
    to = f" to {done.topic}" if done.topic else ""
    again = ", taken up again" if done.resumed else ""
    say(f"{done.site}: {done.events:,} events told again{to}{again}")
    if done.rebuilt:
        say(f"{done.site}: the brokers had lost what this site published; it is there again, and {done.loads:,} loads")
    if done.waiting:
        say(f"{done.site}: {done.waiting:,} changes are not published yet; they come with the next `mainstem run`")
