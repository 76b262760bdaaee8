"""Networks of three hospitals and fewer."""

from networks import lhn, make_network

__all__ = ["lhn", "make_network"]
