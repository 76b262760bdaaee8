"""What a file of this room declares, and what the probes of one check tell each other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from connectors.client.capabilities import Capabilities
from connectors.client.fhir_client import FhirClient
from connectors.pulling import Source
from connectors.sorting import Part
from mainstem.check.finding import Finding
from schemas.sites import Site


@dataclass
class Visit:
    """One site while it is checked. What an earlier probe could not find out is None; those that need it look at nothing."""

    source: Source
    client: FhirClient | None = None
    """Where the site has a server to be read from."""
    capabilities: Capabilities | None = None
    logged_in: bool = False
    delivered: dict[str, list[Part]] | None = None
    """Files by type, where the site delivers into a folder."""

    @property
    def site(self) -> Site:
        """The site as its file describes it."""
        return self.source.site

    @property
    def reads_files(self) -> bool:
        """Whether a folder is read, and no server."""
        return self.site.fhir is None or self.site.road == "files"


@dataclass(frozen=True)
class Probe:
    """One thing to look at."""

    look: Callable[[Visit], Iterable[Finding]]
    """What was found; nothing where it does not concern the site, or cannot be told."""
    after: str = ""
    """The probe, by its file's name, that has to come before."""
