"""The environment: where the parts are (`MAINSTEM_*`), one site's file, and the secrets it points to."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.problems import OperatorError
from schemas.sites import Site, parse_site

if TYPE_CHECKING:
    from mainstem.kafka_settings import KafkaSettings

Secrets = Callable[[str], bytes]


class Settings(BaseSettings):
    """Every `MAINSTEM_*` variable. Values from the command line win over the environment."""

    model_config = SettingsConfigDict(env_prefix="MAINSTEM_", frozen=True, extra="ignore")

    network: str = Field(
        default="lhn", pattern=r"^[a-z][a-z0-9-]{0,99}$", description="Name of the network; prefix of its topics."
    )
    database_url: str = Field(
        default="sqlite:///var/mainstem.db", description="The store: SQLite for one site, PostgreSQL for a network."
    )
    registry_url: str = Field(default="sqlite:///var/registry.db", description="The registry's database.")
    kafka: str = Field(default="127.0.0.1:9092", description="Bootstrap servers, separated by commas.")
    kafka_security: str = Field(default="PLAINTEXT", description="PLAINTEXT, SSL, SASL_SSL or SASL_PLAINTEXT.")
    kafka_sasl_mechanism: str = Field(default="SCRAM-SHA-512", description="SASL mechanism.")
    kafka_username: str | None = Field(default=None, description="SASL user name.")
    kafka_password: str | None = Field(
        default=None, description="Where the SASL password is: `env:NAME` or `file:PATH`."
    )
    kafka_ca_file: str | None = Field(default=None, description="Certificate authorities (PEM) of the brokers.")
    kafka_allow_plaintext: bool = Field(
        default=False, description="Allow PLAINTEXT to a broker that is not on loopback."
    )
    landing: Path = Field(default=Path("var/landing"), description="Raw FHIR as it came; stays at the site.")
    keep_loads: int = Field(default=7, ge=1, description="Loads whose landing files are kept, per site.")
    sites: Path = Field(default=Path("sites"), description="Folder of the site files.")

    def kafka_settings(self) -> "KafkaSettings":
        """How to reach the brokers."""
        from mainstem.kafka_settings import KafkaSettings

        return KafkaSettings(
            bootstrap=self.kafka,
            security_protocol=self.kafka_security,
            sasl_mechanism=self.kafka_sasl_mechanism if self.kafka_username else None,
            username=self.kafka_username,
            password=file_secrets(Path.cwd())(self.kafka_password).decode() if self.kafka_password else None,
            ca_file=self.kafka_ca_file,
            allow_plaintext=self.kafka_allow_plaintext,
        )


def load_settings(**given: object) -> Settings:
    """Settings from the environment; `given` values that are not None win. Raises OperatorError naming the variable."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as exc:
        faults = [f"MAINSTEM_{str(e['loc'][0]).upper()}: {e['msg']}" for e in exc.errors(include_input=False)]
        raise OperatorError("; ".join(faults), "Correct the environment variable.") from None


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A site and the file it was read from; paths and secrets in it are relative to the file's folder."""

    site: Site
    path: Path

    @property
    def folder(self) -> Path:
        """The file's folder."""
        return self.path.parent

    def resolve(self, relative: str) -> Path:
        """A path of the site file as an absolute one."""
        return (self.folder / relative).resolve()


def read_site(path: Path) -> SiteFile:
    """The site of a TOML file. Raises OperatorError naming file, line and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        others = ", ".join(sorted(str(p) for p in path.parent.glob("*.toml"))) if path.parent.is_dir() else ""
        raise OperatorError(
            f"{path}: no such site file", f"There are: {others}." if others else "`mainstem sites new NAME` writes one."
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise OperatorError(f"{path}: cannot be read as UTF-8 text", "Check the path and its permissions.") from exc
    return SiteFile(parse_site(text, str(path)), path.resolve())


def file_secrets(folder: Path) -> Secrets:
    """Resolves `env:NAME`, `file:PATH` (relative to `folder`) and `airflow:CONN_ID` (from `AIRFLOW_CONN_*`)."""

    def secret(reference: str) -> bytes:
        kind, _, name = reference.partition(":")
        if kind == "env":
            return _from_environment(name, reference)
        if kind == "airflow":
            uri = _from_environment("AIRFLOW_CONN_" + re.sub(r"\W", "_", name).upper(), reference)
            return unquote(urlsplit(uri.decode()).password or "").encode()
        try:
            return (folder / name).read_bytes().strip()
        except OSError as exc:
            raise OperatorError(
                f"secret {reference}: the file cannot be read ({exc.strerror})",
                "Create it, readable by this user only.",
            ) from None

    return secret


def _from_environment(name: str, reference: str) -> bytes:
    value = os.environ.get(name)
    if not value:
        raise OperatorError(f"secret {reference}: the environment variable {name} is not set", f"export {name}=…")
    return value.encode()
