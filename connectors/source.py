"""What a road is given: the source it reads, and what is wanted of it."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from connectors.client.auth import Clock, Secrets
from connectors.client.fhir_client import ATTEMPTS, FhirClient, Sleep
from connectors.client.limits import Notice, no_notice
from connectors.cohort import Roster
from connectors.landing import Landing
from schemas.errors import OperatorError
from schemas.sites import Fhir, Site

Progress = Callable[[str, int, int | None], None]
"""(unit, resources so far, how many there will be, as far as that can be told)."""
Sift = Callable[[str, bytes], bytes | None]
"""(resource type, line) → what may be landed of it; None: nothing."""


def utc_now() -> datetime:
    """The clock where none is given."""
    return datetime.now(UTC)


def no_progress(_unit: str, _resources: int, _of: int | None) -> None:
    """Shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A site as its file describes it, and what of the world is needed to read it."""

    site: Site
    folder: Path
    """Where paths of the site file begin."""
    secrets: Secrets
    clock: Clock = utc_now
    sleep: Sleep = time.sleep
    transport: httpx2.BaseTransport | None = None
    """What carries the requests, where it is not the network."""
    notice: Notice = no_notice
    """Told why nothing comes, while the server makes us wait."""
    export_wait: Sleep | None = None
    """How the seconds are spent until an export's status is asked for again; asleep where nothing else is said."""
    attempts: int = ATTEMPTS
    """Requests made before an error that may pass is raised."""

    @property
    def fhir(self) -> Fhir:
        """The site's FHIR server. Raises OperatorError where it has none."""
        if self.site.fhir is None:
            raise OperatorError(f"{self.site.site} has no FHIR server", "Add a [fhir] section with base_url.")
        return self.site.fhir

    @property
    def files(self) -> Path:
        """The folder the site delivers into. Raises OperatorError where it has none."""
        if self.site.files is None:
            raise OperatorError(f"{self.site.site} has no folder of files", "Add a [files] section with folder.")
        return self.folder / self.site.files.folder

    def client(self) -> FhirClient:
        """A client of the site's FHIR server, to be closed."""
        return FhirClient(
            self.fhir,
            types=self.site.types,
            folder=self.folder,
            secrets=self.secrets,
            clock=self.clock,
            transport=self.transport,
            sleep=self.sleep,
            attempts=self.attempts,
            notice=self.notice,
            readers=self.site.parallel,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One unit of a source, updated from `since` and before `until`, and where it goes.

    The landing also tells how far an earlier attempt came.
    """

    unit: str
    landing: Landing
    roster: Roster | None = None
    """The patients it is of, where not of everybody."""
    new: Collection[str] = ()
    """Those of them who are read from the beginning, not from `since`."""
    since: datetime | None = None
    until: datetime | None = None
    sift: Sift | None = None
    """What may be landed of each resource; all of it where there is none."""
    progress: Progress = no_progress

    def sifted(self, resources: Sequence[bytes]) -> Sequence[bytes]:
        """What may be landed of some resources of the unit."""
        if self.sift is None:
            return resources
        found = (self.sift(self.unit, each) for each in resources)
        return [each for each in found if each is not None]
