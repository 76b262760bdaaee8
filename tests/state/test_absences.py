"""What is held of a FHIR type, and withdrawals that wait."""

from datetime import datetime

import pytest
from states import save

from mainstem.state import State
from schemas.errors import OperatorError
from transforms.mapped import Mapped

SUBJECT = b"subject-of-tests"


def medication(number: int, source: bytes, part: int = 0) -> Mapped:
    """A record of a resource of that type."""
    id_ = number.to_bytes(12, "big") + part.to_bytes(4, "big")
    provenance = b'"source":[{"type":"%b","ref":"h-1"}],"mapping":"x@1"' % source
    return Mapped(id_, "medication", SUBJECT, b'{"type":"medication"}', provenance, None, bytes(16))


def test_only_live_records_of_the_type_that_was_read_are_held(state: State, at: datetime) -> None:
    """Orders and statements become one record type: what one of them lacks says nothing of the other."""
    statement = medication(2, b"MedicationStatement")
    records = [medication(1, b"MedicationRequest"), medication(1, b"MedicationRequest", 7), statement]
    save(state, "north", [*records, medication(3, b"MedicationRequest")], [], at)
    save(state, "north", [], [((3).to_bytes(12, "big"), None)], at)
    assert set(state.absences.refs("north", "MedicationRequest")) == {(1).to_bytes(12, "big")}
    assert set(state.absences.refs("south", "MedicationRequest")) == set()


def test_what_waits_is_one_row_a_type_until_it_is_settled(state: State, at: datetime) -> None:
    """A night that holds back again replaces the word that was given for another number."""
    state.absences.hold("north", "Condition", 70, 100, at)
    assert state.absences.release("north", "Condition", at).released == at
    state.absences.hold("north", "Condition", 90, 100, at)
    (waiting,) = state.absences.of("north")
    assert (waiting.absent, waiting.held, waiting.released) == (90, 100, None)
    with pytest.raises(OperatorError, match="no withdrawal of Patient waits"):
        state.absences.release("north", "Patient", at)
    state.absences.settle("north", "Condition")
    assert state.absences.of("north") == []
