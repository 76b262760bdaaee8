"""How often: the schedules that have a name, in code systems and in words, and the units of their periods."""

from typing import Any

PERIOD_UNITS = frozenset({"s", "min", "h", "d", "wk", "mo", "a"})
TIMES = {
    spelling: unit
    for unit, spellings in {"h": "hour hours hr hrs", "d": "day days", "wk": "week weeks", "mo": "month months"}.items()
    for spelling in spellings.split()
}
SCHEDULES = {
    "QD": (1, 1, "d"),
    "BID": (2, 1, "d"),
    "TID": (3, 1, "d"),
    "QID": (4, 1, "d"),
    "QOD": (1, 2, "d"),
    "AM": (1, 1, "d"),
    "PM": (1, 1, "d"),
    "BED": (1, 1, "d"),
    "WK": (1, 1, "wk"),
    "MO": (1, 1, "mo"),
    **{f"Q{hours}H": (1, hours, "h") for hours in (1, 2, 3, 4, 6, 8, 12)},
}
"""v3-GTSAbbreviation and its kin → frequency, period and its unit."""


SPOKEN = {
    "once daily": "QD",
    "once a day": "QD",
    "daily": "QD",
    "every day": "QD",
    "twice daily": "BID",
    "twice a day": "BID",
    "two times daily": "BID",
    "two times a day": "BID",
    "three times daily": "TID",
    "three times a day": "TID",
    "four times daily": "QID",
    "four times a day": "QID",
    "every other day": "QOD",
    "once weekly": "WK",
    "once a week": "WK",
    "weekly": "WK",
    "monthly": "MO",
    "nightly": "BED",
    "at bedtime": "BED",
    **{f"every {hours} hours": f"Q{hours}H" for hours in (2, 3, 4, 6, 8, 12)},
    **{name.lower(): name for name in SCHEDULES},
}
"""The same in words: a closed list."""


_DAYS = {"s": 1 / 86_400, "min": 1 / 1440, "h": 1 / 24, "d": 1, "wk": 7, "mo": 30, "a": 365}


def as_often(told: dict[str, Any], schedule: tuple[int, int, str]) -> bool:
    """Whether a timing says as often as a schedule, as far as it says so: twice a day is every twelve hours."""
    if not {"frequency", "period"} <= told.keys():
        return True
    frequency, period = (float(bytes(told[name])) for name in ("frequency", "period"))
    if not (frequency and period and told["period_unit"]):
        return True
    often = frequency / (period * _DAYS[told["period_unit"]])
    return abs(often - schedule[0] / (schedule[1] * _DAYS[schedule[2]])) < often / 100
