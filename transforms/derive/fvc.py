"""Forced vital capacity, against what is expected."""

from transforms.derive.kinds.lungs import FVC, by_gli, litres

VALUES = by_gli("fvc", "fvc", litres(FVC), frozenset(FVC), "L", 1)
