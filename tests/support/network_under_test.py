"""A small network of a test's own: sites, store, broker, registry, and the real command."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands_here import run_here
from sqlalchemy import create_engine, text

from mainstem.config.settings import Settings
from mainstem.consumer.tail import Seen, tail
from mainstem.demo.embedded import Hospital
from mainstem.refresh import open_refresh, run
from schemas.events import outcome_topic
from schemas.loads import LoadReport
from services.registry.running import catch_up

MAINSTEM = Path(sys.executable).with_name("mainstem")
SUBJECT_KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class Network:
    """One network on real parts, with its settings."""

    folder: Path
    settings: Settings

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command that works in this network."""
        ours = {
            f"MAINSTEM_{name.upper()}": str(value)
            for name, value in self.settings.model_dump(mode="json").items()
            if value is not None
        }
        return {**os.environ, **ours, "NO_COLOR": "1", "COLUMNS": "200"}

    def site(self, name: str, source: str, **values: Any) -> Path:
        """Writes a site file; `source` is its TOML from the first section on."""
        (self.folder / "subject.key").write_text(SUBJECT_KEY)
        head = {
            "site": name,
            "name": name,
            "time_zone": "America/New_York",
            "subject_key": "file:subject.key",
            **values,
        }
        path = self.folder / f"{name}.toml"
        path.write_text("".join(f"{key} = {value!r}\n" for key, value in head.items()) + source)
        return path

    def files_site(self, name: str, folder: Path, **values: Any) -> Path:
        """A site that delivers a folder."""
        return self.site(name, f'[files]\nfolder = "{folder}"\nsettle_seconds = 0\n', road="files", **values)

    def server_site(self, name: str, server: Hospital, road: str, **values: Any) -> Path:
        """A site with a FHIR server; with SMART Backend Services where the server has a client."""
        source = f'[fhir]\nbase_url = "{server.base_url}"\npage_size = 7\nrequests_per_second = 1000\n'
        if client := server.client:
            source += (
                f'[fhir.auth]\nmethod = "smart-backend"\nclient_id = "{client.client_id}"\n'
                f'private_key = "file:{client.private_key}"\nkey_id = "{client.key_id}"\nalgorithm = "{client.algorithm}"\n'
                'scope = "system/*.read"\n'
            )
        return self.site(name, source, road=road, **values)

    def refresh(self, site: Path, **options: Any) -> LoadReport:
        """The five steps in this process."""
        with open_refresh(site, self.settings) as refresh:
            return run(refresh, **options)

    def mainstem(self, *arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        """The real command in a process of its own, run to its end."""
        return subprocess.run(
            [MAINSTEM, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.folder,
            env={**self.environment, **environment},
        )

    def here(self, *arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        """The same in this process, which has its imports already: a second of imports less."""
        return run_here(*arguments, folder=self.folder, environment={**self.environment, **environment})

    def events(self, topic: Callable[[str], str] = outcome_topic) -> list[Seen]:
        """Everything in the topic, in order within a partition."""
        name = topic(self.settings.network)
        return list(tail(self.settings.kafka_settings(), name, from_beginning=True, follow=False))

    def consume(self) -> int:
        """Lets the registry catch up."""
        return catch_up(self.settings.kafka_settings(), self.settings.network, self.settings.registry_url)

    def registry(self, query: str) -> list[tuple[Any, ...]]:
        """What the registry's database answers."""
        engine = create_engine(self.settings.registry_url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(text(query))]
        engine.dispose()
        return found
