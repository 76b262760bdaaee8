"""What was noticed in what was mapped, in words: flags counted as reasons are, codes without a meaning as rows to be filled in."""

from collections.abc import Iterator, Mapping

UNMAPPED = "code-unmapped"
SHOWN = 20
"""Codes that a summary names, the most frequent."""


def noticed(flags: Mapping[str, int], codes: Mapping[str, int], where: str = "") -> Iterator[str]:
    """A line a flag, behind it `where` the lines are from; then the codes as rows for the site's code map."""
    for flag, count in sorted(flags.items()):
        of = f": {len(codes):,} {'code' if len(codes) == 1 else 'codes'}" if flag == UNMAPPED and codes else ""
        yield f"  noticed {count:,} × {flag}{of}{where}"
    if codes:
        yield from _rows(codes)


def _rows(codes: Mapping[str, int]) -> Iterator[str]:
    from transforms.codes.code_map import HEADER, csv_line

    yield "  what they mean is for the site's code map; its rows, target_code to be filled in:"
    yield f"    {HEADER}"
    for opening, count in sorted(codes.items(), key=lambda found: (-found[1], found[0]))[:SHOWN]:
        note = f"came {count} {'time' if count == 1 else 'times'}"
        yield f"    {opening},{csv_line('', note)}"
    if len(codes) > SHOWN:
        yield f"    … and {len(codes) - SHOWN:,} more"
