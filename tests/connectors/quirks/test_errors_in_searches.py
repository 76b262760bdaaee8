"""An error that says it is none: inside a 200, in the place of a Bundle, as a web page, as the way to a log-in."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, FaultyHospital

from connectors.formats.outcome import errors_of
from connectors.pulled import Shortfall
from schemas.errors import IncompleteError, MainstemError
from schemas.gaps import GapCause
from schemas.sites import Site


@pytest.fixture
def north(faulty: FaultyHospital, make_site: Callable[..., Site], fhir: Any) -> Site:
    """A hospital of seven patients, read by pages of three."""
    faulty.put(*(fhir.patient(number) for number in range(7)))
    return make_site(fhir={"base_url": faulty.base_url, "page_size": 3})


def outcome(severity: str, code: str = "exception", diagnostics: str = "") -> dict[str, Any]:
    """The server's own words, with a patient's name in them."""
    text = f"Baggins, Frodo: {diagnostics}"
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": text, "details": {"text": text}}],
    }


def on_page(number: int, answered: Callable[[], Answered]) -> Callable[[Asked], Answered | None]:
    """A fault of the page that begins there."""
    return lambda asked: answered() if asked.path == "Patient" and asked.value("page", "0") == str(number) else None


@pytest.mark.parametrize("severity", ["error", "fatal", " Error", "", "critical"])
def test_an_error_among_the_results_costs_the_type_and_no_resource(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any, severity: str
) -> None:
    """What came is landed; the code and the kind are told, the server's text is not."""
    error = {"resource": outcome(severity, diagnostics="statement timed out"), "search": {"mode": "outcome"}}
    patients = [{"resource": each} for each in faulty.resources["Patient"]]
    faulty.faults.append(
        on_page(0, lambda: Answered({"resourceType": "Bundle", "total": 7, "entry": [*patients, error]}))
    )
    pulled = pull_unit(north, "Patient")
    assert sorted(ids("Patient")) == [f"p{number}" for number in range(7)]
    assert [(each.type, each.cause) for each in pulled.short] == [("Patient", GapCause.ERROR_ANSWER)]
    assert "(exception, timed out)" in pulled.error
    assert "Baggins" not in repr(pulled)
    faulty.faults.clear()
    assert pull_unit(north, "Patient").complete
    assert len(set(ids("Patient"))) == len(ids("Patient")) == 7


@pytest.mark.parametrize("severity", ["warning", "information"])
def test_a_warning_costs_nothing(faulty: FaultyHospital, north: Site, pull_unit: Any, severity: str) -> None:
    """Epic says one on many a page."""
    entries = [{"resource": each} for each in [*faulty.resources["Patient"], outcome(severity)]]
    faulty.faults.append(on_page(0, lambda: Answered({"resourceType": "Bundle", "total": 7, "entry": entries})))
    pulled = pull_unit(north, "Patient")
    assert (pulled.complete, pulled.resources, pulled.messages) == (True, 7, 1)


def test_an_error_in_an_entrys_response_is_one(faulty: FaultyHospital, north: Site, pull_unit: Any) -> None:
    """A gateway that asks several servers puts one's failure there."""
    entry = {"response": {"status": "500", "outcome": outcome("error", "throttled")}}
    faulty.faults.append(on_page(3, lambda: Answered({"resourceType": "Bundle", "total": 7, "entry": [entry]})))
    assert "(throttled" in pull_unit(north, "Patient").error


LOG_IN = "https://login.hospital.example/adfs/ls?patient=p1"


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (Answered(outcome("fatal", "lock-error", "lock wait")), r"\(lock-error, not available\)"),
        (Answered(outcome("error", "Frodo")), r"\(no code of FHIR's"),
        (Answered({"resourceType": "OperationOutcome"}), "no error named"),
        (Answered({"resourceType": "Parameters"}), "no Bundle"),
        (Answered(b"<html><form>password</form>", headers={"Content-Type": "text/html"}), "web page"),
        (Answered(b"\n <!DOCTYPE html>"), "web page"),
        (Answered(b"", 302, {"Location": LOG_IN}), r"log-in page at https://login\.hospital\.example;?"),
    ],
)
@pytest.mark.parametrize("page", [0, 3])
def test_an_error_in_the_place_of_a_page_is_no_empty_page(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any, page: int, answered: Answered, said: str
) -> None:
    """Asked again until the attempts are spent; the next try goes on where it stopped and the type is whole."""
    faulty.faults.append(on_page(page, lambda: answered))
    with pytest.raises(MainstemError, match=said) as refused:
        pull_unit(north, "Patient")
    assert Shortfall.of_error("Patient", refused.value).cause is GapCause.ERROR_ANSWER
    assert not {"Baggins", "Frodo", "p1"} & set(str(refused.value.args).split())
    assert sum(asked.value("page", "0") == str(page) for asked in faulty.searches("Patient")) == 3
    faulty.faults.clear()
    assert pull_unit(north, "Patient").complete
    assert ids("Patient") == [f"p{number}" for number in range(7)]


@pytest.mark.parametrize("times", [1, 2])
def test_a_web_page_that_passes_in_seconds_costs_nothing(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any, times: int
) -> None:
    """As a 503 would."""
    left = [Answered(b"<html>", headers={"Content-Type": "text/html"})] * times
    faulty.faults.append(lambda asked: left.pop() if left and asked.value("page") == "3" else None)
    assert pull_unit(north, "Patient").complete
    assert ids("Patient") == [f"p{number}" for number in range(7)]


def test_an_unreadable_outcome_may_be_an_error() -> None:
    """Rather a type too many told as incomplete than data lost in silence."""
    for issue in ("x", [1], [{"severity": 7}]):
        assert errors_of(json.dumps({"resourceType": "OperationOutcome", "issue": issue}).encode())
    assert errors_of(b'{"issue": [{"severity": "warning"}]}') == []
    assert errors_of(b'{"issue": ') == ["unreadable"]


def test_a_referred_type_that_answers_with_an_error_is_not_taken_for_empty(
    faulty: FaultyHospital, make_site: Callable[..., Site], pull_unit: Any
) -> None:
    """The orders would otherwise stand without their drugs, and be called whole."""
    order = {"resourceType": "MedicationRequest", "id": "r1", "medicationReference": {"reference": "Medication/m1"}}
    faulty.put(order)
    faulty.faults.append(lambda asked: Answered(outcome("error")) if asked.path == "Medication" else None)
    site = make_site(fhir={"base_url": faulty.base_url}, types=["MedicationRequest"])
    with pytest.raises(IncompleteError, match="Medication: the server answers with an OperationOutcome"):
        pull_unit(site, "MedicationRequest")
