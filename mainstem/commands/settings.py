"""`mainstem settings`: the environment's variables."""

import typer

from mainstem.commands.terminal import AsJson, plain_table, print_json, read_settings, stdout

group = typer.Typer()


@group.command(epilog="Example: mainstem settings --json")
def settings(as_json: AsJson = False) -> None:
    """Show every MAINSTEM_* variable, its value and its meaning."""
    current = read_settings()
    values = current.shown()
    if as_json:
        print_json(values)
        return
    table = plain_table("Variable", "Value", "Meaning")
    for name, info in type(current).model_fields.items():
        value = "–" if values[name] is None else str(values[name])
        table.add_row(f"MAINSTEM_{name.upper()}", value, info.description)
    stdout().print(table)
