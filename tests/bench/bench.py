"""What the figures share: the checkouts in turns, the deliveries, and the loads of which several figures are read."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import content
from apache_kafka import ApacheKafka, unavailable
from checkouts import Checkout
from measuring import Ran, quickest
from network_under_test import Network

from mainstem.config.settings import Settings
from mainstem.demo.embedded import Postgres, Tansu
from mainstem.demo.populations import populations
from mainstem.kafka.topics import create

LINES = 150_000
FEW = LINES // 10
BLOCK = 8_000
CHANGES: dict[str, content.Change] = {"repeated": content.repeated, "varied": content.varied}
FIRST_LOADS = 3
REPEATS = 2


@dataclass
class Loaded:
    """Runs of one checkout: a small first load, a first load, the same again, the same behind a block of new lines."""

    few: Ran
    first: Ran
    again: Ran
    block: Ran

    @staticmethod
    def report(ran: Ran) -> dict[str, Any]:
        """What the run said of itself."""
        return dict(json.loads(ran.out))


@dataclass(eq=False)
class Bench:
    """One run of the bench."""

    folder: Path
    checkouts: list[Checkout]
    say: Callable[[str], object]
    _open: list[Any] = field(default_factory=list)

    def close(self) -> None:
        """Ends the parts that were started."""
        for part in reversed(self._open):
            part.close()

    def turn(self, number: int) -> list[Checkout]:
        """Who comes first changes with every round: a machine that grows slower or warmer favours neither."""
        return self.checkouts[:: -1 if number % 2 else 1]

    def in_turns(self, rounds: int, run: Callable[[Checkout], Ran]) -> Iterator[tuple[Checkout, Ran]]:
        """The quickest of some runs of each checkout, taken in turns."""
        ran: dict[str, list[Ran]] = {checkout.name: [] for checkout in self.checkouts}
        for number in range(rounds):
            for checkout in self.turn(number):
                self.say(f"{checkout.name}, round {number + 1} of {rounds}")
                ran[checkout.name].append(run(checkout))
        yield from ((checkout, quickest(ran[checkout.name])) for checkout in self.checkouts)

    @cached_property
    def children(self) -> Any:
        """The demo's, made once and kept for the next bench."""
        self.say("making synthetic children")
        return populations(Path("var/demo"), today=datetime.now(UTC).date())

    @cache  # noqa: B019 — one Bench a process
    def delivery(self, kind: str, count: int) -> Path:
        """So many lines, repeated or varied; beside an older checkout of the types that both map, for the older one passes others by."""
        self.say(f"writing {count:,} lines, {kind}")
        types = frozenset.intersection(*(checkout.mapped for checkout in self.checkouts))
        return content.deliver(self.children, self.folder / f"{kind}-{count}", count, CHANGES[kind], types)

    @cache  # noqa: B019
    def other_types(self, kind: str, count: int) -> Path:
        """So many lines of types that the children do not have."""
        return content.deliver_other_types(self.folder / f"other-{kind}-{count}", count, CHANGES[kind])

    def site(self, kind: str, count: int) -> Path:
        """A site that delivers them."""
        return content.site_file(self.delivery(kind, count))

    @cached_property
    def kafka(self) -> str:
        """Apache Kafka where it can run, else the embedded broker; its address."""
        if unavailable():
            return self.tansu
        cluster = ApacheKafka(self.folder / "kafka", quick=False).start()
        self._open.append(_Stopped(cluster))
        return cluster.bootstrap

    @cached_property
    def tansu(self) -> str:
        """The embedded broker's address."""
        broker = Tansu(self.folder / "tansu").start()
        self._open.append(broker)
        return broker.bootstrap

    @cached_property
    def postgres(self) -> Postgres:
        """The embedded PostgreSQL."""
        server = Postgres(self.folder).start()
        self._open.append(server)
        return server

    def network(self, name: str) -> Network:
        """A network with a folder, PostgreSQL and topics of its own, without sites."""
        folder = self.folder / name
        folder.mkdir()
        settings = Settings(
            network=name.replace("_", "-"),
            kafka=self.tansu,
            database_url=self.postgres.create_database(name),
            registry_url=f"sqlite:///{folder}/registry.db",
            access_url=f"sqlite:///{folder}/access.db",
            landing=folder / "landing",
        )
        create(settings.kafka_settings(), settings.network, groups=["registry"], partitions=6, replication=1)
        return Network(folder, settings)

    def hospital(self, lhn: Network, number: int, lines: int, **values: Any) -> Path:
        """A site of a network that delivers varied lines in a folder of its own, under a key of its own; its file."""
        name = f"s{number:02}"
        key = lhn.folder / f"{name}.key"
        key.write_text(f"{number:064x}")
        key.chmod(0o600)
        delivery = shutil.copytree(self.delivery("varied", lines), lhn.folder / f"in{number}")
        return lhn.files_site(name, delivery, subject_key=f"file:{key.name}", **values)

    @cache  # noqa: B019
    def loads(self, database: str, kind: str) -> dict[str, Loaded]:
        """The runs of each checkout, in turns: each into new databases and topics."""
        found: dict[str, list[Loaded]] = {checkout.name: [] for checkout in self.checkouts}
        for number in range(FIRST_LOADS):
            for checkout in self.turn(number):
                self.say(f"run, {kind} into {database}, {checkout.name}, {number + 1} of {FIRST_LOADS}")
                found[checkout.name].append(self._load(checkout, database, kind, number))
        return {name: _quickest(loads) for name, loads in found.items()}

    def _load(self, checkout: Checkout, database: str, kind: str, number: int) -> Loaded:
        name = f"{database}_{kind}_{checkout.name}_{number}"
        folder = self.folder / name
        folder.mkdir()
        url = self.postgres.create_database(name) if database == "postgresql" else f"sqlite:///{folder / 'state.db'}"
        env = {
            "MAINSTEM_KAFKA": self.kafka,
            "MAINSTEM_NETWORK": name.replace("_", "-"),
            "MAINSTEM_DATABASE_URL": url,
            "MAINSTEM_LANDING": str(folder / "landing"),
            "MAINSTEM_DERIVE": "none",  # measured by itself
        }
        few, delivery = self.site(kind, FEW), folder / f"{kind}-lines"
        shutil.copytree(self.delivery(kind, LINES), delivery)
        site = content.site_file(delivery)
        checkout.mainstem("topics", "create", "--replication", "1", **env)

        def run(path: Path) -> Ran:
            return checkout.mainstem("run", path, "--json", **env)

        small, first, again = run(few), run(site), quickest([run(site) for _ in range(REPEATS)])
        content.put_first(self.children, delivery, BLOCK, CHANGES[kind])
        loaded = Loaded(small, first, again, run(site))
        shutil.rmtree(folder)
        return loaded


@dataclass
class _Stopped:
    """A cluster, closed like the other parts."""

    cluster: ApacheKafka

    def close(self) -> None:
        self.cluster.stop()


def _quickest(loads: list[Loaded]) -> Loaded:
    few, first, again, block = (
        quickest([getattr(loaded, name) for loaded in loads]) for name in ("few", "first", "again", "block")
    )
    return Loaded(few, first, again, block)
