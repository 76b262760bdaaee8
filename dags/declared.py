"""What a site's DAGs are drawn from, its file, and what they show of it: names, tags, parameters, its runbook."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from airflow.sdk import Param
from croniter import croniter

from dags.run_notes import REPLAYS, runbook
from dags.topic_asset import PULLS
from mainstem.config.pools import pool_of, side_by_side
from mainstem.config.site_files import called, read_site
from schemas.errors import MainstemError, OperatorError
from schemas.runbooks import NIGHT, PROBLEMS
from schemas.sites import Site

RUNBOOK = """\
### {name}

Reads {types} by **{road}** into the outcome stream.

| asked at night | answer |
|---|---|
| How did the last night end? | [its report]({ui}/dags/{dag}/tasks/report): site, type, cause, fix, who, how far; the same is the run's note |
| Which type, which error, how far, is a retry safe? | the end of the failed task's log, above Airflow's own frames |
| Is a retry safe? | always: every step does only what is left |
| It fails at once, without retries | configuration or log-in: `mainstem check {path}` |
| Records waiting, gaps, quarantine | `mainstem status --site {site}`; for the hospital `mainstem report --site {site}` |
| Was something before not read? | a backfill, or a run with `since`, reads again from then; what is known already is told once |
| Can the site be read at all? | a run with `dry_run` proves it and loads nothing |
| Its tasks wait | for its pool `{pool}`: as many at once as the site file's `parallel` |
| What a gap, a reason, an exit code means | {problems} |
| All that happens at night | {night} |
"""
REPLAY_RUNBOOK = """\
### {name}, mapped again

Maps what the landing holds again, without asking the EHR, and publishes what differs: after a new version, a code map, a
setting. `retry` takes what could not be used alone.

| asked | answer |
|---|---|
| What stays as it was? | the run's note and `mainstem report --site {site}` |
| Is a retry safe? | always: it goes on where it was; a refresh that comes in between gives it up, and says so |
"""


def sites_folder() -> Path:
    """Where the site files are: MAINSTEM_SITES, else `sites/` beside the DAG folder."""
    return Path(os.environ.get("MAINSTEM_SITES") or Path(__file__).parent.parent / "sites")


@dataclass(frozen=True)
class Declared:
    """What a site's DAG is drawn from: its site, or what is wrong with its file."""

    path: Path
    site: Site | None
    fault: MainstemError | None = None

    @property
    def dag_id(self) -> str:
        """Of its refresh."""
        return PULLS + re.sub(r"[^\w.-]", "_", self.path.stem)

    @property
    def replay_id(self) -> str:
        """Of the DAG that maps its landing again."""
        return REPLAYS + re.sub(r"[^\w.-]", "_", self.path.stem)

    @property
    def parts(self) -> int:
        """Tasks side by side."""
        return side_by_side(self.site)

    @property
    def pulls(self) -> int:
        """Pulling tasks side by side: a bulk export is one."""
        return 1 if self.site and self.site.road == "bulk" else self.parts

    @property
    def workers(self) -> int:
        """Tasks that map slices of a large type, where they are several."""
        return self.site.workers if self.site else 1

    @property
    def mappers(self) -> int:
        """Tasks that map whole types: as many processes as the site is given to map. Readers wait for the EHR, these for a core."""
        return min(self.workers, self.parts)

    @property
    def at(self) -> dict[str, str]:
        """Which workers do its tasks: those of a pool, and of a queue and an executor where its file names them."""
        named = {"queue": self.site.queue, "executor": self.site.executor} if self.site else {}
        return {"pool": self.pool} | {key: value for key, value in named.items() if value}

    @property
    def pool(self) -> str:
        """Where its tasks wait for one another."""
        return pool_of(self.path.stem)


def declared(path: Path) -> Declared:
    """What a site file declares. Never raises for what stands in it: a DAG that is not there hides the reason."""
    return _declared(path, tuple(sorted(_stamps(path.parent))))


def _stamps(folder: Path) -> Iterator[tuple[str, int, int]]:
    """What tells whether a site file, or one beside it, was changed."""
    with suppress(OSError), os.scandir(folder) as files:
        for each in files:
            if each.name.endswith(".toml"):
                found = each.stat()
                yield each.name, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=1)
def _declared(path: Path, _stamps: tuple[tuple[str, int, int], ...]) -> Declared:
    """A stub asks twice: for both of its DAGs."""
    try:
        site = read_site(path).site
    except MainstemError as exc:
        return Declared(path, None, exc)
    if not croniter.is_valid(site.schedule):
        fault = OperatorError(f"{path}: schedule: not a cron expression", 'Write one such as "0 2 * * *".')
        return Declared(path, None, fault)
    if site.executor and site.executor not in (known := _executors()):
        fault = OperatorError(
            f"{path}: executor: this Airflow has none of that name; it has {', '.join(sorted(known))}",
            "Name one of them, or add it to Airflow's `core.executor`, at its workers too.",
        )
        return Declared(path, None, fault)
    return Declared(path, site)


def _executors() -> set[str]:
    """What a task may name: executors of this Airflow, by their aliases, modules and classes."""
    from airflow.sdk.configuration import conf

    told = [each.strip() for each in str(conf.get("core", "executor")).split(",")]
    named = {part for each in told for part in each.split(":")}
    return named | {name.rpartition(".")[2] for name in named}


def faces(file: Declared) -> dict[str, Any]:
    """What the DAG of its refresh shows."""
    return _of(file, file.site) if file.site else _broken(file)


def replay_faces(file: Declared) -> dict[str, Any]:
    """What the DAG shows that maps its landing again."""
    shown = faces(file)
    named = {"dag_display_name": f"{shown['dag_display_name']}, mapped again"}
    if file.site is None:
        return shown | named
    again = REPLAY_RUNBOOK.format(name=_as_words(file.site.name), site=file.site.site)
    return shown | named | {"description": f"Map the landing of {file.site.name} again", "doc_md": again}


def _of(file: Declared, site: Site) -> dict[str, Any]:
    runs = {"ui": _ui(), "dag": file.dag_id, "pool": file.pool}
    pages = {"problems": _page(PROBLEMS, "gaps, reasons, exit codes"), "night": _page(NIGHT, "run the night")}
    told = {"types": ", ".join(site.types), "road": site.road, "path": file.path, "site": site.site}
    return {
        "dag_display_name": site.name,
        "description": f"Refresh {site.name}",
        "tags": [f"site:{site.site}", f"vendor:{site.fhir.vendor or 'told by the server' if site.fhir else 'files'}"],
        "doc_md": RUNBOOK.format(name=_as_words(site.name), **told, **runs, **pages),
    }


def _page(place: str, words: str) -> str:
    """A page of the documentation, as a link where it is served."""
    where = runbook(place)
    return f"[{words}]({where})" if where.startswith("http") else f"`{where}`"


def _ui() -> str:
    """Where Airflow's own pages are; below no address, where it is not said."""
    from airflow.sdk.configuration import conf

    return str(conf.get("api", "base_url", fallback="")).rstrip("/")


def _broken(file: Declared) -> dict[str, Any]:
    """A site file that cannot be read shows what is wrong with it."""
    assert file.fault is not None
    return {
        "dag_display_name": called(file.path) or file.path.stem,
        "description": f"Broken site file {file.path.name}",
        "tags": [f"site:{file.path.stem}", "broken"],
        "doc_md": f"### {file.path.name} cannot be read\n\n{_as_words(file.fault.cause)}\n\n{_as_words(file.fault.fix)}\n",
    }


def _as_words(text: str) -> str:
    """Text that Markdown shows as it is: what stands in a site file is no link, picture or heading."""
    return re.sub(r"([\\`*_\[\]()#|<>&!~])", r"\\\1", text)


def asked(file: Declared) -> dict[str, Param]:
    """What a run of its refresh may be asked for."""
    types = file.site.types if file.site else []
    return {
        "mode": Param("incremental", enum=["incremental", "full"], description="full reads everything again."),
        "types": Param(
            list(types),
            type="array",
            items={"enum": list(types)} if types else {},
            description="Only these resource types.",
        ),
        "since": Param(
            None,
            type=["null", "string"],
            format="date-time",
            description="Read again from then, where that is before the watermark.",
        ),
        "dry_run": Param(False, type="boolean", description="Only prove that the site can be read."),
    }
