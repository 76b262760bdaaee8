"""How far the search of a type has come, and what of it did not come: kept with the landing, said at the end."""

from datetime import datetime

import msgspec

from connectors.completeness import Crawl
from connectors.fan_out import BOTH, CATEGORY
from connectors.formats.outcome import among_results
from connectors.pulled import Shortfall, unread
from schemas.gaps import GapCause


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
            began=self.began, way=self.way, singly=self.singly, timeless=self.timeless, sizeless=self.sizeless
        )

    def short(self, resource_type: str) -> list[Shortfall]:
        """What of the type did not come, or may not have."""
        short = []
        if self.errors:
            short.append(Shortfall.of_error(resource_type, among_results(resource_type, self.errors)))
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
            notes.append(f"{resource_type}: the server refuses the plain search; it was asked for by {self.way}")
        if self.way in (CATEGORY, BOTH):
            notes.append(f"{resource_type}: what stands under none of the US Core categories does not come that way")
        if self.not_taken:
            notes.append(f"{resource_type}: the server does not take the categories {', '.join(self.not_taken)}")
        if self.beside:
            notes.append(f"{resource_type}: with it came what is not mapped: {unread(self.beside)}")
        return notes
