"""What bounds the talk with a server, and what is said of it while it lasts.

requests at once        one a reader; `parallel` readers (site file)
requests a second       fhir.requests_per_second, each reader's; the vendor's of a minute, of all readers together
requests a day          the vendor's quota, by fhir.quota_header or the headers its file names; the last RESERVE are left
seconds an answer       fhir.timeout_seconds between bytes; bodies.ANSWER_SECONDS for all of one held in memory
bytes a second          bodies.SLOWEST of a download, over bodies.WINDOW_SECONDS
seconds a pause         outside.times.LONGEST_PAUSE, whatever Retry-After says; THROTTLED where it says nothing;
                        fhir_client.RETRY_SECONDS for all of a request
bytes an answer         bodies.PAGE_BYTES, STATEMENT_BYTES, SMALL_BYTES, unpacked
bytes a file            limits.file_bytes, unpacked; formats.gzip.RATIO times its packed size beyond FREE_BYTES
bytes a line            limits.line_bytes
depth of JSON           the decoder's: some hundreds of brackets in brackets
pages of a search       limits.pages, and no `next` twice
files of an export      MOST_FILES over MANIFESTS pages, in roads.bulk
redirects               fhir_client.REDIRECTS
patients a request      cohort.PATIENTS, and cohort.LETTERS of their ids
lines kept aside        limits.quarantine_lines, limits.quarantine_bytes
"""

import time
from collections.abc import Callable, Mapping

from stamina.instrumentation import RetryDetails

from connectors.vendors import Vendor
from schemas.errors import TemporaryError
from schemas.gaps import GapCause

THROTTLED = (1.0, 5.0, 30.0, 60.0)
"""Seconds to wait where a server has enough of us and does not say for how long, one after the other: some take nothing more
for the rest of a second, eClinicalWorks for the rest of the minute."""
RESERVE = 20
"""Requests of a day's quota that are left: to end what was begun at the server."""
WORTH_SAYING = 5.0
"""Seconds; a shorter pause is over before it was read."""
Notice = Callable[[str], None]
"""One sentence for whoever looks on: why it takes long."""


def no_notice(_sentence: str) -> None:
    """Tells nobody."""


class Pace:
    """The time between two requests of a reader: by the site's rate, and by the vendor's of a minute, which all readers share."""

    def __init__(self, a_second: float, readers: int, sleep: Callable[[float], None]) -> None:
        self._pause, self._readers, self._sleep = 1 / a_second, readers, sleep
        self._next_at = 0.0

    def keep(self, vendor: Vendor) -> None:
        """Waits for the moment of the next request."""
        now = time.monotonic()
        if now < self._next_at:
            self._sleep(self._next_at - now)
        most = vendor.requests_a_minute
        self._next_at = max(now, self._next_at) + max(self._pause, 60 * self._readers / most if most else 0)


class QuotaSpent(TemporaryError):
    """No more requests today. It passes, but not while anybody waits."""

    gap = GapCause.QUOTA_SPENT


class Quota:
    """The requests that are left of the vendor's for a day, as its answers say."""

    def __init__(self, header: str | None = None) -> None:
        """`header`: the one that says it at this site, beside those of the vendor's file."""
        self._own = (header,) if header else ()
        self._left: int | None = None

    def see(self, vendor: Vendor, headers: Mapping[str, str]) -> None:
        """An answer's headers."""
        for name in self._own or vendor.quota_left:
            self._note(_count(headers.get(name, "")))
        for used_name, most_name in vendor.quota_used:
            used, most = _count(headers.get(used_name, "")), _count(headers.get(most_name, ""))
            if used is not None and most is not None:
                self._note(max(0, most - used))

    def _note(self, left: int | None) -> None:
        if left is not None:
            self._left = left

    def require(self, what: str, title: str, *, ending: bool) -> None:
        """Raises QuotaSpent where no more may be asked; what ends something at the server may use the reserve."""
        if self._left is not None and self._left <= (0 if ending else RESERVE):
            raise QuotaSpent(
                f"{what}: the day's quota of requests to {title} is spent but for {self._left}",
                "Nothing, if it passes: the next run goes on when it is renewed (midnight GMT as a rule). Where it lasts, give a larger "
                "quota; or a cohort is read.",
                who="EHR vendor",
            )


def log_retry(details: RetryDetails) -> None:
    """That something is asked again; stamina's own line shows the error as Python writes it."""
    import structlog

    structlog.get_logger().info("asked again", cause=str(details.caused_by), after_seconds=round(details.wait_for, 1))


class Patience:
    """Says once why nothing comes."""

    def __init__(self, notice: Notice) -> None:
        self._notice, self._said = notice, False

    def waits(self, why: str, seconds: float) -> None:
        """A pause begins; each reader tells of its first."""
        if seconds >= WORTH_SAYING and not self._said:
            self._said = True
            self._notice(f"{why}; waiting {seconds:.0f} s at a time")


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 15 else None
