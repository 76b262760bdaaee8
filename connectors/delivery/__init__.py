"""A folder that somebody else delivers into: what is in it, and whether it is a whole delivery. Knows no format of resources."""

from connectors.delivery.folder import Delivery, NotPlain, blocks, look_into, name_of, shown
from connectors.delivery.readiness import empty, require_end_marker

__all__ = [
    "Delivery",
    "NotPlain",
    "blocks",
    "empty",
    "look_into",
    "name_of",
    "require_end_marker",
    "shown",
]
