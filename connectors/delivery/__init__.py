"""A folder that somebody else delivers into: what is in it, and whether it is a whole delivery. Knows no format of resources."""

from connectors.delivery.folder import Delivery, NotPlain, blocks, look_into, name_of, opened, shown
from connectors.delivery.readiness import empty, growing, require_end_marker
from connectors.delivery.told import Told, below, told_of

__all__ = [
    "Delivery",
    "NotPlain",
    "Told",
    "below",
    "blocks",
    "empty",
    "growing",
    "look_into",
    "name_of",
    "opened",
    "require_end_marker",
    "shown",
    "told_of",
]
