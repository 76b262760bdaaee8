"""Epic: no usable `_lastUpdated`, and an Observation search needs a category or code."""

from connectors.vendors import Vendor

# procedure, therapy and activity are US Core categories too; Epic rejects them.
OBSERVATION_CATEGORIES = ("laboratory", "vital-signs", "social-history", "survey", "imaging", "exam")

VENDOR = Vendor(
    title="Epic",
    headers={"Epic-Client-ID": "{client_id}"},
    last_updated=False,
    fan_out={"Observation": tuple((("category", category),) for category in OBSERVATION_CATEGORIES)},
)
