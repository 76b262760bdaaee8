"""Fixtures: Apache Kafka itself on loopback, for the tests marked `kafka`: one broker or three, in KRaft mode, no container."""

import os
import shutil
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

JARS = Path(__file__).parents[2] / "docker" / "kafka" / "jars"
START_SECONDS = 180
LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


def unavailable() -> str:
    """Why Apache Kafka cannot run here; empty when it can."""
    if shutil.which("java") is None:
        return "Apache Kafka needs Java 17: no java on the path"
    if not any(JARS.glob("kafka_2.13-*.jar")):
        return "Apache Kafka's jars are missing: run `make kafka`"
    return ""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class ApacheKafka:
    """A cluster of `brokers` nodes, each broker and controller, with its data under `folder`.

    `quick` starts in half the time, at half the speed: for tests; a measurement says False."""

    def __init__(
        self, folder: Path, *, brokers: int = 1, settings: dict[str, str] | None = None, quick: bool = True
    ) -> None:
        self.folder = folder
        self._quick = quick
        self.nodes = list(range(1, brokers + 1))
        self._ports = {node: (free_port(), free_port()) for node in self.nodes}
        self._cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._settings = settings or {}
        self._formatted = False

    @property
    def bootstrap(self) -> str:
        """The brokers' addresses, comma-separated."""
        return ",".join(f"127.0.0.1:{port}" for port, _ in self._ports.values())

    def start(self) -> "ApacheKafka":
        """Format the storage the first time, start every node and wait until the cluster answers with all of them."""
        if not self._formatted:
            self._format()
        for node in self.nodes:
            self._launch(node)
        self._wait_until_answering()
        return self

    def stop(self) -> None:
        """End every node in good order."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def kill(self, node: int = 1) -> None:
        """End a node as a power cut would (SIGKILL)."""
        process = self._processes.pop(node)
        process.kill()
        process.wait()

    def restart(self, node: int = 1) -> None:
        """Start a node again on its data and wait until the whole cluster answers."""
        self._launch(node)
        self._wait_until_answering()

    def _format(self) -> None:
        tools = [self._start_formatting(node) for node in self.nodes]
        for tool in tools:
            output, _ = tool.communicate(timeout=120)
            if tool.returncode != 0:
                raise RuntimeError(f"formatting Kafka's storage failed: {output}")
        self._formatted = True

    def _start_formatting(self, node: int) -> subprocess.Popen[str]:
        home = self.folder / f"node-{node}"
        home.mkdir(parents=True)
        (home / "log4j2.properties").write_text(LOG4J)
        lines = (f"{name}={value}\n" for name, value in self._properties(node, home).items())
        (home / "server.properties").write_text("".join(lines))
        tool = self._java(home, "128m", "kafka.tools.StorageTool")
        # One word: an id that begins with a hyphen, as one in 64 does, would be taken for an option.
        command = [*tool, "format", f"--cluster-id={self._cluster}", "-c", str(home / "server.properties")]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def _properties(self, node: int, home: Path) -> dict[str, str]:
        broker_port, controller_port = self._ports[node]
        replicas = str(len(self.nodes))
        return {
            "node.id": str(node),
            "process.roles": "broker,controller",
            "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{ports[1]}" for n, ports in self._ports.items()),
            "listeners": f"PLAINTEXT://127.0.0.1:{broker_port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(home / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": "3",
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # A killed broker's registration blocks its restart until it expires.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "400",
            **self._settings,
        }

    def _java(self, home: Path, heap: str, main_class: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={home / 'log4j2.properties'}"
        compiler = ["-XX:TieredStopAtLevel=1"] if self._quick else []
        flags = [f"-Xmx{heap}", "-XX:+UseSerialGC", *compiler, logging]
        return ["java", *flags, "-cp", str(JARS / "*"), main_class]

    def _launch(self, node: int) -> None:
        home = self.folder / f"node-{node}"
        with (home / "server.log").open("ab") as log:
            self._processes[node] = subprocess.Popen(
                [*self._java(home, "512m", "kafka.Kafka"), str(home / "server.properties")],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def _wait_until_answering(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answering():
            for node, process in self._processes.items():
                if process.poll() is not None:
                    log = (self.folder / f"node-{node}" / "server.log").read_text()[-2000:]
                    raise RuntimeError(f"Kafka's node {node} ended while starting: {log}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not answer within {START_SECONDS} s; see the logs under {self.folder}")
            time.sleep(0.2)

    def _answering(self) -> bool:
        if not all(listening(self._ports[node][0]) for node in self._processes):
            return False
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap.split(","), bootstrap_timeout_ms=1000)
        except KafkaError:
            return False
        try:
            return len(admin.describe_cluster()["brokers"]) == len(self._processes)
        except KafkaError:
            return False
        finally:
            admin.close()


def require_apache_kafka() -> None:
    """Skip the test with the reason where Apache Kafka cannot run; fail it where MAINSTEM_REQUIRE_KAFKA is set."""
    if reason := unavailable():
        if os.environ.get("MAINSTEM_REQUIRE_KAFKA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """One broker of Apache Kafka, shared by the tests; a test uses a network name of its own."""
    require_apache_kafka()
    cluster = ApacheKafka(tmp_path_factory.mktemp("apache-kafka"))
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture
def own_apache_kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    """One broker of Apache Kafka for a test that kills it."""
    require_apache_kafka()
    cluster = ApacheKafka(tmp_path / "kafka")
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture
def three_brokers(tmp_path: Path) -> Iterator[ApacheKafka]:
    """Three brokers of Apache Kafka: replication and the loss of a leader for real."""
    require_apache_kafka()
    cluster = ApacheKafka(tmp_path / "kafka", brokers=3)
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture(params=["tansu", pytest.param("apache", marks=pytest.mark.kafka)])
def creating_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A broker that makes topics by itself when somebody asks for them, as most do that nobody configured."""
    if request.param == "tansu":
        yield request.getfixturevalue("broker")
        return
    require_apache_kafka()
    cluster = ApacheKafka(tmp_path / "kafka", settings={"auto.create.topics.enable": "true"})
    try:
        yield cluster.start().bootstrap
    finally:
        cluster.stop()
