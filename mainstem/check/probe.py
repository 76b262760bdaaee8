"""What a file of this room declares, and what the probes of one check tell each other."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from connectors.client.capabilities import Capabilities
from connectors.client.fhir_client import FhirClient
from connectors.fan_out import read_some
from connectors.pulling import Source, readable, reads_files
from connectors.sorting import SORTED, DeliveryPart, first_lines
from mainstem.check.finding import Finding
from mainstem.config.site_files import SiteFile
from mainstem.config.site_mapper import site_mapper
from schemas.errors import MainstemError
from schemas.problems import Reason
from schemas.sites import Site
from transforms.mapped import Mapped

SAMPLED = 50
"""Resources of a type that are looked at."""


@dataclass
class Visit:
    """One site while it is checked. What an earlier probe could not find out is None; those that need it look at nothing."""

    source: Source
    client: FhirClient | None = None
    """Where the site has a server to be read from."""
    capabilities: Capabilities | None = None
    logged_in: bool = False
    delivered: dict[str, list[DeliveryPart]] | None = None
    """Files by type, where the site delivers into a folder."""

    sample: "Sample | None" = None
    outcome: "SampleMapped | None" = None

    def mapped(self) -> "SampleMapped":
        """What the site's own mapping makes of the sample. Raises OperatorError for a broken code map."""
        if self.outcome is None:
            self.outcome = map_sample(self)
        return self.outcome

    def sampled(self) -> "Sample":
        """The first resources of each type, read once."""
        if self.sample is None:
            self.sample = take_sample(self)
        return self.sample

    @property
    def site(self) -> Site:
        """The site as its file describes it."""
        return self.source.site

    @property
    def reads_files(self) -> bool:
        """Whether a folder is read, and no server."""
        return reads_files(self.site)


@dataclass
class Sample:
    """What the first page, or the first file, of each type holds."""

    lines: dict[str, list[bytes]] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    """How many there are, of the types of which the server says so."""
    seconds: float = 0.0
    """What reading it took, of a server."""
    more: dict[str, bool] = field(default_factory=dict)
    """Whether a next page is linked."""

    @property
    def size(self) -> int:
        """Resources in all."""
        return sum(map(len, self.lines.values()))


@dataclass(frozen=True)
class SampleMapped:
    """What became of the sample."""

    records: list[Mapped]
    refused: list[Reason]
    flags: dict[str, int]
    unmapped: dict[str, int]


def map_sample(visit: Visit) -> SampleMapped:
    """By the site's own key, zone and code map."""
    mapper = site_mapper(SiteFile(visit.site, visit.source.folder / visit.site.site), visit.source.secrets)
    outcomes = mapper.map_lines([line for lines in visit.sampled().lines.values() for line in lines])
    refused = [each.problem.reason for each in outcomes.unusual.values() if each.problem is not None]
    return SampleMapped(outcomes.records, refused, mapper.take_flags(), mapper.take_unmapped())


def take_sample(visit: Visit) -> Sample:
    """Of a type that cannot be read, nothing: the finding of its page, or its file, says so."""
    sample = Sample()
    delivered = visit.delivered or {}
    for name in (*visit.site.types, SORTED):
        for part in delivered.get(name, [])[:1]:
            with suppress(OSError):
                sample.lines[name] = first_lines(part, visit.source.files, SAMPLED, cap=visit.site.limits.line_bytes)
    if visit.client is not None and visit.logged_in:
        began = time.perf_counter()
        for name in readable(visit.site, visit.capabilities):
            with suppress(MainstemError):
                page = read_some(visit.client, name, SAMPLED)
                sample.lines[name], sample.more[name] = page.resources, bool(page.next)
                if page.total is not None:
                    sample.totals[name] = page.total
        sample.seconds = time.perf_counter() - began
    return sample


@dataclass(frozen=True)
class Probe:
    """One thing to look at."""

    look: Callable[[Visit], Iterable[Finding]]
    """What was found; nothing where it does not concern the site, or cannot be told."""
    after: str = ""
    """The probe, by its file's name, that has to come before."""
    closer: bool = False
    """Whether it looks into what is read: for people before the first run, not for each night."""
