"""Code systems, per-site code maps and UCUM units: which code a coding means, in which unit a value stands."""

from transforms.codes.code_map import CodeMapRow, parse_code_map

__all__ = ["CodeMapRow", "parse_code_map"]
