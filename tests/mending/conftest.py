"""Fixtures: a site's state beside a stream, to be told again, compared and mended."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from states import save

from mainstem.config.settings import Settings
from mainstem.state import State
from transforms.mapped import Mapped

BEGAN = datetime.now(UTC).replace(hour=5, minute=0, second=0, microsecond=0) - timedelta(days=10)


def record_of(number: int) -> bytes:
    """The id of a record; four bytes of its part are zero."""
    return blake2b(b"sample%d" % number, digest_size=12).digest() + bytes(4)


def subject_of(number: int) -> bytes:
    """Seven children."""
    return blake2b(b"child%d" % (number % 7), digest_size=16).digest()


def height(number: int, value: str, *, subject: bytes | None = None) -> Mapped:
    """An observation as mapping hands it over."""
    record, child = record_of(number), subject or subject_of(number)
    content = (
        f'{{"type":"observation","id":"r-{record.hex()}","subject":"s-{child.hex()}","site":"north","code":"8302-2",'
        f'"status":"final","value":{value},"unit":"cm","effective":"2026-03-02T09:10:00Z","category":["vital-signs"]}}'
    ).encode()
    source = b'"source":[{"type":"Observation","ref":"h-%b"}],"mapping":"observation@1"' % record[:12].hex().encode()
    return Mapped(record, "observation", child, content, source, None)


class Site:
    """A site `north` with a state of its own that publishes to a stream."""

    def __init__(self, url: str, stream: Any) -> None:
        self.stream = stream
        self.settings = Settings(network=stream.network, kafka=stream.bootstrap, database_url=url, derive="none")
        self.state = State.open(url)
        self.state.migrate()
        self._nights = 0

    def night(self, *came: Mapped, gone: tuple[int, ...] = (), publish: bool = True) -> None:
        """Stores what came and what is gone; publishes it."""
        self._nights += 1
        at = BEGAN + timedelta(days=self._nights)
        save(self.state, "north", list(came), [(record_of(number)[:12], None) for number in gone], at)
        if publish:
            self.stream.publish(self.state.outbox)

    def latest(self) -> dict[str, tuple[str, bytes | None]]:
        """The topic's last word on each record: its id and its value."""
        return {
            dict(each.headers)["ce_subject"].decode(): (dict(each.headers)["ce_id"].decode(), each.value)
            for each in self.stream.records()
        }

    def close(self) -> None:
        self.state.close()


@pytest.fixture
def site_on(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """`site_on(stream)`: the site, its state in SQLite or at a URL."""
    made: list[Site] = []

    def make(stream: Any, url: str = "") -> Site:
        made.append(Site(url or f"sqlite:///{tmp_path / 'north.db'}", stream))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def north(stream: Any, site_on: Callable[..., Site]) -> Site:
    """The site on the embedded broker."""
    return site_on(stream)


@pytest.fixture
def began() -> datetime:
    """The day before the first night."""
    return BEGAN


@pytest.fixture
def of() -> Callable[..., Mapped]:
    """`of(1, "101.5")`: child 1's height."""
    return height
