"""`mainstem messages`: what the screen can say, with what to do and who can do it."""

from typing import Annotated

import typer

from mainstem.commands.terminal import AsJson, print_json, stdout, styled
from schemas.errors import OperatorError

group = typer.Typer()


@group.command(epilog='Example: mainstem messages "does not permit"')
def messages(
    words: Annotated[str, typer.Argument(metavar="WORDS", help="Words of the screen; all messages where absent.")] = "",
    as_json: AsJson = False,
) -> None:
    """Look up a message by its words: cause, what to do, who, the exit code. … stands for what is filled in."""
    from dataclasses import asdict

    from mainstem.commands.messages.catalogue import catalogue

    wanted = words.casefold().split()
    found = [each for each in catalogue() if all(word in each.cause.casefold() for word in wanted)]
    if not found:
        raise OperatorError(f"no message has the words {words}", "Give fewer words, without names and numbers.")
    if as_json:
        print_json([asdict(each) for each in found])
        return
    console = stdout()
    for each in found:
        code = f" (exit code {each.exit_code}: {each.exit_code.meaning})" if each.exit_code else ""
        console.print(styled((each.cause, "bold"), code), soft_wrap=True)
        console.print(styled(("  fix:", "bold green"), f" {each.fix} ({each.who})"), soft_wrap=True)
