"""Height or length among children of the same age and sex.

From 24 months on the reference is of standing children. Who was measured lying, by the code, is 0.7 cm longer for it (WHO
Multicentre Growth Reference Study Group. Acta Paediatr Suppl 2006;450:76-85).
"""

from collections.abc import Iterator

from transforms.derive.history import History
from transforms.derive.kinds.growth import HEIGHT, METHOD, SOURCES, Measured, measured, placed
from transforms.derive.references.growth import CDC_FROM

_LYING = "8306-3"
_LONGER = 0.7
_all = measured(HEIGHT, "cm")


def _as_standing(history: History) -> Iterator[Measured]:
    for each in _all(history):
        months = history.months(each.day)
        lying = each.anchor.code == _LYING and months is not None and months >= CDC_FROM
        yield each._replace(value=each.value - _LONGER) if lying else each


VALUES = placed(
    "height",
    "stature",
    _as_standing,
    frozenset(HEIGHT),
    method=f"{METHOD}; from 24 months on what was measured lying (LOINC {_LYING}) counts as {_LONGER} cm less",
    sources=(*SOURCES, "WHO MGRS. Acta Paediatr Suppl 2006;450:76-85: length and height differ by 0.7 cm"),
)
