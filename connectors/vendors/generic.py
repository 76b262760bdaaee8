"""A server as the standard describes it."""

from connectors.vendors import Vendor

VENDOR = Vendor(title="FHIR R4 server", tries_exports=True)
