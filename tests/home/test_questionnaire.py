"""A network's own form, from a FHIR Questionnaire that it places: asked word for word, answered like the others, refused where it cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from services_cases import subject_id
from services_story import NOW, fill, person
from sqlalchemy import Engine
from viewers import FORM

from schemas.errors import OperatorError
from schemas.outcomes import ProResponse
from services.access.database import AccessDatabase
from services.access.families import form_token
from services.home.app import COOKIE, Home, make_home
from services.home.telling import Fact, tell
from services.people.age_policy import AgePolicy
from services.people.families import Who, make_link
from services.people.questionnaires import MAX_VALUE, MIN_VALUE, load
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
    mine = {next(iter(FORM)): form_token(device.cookies[COOKIE])}
    assert device.post("/say/own", data=mine | {"own.sleep": "3"}).status_code == 422
    assert device.post("/say/own", data=mine | {"own.sleep": "2", "own.walk.1": "7"}).status_code == 200
    heard = Heard()
    assert tell(small_registry, heard, at=NOW) == 2
    told = {each.fact.codings[0].code: each.fact.value for each in heard.facts if isinstance(each.fact, ProResponse)}
    assert told == {"own.sleep": 2, "own.walk.1": 7}


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
