"""MEDITECH: the base URL ends in `/v2/uscore/STU6`; client credentials are advertised but off for sandbox clients."""

from connectors.vendors import Vendor

VENDOR = Vendor(
    title="MEDITECH",
    names=r"meditech|medical information technology",
    addresses=r"^https://[^/]*meditech[^/]*/|/v[12]/uscore/stu\d\b",
    key_goes="MEDITECH Greenfield Workspace for the sandbox; the hospital's MEDITECH administrator for production: the JWKS URL",
    advice="The base URL is the one of US Core: https://<host>/v2/uscore/STU6.",
)
