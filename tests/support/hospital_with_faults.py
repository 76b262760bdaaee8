"""A hospital whose FHIR server does what real ones do now and then: one quirk a hospital, over real HTTP on this machine."""

import json
import operator
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

Resource = dict[str, Any]
_COMPARED = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt}


@dataclass
class Asked:
    """A request: its path below the base URL, its parameters in order."""

    method: str
    path: str
    params: list[tuple[str, str]]
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def value(self, name: str, otherwise: str = "") -> str:
        """The first value of a parameter."""
        return next((value for key, value in self.params if key == name), otherwise)


@dataclass
class Answered:
    """What is sent: `body` as JSON unless it is bytes."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    """Bytes at its end that never come: the connection breaks."""


Fault = Callable[[Asked], Answered | None]
"""What takes an answer's place; None: the server answers as it would."""


@dataclass
class FaultyHospital:
    """Resources by type in the order the server lists them, and its quirks; all may be changed between requests."""

    resources: dict[str, list[Resource]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    understands: set[str] = field(default_factory=lambda: {"_count", "_lastUpdated", "_summary"})
    """Search parameters that are honoured; all others are ignored."""
    cap: int = 1000
    """Most resources a page, whatever is asked for."""
    counts: bool = True
    """Whether pages say `total`."""
    links: bool = True
    """Whether pages say where the next one is."""
    said_total: Callable[[int], int] = lambda total: total
    asked: list[Asked] = field(default_factory=list)
    base_url: str = ""

    def put(self, *resources: Resource) -> None:
        """New or newer resources, at the end or in their place."""
        for resource in resources:
            known = self.resources.setdefault(resource["resourceType"], [])
            places = [place for place, each in enumerate(known) if each["id"] == resource["id"]]
            if places:
                known[places[0]] = resource
            else:
                known.append(resource)

    def answer(self, asked: Asked) -> Answered:
        """A fault's answer, else the server's own."""
        self.asked.append(asked)
        for fault in self.faults:
            if (answered := fault(asked)) is not None:
                return answered
        if asked.path == "metadata":
            return Answered(self._statement())
        kind, _, name = asked.path.partition("/")
        if name:
            found = [each for each in self.resources.get(kind, []) if each["id"] == name]
            return Answered(found[0]) if found else Answered({"resourceType": "OperationOutcome"}, 404)
        return Answered(self._page(kind, asked))

    def searches(self, kind: str) -> list[Asked]:
        """What was asked of a type so far."""
        return [asked for asked in self.asked if asked.path == kind]

    def _statement(self) -> Resource:
        types = [{"type": name, "interaction": [{"code": "search-type"}]} for name in self.resources]
        return {
            "resourceType": "CapabilityStatement",
            "fhirVersion": "4.0.1",
            "rest": [{"mode": "server", "resource": types}],
        }

    def _page(self, kind: str, asked: Asked) -> Resource:
        found = [each for each in self.resources.get(kind, []) if self._matches(each, asked)]
        if asked.value("_summary") == "count" and "_summary" in self.understands:
            return {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        size = min(self.cap, int(asked.value("_count", "50")) if "_count" in self.understands else 50)
        begin = int(asked.value("page", "0"))
        for name in ("_offset", "_getpagesoffset"):
            begin += int(asked.value(name, "0")) if name in self.understands else 0
        page: Resource = {"resourceType": "Bundle", "type": "searchset", "link": [], "entry": []}
        if self.counts:
            page["total"] = self.said_total(len(found))
        if self.links and begin + size < len(found):
            params = [*((key, value) for key, value in asked.params if key != "page"), ("page", str(begin + size))]
            page["link"] = [{"relation": "next", "url": f"{self.base_url}/{kind}?{urlencode(params)}"}]
        page["entry"] = [{"resource": each, "search": {"mode": "match"}} for each in found[begin : begin + size]]
        return page

    def _matches(self, resource: Resource, asked: Asked) -> bool:
        ids = asked.value("_id")
        if ids and resource["id"] not in ids.split(","):
            return False
        patients = asked.value("patient") if "patient" in self.understands else ""
        if patients and resource.get("subject", {}).get("reference", "").removeprefix("Patient/") not in patients.split(
            ","
        ):
            return False
        if (wanted := asked.value("identifier")) and "identifier" in self.understands:
            held = [f"{each['system']}|{each['value']}" for each in resource.get("identifier", [])]
            if not set(held).intersection(each.replace("\\,", ",") for each in re.split(r"(?<!\\),", wanted)):
                return False
        if (wanted := asked.value("category")) and "category" in self.understands:
            codings = [coding for each in resource.get("category", []) for coding in each.get("coding", [])]
            if wanted not in {coding.get("code") for coding in codings}:
                return False
        if "_lastUpdated" not in self.understands:
            return True
        updated = resource.get("meta", {}).get("lastUpdated", "")[:19]
        windows = [(value[:2], value[2:21]) for key, value in asked.params if key == "_lastUpdated"]
        return all(_COMPARED[word](updated, moment) for word, moment in windows)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hospital: FaultyHospital

    def _do(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = parts.path.removeprefix("/fhir/")
        asked = Asked(self.command, path, parse_qsl(parts.query), dict(self.headers.items()), body)
        answered = self.hospital.answer(asked)
        content = answered.body if isinstance(answered.body, bytes) else json.dumps(answered.body).encode()
        self.send_response_only(answered.status)
        headers = {"Content-Type": "application/fhir+json", "Date": self.date_time_string(), **answered.headers}
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) - answered.cut])
        self.close_connection |= answered.cut > 0

    do_GET = do_POST = do_DELETE = _do

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class _Quiet(ThreadingHTTPServer):
    """A client that goes away in the middle is no news: the screen is the test's."""

    def handle_error(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving(hospital: FaultyHospital, tls: ssl.SSLContext | None = None) -> Iterator[FaultyHospital]:
    """The hospital's server, until the context ends; by TLS where it has a certificate to show."""
    handler = type("Handler", (_Handler,), {"hospital": hospital})
    server = _Quiet(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    hospital.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/fhir"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hospital
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def faulty() -> Iterator[FaultyHospital]:
    """A hospital without a fault so far."""
    with serving(FaultyHospital()) as hospital:
        yield hospital
