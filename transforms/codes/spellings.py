"""How feeds write units: unambiguous spellings by the UCUM unit they mean, and the closed list of units that leave.

`spellings.csv` is asked before UCUM's grammar, for which `K/uL` is kelvin per microlitre, `F` farad and `ft` a
femtotonne. A spelling that could be read in two ways is not in it: a unit is never guessed.
"""

import csv
import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files

_FREQUENT_UNITS = """
% 1 /min /h cm m mm [in_i] [ft_i] kg g mg ug ng [lb_av] [oz_av] kg/m2 mm[Hg] kPa cm[H2O] Cel [degF] L mL dL uL L/min
mL/min mg/dL g/dL g/L mg/L ug/dL ug/L ng/mL ng/dL pg/mL ug/mL mmol/L umol/L nmol/L pmol/L meq/L mmol/mol U/L kU/L
U/mL [iU]/L m[iU]/L m[iU]/mL u[iU]/mL [iU]/mL 10*3/uL 10*6/uL 10*9/L 10*12/L /uL fL pg mm/h ms s min h d wk mo a
ug/g mg/g mg/kg ug/kg/min mL/kg [pH] mosm/kg [drp] [CFU]/mL /[HPF] /[LPF]
{score} {nominal} {count} {ratio} {INR} {titer} {index_val} {points} {#} {#}/uL {#}/[HPF] {#}/a {#}/d {cells}/uL
{copies}/mL {Ehrlich_U}/dL {beats}/min {breaths}/min {counts/min} {mm/dd/yyyy} {tbl} {pack-years} {s_co_ratio}
mL/min/{1.73_m2} mg/d/{1.73_m2} mg/g{creat} %{total} %{of_predicted} %{vol}
ng/mL{FEU} ug/mL{FEU} mg/L{FEU} ng/mL{DDU} ug/mg{creat} mg/mmol{creat} {tablet} {capsule} {puff} {spray} {dose} {patch}
mg/(24.h) g/(24.h) ug/(24.h) umol/(24.h) mmol/(24.h) {fraction} {cells}/[HPF] {beats} {CFU}/mL {Log_copies}/mL
"""
FREQUENT = frozenset(_FREQUENT_UNITS.split())
"""Units that need no parser, a second saved in most runs. UCUM's braces hold any text; only these leave as they are."""

_ATOM_NAMES = """
g kg dg cg mg ug ng pg fg L dL cL mL uL nL pL fL m km dm cm mm um nm m2 dm2 cm2 mm2 m3 dm3 cm3 mm3 mol mmol umol nmol
pmol fmol eq meq ueq U kU mU uU nU [iU] k[iU] m[iU] u[iU] [IU] k[IU] m[IU] u[IU] [arb'U] [GPL'U] [MPL'U] [APL'U] [CFU]
[PFU] osm mosm s ms us min h d wk mo a % 1 [ppth] [ppm] [ppb] [pH] [HPF] [LPF] [drp] Cel [degF] Pa kPa hPa mm[Hg]
cm[H2O] bar mbar [in_i] [ft_i] [yd_i] [lb_av] [oz_av] [foz_us] [cup_us] [tsp_us] [tbs_us] cal kcal J kJ V mV uV mA W
Hz kHz MHz dB deg [diop] Ci mCi uCi Bq kBq MBq GBq Gy cGy mGy Sv mSv N kat ukat nkat [Ch] 10*2 10*3 10*6 10*9 10*12
10*-3 10*-6
"""
_ATOMS = frozenset(_ATOM_NAMES.split())
_MOST_ATOMS = 4
_LONGEST = 48

_PLAIN = str.maketrans({"µ": "u", "μ": "u", "º": "°", "˚": "°", "×": "x", "–": "-", "−": "-", "⁄": "/", "∕": "/"})
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_TEN_RAISED = re.compile(r"10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)")
_TEN_TO_THE = re.compile(r"^[x*]?10(?:\^|\*\*|\*|e\+?|exp|x|(?=\())\(?0?(\d{1,2})\)?(?=/|cells/)")
_POWER = re.compile(r"(?<=[a-z])(?:\^|\*\*)(?=\d)")


def is_listed(unit: str) -> bool:
    """Whether a UCUM unit is of the closed list: a frequent one, or a quotient of few well-known ones.

    UCUM's grammar takes digits, names and many single words; none of those leaves for being a unit.
    """
    if unit in FREQUENT:
        return True
    parts = unit.removeprefix("/").replace(".", "/").split("/")
    return len(parts) <= _MOST_ATOMS and all(part in _ATOMS for part in parts)


@lru_cache(maxsize=2048)
def spelled(text: str, wanted: str = "") -> str | None:
    """The unit of the closed list that a text says, whether it is written as UCUM or as feeds do; None for any other text.

    `wanted` is the unit in which the code's values leave: `C` says degrees only where temperatures do.
    """
    if len(text) > _LONGEST:
        return None
    if text in FREQUENT:
        return text
    any_case, this_case = _spellings()
    bare = _bare(text)
    key, exact = _folded(bare), "".join(bare.split())
    if wanted and (key, wanted) in any_case:
        return any_case[key, wanted]
    if exact in this_case:
        return this_case[exact] or None
    return any_case.get((key, "")) or (text if is_listed(text) else None)


_TWICE_ENCODED = {"Âµ": "µ", "Î¼": "μ", "Â°": "°", "Â²": "²", "Â³": "³", "Âº": "°"}
"""Signs whose UTF-8 was taken for Latin-1."""


def _bare(text: str) -> str:
    """The text with its signs as ASCII has them: `10³/µL` is `10^3/uL`, `kg/m²` is `kg/m2`, `℃` is `°C`, `day(s)` is `days`."""
    if "Â" in text or "Î" in text:
        for wrong, right in _TWICE_ENCODED.items():
            text = text.replace(wrong, right)
    whole = text.translate(_PLAIN).replace("(s)", "s")
    raised = _TEN_RAISED.sub(lambda found: f"10^{found[1].translate(_RAISED)}", whole)
    return unicodedata.normalize("NFKC", raised.translate(_RAISED)).translate(_PLAIN)


def _folded(bare: str) -> str:
    """Without blanks and case; powers of ten, however written, as UCUM writes them."""
    key = "".join(bare.split()).casefold().rstrip(".")
    return _POWER.sub("", _TEN_TO_THE.sub(r"10*\1", key))


@cache
def _spellings() -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """`spellings.csv`: (spelling in any case, unit it is bound to) → unit, and spelling in this case → unit.

    Units of more than one letter are their own spellings, so that `MG/DL` is `mg/dL`. A line without a unit holds
    spellings that would be read so and may not be: `G/L` is grams in one hospital, 10*9 in the next.
    """
    any_case: dict[tuple[str, str], str] = {}
    this_case: dict[str, str] = {}
    for unit in sorted(FREQUENT, key=len):
        if len(unit) > 1:
            any_case.setdefault((_folded(unit), ""), unit)
    with files("transforms.codes").joinpath("spellings.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            for written in filter(None, row["any_case"].split("|")):
                any_case[_folded(_bare(written)), row["only_for"]] = row["unit"]
            for written in filter(None, row["this_case"].split("|")):
                this_case["".join(_bare(written).split())] = row["unit"]
    return any_case, this_case
