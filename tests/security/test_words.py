"""No word from outside ends a load: whatever is said, and wherever, the outcome is an error of ours or something counted."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from how_many import some
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.client.capabilities import ask_capabilities
from connectors.delivery import look_into
from connectors.fan_out import read_one
from connectors.formats.bundle import BUNDLE, Page
from connectors.formats.ndjson import read_lines
from connectors.landing import Landing
from connectors.outside.decoding import Unreadable, decoded, is_whole
from connectors.outside.times import EARLIEST, LATEST, believed, http_date, instant, lifetime, pause_after, zulu
from connectors.pulled import EXPORT, Pulled
from connectors.pulling import pull
from connectors.sorting import SORTED, files_by_type
from connectors.source import Source, Wanted
from mainstem.consumer.tail import _seen, _seen_load
from schemas.errors import MainstemError
from schemas.problems import Problem, Reason
from schemas.sites import Site
from transforms import Mapper

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
BASE = "http://127.0.0.1:1/fhir"
DEEP = b"[" * 200_000 + b"]" * 200_000
HOSTILE = {
    "deep list": DEEP,
    "deep object": b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    "never closed": b"[" * 200_000,
    "not UTF-8": b'"\xff\xfe\xed\xa0\x80"',
    "lone surrogate": rb'"\ud800"',
    "lone low surrogate": rb'"\udc00 and more"',
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "1e300": b"1e300",
    "1e999": b"1e999",
    "huge whole number": b"9" * 5000,
    "minus": b"-1",
    "null": b"null",
    "true": b"true",
    "text": b'"\\u0000\\u001b[31m"',
    "empty text": b'""',
    "list": b"[null,[],{},7]",
    "object": b'{"":{}}',
}
PLACES = {
    "page": (
        b'{"resourceType":%b,"total":1,"link":[],"entry":[]}',
        b'{"resourceType":"Bundle","total":%b,"link":[],"entry":[]}',
        b'{"resourceType":"Bundle","link":%b,"entry":[]}',
        b'{"resourceType":"Bundle","link":[%b],"entry":[]}',
        b'{"resourceType":"Bundle","link":[{"relation":%b,"url":"x"}],"entry":[]}',
        b'{"resourceType":"Bundle","link":[{"relation":"next","url":%b}],"entry":[]}',
        b'{"resourceType":"Bundle","entry":%b}',
        b'{"resourceType":"Bundle","entry":[%b]}',
        b'{"resourceType":"Bundle","entry":[{"resource":%b}]}',
        b'{"resourceType":"Bundle","entry":[{"search":%b,"resource":{"resourceType":"Patient","id":"1"}}]}',
        b'{"resourceType":"Bundle","entry":[{"search":{"mode":%b},"resource":{"resourceType":"Patient","id":"1"}}]}',
        b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":%b,"id":"1"}}]}',
        b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","meta":{"lastUpdated":%b}}}]}',
        b'{"resourceType":"Bundle","entry":[],"unknown":%b}',
        b"%b",
    ),
    "statement": (
        b'{"resourceType":%b}',
        b'{"resourceType":"CapabilityStatement","fhirVersion":%b}',
        b'{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","software":%b}',
        b'{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","software":{"name":%b,"version":%b}}',
        b'{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":%b}',
        b'{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":[%b]}',
        b'{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":[{"operation":%b,"resource":%b}]}',
        b'{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":[{"operation":[{"name":%b,"definition":%b}]}]}',
        b'{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":[{"resource":[{"type":%b,"interaction":%b}]}]}',
        b"%b",
    ),
    "token": (
        b'{"access_token":%b}',
        b'{"access_token":"t","expires_in":%b}',
        b'{"access_token":"t","scope":%b}',
        b"%b",
    ),
    "smart": (
        b'{"token_endpoint":%b}',
        b'{"token_endpoint":"/token","capabilities":%b}',
        b'{"token_endpoint":"/token","capabilities":[%b]}',
        b"%b",
    ),
    "manifest": (
        b'{"transactionTime":%b,"output":[]}',
        b'{"requiresAccessToken":%b,"output":[]}',
        b'{"output":%b}',
        b'{"output":[%b]}',
        b'{"output":[{"type":%b,"url":"/f"}]}',
        b'{"output":[{"type":"Patient","url":%b}]}',
        b'{"output":[{"type":"Patient","url":"/f","count":%b}]}',
        b'{"error":%b,"deleted":%b}',
        b'{"error":[{"type":"OperationOutcome","url":%b}]}',
        b'{"link":%b}',
        b'{"link":[{"relation":"next","url":%b}]}',
        b"%b",
    ),
    "outcome": (b"%b", b'{"issue":%b}', b'{"issue":[%b]}', b'{"issue":[{"severity":%b}]}'),
}
TRIES = [(place, template) for place, templates in PLACES.items() for template in templates]


def site(road: str = "search", **more: Any) -> Site:
    fhir = {"base_url": BASE, "requests_per_second": 10_000, **more.pop("fhir", {})}
    return Site.model_validate(
        {
            "site": "north",
            "name": "North",
            "time_zone": "UTC",
            "subject_key": "env:K",
            "types": ["Patient"],
            "road": road,
            **({"fhir": fhir} if road != "files" else {"files": {"folder": "delivery"}}),
            **more,
        }
    )


def source(described: Site, folder: Path, server: Any) -> Source:
    return Source(
        site=described,
        folder=folder,
        secrets=lambda _: b"secret",
        clock=lambda: NOW,
        sleep=lambda _: None,
        transport=server,
        attempts=1,
    )


@pytest.fixture
def ours() -> Callable[[Callable[[], Any]], Any]:
    """What an attempt gives: its result, or the error of ours, with cause and fix; anything else fails the test."""

    def tried(attempt: Callable[[], Any]) -> Any:
        try:
            return attempt()
        except MainstemError as exc:
            outcome = exc
        assert outcome.cause
        assert len(outcome.cause + outcome.fix) < 1000
        return outcome

    return tried


@pytest.fixture
def pulled_into(tmp_path: Path) -> Callable[..., Pulled]:
    def run(described: Site, unit: str, server: Any, folder: str = "landing") -> Pulled:
        landing = Landing(tmp_path / folder)
        return pull(source(described, tmp_path, server), Wanted(unit=unit, landing=landing))

    return run


SMART = {"method": "client-credentials", "client_id": "c", "secret": "env:S"}


@pytest.mark.parametrize(("place", "template"), TRIES)
def test_hostile_words_at_every_field(
    place: str, template: bytes, ours: Any, saying: Any, pulled_into: Any, tmp_path: Path
) -> None:
    login = {"auth": {**SMART, **({"token_url": f"{BASE}/token"} if place == "token" else {})}}
    described = site(
        "bulk" if place in ("manifest", "outcome") else "search", fhir=login if place in ("token", "smart") else {}
    )
    for number, word in enumerate(HOSTILE.values()):
        server = saying(partial(hostile_server, place, template.replace(b"%b", word)))
        if place == "statement":
            with source(described, tmp_path, server).client() as client:
                ours(partial(ask_capabilities, client))
        else:
            unit = EXPORT if described.road == "bulk" else "Patient"
            ours(partial(pulled_into, described, unit, server, f"landing-{number}"))


def hostile_server(place: str, content: bytes, request: httpx2.Request) -> Any:
    """Says `content` at one place, and elsewhere what is right."""
    path = request.url.path
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
    outcomes = {"output": [], "error": [{"type": "OperationOutcome", "url": f"{BASE}/errors"}]}
    answers: dict[str, tuple[str, Any]] = {
        "smart-configuration": ("smart", httpx2.Response(404)),
        "token": ("token", {"access_token": "t"}),
        "$export": ("", httpx2.Response(202, headers={"Content-Location": f"{BASE}/status"})),
        "status": ("manifest", outcomes),
        "errors": ("outcome", b""),
        "metadata": ("statement", statement),
        "Patient": ("page", {"resourceType": "Bundle", "entry": []}),
    }
    of, usual = answers.get(path.rsplit("/", 1)[-1], ("", httpx2.Response(404)))
    return content if of == place else usual


@pytest.mark.parametrize(
    "word", ["deep list", "deep object", "lone surrogate", "NaN", "1e999", "not UTF-8", "huge whole number"]
)
def test_one_bad_entry_costs_itself_not_its_page(word: str, saying: Any, pulled_into: Any, tmp_path: Path) -> None:
    """Its bytes are landed like any other's, and counted by the mapping with a reason."""
    good = b'{"resource":{"resourceType":"Patient","id":"%b"}}'
    bad = b'{"resource":{"resourceType":"Patient","id":"bad","name":%b}}' % HOSTILE[word]
    entries = b",".join([good % b"1", bad, good % b"2"])
    server = saying(b'{"resourceType":"Bundle","total":3,"entry":[%b]}' % entries)

    pulled = pulled_into(site(), "Patient", server)

    assert (pulled.resources, pulled.complete) == (3, True)
    lines = [line for path in Landing(tmp_path / "landing").files("Patient") for line in read_lines(path, cap=1 << 26)]
    assert len(lines) == 3
    outcomes = Mapper(site="north", time_zone="UTC", subject_key=b"k" * 32).map_lines(lines)
    unusual = [outcome.problem for outcome in outcomes.unusual.values()]
    assert len(outcomes.records) + len([problem for problem in unusual if problem is not None]) == 3
    assert len(outcomes.records) >= 2


def test_page_whose_quotation_marks_come_apart_is_not_taken_for_another(saying: Any, pulled_into: Any) -> None:
    """Where an entry ends is not known then: nothing of the page is landed, and that is said."""
    entries = b'{"resource":{"id":"a"b"}},{"resource":{"id":"c"}},{"resource":{"id":"d"e"}}'
    with pytest.raises(MainstemError, match="not whole"):
        pulled_into(site(), "Patient", saying(b'{"resourceType":"Bundle","entry":[%b]}' % entries))


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_page_cut_short_is_never_taken_for_whole(cut: int, saying: Any, pulled_into: Any) -> None:
    page = (
        b'{"resourceType":"Bundle","entry":[{"resource":{"a":' + DEEP + b'}},{"resource":{"resourceType":"Patient"}}]}'
    )
    with pytest.raises(MainstemError):
        pulled_into(site(), "Patient", saying(page[:-cut]))


@pytest.mark.parametrize("link", [b'[{"relation":"next","url":7}]', b'"/x"'])
def test_page_that_does_not_say_where_it_goes_on_is_not_the_last(link: bytes, saying: Any, pulled_into: Any) -> None:
    with pytest.raises(MainstemError, match="not FHIR"):
        pulled_into(site(), "Patient", saying(b'{"resourceType":"Bundle","link":%b,"entry":[]}' % link))


def test_a_link_outside_of_a_list_is_followed(saying: Any, pulled_into: Any) -> None:
    page = b'{"resourceType":"Bundle","link":{"relation":"next","url":"/x"},"entry":[]}'
    with pytest.raises(MainstemError, match="links go in a circle"):
        pulled_into(site(), "Patient", saying(page))


def test_file_the_manifest_names_unreadably_is_a_fault(saying: Any, pulled_into: Any) -> None:
    def answer(request: httpx2.Request) -> Any:
        if request.url.path.endswith("$export"):
            return httpx2.Response(202, headers={"Content-Location": f"{BASE}/status"})
        if request.url.path.endswith("/metadata"):
            return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
        return {"output": [{"type": "Patient", "url": 7}], "link": [{"relation": "next", "url": []}]}

    pulled = pulled_into(site("bulk"), EXPORT, saying(answer))
    assert not pulled.complete
    assert "names a file in a form that is not FHIR's" in pulled.error


@pytest.mark.parametrize("word", HOSTILE)
def test_last_line_and_file_without_a_type_in_its_name(word: str, pulled_into: Any, tmp_path: Path) -> None:
    folder = tmp_path / "delivery"
    folder.mkdir()
    good = b'{"resourceType":"Patient","id":"1"}\n'
    (folder / "one.ndjson").write_bytes(HOSTILE[word] + b"\n" + good)
    (folder / "Patient.ndjson").write_bytes(good + b'{"resourceType":"Patient","a":' + HOSTILE[word] + b"}")
    found = files_by_type(look_into(folder), ["Patient"], cap=1 << 26)
    assert ([part.name for part in found[SORTED]], [part.name for part in found["Patient"]]) == (
        ["one.ndjson"],
        ["Patient.ndjson"],
    )
    assert pulled_into(site("files"), "Patient", None).resources >= 3


def test_deep_last_line_is_whole_and_costs_itself(pulled_into: Any, tmp_path: Path) -> None:
    (tmp_path / "delivery").mkdir()
    (tmp_path / "delivery/Patient.ndjson").write_bytes(b'{"resourceType":"Patient","id":"1"}\n' + DEEP)
    assert is_whole(DEEP)
    assert not is_whole(DEEP[:-1])
    pulled = pulled_into(site("files"), "Patient", None)
    assert (pulled.resources, pulled.complete) == (2, True)


EDGES = [
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-01-01T00:00:00+99:99",
    "2026-01-01T24:00:00Z",
    "２０２６-01-01T00:00:00Z",
    "",
    "9" * 400,
]
HTTP_EDGES = [
    "Fri, 31 Dec 9999 23:59:59 -1400",
    "Mon, 01 Jan 0001 00:00:00 +1400",
    "Mon, 99 Foo 2026 99:99:99 GMT",
    "Thu, 01 Jan 1970 00:00:00 +99999999999999",
    "Thu, 01 Jan 99999 00:00:00 GMT",
    "-1",
    "1e300",
    "1893499200",
    "1893499200000",
    "9" * 5000,
    "0",
    ",",
    "\x00",
    "1.5",
]


@pytest.mark.parametrize("stamp", EDGES)
def test_time_of_update_at_the_calendars_edge_ends_no_pull(
    stamp: str, saying: Any, pulled_into: Any, tmp_path: Path
) -> None:
    resource = {"resourceType": "Patient", "id": "1", "meta": {"lastUpdated": stamp}}
    found = pulled_into(site(), "Patient", saying({"resourceType": "Bundle", "entry": [{"resource": resource}]}))
    (tmp_path / "delivery").mkdir()
    (tmp_path / "delivery/Patient.ndjson").write_text(json.dumps(resource) + "\n")
    delivered = pulled_into(site("files"), "Patient", None, folder="other")
    for pulled in (found, delivered):
        assert (pulled.resources, pulled.newest) == (1, None)


@pytest.mark.parametrize("header", HTTP_EDGES)
@pytest.mark.parametrize("name", ["Date", "Retry-After", "Expires"])
def test_times_in_headers_at_the_calendars_edge(
    name: str, header: str, ours: Any, saying: Any, pulled_into: Any
) -> None:
    page = {"resourceType": "Bundle", "entry": []}
    answers = [httpx2.Response(503, headers={name: header}), httpx2.Response(200, json=page, headers={name: header})]
    for number, answer in enumerate(answers):
        outcome = ours(
            lambda answer=answer, number=number: pulled_into(site(), "Patient", saying(lambda _: answer), f"l{number}")
        )
        if isinstance(outcome, Pulled):
            assert EARLIEST <= outcome.as_of <= NOW + timedelta(days=1)


@pytest.mark.parametrize("stamp", EDGES)
def test_transaction_time_at_the_calendars_edge(stamp: str, saying: Any, pulled_into: Any) -> None:
    def answer(request: httpx2.Request) -> Any:
        if request.url.path.endswith("$export"):
            return httpx2.Response(202, headers={"Content-Location": f"{BASE}/status"})
        if request.url.path.endswith("/metadata"):
            return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
        return {"transactionTime": stamp, "output": []}

    assert pulled_into(site("bulk"), EXPORT, saying(answer)).as_of == NOW


ANY_TEXT = st.one_of(
    st.text(max_size=60),
    st.sampled_from([*EDGES, *HTTP_EDGES]),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.from_regex(
        r"\A[0-9]{1,5}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
    ),
    st.from_regex(
        r"\A[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{1,5} [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|[+-][0-9]{1,9})\Z"
    ),
    st.from_regex(r"\A-?[0-9]{1,400}(\.[0-9]+)?(e[0-9]{1,5})?\Z"),
)


@given(ANY_TEXT)
@settings(max_examples=some(200))
def test_time_that_is_taken_can_be_reckoned_with(text: str) -> None:
    for stamp in (instant(text), http_date(text)):
        if stamp is not None:
            assert EARLIEST <= stamp <= LATEST
            assert zulu(stamp - timedelta(days=365)) < zulu(stamp + timedelta(days=365))
            assert believed(stamp, NOW) in (stamp, None)
    pause = pause_after(text, NOW)
    assert pause is None or 0 <= pause <= 120


@given(st.one_of(st.floats(), st.integers(), st.booleans(), st.text(max_size=20), st.none(), st.lists(st.integers())))
@example(1e300)
@example(-1)
@example(10**400)
@example("3600")
@settings(max_examples=some(150))
def test_lifetime_of_a_token_is_sound_whatever_is_said(value: object) -> None:
    assert timedelta(seconds=1) <= lifetime(value, 300) <= timedelta(days=1)


@given(st.binary(max_size=200), st.integers(0, 10), st.sampled_from(sorted(HOSTILE)))
@settings(max_examples=some(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_page_of_any_bytes_gives_lines_or_unreadable(noise: bytes, at: int, word: str) -> None:
    page = b'{"resourceType":"Bundle","entry":[{"resource":%b},{"resource":{"resourceType":"Patient"}}]}'
    for content in (noise, page % noise, (page % b"7")[: at * 10] + noise, page % HOSTILE[word] + noise):
        try:
            bundle = decoded(content, BUNDLE)
        except Unreadable:
            continue
        for line in Page(bundle, NOW).resources:
            assert b"\n" not in line


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "entry",
                    "link",
                    "resource",
                    "search",
                    "mode",
                    "url",
                    "relation",
                    "total",
                    "resourceType",
                    "meta",
                    "lastUpdated",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["entry", "link", "total", "resourceType"]), JSON))
@settings(max_examples=some(150))
def test_page_of_any_form_gives_lines_or_unreadable(document: dict[str, Any]) -> None:
    try:
        bundle = decoded(json.dumps(document).encode(), BUNDLE)
    except Unreadable:
        return
    page = Page(bundle, NOW)
    assert page.total is None or page.total >= 0
    given = document.get("entry") or []
    given_entries = [given] if isinstance(given, dict) else given  # one alone may stand without its list
    assert isinstance(given_entries, list)
    assert len(page.resources) + len(page.messages) <= len(given_entries)


@pytest.mark.parametrize("stamp", [-(1 << 63), -1, 0, (1 << 63) - 1, 253402300800000])
@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1e300", "\ud800"])
def test_times_on_a_topic_end_no_reading_of_it(stamp: int, time: str) -> None:
    headers = [("ce_time", time.encode("utf-8", "surrogatepass")), ("ce_type", b"lhn.outcome.recorded.v1")]
    record = SimpleNamespace(headers=headers, key=b"north", value=DEEP, timestamp=stamp, partition=0, offset=1)
    assert _seen(record).operation == _seen_load(record).operation == "unreadable"


def test_preflight_reads_a_hostile_page_too(saying: Any, ours: Any, tmp_path: Path) -> None:
    for word in HOSTILE.values():
        with source(site(), tmp_path, saying(b'{"resourceType":"Bundle","entry":[%b]}' % word)).client() as client:
            ours(lambda client=client: read_one(client, "Patient"))


def test_deep_line_is_counted_as_any_other_bad_one() -> None:
    outcomes = Mapper(site="north", time_zone="UTC", subject_key=b"k" * 32).map_lines([DEEP])
    problem = outcomes.unusual[0].problem
    assert isinstance(problem, Problem)
    assert problem.reason in (Reason.INVALID_JSON, Reason.NOT_A_RESOURCE)
