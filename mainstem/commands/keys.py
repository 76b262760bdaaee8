"""`mainstem keys`: the key pair a site logs in with."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mainstem.commands.terminal import SitePath, tell
from schemas.errors import OperatorError

group = typer.Typer(name="keys", help="A site's key pair for SMART Backend Services: new, jwks.", no_args_is_help=True)


class _Algorithm(StrEnum):
    ES384 = "ES384"
    RS384 = "RS384"


@group.command(
    epilog="Examples: mainstem keys new sites/north.toml > north-jwks.json; "
    "mainstem keys new sites/north.toml --algorithm RS384 --to /etc/mainstem/north.jwks"
)
def new(
    site: SitePath,
    algorithm: Annotated[
        _Algorithm, typer.Option(help="Signature algorithm; every server knows both.")
    ] = _Algorithm.ES384,
    to: Annotated[
        Path | None, typer.Option(help="File of the private key; keys/<site>.jwks beside the site file where absent.")
    ] = None,
) -> None:
    """Make a key pair: the private key for this user alone, the JWKS to register on standard output and in a file.

    Where the site has a key already it is kept beside the new one until that is known: the newest is tried first, the
    other where the server does not know it. Run it again to change keys; register the JWKS each time.
    """
    from datetime import UTC, datetime

    from mainstem.config.site_files import file_secrets, read_site
    from mainstem.config.site_keys import where_to_register, write_keys

    file = read_site(site)
    made = write_keys(
        file,
        file_secrets(file.folder),
        algorithm=algorithm.value,
        to=to.resolve() if to else None,
        now=datetime.now(UTC),
    )
    sys.stdout.write(made.jwks)
    tell(f"wrote {made.private} (private, this user alone) and {made.public} (the JWKS to register)")
    for line in where_to_register(file):
        tell(f"register it: {line}")
    if made.kept:
        tell(f"kept beside it: {made.kept}; it is used where the server does not know the new one yet")
    auth = file.site.fhir.auth if file.site.fhir else None
    if auth is None or auth.private_key != made.reference or auth.key_id or auth.algorithm:
        tell(
            f'then in [fhir.auth] of {site}: method = "smart-backend", client_id, private_key = "{made.reference}"; '
            "no key_id, no algorithm: the file says both"
        )
    tell(f"next: mainstem check {site}")


@group.command(epilog="Example: mainstem keys jwks sites/north.toml > north-jwks.json")
def jwks(site: SitePath) -> None:
    """Show the public half of the keys in use, as the JWKS to register; the one tried first stands first."""
    from connectors.client.keys import public_jwks
    from mainstem.config.site_files import file_secrets, read_site
    from mainstem.config.site_keys import keys_in_use, where_to_register

    file = read_site(site)
    keys = keys_in_use(file, file_secrets(file.folder))
    if not keys:
        raise OperatorError(f"{site}: the site logs in by no key of its own", "`mainstem keys new` makes one.")
    sys.stdout.write(public_jwks(keys))
    for line in where_to_register(file):
        tell(f"registered at: {line}")
