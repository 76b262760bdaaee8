"""The centre is a site of its own: what is born there goes through a state, a key and a publisher of the network's own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streams import Stream

from mainstem.centre import SITE, Born, Centre
from mainstem.publisher import Publisher
from mainstem.state import State
from schemas.errors import TemporaryError
from schemas.outcomes import Issue
from transforms.mapped import WHOLE
from transforms.privacy import Pseudonyms

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)
ANNA = b"anna------------"
KEY = b"the network's own key of 32 byte"


def issue(topic: str, at: datetime = AT, status: str = "requested") -> Born:
    """An issue a family raised; the record's names are the centre's to give."""
    names = {"id": "r-" + "0" * 32, "subject": "s-" + "0" * 32, "site": "any"}
    return Born("anna/1", ANNA, Issue(kind="page", raised_by="family", topic=topic, status=status, **names), at)


def test_an_issue_raised_at_the_centre_is_an_event_like_any_other(tmp_path: Path, stream: Stream) -> None:
    """Recorded, amended, told with its loads; the same again sends nothing; no name leaves."""
    state = State.open(f"sqlite:///{tmp_path}/centre/state.db")
    state.migrate()
    centre = Centre(state, KEY, lambda: AT)
    with (
        centre.holding(),
        Publisher(
            stream.bootstrap, network=stream.network, store=state.outbox, site=SITE, software="0.1.0"
        ) as publisher,
    ):
        for born in (
            issue("sleep"),
            issue("sleep"),
            issue("sleep", AT + timedelta(hours=1), "completed"),
            issue("sleep", AT),
        ):
            centre.keep("Issue", [born])
            centre.send(publisher)
        with pytest.raises(TemporaryError, match="at step keep of centre"), centre.holding():
            pytest.fail("two keep")
    state.close()

    found = stream.records()
    assert [dict(record.headers)["ce_type"].decode().split(".")[-2] for record in found] == ["recorded", "amended"]
    record = Pseudonyms(KEY).ref("Issue", "anna/1") + WHOLE
    assert {record.key for record in found} == {f"s-{ANNA.hex()}/r-{record.hex()}".encode()}
    assert {dict(record.headers)["ce_source"] for record in found} == {b"/site/centre"}
    assert b'"status":"completed"' in found[-1].value
    assert all(b"anna/1" not in record.value for record in found)
