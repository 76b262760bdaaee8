"""athenahealth: exports of a practice's Group by the month, not by the day; a quota of requests a day, reset at midnight GMT."""

from connectors.vendors import Vendor

VENDOR = Vendor(
    title="athenahealth",
    names=r"athena ?(health|one|net|practice|flow)|\bathena\b",
    addresses=r"^https://[^/]*\.?(athenahealth|athenanet)\.com/",
    # Its guide ("Best Practices", Daily Quotas) says that an API answer has headers of the day's limit and of what is left of it until
    # midnight GMT, and an answer of the token endpoint the same ones of the minute; no copy of it shows their names, its published
    # OpenAPI declares none, and what it answers without a log-in (/metadata, August 2026) has none. Looked at are the usual ones and the pairs of Mashery's gateways; fhir.quota_header names
    # another.
    quota_left=("X-RateLimit-Remaining", "RateLimit-Remaining"),
    quota_used=(
        ("X-Plan-Quota-Current", "X-Plan-Quota-Allotted"),
        ("X-Packagekey-Quota-Current", "X-Packagekey-Quota-Allotted"),
    ),
    key_goes="athenahealth Developer Portal > Apps > the app (2-legged OAuth) > Credentials: the JWKS URL or the JWK",
    advice="The Group of a practice is a-1.C-<practice id>; exports are meant monthly, searches daily; mind the daily quota: "
    "where its answers count it by a header of another name than X-RateLimit-Remaining, name it in fhir.quota_header.",
)
