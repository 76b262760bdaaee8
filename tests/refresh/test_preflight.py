"""What stops a site before its first step, and of what kind it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mainstem import refresh as steps
from mainstem.check import check_site
from mainstem.demo.embedded import free_port
from mainstem.refresh import Refresh
from schemas.errors import IncompleteError, OperatorError, TemporaryError

SEVEN = ("Patient", "Encounter", "Condition", "Observation", "MedicationRequest", "Procedure", "Immunization")


def test_a_server_that_is_away_is_a_temporary_matter(make_refresh: Callable[..., Refresh]) -> None:
    """So Airflow tries again, as the command line's exit code says."""
    refresh = make_refresh(f'[fhir]\nbase_url = "http://127.0.0.1:{free_port()}/fhir"\n')
    with pytest.raises(TemporaryError, match=r"127\.0\.0\.1"):
        steps.preflight(refresh)


def test_a_server_that_is_away_and_a_key_that_is_too_short_need_an_operator(
    make_refresh: Callable[..., Refresh], tmp_path: Path
) -> None:
    """Trying again would not mend the key."""
    refresh = make_refresh(f'[fhir]\nbase_url = "http://127.0.0.1:{free_port()}/fhir"\n')
    (tmp_path / "key").write_text("short")
    with pytest.raises(OperatorError, match="5 bytes"):
        steps.preflight(refresh)


def test_one_missing_file_of_seven_stops_nothing(make_refresh: Callable[..., Refresh], tmp_path: Path) -> None:
    """Its type will be a gap; without any file there is nothing to read."""
    refresh = make_refresh(types=list(SEVEN))
    for name in SEVEN[:-1]:
        (tmp_path / "delivery" / f"{name}.ndjson").write_text(f'{{"resourceType":"{name}","id":"1"}}\n')
    assert steps.preflight(refresh) == 8
    for name in SEVEN[:-1]:
        (tmp_path / "delivery" / f"{name}.ndjson").unlink()
    with pytest.raises(IncompleteError, match="nothing was delivered"):
        steps.preflight(refresh)


def test_a_type_of_the_usual_ones_that_a_hospital_does_not_deliver_is_no_fault(
    make_refresh: Callable[..., Refresh], tmp_path: Path
) -> None:
    """Where the site file names no types, a version that reads more of them asks nothing new of the site."""
    refresh = make_refresh()
    (tmp_path / "delivery" / "Patient.ndjson").write_text('{"resourceType":"Patient","id":"1"}\n')
    found = {finding.name: finding for finding in check_site(refresh.source(refresh.site.types))}
    assert all(finding.ok for finding in found.values())
    assert "none is missed" in found["Procedure"].what
