"""Starts the feedback pages, behind the network's log-in or, on loopback, with the demo's choice of role."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mainstem.database import name_of
from schemas.errors import OperatorError
from services.access.claims import Mapped
from services.access.database import AccessDatabase
from services.access.demo import DemoEntrance, demand_loopback
from services.access.entrance import Entrance
from services.access.gate import Gate
from services.access.login import SessionEntrance
from services.access.oidc import Client, LogIn
from services.access.provider import LOOPBACK, Provider
from services.access.sessions import Sessions
from services.access.views import Views
from services.pages.app import make_app
from services.pages.entering import LOG_IN
from services.people.questionnaires import load
from services.registry.database import open_registry
from services.registry.holders import Holders
from services.registry.traced import traced
from services.serving import Say, serve

HOST, PORT = "127.0.0.1", 8071


@dataclass(frozen=True)
class Login:
    """How the network's people log in; as the settings say it."""

    issuer: str
    client_id: str
    client_secret: str | None
    address: str
    """Where browsers reach the pages: https://feedback.network.example."""
    mapped: Mapped


@dataclass(frozen=True)
class Served:
    """What is served, and where."""

    registry_url: str
    access_url: str
    network: str
    host: str = HOST
    port: int = PORT
    names: Sequence[str] = ()
    home_address: str = ""
    age_policy: Path | None = None
    questionnaire: Path | None = None


def run(served: Served, *, login: Login | None, demo_site: str, say: Say) -> None:
    """Serves the pages until interrupted. Raises OperatorError where neither a log-in nor the demo's site is set."""
    with _entered(served, login, demo_site) as (entrance, views):
        engine = open_registry(served.registry_url)
        try:
            app = make_app(
                engine,
                network=served.network,
                gate=Gate(entrance, views, Holders(engine)),
                warm=True,
                home_address=served.home_address,
                age_policy=served.age_policy,
                own_form=load(served.questionnaire) if served.questionnaire else None,
            )
            what = f"Feedback pages of network {served.network}, from {name_of(engine.url)},"
            names = [*served.names, *([urlsplit(login.address).hostname or ""] if login else [])]
            serve(traced(app, engine), what, host=served.host, port=served.port, names=names, say=say)
        finally:
            engine.dispose()


@contextmanager
def _entered(served: Served, login: Login | None, demo_site: str) -> Iterator[tuple[Entrance, Views]]:
    """The entrance as set and the log of views: a log-in, or the demo's choice. Both at once are neither."""
    if bool(login) == bool(demo_site):
        raise OperatorError(
            "the pages show a network's own data, and "
            + ("both a log-in and the demo's choice of role are set" if login else "no log-in is set"),
            "Set MAINSTEM_OIDC_ISSUER, MAINSTEM_OIDC_CLIENT_ID and MAINSTEM_PAGES_ADDRESS; to look at a demo on this "
            "machine alone, MAINSTEM_DEMO_ROLES=SITE.",
        )
    if demo_site:
        demand_loopback(served.host)
    database = AccessDatabase.open(served.access_url)
    try:
        entrance: Entrance = _entrance(login, database) if login else DemoEntrance(demo_site)
        yield entrance, Views(database)
    finally:
        database.close()


def _entrance(login: Login, database: AccessDatabase) -> SessionEntrance:
    address = urlsplit(login.address)
    if address.scheme != "https" and address.hostname not in LOOPBACK:
        raise OperatorError(
            "MAINSTEM_PAGES_ADDRESS is not https: log-ins would travel in the open",
            "Put a proxy with TLS before the pages, and set its https address.",
        )
    client = Client(login.client_id, login.client_secret, f"{login.address.rstrip('/')}{LOG_IN}/back")
    found = LogIn(Provider(login.issuer), client, login.mapped)
    return SessionEntrance(Sessions(database), found, secure=address.scheme == "https")
