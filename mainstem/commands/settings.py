"""`mainstem settings`: the environment's variables."""

import re

import typer

from mainstem.commands.terminal import AsJson, print_json, read_settings, stdout

group = typer.Typer()


@group.command()
def settings(as_json: AsJson = False) -> None:
    """Show every MAINSTEM_* variable, its value and its meaning."""
    from rich.table import Table

    current = read_settings()
    if as_json:
        print_json(current.model_dump(mode="json", exclude={"database_url", "registry_url"}))
        return
    table = Table("Variable", "Value", "Meaning", box=None, header_style="bold")
    for name, info in type(current).model_fields.items():
        value = getattr(current, name)
        shown = _without_password(str(value)) if value is not None else "–"
        table.add_row(f"MAINSTEM_{name.upper()}", shown, info.description)
    stdout().print(table)


def _without_password(url: str) -> str:
    return re.sub(r"(://[^:/@]+:)[^@/]+@", r"\1…@", url)
