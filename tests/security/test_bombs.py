"""Too much of anything: every answer, file, line and heap of bad lines has a bound, kept in flat memory, and said."""

import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from isal import igzip

from connectors.client import bodies
from connectors.client.bodies import SMALL_BYTES, STATEMENT_BYTES
from connectors.client.capabilities import ask_capabilities
from connectors.formats.gzip import FREE_BYTES, RATIO
from connectors.formats.meter import Meter
from connectors.formats.ndjson import read_lines
from connectors.landing import Kept, Landing
from connectors.outside.decoding import is_whole, without_unreadable
from connectors.pulling import pull
from connectors.source import Source, Wanted
from mainstem.config.settings import Settings
from mainstem.refresh import map_types, open_refresh, plan, pull_units
from mainstem.refresh.map import _kept_of
from mainstem.state import Place
from schemas.errors import MainstemError, TemporaryError
from schemas.problems import Problem, Reason
from schemas.sites import Site

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
BASE = "http://127.0.0.1:1/fhir"
STATEMENT = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
CREDENTIALS = {"method": "client-credentials", "client_id": "c", "secret": "env:S"}
ATTEMPTS = 2
"""A request that may pass is made so often here."""
BLOCK = b" " * (1 << 20)


def endless(mebibytes: int) -> Iterator[bytes]:
    for _ in range(mebibytes):
        yield BLOCK


def source(tmp_path: Path, server: Any, **fhir: Any) -> Source:
    site = Site.model_validate(
        {
            "site": "north",
            "name": "North",
            "time_zone": "UTC",
            "subject_key": "env:K",
            "types": ["Patient"],
            "fhir": {"base_url": BASE, "requests_per_second": 10_000, **fhir},
        }
    )
    return Source(
        site=site,
        folder=tmp_path,
        secrets=lambda _: b"s",
        clock=lambda: NOW,
        sleep=lambda _: None,
        transport=server,
        attempts=1,
    )


@pytest.mark.parametrize(
    ("part", "cap"), [("token", SMALL_BYTES), ("smart-configuration", SMALL_BYTES), ("metadata", STATEMENT_BYTES)]
)
def test_answer_without_end_is_given_up_at_its_cap(part: str, cap: int, saying: Any, tmp_path: Path) -> None:
    """A log-in's answers too: nobody else reads them to the end first."""
    read = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for block in endless(500):
            read += len(block)
            yield block

    def answer(request: httpx2.Request) -> Any:
        return httpx2.Response(200, content=counted()) if request.url.path.endswith(part) else STATEMENT

    login = {**CREDENTIALS, **({"token_url": f"{BASE}/token"} if part == "token" else {})}
    auth = {} if part == "metadata" else {"auth": login}
    with source(tmp_path, saying(answer), **auth).client() as client:
        asked = partial(client.ask, "GET", client.url("Patient"), what="Patient", accepted=(200,))
        with pytest.raises(MainstemError, match="answers with more than"):
            (partial(ask_capabilities, client) if part == "metadata" else asked)()
    assert cap < read <= ATTEMPTS * (cap + 2 * len(BLOCK))


def test_answer_that_drips_for_ever_is_given_up(saying: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No single wait is long; together they would hold the site's load for ever."""
    monkeypatch.setattr(bodies, "ANSWER_SECONDS", 0.2)

    def dripping() -> Iterator[bytes]:
        while True:
            time.sleep(0.05)
            yield b" "

    server = saying(lambda _: httpx2.Response(200, content=dripping()))
    with source(tmp_path, server).client() as client, pytest.raises(TemporaryError, match="has no end after"):
        client.ask("GET", client.url("Patient"), what="Patient", accepted=(200,))


def test_quarantine_of_a_load_begun_by_an_earlier_version_goes_on() -> None:
    """It noted bytes alone."""
    assert _kept_of(Place("Patient-0001.ndjson.gz", 7, {"kept": 700})) == Kept(700, 0)
    assert _kept_of(Place("Patient-0001.ndjson.gz", 7, {"kept": [700, 3]})) == Kept(700, 3)
    assert _kept_of(None) == Kept(0, 0)


def test_refused_log_in_is_not_read_to_its_end(saying: Any, tmp_path: Path) -> None:
    read = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for block in endless(500):
            read += len(block)
            yield block

    def answer(request: httpx2.Request) -> Any:
        return {"access_token": "t"} if request.url.path.endswith("token") else httpx2.Response(401, content=counted())

    with (
        source(tmp_path, saying(answer), auth={**CREDENTIALS, "token_url": f"{BASE}/token"}).client() as client,
        pytest.raises(MainstemError, match="401"),
    ):
        client.ask("GET", client.url("Patient"), what="Patient", accepted=(200,))
    assert read <= ATTEMPTS * 2 * len(BLOCK)


def test_packed_page_is_unpacked_no_further_than_its_cap(saying: Any, tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(BLOCK) for _ in range(30)) + packer.flush()
    server = saying(
        lambda _: httpx2.Response(200, stream=httpx2.ByteStream(bomb), headers={"Content-Encoding": "gzip"})
    )
    with source(tmp_path, server).client() as client:
        ask = partial(client.ask, "GET", client.url("Patient"), what="Patient", accepted=(200,), cap=4 << 20)
        tracemalloc.start()
        with pytest.raises(MainstemError, match="more than 4 MiB"):
            ask()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(bomb) < 100_000
    assert peak < 16 << 20


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip, gzip", "gzip, gzip, gzip", "x-made-up"])
def test_packing_nobody_asked_for_is_refused(encoding: str, saying: Any, tmp_path: Path) -> None:
    """gzip in gzip in gzip unpacks a kilobyte into a terabyte, between two looks at how much it is."""
    server = saying(
        lambda _: httpx2.Response(
            200, stream=httpx2.ByteStream(gzip.compress(b"{}")), headers={"Content-Encoding": encoding}
        )
    )
    with pytest.raises(MainstemError, match="a method that was not asked for"):
        pull(source(tmp_path, server), Wanted(unit="Patient", landing=Landing(tmp_path / "landing")))
    assert {request.headers["Accept-Encoding"] for request in server.requests} == {"gzip, deflate"}


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    folder = tmp_path / "delivery"
    folder.mkdir()
    return folder


@pytest.fixture
def pull_files(tmp_path: Path) -> Callable[..., Any]:
    def run(**limits: Any) -> Any:
        site = Site.model_validate(
            {
                "site": "north",
                "name": "North",
                "time_zone": "UTC",
                "subject_key": "env:K",
                "types": ["Patient"],
                "files": {"folder": "delivery"},
                "limits": limits,
            }
        )
        at = Source(site=site, folder=tmp_path, secrets=lambda _: b"s", clock=lambda: NOW)
        return pull(at, Wanted(unit="Patient", landing=Landing(tmp_path / "landing")))

    return run


def test_file_that_unpacks_without_end_is_refused_and_its_neighbours_are_read(
    delivery: Path, pull_files: Any, tmp_path: Path
) -> None:
    good = b'{"resourceType":"Patient","id":"1"}\n'
    blank = (b" " * 1023 + b"\n") * ((FREE_BYTES >> 10) + 1)
    (delivery / "Patient.1.ndjson.gz").write_bytes(gzip.compress(good + blank))
    assert RATIO * (delivery / "Patient.1.ndjson.gz").stat().st_size < FREE_BYTES
    (delivery / "Patient.2.ndjson.gz").write_bytes(igzip.compress(good))
    pulled = pull_files()
    assert (pulled.resources, pulled.complete) == (1, False)
    assert "1 files were not read" in pulled.error
    assert pulled.notes == [
        "not read, no plain file of the delivery: Patient.1.ndjson.gz (unpacks to more than 250 times its size)"
    ]
    assert [path.name for path in (tmp_path / "landing").glob("Patient*")] == ["Patient-0001.ndjson.gz"]


@pytest.mark.parametrize("packed", [False, True])
def test_file_above_the_sites_cap_is_refused(packed: bool, delivery: Path, pull_files: Any) -> None:
    content = b'{"resourceType":"Patient","id":"1"}\n' * 1000
    name = "Patient.ndjson.gz" if packed else "Patient.ndjson"
    (delivery / name).write_bytes(igzip.compress(content) if packed else content)
    pulled = pull_files(file_bytes=10_000)
    assert (pulled.resources, pulled.complete) == (0, False)
    assert "holds more than 10000 bytes" in pulled.notes[0]


def test_bomb_of_many_members_is_one_too(tmp_path: Path) -> None:
    member = igzip.compress(b" " * (8 << 20))
    path = tmp_path / "Patient.ndjson.gz"
    path.write_bytes(member * 40)
    assert list(read_lines(path, cap=1 << 20))[-1] == Problem(Reason.FILE_TOO_LARGE, "Patient")


def test_line_without_end_costs_neither_memory_nor_time() -> None:
    """Twice the line, twice the time: what is beyond the cap is not kept, nor copied again with every block."""
    cap, block = 8 << 20, b"x" * (1 << 17)

    def passed(blocks: int) -> float:
        meter = Meter(cap=cap, most=1 << 40)
        began = time.process_time()
        for _ in meter.through(iter([block] * blocks), not_after=NOW):
            pass
        assert (meter.truncated, meter.lines) == (True, 0)
        return time.process_time() - began

    tracemalloc.start()
    passed(400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * cap
    assert min(passed(1600) for _ in range(3)) < 8 * max(0.01, min(passed(400) for _ in range(3)))


@pytest.mark.parametrize(
    "piece", [rb"\"", b"\\", b'"', b'{"a":[', b"[", b'{"resource":NaN},', rb'{"resource":"\ud800"},']
)
def test_page_made_to_be_slow_to_look_through_is_not(piece: bytes) -> None:
    """Four times the page, about four times the work, whatever is repeated in it."""

    def looked_through(size: int) -> float:
        page = b'{"resourceType":"Bundle","entry":["' + piece * (size // len(piece))
        began = time.process_time()
        without_unreadable(page)
        is_whole(page)
        return time.process_time() - began

    assert min(looked_through(1 << 20) for _ in range(2)) < 10 * max(
        0.02, min(looked_through(1 << 18) for _ in range(2))
    )


def test_lines_beyond_the_cap_are_counted_and_their_neighbours_read(tmp_path: Path) -> None:
    path = tmp_path / "Patient.ndjson"
    path.write_bytes(b"a\n" + b"x" * 5000 + b"\n" + b"b\n" + b"y" * 5000)
    too_long = Problem(Reason.LINE_TOO_LONG, "Patient")
    assert list(read_lines(path, cap=1024)) == [b"a", too_long, b"b", too_long]


def test_quarantine_keeps_no_more_than_it_may(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    with landing.quarantine("Patient", most=Kept(bytes=100, lines=3)) as kept:
        assert [kept.add(line) for line in (b"1", b"x" * 200, b"2", b"3", b"4")] == [True, False, True, True, False]
    assert (tmp_path / "quarantine/Patient.ndjson").read_bytes() == b"1\n2\n3\n"
    with landing.quarantine("Patient", at=Kept(6, 3), most=Kept(bytes=100, lines=3)) as kept:
        assert not kept.add(b"after a crash")


def test_delivery_of_nothing_but_bad_lines_fills_no_disk_and_says_so(delivery: Path, tmp_path: Path) -> None:
    """All are counted; ten are kept to look at, on disk and in the state; the report says so."""
    good = json.dumps({"resourceType": "Patient", "id": "1"}).encode() + b"\n"
    (delivery / "Patient.ndjson").write_bytes(good + b"{broken}\n" * 5000)
    file = tmp_path / "north.toml"
    file.write_text(
        'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "file:key"\ntypes = ["Patient"]\n'
        '[files]\nfolder = "delivery"\n[limits]\nquarantine_lines = 10\n'
    )
    (tmp_path / "key").write_text("k" * 40)
    settings = Settings(database_url=f"sqlite:///{tmp_path}/state.db", landing=tmp_path / "landing")
    with open_refresh(file, settings) as refresh:
        load = plan(refresh).load
        pull_units(refresh, load, ["Patient"])
        counts = map_types(refresh, load, ["Patient"])
        assert (counts.read, counts.mapped, counts.skipped, counts.unkept) == (5001, 1, {"invalid-json": 5000}, 4990)
        assert len(list(refresh.store.quarantine.of("north", load))) == 10
        (kept,) = tmp_path.glob("landing/north/*/quarantine/Patient.ndjson")
        assert kept.read_bytes() == b"{broken}\n" * 10
        refresh.store.loads.fail(load, refresh.clock(), "for the test")
        report = refresh.store.loads.get(load).report
        assert report is not None
        assert report.notes[0].startswith("Patient: 4990 unusable resources were counted but not kept")
