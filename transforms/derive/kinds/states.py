"""States of disease that activity scores and physicians' assessments tell."""

from transforms.derive.history import Fact
from transforms.derive.kinds.scores import Bands, band_of, plain

PUCAI: Bands = ((9, "remission"), (34, "mild"), (64, "moderate"), (85, "severe"))
"""Whole multiples of five; Turner D et al. Gastroenterology 2007;133:423-32."""
SPCDAI: Bands = ((14.9, "remission"), (29.9, "mild"), (85, "moderate-to-severe"))
"""Kappelman MD et al. J Pediatr Gastroenterol Nutr 2011."""
_BANDS = {"pucai": PUCAI, "spcdai": SPCDAI}


def state_of(fact: Fact) -> str | None:
    """As told; of PUCAI and sPCDAI by their score where no state is."""
    if fact.state is not None:
        return fact.state
    bands = _BANDS.get(plain(fact.instrument or ""))
    return band_of(fact.score, bands) if bands and fact.score is not None and fact.score >= 0 else None
