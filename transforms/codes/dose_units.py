"""Units of doses that UCUM has no unit for: countable forms, and spellings that prescribers use.

UCUM's braces hold any text, so only forms of this closed list leave in them: `{capsule}`, never `{Capsule of Ann's}`.
"""

_FORMS = """
actuation=actuations,act ampule=ampules,ampoule,ampoules,amp application=applications,applicator,applicatorful bar=bars
bottle=bottles,btl can=cans capsule=capsules,cap,caps cartridge=cartridges device=devices dose=doses each=ea
enema=enemas film=films gum=gums implant=implants inhalation=inhalations,inh inhaler=inhalers injection=injections
insert=inserts kit=kits lozenge=lozenges,loz ovule=ovules pack=packs package=packages,pkg packet=packets,pckt
patch=patches,ptch pen=pens piece=pieces pill=pills pouch=pouches puff=puffs pump=pumps ring=rings sachet=sachets
scoop=scoops spray=sprays,spry strip=strips suppository=suppositories,supp syringe=syringes tablet=tablets,tab,tabs,tbl
troche=troches tube=tubes unit=units unit-dose=unit-doses vial=vials wafer=wafers
"""
_OTHER_LANGUAGES = """
tablet=tablette,tabletten,comprimé,comprimés,comprimido,comprimidos,compressa,compresse,tbl.
capsule=kapsel,kapseln,gélule,gélules,cápsula,cápsulas,capsula,kps,kps.
puff=hub,hübe,sprühstoß,sprühstöße,bouffée,bouffées,inhalación,inhalaciones
ampule=ampulle,ampullen,ampolla,ampollas suppository=zäpfchen,suppositoire,suppositoires,supositorio,supositorios
sachet=beutel,sobre,sobres patch=pflaster,parche,parches each=stück,stk,stk.
"""
_SPELLINGS = {
    "drop": "[drp]",
    "drops": "[drp]",
    "gtt": "[drp]",
    "tsp": "[tsp_us]",
    "teaspoon": "[tsp_us]",
    "teaspoons": "[tsp_us]",
    "tbsp": "[tbs_us]",
    "tablespoon": "[tbs_us]",
    "tablespoons": "[tbs_us]",
    "tropfen": "[drp]",
    "goutte": "[drp]",
    "gouttes": "[drp]",
    "gota": "[drp]",
    "gotas": "[drp]",
}
COUNTED = frozenset({"", "1", "{#}", "{count}"})
"""Codes of units that only count: what is counted stands in the text."""


def _listed() -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in (_FORMS + _OTHER_LANGUAGES).split():
        form, _, others = entry.partition("=")
        found |= dict.fromkeys([form, *filter(None, others.split(","))], f"{{{form}}}")
    return found


DOSE_UNITS = _listed() | _SPELLINGS
"""What prescribers write, in small letters → UCUM."""


def dose_unit(written: str) -> str | None:
    """UCUM for `Tablet(s)`, `{Capsule}`, `mcg`; None for what is not listed."""
    bare = written.strip().lower().removeprefix("{").removesuffix("}").replace("(s)", "").replace("(es)", "")
    return DOSE_UNITS.get(" ".join(bare.split()))
