"""Every derived value against every change of its inputs: come late, amended, withdrawn, in another unit, of another birthday."""

import json
import random
import tracemalloc
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest
from histories import ANNE, assessment, deriver, girl, height, mapped, medicine, observed, record, visit, weight

from transforms.derive import shipped
from transforms.derive.history.numbers import FEW
from transforms.derive.history.standing import Standing
from transforms.mapped import Current

DAY = "2024-03-02"
VEIN = [{"code": "47625008"}]
CHILD = [
    girl(race=["2106-3"]),
    weight(40, DAY),
    height(140, DAY),
    observed("9843-4", 46, "cm", "2015-06-02"),
    observed("20150-9", 1.9, "L", DAY),
    observed("19868-9", 2.2, "L", DAY),
    observed("2160-0", 0.6, "mg/dL", DAY),
    observed("4548-4", 7.5, "%", DAY),
    observed("97510-2", 72, "%", DAY),
    observed("44261-6", 10, "{score}", DAY),
    observed("55758-7", 3, "{score}", DAY),
    observed("70274-6", 10, "{score}", DAY),
    observed("82668-5", 18, "{score}", DAY),
    record("pro_response", codings=[{"code": "C-ACT"}], value=19, effective_date=DAY),
    assessment("PUCAI", DAY, score=40),
    assessment("sPCDAI", "2024-02-02", score=40),
    assessment("PGA", "2024-01-02", state="mild"),
    visit("2024-03-09", "visit"),
    medicine("8640", "2024-02-01", "2024-02-10"),
    medicine("10627", "2024-02-01", "2024-02-10", route=VEIN),
    record("condition", "cf", code="190905008"),
    record("condition", "t1d", code="46635009", onset_age=7, onset_age_unit="a"),
    record("enrolment", registry="ibd", status="transitioned", end_date=DAY),
]
ADULT = [girl("1974-03-02"), observed("2160-0", 0.8, "mg/dL", DAY)]
AT_ANY_AGE = {"bmi", "egfr-schwartz-2009", "last-visit"}
"""Values that are the same a year later."""
OURS = deriver()
Stood = dict[bytes, bytes]


def amended(given: Current) -> Current:
    """The same record, saying something else."""
    content = json.loads(given.content)
    match content:
        case {"type": "person"}:
            content["sex"] = "male"
        case {"value": value}:
            content["value"] = value - (1 if content.get("unit", "{score}") == "{score}" else value / 10)
        case {"score": score}:
            content["score"] = score - 30
        case {"state": _}:
            content["state"] = "severe"
        case {"onset_age": age}:
            content["onset_age"] = age + 1
        case {"code": "190905008"}:
            content["code"] = "195967001"
        case {"end_date": _}:
            content["end_date"] = "2024-02-29"
        case {"start_date": _}:
            content["start_date"] = "2024-03-12"
    return with_content(given, content)


def with_content(given: Current, content: dict[str, Any]) -> Current:
    """The same record with another content."""
    return given._replace(content=json.dumps(content, separators=(",", ":")).encode())


def changes(given: Current) -> dict[str, tuple[Current | None, Current | None]]:
    """What may happen to a record: as it was, as it is."""
    content = json.loads(given.content)
    found: dict[str, tuple[Current | None, Current | None]] = {
        "late": (None, given),
        "amended": (given, amended(given)),
        "withdrawn": (given, None),
    }
    if content["type"] == "observation" and content["unit"] != "{score}":
        found["unit"] = given, with_content(given, content | {"unit": "[in_i]"})
    if "birth_date" in content:
        year = int(content["birth_date"][:4]) + 1
        found["born"] = given, with_content(given, content | {"birth_date": f"{year}-01-20"})
    return found


def stand(records: list[Current], standing: Stood) -> Stood:
    """What stands after the step derive has seen a person's records."""
    known = [Current(id_, "derived_observation", ANNE, content) for id_, content in standing.items()]
    given = list(OURS.derive([*records, *known]))
    gone = {each for each in given if isinstance(each, bytes)}
    return {id_: content for id_, content in standing.items() if id_[:12] not in gone} | {
        each.id: each.content for each in mapped(given)
    }


def by_method(standing: Iterable[tuple[bytes, bytes]]) -> set[str]:
    """Which values they are."""
    return {json.loads(content)["method"] for _, content in standing}


@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, FEW + 700, 9 * FEW])
def test_what_stands_and_is_not_given_is_left(count: int) -> None:
    """As of a set, few or very many, in whatever order they are given; one that never stood changes nothing."""
    chance = random.Random(count)
    refs = [chance.randbytes(12) for _ in range(count)]
    given = chance.sample(refs, count // 3)
    standing = Standing()
    for ref in refs:
        standing.add(ref)
    assert bool(standing) == bool(refs)
    for ref in (
        *given,
        *given[:5],
        *(chance.randbytes(12) for _ in range(100)),
        *(ref[:11] + b"\0" for ref in refs[:50]),
    ):
        standing.give(ref)
    left = list(standing.left())
    assert len(left) == len(set(left))
    assert set(left) == set(refs) - set(given)


def test_what_stands_of_very_many_takes_few_bytes() -> None:
    """Some thirty each, where a set takes more than a hundred."""
    count, chance = 40_000, random.Random(1)
    tracemalloc.start()
    try:
        standing = Standing()
        for _ in range(count):
            standing.add(chance.randbytes(12))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 40 * count


def test_every_value_follows_every_change_of_its_inputs() -> None:
    """One change after the other: what stands is what would be derived anew, and nothing names what is gone."""
    moved = defaultdict[str, set[str]](set)
    for person in (CHILD, ADULT):
        for place, given in enumerate(person):
            for kind, (was, now) in changes(given).items():
                before, after = (
                    [*person[:place], *([each] if each else []), *person[place + 1 :]] for each in (was, now)
                )
                old = stand(before, {})
                new = stand(after, old)
                assert new == stand(after[::-1], {}), (kind, given.type)
                name = json.loads(given.content)["id"]
                assert now or not any(name in json.loads(content)["inputs"] for content in new.values())
                for method in by_method(set(old.items()) ^ set(new.items())):
                    moved[method].add(kind)
    assert moved.keys() == {value.name for value in shipped()}
    for value in shipped():
        assert moved[value.name] >= {"late", "amended", "withdrawn"}, value.name
        of_age = "person" in value.needs and value.name not in AT_ANY_AGE
        assert not of_age or "born" in moved[value.name], value.name
        assert value.unit in ("{score}", "1") or value.needs != {"person", "observation"} or "unit" in moved[value.name]
