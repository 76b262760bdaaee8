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

TOKEN = "MAINSTEM_PAGES_TOKEN"
NOT_TAKEN = (
    f"Have one made for this site (`mainstem registry tokens new NAME --role site-team --site SITE`) for {TOKEN}."
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
    place = f"the pages at {url.host}"
    require_encryption(
        encrypted=url.scheme == "https",
        host=url.host,
        allowed=False,
        carries="the site's token",
        place=place,
        fix="Set MAINSTEM_PAGES_ADDRESS to an https address.",
    )
    try:
        with httpx2.stream("GET", url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as answer:
            if answer.status_code != 200:
                _refuse(place, site, answer.status_code)
            return _whole(answer, place)
    except httpx2.HTTPError as exc:
        raise TemporaryError(f"{place} are not reachable ({type(exc).__name__})", "Look at them; run again.") from None


def _refuse(place: str, site: str, status: int) -> None:
    if status >= 500 or status == 429:
        raise TemporaryError(f"{place} gave no list ({status})", "Run again later.")
    raise OperatorError(f"{place} do not take the token for {site} ({status})", NOT_TAKEN)


def _whole(answer: httpx2.Response, place: str) -> bytes:
    read = bytearray()
    for block in answer.iter_bytes():
        read += block
        if len(read) > MOST_BYTES:
            raise OperatorError(f"{place} gave a list larger than {MOST_BYTES >> 20} MiB", "Look at the address.")
    return bytes(read)
