"""HAPI FHIR. Its paging links expire (410), which begins the search again; a finished export is gone when deleted (404)."""

from connectors.vendors import Vendor

VENDOR = Vendor(title="HAPI FHIR")
