"""Fixtures: networks on the embedded broker and on Apache Kafka."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network

from mainstem.config.settings import Settings
from mainstem.kafka.topics import create


@pytest.fixture
def make_network(tmp_path: Path, postgres_url: str, network: str) -> Callable[..., Network]:
    """`make_network(bootstrap)`: a network on a broker, its store in SQLite and its registry in PostgreSQL."""

    def make(bootstrap: str, *, store: str = "", partitions: int = 3, **settings: Any) -> Network:
        made = Network(
            tmp_path,
            Settings(
                network=network,
                kafka=bootstrap,
                database_url=store or f"sqlite:///{tmp_path / 'store.db'}",
                registry_url=postgres_url,
                access_url=f"sqlite:///{tmp_path}/access.db",
                landing=tmp_path / "landing",
                **{"derive": "none", **settings},  # but where a test is about derived values
            ),
        )
        create(made.settings.kafka_settings(), network, groups=["registry"], partitions=partitions, replication=1)
        return made

    return make


@pytest.fixture
def lhn(make_network: Callable[..., Network], broker: str) -> Network:
    """A network on the embedded broker."""
    return make_network(broker)
