"""A state on each database, and records to put into it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import pytest
from tables_kept import Kept, lent

from mainstem.state import State
from transforms.mapped import Mapped

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)
Make = Callable[..., Mapped]


def _made(url: str) -> None:
    opened = State.open(url, wait_seconds=60)
    opened.migrate()
    opened.close()


@pytest.fixture(scope="session")
def spare_states() -> list[Kept]:
    """States on PostgreSQL that a test has had."""
    return []


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind: empty, or with the tables of the test's `state`."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state/mainstem.db"
    elif "state" not in request.fixturenames:
        yield str(request.getfixturevalue("postgres_url"))
    else:
        with lent(
            request.getfixturevalue("postgres_server"), request.getfixturevalue("spare_states"), _made
        ) as lent_url:
            yield lent_url


@pytest.fixture
def state(url: str) -> Iterator[State]:
    """A state with its tables."""
    opened = State.open(url, wait_seconds=60)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def at() -> datetime:
    """When the tests' changes are stored."""
    return AT


@pytest.fixture
def record() -> Make:
    """Makes a record: `record("glucose", "7.1", part=1, updated=5)`; the name is the resource, the value its content."""

    def make(
        name: str,
        value: str = "1",
        *,
        part: int = 0,
        updated: int | None = None,
        kind: str = "observation",
        subject: bytes = b"subject-of-tests",
    ) -> Mapped:
        content = f'{{"type":"{kind}","subject":"s-{subject.hex()}","value":{value}}}'.encode()
        return Mapped(
            id=ref(name) + part.to_bytes(4, "big"),
            type=kind,
            subject=subject,
            content=content,
            provenance=f'"source":[],"mapping":"{kind}@1","flags":[]'.encode(),
            updated=updated,
        )

    return make


def ref(name: str) -> bytes:
    """The keyed hash that stands for a source resource."""
    return blake2b(name.encode(), digest_size=12).digest()


@pytest.fixture(name="ref")
def ref_fixture() -> Callable[[str], bytes]:
    """The keyed hash of a resource named as in `record`."""
    return ref
