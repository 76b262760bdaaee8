"""How a family's own values are said."""

import pytest

from services.home.showing import _said
from services.home.words import languages


@pytest.mark.parametrize(
    ("code", "value", "said"),
    [
        ("en", 0.3, "less than 1"),
        ("en", 0.6, "1"),
        ("en", 99.7, "more than 99"),
        ("es", 0.2, "menos de 1"),
        ("en", 50, "50"),
    ],
)
def test_among_a_hundred_children_there_is_no_place_0(code: str, value: float, said: str) -> None:
    assert _said("growth", value, 0, languages()[code]) == said


def test_other_values_keep_their_units() -> None:
    assert _said("hba1c", 0.4, 1, languages()["en"]) == "0.4 %"
