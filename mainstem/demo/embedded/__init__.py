"""Real parts on one machine, for the demo and the tests: a PostgreSQL, a Kafka broker, FHIR servers, and any command.

Each part is a context manager around one process in a session of its own. None outlives its parent: `close()` ends the
whole session, a watchman process ends it when the parent was killed, and a pid file lets the next start end what both
left behind. Everything listens on 127.0.0.1 or on a unix socket, never on another address. A new part is a new file with an
`EmbeddedPart`.
"""

from mainstem.demo.embedded.backend_client import BackendClient, write_secret
from mainstem.demo.embedded.hospital import Hospital
from mainstem.demo.embedded.pid_files import stop_leftovers
from mainstem.demo.embedded.ports import LOOPBACK, free_port, port_is_busy, require_port
from mainstem.demo.embedded.postgres import Postgres
from mainstem.demo.embedded.running import EmbeddedPart, Running
from mainstem.demo.embedded.sessions import end_session, session_members
from mainstem.demo.embedded.tansu import Tansu, kafka_answers

__all__ = [
    "LOOPBACK",
    "BackendClient",
    "EmbeddedPart",
    "Hospital",
    "Postgres",
    "Running",
    "Tansu",
    "end_session",
    "free_port",
    "kafka_answers",
    "port_is_busy",
    "require_port",
    "session_members",
    "stop_leftovers",
    "write_secret",
]
