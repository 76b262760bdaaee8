"""What the steps of one site's refresh need of the world, and how it is put together."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

import structlog

from connectors.client.origins import Origins
from connectors.landing import Landing, LandingZone
from connectors.source import Source, utc_now
from mainstem import __version__, telemetry
from mainstem.config.settings import Settings
from mainstem.config.site_files import Secrets, SiteFile, file_secrets, read_site, warn_of_one_key
from mainstem.database import in_the_open
from mainstem.database.urls import left_open, open_to_others
from mainstem.kafka.settings import unreachable
from mainstem.publisher import Publisher, publisher_of
from mainstem.state import State
from schemas.sites import Site

log = structlog.get_logger()


class Progress(Protocol):
    """For progress bars; called now and then."""

    def __call__(self, step: str, unit: str, count: int, of: int | None = None, /) -> None:
        """How many so far of a unit or type; `of`: how many there will be, where that can be told."""


Notice = Callable[[str], None]
"""One sentence for whoever looks on: why it takes long."""


def no_progress(_step: str, _unit: str, _count: int, _of: int | None = None, /) -> None:
    """Shows nothing."""


def no_notice(_sentence: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Refresh:
    """What the steps of one site's refresh need of the world."""

    file: SiteFile
    settings: Settings
    store: State
    secrets: Secrets
    clock: Callable[[], datetime] = utc_now
    progress: Progress = no_progress
    notice: Notice = no_notice
    export_wait: Callable[[float], None] | None = None
    """How the seconds are spent while an EHR makes its export; asleep where nothing else is said."""

    @property
    def site(self) -> Site:
        """The site's configuration."""
        return self.file.site

    def source(self, types: Sequence[str], vendor: str = "") -> Source:
        """The site as it is read, asked for those types; `vendor` as it was found out, where the site file does not say."""
        site = self.site
        if list(types) != site.types:
            site = site.model_copy(update={"types": list(types)})
        if vendor and site.fhir is not None and site.fhir.vendor is None:
            site = site.model_copy(update={"fhir": site.fhir.model_copy(update={"vendor": vendor})})
        return Source(
            site=site,
            folder=self.file.folder,
            secrets=self.secrets,
            clock=self.clock,
            notice=self._wait_for_server,
            export_wait=self.export_wait,
        )

    def _wait_for_server(self, sentence: str) -> None:
        log.info("waiting", site=self.site.site, why=sentence)
        self.notice(sentence)

    def landing(self, load_id: str) -> Landing:
        """A load's folder in the landing zone."""
        return self.landing_zone.of(load_id)

    @property
    def landing_zone(self) -> LandingZone:
        """Where the site's loads land."""
        return LandingZone(self.settings.landing, self.site.site)

    def publisher(self) -> AbstractContextManager[Publisher]:
        """The publisher of this site's changes: one for all steps, which connects once. What fails ends its connection."""
        return _borrowed(self._publisher, self.settings)

    @cached_property
    def _publisher(self) -> Publisher:
        sent = 0

        def count(events: int) -> None:
            nonlocal sent
            sent += events
            self.progress("publish", "events", sent)

        return publisher_of(self.site.site, self.settings, self.store.outbox, progress=count, notice=self.notice)

    def close(self) -> None:
        """Closes the connections."""
        if "_publisher" in vars(self):
            self._publisher.close()
        self.store.close()


@contextmanager
def _borrowed(publisher: Publisher, settings: Settings) -> Iterator[Publisher]:
    """A broker that went away since is told at once, as one that was never there."""
    if publisher.is_connected and unreachable(settings.kafka_settings()):
        publisher.discard()
    try:
        yield publisher
    except BaseException:
        publisher.discard()
        raise


@contextmanager
def open_refresh(
    site_path: Path,
    settings: Settings,
    *,
    secrets: Secrets | None = None,
    progress: Progress = no_progress,
    notice: Notice = no_notice,
    export_wait: Callable[[float], None] | None = None,
) -> Iterator[Refresh]:
    """A site's refresh on the configured parts; closes the store at the end."""
    telemetry.start(settings.telemetry, __version__)
    file = read_site(site_path)
    warn_of_one_key(file)
    store = State.open(settings.database_url)
    secrets = secrets or file_secrets(file.folder)
    with closing(
        Refresh(file, settings, store, secrets, progress=progress, notice=notice, export_wait=export_wait)
    ) as refresh:
        store.migrate()
        for sentence in _in_the_open(file.site, store):
            log.warning("not encrypted", site=file.site.site, what=sentence)
            notice(sentence)
        for sentence in (*left_open(store.database.engine.url), *_landing_open(settings, file.site.site)):
            log.warning("open to others", site=file.site.site, what=sentence)
            notice(sentence)
        yield refresh


def _landing_open(settings: Settings, site: str) -> list[str]:
    """Folders of raw FHIR that others can look into."""
    zone = settings.landing / site
    return open_to_others(each for each in (zone.parent, zone, *zone.glob("*")) if each.is_dir())


def _in_the_open(site: Site, store: State) -> list[str]:
    """What travels unencrypted because somebody allowed it. Raises OperatorError where nobody did."""
    return [
        *(Origins(site.fhir).in_the_open if site.fhir and site.road != "files" else ()),
        *in_the_open(store.database.engine.url),
    ]
