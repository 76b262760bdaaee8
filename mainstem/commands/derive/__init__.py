"""`mainstem derive`: what is computed of several records, and its references tried on a file of numbers."""

from pathlib import Path
from typing import Annotated

import typer

from mainstem.commands.terminal import AsJson, print_json, say, stdout, styled
from schemas.errors import OperatorError

group = typer.Typer(
    name="derive", help="Values computed of several records: list, show, try their references.", no_args_is_help=True
)


@group.command("list", epilog="Example: mainstem derive list --json")
def list_values(as_json: AsJson = False) -> None:
    """List the derived values that can be asked for by MAINSTEM_DERIVE, and the references that can be tried on a file."""
    from mainstem.commands.derive.told import all_told

    rows = all_told()
    if as_json:
        print_json(rows)
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        say(f"{row['name']:{width}}  {row.get('version', '-'):7}  {row['what']}")


@group.command(epilog="Example: mainstem derive show bmi-z")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `mainstem derive list` names it.")],
    as_json: AsJson = False,
) -> None:
    """Show what a value or a reference needs and gives, of which window, by which method, from which sources."""
    from mainstem.commands.derive.told import told_of

    told = told_of(name)
    if as_json:
        print_json(told)
        return
    for key, text in told.items():
        for line in text if isinstance(text, list) else [text]:
            stdout().print(styled((f"{key:10}", "bold"), f" {line}"), soft_wrap=True)


@group.command(epilog="Example: mainstem derive table growth children.csv --json")
def table(
    reference: Annotated[str, typer.Argument(metavar="growth|gli", help="The reference.")],
    path: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Numbers, a row a measurement; columns as `show` lists them.")
    ],
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV on standard output; so it is without --json.")] = False,
) -> None:
    """Try a reference on a file: one row out for each row in, in their order; an empty cell says why it is empty."""
    from mainstem.commands.derive.files import answers, print_csv, print_objects
    from mainstem.commands.derive.references import reference_of

    if as_json and as_csv:
        raise OperatorError("--json and --csv are both asked for", "Choose one.")
    rows = answers(reference_of(reference), path, lambda line: say(line, err=True))
    (print_objects if as_json else print_csv)(rows)
