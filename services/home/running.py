"""Starts the families' page, and beside it the telling of what they say."""

from contextlib import nullcontext
from dataclasses import dataclass
from urllib.parse import urlsplit

from mainstem.config.settings import Settings
from mainstem.database import name_of
from schemas.errors import OperatorError
from services.access.database import AccessDatabase
from services.access.provider import LOOPBACK
from services.home.app import Home, make_home
from services.home.telling import Keep, tell, telling
from services.people.age_policy import AgePolicy
from services.registry.database import open_registry
from services.serving import Say, serve


@dataclass(frozen=True)
class Place:
    """Where it is served."""

    host: str = "127.0.0.1"
    port: int = 8072


def run(settings: Settings, place: Place, keep: Keep | None, say: Say) -> None:
    """Serves until interrupted; what families say is told by `keep`, where there is one. Raises OperatorError where codes would travel in the open."""
    address = urlsplit(settings.home_address)
    if settings.home_address and address.scheme != "https" and address.hostname not in LOOPBACK:
        raise OperatorError(
            "MAINSTEM_HOME_ADDRESS is not https: families' codes would travel in the open",
            "Put a proxy with TLS before the page, and set its https address.",
        )
    if not settings.home_address and place.host not in LOOPBACK:
        raise OperatorError(
            f"the page would answer at {place.host} without TLS",
            "Set MAINSTEM_HOME_ADDRESS to the https address of the proxy before it, or bind --host 127.0.0.1.",
        )
    policy, access = AgePolicy.load(settings.age_policy), AccessDatabase.open(settings.access_url)
    engine = open_registry(settings.registry_url)
    try:
        home = Home(engine, access, settings.network, policy, secure=address.scheme == "https")
        told = telling(lambda: tell(engine, keep, at=home.clock())) if keep else nullcontext()
        if keep is None:
            say("what families say stays on these pages: MAINSTEM_CENTRE_KEY is not set, so no record is made of it")
        what = f"Families' page of network {settings.network}, from {name_of(engine.url)},"
        names = [*settings.host_names, address.hostname or ""]
        with told:
            serve(make_home(home), what, host=place.host, port=place.port, names=names, say=say)
    finally:
        engine.dispose()
        access.close()
