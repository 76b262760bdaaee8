"""CF-2 counted on the registry's tables, against counts worked out by hand."""

from datetime import date

from pydantic import BaseModel
from services_story import fibrosis, fill, percentile, person, visit
from sqlalchemy import Engine

from services.measures.compile.memory import Period
from services.measures.evaluate.counts import NETWORK, Counts, cohorts, evaluate
from services.measures.evaluate.periods import Step, periods
from services.measures.evaluate.sentences import sentence
from services.measures.library import measures

CF2 = measures()["cf2"]


def child(name: str, day: str, value: float | None = None, *, born: str | None = "2016-05-20") -> list[BaseModel]:
    """A child with cystic fibrosis who was seen on a day, and measured or not."""
    records: list[BaseModel] = [person(name, born=born), fibrosis(name), visit(name, day)]
    return records if value is None else [*records, percentile(name, day, value)]


OCTOBER: dict[str, list[BaseModel]] = {
    "measured twice, the last counts": [
        *child("ada", "2026-10-05", 40),
        visit("ada", "2026-10-20"),
        percentile("ada", "2026-10-20", 55),
    ],
    "just below": child("ben", "2026-10-06", 49.9),
    "not measured": child("cem", "2026-10-07"),
    "cancelled": [
        person("dia"),
        fibrosis("dia"),
        visit("dia", "2026-10-08", status="cancelled"),
        percentile("dia", "2026-10-08", 60),
    ],
    "planned": [person("dov"), fibrosis("dov"), visit("dov", "2026-10-30", status="planned")],
    "by ICD-10-CM, just reached": [
        person("eli"),
        fibrosis("eli", code=None, icd10cm="E84.0"),
        visit("eli", "2026-10-09"),
        percentile("eli", "2026-10-09", 50),
    ],
    "diagnosis refuted": [
        person("fay"),
        fibrosis("fay", verification_status="refuted"),
        visit("fay", "2026-10-09"),
        percentile("fay", "2026-10-09", 60),
    ],
    "another E84-like code": [person("fin"), fibrosis("fin", code=None, icd10cm="E840"), visit("fin", "2026-10-09")],
    "20 tomorrow": child("gus", "2026-10-09", 10, born="2006-10-10"),
    "20 today": child("hal", "2026-10-09", 10, born="2006-10-09"),
    "2 today": child("ida", "2026-10-09", 80, born="2024-10-09"),
    "2 tomorrow": child("jon", "2026-10-09", 80, born="2024-10-10"),
    "no birth date": child("kim", "2026-10-09", 80, born=None),
    "19 or 20": child("lee", "2026-10-09", 80, born="2006"),
    "9 or 10, impossible value": child("mia", "2026-10-09", 120, born="2016"),
    "measured in another month": [*child("nat", "2026-10-09"), percentile("nat", "2026-09-30", 70)],
    "a bound that does not say": [*child("oli", "2026-10-09"), percentile("oli", "2026-10-09", 40, comparator=">")],
    "a bound that says": [*child("pat", "2026-10-09"), percentile("pat", "2026-10-09", 97, comparator=">")],
    "result cancelled": [*child("quy", "2026-10-09"), percentile("quy", "2026-10-09", 60, status="cancelled")],
    "no cystic fibrosis": [person("ray"), visit("ray", "2026-10-09"), percentile("ray", "2026-10-09", 60)],
}
"""Of these 11 are seen (ada ben cem eli gus ida mia nat oli pat quy), 6 of them measured (ada ben eli gus ida pat), 4 met it (ada eli
ida pat); the age of 2 is not known (kim lee)."""


def counts(engine: Engine, step: Step = "month", since: str = "2026-10", until: str = "2026-11-20") -> list[Counts]:
    """CF-2 by site and period."""
    with engine.connect() as connection:
        found = evaluate(connection, CF2, periods(step, since, until))
    return [each for each in found if each.site != NETWORK]


def test_october_is_counted_as_by_hand(registry: Engine) -> None:
    """Every rule of the definition has a child on either side of it."""
    fill(registry, [record for records in OCTOBER.values() for record in records])
    assert counts(registry) == [Counts("north", "2026-10", seen=11, measured=6, met=4, unknown=2)]


def test_quarter_counts_each_child_once_by_its_last_value(registry: Engine) -> None:
    """Met in July and no more in September: once seen, once measured, not met."""
    fill(registry, [*child("ada", "2026-07-05", 60), visit("ada", "2026-09-05"), percentile("ada", "2026-09-05", 40)])
    assert counts(registry, "quarter", "2026-01") == [Counts("north", "2026-Q3", 1, 1, 0, 0)]


def test_sites_are_counted_apart(registry: Engine) -> None:
    """The value of another site's patient is not borrowed."""
    here, there = child("ada", "2026-10-05"), [person("bo", site="west"), fibrosis("bo", site="west")]
    there += [visit("bo", "2026-10-05", site="west"), percentile("bo", "2026-10-05", 60, site="west")]
    fill(registry, here + there)
    assert counts(registry) == [Counts("north", "2026-10", 1, 0, 0, 0), Counts("west", "2026-10", 1, 1, 1, 0)]


def test_cohort_is_told_with_what_is_not_known_of_it(registry: Engine) -> None:
    """Patients without a birth date or a visit are counted, not hidden."""
    fill(registry, [*child("ada", "2026-10-05"), person("bo", born=None), fibrosis("bo"), fibrosis("cy")])
    with registry.connect() as connection:
        (north,) = cohorts(connection, CF2, Period(date(2026, 1, 1), date(2026, 11, 20)))
    assert (north.patients, north.never_seen, north.without_birth_date) == (3, 2, 2)


def test_sentence_is_plain_whatever_the_numbers() -> None:
    """Singular, plural, nobody measured, nobody seen."""

    def said(measured: int, met: int, unmeasured: int) -> str:
        return sentence(
            CF2, "At North", "October 2026", Counts("north", "2026-10", measured + unmeasured, measured, met)
        )

    assert said(12, 7, 2) == (
        "At North, 7 of 12 children with cystic fibrosis seen and measured in October 2026 had a BMI percentile of 50 or more; "
        "2 more were seen without a measurement."
    )
    assert "0 of 1 child with cystic fibrosis" in said(1, 0, 1)
    assert said(1, 1, 1).endswith("1 more was seen without a measurement.")
    assert said(3, 1, 0).endswith("everyone seen was measured.")
    assert said(0, 0, 1) == "At North, the one child with cystic fibrosis seen in October 2026 was not measured."
    assert said(0, 0, 4) == "At North, none of the 4 children with cystic fibrosis seen in October 2026 was measured."
    assert said(0, 0, 0) == "At North, no child with cystic fibrosis was seen in October 2026."
