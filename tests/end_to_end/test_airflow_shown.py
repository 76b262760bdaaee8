"""A morning after in Airflow's own pages, by a real browser: who failed, why, who must act. `make pictures` keeps what it sees in docs/."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_at_large import AtLarge, local_airflow, log_in
from browser import browser
from hospital_with_faults import FaultyHospital, serving
from hospitals_at_night import rejecting

pytestmark = [pytest.mark.airflow, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
NAMES = {"north": "Northside Children's", "south": "Southport General", "west": "Westlake Pediatrics"}
WELL, REFUSED, BROKEN = "south", "north", "west"
PATIENCE = 120_000
"""Milliseconds; the machine may be busy."""


@pytest.fixture
def airflow(
    make_network: Any, broker: str, postgres_server: Any, network: str, parts_folder: Path
) -> Iterator[AtLarge]:
    """A night is over: one hospital lets nobody read, one's file has a typing error; of the third it is still to come."""
    lhn = make_network(broker, store=postgres_server.create_database(f"s_{abs(hash(network)):x}"))
    patient = {"resourceType": "Patient", "id": "kid-1", "birthDate": "2015-03-01"}
    hospitals = {name: FaultyHospital({"Patient": [patient]}) for name in NAMES}
    hospitals[REFUSED].faults.append(rejecting)
    with serving(hospitals[WELL]), serving(hospitals[REFUSED]):
        for name, hospital in hospitals.items():
            source = f'[fhir]\nbase_url = "{hospital.base_url or "https://fhir.example/r4"}"\n'
            path = lhn.site(name, source, road="search", types=["Patient"], subject_key=f"file:{name}.key")
            key = lhn.folder / f"{name}.key"
            key.write_text(f"{name:0<32}")
            key.chmod(0o600)
            path.write_text(path.read_text().replace(f"\nname = {name!r}", f'\nname = "{NAMES[name]}"'))
        path.write_text(path.read_text().replace("types =", "tpyes ="))
        url = postgres_server.create_database(f"m_{abs(hash(network)):x}")
        with local_airflow(lhn, parts_folder / "shown", url, list(NAMES)) as made:
            ended = made.night([REFUSED, BROKEN], seconds=600)
            assert set(ended.values()) == {"failed"}
            yield made


def test_in_the_morning_airflow_shows_who_failed_why_and_who_acts(airflow: AtLarge, tmp_path: Path) -> None:
    """The list has the hospitals' names, a broken file's too; a run's note and the log of the task that failed say what an engineer asks."""
    folder = Path(os.environ.get("MAINSTEM_SCREENSHOTS") or tmp_path)
    with browser() as opened:
        tab = opened.new_context(viewport={"width": 1280, "height": 860}).new_page()
        tab.set_default_timeout(PATIENCE)
        log_in(tab, airflow)
        tab.goto(f"{airflow.address}/dags")
        for name in NAMES.values():
            tab.get_by_text(name, exact=True).first.wait_for()
        for site, said in ((BROKEN, "tpyes"), (REFUSED, "does not permit")):
            tab.goto(f"{airflow.address}/dags/ehr_pull__{site}/runs/{airflow.runs[site]}")
            tab.get_by_text(said).first.wait_for()
        tab.screenshot(path=folder / "airflow-run.png")
        tab.goto(f"{tab.url}/tasks/preflight")
        for said in ("Fix: ", "Who: ", "Retry: ", "Watermark: never read"):
            tab.get_by_text(said).first.wait_for()
        tab.get_by_text("OperatorError: ").first.click()  # Airflow's frames behind it
        tab.screenshot(path=folder / "airflow-log.png")
