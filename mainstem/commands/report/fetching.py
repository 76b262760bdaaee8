"""What clinicians contest at a site, fetched from the network's pages by the site's own token: a nightly report needs no hand."""

from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

from mainstem.commands.report.contested import Contested, contested
from mainstem.config.site_files import file_secrets
from mainstem.refresh import Refresh
from schemas.encryption import require_encryption
from schemas.errors import OperatorError, TemporaryError
from schemas.given_files import MOST_BYTES
from schemas.showing import host_and_port
from services.access.viewers import NOT_YOURS

TOKEN = "MAINSTEM_PAGES_TOKEN"
NOT_TAKEN = (
    f"Have one made for this site (`mainstem registry tokens new NAME --role site-team --site SITE`) for {TOKEN}."
)
SECONDS = 30
CORRECT = (
    "Set MAINSTEM_PAGES_ADDRESS to the address that the network's pages have in a browser, without a path behind it."
)


def contested_at_pages(refresh: Refresh) -> tuple[list[Contested], list[str]]:
    """Those of the site, where its settings name the pages and a token; else none. What kept them away is a note, not silence."""
    settings = refresh.settings
    if not (settings.pages_address and settings.pages_token):
        return [], []
    try:
        token = file_secrets(Path.cwd())(settings.pages_token).decode().strip()
        with TemporaryDirectory() as folder:
            path = Path(folder, "contested.csv")
            path.write_bytes(_asked(settings.pages_address, refresh.site.site, token))
            return contested(refresh, path), []
    except (OperatorError, TemporaryError) as problem:
        return [], [f"what clinicians contest was not read: {problem.cause}. {problem.fix}"]


def _asked(pages: str, site: str, token: str) -> bytes:
    """The list as CSV. Raises OperatorError, TemporaryError; an answer's words are never passed on."""
    url = httpx2.URL(f"{pages.rstrip('/')}/contested/{site}/lines.csv")
    place = f"the pages at {host_and_port(url.host, url.port)}"
    require_encryption(
        encrypted=url.scheme == "https",
        host=url.host,
        allowed=False,
        carries="the site's token",
        place=place,
        fix="Set MAINSTEM_PAGES_ADDRESS to an https address.",
    )
    try:
        with httpx2.stream("GET", url, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS) as answer:
            _require_list(answer, place, site)
            return _whole(answer, place)
    except httpx2.TimeoutException:
        raise TemporaryError(f"{place} did not answer within {SECONDS} s", "Run again later.") from None
    except httpx2.ConnectError:
        raise TemporaryError(f"{place} cannot be reached", f"See that they are up; else: {CORRECT}") from None
    except httpx2.HTTPError:
        raise TemporaryError(f"{place} broke off their answer", "Run again later.") from None


def _require_list(answer: httpx2.Response, place: str, site: str) -> None:
    """Each kind of no is its own: the pages' token, the site it was made for, another server at that address."""
    status = answer.status_code
    if status >= 500 or status == 429:
        raise TemporaryError(f"{place} gave no list ({status})", "Run again later.")
    if status in (401, 403):
        raise OperatorError(f"{place} do not take the token for {site} ({status})", NOT_TAKEN)
    if status == 404 and next(answer.iter_bytes(), b"").startswith(NOT_YOURS.encode()):
        raise OperatorError(f"{place} have no site {site} for this token (404)", NOT_TAKEN)
    if status == 404:
        raise OperatorError(f"at the address of {place} there is no list for {site} (404)", CORRECT)
    if answer.has_redirect_location:
        raise OperatorError(f"{place} lead elsewhere instead of giving a list ({status})", CORRECT)
    if status != 200:
        raise OperatorError(f"{place} do not answer what is asked ({status})", CORRECT)
    if not answer.headers.get("Content-Type", "").startswith("text/csv"):
        raise OperatorError(f"{place} gave something else than a list", CORRECT)


def _whole(answer: httpx2.Response, place: str) -> bytes:
    read = bytearray()
    for block in answer.iter_bytes():
        read += block
        if len(read) > MOST_BYTES:
            raise OperatorError(f"{place} gave a list larger than {MOST_BYTES >> 20} MiB", "Look at the address.")
    return bytes(read)
