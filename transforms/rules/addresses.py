"""Addresses: the ZIP code of where a patient lives, and how far that is from the site. No more of them is read."""

import re

from msgspec import Raw, Struct

from transforms.fhir.elements import Period, Scalar, Unusable, decode, text_of
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.distances import Position, band_between, position_of
from transforms.rules.setting import Setting

_LOCATION = "http://hl7.org/fhir/StructureDefinition/geolocation"


class _Degrees(Struct, gc=False):
    url: Scalar = None
    valueDecimal: Scalar = None


class _Geolocation(Struct, gc=False):
    url: Scalar = None
    extension: list[_Degrees | None] | None = None

    @property
    def position(self) -> Position | None:
        """None for what is no place on earth."""
        said = {text_of(each.url): each.valueDecimal for each in self.extension or [] if each is not None}
        return position_of(said.get("latitude"), said.get("longitude"))


class _Address(Struct, gc=False):
    use: Scalar = None
    type: Scalar = None
    state: Scalar = None
    country: Scalar = None
    postalCode: Scalar = None
    period: Period | None = None
    extension: Raw = None  # type: ignore[assignment]

    @property
    def placed(self) -> bool:
        """Whether it says where on earth it is."""
        return self.extension is not None and _GEOLOCATION in bytes(self.extension)

    @property
    def position(self) -> Position | None:
        """None for what is no place on earth, and of several different ones."""
        try:
            listed = decode(bytes(self.extension), list[_Geolocation | None] | None) or []
        except Unusable:
            return None
        found = {each.position for each in listed if each is not None and text_of(each.url) == _LOCATION}
        return found.pop() if len(found) == 1 else None

    @property
    def used(self) -> str:
        """As what."""
        return text_of(self.use).lower()

    @property
    def started(self) -> str:
        """Since when it is theirs; empty where that is not told."""
        return ((self.period and self.period.start) or "").strip()

    @property
    def ended(self) -> str:
        """When it ceased to be theirs; empty for one that is still."""
        return ((self.period and self.period.end) or "").strip()

    @property
    def foreign(self) -> bool:
        """Whether its postcode is no ZIP code; an address that names no country is at home."""
        country = text_of(self.country).upper().replace(".", "")
        return bool(country) and country not in _WITH_ZIPS

    @property
    def elsewhere(self) -> bool:
        """Whether it names no country, and a state that none with ZIP codes is: five digits are a postcode in Berlin, too."""
        state = " ".join(text_of(self.state).upper().replace(".", "").split()).removeprefix("US-")
        return bool(state) and not text_of(self.country) and state not in _STATES


_GEOLOCATION = b"/geolocation"
_ZIP = re.compile(r"((?!00000|99999)[0-9]{5})(-?[0-9]{4})?")
_WITH_ZIPS = frozenset(
    {"US", "USA", "840", "UNITED STATES", "UNITED STATES OF AMERICA", "AMERICA", "PR", "PRI", "PUERTO RICO"}
    | {"GU", "GUM", "GUAM", "VI", "VIR", "AS", "ASM", "MP", "MNP"}
)
_STATES = frozenset(
    [
        "AL",
        "AK",
        "AZ",
        "AR",
        "CA",
        "CO",
        "CT",
        "DE",
        "FL",
        "GA",
        "HI",
        "ID",
        "IL",
        "IN",
        "IA",
        "KS",
        "KY",
        "LA",
        "ME",
        "MD",
        "MA",
        "MI",
        "MN",
        "MS",
        "MO",
        "MT",
        "NE",
        "NV",
        "NH",
        "NJ",
        "NM",
        "NY",
        "NC",
        "ND",
        "OH",
        "OK",
        "OR",
        "PA",
        "RI",
        "SC",
        "SD",
        "TN",
        "TX",
        "UT",
        "VT",
        "VA",
        "WA",
        "WV",
        "WI",
        "WY",
        "DC",
        "AS",
        "GU",
        "MP",
        "PR",
        "VI",
        "UM",
        "FM",
        "MH",
        "PW",
        "AA",
        "AE",
        "AP",
        "ALABAMA",
        "ALASKA",
        "ARIZONA",
        "ARKANSAS",
        "CALIFORNIA",
        "COLORADO",
        "CONNECTICUT",
        "DELAWARE",
        "FLORIDA",
        "GEORGIA",
        "HAWAII",
        "IDAHO",
        "ILLINOIS",
        "INDIANA",
        "IOWA",
        "KANSAS",
        "KENTUCKY",
        "LOUISIANA",
        "MAINE",
        "MARYLAND",
        "MASSACHUSETTS",
        "MICHIGAN",
        "MINNESOTA",
        "MISSISSIPPI",
        "MISSOURI",
        "MONTANA",
        "NEBRASKA",
        "NEVADA",
        "OHIO",
        "OKLAHOMA",
        "OREGON",
        "PENNSYLVANIA",
        "TENNESSEE",
        "TEXAS",
        "UTAH",
        "VERMONT",
        "VIRGINIA",
        "WASHINGTON",
        "WISCONSIN",
        "WYOMING",
        "GUAM",
    ]
) | {
    *("NEW HAMPSHIRE", "NEW JERSEY", "NEW MEXICO", "NEW YORK", "NORTH CAROLINA", "NORTH DAKOTA", "RHODE ISLAND"),
    *("SOUTH CAROLINA", "SOUTH DAKOTA", "WEST VIRGINIA", "DISTRICT OF COLUMBIA", "PUERTO RICO", "AMERICAN SAMOA"),
    *("NORTHERN MARIANA ISLANDS", "VIRGIN ISLANDS", "US VIRGIN ISLANDS"),
}
"""States, territories and the military's, by code and name."""
_USES = ("home", "", "temp", "work", "billing")
"""Whose ZIP code is asked first; an `old` one's never."""


def home(*, zip5: str, distance: str) -> Rule:
    """Patient.address → five digits of the ZIP code of where the patient lives, and the band of how far that is from the site."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        found = decode(raw, list[_Address | None] | _Address | None) or []
        listed = [address for address in (found if isinstance(found, list) else [found]) if address is not None]
        postal = _zip_found([each for each in listed if each.postalCode or each.country], setting, zip5)
        if setting.place is None:
            return postal
        far = _distance_found(listed, setting, distance)
        return Found({**postal.values, **far.values}, postal.flags, dropped=(*postal.dropped, *far.dropped))

    return Rule((zip5, distance), read)


def _zip_found(listed: list[_Address], setting: Setting, name: str) -> Found:
    told = [address for address in listed if address.used in _USES]
    if not told:
        return NOTHING
    standing = _standing(told, setting)
    home = _nearest(standing)
    written = "" if home.foreign else text_of(home.postalCode)
    match = _ZIP.fullmatch(written)
    if match is None or home.elsewhere:
        return Found(dropped=("postalCode",)) if written else NOTHING
    alike = [each for each in standing if _nearness(each) == _nearness(home)]
    others = {each[1] for one in alike if one.started in ("", home.started) and (each := _zip(one))}
    flags = ("zip-of-work",) if home.used in ("work", "billing") else ()
    return Found({name: match[1]}, (*flags, *[f"several:{name}"] * (len(others) > 1)))


_HOMES = ("home", "", "temp")


def _distance_found(listed: list[_Address], setting: Setting, name: str) -> Found:
    """Of the address whose ZIP code is asked first, where it is a home and has a position; of no other, which may be far from there."""
    told = [each for each in listed if each.used in _USES and (each.postalCode or each.country or each.placed)]
    if not told or setting.place is None:
        return NOTHING
    home = _nearest(_standing(told, setting))
    if home.used not in _HOMES or not home.placed:
        return NOTHING
    there = home.position
    return Found({name: band_between(setting.place, there)}) if there else Found(dropped=("extension",))


def _standing(told: list[_Address], setting: Setting) -> list[_Address]:
    """Addresses that are theirs still, else those that ended last; by ZIP code."""
    begun = [address for address in told if address.started[:10] <= setting.latest] or told
    last = max(address.ended for address in begun)
    standing = [each for each in begun if not each.ended or each.ended[:10] > setting.latest]
    return sorted(standing or [each for each in begun if each.ended == last], key=lambda each: text_of(each.postalCode))


def _nearest(standing: list[_Address]) -> _Address:
    """Where somebody lives, of several the one that began last."""
    return min(sorted(standing, key=lambda each: each.started, reverse=True), key=_nearness)


def _nearness(address: _Address) -> tuple[int, bool, bool]:
    """How near an address is to where somebody lives: the least is. A postal one may be a box."""
    return _USES.index(address.used), not address.postalCode, text_of(address.type).lower() == "postal"


def _zip(address: _Address) -> re.Match[str] | None:
    return None if address.foreign else _ZIP.fullmatch(text_of(address.postalCode))
