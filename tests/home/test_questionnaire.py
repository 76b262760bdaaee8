"""A network's own form, from a FHIR Questionnaire that it places: asked word for word, answered like the others, refused where it cannot be."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from services_cases import subject_id
from services_story import NOW, fill, load_events, person
from sqlalchemy import Engine
from viewers import FORM, gate_for

from schemas.errors import OperatorError
from schemas.outcomes import ProResponse
from services.access.database import AccessDatabase
from services.access.families import form_token
from services.access.viewers import Role
from services.home.app import COOKIE, Home, make_home
from services.home.telling import Fact, tell
from services.pages.app import make_app
from services.people.age_policy import AgePolicy
from services.people.families import Who, make_link
from services.people.questionnaires import MAX_VALUE, MIN_VALUE, TRANSLATION, load
from services.people.voices import SYSTEM, forms, keep_answers
from services.registry.database import writing

LEVELS = [
    {"valueCoding": {"code": str(n), "display": words}} for n, words in enumerate(("never", "at times", "always"))
]
SLEEP = {"linkId": "sleep", "text": "I slept as I like to", "type": "choice", "answerOption": LEVELS}
WALK = {
    "linkId": "walk.1",
    "text": "How far did I walk?",
    "type": "integer",
    "extension": [{"url": MIN_VALUE, "valueInteger": 0}, {"url": MAX_VALUE, "valueInteger": 9}],
}
HEAD = {"linkId": "intro", "type": "display", "text": "This is made up."}
GROUP = {"linkId": "g", "type": "group", "item": [HEAD, SLEEP, WALK]}


def placed(folder: Path, *items: dict[str, Any], **more: Any) -> Path:
    path = folder / "own.json"
    read = {"resourceType": "Questionnaire", "status": "active", "title": "How the week was", "item": list(items)}
    path.write_text(json.dumps(read | more))
    return path


class Heard:
    """The centre: what it is given."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def __call__(self, facts: Any) -> None:
        self.facts += facts["QuestionnaireResponse"]

    def forget(self, subjects: Any) -> None:
        raise AssertionError(subjects)


def test_a_form_of_the_networks_own_is_asked_and_its_answers_become_records(
    small_registry: Engine, tmp_path: Path
) -> None:
    fill(small_registry, [person("ada", site="west", born="2005-03-01")])
    access = AccessDatabase.open(f"sqlite:///{tmp_path}/access.db")
    form = load(placed(tmp_path, GROUP))
    home = Home(small_registry, access, "lhn", AgePolicy.load(), False, lambda: NOW, own_form=form)
    with writing(small_registry) as connection:
        code = make_link(connection, "west", subject_id("ada"), Who.SELF, by="Ruth", at=NOW, ends=None)
    device = TestClient(make_home(home))
    assert "How the week was" in device.post("/enter", data={"code": code}).text
    page = device.get("/say/own").text
    for said in ("I slept as I like to", "0: never · 2: always", "How far did I walk?"):
        assert said in page
    assert device.post("/say/own", data=mine(device) | {"own.sleep": "3"}).status_code == 422
    assert device.post("/say/own", data=mine(device) | {"own.sleep": "2", "own.walk.1": "7"}).status_code == 200
    heard = Heard()
    assert tell(small_registry, heard, at=NOW) == 2
    told = {each.fact.codings[0].code: each.fact.value for each in heard.facts if isinstance(each.fact, ProResponse)}
    assert told == {"own.sleep": 2, "own.walk.1": 7}


def in_spanish(words: str) -> dict[str, Any]:
    said = [{"url": "lang", "valueCode": "es"}, {"url": "content", "valueString": words}]
    return {"extension": [{"url": TRANSLATION, "extension": said}]}


def mark(number: int, words: str, **more: Any) -> dict[str, Any]:
    """A placeholder of the structure of collaboRATE's items: 0 to 9, the ends in words; its own words are its owners'."""
    ends = {0: ("none of it", "nada"), 9: ("all of it", "todo")}
    codings = [
        {"code": str(each)}
        | ({"display": ends[each][0], "_display": in_spanish(ends[each][1])} if each in ends else {})
        for each in range(10)
    ]
    options = [{"valueCoding": each} for each in codings]
    spoken = {"text": words, "_text": in_spanish(f"{words} (es)")}
    return {"linkId": f"cr{number}", "type": "choice", "answerOption": options} | spoken | more


FIVE = {"url": MAX_VALUE, "valueInteger": 5}
INSTEAD = [{"system": SYSTEM, "code": "after"}]
THREE = [mark(number, f"Placeholder {number}") for number in (1, 2, 3)]


def test_an_instrument_placed_instead_of_the_form_after_a_visit_is_asked_scored_and_told(
    small_registry: Engine, tmp_path: Path
) -> None:
    """In the family's language; on paper too; its answers are records and the network's count; what ships is asked no more, nor mixed in."""
    people = [person(name, site="west", born="2005-03-01") for name in "abcdef"]
    fill(small_registry, people, load_events())
    access = AccessDatabase.open(f"sqlite:///{tmp_path}/access.db")
    form = load(placed(tmp_path, *THREE, code=INSTEAD, _title=in_spanish("Cómo fue la semana")))
    home = Home(small_registry, access, "lhn", AgePolicy.load(), False, lambda: NOW, own_form=form)
    with writing(small_registry) as connection:
        keep = partial(keep_answers, connection, who=Who.SELF, by="x", at=NOW)
        keep(("west", subject_id("f")), forms()["after"], [("understood", "number", 0, None)])
        code = make_link(connection, "west", subject_id("a"), Who.SELF, by="Ruth", at=NOW, ends=None)
    device = TestClient(make_home(home), headers={"Accept-Language": "es"})
    inside = device.post("/enter", data={"code": code}).text
    assert "Cómo fue la semana" in inside
    assert "/say/after" not in inside
    assert device.get("/say/after").status_code == 404
    page = device.get("/say/own").text
    for said in ("Placeholder 3 (es)", "0: nada · 9: todo"):
        assert said in page
    assert device.post("/say/own", data=marks(9, 9, 9) | mine(device)).status_code == 200
    clock = {"clock": lambda: NOW, "own_form": form}
    clinician = TestClient(
        make_app(small_registry, network="lhn", gate=gate_for(tmp_path, Role.CLINICIAN, "west"), **clock)
    )
    for name, given in zip("bcde", ((9, 9, 9), (9, 9, 8), (0, 0, 0), (4, 5, 6)), strict=True):
        address = f"/patients/west/{subject_id(name)}/family"
        paper = FORM | marks(*given) | {"form": "own", "who": "self"}
        assert clinician.post(f"{address}/paper", data=paper).status_code == 200
    assert "Placeholder 1 <b>4</b>" in clinician.get(address).text
    coordinator = TestClient(
        make_app(small_registry, network="lhn", gate=gate_for(tmp_path, Role.COORDINATOR), **clock)
    )
    told = coordinator.get("/accountability").text
    assert "2 of 5 forms" in told
    assert "of “How the week was”. The mean mark is 6.3 of 9." in told
    heard = Heard()
    assert tell(small_registry, heard, at=NOW) == 16
    codes = {each.fact.codings[0].code for each in heard.facts if isinstance(each.fact, ProResponse)}
    assert codes == {"own.cr1", "own.cr2", "own.cr3", "understood"}


def marks(*given: int) -> dict[str, str]:
    return {f"own.cr{number}": str(value) for number, value in enumerate(given, 1)}


def mine(device: TestClient) -> dict[str, str]:
    return {next(iter(FORM)): form_token(device.cookies[COOKIE])}


@pytest.mark.parametrize(
    ("more", "items", "named"),
    [
        ({"code": [{"system": SYSTEM, "code": "before"}]}, [SLEEP], "names a form that none is asked instead of"),
        (
            {"code": INSTEAD, "_title": in_spanish("Así")},
            [*THREE, WALK | {"_text": in_spanish("¿?"), "extension": [WALK["extension"][0], FIVE]}],
            "not marked alike",
        ),
        ({"_title": in_spanish("Así")}, [*THREE, SLEEP], "0 is not said in es"),
        ({}, THREE, "title is not said in es"),
        ({"code": "after"}, [SLEEP], "no FHIR Questionnaire"),
        ({"_title": []}, [SLEEP], "no FHIR Questionnaire"),
    ],
)
def test_a_language_that_lacks_a_text_and_a_form_instead_of_none_are_named(
    tmp_path: Path, more: dict[str, Any], items: list[dict[str, Any]], named: str
) -> None:
    with pytest.raises(OperatorError, match=named):
        load(placed(tmp_path, *items, **more))


@pytest.mark.parametrize(
    ("items", "named"),
    [
        ([{**SLEEP, "type": "text"}, {"linkId": "free", "text": "Say more", "type": "text"}], "item free"),
        ([{**SLEEP, "answerOption": [LEVELS[0], LEVELS[2]]}], "item sleep"),
        ([{**SLEEP, "answerOption": [{"valueCoding": {"code": "yes"}}]}], "item sleep"),
        ([{**SLEEP, "linkId": "a b"}], "item a b"),
        ([{**WALK, "extension": []}], "item walk.1"),
        ([{**WALK, "extension": [WALK["extension"][0], {"url": MAX_VALUE, "valueInteger": 10_000}]}], "item walk.1"),
        ([SLEEP, SLEEP], "linkId twice"),
        ([HEAD], "no FHIR Questionnaire with items"),
    ],
)
def test_what_cannot_be_asked_is_named_before_the_page_is_served(
    tmp_path: Path, items: list[dict[str, Any]], named: str
) -> None:
    with pytest.raises(OperatorError, match=named):
        load(placed(tmp_path, *items))


@pytest.mark.parametrize("text", ["", "[]", '{"resourceType": "Patient", "title": "x", "item": []}', "\udc80"])
def test_what_is_no_questionnaire_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(OperatorError, match="no FHIR Questionnaire"):
        load(tmp_path / "own.json")
