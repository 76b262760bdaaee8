"""One site's configuration file (`sites/<site>.toml`): what a site IT team fills in."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from zlib import crc32
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    HttpUrl,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from schemas.errors import OperatorError
from schemas.mistaken import near_type, near_zone, no_group, wrong_host, wrong_place, wrong_scope
from schemas.outcomes import DEFAULT_TYPES, LENDING_TYPES, MAPPED_TYPES, REFERRED_TYPES
from schemas.site_faults import faults, section_of
from schemas.site_sections import Limits, Place, Section
from schemas.toml_words import read_toml

OWN = "of its own"
"""What a site file that names no schedule has."""
EARLIEST, SPREAD = 3, 120
"""The hour from which sites begin that name none, and the minutes over which they are spread."""
SITE_PATTERN = r"^[a-z][a-z0-9-]{0,30}$"
QUEUE = r"^[A-Za-z0-9_.-]{0,100}$"
ORIGIN = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?")
PATTERN_WORDS = {
    SITE_PATTERN: "write lower case letters, digits and hyphens, a letter first, 31 at most: north-general",
    QUEUE: "write letters, digits, points, hyphens and underscores",
    r"^[^/\\]+$": "write a file's name alone, without a folder",
    r"^[A-Za-z0-9-]{1,64}$": "write a header's name: letters, digits and hyphens",
}
"""What somebody who wrote another form is told, in words."""
SECRET_PATTERN = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|airflow:[\w.-]+)$"


def _place_of_a_secret(value: object) -> object:
    """By its form, before anything could repeat what stands there."""
    if not isinstance(value, str) or re.fullmatch(SECRET_PATTERN, value) is None:
        raise ValueError("give the secret's place, never the secret: env:NAME, file:PATH or airflow:CONN_ID")
    return value


SecretRef = Annotated[str, Field(pattern=SECRET_PATTERN), BeforeValidator(_place_of_a_secret)]
"""Where a secret is, never the secret: `env:NAME`, `file:PATH` (relative to the site file), `airflow:CONN_ID`."""


def _place_of_a_list(value: object) -> object:
    """The same of a list: by its form, before a name that stands there could be repeated."""
    if not isinstance(value, str) or re.fullmatch(SECRET_PATTERN, value) is None:
        raise ValueError("give the place of the list, not the list: file:patients.txt")
    return value


ListRef = Annotated[str, Field(pattern=SECRET_PATTERN), BeforeValidator(_place_of_a_list)]
"""Where a list of patients is."""

BulkParameter = Literal[
    "_typeFilter", "_elements", "organizeOutputBy", "allowPartialManifests", "includeAssociatedData"
]
"""Parameters of a bulk export that a site may ask for; types and time are Mainstem's own."""

Road = Literal["auto", "search", "bulk", "files"]


def require_host(value: HttpUrl | None) -> HttpUrl | None:
    """The address, where its host can be one. Raises ValueError."""
    if value is not None and (told := wrong_host(value.host or "")):
        raise ValueError(told)
    return value


_PROOFS = ("private_key", "username", "secret")
"""What is given for a log-in and for nothing else."""


class Auth(Section):
    """How Mainstem logs in at the EHR."""

    method: Literal["none", "smart-backend", "client-credentials", "mutual-tls", "basic", "bearer"] = Field(
        default="none",
        description="`smart-backend` is SMART Backend Services: a signed assertion, no shared secret; `mutual-tls` fetches a "
        "token by the client certificate alone (RFC 8705).",
    )
    client_id: str | None = Field(default=None, description="The client id the EHR vendor gave.")
    private_key: SecretRef | None = Field(
        default=None, description="smart-backend: private key, PEM, JWK or JWKS (two keys during rotation)."
    )
    key_id: str | None = Field(
        default=None, description="smart-backend: `kid` of the key, as registered; of a JWKS the newest where absent."
    )
    algorithm: Literal["RS384", "ES384"] | None = Field(
        default=None, description="smart-backend: signature algorithm; the key's own where absent."
    )
    client_certificate: SecretRef | None = Field(
        default=None,
        description="Certificate (PEM) shown to the server and the token endpoint: mutual TLS, any method.",
    )
    client_key: SecretRef | None = Field(
        default=None, description="Its private key (PEM), where it does not stand beside the certificate."
    )
    token_url: HttpUrl | None = Field(default=None, description="Token endpoint; discovered where absent.")
    scope: str | None = Field(default=None, description="OAuth scopes; `system/<type>.read` of each type where absent.")
    username: str | None = Field(default=None, description="basic: user name.")
    secret: SecretRef | None = Field(default=None, description="Password, client secret or token.")

    @field_validator("token_url")
    @classmethod
    def _host_that_can_be(cls, value: HttpUrl | None) -> HttpUrl | None:
        return require_host(value)

    @field_validator("scope")
    @classmethod
    def _parted_by_blanks(cls, value: str | None) -> str | None:
        if told := wrong_scope(value or ""):
            raise ValueError(told)
        return value

    @model_validator(mode="after")
    def _complete(self) -> "Auth":
        needed = {
            "smart-backend": ("client_id", "private_key"),
            "client-credentials": ("client_id", "secret"),
            "mutual-tls": ("client_id", "client_certificate"),
            "basic": ("username", "secret"),
            "bearer": ("secret",),
        }.get(self.method, ())
        if missing := [name for name in needed if getattr(self, name) is None]:
            raise ValueError(f"method '{self.method}' needs {' and '.join(missing)}")
        if "method" not in self.model_fields_set and (given := [name for name in _PROOFS if getattr(self, name)]):
            raise ValueError(f"{' and '.join(given)} would not be used: method says how to log in")
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("client_key needs client_certificate")
        return self

    @field_validator("token_url")
    @classmethod
    def _no_user(cls, value: HttpUrl | None) -> HttpUrl | None:
        if value is not None and (value.username or value.password or value.fragment or "@" in str(value)):
            raise ValueError("must hold no user, password or fragment; [fhir.auth] says how to log in")
        return value


class Fhir(Section):
    """The site's FHIR server."""

    base_url: HttpUrl = Field(description="FHIR base URL, as in the vendor's documentation.")
    vendor: str | None = Field(
        default=None,
        description="File name in connectors/vendors; where absent, told by what the server says of itself.",
    )
    group: str | list[str] | None = Field(
        default=None,
        description="id of the FHIR Group that is read, or of several where the vendor limits their size: exported one by one, "
        "or their members by search; all patients where absent.",
    )
    page_size: int = Field(default=200, ge=1, le=1000, description="search: resources a page (`_count`).")
    timeout_seconds: float = Field(default=60, gt=0, le=600, description="Longest wait for one answer.")
    requests_per_second: float = Field(
        default=20, gt=0, description="Highest rate of requests, of each of `parallel` readers."
    )
    bulk_wait_minutes: float = Field(default=240, gt=0, description="bulk: longest wait for an export.")
    bulk_parameters: dict[BulkParameter, str | list[str]] = Field(
        default_factory=dict,
        description="bulk: what else the export is asked for: `_typeFilter`, `_elements`, `organizeOutputBy` ….",
    )
    allowed_origins: list[str] = Field(default_factory=list, description="Other origins the server may link to.")
    allow_plaintext: bool = Field(
        default=False, description="Allow http:// to a host that is not this machine; said on every run."
    )
    ca_file: str | None = Field(
        default=None, description="Certificate authorities (PEM) to trust besides the system's."
    )
    proxy: HttpUrl | None = Field(
        default=None, description="HTTP proxy on the way to the server; the environment's (HTTPS_PROXY) where absent."
    )
    proxy_login: SecretRef | None = Field(default=None, description="The proxy's log-in, as user:password.")
    quota_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="Header of an answer that says how many requests are left of the day's; the vendor's own where absent.",
    )
    auth: Auth = Auth()

    @property
    def groups(self) -> list[str]:
        """The Groups that are read; none: everybody."""
        return [self.group] if isinstance(self.group, str) else list(self.group or [])

    @field_validator("group")
    @classmethod
    def _each_once(cls, value: str | list[str] | None) -> str | list[str] | None:
        given = [value] if isinstance(value, str) else value
        if given is not None and (not given or len(set(given)) < len(given) or not all(given)):
            raise ValueError("give one Group, or a list of different ones; leave it out for all patients")
        if told := next(filter(None, map(no_group, given or ())), ""):
            raise ValueError(told)
        return value

    @field_validator("base_url", "proxy")
    @classmethod
    def _host_that_can_be(cls, value: HttpUrl | None) -> HttpUrl | None:
        return require_host(value)

    @field_validator("proxy")
    @classmethod
    def _host_alone(cls, value: HttpUrl | None) -> HttpUrl | None:
        if value is not None and (value.username or value.password or value.query or value.path not in (None, "/")):
            raise ValueError("must be http://host:port alone; proxy_login says where its log-in is")
        return value

    @field_validator("base_url")
    @classmethod
    def _address_alone(cls, value: HttpUrl) -> HttpUrl:
        if value.username or value.password or value.query or value.fragment or "@" in str(value):
            raise ValueError("must hold no user, password, query or fragment; [fhir.auth] says how to log in")
        if told := wrong_place(value.path or ""):
            raise ValueError(told)
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        if not all(ORIGIN.fullmatch(text) for text in value):
            raise ValueError("an origin is https://host or https://host:port, nothing else")
        return value


class Files(Section):
    """A folder that the site delivers files into."""

    folder: str = Field(
        description="The folder, relative to the site file, any depth: `.ndjson`, `.jsonl`, `.json`, `.gz` of them, `.zip`."
    )
    end_marker: str | None = Field(
        default=None,
        pattern=r"^[^/\\]+$",
        description="Name of the file that the site writes last, such as `_SUCCESS`: without it nothing is read.",
    )
    every_hours: float | None = Field(
        default=None,
        gt=0,
        description="How often the site delivers: files that are all older are read, and their types told as late.",
    )
    delivers: Literal["all", "changes"] = Field(
        default="all",
        description="What a delivery holds: all there is, so that far less of a type than before is a gap, or changes only.",
    )
    same_again: Literal["note", "late"] = Field(
        default="note", description="What the same delivery as the night before is: worth a note, or late."
    )
    settle_seconds: float = Field(
        default=1,
        ge=0,
        le=600,
        description="Files written so short ago are looked at twice, so long apart: what grows meanwhile is read at the next run.",
    )


class Cohort(Section):
    """Whom the site reads, where not everybody and no fhir.group: only these patients' data leaves the EHR. One of the two."""

    patients: ListRef | None = Field(
        default=None,
        description="Place of the list, as file:PATH: a patient a line, by FHIR id or identifier (`system|value`).",
    )
    search: str | None = Field(
        default=None, description="Search that finds them: `Condition?code=http://snomed.info/sct|190905008`."
    )

    @field_validator("search")
    @classmethod
    def _finds_by_something(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Z][A-Za-z]+\?[A-Za-z_][^=\s]*=\S.*", value):
            raise ValueError("must be a search that finds some patients, such as Condition?code=system|code")
        return value

    @model_validator(mode="after")
    def _one_of_them(self) -> "Cohort":
        if (self.patients is None) == (self.search is None):
            raise ValueError("give one of patients and search")
        return self


def start_of(site: str) -> str:
    """When a site begins that says nothing else: always the same for one name, and at no hour that clocks leave out or repeat."""
    minute = crc32(site.encode()) % SPREAD
    return f"{minute % 60} {EARLIEST + minute // 60} * * *"


class Site(Section):
    """One site of the network."""

    site: str = Field(pattern=SITE_PATTERN, description="Short name; in every event, never changed.")
    name: str = Field(min_length=1, max_length=100, description="The hospital's name.")
    time_zone: str = Field(description="IANA time zone of the site: `America/New_York`.")
    dates_as_midnight_utc: bool = Field(
        default=False,
        description="The EHR writes dates as midnight of UTC (`2026-03-02T00:00:00Z`): they are read as dates.",
    )
    subject_key: SecretRef = Field(description="Key of the pseudonyms, ≥ 32 bytes; never leaves the site.")
    linkage_secret: SecretRef | None = Field(
        default=None,
        description="Secret that the sites of a network share, ≥ 32 bytes, for `mainstem subjects tokens`; without it none are made.",
    )
    road: Road = Field(default="auto", description="How to read: search, bulk, files; auto asks the server.")
    more_types: list[str] = Field(
        default_factory=list,
        description="FHIR resource types to read besides `types`: `Coverage`, who pays, which no site reads that does not name it.",
    )
    types: list[str] = Field(
        default_factory=lambda: list(DEFAULT_TYPES),
        validate_default=True,
        min_length=1,
        description="FHIR resource types to read.",
    )
    schedule: str = Field(
        default=OWN,
        validate_default=True,
        description="Cron expression of the DAG, in the site's time zone; where absent a minute of its own, by its name, from 3 to 5 at "
        "night, so that many sites do not begin at once.",
    )
    parallel: int = Field(default=4, ge=1, le=20, description="How many groups of types are pulled side by side.")
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="How many processes map, a large type together, each a task of the DAG; more than one needs PostgreSQL.",
    )
    queue: str = Field(
        default="",
        pattern=QUEUE,
        description="Airflow queue of its tasks, for workers of its own: in the hospital, or of another version.",
    )
    executor: str = Field(
        default="",
        pattern=QUEUE,
        description="Airflow executor of its tasks, where Airflow has several: `EdgeExecutor` for a worker in the hospital.",
    )
    overlap_minutes: int = Field(default=60, ge=0, description="How far each pull reaches back before the watermark.")
    shared_code_map: str | None = Field(
        default=None,
        description="CSV file of the network's code map, in the form of code_map; where both name a code, the site's own row wins.",
    )
    code_map: str | None = Field(
        default=None, description="CSV of local codes: system,code,target_system,target_code,note."
    )
    validate_sample: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of the new and changed resources, and with it all that are refused, that is checked in full against FHIR R4 and "
        "US Core: at most 100 of a type and load, spread over all of it and others each time, in 10 seconds at most; 1 checks all, 0 none.",
    )
    fhir: Fhir | None = None
    files: Files | None = None
    cohort: Cohort | None = None
    place: Place | None = None
    limits: Limits = Limits()

    @field_validator("schedule")
    @classmethod
    def _own_start(cls, value: str, known: ValidationInfo) -> str:
        return start_of(str(known.data.get("site", ""))) if value == OWN else value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise ValueError(f"no time zone of this name; {near_zone(value)}") from exc
        return value

    @field_validator("more_types", "types")
    @classmethod
    def _known_types(cls, value: list[str], known: ValidationInfo) -> list[str]:
        for name in value:
            if name not in (*MAPPED_TYPES, *LENDING_TYPES, *REFERRED_TYPES):
                raise ValueError(f"no mapping for '{name}'; {near_type(name)}")
        more = known.data.get("more_types", []) if known.field_name == "types" else []
        return list(dict.fromkeys([*value, *more]))

    @model_validator(mode="after")
    def _one_source(self) -> "Site":
        if self.road == "files" and self.files is None:
            raise ValueError('road = "files" needs a [files] section with folder')
        if self.road in ("search", "bulk") and self.fhir is None:
            raise ValueError(f'road = "{self.road}" needs a [fhir] section with base_url')
        if self.fhir is None and self.files is None:
            raise ValueError("needs a [fhir] section (a server) or a [files] section (a folder)")
        return self

    @model_validator(mode="after")
    def _cohort_by_the_road(self) -> "Site":
        """A list can be asked for by search only; an export knows Groups, which the vendor makes."""
        if self.cohort and self.cohort.search and (self.fhir is None or self.road == "files"):
            raise ValueError("cohort.search asks a server, and files are read: list the patients in cohort.patients")
        if self.cohort and self.road == "bulk" and self.fhir and not self.fhir.groups:
            raise ValueError(
                "an export cannot be asked for a list: ask the EHR vendor for a FHIR Group of these patients, of at most the"
                ' vendor\'s size, and name it in fhir.group; or set road = "search"'
            )
        return self

    @property
    def reads_some(self) -> bool:
        """Whether not everybody's data is read."""
        return self.cohort is not None or (self.fhir is not None and bool(self.fhir.groups))

    @property
    def overlap(self) -> timedelta:
        """How far each pull reaches back before the watermark."""
        return timedelta(minutes=self.overlap_minutes)


def parse_site(text: str, origin: str) -> Site:
    """A site from its TOML text.

    Raises OperatorError naming file, line, key and, for an unknown key, the nearest valid one; `origin` is the file's name.
    """
    document = read_toml(text, origin)
    try:
        return Site.model_validate(document)
    except ValidationError as exc:
        errors = exc.errors(include_input=False, include_url=False)
        lines = [
            f"{origin}:{line}: {what}" if line else f"{origin}: {what}"
            for line, what in faults(text, errors, Site, PATTERN_WORDS)
        ]
        raise OperatorError(lines, "`mainstem sites keys` lists every key.") from None


def site_keys() -> list[tuple[str, str, str]]:
    """Every key of a site file: (dotted name, default or 'required', description)."""
    return list(_keys(Site, ""))


def _keys(section: type[BaseModel], prefix: str) -> Any:
    for name, info in section.model_fields.items():
        inner = section_of(section, name)
        if inner is not None:
            yield from _keys(inner, f"{prefix}{name}.")
        else:
            default = "required" if info.is_required() else str(info.get_default(call_default_factory=True))
            yield f"{prefix}{name}", default, info.description or ""
