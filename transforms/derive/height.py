"""Height or length among children of the same age and sex."""

from transforms.derive.kinds.growth import HEIGHT, measured, placed

VALUES = placed("height", "stature", measured(HEIGHT, "cm"), frozenset(HEIGHT))
