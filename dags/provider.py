"""The connection type `fhir` for Airflow's pages, and what a topic is called in lineage; found by the entry point `apache_airflow_provider`.

What the form asks is declared here, so that Airflow draws it without importing a hook. Secrets stand in Password alone,
which Airflow encrypts and masks; it masks, too, what is called after a token, which an address is not to be.
"""

from typing import Any, get_args

from mainstem import __version__
from schemas.sites import Auth

METHODS = list(get_args(Auth.model_fields["method"].annotation))


def get_provider_info() -> dict[str, Any]:
    """As Airflow's `provider_info.schema.json` wants it."""
    return {
        "package-name": "mainstem",
        "name": "Mainstem",
        "description": "FHIR servers of a Learning Health Network's sites.",
        "versions": [__version__],
        "asset-uris": [{"schemes": ["kafka"], "handler": None, "to_openlineage_converter": "dags.lineage.dataset_of"}],
        "connection-types": [
            {
                "connection-type": "fhir",
                "hook-class-name": "dags.fhir_hook.FhirHook",
                "hook-name": "FHIR",
                "conn-fields": {
                    "method": _field(
                        "Log-in", "How to log in; what is needed for each, `mainstem sites keys` tells.", METHODS
                    ),
                    "oauth_url": _field("Token endpoint", "Discovered at the server where absent."),
                    "scope": _field("Scopes", "`system/<type>.read` of each type where absent."),
                    "vendor": _field("Vendor", "Told by what the server says of itself where absent."),
                    "resource_types": _field(
                        "Resource types", "Tried by Test, separated by commas; Patient where absent."
                    ),
                },
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "extra"],
                    "relabeling": {
                        "host": "Base URL",
                        "login": "Client id or user",
                        "password": "Secret or private key",
                    },
                    "placeholders": {
                        "host": "https://fhir.hospital.example/r4",
                        "port": "443, the Base URL's: Airflow 3.3 tests none that has no port",
                        "password": "smart-backend: PEM, JWK or JWKS; mutual-tls: certificate and key, PEM",
                    },
                },
            }
        ],
    }


def _field(label: str, description: str, values: list[str] | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["string", "null"]}
    if values:
        schema |= {"enum": values, "default": values[0]}
    return {"label": label, "description": description, "schema": schema}
