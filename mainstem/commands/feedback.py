"""`mainstem feedback`: the pages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import read_settings, tell
from mainstem.config.site_files import file_secrets

if TYPE_CHECKING:
    from mainstem.config.settings import Settings
    from services.pages.running import Login

group = typer.Typer()


@group.command()
def feedback(
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8071,
) -> None:
    """Serve the feedback pages: measures as control charts."""
    from services.pages.running import Served, run

    current = read_settings()
    served = Served(current.registry_url, current.access_url, current.network, host, port, current.host_names)
    run(served, login=_login(current), demo_site=current.demo_roles, say=tell)


def _login(current: "Settings") -> "Login | None":
    from services.access.claims import Mapped
    from services.pages.running import Login

    if not current.oidc_issuer:
        return None
    secret = current.oidc_client_secret
    return Login(
        current.oidc_issuer,
        current.oidc_client_id,
        file_secrets(Path.cwd())(secret).decode() if secret else None,
        current.pages_address,
        Mapped.of(current.oidc_role_claim, current.oidc_site_claim, current.oidc_roles, current.oidc_sites),
    )
