"""The DAG files of a hundred sites, read by Airflow's own DAG processor: a process a file."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import Bench
from checkouts import Checkout
from figure import Figure
from measuring import Ran, measure

SITES, ONE = 100, 1
SITE = 'site = "{name}"\nname = "{name}"\ntime_zone = "America/New_York"\nsubject_key = "file:key"\n[files]\nfolder = "in"\n'


def figures(bench: Bench) -> Iterator[Figure]:
    """Beyond what the processor takes for one site: its own start is paid once."""
    read = {count: dict(_read(bench, count)) for count in (ONE, SITES + ONE)}
    for checkout, many in read[SITES + ONE].items():
        one = read[ONE][checkout]
        seconds, cpu = (many.seconds - one.seconds) / SITES, (many.cpu - one.cpu) / SITES
        note = f"{many.seconds:.0f} s for {SITES + ONE} sites; {cpu:.2f} s of processor time a site"
        what = "DAG files of a site, read"
        yield Figure(what, seconds, "s", checkout.name, cpu, "≤ 0.3 s", note, lower_is_better=True)


def _read(bench: Bench, count: int) -> Iterator[tuple[Checkout, Ran]]:
    folder = bench.folder / f"dag_files_{count}"
    (folder / "sites").mkdir(parents=True)
    for number in range(count):
        (folder / "sites" / f"s{number}.toml").write_text(SITE.format(name=f"s{number}"))
    return bench.in_turns(1, partial(_by_airflow, folder))


def _by_airflow(folder: Path, checkout: Checkout) -> Ran:
    home = folder / checkout.name
    airflow = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "MAINSTEM_SITES": str(folder / "sites"),
    }
    checkout.mainstem("sites", "dags", folder / "sites", "--to", home / "dags")
    command = [sys.executable, "-P", "-m", "airflow"]
    measure([*command, "db", "migrate"], env=checkout.environment | airflow)
    return measure([*command, "dag-processor", "--num-runs", "1"], env=checkout.environment | airflow)
