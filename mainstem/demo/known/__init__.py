"""A synthetic network whose truth is known: what changed, where and when; everything else is what chance gives.

`truth` says what is so, `quiet` makes series in which nothing is, `children` and `resources` make FHIR of it, `feeding` takes it
the real way: mapped, derived, encoded as events, handed to the registry.
"""

from mainstem.demo.known.feeding import Fed, feed
from mainstem.demo.known.truth import AS_OF, KNOWN

__all__ = ["AS_OF", "KNOWN", "Fed", "feed"]
