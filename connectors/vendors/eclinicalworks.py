"""eClinicalWorks: Groups are made once and do not follow the patients.

Since October 2025 it takes 250 requests a minute at a practice's base URL; what is beyond is answered 429 until the minute ends,
without a word of how long.
"""

from connectors.vendors import Vendor

VENDOR = Vendor(
    title="eClinicalWorks",
    names=r"e-?clinical ?works|\becw\b|healow",
    addresses=r"^https://[^/]*(\.eclinicalworks\.com|\.ecwcloud\.com|\.healow\.com)/",
    requests_a_minute=250,
    key_goes="eClinicalWorks FHIR developer portal > the app (Backend / Bulk): the JWKS URL; then the practice approves it",
    advice="Groups are static: have the Group made anew when patients join.",
)
