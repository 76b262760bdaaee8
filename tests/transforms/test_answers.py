"""Questionnaires that were answered, as US Core's, LOINC's own forms, Epic's and Oracle's servers write them."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from schemas.outcomes import RECORD_TYPES
from schemas.problems import Reason
from transforms import CodeMapRow, Mapper, Outcome
from transforms.privacy import Pseudonyms

KEY = b"a key of thirty-two bytes, no less"
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
KID = {"reference": "Patient/kid-7", "display": "Ann Quux"}
ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
URL = "https://ehr.example/forms/mood"
Json = dict[str, Any]


def mapper(*questionnaires: Json, code_map: Iterable[CodeMapRow] = ()) -> Mapper:
    """A site that has met these Questionnaires."""
    first = Mapper(site="north", time_zone="America/New_York", subject_key=KEY)
    met = first.map_lines([json.dumps(each).encode() for each in questionnaires]).referred
    kept = {each.ref: each.content for each in met}
    assert not any(b"Quux" in content for content in kept.values())
    return Mapper(
        site="north",
        time_zone="America/New_York",
        subject_key=KEY,
        code_map=code_map,
        look_up=lambda refs: {ref: kept[ref] for ref in refs if ref in kept},
    )


def response(*items: Any, **fields: Any) -> Json:
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "qr-1",
        "questionnaire": f"{URL}|2.1",
        "status": "completed",
        "subject": KID,
        "authored": "2026-05-02T10:00:00-04:00",
        "source": KID,
        "item": list(items),
    } | fields


def outcome_of(given: Json, site: Mapper | None = None) -> Outcome:
    return (site or mapper()).map_line(json.dumps(given).encode())


def records(given: Json, site: Mapper | None = None) -> list[Json]:
    """The questionnaire's record and those of its answers, proven against their model; no name left."""
    found = [(json.loads(each.content), each.content + each.provenance) for each in outcome_of(given, site).records]
    for content, text in found:
        RECORD_TYPES["pro_response"].model_validate(content)
        assert not any(word in text for word in (b"Quux", b"kid-7", b"ehr.example"))
    return [content for content, _ in found]


def answered(given: Json, site: Mapper | None = None) -> list[Json]:
    return [{name: each[name] for name in sorted(TOLD & set(each))} for each in records(given, site)[1:]]


TOLD = {"code", "value", "value_code", "unit", "weight", "absent", "value_date", "value_time"}


def flags(given: Json) -> set[str]:
    found = [json.loads(b"{" + each.provenance + b"}").get("flags", []) for each in outcome_of(given).records]
    return {flag for listed in found for flag in listed}


def answer(link: str, *values: Json, **more: Any) -> Json:
    return {"linkId": link, "text": "How is Ann Quux?", "answer": list(values)} | more


def chosen(code: str, system: str | None = LOINC) -> Json:
    return {"valueCoding": {"code": code, "display": "Ann Quux"} | ({"system": system} if system else {})}


MOOD = {
    "resourceType": "Questionnaire",
    "id": "q-77",
    "url": URL,
    "version": "2.1",
    "status": "active",
    "title": "Ann Quux",
    "code": [{"system": LOINC, "code": "44249-1", "display": "Ann Quux"}],
    "item": [
        {
            "linkId": "group",
            "text": "Ann Quux",
            "item": [
                {
                    "linkId": "little-interest",
                    "code": [{"system": LOINC, "code": "44250-9"}],
                    "answerOption": [
                        {"valueCoding": {"code": "LA6568-5", "extension": [{"url": ORDINAL, "valueDecimal": 0}]}},
                        {"valueCoding": {"code": "LA6569-3"}, "extension": [{"url": ORDINAL, "valueDecimal": 1}]},
                        {"valueString": "Ann Quux"},
                    ],
                }
            ],
        },
        {"linkId": "total", "code": [{"system": LOINC, "code": "44261-6"}]},
    ],
}
ANSWERS = (
    {"linkId": "group", "item": [answer("little-interest", chosen("LA6569-3"))]},
    answer("total", {"valueInteger": 11}),
)


def test_answers_are_known_by_the_codes_of_their_questionnaire() -> None:
    """Groups are no answers; a coded one says what it scores, as its question does."""
    whole, *parts = records(response(*ANSWERS), mapper(MOOD))
    assert [whole[name] for name in ("instrument", "instrument_version", "status")] == ["44249-1", "2.1", "completed"]
    assert (whole["effective"], whole["effective_date"]) == ("2026-05-02T14:00:00Z", "2026-05-02")
    assert sorted(whole["parts"]) == sorted(part["id"] for part in parts)
    assert {part["parent"] for part in parts} == {whole["id"]}
    assert answered(response(*ANSWERS), mapper(MOOD)) == [
        {"code": "44250-9", "value_code": "LA6569-3", "weight": 1},
        {"code": "44261-6", "value": 11},
    ]


@pytest.mark.parametrize(
    "named",
    [URL, f"{URL}|2.1", "Questionnaire/q-77", "https://ehr.example/fhir/R4/Questionnaire/q-77", "#inside"],
)
def test_a_questionnaire_is_found_by_its_url_by_its_id_and_inside(named: str) -> None:
    inside = {"contained": [MOOD | {"id": "inside"}]} if named == "#inside" else {}
    found = answered(response(*ANSWERS, questionnaire=named, **inside), mapper(*([] if inside else [MOOD])))
    assert [each.get("code") for each in found] == ["44250-9", "44261-6"]


def test_answers_stand_without_their_questionnaire_and_are_known_again_when_it_comes() -> None:
    """By the same ids; the mapping says what it would look up."""
    alone, known = records(response(*ANSWERS)), records(response(*ANSWERS), mapper(MOOD))
    assert [each["id"] for each in alone] == [each["id"] for each in known]
    assert alone[0]["instrument"].startswith("h-")
    assert "code-unmapped" in flags(response(*ANSWERS))
    lines = [json.dumps(response(*ANSWERS)).encode()]
    depends = mapper(MOOD).map_lines(lines).depends
    assert [each.on for each in depends] == [Pseudonyms(KEY).ref("Questionnaire", URL)]


def test_loincs_own_forms_say_their_codes_in_their_link_ids() -> None:
    """With the panels around it, or bare; what only looks like one is none."""
    items = [
        answer("/44249-1/44250-9", chosen("LA6570-1")),
        answer("/44261-6", {"valueDecimal": 17}),
        answer("69730-0", chosen("LA6572-7")),
        answer("1-8", {"valueInteger": 3}),
        answer("/44250-8", {"valueInteger": 2}),
    ]
    given = response(*items, questionnaire="http://loinc.org/q/44249-1")
    assert records(given)[0]["instrument"] == "44249-1"
    assert [each.get("code") for each in answered(given)] == ["44250-9", "44261-6", "69730-0", None, None]


def test_a_sites_map_says_what_its_own_link_ids_and_answers_mean() -> None:
    """Questions by the questionnaire's URL as their system, the questionnaire by its URL without one."""
    rows = [
        CodeMapRow(URL, "q1", LOINC, "44250-9"),
        CodeMapRow("", URL, LOINC, "44249-1"),
        CodeMapRow("urn:answers", "2", LOINC, "LA6570-1"),
    ]
    site = mapper(code_map=rows)
    given = response(answer("q1", chosen("2", "urn:answers")))
    found = [json.loads(each.content) for each in outcome_of(given, site).records]
    assert found[0]["instrument"] == "44249-1"
    assert (found[1]["code"], found[1]["value_code"]) == ("44250-9", "LA6570-1")


EVERY_KIND = [
    ({"valueBoolean": False}, {"value_code": "false"}),
    ({"valueDecimal": 7.10}, {"value": 7.1}),
    ({"valueInteger": 3}, {"value": 3}),
    ({"valueDate": "2026-04-30"}, {"value_date": "2026-04-30"}),
    ({"valueDateTime": "2026-04-30T23:00:00-04:00"}, {"value_date": "2026-04-30"}),
    ({"valueTime": "21:30"}, {"value_time": "21:30:00"}),
    ({"valueString": "7"}, {"value": 7}),
    ({"valueString": "Ann Quux said 7"}, {"absent": "OT"}),
    ({"valueString": "02139"}, {"absent": "OT"}),
    ({"valueString": "45229"}, {"absent": "OT"}),
    ({"valueUri": "https://ehr.example/Quux"}, {"absent": "OT"}),
    ({"valueAttachment": {"title": "Ann Quux"}}, {"absent": "OT"}),
    ({"valueReference": {"reference": "Patient/kid-7"}}, {"absent": "OT"}),
    (chosen("373066001", SNOMED), {"value_code": "373066001"}),
    ({"valueCoding": {"display": "Ann Quux"}}, {"absent": "OT"}),
    ({"valueQuantity": {"value": 31.5, "unit": "kg", "code": "kg"}}, {"value": 31.5, "unit": "kg"}),
    ({"valueQuantity": {"value": 6175550142}}, {"absent": "OT"}),
    ({"valueInteger": 1234567}, {"absent": "OT"}),
    ({"valueDecimal": 99999}, {"value": 99999}),
]


@pytest.mark.parametrize(("value", "expected"), EVERY_KIND)
def test_every_kind_of_answer_is_read_or_withheld(value: Json, expected: Json) -> None:
    """Words that people write, numbers that may be somebody's, and who they name do not leave."""
    (found,) = answered(response(answer("q1", value)))
    assert found == expected


def test_several_answers_to_one_question_keep_their_ids_whatever_their_order() -> None:
    """One that is taken back takes no other with it."""
    three = [chosen("a", "urn:x"), chosen("b", "urn:x"), {"valueString": "other: Ann Quux"}]
    before = records(response(answer("q1", *three)))
    assert {each["id"] for each in records(response(answer("q1", *reversed(three))))} == {each["id"] for each in before}
    after = {each["id"] for each in records(response(answer("q1", *three[1:])))}
    assert after == {each["id"] for each in before if each.get("value_codings", [{}])[0].get("code") != "a"}


def test_a_corrected_answer_is_the_same_answer() -> None:
    one, other = (records(response(answer("q1", {"valueInteger": value}))) for value in (3, 4))
    assert [each["id"] for each in one] == [each["id"] for each in other]


def test_items_inside_groups_answers_and_repeated_groups_are_all_read() -> None:
    given = response(
        {"linkId": "g", "item": [{"linkId": "h", "item": [answer("deep", {"valueInteger": 1})]}]},
        answer("yes", {"valueBoolean": True, "item": [answer("since", {"valueDate": "2026"})]}),
        *({"linkId": "again", "item": [answer("each", {"valueInteger": value})]} for value in (5, 6)),
        {"linkId": "nothing said"},
        answer("empty", {}),
    )
    assert sorted(map(str, answered(given))) == sorted(
        map(str, [{"value": 1}, {"value_code": "true"}, {"value_date": "2026"}, {"value": 5}, {"value": 6}])
    )
    assert "parts-alike" in flags(given)


def test_an_item_that_cannot_be_read_takes_no_other_with_it() -> None:
    """It is named by its place; a modifier on a group counts for all in it."""
    odd = {"linkId": "g", "modifierExtension": [{"url": "urn:odd"}], "item": [answer("in", {"valueInteger": 1})]}
    for bad in (
        "words",
        7,
        {"linkId": "x", "answer": "words"},
        {"linkId": {"a": 1}},
        odd,
        answer("", {"valueInteger": 1}),
    ):
        outcome = outcome_of(response(bad, answer("q2", {"valueInteger": 2})))
        assert (len(outcome.records), outcome.in_part) == (2, True), bad
        assert b'"dropped:item[0]"' in outcome.records[0].provenance


def test_answers_about_somebody_else_are_not_the_patients() -> None:
    about = [{"url": "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject", "valueBoolean": True}]
    inside = {"linkId": "mother", "extension": about, "item": [answer("her-age", {"valueInteger": 40})]}
    outcome = outcome_of(response(inside, answer("q2", {"valueInteger": 2})))
    assert [json.loads(each.content).get("value") for each in outcome.records] == [None, 2]


REPORTERS = [
    ({"source": KID}, "self"),
    ({"source": {"reference": "https://ehr.example/fhir/Patient/kid-7/_history/2"}}, "self"),
    ({"source": {"reference": "Patient/mother"}}, "proxy"),
    ({"source": {"reference": "RelatedPerson/Quux"}}, "proxy"),
    ({"source": {"type": "Practitioner", "display": "Ann Quux"}}, "clinician"),
    ({"source": None, "author": KID}, "self"),
    ({"source": None, "author": {"reference": "RelatedPerson/Quux"}}, "proxy"),
    ({"source": {"reference": "RelatedPerson/Quux"}, "author": {"reference": "Practitioner/x"}}, "proxy"),
    ({"source": None, "author": {"reference": "Device/kiosk"}}, None),
    ({"source": {"display": "Ann Quux"}}, None),
]


@pytest.mark.parametrize(("fields", "expected"), REPORTERS)
def test_who_answered_is_told_by_kind(fields: Json, expected: str | None) -> None:
    """Who only wrote it down did not answer; another patient than the subject answers for it."""
    given = {name: value for name, value in response(*ANSWERS, **fields).items() if value is not None}
    assert {each.get("reporter") for each in records(given)} == {expected}


def test_how_it_was_answered_is_told_from_a_closed_list() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-completionMode"
    mode = {"url": url, "valueCodeableConcept": {"coding": [{"code": "ELECTRONIC"}, {"code": "ONLINEWRIT"}]}}
    assert records(response(*ANSWERS, extension=[mode]))[0]["mode"] == "ONLINEWRIT"


def test_epics_own_forms_stand_by_their_link_ids() -> None:
    """Answers are texts, ids long, the questionnaire is named by its address; what nobody mapped is counted."""
    name = "eXq1" + "a" * 70
    given = response(
        answer("LQF.12", {"valueString": "3"}),
        answer("LQF.13", {"valueString": "Several days"}),
        questionnaire=f"https://ehr.example/api/FHIR/R4/Questionnaire/{name}",
        author={"reference": "Practitioner/eQ"},
    )
    whole, first, second = records(given)
    assert whole["author_kind"] == "Practitioner"
    assert (first["value"], second["absent"]) == (3, "OT")
    assert [each["codings"][0]["code"] for each in (first, second)] == ["LQF.12", "LQF.13"]
    assert flags(given) == {"code-unmapped", "from-text", "text-withheld"}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"questionnaire": {"reference": "Questionnaire/q-77"}}, "questionnaire"),
        ({"parent": [{"reference": "Observation/1"}]}, "parent"),
        ({"context": {"reference": "Encounter/1"}}, "context"),
        ({"group": {"linkId": "g"}}, "group"),
    ],
)
def test_earlier_versions_are_refused_by_name(fields: Json, path: str) -> None:
    problem = outcome_of(response(*ANSWERS, **fields)).problem
    assert problem is not None
    assert (problem.reason, problem.path) == (Reason.OTHER_FHIR_VERSION, f"QuestionnaireResponse.{path}")


def test_known_lines_are_counted_as_when_they_were_mapped() -> None:
    """A line that comes again is not mapped; its records are counted all the same."""
    given = response(*ANSWERS, answer("many", chosen("a"), chosen("b")), {"linkId": "none"})
    line = json.dumps(given).encode()
    site = mapper(MOOD)
    assert site.record_count("QuestionnaireResponse", [line]) == len(site.map_line(line).records) == 5
