"""HTTP to one FHIR server: log-in, pace, retries, the same-origin rule, caps, and errors that say what to do."""

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import httpx2
import stamina

from connectors.client import bodies, connections
from connectors.client.auth import Clock, Secrets, TokenAuth, auth_for
from connectors.client.bodies import PAGE_BYTES, SMALL_BYTES, body, flowing, is_fhir_xml, is_page, require_encoding
from connectors.client.limits import THROTTLED, Notice, Pace, Patience, Quota, QuotaSpent, log_retry, no_notice
from connectors.client.origins import Origins
from connectors.formats.outcome import FORBIDDING, errors_of, parameter_wanted, wants_parameter
from connectors.formats.utf8 import BOM
from connectors.outside.decoding import Form, TooDeep, Unreadable, decoded
from connectors.outside.times import http_date, pause_after
from connectors.vendors import GENERIC, Evidence, Vendor, told_by, vendor
from schemas.errors import IncompleteError, MainstemError, OperatorError, TemporaryError
from schemas.gaps import GapCause
from schemas.sites import Fhir

# httpx2 logs every URL at INFO, and a paging link may name a patient.
logging.getLogger("httpx2").setLevel(logging.WARNING)

stamina.instrumentation.set_on_retry_hooks([log_retry])

FHIR_JSON = "application/fhir+json"
RETRY_SECONDS = 600.0
ATTEMPTS, REDIRECTS = 5, 5
LATE = 2
"""How often in a row a token just granted must not be taken: not all of a server may know it yet."""
CHANGED, NO_SUCH_METHOD, PROXY_LOG_IN, NOT_IMPLEMENTED = 203, 405, 407, 501
WANTING = frozenset({400, 412, 422})
"""Statuses by which servers refuse a search for what it does not say."""
TOO_LONG = frozenset({413, 414, 431})
"""Statuses by which they, or a gateway before them, refuse an address for its length."""
_NOT_UNDERSTOOD = WANTING | TOO_LONG | {NO_SUCH_METHOD}
_SEE_OTHER = frozenset({301, 302, 303})
_OTHER_LOG_IN = "Check [fhir.auth] in the site file, and with the EHR's administrator whether the client is active."
_LOG_INS = {
    "basic": "Check fhir.auth.username and fhir.auth.secret, and with the EHR's administrator whether the account is locked.",
    "bearer": "Put a new token where fhir.auth.secret says: this one has ended, or never was one of this server.",
}
"""What to do about a log-in that is not taken, by its method."""
_LOG_IN = re.compile(r"log-?[io]n|sign-?[io]n|\bauth|sso|saml|adfs|oauth|openid", re.IGNORECASE)
"""Words in the addresses of log-in pages."""
Sleep = Callable[[float], None]
T = TypeVar("T")


def no_requirement(_read: object, _what: str) -> None:
    """Takes whatever can be decoded."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's whole answer."""

    status: int
    headers: httpx2.Headers
    content: bytes

    @property
    def date(self) -> datetime | None:
        """The server's own time, UTC."""
        return http_date(self.headers.get("Date", ""))


class FhirClient:
    """One FHIR server. A context manager; not shared between threads.

    `attempts` requests are made before an error that may pass is raised; `readers` share what the vendor permits.
    """

    def __init__(
        self,
        fhir: Fhir,
        *,
        types: Sequence[str],
        folder: Path,
        secrets: Secrets,
        clock: Clock,
        transport: httpx2.BaseTransport | None = None,
        sleep: Sleep = time.sleep,
        attempts: int = ATTEMPTS,
        notice: Notice = no_notice,
        readers: int = 1,
    ) -> None:
        self._named_vendor = fhir.vendor or ""
        self.vendor: Vendor = vendor(fhir.vendor or told_by(Evidence(base_url=str(fhir.base_url)))[0] or GENERIC)
        self.origins = Origins(fhir)
        self.clock = clock
        self.sleep = sleep
        self.patience = Patience(notice)
        self._quota = Quota(fhir.quota_header)
        self._base = str(fhir.base_url).rstrip("/")
        self._client_id = fhir.auth.client_id or fhir.auth.username or fhir.auth.method.replace("none", "")
        self._method = fhir.auth.method
        self._registered_id = fhir.auth.client_id or ""
        self.auth = auth_for(fhir, types=types, secrets=secrets, clock=clock)
        self._pace = Pace(fhir.requests_per_second, readers, sleep)
        self._attempts = attempts
        self._not_taken_yet = 0
        self._form_of: tuple[tuple[str, str], ...] = ()
        self._timeout = fhir.timeout_seconds
        self._proxy_for = partial(connections.proxy_for, fhir, direct=transport is not None)
        self._http = connections.open_connections(fhir, folder, secrets, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def keep_manners_of(self, name: str) -> None:
        """From here on those of the vendor that was found out; the site file's word stands above it."""
        if name and not self._named_vendor:
            self.vendor = vendor(name)

    def url(self, path: str) -> str:
        """A URL below the base URL."""
        return f"{self._base}/{path}"

    def onward(self, path: str, link: str) -> str:
        """Where a page of a search at a path leads to; a link that is nothing but parameters is of the same search, one of another
        port of the same host is told as the server sees itself."""
        return f"{self.url(path)}{link}" if link.startswith("?") else self.origins.at_the_asked_port(link)

    def read(
        self,
        url: str,
        form: Form[T],
        *,
        what: str,
        params: Sequence[tuple[str, str]] = (),
        log_in: bool = True,
        accepted: Collection[int] = (200,),
        cap: int = PAGE_BYTES,
        require: Callable[[T, str], None] = no_requirement,
    ) -> tuple[T, Answer]:
        """A JSON answer of at most `cap` bytes, decoded. `what` names in messages what was asked for.

        `require` raises, of the answer and `what`, what may pass when asked again.
        """

        def once() -> tuple[T, Answer]:
            form_of = () if "_format=" in url else self._form_of
            answer = self._whole(
                "GET", url, what=what, params=(*params, *form_of), log_in=log_in, accepted=accepted, headers={}, cap=cap
            )
            self._form_of = bodies.JSON_BY_NAME if is_fhir_xml(answer.content) else self._form_of
            read = decode(answer, form, what=what, place=self.origins.place(url))
            require(read, what)
            return read, answer

        return self.again_and_again(once)

    def ask(
        self,
        method: str,
        url: str,
        *,
        what: str,
        accepted: Collection[int],
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        log_in: bool = True,
        content: bytes = b"",
        cap: int = PAGE_BYTES,
    ) -> Answer:
        """Any answer of the accepted statuses."""

        def once() -> Answer:
            return self._whole(
                method,
                url,
                what=what,
                params=params,
                log_in=log_in,
                accepted=accepted,
                headers=headers or {},
                content=content,
                cap=cap,
            )

        return self.again_and_again(once)

    def again_and_again(self, once: Callable[[], T]) -> T:
        """What `once` gives, tried again with growing, jittered pauses while its error may pass."""
        pauses = iter(THROTTLED)
        for attempt in stamina.retry_context(
            on=lambda exc: self._may_pass(exc, pauses),
            attempts=self._attempts,
            timeout=RETRY_SECONDS,
            wait_initial=0.5,
            wait_max=30.0,
            wait_jitter=1.0,
        ):
            with attempt:
                return once()
        raise AssertionError("the last attempt raises")

    def _may_pass(self, exc: Exception, pauses: Iterator[float]) -> bool | float:
        """Whether another attempt may do, or after how many seconds; `pauses`: where a server that has enough says none."""
        if isinstance(exc, QuotaSpent):
            return False
        if isinstance(exc, Refused):
            return isinstance(self.auth, TokenAuth) and 0 < self._not_taken_yet <= LATE
        if not isinstance(exc, TemporaryError):
            return isinstance(exc, IncompleteError | WebPage)
        pause = exc.retry_after or (next(pauses, THROTTLED[-1]) if isinstance(exc, Throttled) else None)
        if pause is None:
            return True
        self.patience.waits(exc.cause, pause)
        return pause

    @contextmanager
    def download(self, url: str, *, what: str, log_in: bool) -> Iterator[Iterator[bytes]]:
        """A file's bytes as a stream; one attempt."""
        headers = {"Accept": "application/fhir+ndjson, */*;q=0.5"}
        with self._stream(
            "GET", url, what=what, params=(), log_in=log_in, accepted=(200, 204), headers=headers
        ) as response:
            require_encoding(response, what=what)
            yield self._no_page(flowing(response, what=what), response.headers, url, what)

    def _no_page(self, blocks: Iterator[bytes], headers: httpx2.Headers, url: str, what: str) -> Iterator[bytes]:
        """The blocks. Raises WebPage for a page, whatever it calls itself."""
        for first in blocks:
            if is_page(headers, first):
                raise html_page(self.origins.place(url), what)
            yield first
            break
        yield from blocks

    def _whole(
        self,
        method: str,
        url: str,
        *,
        what: str,
        params: Sequence[tuple[str, str]],
        log_in: bool,
        accepted: Collection[int],
        headers: Mapping[str, str],
        cap: int,
        content: bytes = b"",
    ) -> Answer:
        merged = {"Accept": FHIR_JSON, "Cache-Control": "no-cache", **headers}
        with self._stream(
            method, url, what=what, params=params, log_in=log_in, accepted=accepted, headers=merged, content=content
        ) as response:
            content = body(response, cap=cap, what=what)
            status = 200 if response.status_code == CHANGED else response.status_code
            return Answer(status, response.headers, content)

    @contextmanager
    def _stream(
        self,
        method: str,
        url: str,
        *,
        what: str,
        params: Sequence[tuple[str, str]],
        log_in: bool,
        accepted: Collection[int],
        headers: Mapping[str, str],
        content: bytes = b"",
    ) -> Iterator[httpx2.Response]:
        """An answer of an accepted status; redirects followed by the same-origin rule; errors as ours."""
        target = self.origins.trusted(url)
        if params:
            target = target.copy_merge_params(list(params))
        response: httpx2.Response | None = None
        try:
            self._quota.require(what, self.vendor.title, ending=method == "DELETE")
            for _ in range(REDIRECTS + 1):
                response = self._send(method, target, headers, content, log_in=log_in)
                if not (method == "GET" and response.has_redirect_location):
                    break
                response.close()
                target = self._redirected(response, what)
            if response is None or response.has_redirect_location:
                raise OperatorError(
                    f"{what}: {self.origins.place(url)} redirects without end", "Check fhir.base_url and the log-in."
                )
            self._quota.see(self.vendor, response.headers)
            self._not_taken_yet = self._not_taken_yet + 1 if response.status_code == 401 else 0
            if response.status_code not in accepted and not (response.status_code == CHANGED and 200 in accepted):
                raise self._wanting(response, what) or self._refusal(response, what)
            yield response
        except httpx2.HTTPError as exc:
            raise self._broken(exc, target) from exc
        except httpx2.InvalidURL:
            raise OperatorError(
                f"{what}: {self.origins.place(url)} redirects to no address",
                "Look where the server, or a gateway before it, sends what is asked of it.",
                who="site IT",
            ) from None
        finally:
            if response is not None:
                response.close()

    def _redirected(self, response: httpx2.Response, what: str) -> httpx2.URL:
        """Where an answer leads. Raises WebPage where that is somebody else's log-in."""
        there = str(response.url.join(response.headers["Location"]))
        if response.status_code in _SEE_OTHER and not self.origins.own_or_allowed(there) and _LOG_IN.search(there):
            raise WebPage(
                f"{what}: {self.origins.place(str(response.url))} redirects to a log-in page at {self.origins.place(there)}",
                "Check fhir.base_url, [fhir.auth] and the VPN; a gateway asks people to log in there.",
            )
        return self.origins.trusted(there)

    def _send(
        self, method: str, url: httpx2.URL, headers: Mapping[str, str], content: bytes, *, log_in: bool
    ) -> httpx2.Response:
        self._pace.keep(self.vendor)
        own = self.origins.own(url)
        merged = {**headers, **(self._vendor_headers() if own else {})}
        request = self._http.build_request(method, url, headers=merged, content=content or None)
        if self.auth is None or not (own and log_in):
            return self._http.send(request, stream=True)
        return self._logged_in(request, self.auth)

    def _vendor_headers(self) -> dict[str, str]:
        return {name: text.format(client_id=self._registered_id) for name, text in self.vendor.headers.items()}

    def _logged_in(self, request: httpx2.Request, auth: httpx2.Auth) -> httpx2.Response:
        """The last answer of the log-in's flow. httpx2 would read every other one whole, whatever its size."""
        with closing(auth.sync_auth_flow(request)) as flow:
            request = next(flow)
            while True:
                response = self._http.send(request, stream=True)
                try:
                    request = flow.send(response)
                except StopIteration:
                    return response
                except BaseException:
                    response.close()
                    raise
                response.close()

    def _wanting(self, response: httpx2.Response, what: str) -> MainstemError | None:
        """Whether a request is refused for what it does not say."""
        if response.status_code not in WANTING or response.is_closed:
            return None
        try:
            told = body(response, cap=SMALL_BYTES, what=what)
        except IncompleteError:
            return None
        if response.url.scheme == "http" and connections.WANTS_TLS.search(told):
            return connections.wants_tls(self.origins.place(str(response.url)))
        if wants_parameter(told):
            return parameter_wanted(what)
        forbidden = any(error.startswith(FORBIDDING) for error in errors_of(told))
        return self._not_taken(response, what, OperatorError) if forbidden else None

    def _refusal(self, response: httpx2.Response, what: str) -> MainstemError:
        """What to do about a status; the server's own words stay out, they may hold anything."""
        status = response.status_code
        place = self.origins.place(str(response.url))
        pause = pause_after(response.headers.get("Retry-After", ""), self.clock())
        enough = status == 429 or (status == 403 and pause is not None)
        if enough or status in self.vendor.retried or (status >= 500 and status != NOT_IMPLEMENTED):
            return (Throttled if enough else TemporaryError)(
                f"{what}: {place} answered {status}",
                GapCause.NOT_ANSWERED.fix,
                retry_after=pause,
                who="site IT",
            )
        if status == 401 and not self._client_id:
            return Refused(
                f"{what}: {place} wants a log-in (401), and the site file has none",
                "Fill in [fhir.auth]; `mainstem sites packet` writes what the EHR's administrator needs to register it.",
            )
        if status == 401:
            return Refused(
                f"{what}: {place} does not accept the log-in of {self._client_id} (401)",
                _LOG_INS.get(self._method, _OTHER_LOG_IN),
            )
        if status == 403:
            return Refused(
                f"{what}: {place} does not permit {self._client_id or 'anybody without a log-in'} to read it (403)",
                "Grant this client the scope to read it; or fhir.auth.scope asks for less than is granted (an export may need "
                "system/*.read)."
                if self._client_id
                else "Register a client and fill in [fhir.auth] with what it gets; or permit reading without a log-in.",
                who="site IT",
            )
        if status == PROXY_LOG_IN:
            return OperatorError(
                f"{what}: the proxy on the way to {place} wants a log-in (407)",
                "Set fhir.proxy_login to the place of user:password.",
            )
        if status in (404, 410):
            return Gone(
                f"{what}: {place} does not have it ({status})", "Check fhir.base_url, and types in the site file."
            )
        return self._not_taken(response, what, BadRequest if status in _NOT_UNDERSTOOD else OperatorError)

    def _not_taken(self, response: httpx2.Response, what: str, kind: type[OperatorError]) -> OperatorError:
        cause = f"{what}: {self.origins.place(str(response.url))} answered {response.status_code}"
        return kind(cause, "Check fhir.vendor and fhir.base_url; `mainstem check` tries each type.")

    def _broken(self, exc: httpx2.HTTPError, url: httpx2.URL) -> MainstemError:
        """A failure below HTTP, naming host and port of the request that failed (it may be the token's)."""
        with suppress(RuntimeError):  # raised where no request is attached; then it was ours
            url = exc.request.url
        key = "fhir.allowed_origins" if self.origins.own_or_allowed(str(url)) else "fhir.auth.token_url"
        key = "fhir.base_url" if self.origins.own(url) else key
        return connections.broken(exc, url, proxy=self._proxy_for(url), seconds=self._timeout, key=key)


class Throttled(TemporaryError):
    """The server has enough of our requests for now."""


class Gone(OperatorError):
    """The server does not, or no longer, have what the URL names."""


class BadRequest(OperatorError):
    """The server does not understand, or does not take, what it is asked for."""


class Refused(OperatorError):
    """The server does not know us, or does not permit it."""


class WebPage(OperatorError):
    """A page for people came in the place of data, or the way to one. Some servers do so for seconds: it is tried again."""

    gap = GapCause.ERROR_ANSWER


def decode(answer: Answer, form: Form[T], *, what: str, place: str) -> T:
    """The body's JSON. Raises WebPage for a page for people, IncompleteError for JSON that is not whole."""
    require_no_page(answer, what=what, place=place)
    try:
        return decoded(answer.content.removeprefix(BOM), form)
    except Unreadable as exc:
        raise not_fhir(exc, what=what, place=place) from None


def require_no_page(answer: Answer, *, what: str, place: str) -> None:
    """Raises WebPage for a page for people."""
    if is_fhir_xml(answer.content):
        raise WebPage(
            f"{what}: {place} answers with FHIR in XML, though JSON is asked for",
            "Have the server, or the gateway before it, heed the header Accept: application/fhir+json, or _format=json.",
            who="EHR vendor",
        )
    if is_page(answer.headers, answer.content):
        raise html_page(place, what)


def not_fhir(why: Unreadable, *, what: str, place: str) -> IncompleteError:
    """Data came that cannot be read."""
    if isinstance(why, TooDeep):
        return IncompleteError(
            f"{what}: {place} answers with JSON that is nested too deeply to be FHIR",
            "Mend what the server answers.",
            who="EHR vendor",
        )
    if why.is_json:
        return IncompleteError(f"{what}: {place} answers with JSON that is not FHIR", "Check fhir.base_url.")
    return IncompleteError(f"{what}: {place} answers with JSON that is not whole", "Run it again.")


def html_page(place: str, what: str) -> WebPage:
    """A page for people came where data was expected."""
    return WebPage(
        f"{what}: {place} answers with a web page (HTML or XML) instead of FHIR JSON",
        "It is a log-in page or a proxy's message as a rule: check fhir.base_url, [fhir.auth] and the VPN.",
    )
