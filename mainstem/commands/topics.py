"""`mainstem topics`: the network's Kafka topics."""

from typing import Annotated

import typer

from mainstem.commands.terminal import read_settings

group = typer.Typer(name="topics", help="The network's Kafka topics.", no_args_is_help=True)
Partitions = Annotated[int, typer.Option(min=1, help="Partitions of the outcome topic; never changed afterwards.")]
Replication = Annotated[int, typer.Option(min=1, help="Copies of each partition.")]
Groups = Annotated[list[str], typer.Option("--group", help="Consumer group that needs a dead-letter topic.")]


@group.command("create")
def create(partitions: Partitions = 12, replication: Replication = 3, groups: Groups = ["registry"]) -> None:  # noqa: B006 - typer copies it
    """Create the network's topics with their settings; topics that exist stay as they are."""
    from mainstem.kafka.topics import create

    current = read_settings()
    created = create(
        current.kafka_settings(), current.network, groups=groups, partitions=partitions, replication=replication
    )
    for name in created:
        typer.echo(f"created {name}")
    if not created:
        typer.echo("all topics exist; `mainstem topics check` compares their settings")


@group.command("check")
def check(partitions: Partitions = 12, replication: Replication = 3, groups: Groups = ["registry"]) -> None:  # noqa: B006 - typer copies it
    """Compare the topics with what Mainstem needs; exit 1 on a difference."""
    from mainstem.kafka.topics import check_topics

    current = read_settings()
    findings = check_topics(
        current.kafka_settings(), current.network, groups=groups, partitions=partitions, replication=replication
    )
    for finding in findings:
        typer.echo(str(finding))
    if findings:
        raise typer.Exit(1)
    typer.echo("topics are as they should be")
