"""Patients that the EHR merges and unmerges: whose their facts are, and what is told of it, over several nights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exporting import Exports
from hospital_with_faults import FaultyHospital
from network_under_test import SUBJECT_KEY, Network

from mainstem.refresh import open_refresh
from schemas.loads import LoadReport, load_topic
from transforms.privacy.pseudonyms import Pseudonyms

Resource = dict[str, Any]
SITE = Callable[..., Path]
WHOSE = Callable[[], dict[str, list[str]]]


def patient(ident: str, day: int = 1, **values: Any) -> Resource:
    """A child, as it was changed last."""
    head = {"resourceType": "Patient", "id": ident, "meta": {"lastUpdated": f"2026-03-{day:02}T00:00:00Z"}}
    return {**head, "birthDate": "2015-03-01", **values}


def merged(ident: str, into: str, day: int = 2, **values: Any) -> Resource:
    """The same, no longer to be used."""
    link = [{"type": "replaced-by", "other": {"reference": f"Patient/{into}"}}]
    return patient(ident, day, **{"active": False, "link": link, **values})


def condition(of: str) -> Resource:
    """A diagnosis."""
    coding = {"system": "http://snomed.info/sct", "code": "34000006"}
    head = {"resourceType": "Condition", "id": f"dx-{of}", "meta": {"lastUpdated": "2026-03-01T00:00:00Z"}}
    return {**head, "subject": {"reference": f"Patient/{of}"}, "code": {"coding": [coding]}}


@pytest.fixture
def site(lhn: Network, faulty: FaultyHospital) -> SITE:
    """The hospital's site file."""

    def write(road: str = "search") -> Path:
        source = f'[fhir]\nbase_url = "{faulty.base_url}"\npage_size = 10\nrequests_per_second = 1000\n'
        return lhn.site("west", source, road=road, types=["Patient", "Condition"])

    return write


@pytest.fixture
def whose(lhn: Network) -> Callable[[], dict[str, list[str]]]:
    """Who has what, by the topic's last word of each key."""
    names = {f"s-{Pseudonyms(SUBJECT_KEY.encode()).subject(each).hex()}": each for each in ("ann", "bob", "cat", "dan")}

    def read() -> dict[str, list[str]]:
        last = {(seen.subject, seen.record): seen for seen in lhn.events()}
        found: dict[str, list[str]] = {}
        for seen in last.values():
            if seen.operation in ("recorded", "amended"):
                found.setdefault(names[seen.subject], []).append(seen.type)
        return {name: sorted(types) for name, types in sorted(found.items())}

    return read


def counts(report: LoadReport) -> tuple[int, int, int]:
    """Patients merged, unmerged, and in a way that cannot be followed."""
    figures = report.types["Patient"]
    return figures.merged, figures.unmerged, figures.merges_unclear


OWN = ["condition", "person"]
BOTH = ["condition", "condition", "person"]


def test_a_merged_patients_facts_go_over_and_come_back_when_the_link_goes(
    lhn: Network, faulty: FaultyHospital, site: SITE, whose: WHOSE
) -> None:
    """The old key is withdrawn, also of what did not come that night; the report and the load event say it."""
    faulty.put(patient("ann"), patient("bob"), condition("ann"), condition("bob"))
    assert lhn.refresh(site()).total.recorded == 4
    assert whose() == {"ann": OWN, "bob": OWN}

    faulty.put(merged("ann", into="bob"))
    second = lhn.refresh(site())
    assert (second.status, counts(second)) == ("completed", (1, 0, 0))
    assert "1 were merged into another" in " ".join(second.notes)
    assert whose() == {"bob": BOTH}
    assert json.loads(lhn.events(load_topic)[-1].raw or b"")["types"]["Patient"]["merged"] == 1
    assert counts(lhn.refresh(site())) == (0, 0, 0)

    faulty.put({**condition("ann"), "meta": {"lastUpdated": "2026-03-03T00:00:00Z"}, "recordedDate": "2026-02-01"})
    assert lhn.refresh(site()).total.amended == 1
    assert whose() == {"bob": BOTH}

    faulty.put(patient("ann", day=4, active=True))
    last = lhn.refresh(site())
    assert (last.status, counts(last)) == ("completed", (0, 1, 0))
    assert whose() == {"ann": OWN, "bob": OWN}


@pytest.mark.slow
def test_merges_of_merges_end_at_the_last_and_may_be_corrected(
    lhn: Network, faulty: FaultyHospital, site: SITE, whose: WHOSE
) -> None:
    """Ann into Bob, Bob into Cat, in one night; then it turns out that Ann is Dan."""
    people = ("ann", "bob", "cat", "dan")
    faulty.put(*map(patient, people), *map(condition, people))
    lhn.refresh(site())
    faulty.put(merged("ann", into="bob"), merged("bob", into="cat"))
    assert counts(lhn.refresh(site())) == (2, 0, 0)
    assert whose() == {"cat": ["condition", *BOTH], "dan": OWN}

    faulty.put(merged("ann", into="dan", day=3))
    assert counts(lhn.refresh(site())) == (1, 0, 0)
    assert whose() == {"cat": BOTH, "dan": BOTH}


def test_what_cannot_be_followed_changes_nothing_and_is_told(
    lhn: Network, faulty: FaultyHospital, site: SITE, whose: WHOSE
) -> None:
    """A circle, a survivor that only has a number, and one that says it is active; each stays its own."""
    people = ("ann", "bob", "cat", "dan")
    faulty.put(*map(patient, people), *map(condition, people))
    lhn.refresh(site())
    number = [{"type": "replaced-by", "other": {"identifier": {"value": "4711"}}}]
    faulty.put(merged("ann", into="bob"), merged("bob", into="ann"))
    faulty.put(patient("cat", 2, active=False, link=number), merged("dan", into="ann", active=True))
    report = lhn.refresh(site())
    assert (report.status, counts(report)) == ("completed", (0, 0, 4))
    assert "4 say that they were merged in a way that cannot be followed" in " ".join(report.notes)
    assert whose() == dict.fromkeys(people, OWN)


def test_a_survivor_that_has_not_come_is_waited_for(
    lhn: Network, faulty: FaultyHospital, site: SITE, whose: WHOSE
) -> None:
    """The facts stand under it already: what is merged must not be used. A night later its Patient comes."""
    faulty.put(merged("ann", into="bob", day=1), condition("ann"))
    first = lhn.refresh(site())
    assert (counts(first), whose()) == ((1, 0, 0), {"bob": ["condition"]})
    assert "of 1 who were merged the surviving Patient has not come yet" in " ".join(first.notes)
    faulty.put(patient("bob", day=2))
    second = lhn.refresh(site())
    assert (second.notes, whose()) == ([], {"bob": OWN})


@pytest.mark.parametrize("active", [False, None])
@pytest.mark.slow
def test_the_survivors_word_counts_where_the_merged_one_does_not_come(
    lhn: Network, faulty: FaultyHospital, site: SITE, whose: WHOSE, active: bool | None
) -> None:
    """Some EHRs give what was combined by read alone, or inactive without a link; the survivor says whom it replaces."""
    faulty.put(patient("ann"), patient("bob"), condition("ann"), condition("bob"))
    lhn.refresh(site())
    if active is False:
        faulty.put(patient("ann", day=2, active=False))
    else:
        del faulty.resources["Patient"][0]
    faulty.put(patient("bob", 2, link=[{"type": "replaces", "other": {"reference": "Patient/ann"}}]))
    assert counts(lhn.refresh(site())) == (1, 0, 0)
    assert whose() == {"bob": BOTH}
    faulty.put(patient("ann", day=3, active=True), patient("bob", day=3))
    assert counts(lhn.refresh(site())) == (0, 1, 0)
    assert whose() == {"ann": OWN, "bob": OWN}


@pytest.mark.slow
def test_an_operators_word_stands_above_the_ehrs(
    lhn: Network, faulty: FaultyHospital, site: SITE, whose: WHOSE
) -> None:
    faulty.put(*map(patient, ("ann", "bob", "cat")), condition("ann"))
    lhn.refresh(site())
    subject = Pseudonyms(SUBJECT_KEY.encode()).subject
    with open_refresh(site(), lhn.settings) as refresh:
        refresh.store.aliases.add("west", subject("ann"), subject("cat"), "merged", refresh.clock())
    faulty.put(merged("ann", into="bob"))
    assert counts(lhn.refresh(site())) == (0, 0, 1)
    faulty.put(patient("ann", day=3))
    assert counts(lhn.refresh(site())) == (0, 0, 0)
    assert whose() == {"bob": ["person"], "cat": OWN}


def test_a_merge_in_an_export_and_a_merged_patient_that_is_deleted_then(
    lhn: Network, faulty: FaultyHospital, exports: Exports, site: SITE, whose: WHOSE
) -> None:
    """A stub of the merged Patient is no word that the link is gone."""
    faulty.put(patient("ann"), patient("bob"), condition("ann"))
    lhn.refresh(site("bulk"))
    faulty.put(merged("ann", into="bob"))
    assert counts(lhn.refresh(site("bulk"))) == (1, 0, 0)
    faulty.put({"resourceType": "Patient", "id": "ann", "meta": {"deleted": True}})
    assert counts(lhn.refresh(site("bulk"))) == (0, 0, 0)
    assert whose() == {"bob": OWN}
