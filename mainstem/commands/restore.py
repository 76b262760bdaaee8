"""`mainstem restore`: to go on with a state that came back from a backup."""

from typing import Annotated

import typer

from mainstem.commands.terminal import SitePath, read_settings, say

group = typer.Typer()


@group.command(epilog="Example: mainstem restore north --yes")
def restore(
    site: SitePath,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it, only say what would be done.")] = False,
) -> None:
    """Go on with a state that was restored from a backup: its epoch rises, so that nothing it says is taken for what was said before."""
    from mainstem.publisher.marking import mark_in_topic
    from mainstem.refresh import open_refresh
    from mainstem.refresh.restored import take_over_subjects

    settings = read_settings()
    with open_refresh(site, settings) as refresh:
        name, outbox = refresh.site.site, refresh.store.outbox
        told = mark_in_topic(settings.kafka_settings(), settings.network, name)
        known = outbox.marked(name)
        if told <= known:
            say(
                f"{name}: this state is the one that published last (change {known.number:,} of epoch {known.epoch}); nothing to do"
            )
            return
        epoch = max(told.epoch, outbox.epoch) + 1
        say(
            f"{name}: published up to change {told.number:,} of epoch {told.epoch}; this state knows of {known.number:,} of {known.epoch}"
        )
        say(
            f"its epoch becomes {epoch}, for every site of this database: what it publishes from now on supersedes what was published before"
        )
        say(
            "what the network was told of consent and merged subjects is taken over first: nobody who withdrew comes back"
        )
        say("what was published since the backup stays with consumers until the next run reads it again from the EHR")
        if not yes:
            say("nothing was done; say --yes to do it")
            return
        done = take_over_subjects(refresh)
        say(f"{done.changed:,} subjects taken over, {done.records:,} records forgotten")
        outbox.raise_epoch(epoch)
    say(f"epoch {epoch}; now `mainstem run {site}`, which reads again what the backup does not know")
