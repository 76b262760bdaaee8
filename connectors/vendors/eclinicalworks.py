"""eClinicalWorks: Groups are made once and do not follow the patients."""

from connectors.vendors import Vendor

VENDOR = Vendor(
    title="eClinicalWorks",
    names=r"e-?clinical ?works|\becw\b|healow",
    addresses=r"^https://[^/]*(\.eclinicalworks\.com|\.ecwcloud\.com|\.healow\.com)/",
    key_goes="eClinicalWorks FHIR developer portal > the app (Backend / Bulk): the JWKS URL; then the practice approves it",
    advice="Groups are static: have the Group made anew when patients join.",
)
