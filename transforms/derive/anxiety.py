"""The anxiety questionnaire GAD-7: severity and screening result."""

from transforms.derive.kinds.items import Items
from transforms.derive.kinds.scores import scored, screened

_GAD7 = ("70274-6",)
_ITEMS = Items(("69725-0", "68509-9", "69733-4", "69734-2", "69735-9", "69689-8", "69736-7"))
_SOURCES = ("Spitzer RL et al. Arch Intern Med 2006;166:1092-7, doi:10.1001/archinte.166.10.1092",)
_BANDS = ((4, "minimal"), (9, "mild"), (14, "moderate"), (21, "severe"))

VALUES = (
    scored("gad-7-severity", _GAD7, _BANDS, _SOURCES, items=_ITEMS),
    screened("gad-7-screen", _GAD7, 10, 21, _SOURCES, _ITEMS),
)
