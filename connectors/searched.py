"""How far the search of a type has come, and what of it did not come: kept with the landing, said at the end."""

from datetime import datetime

import msgspec

from connectors.client.auth import TokenAuth
from connectors.client.fhir_client import FhirClient
from connectors.client.scopes import not_granted
from connectors.completeness import Crawl
from connectors.fan_out import BOTH, CATEGORY, PATIENT
from connectors.formats.outcome import among_results
from connectors.pulled import Pulled, Shortfall, unread
from schemas.errors import IncompleteError
from schemas.gaps import GapCause

_LISTED = (
    "Have the server name its pages by the address it is asked at (X-Forwarded-Host and its like); if the other place is the "
    "site's own, add it to fhir.allowed_origins: it will not get the token."
)


_LAPSED = (
    "Have the server's log read for why; where they lapse too soon, raise fhir.page_size, or the server's own limit."
)


class LinkRefused(Exception):
    """The server does not know, or does not take, the link to a page that it gave itself."""


class SearchCursor(msgspec.Struct, kw_only=True):
    """How far a search has come: what the landing holds, and the page to read next."""

    began: datetime
    as_of: datetime | None = None
    way: str = ""
    """What the type is asked for by, where the server takes no plain search."""
    singly: bool = False
    """Whether patients are asked for one at a time: not every server takes several."""
    uncounted: bool = False
    """Whether the server was asked for a count and gave none."""
    sizeless: bool = False
    """Whether no size of a page is asked for: not every server takes one."""
    not_taken: list[str] = []
    """Categories the server does not take."""
    branch: int = 0
    """Which of the searches that make up the type."""
    url: str = ""
    """Next page; empty at a branch's beginning."""
    elsewhere: str = ""
    """Where the server's own links lead that are not followed."""
    refused_links: int = 0
    """How often the server did not take a link of its own; after the second time none is followed."""
    silent: bool = False
    """Whether the server gives nothing of the type, whatever time is asked for, or none."""
    confirmed: bool = False
    """Whether a window that gave nothing was asked for once more."""
    crawl: Crawl = msgspec.field(default_factory=Crawl)
    missing: int = 0
    """How many fewer came than the server counts."""
    unproven: bool = False
    """Whether more may be there that nobody counts."""
    distinct: int = 0
    """Different resources that the searches gave which are done."""
    timeless: bool = False
    """Whether no time is asked for: the server gives nothing for any."""
    heeds: bool | None = None
    """Whether the server heeds `_lastUpdated`, once that is proven."""
    dated: bool = False
    """Whether `as_of` is the server's."""
    counted: bool = True
    """Whether each search gave just as many as the server counts."""
    errors: list[str] = []
    """Errors the server sent among the results, each kind once."""
    files: list[str] = []
    size: int = 0
    """Bytes of the last file that are whole."""
    messages_size: int = 0
    resources: int = 0
    beside: dict[str, int] = {}
    """Resources that came with the type and are of another, which this version does not map though the model needs it."""
    messages: int = 0
    pages: int = 0
    bytes: int = 0
    newest: datetime | None = None
    first: datetime | None = None
    """The same of the first of the searches alone."""
    done: bool = False

    def anew(self) -> "SearchCursor":
        """From the beginning, with what was learnt of how to ask."""
        return SearchCursor(
            began=self.began,
            way=self.way,
            singly=self.singly,
            timeless=self.timeless,
            sizeless=self.sizeless,
            confirmed=self.confirmed,
            refused_links=self.refused_links,
        )

    def pulled(self, resource_type: str, way: str, *, windowed: bool) -> Pulled:
        """What the search gave. `way`: what it was asked for by; `windowed`: whether of a time alone."""
        return Pulled(
            unit=resource_type,
            files=self.files,
            resources=self.resources,
            types={resource_type: self.distinct},
            full=not windowed or self.heeds is False or self.silent,
            heeds=False if self.timeless else self.heeds,
            counted=self.counted
            and way in ("", PATIENT)  # else some belong to none of the searches
            and (self.heeds is False or not (windowed and self.silent)),  # nothing counted is no count of what there is
            way=way,
            timed=self.dated and (self.resources > 0 or self.counted),
            pages=self.pages,
            bytes=self.bytes,
            messages=self.messages,
            short=self.short(resource_type),
            notes=self.notes(resource_type),
            newest=self.newest,
            as_of=self.as_of or self.began,
        )

    def short(self, resource_type: str) -> list[Shortfall]:
        """What of the type did not come, or may not have."""
        short = []
        if self.errors:
            short.append(Shortfall.of_error(resource_type, among_results(resource_type, self.errors)))
        if self.elsewhere and (self.missing or self.unproven):
            reason = f"{resource_type}: the server's next links lead to another place, {self.elsewhere}; not followed"
            short.append(Shortfall(resource_type, GapCause.PAGING, reason, _LISTED))
        if self.refused_links > 1 and (self.missing or self.unproven):
            reason = f"{resource_type}: the server does not take its own next links"
            short.append(Shortfall(resource_type, GapCause.PAGING, reason, _LAPSED))
        if self.missing:
            reason = f"{resource_type}: the server counts {self.missing} more than it sent, and names no further page"
            short.append(Shortfall(resource_type, GapCause.SHORT_OF_COUNT, reason))
        if self.unproven:
            reason = f"{resource_type}: the server neither counts nor names a next page, and the last page may not be the end"
            short.append(Shortfall(resource_type, GapCause.END_NOT_PROVEN, reason))
        return short

    def notes(self, resource_type: str) -> list[str]:
        """How the type was asked for, where it was not plainly."""
        notes = []
        if self.way:
            notes.append(
                f"{resource_type}: the server takes no plain search, or finds nothing by it; it was asked for by {self.way}"
            )
        if self.way in (CATEGORY, BOTH):
            notes.append(f"{resource_type}: what stands under none of the US Core categories does not come that way")
        if self.elsewhere and not (self.missing or self.unproven):
            notes.append(
                f"{resource_type}: the server's next links lead to {self.elsewhere}; it was paged without them"
            )
        if self.refused_links > 1 and not (self.missing or self.unproven):
            notes.append(f"{resource_type}: the server does not take its own next links; it was paged without them")
        if self.not_taken:
            notes.append(f"{resource_type}: the server does not take the categories {', '.join(self.not_taken)}")
        if self.beside:
            notes.append(f"{resource_type}: with it came what is not mapped: {unread(self.beside)}")
        return notes


def kept_back(client: FhirClient, pulled: Pulled) -> Pulled:
    """A type that came empty and is not among the scopes of the token: a server answers so who may not read it."""
    granted = client.auth.granted if isinstance(client.auth, TokenAuth) else ""
    if pulled.resources or pulled.short or not not_granted([pulled.unit], granted):
        return pulled
    reason = f"{pulled.unit}: empty, and not among the scopes that the server granted"
    fix = "Grant this client the scope to read it; or leave it out of `types` in the site file."
    short = Shortfall(pulled.unit, GapCause.REFUSED, reason, fix, "site IT")
    return msgspec.structs.replace(pulled, short=[short])


def in_a_circle(resource_type: str) -> IncompleteError:
    """Links that lead nowhere new."""
    return IncompleteError(
        f"{resource_type}: the server's next links go in a circle",
        "Mend the paging links; another fhir.page_size may do until then.",
        who="EHR vendor",
        gap=GapCause.PAGING,
    )


def too_many_pages(resource_type: str, pages: int) -> IncompleteError:
    """More than a site's limit."""
    return IncompleteError(
        f"{resource_type}: more than {pages} pages", "Raise limits.pages if that is genuine.", gap=GapCause.PAGING
    )
