"""`mainstem resolve`: from a pseudonym back to the EHR's id, at the site."""

from enum import StrEnum
from typing import Annotated

import typer

from mainstem.commands.terminal import AsJson, SiteOption, open_site, print_json, say

group = typer.Typer()


class _Why(StrEnum):
    CARE = "care"
    DATA_QUALITY = "data-quality"
    CONSENT = "consent"
    SAFETY = "safety"


@group.command(epilog="Example: mainstem resolve s-0123456789abcdef0123456789abcdef --site north --for data-quality")
def resolve(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="As in the events: s-…", show_default=False)],
    site: SiteOption,
    why: Annotated[_Why, typer.Option("--for", help="What it is for; it stands in the audit log.")],
    as_json: AsJson = False,
) -> None:
    """Say which of the EHR's patients a subject is. It takes the site's key and its landing, and is noted in the audit log."""
    from mainstem.refresh.deciding import parsed
    from mainstem.refresh.resolving import resolve as resolved

    with open_site(site, quiet=True) as refresh:
        found = resolved(refresh, parsed(subject), why.value)
    if as_json:
        print_json([{"subject": each.subject, "patient": each.patient} for each in found])
        return
    for each in found:
        say(f"{each.subject} is Patient/{each.patient}")
