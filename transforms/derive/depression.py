"""Depression questionnaires: PHQ-9 (also the adolescents' PHQ-9M) and PHQ-2, severity and screening result."""

from transforms.derive.kinds.items import Items
from transforms.derive.kinds.scores import scored, screened

_PHQ9 = ("44261-6", "89204-2")
_PHQ2 = ("55758-7",)
_BOTH = ("44250-9", "44255-8")
_OTHERS = ("44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8")
_NINE = ("Kroenke K et al. J Gen Intern Med 2001;16:606-13, doi:10.1046/j.1525-1497.2001.016009606.x",)
_TWO = ("Kroenke K et al. Med Care 2003;41:1284-92, doi:10.1097/01.MLR.0000093487.78664.3C",)
_BANDS = ((4, "minimal"), (9, "mild"), (14, "moderate"), (19, "moderately-severe"), (27, "severe"))

VALUES = (
    scored("phq-9-severity", _PHQ9, _BANDS, _NINE, items=Items(_BOTH + _OTHERS)),
    screened("phq-9-screen", _PHQ9, 10, 27, _NINE, Items(_BOTH + _OTHERS)),
    screened("phq-2-screen", _PHQ2, 3, 6, _TWO, Items(_BOTH, _OTHERS)),
)
