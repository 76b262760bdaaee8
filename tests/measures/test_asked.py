"""Of records those fields alone are read that decide: whatever an evaluation looks at is among them."""

from datetime import date
from typing import Any

import pytest
from generated_lives import life
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from persons import value_sets
from random_persons import people

from services.measures.compile.asked import EVERYTHING, Reads, reads_of
from services.measures.compile.memory import Period
from services.measures.compile.people import Person, Record
from services.measures.evaluate.periods import periods
from services.measures.keeping.plans import network_plan
from services.measures.keeping.standing import official
from services.measures.library import measures
from services.measures.official import definition
from services.measures.official.editions import EDITIONS

MEASURES = list(measures().values())
MONTHS = periods("month", "2025-11", "2026-03-20")


class Watched(dict[str, Any]):
    """A record that refuses to be asked for a field that is not read."""

    def __init__(self, record: Record, reads: Reads) -> None:
        super().__init__(record)
        self._unread = {*EVERYTHING[record["type"]]} - {*reads[record["type"]]}

    def get(self, name: str, default: Any = None) -> Any:
        assert name not in self._unread, name
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        assert name not in self._unread, name
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        assert name not in self._unread, name
        return super().__contains__(name)


def watched(records: list[Record], reads: Reads) -> Person:
    return Person(Watched(each, reads) for each in records if each["type"] in reads)


@settings(max_examples=30, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_networks_measures_look_at_nothing_else(data: st.DataObject) -> None:
    records, plan = life(data.draw, 1, MEASURES), NETWORK
    whole, some = Person(records), watched(records, plan.reads)
    assert list(plan.evaluate(some)) == list(plan.evaluate(whole))
    assert list(plan.groups(some)) == list(plan.groups(whole))


NETWORK = network_plan(MEASURES, MONTHS)


@pytest.mark.parametrize("year", EDITIONS)
@settings(max_examples=10, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(lives=people())
def test_published_measures_look_at_nothing_else(year: int, lives: list[list[Record]]) -> None:
    definitions = [definition(name, year) for name in ("CMS2", "CMS122", "CMS155", "CMS159", "CMS165")]
    sets, period = value_sets(*(each.groups for each in definitions)), Period(date(year, 1, 1), date(year, 12, 31))
    for one in definitions:
        plan = official(one, str(year), period, sets)
        for records in lives:
            some, whole = watched(records, plan.reads), Person(records)
            assert list(plan.evaluate(some)) == list(plan.evaluate(whole))
            assert list(plan.groups(some)) == list(plan.groups(whole))


def test_what_no_measure_asks_for_is_not_read() -> None:
    """Most of a result's fields, and when visits arrived unless a measure asks for that."""
    fibrosis = reads_of([measures()["cf2"]])
    assert "arrived" not in fibrosis["encounter"]
    assert "arrived" in reads_of([measures()["net1"]])["encounter"]
    assert not {"reference_low", "codings", "performer_kinds"} & set(fibrosis["observation"])
    assert tuple(fibrosis["person"]) == tuple(EVERYTHING["person"])
    assert "medication" not in fibrosis
