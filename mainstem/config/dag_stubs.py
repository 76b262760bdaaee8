"""What Airflow needs of each site, written from the site files: a stub with the DAG that reads it and the one that maps its landing again; and
one that looks after all of them."""

import re
from collections.abc import Mapping
from pathlib import Path

from mainstem.config.site_files import read_site, site_paths
from schemas.errors import OperatorError

PREFIX = "ehr_pull__"
# Airflow reads a file as a DAG only where the words "airflow" and "dag" stand in it.
STUB = '''"""Airflow DAGs of one site: its refresh, and its landing mapped again. Written by `mainstem sites dags`."""

from dags.site_dag import replay_dag, site_dag

pull, replay = site_dag("{stem}"), replay_dag("{stem}")
'''
FORMER_PREFIX = "ehr_replay__"
"""Of stubs that held the second DAG alone."""
NETWORK_STUB = '''"""Airflow DAG that looks after every site's freshness. Written by `mainstem sites dags`."""

from dags.freshness_dag import freshness_dag

dag = freshness_dag()
'''


STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""What a site file may be called to have a stub: it is all that stands in the stub, which runs with Airflow's rights."""


def stubs(sites: Path) -> dict[str, str]:
    """Each stub's text by its file name, of broken site files too: their DAGs fail at once and say why.

    A file of its own for each site: a broken site file takes no other site's DAG offline. One, because Airflow reads each file in a
    process of its own. Named after the site file, which can be told whatever stands in it.
    """
    return {"network_freshness.py": NETWORK_STUB} | {
        name: text
        for path in site_paths(sites)
        if STEM.fullmatch(path.stem)
        for name, text in stub_of(path.stem).items()
    }


def stub_of(stem: str) -> dict[str, str]:
    """That of one site, by its file's name."""
    return {f"{PREFIX}{stem}.py": STUB.format(stem=stem)}


def faults(sites: Path) -> list[str]:
    """What is wrong with site files, a sentence each."""
    from mainstem.config.schedule import is_schedule  # the stubs' own writing needs it not

    found = []
    for path in site_paths(sites):
        if not STEM.fullmatch(path.stem):
            found.append(f"{path}: has no DAG: name the file by letters, digits, hyphens and underscores")
        try:
            schedule = read_site(path).site.schedule
            if not is_schedule(schedule):
                found.append(
                    f"{path}: schedule: no cron expression; write minute, hour, day, month, weekday: 30 2 * * *"
                )
        except OperatorError as exc:
            found.extend(exc.causes)
    return list(dict.fromkeys(found))


def write_stubs(sites: Path, to: Path) -> list[str]:
    """Writes the stubs and removes those of sites that are gone. Returns a line a change."""
    wanted = stubs(sites)
    to.mkdir(parents=True, exist_ok=True)
    changes = []
    for path in sorted((*to.glob(f"{PREFIX}*.py"), *to.glob(f"{FORMER_PREFIX}*.py"))):
        if path.name not in wanted:
            path.unlink()
            changes.append(f"removed {path}")
    changes += write_each(wanted, to)
    return changes or [f"{len(wanted)} stubs in {to} are up to date"]


def write_each(wanted: Mapping[str, str], to: Path) -> list[str]:
    """Writes those that are not there or differ. Returns a line a change."""
    changes = []
    for name, text in wanted.items():
        path = to / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changes.append(f"wrote {path}")
    return changes
