"""No secret is shown: one function names an address everywhere, and what should be a secret's place is refused by its form."""

import json
import traceback
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text
from typer.testing import CliRunner, Result

from mainstem.commands import app
from mainstem.database import Database, name_of, parse_url
from mainstem.kafka.settings import KafkaSettings, explain
from mainstem.kafka.topics import require_topics
from schemas.errors import MainstemError, OperatorError
from schemas.showing import address
from schemas.sites import parse_site

SECRET = "Geh3im"
ODD = [
    "postgresql://user:Geh3im@127.0.0.1:1/db",
    "postgresql://user:Geh3im/x@127.0.0.1:1/db",
    "postgresql://user:x/Geh3im@127.0.0.1:1/db",
    "postgresql://user:1/Geh3im@127.0.0.1:1/db",
    "postgresql://user:x@Geh3im@127.0.0.1:1/db",
    "postgresql://user:Geh3im@x@127.0.0.1:1/db",
    "postgresql://us/er:Geh3im@127.0.0.1:1/db",
    "postgresql://user:x?Geh3im@127.0.0.1:1/db",
    "postgresql://user:x#Geh3im@127.0.0.1:1/db",
    "postgresql://user:%47eh3im%2FGeh3im@127.0.0.1:1/db",
    "postgresql://user%3AGeh3im%40127.0.0.1:1/db",
    "postgresql://user:Geh3im@[::1]:1/db",
    "postgresql://127.0.0.1:1/db?password=Geh3im&connect_timeout=2",
    "postgresql://127.0.0.1:1/db?password=a@Geh3im",
    "postgresql://127.0.0.1:1/db?connect_timeout=Geh3im",
    "postgresql://127.0.0.1:Geh3im/db",
    "postgresql://user:Geh3im",
    "postgresql:/user:Geh3im@127.0.0.1/db",
    "host=127.0.0.1 password=Geh3im dbname=db",
    "Geh3im://127.0.0.1/db",
    "mysql://user:Geh3im@127.0.0.1/db",
    "sqlite://user:Geh3im@host/x.db",
    "sqlite:///x.db?timeout=Geh3im",
    "//user:Geh3im@127.0.0.1/db",
    "user:Geh3im",
    "user:Geh3im@127.0.0.1:1",
    "127.0.0.1:1,user:Geh3im@127.0.0.1:2",
    "user:Geh,Geh3im@127.0.0.1:2",
    "[user:Geh3im]:1",
    " user:Geh3im@127.0.0.1:1",
    "user:Geh3im@127.0.0.1:1\n",
]


def said_by(result: Result) -> str:
    """All that a command printed, and what a task's log would show of its error."""
    trace = "".join(traceback.format_exception(result.exception)) if result.exception else ""
    return result.output + trace


@pytest.fixture
def mainstem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.chdir(tmp_path)
    for name in ("MAINSTEM_DATABASE_URL", "MAINSTEM_REGISTRY_URL", "MAINSTEM_ACCESS_URL", "MAINSTEM_KAFKA"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, **environment: str) -> Result:
        structlog.reset_defaults()
        return CliRunner().invoke(app, ["--log", "json", *arguments], env={"COLUMNS": "300", **environment})

    return run


@pytest.mark.parametrize("where", ODD)
def test_an_address_is_named_without_what_it_holds_besides(where: str) -> None:
    """User, password, query; and nothing at all where it can be read in two ways."""
    assert SECRET not in address(where)
    assert address(where).isprintable()


def test_a_plain_address_is_named_whole() -> None:
    """Who reads a message must know which server."""
    for where in (
        "https://fhir.north.example:8443/r4/",
        "127.0.0.1:9092",
        "[::1]:9092",
        "a.example:9092,b.example:9092",
    ):
        assert address(where) == where
    assert address("postgresql://user:secret@db.example/mainstem?sslmode=require") == "postgresql://db.example/mainstem"
    assert name_of(parse_url("postgresql://user:secret@[::1]:5/main")) == "PostgreSQL main at [::1]:5"
    assert name_of(parse_url("sqlite:///var/mainstem.db")) == "SQLite var/mainstem.db"


@pytest.mark.parametrize("where", ODD)
def test_settings_show_no_secret_of_an_address(where: str, mainstem: object) -> None:
    """In the table and as JSON, of each address."""
    for name in ("MAINSTEM_DATABASE_URL", "MAINSTEM_REGISTRY_URL", "MAINSTEM_ACCESS_URL", "MAINSTEM_KAFKA"):
        for arguments in (["settings"], ["settings", "--json"]):
            assert SECRET not in said_by(mainstem(*arguments, **{name: where}))  # type: ignore[operator]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("where", ODD)
def test_a_database_that_cannot_be_used_is_named_without_its_secret(
    where: str, mainstem: object, tmp_path: Path
) -> None:
    """The state's and the registry's, for whoever reads, consumes or serves."""
    for arguments in (["status"], ["registry", "serve", "--port", "0"], ["feedback", "--port", "0"]):
        urls = {"MAINSTEM_DATABASE_URL": where, "MAINSTEM_REGISTRY_URL": where}
        views = {"MAINSTEM_DEMO_ROLES": "north", "MAINSTEM_ACCESS_URL": f"sqlite:///{tmp_path}/access.db"}
        result = mainstem(*arguments, **urls, **views)  # type: ignore[operator]
        assert isinstance(result.exception, MainstemError), said_by(result)
        assert SECRET not in said_by(result)
        assert SECRET not in result.exception.cause + result.exception.fix


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "where", ["user:Geh3im@127.0.0.1:1", "user:Geh,Geh3im@127.0.0.1:2", "user:Geh3im", "SASL://u:Geh3im@h:1"]
)
def test_a_broker_is_named_without_what_is_written_before_its_host(where: str, mainstem: object) -> None:
    """Kafka's addresses have no user; one that has is refused by its form, before anybody connects."""
    result = mainstem("topics", "check", MAINSTEM_KAFKA=where)  # type: ignore[operator]
    assert isinstance(result.exception, OperatorError)
    assert "host:port" in result.exception.cause
    assert SECRET not in said_by(result)
    assert SECRET not in explain(KafkaSettings(where), ConnectionError()).cause
    with pytest.raises(OperatorError) as caught:
        require_topics(where, "lhn")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        f"{SECRET}:x",
        f"user:{SECRET}",
        f"env:{SECRET}!",
        f"vault:{SECRET}",
        f" file:{SECRET}",
        f"file:\n{SECRET}",
    ],
)
def test_a_password_where_its_place_belongs_is_refused_by_its_form(written: str, mainstem: object) -> None:
    """pydantic's own words would repeat it."""
    for arguments in (["settings"], ["settings", "--json"], ["topics", "check"]):
        result = mainstem(*arguments, MAINSTEM_KAFKA_PASSWORD=written)  # type: ignore[operator]
        assert isinstance(result.exception, OperatorError)
        assert "MAINSTEM_KAFKA_PASSWORD" in result.exception.cause
        assert "env:NAME" in result.exception.cause
        assert SECRET not in said_by(result)


SITE = """\
site = "north"
name = "North"
time_zone = "UTC"
subject_key = "env:KEY"
[fhir]
base_url = "https://127.0.0.1:1/r4"
[fhir.auth]
method = "none"
"""
PEM = f'"""-----BEGIN PRIVATE KEY-----\\n{SECRET}\\n-----END PRIVATE KEY-----"""'


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ('"env:KEY"', f'"{SECRET}"'),
        ('"env:KEY"', f'"vault:{SECRET}"'),
        ('"env:KEY"', f'"{SECRET * 200}"'),
        ('"env:KEY"', f'["{SECRET}"]'),
        ('method = "none"', f'method = "none"\nsecret = "{SECRET}"'),
        ('method = "none"', f'method = "none"\nprivate_key = {PEM}'),
        ('method = "none"', f'method = "{SECRET}"'),
        ('method = "none"', f'token_url = "https://user:{SECRET}@127.0.0.1/token"'),
        ('method = "none"', f'token_url = "https://us/er:{SECRET}@127.0.0.1/token"'),
        ("https://127.0.0.1:1/r4", f"https://user:{SECRET}@127.0.0.1:1/r4"),
        ("https://127.0.0.1:1/r4", f"https://user:x/{SECRET}@127.0.0.1:1/r4"),
        ("https://127.0.0.1:1/r4", f"https://us/er:{SECRET}@127.0.0.1:1/r4"),
        ("https://127.0.0.1:1/r4", f"https://{SECRET}@127.0.0.1:1/r4"),
        ("https://127.0.0.1:1/r4", f"https://127.0.0.1:{SECRET}/r4"),
        ("https://127.0.0.1:1/r4", f"https://127.0.0.1:1/r4?apikey={SECRET}"),
        ("https://127.0.0.1:1/r4", f"user:{SECRET}@127.0.0.1:1/r4"),
        ("[fhir.auth]", f'allowed_origins = ["https://user:{SECRET}@127.0.0.1"]\n[fhir.auth]'),
        ("[fhir.auth]", f'allowed_origins = ["https://127.0.0.1:{SECRET}"]\n[fhir.auth]'),
    ],
)
def test_a_secret_in_a_site_file_is_refused_with_its_line_and_not_repeated(
    was: str, now: str, tmp_path: Path, mainstem: object
) -> None:
    """A key, a password, an address that holds one."""
    path = tmp_path / "north.toml"
    path.write_text(SITE.replace(was, now))
    result = mainstem("check", str(path))  # type: ignore[operator]
    assert isinstance(result.exception, OperatorError), said_by(result)
    assert result.exception.cause.startswith(f"{path}:")
    assert SECRET not in said_by(result)
    with pytest.raises(OperatorError) as caught:
        parse_site(SITE.replace(was, now), "north.toml")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:Geh3im@127.0.0.1:1",
        "http://user:Geh3im/x@127.0.0.1:1",
        "http://127.0.0.1:Geh3im",
        "user:Geh3im@x",
        "ftp://u:Geh3im@h",
    ],
)
@pytest.mark.timeout(60)
def test_a_proxy_is_named_without_its_secret(
    proxy: str, tmp_path: Path, mainstem: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment names one."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "north.toml"
    path.write_text(SITE.replace("127.0.0.1:1", "fhir.north.example"))
    monkeypatch.setenv("KEY", "k" * 32)
    for arguments in (["check", str(path)], ["check", str(path), "--json"], ["run", str(path)]):
        result = mainstem(*arguments)  # type: ignore[operator]
        assert isinstance(result.exception, MainstemError | SystemExit), said_by(result)
        assert SECRET not in said_by(result)


def test_a_statement_that_fails_shows_no_value(postgres_url: str, tmp_path: Path) -> None:
    """Neither ours in words nor the library's, which a log may hold."""
    for url in (postgres_url, f"sqlite:///{tmp_path}/x.db"):
        database = Database.open(url)
        with pytest.raises(MainstemError) as caught, database.write() as connection:
            connection.execute(text("select nothing from nowhere where x = :x"), {"x": SECRET})
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        with (
            pytest.raises(Exception, match="hidden due to hide_parameters") as raw,
            database.engine.connect() as connection,
        ):
            connection.execute(text("select nothing from nowhere where x = :x"), {"x": SECRET})
        assert SECRET not in str(raw.value)
        database.close()


def test_as_json_the_settings_are_still_values(mainstem: object) -> None:
    """Whoever reads them by a program finds each variable once."""
    shown = json.loads(mainstem("settings", "--json").output)  # type: ignore[operator]
    assert shown["keep_loads"] == 7
    assert shown["kafka"] == "127.0.0.1:9092"
    assert shown["database_url"] == "sqlite:///var/mainstem.db"
    assert shown["kafka_password"] is None
