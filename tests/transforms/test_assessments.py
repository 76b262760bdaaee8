"""A disease activity score stands as an observation or answer, and beside it as an assessment that says which instrument it is."""

import json
from typing import Any

import pytest

from schemas.outcomes import DiseaseAssessment
from transforms import Mapper
from transforms.codes.code_map import CodeMapRow
from transforms.codes.systems import INSTRUMENT, known_systems
from transforms.derive.history import Facts, History
from transforms.derive.kinds import states
from transforms.mapped import Outcome
from transforms.rules.assessments import STATES

Json = dict[str, Any]
FLOWSHEET = "urn:clinic:flowsheet"
ROWS = [
    CodeMapRow(FLOWSHEET, "30411", INSTRUMENT, "sPCDAI"),
    CodeMapRow("http://clinic.example/Questionnaire/ibd", "kind.total", INSTRUMENT, "C-ACT"),
]


def mapped(resource: Json, rows: list[CodeMapRow] | None = None) -> Outcome:
    """What becomes of a resource."""
    site = Mapper(site="north", time_zone="America/Chicago", subject_key=b"k" * 32, code_map=rows or [])
    return site.map_line(json.dumps(resource).encode())


def contents(outcome: Outcome, kind: str) -> list[Json]:
    """The records of a type; each fits its model."""
    found = [json.loads(each.content) for each in outcome.records if each.type == kind]
    for each in found:
        if kind == "disease_assessment":
            DiseaseAssessment.model_validate(each)
    return found


def scored(code: str, **fields: Any) -> Json:
    """An observation of a score that a clinic wrote down."""
    value = {} if any(name.startswith("value") for name in fields) else {"valueInteger": 25}
    return {
        "resourceType": "Observation",
        "id": "score-7",
        "status": "final",
        "subject": {"reference": "Patient/p7"},
        "code": {"coding": [{"system": FLOWSHEET, "code": code, "display": "a name"}]},
        "effectiveDateTime": "2026-02-11T09:20:00-06:00",
        **value,
        **fields,
    }


def test_a_score_by_its_name_gives_an_assessment_beside_the_observation() -> None:
    """The observation is what it was; the assessment names it, and has an id of the same resource."""
    outcome = mapped(scored("pucai", focus=[{"reference": "Condition/uc"}]))
    (observation,), (assessed,) = contents(outcome, "observation"), contents(outcome, "disease_assessment")
    assert (assessed["instrument"], assessed["score"], assessed["told_by"]) == ("PUCAI", 25, observation["id"])
    assert (assessed["effective"], assessed["effective_date"]) == ("2026-02-11T15:20:00Z", "2026-02-11")
    assert assessed["focus"].startswith("r-")
    assert assessed["id"][:26] == observation["id"][:26]
    assert assessed["id"] != observation["id"]
    assert observation["id"].endswith("00000000")
    assert not any(b"code-unmapped" in each.provenance for each in outcome.records)
    assert b'"mapping":"disease_assessment@1"' in outcome.records[1].provenance


def test_a_site_names_its_own_code_by_its_code_map() -> None:
    """One row; without it the code is nobody's, and is told as having no meaning."""
    (assessed,) = contents(mapped(scored("30411"), ROWS), "disease_assessment")
    assert assessed["instrument"] == "sPCDAI"
    outcome = mapped(scored("30411"))
    assert contents(outcome, "disease_assessment") == []
    assert b"code-unmapped" in outcome.records[0].provenance


@pytest.mark.parametrize(
    ("code", "state"), [("Quiescent", "remission"), ("moderate", "moderate"), ("SEVERE", "severe"), ("worse", None)]
)
def test_a_physician_says_the_state(code: str, state: str | None) -> None:
    """In words that are known; others are no state, and then there is nothing to assess by."""
    for value in (
        {"valueCodeableConcept": {"coding": [{"system": "urn:clinic:pga", "code": code}]}},
        {"valueCodeableConcept": {"text": code}},
        {"valueString": f" {code} "},
    ):
        found = contents(mapped(scored("PGA", **value)), "disease_assessment")
        assert [each.get("state") for each in found] == ([state] if state else [])


def test_what_is_no_exact_score_is_no_assessment() -> None:
    """A bound, a score that is missing; another scale of the same name in a public system."""
    for fields in ({"valueString": ">30"}, {"dataAbsentReason": {"coding": [{"code": "unknown"}]}, "valueString": ""}):
        assert contents(mapped(scored("PUCAI", **fields)), "disease_assessment") == []
    other = scored("x") | {"code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}}
    assert contents(mapped(other), "disease_assessment") == []
    assert mapped(scored("PUCAI", status="entered-in-error")).withdrawn


def test_an_answer_and_a_component_are_assessments_too() -> None:
    """Each for itself: of a form with two totals two, known by their answers."""
    items = [
        {"linkId": "kind.total", "answer": [{"valueInteger": 19}]},
        {"linkId": "PUCAI", "answer": [{"valueDecimal": 40}]},
        {"linkId": "mood", "answer": [{"valueInteger": 2}]},
    ]
    form: Json = {
        "resourceType": "QuestionnaireResponse",
        "id": "form-1",
        "status": "completed",
        "questionnaire": "http://clinic.example/Questionnaire/ibd",
        "subject": {"reference": "Patient/p7"},
        "authored": "2026-02-11T09:20:00-06:00",
        "item": items,
    }
    outcome = mapped(form, ROWS)
    found = {each["instrument"]: each for each in contents(outcome, "disease_assessment")}
    assert {name: each["score"] for name, each in found.items()} == {"C-ACT": 19, "PUCAI": 40}
    answers = {each["id"]: each.get("value") for each in contents(outcome, "pro_response")}
    assert all(answers[each["told_by"]] == each["score"] for each in found.values())
    panel = scored("panel") | {"component": [{"code": scored("sPCDAI")["code"], "valueInteger": 15}]}
    (assessed,) = contents(mapped(panel), "disease_assessment")
    assert (assessed["instrument"], assessed["score"], assessed["effective_date"]) == ("sPCDAI", 15, "2026-02-11")


@pytest.mark.parametrize("status", ["cancelled", "registered", "unknown"])
def test_of_a_result_that_is_not_there_yet_or_no_longer_holds_there_is_no_assessment(status: str) -> None:
    """Nor of a form that is still being filled in, or was given up."""
    assert contents(mapped(scored("PUCAI") | {"status": status}), "disease_assessment") == []
    form: Json = {
        "resourceType": "QuestionnaireResponse",
        "id": "form-2",
        "questionnaire": "http://clinic.example/Questionnaire/ibd",
        "subject": {"reference": "Patient/p7"},
        "authored": "2026-02-11T09:20:00-06:00",
        "item": [{"linkId": "PUCAI", "answer": [{"valueInteger": 40}]}],
    }
    assert len(contents(mapped(form | {"status": "completed"}), "disease_assessment")) == 1
    for unfinished in ("in-progress", "stopped"):
        assert contents(mapped(form | {"status": unfinished}), "disease_assessment") == []


def test_a_state_is_derived_once_whichever_way_the_instrument_is_known() -> None:
    """Of an observation by name the value hangs on the observation, as before; by code map on the assessment."""
    for code, rows, kind in (("PUCAI", [], "observation"), ("30411", ROWS, "disease_assessment")):
        history = History([Facts().of(each.content) for each in mapped(scored(code), rows).records])
        name = "PUCAI" if code == "PUCAI" else "sPCDAI"
        assert [(each.score, each.state, each.fact.type) for each in states.assessments(history, (name,))] == [
            (25, "mild", kind)
        ]


def test_instruments_and_states_are_the_same_to_those_who_map_and_those_who_derive() -> None:
    """Who derives values sees no code systems."""
    assert {*states.INSTRUMENTS, "C-ACT"} <= known_systems()[INSTRUMENT].codes
    assert states._WORDS == STATES
