"""Faults between a hospital and its state, each by seeds: nights with them, then one without; what the topic holds is what the hospital does."""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stamina
from hospital_with_faults import Answered, Asked, Fault, FaultyHospital
from network_under_test import SUBJECT_KEY, Network
from sqlalchemy import update
from streams import Stream

from mainstem.refresh import open_refresh
from mainstem.state.tables import watermark
from schemas.channels import CHANNELS
from schemas.errors import MainstemError, OperatorError
from schemas.events import Header, WithdrawnBecause
from schemas.loads import LoadReport
from transforms.mapped import WHOLE
from transforms.privacy.pseudonyms import Pseudonyms

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
KIDS = 9
Resource = dict[str, Any]
Chance = random.Random


class Ward:
    """Children and their weights at a hospital, which change from night to night by a seed."""

    def __init__(self, lhn: Network, faulty: FaultyHospital, seed: int) -> None:
        self.lhn, self.faulty, self.chance = lhn, faulty, Chance(seed)
        source = f'[fhir]\nbase_url = "{faulty.base_url}"\npage_size = 5\nrequests_per_second = 1000\n'
        self.site = lhn.site("west", source, road="search", types=["Patient", "Observation"], overlap_minutes=120)
        self.site.write_text(self.site.read_text() + "[limits]\nwithdraw_count = 3\n")
        self.minutes = 0
        faulty.put(*(self.patient(number) for number in range(KIDS)))
        self.day()

    def stamp(self) -> str:
        """The hospital's clock; each change is a minute later than the one before."""
        self.minutes += 1
        return f"{BEGAN + timedelta(minutes=self.minutes):%Y-%m-%dT%H:%M:%SZ}"

    def patient(self, number: int) -> Resource:
        return {
            "resourceType": "Patient",
            "id": f"kid-{number}",
            "meta": {"lastUpdated": self.stamp()},
            "birthDate": "2015-03-01",
        }

    def weight(self, number: int, **meta: str) -> Resource:
        return {
            "resourceType": "Observation",
            "id": f"wt-{number}",
            "meta": {"lastUpdated": self.stamp(), **meta},
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
            "subject": {"reference": f"Patient/kid-{number % KIDS}"},
            "effectiveDateTime": "2026-02-01T10:00:00Z",
            "valueQuantity": {
                "value": self.chance.randrange(100, 900) / 10,
                "unit": "kg",
                "system": "http://unitsofmeasure.org",
                "code": "kg",
            },
        }

    def day(self) -> None:
        """Some weights are taken, some corrected; the next day is beyond the overlap of nights."""
        self.minutes += 600
        self.faulty.put(*(self.weight(number) for number in sorted(self.chance.sample(range(20), 8))))

    def night(self, **options: Any) -> LoadReport | None:
        """What a night reports; None where it failed by an error of ours."""
        with suppress(MainstemError):
            return self.lhn.refresh(self.site, **options)
        return None

    def recovers(self, **options: Any) -> None:
        """Without faults, a night or two are enough, and what is told is what is there."""
        self.faulty.faults.clear()
        for _ in range(3):
            report = self.night(**options)
            if report is not None and report.status == "completed":
                break
        else:
            raise AssertionError(f"not whole in three nights: {report and report.gaps}")
        assert self.told() == self.there()

    def told(self) -> dict[str, float]:
        """The topic's last word of each weight."""
        last = {(seen.subject, seen.record): seen.raw for seen in self.lhn.events()}
        records = [json.loads(raw)["record"] for raw in last.values() if raw]
        return {each["id"]: each["value"] for each in records if each["type"] == "observation"}

    def unusable(self) -> set[str]:
        """Records of which the topic says last that their source came and could not be used."""
        last = {seen.record: seen.headers.get(Header.REASON) for seen in self.lhn.events()}
        return {record for record, reason in last.items() if reason == WithdrawnBecause.SOURCE_UNUSABLE}

    def there(self) -> dict[str, float]:
        """The same of the hospital: of each weight the newest."""
        ref = Pseudonyms(SUBJECT_KEY.encode()).ref
        weights = sorted(self.faulty.resources["Observation"], key=lambda each: each["meta"]["lastUpdated"])
        return {
            f"r-{(ref('Observation', each['id']) + WHOLE).hex()}": each["valueQuantity"]["value"] for each in weights
        }


@pytest.fixture
def ward(lhn: Network, faulty: FaultyHospital, seed: int) -> Iterator[Ward]:
    """Its first night was a good one; nobody waits for real."""
    made = Ward(lhn, faulty, seed)
    made.recovers()
    with stamina.set_testing(True, attempts=4, cap=True):
        yield made


def by_chance(chance: Chance, share: float, answers: Callable[[Asked], Answered | None]) -> Fault:
    """A share of the requests for weights is answered otherwise."""
    return lambda asked: answers(asked) if asked.path == "Observation" and chance.random() < share else None


def drift(ward: Ward) -> Fault:
    """While pages are read, rows move, come and change; their stamps lie a little behind the clock."""

    def write(asked: Asked) -> None:
        rows, chance = ward.faulty.resources["Observation"], ward.chance
        if chance.random() < 0.5:
            rows.insert(0, rows.pop(chance.randrange(len(rows))))
        else:
            late = f"{BEGAN + timedelta(minutes=ward.minutes - chance.randrange(60)):%Y-%m-%dT%H:%M:%SZ}"
            ward.faulty.put(ward.weight(chance.randrange(20, 26), lastUpdated=late))

    return by_chance(ward.chance, 0.4, write)


def refusals(ward: Ward) -> Fault:
    """Too many requests, out of order, who are you; with pauses that are absurd."""
    pauses = ("0", "1", "-5", "999999999999", "Wed, 21 Oct 2099 07:28:00 GMT", "soon", "", "1e9")

    def answer(asked: Asked) -> Answered:
        status = ward.chance.choice((429, 503, 500, 502, 401, 403))
        return Answered(b"no", status, {"Retry-After": ward.chance.choice(pauses)})

    return by_chance(ward.chance, ward.chance.choice((0.1, 0.5, 1.0)), answer)


def wrong_answers(ward: Ward) -> Fault:
    """200, and something else than what was asked for."""
    issue = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "exception", "diagnostics": "kid-3"}],
    }

    def answer(asked: Asked) -> Answered:
        whole = json.dumps(ward.faulty._page("Observation", asked)).encode()
        return ward.chance.choice(
            (
                Answered(issue),
                Answered(b"<!DOCTYPE html><title>Sign in</title>", headers={"Content-Type": "text/html"}),
                Answered(whole[: ward.chance.randrange(len(whole))]),
                Answered({"resourceType": "Bundle", "type": "searchset", "total": 99, "entry": []}),
                Answered({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": issue}]}),
                Answered([1, 2]),
                Answered(b""),
            )
        )

    return by_chance(ward.chance, ward.chance.choice((0.3, 1.0)), answer)


def wrong_links(ward: Ward) -> Fault:
    """The next page is the same one, at another place, or a redirect."""
    base = ward.faulty.base_url
    places = (
        f"{base}/Observation?page=0",
        "https://elsewhere.example/fhir/Observation?page=2",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        f"{base}/../../Patient",
        "//elsewhere.example/x",
        "\x00",
    )

    def answer(asked: Asked) -> Answered:
        if ward.chance.random() < 0.3:
            return Answered(b"", 302, {"Location": ward.chance.choice(places[1:3])})
        page = ward.faulty._page("Observation", asked)
        page["link"] = [{"relation": "next", "url": ward.chance.choice(places)}]
        return Answered(page)

    return by_chance(ward.chance, 0.6, answer)


def bombs(ward: Ward) -> Fault:
    """Bytes that unpack to very many, brackets without end, numbers and texts that nobody can hold."""

    def answer(asked: Asked) -> Answered:
        page = json.dumps(ward.faulty._page("Observation", asked)).encode()
        odd = ward.chance.choice((b'"\\ud800"', b'"\\u0000"', b"1e999", b"[" * 3000 + b"]" * 3000, b"1" * 5000))
        return ward.chance.choice(
            (
                Answered(gzip.compress(b" " * 60_000_000 + page), headers={"Content-Encoding": "gzip"}),
                Answered(b"[" * ward.chance.randrange(1000, 300_000)),
                Answered(page.replace(b'"final"', odd, 1)),
                Answered(page[:-1] + b', "x": ' + odd + b"}"),
            )
        )

    return by_chance(ward.chance, 0.6, answer)


FAULTS: dict[str, Callable[[Ward], Fault]] = {
    "row_16_drift": drift,
    "row_17_refusals": refusals,
    "row_18_wrong_answers": wrong_answers,
    "row_19_wrong_links": wrong_links,
    "row_20_bombs": bombs,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nights_with_faults_lose_nothing_and_call_nothing_gone(ward: Ward, fault: str) -> None:
    """Whatever a night gave by it; meanwhile nothing that was told is taken back, but what came itself in another form and says so."""
    for _ in range(2):
        ward.day()
        before = set(ward.told())
        ward.faulty.faults.append(FAULTS[fault](ward))
        ward.night()
        assert before - set(ward.told()) <= ward.unusable()
        ward.faulty.faults.clear()
    ward.recovers(**({"mode": "full"} if ward.unusable() else {}))  # what came is read, however it came


def test_row_15_a_watermark_that_lies_in_the_future_is_refused(ward: Ward) -> None:
    """By a minute or by centuries: with what to do, never as an empty success; read in full it is whole."""
    ahead = datetime.now(UTC) + timedelta(minutes=ward.chance.choice((30, 60 * 24, 60 * 24 * 365 * 300)))
    with open_refresh(ward.site, ward.lhn.settings) as refresh, refresh.store.database.write() as connection:
        name = ward.chance.choice(["Patient", "Observation"])
        done = connection.execute(update(watermark).where(watermark.c.resource_type == name).values(value=ahead))
        assert done.rowcount == 1
    ward.day()
    with pytest.raises(OperatorError, match="future") as refused:
        ward.lhn.refresh(ward.site)
    assert refused.value.fix
    ward.recovers(mode="full")
    ward.day()
    ward.recovers()


def test_row_21_the_newest_of_several_versions_counts(ward: Ward) -> None:
    """In whatever order they come, twice in a page or in several nights."""
    for _ in range(2):
        rows = ward.faulty.resources["Observation"]
        for old in ward.chance.sample(rows, 4):
            number = int(old["id"].removeprefix("wt-"))
            versions = [ward.weight(number) for _ in range(ward.chance.randrange(1, 4))]
            rows += ward.chance.sample(versions, len(versions))
        ward.chance.shuffle(rows)
        ward.night()
        newest = {each["id"]: each for each in sorted(rows, key=lambda each: each["meta"]["lastUpdated"])}
        rows[:] = newest.values()
        ward.faulty.put(ward.weight(ward.chance.randrange(20)))
    ward.recovers()


def test_row_22_what_is_gone_is_withdrawn_on_evidence_and_many_are_held_back(ward: Ward) -> None:
    """One that is absent from an incremental night is not gone; from a counted full read it is; most at once are not."""
    rows: list[Resource] = ward.faulty.resources["Observation"]
    gone = rows.pop(ward.chance.randrange(len(rows)))
    ward.day()
    ward.night()
    ref = Pseudonyms(SUBJECT_KEY.encode()).ref("Observation", gone["id"]) + WHOLE
    if gone["id"] not in {each["id"] for each in rows}:
        assert f"r-{ref.hex()}" in ward.told()
    ward.recovers(mode="full")
    before = ward.told()
    del rows[ward.chance.randrange(1, 3) :]
    ward.night(mode="full")
    assert ward.told() == before


def identifiers(chance: Chance) -> list[str]:
    """Of nobody: a name, a number, an address, a telephone, a mail, a date that nobody else has."""
    letters = "".join(chance.choices("BCDFGHJKLMNPQRSTVWXZ", k=9))
    digits = "".join(chance.choices("0123456789", k=10))
    return [
        f"{letters.title()} Planted",
        f"MRN{digits}",
        f"{digits[:3]} {letters.title()} Street",
        f"+1-{digits[:3]}-555-{digits[3:7]}",
        f"{letters.lower()}@example.org",
    ]


def planted(resource: Resource, said: list[str], chance: Chance) -> Resource:
    """One of them in some fields that people write into, and in some that nobody knows."""

    def one() -> str:
        return chance.choice(said)

    fields: dict[str, Any] = {
        "identifier": [{"system": "urn:oid:1.2", "value": one(), "assigner": {"display": one()}}],
        "name": [{"family": one(), "given": [one()], "text": one()}],
        "telecom": [{"system": "phone", "value": one()}],
        "address": [{"line": [one()], "city": one(), "postalCode": "02115"}],
        "contact": [{"name": {"text": one()}}],
        "text": {"status": "generated", "div": f"<div xmlns='http://www.w3.org/1999/xhtml'>{one()}</div>"},
        "note": [{"text": one(), "authorString": one()}],
        "performer": [{"display": one()}],
        "extension": [{"url": "urn:x", "valueString": one()}],
        "interpretation": [{"text": one()}],
        "bodySite": {"text": one()},
        "unheardOf": {"deep": [one()]},
    }
    known = {"Patient": {"identifier", "name", "telecom", "address", "contact", "text", "extension"}}
    allowed = known.get(resource["resourceType"], set(fields) - {"name", "telecom", "address", "contact"}) | {
        "unheardOf"
    }
    some = chance.sample(sorted(allowed), chance.randrange(2, len(allowed)))
    return resource | {name: fields[name] for name in some}


def test_row_25_what_identifies_is_in_nothing_that_leaves_or_is_logged(
    ward: Ward, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in keys, headers, values, reports, logs; not where a resource is unusable by it either."""
    said = identifiers(ward.chance)
    reports = []
    for _ in range(2):
        ward.day()
        for kind, rows in ward.faulty.resources.items():
            for row in ward.chance.sample(rows, 4):
                odd = {"status": ward.chance.choice(said)} if ward.chance.random() < 0.3 else {}
                stamp = {"meta": {"lastUpdated": ward.stamp()}}
                ward.faulty.put(planted(row, said, ward.chance) | stamp | (odd if kind == "Observation" else {}))
        reports.append(ward.night())
    ward.lhn.consume()
    network = ward.lhn.settings.network
    sent = [
        str((record.key, record.value, record.headers))
        for channel in CHANNELS
        for record in Stream(ward.lhn.settings.kafka, network).records(
            channel.topic(network).removeprefix(f"{network}.")
        )
    ]
    assert len(sent) > 20
    assert all(reports)
    everything = "".join(
        [*sent, *(report.model_dump_json() for report in reports if report), *capfd.readouterr(), caplog.text]
    )
    assert [each for each in said if each.lower() in everything.lower()] == []
