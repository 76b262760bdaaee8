"""A type that nobody named and the server refuses is no fault of a site."""

from mainstem.check.finding import failed, tried
from mainstem.check.pages import _unmissed
from schemas.errors import OperatorError, TemporaryError

REFUSED = OperatorError("the server refuses it (403)", "Ask for the scope.")


def test_a_refused_type_beyond_the_core_is_said_and_no_fault() -> None:
    told = _unmissed(failed("Appointment", REFUSED, resource_type="Appointment"))
    assert (told.ok, told.what) == (
        True,
        "not given: the server refuses it (403); none is missed, as the site file names no types",
    )


def test_a_core_type_and_what_may_pass_stay_faults() -> None:
    assert not _unmissed(failed("Condition", REFUSED, resource_type="Condition")).ok
    assert not _unmissed(failed("Goal", TemporaryError("busy"), resource_type="Goal")).ok
    assert _unmissed(tried("Goal", lambda: "12 of them", resource_type="Goal")).what == "12 of them"
