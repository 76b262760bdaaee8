"""`mainstem topics`: the network's Kafka topics."""

from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import AsJson, plain_table, print_json, read_settings, say, stdout
from schemas.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mainstem.kafka.acls import Role
    from mainstem.kafka.topics import TopicFinding

group = typer.Typer(name="topics", help="The network's Kafka topics.", no_args_is_help=True)
Partitions = Annotated[int, typer.Option(min=1, help="Partitions of the outcome topic; never changed afterwards.")]
Replication = Annotated[int, typer.Option(min=1, help="Copies of each partition.")]
Groups = Annotated[list[str], typer.Option("--group", help="Consumer group that needs a dead-letter topic.")]


@group.command("create", epilog="Example: mainstem topics create --replication 3 --group registry")
def create(partitions: Partitions = 12, replication: Replication = 3, groups: Groups = ["registry"]) -> None:  # noqa: B006 - typer copies it
    """Create the network's topics with their settings; topics that exist stay as they are."""
    from mainstem.kafka.topics import create

    current = read_settings()
    created = create(
        current.kafka_settings(), current.network, groups=groups, partitions=partitions, replication=replication
    )
    for name in created:
        say(f"created {name}")
    if not created:
        say("all topics exist; `mainstem topics check` compares their settings")


@group.command("check", epilog="Example: mainstem topics check --json")
def check(
    partitions: Partitions = 12,
    replication: Replication = 3,
    groups: Groups = ["registry"],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:
    """Compare the topics with what Mainstem needs; exit code 3 on a difference."""
    from mainstem.kafka.topics import check_topics

    current = read_settings()
    findings = check_topics(
        current.kafka_settings(), current.network, groups=groups, partitions=partitions, replication=replication
    )
    if as_json:
        print_json([finding._asdict() for finding in findings])
    elif findings:
        _print_findings(findings)
    else:
        say("topics are as they should be")
    if findings:
        raise typer.Exit(ExitCode.ATTENTION)


@group.command("allow", epilog="Example: mainstem topics allow User:north")
def allow(
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="Kafka's name of it: User:north.")],
    consumer: Annotated[bool, typer.Option("--consumer", help="A consumer's rights, not a publisher's.")] = False,
    results: Annotated[
        bool, typer.Option("--results", help="What `mainstem feedback pull` needs: it may read every site's counts.")
    ] = False,
    keeper: Annotated[
        bool,
        typer.Option(
            "--keeper", help="What `mainstem feedback run` needs: the consumer `feedback`, and to tell results."
        ),
    ] = False,
    families: Annotated[
        bool,
        typer.Option("--families", help="What `mainstem home` needs: to publish for the centre, and to ask sites."),
    ] = False,
    group: Annotated[str, typer.Option(help="The consumer's group.")] = "registry",
) -> None:
    """Give a principal the ACLs of a site's publisher, of a consumer, of who keeps or fetches results, or of the families' page: one principal a site, one a group."""
    from mainstem.kafka.acls import allow

    current = read_settings()
    asked: dict[Role, bool] = {"consumer": consumer, "results": results, "keeper": keeper, "families": families}
    chosen = [name for name, wanted in asked.items() if wanted]
    if len(chosen) > 1:
        together = " and ".join(f"--{name}" for name in chosen)
        raise OperatorError(f"{together} are asked for together", "Choose one; run it again for another.")
    role: Role = chosen[0] if chosen else "publisher"
    group = "feedback" if keeper else group
    for right in allow(current.kafka_settings(), current.network, principal, role, group=group):
        say(f"{principal} may {right}")


@group.command("describe", epilog="Example: mainstem topics describe --json")
def describe(groups: Groups = ["registry"], as_json: AsJson = False) -> None:  # noqa: B006 - typer copies it
    """The network's topics as they are: what each carries, its key, partitions, copies, how long it keeps what."""
    from mainstem.kafka.topics import describe_topics

    current = read_settings()
    found = describe_topics(current.kafka_settings(), current.network, groups=groups)
    if as_json:
        print_json([each._asdict() for each in found])
    else:
        _print_table(("topic", "carries", "key", "partitions", "copies", "in sync", "policy", "kept"), found)


@group.command("acls", epilog="Example: mainstem topics acls --group registry")
def acls(groups: Groups = ["registry"], as_json: AsJson = False) -> None:  # noqa: B006 - typer copies it
    """Who may do what with the network's topics and groups, as the cluster has it."""
    from mainstem.kafka.acls import granted

    current = read_settings()
    found = granted(current.kafka_settings(), current.network, groups)
    if as_json:
        print_json([each._asdict() for each in found])
    elif not found:
        say("nobody but the brokers' administrators may do anything; see `mainstem topics allow`")
    else:
        _print_table(("principal", "host", "may", "operation", "resource"), found)


def _print_table(names: tuple[str, ...], rows: "Sequence[tuple[object, ...]]") -> None:
    table = plain_table(*names)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    stdout().print(table)


def _print_findings(findings: "list[TopicFinding]") -> None:
    """What differs, one row each; the fix below it, whole, so that it can be copied."""
    table = plain_table("topic", "setting", "wanted", "found")
    for finding in findings:
        table.add_row(finding.topic, finding.setting, finding.expected, finding.found)
    console = stdout()
    console.print(table)
    for fix in dict.fromkeys(finding.fix for finding in findings):
        console.print(f"fix: {fix}", soft_wrap=True)
