"""What Airflow needs of each site, written from the site files: one DAG stub a site."""

from pathlib import Path

from mainstem.config.site_files import read_site, site_paths
from schemas.errors import OperatorError

PREFIX = "ehr_pull__"
# Airflow reads a file as a DAG only where the words "airflow" and "dag" stand in it.
STUB = '''"""Airflow DAG: refreshes {name}. Written by `mainstem sites dags`."""

from dags.site_dag import site_dag

dag = site_dag("{stem}")
'''


def stubs(sites: Path) -> dict[str, str]:
    """Each stub's text by its file name, of broken site files too: their DAGs fail at once and say why.

    One file a site: a broken site file takes no other site's DAG offline. Named after the site file, which can be told
    whatever stands in it.
    """
    return {f"{PREFIX}{path.stem}.py": STUB.format(name=_name(path), stem=path.stem) for path in site_paths(sites)}


def faults(sites: Path) -> list[str]:
    """What is wrong with site files, a sentence each."""
    found = []
    for path in site_paths(sites):
        try:
            read_site(path)
        except OperatorError as exc:
            found.append(exc.cause)
    return found


def _name(path: Path) -> str:
    try:
        return read_site(path).site.name
    except OperatorError:
        return path.stem


def write_stubs(sites: Path, to: Path) -> list[str]:
    """Writes the stubs and removes those of sites that are gone. Returns a line a change."""
    wanted = stubs(sites)
    to.mkdir(parents=True, exist_ok=True)
    changes = []
    for path in sorted(to.glob(f"{PREFIX}*.py")):
        if path.name not in wanted:
            path.unlink()
            changes.append(f"removed {path}")
    for name, text in wanted.items():
        path = to / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changes.append(f"wrote {path}")
    return changes or [f"{len(wanted)} stubs in {to} are up to date"]
