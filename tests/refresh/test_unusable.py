"""What a resource gave before does not stand when it comes again and cannot be used, and is back when it can."""

import json
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest

from mainstem import refresh as steps
from mainstem.refresh import Refresh
from schemas.errors import IncompleteError
from schemas.loads import TypeCounts
from schemas.problems import NOT_LOADED, Reason

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
Make = Callable[..., Refresh]


def weight(kilograms: float = 24.5, **values: Any) -> dict[str, Any]:
    """A reading; `...` leaves a field out."""
    resource = {
        "resourceType": "Observation",
        "id": "wt-7",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "29463-7"}]},
        "subject": {"reference": "Patient/kid-7"},
        "effectiveDateTime": "2026-05-11T09:00:00Z",
        "valueQuantity": {"value": kilograms, "unit": "kg", "system": UCUM, "code": "kg"},
        **values,
    }
    return {name: value for name, value in resource.items() if value is not ...}


def line(resource: dict[str, Any]) -> str:
    """As an export writes it."""
    return json.dumps(resource, separators=(",", ":"))


def quantity(**values: Any) -> dict[str, Any]:
    return {"value": 26.0, "system": UCUM, **values}


TWICE = line(weight(26)).replace('"status":"final"', '"status":"final","status":"amended"')
CASES: dict[Reason, str] = {
    Reason.INVALID_JSON: line(weight(26))[:-2],
    Reason.LINE_TOO_LONG: line(weight(26, note=[{"text": "x" * 5000}])),
    Reason.TRUNCATED_FILE: line(weight(26))[:-40],
    Reason.NOT_A_RESOURCE: line(weight(26, resourceType=...)),
    Reason.OTHER_FHIR_VERSION: line(weight(26, comments="better")),
    Reason.INVALID_FIELD: line(weight(26, valueQuantity="26 kg")),
    Reason.MISSING_ID: line(weight(26, id=...)),
    Reason.MISSING_SUBJECT: line(weight(26, subject={"display": "somebody"})),
    Reason.MISSING_CODE: line(weight(26, code={"text": "how heavy"})),
    Reason.MISSING_TIME: line(weight(26, effectiveDateTime=...)),
    Reason.UNKNOWN_UNIT: line(weight(26, valueQuantity=quantity(code="stones"))),
    Reason.UNIT_MISMATCH: line(weight(26, valueQuantity=quantity(code="cm"))),
    Reason.UNIT_CONTRADICTED: line(weight(26, valueQuantity=quantity(unit="lb", code="kg"))),
    Reason.BAD_CODE: line(weight(26, code={"coding": [{"system": LOINC, "code": "29463-8"}]})),
    Reason.MODIFIER_NOT_UNDERSTOOD: line(weight(26, modifierExtension=[{"url": "urn:x", "valueBoolean": True}])),
    Reason.ABOUT_SOMEBODY_ELSE: line(weight(26, focus=[{"reference": "RelatedPerson/mother"}])),
    Reason.TEST_DATA: line(weight(26, meta={"security": [{"code": "HTEST"}]})),
    Reason.PARTIAL_ANSWER: line(weight(26, meta={"tag": [{"code": "SUBSETTED"}]})),
    Reason.DUPLICATE_KEY: TWICE,
    Reason.TYPE_NOT_MAPPED: line(weight(26, resourceType="Practitioner")),
    Reason.NOT_A_FACT: line(weight(26, extension=[{"url": "https://v.example/negationInd", "valueBoolean": True}])),
    Reason.SERVER_MESSAGE: line(weight(26, resourceType="OperationOutcome")),
}
QUICK = {Reason.INVALID_JSON, Reason.TRUNCATED_FILE, Reason.NOT_A_RESOURCE, Reason.BAD_CODE, Reason.NOT_A_FACT}
"""One of each kind of outcome; `make check` takes all."""
NO_ID = frozenset({Reason.NOT_A_RESOURCE, Reason.MISSING_ID})
"""Nobody can tell which resource it is."""
LANDED_NEVER = {Reason.FILE_TOO_LARGE, Reason.OTHER_ENCODING}
OF_HOLDINGS = {Reason.UNKNOWN_DEVICE, Reason.DEVICE_ALONE, Reason.DEFINITION}
OF_CONSENTS = {Reason.CONSENT_NOT_UNDERSTOOD, Reason.CONSENT_ELSEWHERE}
ELSEWHERE = {
    Reason.UNKNOWN_MEDICATION,
    Reason.BUNDLE,
    Reason.NOT_IN_COHORT,
    Reason.CONSENT_WITHDRAWN,
    *OF_HOLDINGS,
    *OF_CONSENTS,
    *LANDED_NEVER,
}
"""The first two below, the third with the cohorts, devices, groups, consents with theirs; a file that cannot be opened is not mapped at all."""
LIMITED = '[files]\nfolder = "delivery"\n[limits]\nline_bytes = 4000\n'


def night(refresh: Refresh, tmp_path: Path, *lines: str, kind: str = "Observation") -> TypeCounts:
    """A delivery of one type, mapped; the last line may end anywhere."""
    (tmp_path / "delivery" / f"{kind}.ndjson").write_text("\n".join(lines))
    load = steps.plan(refresh, fresh=True).load
    with suppress(IncompleteError):  # said of a file that breaks off, which keeps its good lines
        steps.pull_units(refresh, load, [kind])
    return steps.map_types(refresh, load, [kind])


def standing(tmp_path: Path) -> dict[str, Any]:
    """Current records' values by code."""
    with closing(connect(tmp_path / "state.db")) as state:
        rows = state.execute("SELECT content FROM record WHERE content IS NOT NULL").fetchall()
    records = [json.loads(content) for (content,) in rows]
    return {record.get("code", ""): record.get("value") for record in records}


def test_every_reason_is_proven_here() -> None:
    """A new reason must say what becomes of what stood before."""
    assert {*CASES, *ELSEWHERE} == set(Reason)


@pytest.mark.parametrize(
    "reason", [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in CASES]
)
def test_a_correction_that_cannot_be_used_withdraws_what_stood_and_heals(
    make_refresh: Make, tmp_path: Path, reason: Reason
) -> None:
    """But for what was not loaded: a broken transport says nothing of what the source holds."""
    refresh = make_refresh(LIMITED, types=["Observation"])
    night(refresh, tmp_path, line(weight()), "")
    assert standing(tmp_path) == {"29463-7": 24.5}

    ending = () if reason is Reason.TRUNCATED_FILE else ("",)
    counts = night(refresh, tmp_path, CASES[reason], *ending)

    assert counts.skipped == {reason.value: 1}
    stays = reason in NOT_LOADED | NO_ID
    assert standing(tmp_path) == ({"29463-7": 24.5} if stays else {})
    assert counts.withdrawn == (not stays)
    assert counts.source_unusable == (not stays and reason is not Reason.NOT_A_FACT)

    healed = night(refresh, tmp_path, line(weight(26)), "")

    assert standing(tmp_path) == {"29463-7": 26}
    assert healed.skipped == {}
    assert (healed.recorded, healed.amended) == ((0, 1) if stays else (1, 0))


@pytest.mark.parametrize(
    "said",
    [
        {"coding": [{"code": "refuted"}]},
        {"text": "Ruled out"},
        {"coding": [{"code": "confirmed"}], "text": "Ruled out"},
    ],
    ids=["coded", "in words", "in words beside a code"],
)
def test_a_diagnosis_that_is_refuted_later_is_withdrawn(
    make_refresh: Make, tmp_path: Path, said: dict[str, Any]
) -> None:
    """Nobody who counts active conditions counts one that was ruled out; one that is only doubted stays, with its doubt."""
    diagnosis = {
        "resourceType": "Condition",
        "id": "c-1",
        "subject": {"reference": "Patient/p-1"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "34000006"}]},
    }
    refresh = make_refresh(types=["Condition"])
    night(refresh, tmp_path, line(diagnosis), "", kind="Condition")
    doubted = diagnosis | {"verificationStatus": {"coding": [{"code": "differential"}]}}
    assert night(refresh, tmp_path, line(doubted), "", kind="Condition").amended == 1
    assert [*standing(tmp_path)] == ["34000006"]

    counts = night(refresh, tmp_path, line(diagnosis | {"verificationStatus": said}), "", kind="Condition")

    assert (counts.withdrawn, counts.skipped) == (1, {"not-a-fact": 1})
    assert standing(tmp_path) == {}


def test_a_clock_that_was_ahead_leaves_no_value_standing_for_ever(make_refresh: Make, tmp_path: Path) -> None:
    """A time of update that is to come guards against nothing: what comes next is believed."""
    refresh = make_refresh(types=["Observation"])
    ahead = {"versionId": "1", "lastUpdated": "2097-01-01T00:00:00Z"}
    night(refresh, tmp_path, line(weight(meta=ahead)), "")
    assert standing(tmp_path) == {"29463-7": 24.5}

    now = {"versionId": "2", "lastUpdated": "2026-05-12T09:00:00Z"}
    counts = night(refresh, tmp_path, line(weight(26, meta=now)), "")

    assert counts.amended == 1
    assert standing(tmp_path) == {"29463-7": 26}


@pytest.mark.parametrize(
    "hidden",
    [
        {"valueQuantity": {"unit": "kg", "_value": {"extension": [{"valueCode": "masked"}]}}},
        {"valueQuantity": ..., "_valueString": {"extension": [{"valueCode": "masked"}]}},
        {"effectiveDateTime": ..., "_effectiveDateTime": {"extension": [{"valueCode": "masked"}]}},
        {"code": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "MSK"}]}},
    ],
    ids=["a number", "a value", "a time", "a code"],
)
def test_what_a_server_hides_does_not_take_away_what_it_showed(
    make_refresh: Make, tmp_path: Path, hidden: dict[str, Any]
) -> None:
    """Masked is a partial answer, which tells nothing of what the source holds."""
    refresh = make_refresh(types=["Observation"])
    night(refresh, tmp_path, line(weight()), "")
    counts = night(refresh, tmp_path, line(weight(**hidden)), "")
    assert counts.skipped == {"partial-answer": 1}
    assert standing(tmp_path) == {"29463-7": 24.5}


def bundle(*entries: dict[str, Any]) -> str:
    return line({"resourceType": "Bundle", "type": "transaction", "entry": list(entries)})


def test_a_bundle_among_lines_is_named_and_takes_nothing(make_refresh: Make, tmp_path: Path) -> None:
    """It says what to do; what stood before stays."""
    refresh = make_refresh(types=["Observation"])
    night(refresh, tmp_path, line(weight()), "")
    counts = night(refresh, tmp_path, line(weight()), bundle({"resource": weight(26)}), "")
    assert (counts.skipped, standing(tmp_path)) == ({"bundle": 1}, {"29463-7": 24.5})


def test_a_file_of_bundles_is_unpacked_and_what_it_deletes_is_withdrawn(make_refresh: Make, tmp_path: Path) -> None:
    """A subject named by its place in the Bundle is the one who stands there."""
    refresh = make_refresh(types=["Observation"])
    kid = {"fullUrl": "urn:uuid:0", "resource": {"resourceType": "Patient", "id": "kid-7"}}
    reading = {"fullUrl": "resource:1", "resource": weight(subject={"reference": "urn:uuid:0"})}
    counts = night(refresh, tmp_path, bundle(kid, reading), "")
    assert (counts.read, standing(tmp_path)) == (1, {"29463-7": 24.5})
    assert night(refresh, tmp_path, line(weight()), "").unchanged == 1, "of the same subject"

    counts = night(refresh, tmp_path, bundle({"request": {"method": "DELETE", "url": "Observation/wt-7"}}), "")

    assert (counts.retracted, counts.withdrawn, standing(tmp_path)) == (1, 1, {})


def order(medication: str) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": "rx-7",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/kid-7"},
        **(
            {"medicationReference": {"reference": medication}}
            if medication
            else {"medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "8640"}]}}
        ),
    }


def test_an_order_whose_drug_is_not_known_any_more_withdraws_the_old_drug(make_refresh: Make, tmp_path: Path) -> None:
    """No drug, no record: the last one is not what is ordered now."""
    refresh = make_refresh(types=["MedicationRequest"])
    night(refresh, tmp_path, line(order("")), "", kind="MedicationRequest")
    assert list(standing(tmp_path)) == ["8640"]
    counts = night(refresh, tmp_path, line(order("Medication/unheard-of")), "", kind="MedicationRequest")
    assert counts.skipped == {Reason.UNKNOWN_MEDICATION.value: 1}
    assert (standing(tmp_path), counts.source_unusable) == ({}, 1)


def part(code: str, value: float, unit: str = "mm[Hg]") -> dict[str, Any]:
    return {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": quantity(value=value, code=unit)}


def pressure(*parts: dict[str, Any]) -> str:
    panel = {"coding": [{"system": LOINC, "code": "85354-9"}]}
    return line(weight(id="bp-7", code=panel, valueQuantity=..., component=list(parts)))


def test_a_part_that_cannot_be_used_takes_neither_its_panel_nor_its_siblings_with_it(
    make_refresh: Make, tmp_path: Path
) -> None:
    """The old value of that part goes, for the same reason, and comes back with a usable one."""
    refresh = make_refresh(types=["Observation"])
    night(refresh, tmp_path, pressure(part("8480-6", 111), part("8462-4", 66)), "")

    counts = night(refresh, tmp_path, pressure(part("8480-6", 112), part("8462-4", 67, "kg")), "")

    assert standing(tmp_path) == {"85354-9": None, "8480-6": 112}
    assert (counts.parts, counts.parts_skipped) == (2, {"unit-mismatch": 1})
    assert (counts.withdrawn, counts.source_unusable) == (1, 1)
    assert counts.dropped == {"Observation.component.valueQuantity.code": 1}
    night(refresh, tmp_path, pressure(part("8480-6", 112), part("8462-4", 67)), "")
    assert standing(tmp_path) == {"85354-9": None, "8480-6": 112, "8462-4": 67}


def test_a_usable_version_behind_an_unusable_one_stands(make_refresh: Make, tmp_path: Path) -> None:
    """In one delivery the last word counts, and an older version is no last word."""
    refresh = make_refresh(types=["Observation"])
    bad = weight(26, code={"text": "how heavy"})
    night(refresh, tmp_path, line(weight()), line(bad), line(weight(27)), "")
    assert standing(tmp_path) == {"29463-7": 27}

    new, old = {"lastUpdated": "2026-05-12T00:00:00Z"}, {"lastUpdated": "2026-05-11T00:00:00Z"}
    night(refresh, tmp_path, line(bad | {"meta": new}), line(weight(28, meta=old)), "")
    assert standing(tmp_path) == {}


GONE = {"resourceType": "Observation", "id": "wt-7", "meta": {"deleted": True}}


@pytest.mark.parametrize(
    ("came", "stands"),
    [
        ([GONE, weight(26)], {"29463-7": 26}),
        ([weight(26), GONE], {}),
        ([GONE, weight(26), GONE], {}),
        ([weight(26), GONE, weight(27)], {"29463-7": 27}),
        ([GONE, weight()], {"29463-7": 24.5}),
        ([GONE | {"meta": {"deleted": True, "lastUpdated": "2026-05-13T00:00:00Z"}}, weight(26)], {"29463-7": 26}),
        (
            [
                GONE | {"meta": {"deleted": True, "lastUpdated": "2026-05-13T00:00:00Z"}},
                weight(26, meta={"lastUpdated": "2026-05-12T00:00:00Z"}),
            ],
            {},
        ),
        (
            [
                GONE | {"meta": {"deleted": True, "lastUpdated": "2026-05-12T00:00:00Z"}},
                weight(26, meta={"lastUpdated": "2026-05-13T00:00:00Z"}),
            ],
            {"29463-7": 26},
        ),
    ],
    ids=[
        "made again",
        "gone",
        "gone twice",
        "made twice",
        "made again alike",
        "no time",
        "an older one",
        "a newer one",
    ],
)
def test_of_a_deletion_and_what_was_made_again_in_one_delivery_the_last_counts(
    make_refresh: Make, tmp_path: Path, came: list[dict[str, Any]], stands: dict[str, float]
) -> None:
    """By their times where both say one, else by their places."""
    refresh = make_refresh(types=["Observation"])
    night(refresh, tmp_path, line(weight()), "")
    night(refresh, tmp_path, *map(line, came), "")
    assert standing(tmp_path) == stands


def test_of_two_versions_of_one_time_the_greater_number_stands(make_refresh: Make, tmp_path: Path) -> None:
    """Servers update twice within the second that they write; files hold versions in any order."""
    refresh = make_refresh(types=["Observation"])
    third, second = (
        weight(value, meta={"versionId": number, "lastUpdated": "2026-05-12T09:00:00Z"})
        for value, number in ((27, "3"), (26, "2"))
    )
    night(refresh, tmp_path, line(third), line(second), "")
    assert standing(tmp_path) == {"29463-7": 27}


def test_what_a_server_deleted_is_withdrawn(make_refresh: Make, tmp_path: Path) -> None:
    """A stub, or a mark in `meta`."""
    refresh = make_refresh(types=["Observation"])
    for gone in (
        {"meta": {"versionId": "2", "lastUpdated": "2026-05-12T00:00:00Z", "deleted": True}},
        {"meta": {"versionId": "2"}},
        weight(meta={"tag": [{"code": "deleted"}]}),
        weight(meta={"extension": [{"url": "https://v.example/deleted-state", "valueString": "soft-deleted"}]}),
    ):
        night(refresh, tmp_path, line(weight()), "")
        assert standing(tmp_path) == {"29463-7": 24.5}
        counts = night(refresh, tmp_path, line({"resourceType": "Observation", "id": "wt-7"} | gone), "")
        assert standing(tmp_path) == {}
        assert (counts.read, counts.mapped, counts.retracted) == (1, 1, 1)
        night(refresh, tmp_path, line(weight(29)), "")


def test_a_bare_name_takes_nothing_from_a_person_and_a_stub_with_a_version_does(
    make_refresh: Make, tmp_path: Path
) -> None:
    """A server that answers with type and id alone says that the person is there; one that adds a version shows what it deleted."""
    refresh = make_refresh(types=["Patient"])
    kid = {"resourceType": "Patient", "id": "kid-7", "gender": "female", "birthDate": "2016-04-02"}

    def people() -> list[str]:
        with closing(connect(tmp_path / "state.db")) as state:
            rows = state.execute("SELECT content FROM record WHERE content IS NOT NULL").fetchall()
        return [json.loads(content).get("sex", "") for (content,) in rows]

    night(refresh, tmp_path, line(kid), "", kind="Patient")
    bare = night(refresh, tmp_path, line({"resourceType": "Patient", "id": "kid-7"}), "", kind="Patient")
    assert (bare.amended, bare.withdrawn, bare.unchanged, people()) == (0, 0, 1, ["female"])

    gone = {"resourceType": "Patient", "id": "kid-7", "meta": {"versionId": "2"}}
    assert night(refresh, tmp_path, line(gone), "", kind="Patient").withdrawn == 1
    assert people() == []
