"""Veradigm (Allscripts): its SMART configuration does not name every way to log in that it takes."""

from connectors.vendors import Vendor

VENDOR = Vendor(
    title="Veradigm (Allscripts)",
    names=r"veradigm|allscripts",
    addresses=r"^https://[^/]*\.(allscripts|veradigm)\.com/|/fhirroute/",
    key_goes="Veradigm Developer Portal > My FHIR Applications > an app of type System: its JWKS URL or JWKS",
)
