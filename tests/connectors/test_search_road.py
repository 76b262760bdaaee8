"""Reading a site by REST search: from a real server, and from servers that do what real ones do now and then."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.landing import Landing
from connectors.outside.times import zulu
from schemas.errors import IncompleteError, OperatorError, TemporaryError
from schemas.sites import Site

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


def observation(number: int) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": f"o{number}", "status": "final", "code": {"text": "x"}}


def test_all_pages_of_a_real_server_are_landed(
    hospital: Callable[..., Any], make_site: Callable[..., Site], pull_unit: Any, ids: Any, fhir: Any
) -> None:
    server = hospital([fhir.patient(n) for n in range(23)] + [observation(n) for n in range(5)], smart=True)
    auth = {
        "method": "smart-backend",
        "client_id": server.client.client_id,
        "private_key": f"file:{server.client.private_key}",
        "key_id": server.client.key_id,
        "algorithm": "ES384",
    }
    site = make_site(fhir={"base_url": server.base_url, "page_size": 5, "auth": auth}, types=["Patient", "Observation"])
    clock = lambda: datetime.now(UTC)  # noqa: E731 - the real server's tokens need the real time
    seen: list[tuple[str, int, int | None]] = []

    pulled = pull_unit(site, "Patient", clock=clock, progress=lambda *told: seen.append(told))

    assert sorted(ids("Patient")) == sorted(f"p{n}" for n in range(23))
    assert (pulled.resources, pulled.pages, pulled.complete) == (23, 5, True)
    assert [(count, of) for _, count, of in seen] == [(5, 23), (10, 23), (15, 23), (20, 23), (23, 23)]
    assert abs(pulled.as_of - clock()) < timedelta(minutes=1)
    assert pulled.newest is not None
    # the server sets its Date header once a second at best, so it may lag behind the stamps
    assert abs(pulled.newest - pulled.as_of) < timedelta(minutes=1)

    later = pull_unit(site, "Observation", clock=clock, since=pulled.as_of + timedelta(hours=1))
    assert (later.resources, later.files, later.complete) == (0, [], True)


def test_bytes_of_a_resource_are_landed_untouched(
    pull_unit: Any, make_site: Any, saying: Any, landing: Landing
) -> None:
    resource = '{"resourceType" : "Patient",\n\t"id":"1","x":7.10, "name":"Ångström\\n\\u00e9"}'
    transport = saying(httpx2.Response(200, text=f'{{"resourceType":"Bundle","entry":[{{"resource":{resource}}}]}}'))
    pull_unit(make_site(), "Patient", transport=transport)
    (path,) = landing.files("Patient")
    assert gzip.decompress(path.read_bytes()).decode() == resource.replace("\n", " ") + "\n"


def test_what_comes_beside_and_is_not_mapped_is_named_where_the_model_needs_it(
    pull_unit: Any, make_site: Any, saying: Any, fhir: Any
) -> None:
    """By what is made of it; what nobody needs, and what is no type at all, is not."""
    included = [{"resourceType": kind, "id": "x"} for kind in ("MeasureReport", "MeasureReport", "Claim", "Ann Quux")]
    entries = [{"resource": fhir.patient(1)}, *({"resource": each, "search": {"mode": "include"}} for each in included)]
    transport = saying(httpx2.Response(200, json={"resourceType": "Bundle", "entry": entries}))
    pulled = pull_unit(make_site(), "Patient", transport=transport)
    assert pulled.complete
    assert pulled.notes == ["Patient: with it came what is not mapped: MeasureReport (2; needed by measure_result)"]


def test_first_request_asks_for_the_window_in_utc(pull_unit: Any, make_site: Any, saying: Any, fhir: Any) -> None:
    transport = saying(fhir.bundle())
    since = datetime.fromisoformat("2029-06-01T02:00:00+02:00")
    pull_unit(make_site(), "Patient", transport=transport, since=since, until=NOW)
    assert transport.requests[0].url.params.multi_items() == [
        ("_lastUpdated", "ge2029-06-01T00:00:00.000Z"),
        ("_lastUpdated", "lt2030-01-01T12:00:00.000Z"),
        ("_count", "200"),
    ]


def test_instants_end_in_z() -> None:
    assert zulu(datetime.fromisoformat("2029-06-01T02:00:00.123456-05:00")) == "2029-06-01T07:00:00.123Z"


def test_messages_among_the_results_are_set_aside(
    pull_unit: Any, make_site: Any, saying: Any, fhir: Any, landing: Landing, ids: Any
) -> None:
    warning = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "4119"}]}
    pulled = pull_unit(make_site(), "Patient", transport=saying(fhir.bundle(fhir.patient(1), warning)))
    assert (pulled.resources, pulled.messages, pulled.complete) == (1, 1, True)
    assert ids("Patient") == ["p1"]
    (path,) = landing.files("OperationOutcome")
    assert json.loads(gzip.decompress(path.read_bytes())) == warning


def test_crash_in_mid_search_loses_no_page_and_repeats_none(
    pull_unit: Any, make_site: Any, saying: Any, fhir: Any, ids: Any, landing: Landing
) -> None:
    site = make_site()
    second, third = f"{fhir.base}?page=2", f"{fhir.base}?page=3"
    first_page = fhir.bundle(fhir.patient(1), fhir.patient(2), next_url=second)
    transport = saying(first_page, fhir.bundle(fhir.patient(3), next_url=third), httpx2.ReadError("pulled the plug"))
    with pytest.raises(TemporaryError, match="broke off its answer"):
        pull_unit(site, "Patient", transport=transport)
    (path,) = landing.files("Patient")
    with path.open("ab") as stream:
        stream.write(b"what was written when the power went")

    transport = saying(fhir.bundle(fhir.patient(4)))
    pulled = pull_unit(site, "Patient", transport=transport)

    counts = [f"{fhir.base}/Patient?_summary=count", f"{fhir.base}/Patient?_total=accurate&_count=1"]
    assert [str(request.url) for request in transport.requests] == [third, *counts]
    assert ids("Patient") == ["p1", "p2", "p3", "p4"]
    assert (pulled.resources, pulled.pages) == (4, 3)


def test_finished_unit_asks_nothing_again(pull_unit: Any, make_site: Any, saying: Any, fhir: Any) -> None:
    first = pull_unit(make_site(), "Patient", transport=saying(fhir.bundle(fhir.patient(1))))
    transport = saying(AssertionError("asked again"))
    assert pull_unit(make_site(), "Patient", transport=transport) == first
    assert transport.requests == []


def test_circle_of_next_links_ends(pull_unit: Any, make_site: Any, saying: Any, fhir: Any, landing: Landing) -> None:
    circle = saying(
        fhir.bundle(fhir.patient(1), next_url=f"{fhir.base}?page=2"),
        fhir.bundle(fhir.patient(2), next_url=f"{fhir.base}?page=3"),
        fhir.bundle(fhir.patient(3), next_url=f"{fhir.base}?page=2"),
    )
    with pytest.raises(IncompleteError, match="in a circle"):
        pull_unit(make_site(), "Patient", transport=circle)
    assert len(circle.requests) == 3
    assert landing.files("Patient") == []


def test_pages_without_end_end(pull_unit: Any, make_site: Any, saying: Any, fhir: Any) -> None:
    counter = iter(range(100))
    endless = saying(lambda _: httpx2.Response(200, json=fhir.bundle(next_url=f"{fhir.base}?page={next(counter)}")))
    with pytest.raises(IncompleteError, match="more than 7 pages"):
        pull_unit(make_site(limits={"pages": 7}), "Patient", transport=endless)
    assert len(endless.requests) == 7


def test_next_link_to_another_place_is_not_followed(pull_unit: Any, make_site: Any, saying: Any, fhir: Any) -> None:
    transport = saying(fhir.bundle(fhir.patient(1), next_url="https://thief.example/fhir?page=2&patient=p1"))
    pulled = pull_unit(make_site(), "Patient", transport=transport)
    assert not pulled.complete
    assert "https://thief.example; not followed" in pulled.error
    assert {request.url.host for request in transport.requests} == {"127.0.0.1"}


def test_expired_paging_link_begins_the_search_again(
    pull_unit: Any, make_site: Any, saying: Any, fhir: Any, ids: Any
) -> None:
    first = fhir.bundle(fhir.patient(1), next_url=f"{fhir.base}?page=2")
    transport = saying(first, httpx2.Response(410), first, fhir.bundle(fhir.patient(2)))
    assert pull_unit(make_site(), "Patient", transport=transport).resources == 2
    assert ids("Patient") == ["p1", "p2"]


def test_server_that_counts_more_than_it_sends_is_incomplete_and_read_again(
    pull_unit: Any, make_site: Any, saying: Any, fhir: Any, ids: Any
) -> None:
    short = pull_unit(make_site(), "Patient", transport=saying(fhir.bundle(fhir.patient(1), total=1000)))
    assert not short.complete
    assert short.error == "Patient: the server counts 999 more than it sent, and names no further page"
    whole = pull_unit(make_site(), "Patient", transport=saying(fhir.bundle(fhir.patient(1), fhir.patient(2), total=2)))
    assert (whole.complete, whole.error) == (True, "")
    assert ids("Patient") == ["p1", "p2"]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (httpx2.Response(200, html="<!DOCTYPE html><form>password</form>"), OperatorError, "web page"),
        (httpx2.Response(200, text='{"resourceType":"Bundle","entry":[{"resou'), IncompleteError, "not whole"),
        (httpx2.Response(200, json={"resourceType": "OperationOutcome"}), IncompleteError, "no error named"),
        (httpx2.Response(404), OperatorError, "does not have it"),
    ],
)
def test_what_is_no_page_moves_nothing(
    pull_unit: Any, make_site: Any, saying: Any, landing: Landing, answer: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        pull_unit(make_site(), "Patient", transport=saying(answer))
    assert landing.files("Patient") == []


def test_token_that_ends_in_mid_run_is_renewed_once(
    pull_unit: Any, make_site: Any, saying: Any, fhir: Any, tmp_path: Path, ids: Any
) -> None:
    (tmp_path / "secret").write_text("s")
    auth = {
        "method": "client-credentials",
        "client_id": "c",
        "secret": "file:secret",
        "token_url": "http://127.0.0.1:1/token",
    }
    site = make_site(fhir={"base_url": fhir.base, "auth": auth})
    transport = saying(
        {"access_token": "first", "expires_in": 3600},
        fhir.bundle(fhir.patient(1), next_url=f"{fhir.base}?page=2"),
        httpx2.Response(401),
        {"access_token": "second", "expires_in": 3600},
        fhir.bundle(fhir.patient(2), total=2),
    )
    assert pull_unit(site, "Patient", transport=transport).resources == 2
    tokens = [request.headers.get("Authorization", "")[7:] for request in transport.requests if request.method == "GET"]
    assert tokens == ["first", "first", "second"]


def test_stamps_of_the_future_and_broken_meta_are_ignored(
    pull_unit: Any, make_site: Any, saying: Any, fhir: Any
) -> None:
    resources = [
        fhir.patient(1, meta={"lastUpdated": "2029-05-01T00:00:00Z"}),
        fhir.patient(2, meta={"lastUpdated": "2999-01-01T00:00:00Z"}),
        fhir.patient(3, meta={"lastUpdated": 5}),
        fhir.patient(4, meta="none"),
    ]
    date = {"Date": "Tue, 01 Jan 2030 11:59:00 GMT"}
    pulled = pull_unit(
        make_site(), "Patient", transport=saying(httpx2.Response(200, json=fhir.bundle(*resources), headers=date))
    )
    assert pulled.resources == 4
    assert pulled.newest == datetime(2029, 5, 1, tzinfo=UTC)
    assert pulled.as_of == datetime(2030, 1, 1, 11, 59, tzinfo=UTC)


def test_vendors_differences_reach_the_request(pull_unit: Any, make_site: Any, saying: Any, fhir: Any) -> None:
    transport = saying(fhir.bundle())
    site = make_site(fhir={"base_url": fhir.base, "vendor": "epic"}, types=["Observation"])
    pull_unit(site, "Observation", transport=transport, since=NOW)
    asked = [request.url.params for request in transport.requests]
    assert [params["category"] for params in asked] == [
        "laboratory", "vital-signs", "social-history", "survey", "imaging", "exam",
    ]  # fmt: skip
    assert not any("_lastUpdated" in params for params in asked)

    transport = saying(fhir.bundle())
    site = make_site(
        fhir={"base_url": fhir.base, "vendor": "cerner", "page_size": 500}, types=["Encounter", "Immunization"]
    )
    for unit in ("Encounter", "Immunization"):
        pull_unit(site, unit, transport=transport)
    urls = [request.url for request in transport.requests]
    assert [url.params.get("_count") for url in urls if not url.path.endswith("/Patient")] == [None, "500"]
