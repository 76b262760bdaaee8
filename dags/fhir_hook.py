"""A FHIR server as an Airflow connection: its secret for `airflow:CONN_ID` in a site file, and the Test button."""

import re
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook, Connection

from connectors.pulling import Source
from mainstem.check import Finding, check_site
from schemas.errors import MainstemError, OperatorError
from schemas.sites import Fhir, Site

SECRET_OF = {
    "smart-backend": "private_key",
    "client-credentials": "secret",
    "mutual-tls": "client_certificate",
    "basic": "secret",
    "bearer": "secret",
}
"""What the password of a connection is to each way of logging in."""
LABELS = {
    "base_url": "Base URL",
    "auth": "Log-in",
    "method": "Log-in",
    "username": "Client id or user",
    "client_id": "Client id or user",
    **dict.fromkeys(SECRET_OF.values(), "Secret or private key"),
    "token_url": "Token endpoint",
    "scope": "Scopes",
    "vendor": "Vendor",
    "types": "Resource types",
}
"""What the form calls the keys of a site file."""
KEY = re.compile(r"(?<![\w./])fhir\.(?:auth\.)?(\w+)")


class FhirHook(BaseHook):
    """The connection type `fhir`; its form is declared in `dags.provider`."""

    conn_name_attr = "fhir_conn_id"
    default_conn_name = "fhir_default"
    conn_type = "fhir"
    hook_name = "FHIR"

    def __init__(self, fhir_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.fhir_conn_id = fhir_conn_id

    def get_conn(self) -> Source:
        """The server as Mainstem reads it. Raises OperatorError where the connection cannot be one."""
        return source_of(self.get_connection(self.fhir_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """What `mainstem check` finds: every fault with its fix and who can mend it, else what was seen."""
        try:
            findings = [each for each in check_site(self.get_conn()) if each.name != "subject key"]
        except MainstemError as exc:
            return False, f"{exc.cause}. {exc.fix}"
        failed = [each for each in findings if not each.ok]
        return not failed, "; ".join(_told(each) for each in failed or findings)


def source_of(connection: Connection) -> Source:
    """The server that a connection describes."""
    extra: dict[str, Any] = {name: value for name, value in connection.extra_dejson.items() if value}
    auth = {"method": extra.get("method", "none"), "client_id": connection.login, "username": connection.login}
    auth |= {key: extra[name] for name, key in (("oauth_url", "token_url"), ("scope", "scope")) if name in extra}
    if (secret := SECRET_OF.get(str(auth["method"]))) is not None:
        auth[secret] = "airflow:this"
    described = {
        "site": "connection",
        "name": "An Airflow connection",
        "time_zone": "UTC",
        "subject_key": "airflow:this",
        "road": "search",
        "types": [name.strip() for name in str(extra.get("resource_types", "Patient")).split(",")],
        "fhir": {"base_url": connection.host or "", "vendor": extra.get("vendor"), "auth": auth},
    }
    password = (connection.password or "").encode()
    source = Source(site=_site(described), folder=Path(), secrets=lambda _reference: password)
    _agree(connection, source.fhir)
    return source


def _agree(connection: Connection, fhir: Fhir) -> None:
    """Raises OperatorError where two fields of the form say two things."""
    if connection.password and fhir.auth.method == "none":
        raise OperatorError(
            "Log-in: none, and a secret is given",
            "Correct the connection's fields: choose how to log in, under Extra Fields, or remove the secret.",
        )
    if connection.port and connection.port != fhir.base_url.port:
        raise OperatorError(
            f"Port: {connection.port}, and the Base URL's is {fhir.base_url.port}", "Correct the connection's fields."
        )


def _site(described: dict[str, Any]) -> Site:
    from pydantic import ValidationError

    try:
        return Site.model_validate(described)
    except ValidationError as exc:  # its text holds what was entered
        errors = exc.errors(include_input=False, include_url=False, include_context=False)
        faults = [f"{_field(error['loc'])}: {error['msg'].removeprefix('Value error, ')}" for error in errors]
        raise OperatorError("; ".join(faults), "Correct the connection's fields.") from None


def _field(place: tuple[int | str, ...]) -> str:
    """What the form calls a key of the site file."""
    key = str(place[-1])
    return LABELS.get(key, key)


def _told(finding: Finding) -> str:
    """In the form's words: who reads it has no site file before them."""
    told = f"{finding.name}: {finding.what.removeprefix(f'{finding.name}: ')}"
    if finding.ok:
        return told
    return KEY.sub(lambda found: LABELS.get(found[1], found[0]), f"{told}. {finding.fix} ({finding.who})")
