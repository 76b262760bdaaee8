"""A FHIR server that costs next to nothing: pages and files made before, sent as fast as they are taken. Run as a process."""

import json
import operator
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

PAGE = 200
CHUNK = 1 << 18
GIGABIT = 125_000_000
"""Bytes a second of the link between a hospital and whoever reads it, where that is good."""
Answer = tuple[int, dict[str, str], "bytes | Path"]


def observation(number: int, note: str = "") -> dict[str, Any]:
    """A laboratory value as servers write them."""
    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
    found = {
        "resourceType": "Observation",
        "id": f"lab-{number:08}",
        "meta": {"lastUpdated": "2026-01-01T00:00:00Z"},
        "status": "final",
        "category": [{"coding": [category]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}], "text": "Hemoglobin"},
        "subject": {"reference": f"Patient/kid-{number % 500}"},
        "effectiveDateTime": "2026-01-01T00:00:00Z",
        "valueQuantity": {"value": 13.1, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
    }
    return {**found, "note": [{"text": note}]} if note else found


class Pages:
    """Search pages of so many observations, each made once."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._made: dict[int, bytes] = {}

    def __call__(self, path: str, base: str) -> Answer:
        """The page that begins at `page=`."""
        begin = int(path.partition("page=")[2] or 0)
        if begin not in self._made:
            url = f"{base}/Observation?page={begin + PAGE}"
            link = [{"relation": "next", "url": url}] if begin + PAGE < self.total else []
            entry = [{"resource": observation(n)} for n in range(begin, min(begin + PAGE, self.total))]
            bundle = {"resourceType": "Bundle", "type": "searchset", "total": self.total, "link": link, "entry": entry}
            self._made[begin] = json.dumps(bundle).encode()
        return 200, {"Content-Type": "application/fhir+json"}, self._made[begin]


class Export:
    """A bulk export of one file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, path: str, base: str) -> Answer:
        """What stands at a path."""
        if path.endswith("file"):
            return 200, {"Content-Type": "application/fhir+ndjson"}, self.file
        if path.endswith("status"):
            output = [{"type": "Observation", "url": f"{base}/file"}]
            manifest = {"transactionTime": "2026-01-02T00:00:00Z", "requiresAccessToken": False, "output": output}
            return 200, {"Content-Type": "application/json"}, json.dumps(manifest).encode()
        if "$export" in path:
            return 202, {"Content-Location": f"{base}/status"}, b""
        return 404, {}, b"{}"


class SmallFiles:
    """A bulk export of so many files, a resource each."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, path: str, base: str) -> Answer:
        """What stands at a path."""
        if "/file/" in path:
            line = json.dumps(observation(int(path.rpartition("/")[2]))).encode() + b"\n"
            return 200, {"Content-Type": "application/fhir+ndjson"}, line
        if path.endswith("status"):
            output = [{"type": "Observation", "url": f"{base}/file/{number}"} for number in range(self.count)]
            manifest = {"transactionTime": "2026-01-02T00:00:00Z", "requiresAccessToken": False, "output": output}
            return 200, {"Content-Type": "application/json"}, json.dumps(manifest).encode()
        if "$export" in path:
            return 202, {"Content-Location": f"{base}/status"}, b""
        return 404, {}, b"{}"


class Changes:
    """Searches by `_lastUpdated` of an EHR in whose folder each night's changes lie: a folder named by their moment, in it NDJSON by type.

    A resource takes `seconds`, and an answer a tenth of one at least: published rates of EHRs are of resources a minute.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self._read: dict[Path, list[bytes]] = {}

    def __call__(self, path: str, base: str) -> Answer:
        """What stands at a path."""
        parts = urlsplit(path)
        asked, kind = parse_qsl(parts.query), parts.path.removeprefix("/fhir/")
        content = self._statement() if kind == "metadata" else self._page(kind, asked, base)
        return (200 if content else 404), {"Content-Type": "application/fhir+json"}, content or b"{}"

    def _statement(self) -> bytes:
        types = sorted({file.stem for file in self.folder.glob("*/*.ndjson")})
        resources = [{"type": name, "interaction": [{"code": "search-type"}]} for name in types]
        rest = [{"mode": "server", "resource": resources}]
        return json.dumps({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest}).encode()

    def _page(self, kind: str, asked: list[tuple[str, str]], base: str) -> bytes:
        """Nothing where one resource is asked for by its id."""
        if "/" in kind:
            return b""
        values = dict(asked)
        begin, size = int(values.get("page", 0)), int(values.get("_count", 100))
        found = [line for night in self._nights(asked) for line in self._lines(night / f"{kind}.ndjson")]
        lines = [] if values.get("_summary") == "count" else found[begin : begin + size]
        time.sleep(max(0.1, self.seconds * len(lines)))
        onward = [*((name, value) for name, value in asked if name != "page"), ("page", str(begin + size))]
        link = [{"relation": "next", "url": f"{base}/{kind}?{urlencode(onward)}"}] if begin + size < len(found) else []
        head = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": link}
        entries = b",".join(b'{"resource":' + line + b"}" for line in lines)
        return json.dumps(head).encode()[:-1] + b',"entry":[' + entries + b"]}"

    def _nights(self, asked: list[tuple[str, str]]) -> Iterator[Path]:
        compared = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt}
        windows = [(value[:2], value[2:21]) for name, value in asked if name == "_lastUpdated"]
        for night in sorted(self.folder.iterdir()):
            if all(compared[word](night.name[:19], moment) for word, moment in windows):
                yield night

    def _lines(self, file: Path) -> list[bytes]:
        """Read once; each says when it was updated."""
        if file not in self._read:
            lines = file.read_bytes().splitlines() if file.exists() else []
            self._read[file] = [self._updated(line, file.parent.name) for line in lines]
        return self._read[file]

    @staticmethod
    def _updated(line: bytes, moment: str) -> bytes:
        resource = json.loads(line)
        return json.dumps({**resource, "meta": {**resource.get("meta", {}), "lastUpdated": moment}}).encode()


def serve(answer: Callable[[str, str], Answer], pace: int = 0) -> None:
    """Answers at a free port of this machine, which is written to standard output; `pace`: most bytes a second of a file."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            """One answer."""
            status, headers, content = answer(self.path, f"http://127.0.0.1:{server.server_port}/fhir")
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(size)}.items():
                self.send_header(name, value)
            self.end_headers()
            if isinstance(content, bytes):
                self.wfile.write(content)
                return
            began, sent = time.perf_counter(), 0
            with content.open("rb") as file:
                while chunk := file.read(CHUNK):
                    self.wfile.write(chunk)
                    sent += len(chunk)
                    time.sleep(max(0.0, sent / pace - (time.perf_counter() - began)) if pace else 0)

        do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


@contextmanager
def serving(kind: str, of: object, pace: int = 0) -> Iterator[str]:
    """The base URL of a server of its own: `pages` of so many observations, the `export` of a file, or of so many `small` ones, `changes`
    of a folder, whose `pace` is microseconds a resource."""
    with Popen([sys.executable, __file__, kind, str(of), str(pace)], stdout=PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/fhir"
        finally:
            process.terminate()


if __name__ == "__main__":
    kind, of, pace = sys.argv[1:]
    kinds: dict[str, Callable[[], Callable[[str, str], Answer]]] = {
        "pages": lambda: Pages(int(of)),
        "export": lambda: Export(Path(of)),
        "small": lambda: SmallFiles(int(of)),
        "changes": lambda: Changes(Path(of), int(pace) / 1e6),
    }
    serve(kinds[kind](), int(pace))
