"""`mainstem tail`: the stream, readably."""

from typing import Annotated

import typer

from mainstem.commands.terminal import AsJson, OnlySite, read_settings, stdout
from schemas.errors import ExitCode, OperatorError

group = typer.Typer()


@group.command(epilog="Example: mainstem tail --from-beginning --site north --type observation")
def tail(
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="All that the topic holds, not only what comes.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Stay and wait for more.")] = True,
    loads: Annotated[bool, typer.Option("--loads", help="The sites' loads instead of the outcome events.")] = False,
    subjects: Annotated[
        bool, typer.Option("--subjects", help="Consent, erasure and merged subjects instead of the outcome events.")
    ] = False,
    site: OnlySite = None,
    record_type: Annotated[str | None, typer.Option("--type", help="Only this record type.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show events readably as they arrive. Ctrl-C ends it."""
    from mainstem.consumer.tail import print_events
    from schemas.events import outcome_topic
    from schemas.loads import load_topic
    from schemas.outcomes import RECORD_TYPES
    from schemas.subjects import subject_topic

    if record_type is not None and not loads and record_type not in RECORD_TYPES:
        raise OperatorError(f"there is no record type {record_type}", f"There are {', '.join(RECORD_TYPES)}.")
    current = read_settings()
    topic = (load_topic if loads else subject_topic if subjects else outcome_topic)(current.network)
    try:
        print_events(
            current.kafka_settings(),
            topic,
            stdout(),
            from_beginning=from_beginning,
            follow=follow,
            site=site,
            record_type=record_type,
            as_json=as_json,
        )
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
