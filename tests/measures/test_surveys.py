"""Counts by site put together again, one site alone, on both databases: what is counted at once is what is counted apart."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel
from services_cases import record_id, subject_id
from services_story import fibrosis, fill, load_events, percentile, person, visit
from sqlalchemy import Engine, select

from schemas.outcomes import Coverage, DerivedObservation
from services.measures.compile.memory import Period
from services.measures.evaluate.counts import NETWORK, Counts, evaluate
from services.measures.evaluate.periods import periods
from services.measures.evaluate.surveys import Asked, Survey, strata_together, surveys, together
from services.measures.library import measures
from services.registry.database import reading, writing
from services.registry.one_site import seeing_one_site
from services.registry.tables import RECORD_TABLES

MONTHS = periods("month", "2026-08", "2026-10-31")
YEAR = Period(date(2025, 10, 1), date(2026, 9, 30), date(2026, 10, 31))
ASKED = Asked(MONTHS, Period(date(2024, 1, 1), date(2026, 10, 31)), YEAR)


def lung(name: str, day: str, value: float, site: str) -> DerivedObservation:
    content = {"id": record_id(f"f{name}{day}"), "subject": subject_id(name), "site": site}
    method = {
        "method": "fev1-percent-predicted-gli2022",
        "method_version": "1",
        "quantity": "fev1-percent-predicted",
        "value": value,
        "unit": "%",
    }
    return DerivedObservation.model_validate(content | method | {"effective_date": day, "inputs": []})


def children() -> Iterator[BaseModel]:
    """Of two sites, with one and with several visits; a site's quotation mark is no syntax."""
    for site, names in {"north": ("ada", "bea", "cy"), "west": ("dan", "eve")}.items():
        for place, name in enumerate(names):
            yield person(name, site=site)
            yield fibrosis(name, site=site)
            for month in (8, 9, 10)[: place + 1]:
                day = f"2026-{month:02}-0{place + 1}"
                yield visit(name, day, site=site)
                yield percentile(name, day, 45.0 + 3 * place, site=site)
                yield lung(name, day, 70.0 + 7 * place + month + 0.25, site)


def rounded(counts: list[Counts]) -> list[dict[str, Any]]:
    ordered = sorted(counts, key=lambda each: (each.site, each.period, each.stratum or ""))
    return [
        {name: round(value, 9) if isinstance(value, float) else value for name, value in asdict(each).items()}
        for each in ordered
    ]


@pytest.mark.parametrize("slug", ["cf2", "cf1"])
def test_all_sites_at_once_and_each_alone_are_the_same_as_counted_in_one_go(registry: Engine, slug: str) -> None:
    """A share, and a level that is drawn as a median: means, spreads and medians too; nothing of the narrowed view stays."""
    fill(registry, children(), load_events())
    measure = measures()[slug]
    with reading(registry) as connection:
        whole = evaluate(connection, measure, MONTHS)
        at_once = surveys(connection, measure, ASKED)
        apart = {site: surveys(connection, measure, ASKED, site=site)[site] for site in ("north", "west")}
        nobody = surveys(connection, measure, ASKED, site="o'hare 100%")
        again = evaluate(connection, measure, MONTHS)

    assert apart == at_once
    assert nobody == {}
    assert again == whole
    assert {each.site for each in whole} == {NETWORK, "north", "west"}
    own = [count for each in at_once.values() for count in each.counts]
    assert rounded([*together(at_once.values()), *own]) == rounded(whole)
    assert at_once["north"].last == "2026-10-03"
    assert at_once["north"].cohort is not None
    assert at_once["north"].cohort.patients == 3


def test_strata_of_sites_add_up(registry: Engine) -> None:
    """By sex: everybody once, in the twelve months that are over."""
    fill(registry, children(), load_events())
    measure = measures()["cf2"]
    with reading(registry) as connection:
        whole = evaluate(connection, measure, {"year": YEAR}, by="sex")
        found = surveys(connection, measure, ASKED).values()

    told = [*strata_together(found, "sex"), *(count for each in found for count in each.strata["sex"])]
    assert rounded(told) == rounded(whole)


PAYS: list[tuple[str, list[dict[str, Any]], str | None]] = [
    ("one", [{"payer": "2"}], "2"),
    ("first", [{"payer": "5", "order": 2}, {"payer": "2", "order": 1}, {"payer": "9"}], "2"),
    ("alike", [{"payer": "1"}, {"payer": "2"}], "several"),
    ("twice", [{"payer": "6", "order": 1}, {"payer": "6", "order": 1}], "6"),
    ("over", [{"payer": "2", "end_date": "2026-09-29"}, {"payer": "5", "end_date": "2026-09-30"}], "5"),
    ("month", [{"payer": "2", "start_date": "2026-09", "end_date": "2026-09"}], "2"),
    ("later", [{"payer": "2", "start_date": "2026-10-01"}], None),
    ("cancelled", [{"payer": "2", "status": "cancelled"}, {"payer": "8", "status": "active"}], "8"),
    ("untold", [{"status": "active", "order": 1}, {"payer": "7", "order": 2}], "7"),
    ("unknown", [{"payer": "UN"}], "UN"),
    ("none", [], None),
]


def test_who_pays_is_who_pays_first_on_the_last_day_counted(registry: Engine) -> None:
    """Of coverages that hold then; of several alike none is said to be first; of whom none is known stands apart."""
    told: list[BaseModel] = []
    for name, coverages, _ in PAYS:
        told += [person(name), fibrosis(name), visit(name, "2026-09-01"), percentile(name, "2026-09-01", 60)]
        whose = {"subject": subject_id(name), "site": "north"}
        told += [
            Coverage.model_validate({"id": record_id(f"w{name}{place}"), **whose, **each})
            for place, each in enumerate(coverages)
        ]
    fill(registry, told, load_events())
    with reading(registry) as connection:
        counts = evaluate(connection, measures()["cf2"], {"year": YEAR}, by="payer")
    wanted = Counter(payer for _, _, payer in PAYS)
    assert {each.stratum: each.measured for each in counts if each.site == "north"} == wanted


def test_one_site_alone_is_seen_while_the_context_lasts(registry: Engine) -> None:
    """And all of it after that, whatever went wrong within."""
    fill(registry, children(), load_events())
    seen = select(RECORD_TABLES["person"].c.site).distinct()
    with writing(registry) as connection:
        try:
            with seeing_one_site(connection, "west"):
                assert connection.scalars(seen).all() == ["west"]
                raise KeyError
        except KeyError:
            pass
        assert sorted(connection.scalars(seen)) == ["north", "west"]


@pytest.mark.parametrize(
    ("values", "median"),
    [
        (({1.0: 1}, {2.0: 1}), 1.5),
        (({1.0: 1, 9.0: 1}, {2.0: 1}), 2.0),
        (({5.0: 3}, {1.0: 1}), 5.0),
        (({5.0: 2}, {1.0: 2}), 3.0),
        (({}, {7.0: 1}), 7.0),
    ],
)
def test_sites_have_a_median_together(values: tuple[dict[float, int], dict[float, int]], median: float) -> None:
    """Of the numbers, not of the sites' medians."""
    found = [
        Survey(str(number), (Counts(str(number), "2026-10", 1, 1, 0),), {"2026-10": each})
        for number, each in enumerate(values)
    ]
    (network,) = together(found)
    assert network.median == median
