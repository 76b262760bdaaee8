"""A FHIR server entered in Airflow's own pages, by a real browser: what the form asks, what its Test button says. `make pictures` keeps it in docs/."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from airflow_at_large import airflow_pages, log_in
from browser import browser
from hospital_with_faults import Answered, Asked, FaultyHospital, serving

pytestmark = [pytest.mark.airflow, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
USER, RIGHT, WRONG = "mainstem", "planted-right-8123", "planted-wrong-8123"
STANDARD = ["Description", "Base URL", "Client id or user", "Secret or private key", "Port"]
EXTRA = ["Log-in", "Token endpoint", "Scopes", "Vendor", "Resource types"]
TOKEN_ENDPOINT = "https://login.hospital.example/token"
PATIENCE = 120_000
"""Milliseconds; the machine may be busy."""


def guarded(asked: Asked) -> Answered | None:
    """Reads for whoever has the right password."""
    wanted = f"Basic {base64.b64encode(f'{USER}:{RIGHT}'.encode()).decode()}"
    if asked.path == "metadata" or asked.headers.get("Authorization") == wanted:
        return None
    return Answered({"resourceType": "OperationOutcome"}, 401)


def test_a_connection_is_entered_tested_and_mended_in_airflows_pages(parts_folder: Path, tmp_path: Path) -> None:
    """Each field is labelled in our words; Test is the check; the secret is in no answer of Airflow's; an address stays readable."""
    folder = Path(os.environ.get("MAINSTEM_SCREENSHOTS") or tmp_path)
    patient = {"resourceType": "Patient", "id": "kid-1", "birthDate": "2015-03-01"}
    hospital = FaultyHospital({"Patient": [patient]}, faults=[guarded])
    with serving(hospital), airflow_pages(parts_folder / "form") as airflow, browser() as opened:
        tab = opened.new_context(viewport={"width": 1280, "height": 860}).new_page()
        tab.set_default_timeout(PATIENCE)
        answers: list[str] = []
        tab.on("response", lambda answer: "/connections" in answer.url and answers.append(answer.text()))
        log_in(tab, airflow)
        form = Form(tab, f"{airflow.address}/connections")
        form.new("south")
        assert form.labels() == STANDARD
        form.fill(
            host=hospital.base_url, login=USER, password=WRONG, port=hospital.base_url.split(":")[2].split("/")[0]
        )
        form.save()
        form.test("Failed", "Log-in: none, and a secret is given")
        form.edit()
        form.extra("basic")
        assert form.labels() == EXTRA
        form.save()
        form.test("Failed", f"the log-in of {USER} (401). Check Client id or user and Secret or private key")
        tab.wait_for_timeout(1000)  # it slides in
        tab.screenshot(path=folder / "airflow-connection.png")
        form.edit()
        form.fill(password=RIGHT)
        form.save()
        form.test("Successful", "log-in: basic; Patient: 1 read")
    assert any(TOKEN_ENDPOINT in each for each in answers)
    assert not [each for each in answers if RIGHT in each or WRONG in each]


class Form:
    """Airflow's form of a connection, and the row of the list from which it is tested."""

    def __init__(self, tab: Any, address: str) -> None:
        self._tab, self._dialog = tab, tab.locator("[role=dialog]")
        tab.goto(address)

    def new(self, name: str) -> None:
        """A connection of our type."""
        self._tab.get_by_role("button", name="Add Connection").click()
        self._dialog.locator("input[name=connection_id]").fill(name)
        kind = self._dialog.get_by_role("combobox").first
        kind.click()
        kind.fill("FHIR")
        self._tab.get_by_role("option", name="FHIR", exact=True).click()
        self._dialog.locator("input[name=host]").wait_for()

    def labels(self) -> list[str]:
        """Of the fields of the part that is open."""
        shown = self._dialog.locator("label:visible, [data-part=label]:visible").all_inner_texts()
        return [each.strip() for each in shown if each.strip() in {*STANDARD, *EXTRA, "Schema", "Extra"}]

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self._dialog.locator(f"input[name={name}]").fill(value)

    def extra(self, method: str) -> None:
        """How to log in, and where tokens would come from."""
        self._dialog.get_by_text("Extra Fields", exact=True).click()
        self._dialog.locator("[name=element_oauth_url]").fill(TOKEN_ENDPOINT)
        self._dialog.get_by_role("combobox").last.click()
        self._tab.get_by_role("option", name=method, exact=True).click()

    def edit(self) -> None:
        self._tab.get_by_role("button", name="Edit Connection").click()
        self._dialog.locator("input[name=host]").wait_for()

    def save(self) -> None:
        self._dialog.get_by_role("button", name="Save").click()
        self._dialog.wait_for(state="hidden")

    def test(self, how: str, said: str) -> None:
        """Clicks Test, and waits until it is said how it went."""
        self._tab.get_by_role("button", name="Test Connection").click()
        shown = self._tab.locator("[data-scope=toast][data-part=root]", has_text=f"Test Connection {how}")
        shown.filter(has_text=said).last.wait_for()
