"""Answers over several nights: their Questionnaire comes, changes; what cannot be used, and what is deleted, takes the answers away."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

from mainstem import refresh as steps
from mainstem.refresh import Refresh
from schemas.loads import TypeCounts

Make = Callable[..., Refresh]
Json = dict[str, Any]
TYPES = ["QuestionnaireResponse", "Questionnaire"]
URL = "https://forms.example/mood"


def response(*items: Json, **fields: Any) -> Json:
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "qr-1",
        "questionnaire": f"{URL}|2",
        "status": "completed",
        "subject": {"reference": "Patient/kid-7"},
        "authored": "2026-05-02",
        "item": list(items) or [item("q1", 2), item("q2", 11)],
    } | fields


def item(link: str, value: int) -> Json:
    return {"linkId": link, "answer": [{"valueInteger": value}]}


def questionnaire(**codes: str) -> Json:
    items = [{"linkId": link, "code": [{"system": "http://loinc.org", "code": code}]} for link, code in codes.items()]
    return {"resourceType": "Questionnaire", "id": "m1", "url": URL, "status": "active", "item": items}


def night(refresh: Refresh, tmp_path: Path, *resources: Json) -> TypeCounts:
    """A delivery of the two types; what does not come leaves what was known."""
    for name in TYPES:
        lines = [json.dumps(each) for each in resources if each["resourceType"] == name]
        (tmp_path / "delivery" / f"{name}.ndjson").write_text("".join(f"{line}\n" for line in lines))
    load = steps.plan(refresh, fresh=True).load
    steps.pull_units(refresh, load, TYPES)
    counts = steps.map_types(refresh, load, TYPES)
    steps.derive(refresh, load)
    return counts


def standing(tmp_path: Path) -> list[tuple[str | None, int | None]]:
    """Code and value of what is held, the questionnaire's own record with neither."""
    with closing(connect(tmp_path / "state.db")) as state:
        rows = state.execute("SELECT content FROM record WHERE content IS NOT NULL").fetchall()
    found = [json.loads(content) for (content,) in rows]
    return sorted(((each.get("code"), each.get("value")) for each in found), key=str)


def test_answers_follow_their_questionnaire_and_their_corrections(make_refresh: Make, tmp_path: Path) -> None:
    refresh = make_refresh(types=["QuestionnaireResponse"])
    night(refresh, tmp_path, response())
    assert standing(tmp_path) == [(None, 11), (None, 2), (None, None)]
    night(refresh, tmp_path, questionnaire(q1="44250-9", q2="44261-6"))
    assert standing(tmp_path) == [("44250-9", 2), ("44261-6", 11), (None, None)]
    night(refresh, tmp_path, questionnaire(q1="44255-8", q2="44261-6"))
    assert standing(tmp_path) == [("44255-8", 2), ("44261-6", 11), (None, None)]
    night(refresh, tmp_path, response(item("q2", 12)))
    assert standing(tmp_path) == [("44261-6", 12), (None, None)]
    counts = night(refresh, tmp_path, response(status="maybe"))
    assert counts.skipped == {"modifier-not-understood": 1}
    assert standing(tmp_path) == []
    night(refresh, tmp_path, response())
    assert len(standing(tmp_path)) == 3
    assert night(refresh, tmp_path, response(status="entered-in-error")).retracted == 1
    assert standing(tmp_path) == []
