"""A FHIR server as an Airflow connection: its form, its Test button, its secret nowhere but in the request."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("airflow")
pytestmark = pytest.mark.airflow

SECRET = "planted-secret-8123"


def connect(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> Any:
    """A connection as Airflow keeps it, and its hook."""
    from dags.fhir_hook import FhirHook

    monkeypatch.setenv("AIRFLOW_CONN_WEST", json.dumps({"conn_type": "fhir", **fields}))
    return FhirHook("west")


def test_form_is_as_airflow_wants_it() -> None:
    """By Airflow's own schema; the hook that it names exists."""
    from jsonschema import validate

    from dags.fhir_hook import FhirHook
    from dags.provider import get_provider_info

    info = get_provider_info()
    validate(info, json.loads(files("airflow").joinpath("provider_info.schema.json").read_text()))
    (kind,) = info["connection-types"]
    assert kind["hook-class-name"] == f"{FhirHook.__module__}.{FhirHook.__qualname__}"
    assert kind["connection-type"] == FhirHook.conn_type


def test_a_server_that_can_be_read_says_what_it_is(
    hospital: Callable[..., Any], fhir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = hospital([fhir.patient(1)], smart=True)
    key = server.client.private_key.read_text()
    hook = connect(
        monkeypatch,
        host=server.base_url,
        login=server.client.client_id,
        password=key.replace("\n", " "),  # the form has one line
        extra={"method": "smart-backend"},
    )
    done, said = hook.test_connection()
    assert done, said
    assert "log-in: smart-backend" in said
    assert key[30:60] not in said


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"host": ""}, "Base URL"),
        ({"host": "http://127.0.0.1:9/r4"}, "127.0.0.1:9"),
        ({"host": "https://fhir.example/r4", "extra": {"method": "smart-backend"}, "password": SECRET}, "client_id"),
        ({"host": f"https://me:{SECRET}@fhir.example/r4"}, "must hold no user"),
        ({"host": "https://fhir.example/r4", "extra": {"method": "magic"}}, "Log-in: Input should be"),
        ({"host": "https://fhir.example/r4", "extra": {"oauth_url": "at home"}}, "Token endpoint: Input should be"),
        ({"host": "https://fhir.example/r4", "password": SECRET}, "Log-in: none, and a secret is given"),
        ({"host": "https://fhir.example/r4", "port": 8443}, "Port: 8443, and the Base URL's is 443"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    fields: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the secret is not in it."""
    done, said = connect(monkeypatch, **fields).test_connection()
    assert not done
    assert named in said
    assert SECRET not in said
    assert "Correct the connection" in said or "See that the EHR is up" in said


def test_a_connection_written_as_an_address_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Airflow hands it to its Test button."""
    from dags.fhir_hook import FhirHook

    where = quote("https://fhir.example/r4", safe="")
    monkeypatch.setenv("AIRFLOW_CONN_WEST", f"fhir://me:{SECRET}@{where}/?method=basic")
    source = FhirHook("west").get_conn()
    assert str(source.fhir.base_url) == "https://fhir.example/r4"
    assert source.fhir.auth.username == "me"
    assert source.fhir.auth.secret is not None
    assert source.secrets(source.fhir.auth.secret).decode() == SECRET


@pytest.mark.slow
@pytest.mark.parametrize(("what", "named"), [("list", "mainstem"), ("hooks", "fhir")])
def test_airflow_lists_the_provider(tmp_path: Any, what: str, named: str) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "airflow", "providers", what, "--output", "json"],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert named in {value for row in json.loads(listed[listed.index("[{") :]) for value in row.values()}


def test_a_secret_of_a_file_is_hidden_as_those_of_connections_are() -> None:
    """A key of several lines too: a log writes their ends otherwise."""
    from airflow.sdk.log import redact

    from dags.site_dag import _masked

    assert _masked(b"planted-begin\nplanted-middle\n") == b"planted-begin\nplanted-middle\n"
    assert redact({"said": "of planted-begin\\nplanted-middle, and no more"}) == {"said": "of ***\\n***, and no more"}
