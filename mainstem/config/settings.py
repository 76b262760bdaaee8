"""The environment: where the parts are (`MAINSTEM_*`)."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from mainstem.config.site_files import file_secrets
from schemas.errors import OperatorError
from schemas.showing import address, shown
from schemas.sites import PATTERN_WORDS, SITE_PATTERN, SecretRef

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from mainstem.kafka.settings import KafkaSettings


PREFIX = "MAINSTEM_"
ADDRESSES = ("database_url", "registry_url", "access_url", "kafka", "pages_address", "home_address", "oidc_issuer")
"""What names a place and may hold a secret beside it."""


class Settings(BaseSettings):
    """Every `MAINSTEM_*` variable. Values from the command line win over the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

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
    kafka_password: SecretRef | None = Field(
        default=None, description="Where the SASL password is: `env:NAME` or `file:PATH`."
    )
    kafka_ca_file: str | None = Field(default=None, description="Certificate authorities (PEM) of the brokers.")
    kafka_certificate_file: str | None = Field(
        default=None, description="Our own certificate (PEM), where brokers let clients in by one."
    )
    kafka_key_file: str | None = Field(default=None, description="Its private key (PEM).")
    kafka_token_url: str | None = Field(
        default=None,
        description="Where OAUTHBEARER's tokens come from; user name and password are the client's id and secret.",
    )
    kafka_allow_plaintext: bool = Field(
        default=False, description="Allow a connection without TLS to a broker elsewhere; said on every run."
    )
    kafka_allow_one_copy: bool = Field(
        default=False,
        description="Allow topics with one copy of each record on brokers elsewhere: a disk lost is all lost.",
    )
    kafka_compression: str = Field(
        default="lz4", description="Of what is published: lz4, gzip or none; the usual JavaScript client reads no lz4."
    )
    kafka_plain_send: bool = Field(
        default=False, description="Publish through kafka-python's public interface alone: slower, for a doubt."
    )
    landing: Path = Field(default=Path("var/landing"), description="Raw FHIR as it came; stays at the site.")
    keep_loads: int = Field(default=7, ge=1, description="Loads whose landing files are kept, per site.")
    trusted_hosts: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9.:, \[\]_-]*$",
        description="Names, separated by commas, that pages and API answer to besides loopback's and the address bound.",
    )
    access_url: str = Field(
        default="sqlite:///var/access.db", description="The pages' database of sessions and of who saw whom."
    )
    pages_address: str = Field(
        default="", description="Where browsers reach the pages: https://feedback.network.example."
    )
    pages_token: SecretRef | None = Field(
        default=None,
        description="Where a site's token for the pages is, `env:NAME` or `file:PATH`: `report` then tells what is contested there.",
    )
    home_address: str = Field(
        default="", description="Where families reach their own page: https://home.network.example."
    )
    age_policy: Path | None = Field(
        default=None, description="What guardians see by age, and until when (TOML); what ships is strict."
    )
    questionnaire: Path | None = Field(
        default=None, description="A form of the network's own for families: a FHIR R4 Questionnaire (JSON)."
    )
    telemetry: Literal["none", "otlp"] = Field(
        default="none",
        description="otlp: traces and figures to where OTEL_EXPORTER_OTLP_ENDPOINT says (`pip install 'mainstem[telemetry]'`).",
    )
    docs_address: str = Field(
        default="",
        pattern=r"^(https?://[^\s\"'<>()]+)?$",
        description="Where the documentation (`make docs`) is served: what names a code links to its page there.",
    )
    centre_key: str | None = Field(
        default=None,
        description="Where the centre's own key is: `env:NAME` or `file:PATH`; what families say becomes records by it.",
    )
    oidc_issuer: str = Field(default="", description="The OpenID provider by which the network's people log in.")
    oidc_client_id: str = Field(default="mainstem", description="What the pages are called there.")
    oidc_client_secret: SecretRef | None = Field(
        default=None, description="Where the pages' secret there is: `env:NAME` or `file:PATH`."
    )
    oidc_role_claim: str = Field(
        default="roles", description="The claim that names roles; `a.b` is claim b in claim a."
    )
    oidc_site_claim: str = Field(default="sites", description="The claim that names sites.")
    oidc_roles: str = Field(
        default="", description="Their word=our role, separated by commas; without it, the words are ours."
    )
    oidc_sites: str = Field(default="", description="Their word=our site, separated by commas.")
    demo_roles: str = Field(
        default="",
        pattern=SITE_PATTERN.replace("^", "^(", 1).replace("$", ")?$"),
        description="For a demo on loopback alone: whoever looks chooses a role; the site whose team and clinicians they may be.",
    )
    derive: str = Field(
        default="all",
        pattern=r"^[A-Za-z0-9@., -]*$",
        description="Values that are derived: all, none, or names of `mainstem derive list`, separated by commas; a method's "
        "new version beside the old as name@version. With none, nothing is flagged by checks of plausibility either.",
    )
    sites: Path = Field(default=Path("sites"), description="Folder of the site files.")
    log: str = Field(
        default="none", description="Logs on standard error: none, text or json; as the option --log of every command."
    )
    freshness_cron: str = Field(
        default="",
        description="When Airflow looks whether each site is fresh, UTC; 40 minutes past each hour if empty.",
    )

    @property
    def host_names(self) -> list[str]:
        """The trusted hosts, one by one."""
        return [name.strip() for name in self.trusted_hosts.split(",") if name.strip()]

    def shown(self) -> dict[str, str | int | bool | None]:
        """Every value for people and for logs: an address without what it may hold besides."""
        return {
            name: address(value) if name in ADDRESSES else value if isinstance(value, int | None) else str(value)
            for name, value in self
        }

    def kafka_settings(self) -> "KafkaSettings":
        """How to reach the brokers."""
        from mainstem.kafka.settings import KafkaSettings

        return KafkaSettings(
            bootstrap=self.kafka,
            security_protocol=self.kafka_security,
            sasl_mechanism=self.kafka_sasl_mechanism if self.kafka_username else None,
            username=self.kafka_username,
            password=file_secrets(Path.cwd())(self.kafka_password).decode() if self.kafka_password else None,
            ca_file=self.kafka_ca_file,
            certificate_file=self.kafka_certificate_file,
            key_file=self.kafka_key_file,
            token_url=self.kafka_token_url,
            allow_plaintext=self.kafka_allow_plaintext,
            allow_one_copy=self.kafka_allow_one_copy,
            compression=self.kafka_compression,
            plain_send=self.kafka_plain_send,
        )


_WORDS = {
    "network": "write lower case letters, digits and hyphens, a letter first",
    "trusted_hosts": "write host names, separated by commas",
    "demo_roles": PATTERN_WORDS[SITE_PATTERN],
    "docs_address": "write an address that begins with https://",
    "derive": "write all, none, or names separated by commas",
}
"""What a value of another form is told, in words."""


def _in_words(error: "ErrorDetails") -> str:
    if error["type"] == "string_pattern_mismatch":
        return _WORDS[str(error["loc"][0])]
    return error["msg"].removeprefix("Value error, ")


def misspelt() -> list[str]:
    """Variables that nobody reads and that are nearly called as one of ours, a sentence each."""
    given = {name: name.upper().removeprefix(PREFIX) for name in os.environ if name.upper().startswith(PREFIX)}
    near = {name: _near(said) for name, said in given.items() if said.lower() not in Settings.model_fields}
    return [
        f"{shown(name)} is not read; did you mean {PREFIX}{meant}?" for name, meant in sorted(near.items()) if meant
    ]


def _near(said: str) -> str:
    from difflib import get_close_matches  # a misspelt variable alone needs it

    return "".join(get_close_matches(said, [name.upper() for name in Settings.model_fields], n=1, cutoff=0.8))


def load_settings(**given: object) -> Settings:
    """Settings from the environment; `given` values that are not None win. Raises OperatorError naming the variable."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as exc:
        faults = [
            f"MAINSTEM_{str(error['loc'][0]).upper()}: {_in_words(error)}" for error in exc.errors(include_input=False)
        ]
        raise OperatorError("; ".join(faults), "Correct the environment variable.") from None
