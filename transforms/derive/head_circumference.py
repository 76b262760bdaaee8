"""Head circumference among children of the same age and sex."""

from transforms.derive.kinds.growth import HEAD, measured, placed

VALUES = placed("head-circumference", "head", measured(HEAD, "cm"), frozenset(HEAD))
