"""Days on a medicine: which of a record's words tell them, at the edges of a window, and what tells none."""

from typing import Any

import pytest
from histories import derive, medicine, of, record, visit

RECTAL, INHALED, TOPICAL = "37161004", "447694001", "6064005"
ORAL, VEIN = "26643006", "47625008"


def route(code: str) -> list[dict[str, str]]:
    """As a record tells it."""
    return [{"code": code}]


def order(start: str, end: str | None = None, **fields: Any) -> Any:
    """Prednisone."""
    return medicine("8640", start, end, **fields)


def steps(*told: dict[str, Any]) -> list[dict[str, Any]]:
    """One after the other."""
    return [{"sequence": place, **each} for place, each in enumerate(told, 1)]


PERIODS = steps(
    {"start_date": "2024-05-01", "end_date": "2024-05-03"}, {"start_date": "2024-05-10", "end_date": "2024-05-12"}
)
OF_90 = {
    "first day of the window": (1, [order("2024-03-01", "2024-04-02")]),
    "day before the window": (0, [order("2024-03-01", "2024-04-01")]),
    "day of the visit": (1, [order("2024-06-30", "2024-07-30")]),
    "day after the visit": (0, [order("2024-07-01", "2024-07-30")]),
    "the whole window": (90, [order("2020-01-01", "2030-01-01")]),
    "overlapping": (10, [order("2024-05-01", "2024-05-06"), order("2024-05-04", "2024-05-10")]),
    "stopped and begun again": (
        8,
        [order("2024-05-01", "2024-05-03", status="stopped"), order("2024-05-06", "2024-05-10")],
    ),
    "stopped before the supply was gone": (3, [order("2024-05-01", "2024-05-03", status="stopped", days_supply=30)]),
    "valid for longer than it lasts": (5, [order("2024-05-01", "2025-05-01", days_supply=5)]),
    "filled three times": (15, [order("2024-05-01", "2025-05-01", days_supply=5, refills=2)]),
    "stopped, nobody knows when": (5, [order("2024-05-01", status="stopped", days_supply=5, refills=2)]),
    "handed over, though more fills are allowed": (
        5,
        [order("2024-05-01", kind="dispensed", days_supply=5, refills=2)],
    ),
    "handed over in part": (5, [order("2024-05-01", kind="dispensed", days_supply=5, steps=steps({"days": 21}))]),
    "handed over after the order ended": (
        9,
        [order("2024-05-01", "2024-05-04"), order("2024-05-20", kind="dispensed", days_supply=5)],
    ),
    "only got ready": (0, [order("2024-05-01", kind="dispensed", days_supply=5, status="preparation")]),
    "on hold": (0, [order("2024-05-01", "2024-05-20", status="on-hold")]),
    "meant to be taken": (0, [order("2024-05-01", "2024-05-20", kind="reported", status="intended")]),
    "as needed": (0, [order("2024-05-01", "2024-05-20", as_needed=True)]),
    "as needed, and given once": (
        1,
        [order("2024-05-01", "2024-05-20", as_needed=True), order("2024-05-02", kind="given")],
    ),
    "nothing of it": (0, [order("2024-05-01", "2024-05-20", dose=0)]),
    "from nothing to something of it": (3, [order("2024-05-01", "2024-05-03", dose=0, dose_high=5)]),
    "begun after it was ordered": (
        5,
        [order("2024-05-01", "2024-05-24", steps=steps({"start_date": "2024-05-20", "end_date": "2024-05-24"}))],
    ),
    "two periods": (6, [order("2024-05-01", "2024-05-12", steps=PERIODS)]),
    "a pause in a taper": (
        9,
        [order("2024-05-01", steps=steps({"days": 7, "dose": 10}, {"days": 7, "dose": 0}, {"days": 2, "dose": 5}))],
    ),
    "a taper that ends at nothing": (7, [order("2024-05-01", steps=steps({"days": 7, "dose": 10}, {"dose": 0}))]),
    "a taper, then as needed": (5, [order("2024-05-01", steps=steps({"days": 5}, {"as_needed": True}))]),
    "halves of days": (7, [order("2024-05-01", steps=steps({"days": 3.5}, {"days": 3.5}))]),
    "a taper nobody knows the end of": (0, [order("2024-05-01", steps=steps({"days": 5}, {"dose": 5}))]),
    "a step that ends before it begins": (
        0,
        [order("2024-05-01", steps=steps({"start_date": "2024-05-09", "end_date": "2024-05-08"}))],
    ),
    "by mouth": (3, [order("2024-05-01", "2024-05-03", route=route(ORAL))]),
    "by another way": (
        0,
        [order("2024-05-01", "2024-05-20", route=route(each)) for each in (RECTAL, INHALED, TOPICAL)],
    ),
}


@pytest.mark.parametrize("name", OF_90)
def test_days_on_systemic_steroids(name: str) -> None:
    """In the 90 days that end with the visit, from the second of April on."""
    days, records = OF_90[name]
    found = derive(visit("2024-06-30"), *records, wanted="systemic-steroid-days-90")
    assert sum(of(found, "systemic-steroid-days-90")) == days


@pytest.mark.parametrize(("last", "days"), [("2023-07-02", 1), ("2023-07-01", 0), ("2024-06-30", 365)])
def test_the_longer_window_begins_364_days_before_the_visit(last: str, days: int) -> None:
    """A leap year's day counts as any other."""
    found = derive(visit("2024-06-30"), order("2020-01-01", last), wanted="systemic-steroid-days-365")
    assert of(found, "systemic-steroid-days-365") == [days]


@pytest.mark.parametrize(("second", "episodes"), [("2024-01-24", [20]), ("2024-01-25", [10, 10])])
def test_courses_a_fortnight_apart_are_one_exacerbation(second: str, episodes: list[int]) -> None:
    """From the last day of one to the first of the next; only the days of the courses are counted."""
    vein, end = {"route": route(VEIN)}, f"{second[:8]}{int(second[8:]) + 9 - 31:02}".replace("-01-", "-02-")
    records = [medicine("10627", "2024-01-01", "2024-01-10", **vein), medicine("29561", second, end, **vein)]
    found = derive(record("condition", code="190905008"), *records)
    assert of(found, "iv-antibiotic-exacerbation") == episodes


def test_an_order_is_of_one_exacerbation() -> None:
    """Its value hangs on it: two periods of one order, however far apart, are told once, without the days between."""
    periods = steps(
        {"start_date": "2024-01-01", "end_date": "2024-01-10"}, {"start_date": "2024-03-01", "end_date": "2024-03-05"}
    )
    given = medicine("10627", "2024-01-01", "2024-03-05", route=route(VEIN), steps=periods)
    (found,) = derive(record("condition", code="190905008"), given)
    assert (found["value"], found["effective_date"], len(found["inputs"])) == (15, "2024-01-01", 2)
