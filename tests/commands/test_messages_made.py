"""Messages that only a mistake makes, each made by it: what is said is what the catalogue has."""

import sqlite3
from pathlib import Path

import psycopg.errors
import pytest
from screens import Said
from sqlalchemy import make_url

from mainstem.commands.messages.catalogue import FILLED, catalogue
from mainstem.database.errors import explained
from mainstem.kafka.settings import KafkaSettings
from schemas.errors import MainstemError, OperatorError
from schemas.sites import parse_site

HEAD = 'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "file:k"\n'
FHIR = '[fhir]\nbase_url = "https://ehr.example/r4"\n'
AUTH = FHIR + '[fhir.auth]\nmethod = "none"\n'


def stands_in_the_catalogue(cause: str) -> bool:
    """Whether a message of the catalogue is that, … standing for what was filled in."""
    return any(
        all(part.strip() in cause for part in way.split(FILLED))
        for message in catalogue()
        for way in message.cause.split(" / ")
        if len(way.replace(FILLED, "").strip()) > 8
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD, "needs a [fhir] section (a server) or a [files] section (a folder)"),
        (HEAD.replace("file:k", "0123456789abcdef"), "give the secret's place, never the secret"),
        (HEAD + AUTH.replace("none", "basic"), "method 'basic' needs username and secret"),
        (HEAD + AUTH + 'client_key = "file:k"\n', "client_key needs client_certificate"),
        (HEAD + FHIR + 'allowed_origins = ["ehr.example"]\n', "an origin is https://host or https://host:port"),
        (HEAD + 'types = ["Patients"]\n' + FHIR, "no mapping for 'Patients'"),
        (HEAD + FHIR + "group = []\n", "give one Group, or a list of different ones"),
        (HEAD + 'road = "files"\n' + FHIR, 'road = "files" needs a [files] section'),
        (HEAD + FHIR + "[cohort]\n", "give one of patients and search"),
        (
            HEAD + '[files]\nfolder = "x"\n[cohort]\nsearch = "Patient?active=true"\n',
            "cohort.search asks a server, and files are read",
        ),
        (HEAD + FHIR + 'proxy = "http://proxy.example:3128/x"\n', "must be http://host:port alone"),
        (HEAD + FHIR.replace("/r4", "/r4?x=1"), "must hold no user, password, query or fragment"),
    ],
)
def test_a_site_file_that_cannot_be(text: str, told: str) -> None:
    with pytest.raises(OperatorError) as refused:
        parse_site(text, "north.toml")
    assert told in refused.value.cause
    assert "0123456789abcdef" not in refused.value.cause
    assert stands_in_the_catalogue(refused.value.cause)


def of_sqlite(name: str, words: str = "") -> sqlite3.Error:
    """What its driver raises."""
    error = sqlite3.OperationalError(words)
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("error", "told", "code"),
    [
        (of_sqlite("SQLITE_BUSY"), "is locked by another writer", 75),
        (of_sqlite("SQLITE_CORRUPT"), "is damaged", 78),
        (of_sqlite("SQLITE_READONLY"), "may not be written to", 78),
        (of_sqlite("SQLITE_ERROR", "no such table: record"), "has no tables of Mainstem yet", 78),
        (of_sqlite("SQLITE_ERROR", "no such column: subject"), "holds tables that are not Mainstem's", 78),
        *(
            (psycopg.errors.lookup(state)("words of the server"), told, code)
            for state, told, code in (
                ("25006", "is read-only, a standby perhaps", 78),
                ("28P01", "refused the login", 78),
                ("3D000", "no such database or role", 78),
                ("40001", "took back the transaction", 75),
                ("42501", "the role lacks a right", 78),
                ("42703", "holds tables that are not Mainstem's", 78),
                ("53300", "has no resources left", 75),
                ("53100", "cannot grow: the disk is full", 78),
                ("57P01", "is shutting down", 75),
            )
        ),
    ],
)
def test_what_a_database_refuses(error: Exception, told: str, code: int) -> None:
    """By the driver's own exception; its words, which may hold data, are not repeated."""
    said = explained(make_url("sqlite:///var/state.db"), error)
    assert (told in said.cause, said.exit_code, "words of the server" in said.cause) == (True, code, False), said.cause
    assert said.fix


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (KafkaSettings(""), "no Kafka address is set"),
        (KafkaSettings("http://127.0.0.1:9092"), "not of the form host:port"),
        (KafkaSettings("broker one:9092"), "not of the form host:port"),
        (KafkaSettings("b:1", security_protocol="TLS"), "Kafka security 'TLS' is none of"),
        (KafkaSettings("b:1", security_protocol="SASL_SSL"), "needs a mechanism, a user name and a password"),
        (KafkaSettings("b:1", certificate_file="c.pem"), "a client's certificate and its key go together"),
        (
            KafkaSettings("b:1", "SASL_SSL", sasl_mechanism="OAUTHBEARER", username="u", password="p"),
            "where tokens come from",
        ),
        (KafkaSettings("127.0.0.1:1", compression="zip"), "compression 'zip' is none of"),
    ],
)
def test_a_broker_that_is_set_wrongly(settings: KafkaSettings, told: str) -> None:
    with pytest.raises(MainstemError) as refused:
        settings.client_options()
    assert told in refused.value.cause
    assert stands_in_the_catalogue(refused.value.cause)
    if "host:port" in told:  # asked by itself, too
        with pytest.raises(MainstemError, match=told):
            _ = settings.in_the_open


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("messages", "zzzz"), "no message has the words zzzz"),
        (("map", "empty"), "no NDJSON file there"),
        (("measures", "show", "CMS0"), "no measure 'CMS0'"),
        (("check", "north"), "there is no such site"),
        (("sites", "validate"), "no such folder of site files"),
    ],
)  # fmt: skip
def test_a_command_that_asks_for_what_is_not_there(
    screen: Said, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = screen(*words)
    assert (code, told in " ".join(err.split())) == (78, True), err
