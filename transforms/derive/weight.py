"""Weight among children of the same age and sex."""

from transforms.derive.kinds.growth import WEIGHT, measured, placed

VALUES = placed("weight", "weight", measured(WEIGHT, "kg"), frozenset(WEIGHT))
