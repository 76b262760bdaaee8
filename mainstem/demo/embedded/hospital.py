"""A hospital: an embedded FHIR server."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mainstem.demo.embedded.backend_client import BackendClient, write_secret
from mainstem.demo.embedded.ports import LOOPBACK, free_port, port_is_busy, require_port
from mainstem.demo.embedded.running import EmbeddedPart, Running
from schemas.errors import MainstemError, OperatorError, TemporaryError

if TYPE_CHECKING:
    import httpx2


class Hospital(EmbeddedPart):
    """A FHIR R4 server (sekmet-fhir) in `<state>/<name>`: REST search, `$export`, SMART Backend Services.

    With `client`, only that client's signed assertions (read scopes) and the hospital's own staff (`put`, `delete`: a
    token made at each start) are let in; without, anybody is. What is stored stays in the folder for the next start.
    """

    def __init__(
        self,
        state: Path,
        name: str = "hospital",
        *,
        port: int = 0,
        client: BackendClient | None = None,
        choose: str = "",
    ) -> None:
        self.state, self.name, self.client = state.resolve(), name, client
        self.folder = self.state / name
        self.port = port or free_port()
        self._choose = choose or f"--{name}-port"
        self._process: Running | None = None
        self._http: httpx2.Client | None = None

    @property
    def base_url(self) -> str:
        """FHIR base URL, `http://127.0.0.1:<port>/fhir`."""
        return f"http://{LOOPBACK}:{self.port}/fhir"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        if self._process is None:
            raise MainstemError(f"Hospital {self.name} has not been started.", "This is a defect; please report it.")
        return self._process.pid

    def start(self) -> Self:
        """Start and wait until `/metadata` answers (1.5 s)."""
        import secrets

        import httpx2

        require_port(self.port, f"hospital {self.name}", self._choose)
        staff = secrets.token_urlsafe(24)
        write_secret(
            self.folder / "settings.yaml", json.dumps(self._settings(staff), indent=1).encode()
        )  # YAML holds JSON
        write_secret(self.folder / "staff.token", staff.encode())
        env = {key: value for key, value in os.environ.items() if not key.startswith("SEKMET_")}
        command = [str(Path(sys.executable).parent / "sekmet"), "serve", "-c", str(self.folder / "settings.yaml")]
        self._process = Running(self.name, command, state=self.state, env=env, cwd=self.folder).start()
        self._http = httpx2.Client(
            base_url=self.base_url, headers={"Authorization": f"Bearer {staff}"}, timeout=120, trust_env=False
        )
        self._process.wait_until(self._answers, 40)
        return self

    @classmethod
    def attach(cls, state: Path, name: str, port: int) -> "Hospital":
        """The staff's hands (`put`, `read`, `delete`) on a hospital that another process of ours runs."""
        import httpx2

        hospital = cls(state, name, port=port)
        staff = (hospital.folder / "staff.token").read_text()
        hospital._http = httpx2.Client(
            base_url=hospital.base_url, headers={"Authorization": f"Bearer {staff}"}, timeout=120, trust_env=False
        )
        return hospital

    def _settings(self, staff: str) -> dict[str, Any]:
        auth: dict[str, Any] = {"types": ["none"]}
        if self.client is not None:
            client = {
                "client_id": self.client.client_id,
                "jwks": {"keys": [dict(self.client.public_jwk)]},
                "scopes": "system/*.read",
            }
            auth = {"types": ["smart", "bearer"], "tokens": [staff], "smart_clients": [client]}
        return {
            "host": LOOPBACK,  # its default is every address
            "port": self.port,
            "base_url": self.base_url,
            "data_dir": str(self.folder / "data"),
            "facility_name": self.name,
            "server_auth": auth,
            "validation": {"inbound": "off"},
            "simulator": {"enabled": False, "delay_seconds": 0.1},  # the delay also holds back every finished export
            "log_inbound": False,
        }

    def _answers(self) -> bool:
        import httpx2

        if not port_is_busy(self.port):
            return False
        try:
            return self._client.get("/metadata", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False

    @property
    def _client(self) -> "httpx2.Client":
        if self._http is None:
            raise MainstemError(f"Hospital {self.name} has not been started.", "This is a defect; please report it.")
        return self._http

    def put(self, resource: Mapping[str, Any]) -> None:
        """Create or update one resource under its own id."""
        self._checked("PUT", f"/{resource['resourceType']}/{resource['id']}", json=resource)

    def read(self, resource_type: str, resource_id: str) -> dict[str, Any]:
        """One resource as stored."""
        answer: dict[str, Any] = self._checked("GET", f"/{resource_type}/{resource_id}").json()
        return answer

    def delete(self, resource_type: str, resource_id: str) -> None:
        """Delete one resource."""
        self._checked("DELETE", f"/{resource_type}/{resource_id}")

    def load(self, lines: Iterable[bytes], progress: Callable[[int], None] = lambda loaded: None) -> int:
        """Store resources (NDJSON lines), by batches of PUT; how many. About 700 a second."""
        loaded = 0
        for batch in _batches(lines, 200):
            headers = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
            answer = self._checked("POST", "", content=batch, headers=headers)
            statuses = [entry["response"]["status"] for entry in answer.json()["entry"]]
            if refused := [status for status in statuses if not status.startswith("2")]:
                raise OperatorError(
                    f"Hospital {self.name} refused {len(refused)} of {len(statuses)} resources ({refused[0]}).",
                    f"Its output is in {self.state}/logs/{self.name}.log",
                )
            loaded += len(statuses)
            progress(loaded)
        return loaded

    def _checked(self, method: str, path: str, **given: Any) -> "httpx2.Response":
        """An answer that is no error. Raises TemporaryError where the server is down."""
        import httpx2

        try:
            answer = self._client.request(method, path, **given)
        except httpx2.TransportError as exc:
            raise TemporaryError(
                f"Hospital {self.name} does not answer at port {self.port}.",
                f"See whether the demo is still up; its output is in {self.state}/logs/{self.name}.log",
            ) from exc
        if answer.is_error:
            raise OperatorError(
                f"Hospital {self.name} answered {answer.status_code} to {answer.request.method}.",
                f"Its output is in {self.state}/logs/{self.name}.log",
            )
        return answer

    def close(self) -> None:
        """Stop the server; its folder stays."""
        if self._http is not None:
            self._http.close()
        if self._process is not None:
            self._process.close()


def _batches(lines: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Transaction Bundles of PUTs: one SQLite transaction each at the server."""
    entries: list[bytes] = []
    for line in lines:
        resource = json.loads(line)
        request = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
        entries.append(b'{"resource":' + line.strip() + b',"request":' + json.dumps(request).encode() + b"}")
        if len(entries) == size:
            yield _bundle(entries)
            entries = []
    if entries:
        yield _bundle(entries)


def _bundle(entries: list[bytes]) -> bytes:
    return b'{"resourceType":"Bundle","type":"transaction","entry":[' + b",".join(entries) + b"]}"
