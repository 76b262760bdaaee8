"""Forced expiratory volume in one second, against what is expected."""

from transforms.derive.kinds.lungs import FEV1, by_gli, litres

VALUES = by_gli("fev1", "fev1", litres(FEV1), frozenset(FEV1), "L", 1)
