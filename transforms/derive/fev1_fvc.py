"""FEV1 over FVC, against what is expected; in per cent, as sites write it."""

from transforms.derive.kinds.lungs import FEV1, FVC, RATIO, by_gli, ratios

VALUES = by_gli("fev1fvc", "fev1fvc", ratios, frozenset({*FEV1, *FVC, *RATIO}), "%", 100)
