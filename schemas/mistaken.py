"""What people write into a site file in the place of what is needed, and what they are told."""

import re

from schemas.outcomes import LENDING_TYPES, MAPPED_TYPES, REFERRED_TYPES

_PLACE_BELOW = re.compile(r"/(metadata|\.well-known(/.*)?|\$[a-z-]+)/?$")
_ZONES_IN_WORDS = {
    "eastern": "America/New_York",
    "central": "America/Chicago",
    "mountain": "America/Denver",
    "pacific": "America/Los_Angeles",
    "alaska": "America/Anchorage",
    "hawaii": "Pacific/Honolulu",
    "edt": "America/New_York",
    "est": "America/New_York",
    "cst": "America/Chicago",
    "cdt": "America/Chicago",
    "mst": "America/Denver",
    "mdt": "America/Denver",
    "pst": "America/Los_Angeles",
    "pdt": "America/Los_Angeles",
}
"""As clocks are called in the United States, by their first word."""


def below_the_base(path: str) -> str:
    """The part of an address that is no base URL's: `/metadata`, `/.well-known/…`, `/Patient`; empty where it is one."""
    if found := _PLACE_BELOW.search(path):
        return found[0]
    last = path.rstrip("/").rpartition("/")[2]
    return f"/{last}" if last in (*MAPPED_TYPES, *LENDING_TYPES, *REFERRED_TYPES) else ""


def no_group(text: str) -> str:
    """What is wrong with a Group's id, empty where nothing is: a reference or a name stands there, as a rule."""
    if text.startswith("Group/") and not no_group(text.removeprefix("Group/")):
        return f"write the id alone: {text.removeprefix('Group/')}"
    return "" if re.fullmatch(r"[^\s/?#&]+", text) else "write the Group's id: one word, not its name or address"


def near_zone(given: str) -> str:
    """The time zone that may be meant, in words."""
    from difflib import get_close_matches  # a misspelt file alone needs them
    from zoneinfo import available_timezones

    if known := _ZONES_IN_WORDS.get(re.split(r"[\s_/-]", given.strip().casefold())[0]):
        return f"did you mean {known}?"
    zones = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(available_timezones(), reverse=True)}
    zones |= {zone.casefold(): zone for zone in available_timezones()}
    near = get_close_matches(given.strip().replace(" ", "_").casefold()[:60], zones, n=1, cutoff=0.75)
    return f"did you mean {zones[near[0]]}?" if near else "write a place of the tz database, such as America/New_York"
