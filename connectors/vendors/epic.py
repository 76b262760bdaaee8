"""Epic: no usable `_lastUpdated`; an Observation search needs a category or code, an EpisodeOfCare search a type.

Its token endpoint answers a bare 400 now and then to what it grants a second later; ids are longer than FHIR's 64 characters.
"""

from connectors.vendors import Vendor

# procedure, therapy and activity are US Core categories too; Epic rejects them.
REJECTED = frozenset({"procedure", "therapy", "activity"})
OBSERVATION_CATEGORIES = ("laboratory", "vital-signs", "social-history", "survey", "imaging", "exam")
EPISODE_TYPES = ("hacc", "pac", "diab", "da", "cacp")

VENDOR = Vendor(
    title="Epic",
    names=r"\bepic\b",
    addresses=r"^https://[^/]*\.(epic|epichosted)\.com/|^https?://[^/]+/interconnect[^/]*/(api/fhir|oauth2)/",
    headers={"Epic-Client-ID": "{client_id}"},
    last_updated=False,
    fan_out={
        "Observation": tuple((("category", category),) for category in OBSERVATION_CATEGORIES),
        "EpisodeOfCare": tuple((("type", code),) for code in EPISODE_TYPES),
    },
    rejected_categories=REJECTED,
    group_most=1_000,
    key_goes=(
        "fhir.epic.com > Build Apps > the app (Backend Systems): the JWKS URL, or the public key uploaded; production and "
        "non-production apart, then each hospital enables the client id. Changes take effect within an hour."
    ),
    advice="One export a client and Group in 24 hours, Groups of 1,000 patients at most, made by the hospital's Epic staff.",
)
