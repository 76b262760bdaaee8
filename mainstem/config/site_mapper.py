"""A site's mapper: its pseudonym key, time zone and code map put together."""

from collections.abc import Callable, Collection
from pathlib import Path

from mainstem.config.site_files import Secrets, SiteFile
from schemas.errors import OperatorError
from schemas.given_files import given_table
from schemas.sites import Site
from transforms import ALL_TYPES, CodeMapRow, Mapper, parse_code_map
from transforms.reading.references import LookUp, LookUpLent

KEY_BYTES = 32


def site_mapper(
    file: SiteFile,
    secrets: Secrets,
    *,
    look_up: LookUp | None = None,
    lent: LookUpLent | None = None,
    bears: Callable[[bytes], bool] | None = None,
    types: Collection[str] = ALL_TYPES,
    with_map: bool = True,
) -> Mapper:
    """The mapper of a site; `look_up` answers for resources that others are read with, `lent` for what they say, `bears` for whom
    references may name; without its code map where that is asked for. Raises OperatorError for a short key or a broken code map."""
    site = file.site
    return Mapper(
        site=site.site,
        time_zone=site.time_zone,
        subject_key=subject_key(site, secrets),
        code_map=[*shared_map(file), *own_map(file)] if with_map else [],
        types=types,
        look_up=look_up,
        lent=lent,
        bears=bears,
        midnight_is_date=site.dates_as_midnight_utc,
        place=(site.place.latitude, site.place.longitude) if site.place else None,
    )


def subject_key(site: Site, secrets: Secrets) -> bytes:
    """The key of a site's pseudonyms. Raises OperatorError for a short one."""
    key = secrets(site.subject_key)
    if len(key) < KEY_BYTES:
        raise OperatorError(
            f"{site.site}: the subject key has {len(key)} bytes; pseudonyms need at least {KEY_BYTES}",
            "`mainstem sites new` writes a good one. Keep it: another key gives other pseudonyms.",
        )
    return key


def shared_map(file: SiteFile) -> list[CodeMapRow]:
    """The network's rows of a site's code map. Raises OperatorError for a broken file."""
    return read_code_map(file.resolve(file.site.shared_code_map)) if file.site.shared_code_map else []


def own_map(file: SiteFile) -> list[CodeMapRow]:
    """The site's own rows, which win. Raises OperatorError for a broken file."""
    return read_code_map(file.resolve(file.site.code_map)) if file.site.code_map else []


def read_code_map(path: Path) -> list[CodeMapRow]:
    """The rows of a file. Raises OperatorError for a broken one."""
    with given_table(path) as file:
        return list(parse_code_map(file.read(), str(path)))
