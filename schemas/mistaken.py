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


_OFFSET = re.compile(r"(utc|gmt)?\s*[+-]\s*\d{1,2}(:?\d\d)?")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_OF_THE_LOG_IN = re.compile(r"/(token|authorize)/?$")
NO_OFFSET = "an offset keeps no summer time: write a place of the tz database, such as America/New_York"


def wrong_host(host: str) -> str:
    """What is wrong with the host of an address, empty where nothing is; names of other alphabets come as `xn--…`."""
    if host.startswith("["):
        return ""
    labels = host.removesuffix(".").split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        return "names no host that can be: one name, its parts of up to 63 letters, digits and hyphens"
    if all(map(str.isdigit, labels)) and any(len(each) > 1 and each[0] == "0" for each in labels):
        return "has a number with a 0 in front, which is read by eights: leave the 0 off"
    return ""


def wrong_place(path: str) -> str:
    """What is wrong with the rest of a FHIR server's address, empty where nothing is."""
    if "%20" in path:
        return "holds a blank: give the address alone"
    if _OF_THE_LOG_IN.search(path):
        return "is an address of the log-in, not the FHIR server's: that one is fhir.auth.token_url, if any"
    below = below_the_base(path)
    return f"is an address below the server's base: leave {below} off" if below else ""


def wrong_scope(text: str) -> str:
    """What is wrong with OAuth scopes, empty where nothing is (RFC 6749, 3.3)."""
    if re.search(r"[,;]\s*(system|user|patient)/", text):
        return "scopes are parted by blanks: system/Patient.read system/Observation.read"
    if not text.isascii() or '"' in text:
        return "has a sign that is in no scope: write each as the vendor does, without quotation marks"
    return ""


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


def near_type(given: str) -> str:
    """The FHIR resource type that may be meant, in words; all that are mapped where none is near."""
    from difflib import get_close_matches  # a misspelt file alone needs it

    mapped = {name.casefold(): name for name in MAPPED_TYPES}
    near = get_close_matches(given.casefold(), mapped, n=1, cutoff=0.8)
    return f"did you mean {mapped[near[0]]}?" if near else f"mapped are {', '.join(MAPPED_TYPES)}"


def near_zone(given: str) -> str:
    """The time zone that may be meant, in words."""
    from difflib import get_close_matches  # a misspelt file alone needs them
    from zoneinfo import available_timezones

    if _OFFSET.fullmatch(given.strip().casefold()):
        return NO_OFFSET
    if "europe" in given.casefold().split("/")[0].removesuffix("europe"):
        return "write a place of the tz database, such as Europe/Berlin"
    if known := _ZONES_IN_WORDS.get(re.split(r"[\s_/-]", given.strip().casefold())[0]):
        return f"did you mean {known}?"
    zones = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(available_timezones(), reverse=True)}
    zones |= {zone.casefold(): zone for zone in available_timezones()}
    near = get_close_matches(given.strip().replace(" ", "_").casefold()[:60], zones, n=1, cutoff=0.75)
    return f"did you mean {zones[near[0]]}?" if near else "write a place of the tz database, such as America/New_York"
