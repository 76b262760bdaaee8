"""`mainstem subjects`: subjects that are another, such as merged patients."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mainstem.commands.terminal import AsJson, SitePath, print_json, read_settings, say
from schemas.errors import OperatorError

group = typer.Typer(name="subjects", help="Subjects that are another: merged patients, new keys.", no_args_is_help=True)
Subject = Annotated[
    str, typer.Argument(metavar="OLD", help="A subject as in the events: s- and 32 hexadecimal digits.")
]


@group.command(epilog="Example: mainstem subjects list sites/north.toml --json")
def list(site: SitePath, as_json: AsJson = False) -> None:
    """List a site's aliases: which subject is which, why, since when."""
    from mainstem.refresh import open_refresh

    with open_refresh(site, read_settings()) as refresh:
        rows = [
            {"old": f"s-{old.hex()}", "surviving": f"s-{surviving.hex()}", "why": why, "since": since}
            for old, surviving, why, since in refresh.store.aliases.of(refresh.site.site)
        ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(f"{row['old']} is {row['surviving']} since {row['since']:%Y-%m-%d}: {row['why']}")
    if not rows:
        say("no subject is an alias")


@group.command(
    epilog="Example: mainstem subjects alias north s-0123456789abcdef0123456789abcdef s-fedcba9876543210fedcba9876543210 "
    "--why merged; then mainstem publish north"
)
def alias(
    site: SitePath,
    old: Subject,
    surviving: Annotated[
        str, typer.Argument(metavar="SURVIVING", help="The subject it is; with --end, leave it out.")
    ] = "",
    why: Annotated[
        str, typer.Option(help="A word for the reason, such as merged or re-keyed; no patient data.")
    ] = "merged",
    end: Annotated[bool, typer.Option("--end", help="End the alias: the old subject is one of its own again.")] = False,
) -> None:
    """Say that one subject is another; its records go over. `--end` moves them back."""
    from mainstem.refresh import open_refresh

    if end == bool(surviving):
        raise OperatorError("an alias is made with two subjects and ended with one", "Give two subjects, or --end.")
    now = datetime.now(UTC)
    with open_refresh(site, read_settings()) as refresh:
        name, aliases = refresh.site.site, refresh.store.aliases
        if end:
            moved = aliases.end(name, subject_of(old), now)
        else:
            moved = aliases.add(name, subject_of(old), subject_of(surviving), why, now)
    say(f"{moved:,} records moved; next: mainstem publish {site}")


@group.command(
    epilog="Example: mainstem subjects moved sites/north.toml north-moved.csv; then mainstem run sites/north.toml --full"
)
def moved(
    site: SitePath,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv", help="Columns `old` and `new`: a patient's FHIR id at the EHR before, and now."
        ),
    ],
    why: Annotated[str, typer.Option(help="A word for the reason; no patient data.")] = "new EHR",
) -> None:
    """Say of many patients at once that they have other ids now: a new EHR, or patients numbered anew.

    Each old subject is the new one from then on, and its records go over. The file is read and not kept: it holds the hospital's own
    ids. Killed and run again it goes on; nothing is published before the next run.
    """
    from mainstem.refresh import open_refresh
    from mainstem.refresh.moved import pairs_of, record_moves

    now = datetime.now(UTC)
    with open_refresh(site, read_settings()) as refresh:
        done = record_moves(refresh, pairs_of(file), why, now)
    say(
        f"{done.patients:,} patients have other ids, {done.known:,} of them said before; {done.records:,} records moved; "
        f"next: mainstem run {site} --full"
    )


@group.command(epilog="Example: mainstem subjects tokens sites/north.toml --csv north-tokens.csv")
def tokens(
    site: SitePath,
    to: Annotated[Path, typer.Option("--csv", help="Write here: subject, rule, token.", show_default=False)],
) -> None:
    """Write tokens by which one person at two sites can be told to be one; only where the site names `linkage_secret`.

    They are no records and stand in no event: the file goes to whoever compares those of all sites, apart from the stream.
    """
    import csv
    import os

    from mainstem.refresh import open_refresh
    from mainstem.refresh.linkage import Token, linkage_tokens
    from mainstem.state.audit import Deed

    count = Counter[str]()
    with open_refresh(site, read_settings()) as refresh:
        rows = linkage_tokens(refresh)
        try:
            descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as exc:
            raise OperatorError(f"{to}: there is such a file", "Give another name, or remove it.") from exc
        except OSError as exc:
            raise OperatorError(f"{to}: {exc.strerror}", "Name a file that can be written.") from exc
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Token._fields)
            for row in rows:
                writer.writerow(row)
                count[row.rule] += 1
        what = f"{count.total()} linkage tokens written to a file"
        refresh.store.audit.note(refresh.site.site, Deed.DISCLOSE, what, refresh.clock())
    say(f"wrote {to}: " + (", ".join(f"{number:,} by {rule}" for rule, number in sorted(count.items())) or "no tokens"))


def subject_of(text: str) -> bytes:
    """A subject's 16 bytes. Raises OperatorError."""
    try:
        subject = bytes.fromhex(text.removeprefix("s-"))
    except ValueError:
        subject = b""
    if len(subject) != 16:
        raise OperatorError("a subject is s- and 32 hexadecimal digits", "Take it from an event: `mainstem tail`.")
    return subject
