"""Makers of like values: what height, weight and head share, what FEV1 and FVC share, what scores share."""
