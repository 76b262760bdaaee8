"""HAPI FHIR.

Its paging links expire (410), which begins the search again; exported files last two hours; deleting a finished export may
find it gone (404). Many products are built on it.
"""

from connectors.vendors import Vendor

VENDOR = Vendor(
    title="HAPI FHIR",
    names=r"\bhapi\b|smile ?cdr",
    addresses=r"^https?://hapi\.fhir\.org/",
    builds_for_others=True,
    tries_exports=True,
    key_goes="the authorization server in front of it; HAPI itself keeps no clients",
)
