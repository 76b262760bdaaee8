"""Starts the families' page, and beside it the telling of what they say."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from mainstem.config.settings import Settings
from mainstem.consumer import erasures
from mainstem.database import name_of
from schemas.errors import OperatorError
from services.access.database import AccessDatabase
from services.access.provider import LOOPBACK
from services.home.app import Home, make_home
from services.home.knowledge import count_known
from services.home.telling import Ask, Keep, Reported, ask_sites, tell, telling
from services.pages.warming import counting_beside
from services.people.age_policy import AgePolicy
from services.people.questionnaires import load
from services.registry.database import open_registry, reading
from services.registry.traced import traced
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
        kafka, network = settings.kafka_settings(), settings.network
        reports = Reported(partial(erasures.said, kafka, network))
        secure = address.scheme == "https"
        own = load(settings.questionnaire) if settings.questionnaire else None
        home = Home(engine, access, network, policy, secure=secure, reports=reports, own_form=own)
        if keep is None:
            say("what families say stays on these pages: MAINSTEM_CENTRE_KEY is not set, so no record is made of it")
        what = f"Families' page of network {network}, from {name_of(engine.url)},"
        names = [*settings.host_names, address.hostname or ""]
        registry = partial(reading, engine)
        count = partial(count_known, engine, home.memory, home.clock)
        with ExitStack() as beside:
            beside.enter_context(counting_beside(registry, home.memory, count))
            for once in _beside(home, keep, partial(erasures.ask, kafka, network)):
                beside.enter_context(telling(once))
            serve(traced(make_home(home), engine), what, host=place.host, port=place.port, names=names, say=say)
    finally:
        engine.dispose()
        access.close()


def _beside(home: Home, keep: Keep | None, ask: Ask) -> Iterator[Callable[[], object]]:
    """What is done again and again while the page is served, each for itself."""
    yield lambda: ask_sites(home.engine, ask, at=home.clock())
    if keep is not None:
        yield lambda: tell(home.engine, keep, at=home.clock())
