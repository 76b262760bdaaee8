"""HAPI FHIR.

Its paging links expire (410), which begins the search again; deleting a finished export may find it gone (404).
"""

from connectors.vendors import Vendor

VENDOR = Vendor(title="HAPI FHIR")
