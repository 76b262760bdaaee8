"""A server that takes no plain search of a type is asked by categories, then by patients; nothing is told it that it did not say."""

from collections.abc import Callable
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, Fault, FaultyHospital

from connectors.pulling import Source
from mainstem.check import check_site
from schemas.errors import MainstemError
from schemas.sites import Site


def observation(number: int, patient: int, category: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "meta": {"lastUpdated": "2029-01-01T00:00:00Z"},
        "subject": {"reference": f"Patient/p{patient}"},
        "category": [{"coding": [{"code": category}]}],
    }


def refusal(code: str, text: str, status: int = 400) -> Answered:
    issue = {"severity": "error", "code": code, "diagnostics": text, "details": {"text": f"Baggins: {text}"}}
    return Answered({"resourceType": "OperationOutcome", "issue": [issue]}, status)


def unless_by(kind: str, answered: Answered, *names: str) -> Fault:
    """A type that is refused unless each of the parameters is there."""

    def fault(asked: Asked) -> Answered | None:
        given = {name for name, _ in asked.params}
        return None if asked.path != kind or set(names) <= given or "page" in given else answered

    return fault


REFUSALS = {
    "a code": refusal("required", ""),
    "words": refusal("processing", "Must have either code or category."),
    "other words": refusal("invalid", "A required search parameter is missing: patient"),
    "unprocessable": refusal("required", "", 422),
    "with 200": refusal("required", "no category", 200),
    "among the results": Answered(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": refusal("required", "category").body, "search": {"mode": "outcome"}}],
        }
    ),
}


@pytest.fixture
def clinic(faulty: FaultyHospital, fhir: Any) -> FaultyHospital:
    """Three patients; six observations of three categories, one of none of US Core's."""
    faulty.understands |= {"category", "patient"}
    faulty.put(*(fhir.patient(number) for number in range(3)))
    kinds = ["laboratory", "vital-signs", "survey", "laboratory", "laboratory", "vital-signs"]
    faulty.put(*(observation(number, number % 3, kind) for number, kind in enumerate(kinds)))
    return faulty


@pytest.fixture
def site(clinic: FaultyHospital, make_site: Callable[..., Site]) -> Site:
    return make_site(fhir={"base_url": clinic.base_url, "page_size": 50}, types=["Patient", "Observation"])


EVERY = [f"o{number}" for number in range(6)]


@pytest.mark.parametrize("refused", REFUSALS.values(), ids=REFUSALS.keys())
def test_by_category_where_one_is_wanted(
    clinic: FaultyHospital, site: Site, pull_unit: Any, ids: Any, refused: Answered
) -> None:
    clinic.faults.append(unless_by("Observation", refused, "category"))
    pulled = pull_unit(site, "Observation")
    assert pulled.complete
    assert sorted(ids("Observation")) == EVERY
    assert any("asked for by category" in note for note in pulled.notes)
    assert "Baggins" not in repr(pulled)
    plain = [asked for asked in clinic.searches("Observation") if not asked.value("category")]
    assert len(plain) == 1, "what was learnt is remembered"


@pytest.mark.parametrize("wanted", [("patient",), ("patient", "category")])
def test_by_patient_where_no_category_helps(
    clinic: FaultyHospital, site: Site, pull_unit: Any, ids: Any, wanted: tuple[str, ...]
) -> None:
    clinic.faults.append(unless_by("Observation", refusal("required", "patient"), *wanted))
    pulled = pull_unit(site, "Observation")
    assert pulled.complete
    assert sorted(ids("Observation")) == EVERY
    assert any(f"asked for by {' and '.join(wanted)}" in note for note in pulled.notes)


@pytest.mark.parametrize("wanted", [("patient",), ("patient", "category")])
def test_patients_are_asked_for_one_by_one_where_several_are_refused(
    clinic: FaultyHospital, site: Site, pull_unit: Any, ids: Any, wanted: tuple[str, ...]
) -> None:
    clinic.faults.append(unless_by("Observation", refusal("required", "patient"), *wanted))
    clinic.faults.append(lambda asked: refusal("invalid", "no") if "," in asked.value("patient") else None)
    assert pull_unit(site, "Observation").complete
    assert sorted(ids("Observation")) == EVERY
    asked = [each.value("patient") for each in clinic.searches("Observation") if each.value("patient")]
    assert sum("," in each for each in asked) <= len(wanted), "what was learnt is remembered"


def test_type_without_categories_is_asked_for_by_patient(
    clinic: FaultyHospital, site: Site, pull_unit: Any, ids: Any
) -> None:
    clinic.put(
        *({"resourceType": "Encounter", "id": f"e{n}", "subject": {"reference": f"Patient/p{n}"}} for n in range(3))
    )
    clinic.faults.append(unless_by("Encounter", refusal("required", ""), "patient"))
    assert pull_unit(site, "Encounter").complete
    assert sorted(ids("Encounter")) == ["e0", "e1", "e2"]


def test_category_that_the_server_does_not_know_is_passed_over_and_said(
    clinic: FaultyHospital, site: Site, pull_unit: Any, ids: Any
) -> None:
    def unknown(asked: Asked) -> Answered | None:
        known = {"laboratory", "vital-signs", "survey", ""}
        return refusal("invalid", "no such thing") if asked.value("category") not in known else None

    clinic.faults += [unless_by("Observation", refusal("required", ""), "category"), unknown]
    pulled = pull_unit(site, "Observation")
    assert pulled.complete
    assert sorted(ids("Observation")) == EVERY
    assert any("does not take the categories social-history" in note for note in pulled.notes)


def test_only_whole_categories_end_the_night_well(clinic: FaultyHospital, site: Site, pull_unit: Any) -> None:
    """A category that is not permitted is no category that is not known."""
    clinic.faults.append(unless_by("Observation", refusal("required", ""), "category"))
    clinic.faults.append(lambda asked: Answered({}, 403) if asked.value("category") == "survey" else None)
    with pytest.raises(MainstemError, match="does not permit"):
        pull_unit(site, "Observation")


def test_server_that_names_no_patients_either_is_an_error_with_a_way_out(
    clinic: FaultyHospital, site: Site, pull_unit: Any
) -> None:
    clinic.faults.append(unless_by("Observation", refusal("required", ""), "patient"))
    clinic.faults.append(unless_by("Patient", refusal("required", ""), "_id"))
    with pytest.raises(MainstemError, match="Observation: the server takes no search without") as caught:
        pull_unit(site, "Observation")
    assert "[cohort]" in caught.value.fix


def test_refusal_of_another_kind_is_not_fanned_out(clinic: FaultyHospital, site: Site, pull_unit: Any) -> None:
    clinic.faults.append(lambda asked: refusal("security", "denied") if asked.path == "Observation" else None)
    with pytest.raises(MainstemError, match="answered 400"):
        pull_unit(site, "Observation")
    assert len(clinic.searches("Observation")) == 1


def test_check_says_by_what_the_type_is_asked_for(
    clinic: FaultyHospital, site: Site, source_of: Callable[..., Source]
) -> None:
    clinic.faults.append(unless_by("Observation", refusal("required", ""), "patient"))
    found = {each.name: each for each in check_site(source_of(site, secrets=lambda _: b"k" * 32))}
    assert found["Observation"].ok
    assert "by patient, the plain search is refused" in found["Observation"].what
