"""Airflow's pools, one a site: how many tasks run at once that work for it, so that one that floods leaves workers to all others."""

from pathlib import Path
from typing import TypedDict

from mainstem.config.site_files import site_paths, try_read
from schemas.sites import Site

PREFIX = "ehr_"


class Pool(TypedDict):
    """As `airflow pools import` takes it."""

    slots: int
    description: str
    include_deferred: bool


def pool_of(stem: str) -> str:
    """The name of a site's pool, by its file's name."""
    return f"{PREFIX}{stem}"


def side_by_side(site: Site | None) -> int:
    """Tasks of a site that are mapped; of one whose file cannot be read, the first fails."""
    return min(site.parallel, len(site.types)) if site else 1


def share(slots: int, at_once: int) -> int:
    """Slots of one site among tasks that Airflow runs at once: half of them at most."""
    return min(slots, max(1, at_once // 2))


def pools(sites: Path, at_once: int) -> dict[str, Pool]:
    """Each site's, by its name."""
    return {
        pool_of(path.stem): Pool(
            slots=share(side_by_side(try_read(path)), at_once),
            description=f"Tasks of {path.stem} at once",
            include_deferred=True,
        )
        for path in site_paths(sites)
    }
