"""Amounts of medicines: in a unit of the closed lists, in a time, over how many days."""

from decimal import Context, Decimal

from msgspec import Raw, Struct

from schemas.problems import Reason
from transforms.codes.dose_units import COUNTED, dose_unit
from transforms.codes.spellings import is_listed, spelled
from transforms.codes.units import SAME, UnitFault, conversion, without_annotations
from transforms.fhir.elements import Quantity, Stated, Unusable, plain, text_of
from transforms.rules.concepts import says_absent
from transforms.rules.declaring import Found
from transforms.rules.schedules import PERIOD_UNITS, TIMES
from transforms.rules.setting import Setting
from transforms.rules.units import Given, given_unit, is_long, is_odd, meant_unit, number_in

LONGEST_BARE = 99_999
"""A number without a unit that is larger, or one of days, of tablets, may be a telephone's or a record's."""
_DIGITS = Context(prec=10)


class Ratio(Struct, gc=False):
    """Ratio: so much in so long, or in so much of something else."""

    numerator: Stated | None = None
    denominator: Stated | None = None


def amount_per(source: Ratio | None, value: str, unit: str, setting: Setting) -> Found:
    """An amount in a time, or in so much of something else, as one number: 100 mL in 8 h are 12.5 mL/h."""
    if source is None or source.numerator is None or source.denominator is None:
        return Found()
    over = amount(source.numerator, value, unit, setting)
    under = _denominator(source.denominator, setting)
    if under is None or not over.values.get(unit):
        return Found({}, (*over.flags, f"{value.replace('_', '-')}-unreadable"))
    number, said = under
    turned = _DIGITS.divide(Decimal(bytes(over.values[value]).decode()), number)
    return Found({value: plain(turned), unit: f"{over.values[unit]}/{said}"}, over.flags)


def _denominator(source: Stated, setting: Setting) -> tuple[Decimal, str] | None:
    """The number and the unit of a ratio's lower part; one where it says none; None where it cannot be read."""
    if says_absent(source):
        return None
    written = (text_of(source.code) or text_of(source.unit)).lower()
    if time := written if written in PERIOD_UNITS else TIMES.get(written):
        source = Stated(source.value, unit=time, comparator=source.comparator)
    found = amount(
        Stated(source.value or Raw(b"1"), source.unit, source.system, source.code, source.comparator),
        "value",
        "unit",
        setting,
    )
    if not found.values.get("unit"):
        return None
    number = Decimal(bytes(found.values["value"]).decode())
    return (number, str(found.values["unit"])) if number > 0 else None


def amount(source: Stated | None, value: str, unit: str, setting: Setting) -> Found:
    """An amount of a medicine, in a unit of the closed lists; another one leaves it out, flagged."""
    if source is None or source.value is None or bytes(source.value) == b"null":
        return Found()
    if says_absent(source):
        return Found({}, (f"{value.replace('_', '-')}-unreadable",))
    try:
        written, flags = number_in(source)
    except Unusable:
        return Found({}, (f"{value.replace('_', '-')}-unreadable",))
    if is_long(written) and is_odd(written):
        return Found({}, (f"{value.replace('_', '-')}-unreadable",))
    given = _unit_of(source, setting)
    if given.fault is not None or not (given.mapped or not given.unit or is_listed(given.unit)):
        return Found({}, (*flags, "dose-unit-unknown"))
    if abs(float(written)) > LONGEST_BARE and (not given.unit or given.unit.startswith("{")) and given.unit != "{unit}":
        return Found({}, (f"{value.replace('_', '-')}-unreadable",))
    if not float(written) and value in ("dose", "quantity"):
        flags = (*flags, "nothing-given")
    return Found({value: plain(written), unit: given.unit}, (*flags, *given.flags))


def _unit_of(source: Quantity, setting: Setting) -> Given:
    """A countable form where the code names one, or counts only and the text names one; else as any unit is read."""
    given = meant_unit(source, setting)
    if given.mapped:
        return given
    code, text = text_of(source.code), text_of(source.unit)
    form = None if code in COUNTED else dose_unit(code)
    told = dose_unit(text)
    if told is not None and form is None and code not in COUNTED and spelled(code) is not None:
        return Given(fault=Reason.UNIT_CONTRADICTED)  # `2 mg` and `2 tablets` are two doses
    if form is not None and (told not in (None, form) or (told is None and text not in COUNTED and spelled(text))):
        return Given(fault=Reason.UNIT_CONTRADICTED)
    form = form or told
    if form is None:
        return given
    return Given(form, form, () if form == (code or text) else ("unit-repaired",), mapped=True)


def days_of(source: Stated | None, name: str, setting: Setting) -> Found:
    """A duration in days; one in another unit is left out, flagged."""
    if source is None or source.value is None or bytes(source.value) == b"null":
        return Found()
    if says_absent(source):
        return Found({}, (f"{name.replace('_', '-')}-unreadable",))
    try:
        written, flags = number_in(source)
        turn = conversion(without_annotations(_time_unit(source, setting)), "d")
    except UnitFault:
        return Found({}, ("supply-unit-unknown",))
    except Unusable:
        return Found({}, (f"{name.replace('_', '-')}-unreadable",))
    if abs(float(written)) > LONGEST_BARE:
        return Found({}, (f"{name.replace('_', '-')}-unreadable",))
    if not float(written) and name == "days_supply":
        flags = (*flags, "nothing-given")
    return Found({name: plain(written) if turn is SAME else plain(turn.of(Decimal(written)))}, flags)


def _time_unit(source: Quantity, setting: Setting) -> str:
    written = (text_of(source.code) or text_of(source.unit)).lower()
    return TIMES.get(written) or given_unit(source, setting)[0]
