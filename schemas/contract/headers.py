"""Every Kafka header of an event: what it says, how it looks, and whether it is always there."""

from typing import NamedTuple
from uuid import uuid5

from schemas.events import EVENT_NAMESPACE, Header

_RECORD = "r-7f3a00000000000000000000000000aa"


class HeaderMeaning(NamedTuple):
    """One header."""

    meaning: str
    example: str
    there: str = "always"
    """`always`, `of outcomes` (and of subjects), or `sometimes`."""


HEADERS: dict[Header, HeaderMeaning] = {
    Header.SPEC_VERSION: HeaderMeaning("CloudEvents' version.", "1.0"),
    Header.ID: HeaderMeaning(
        "Of the event: a copy that is sent again has the same. UUID of version 5, in the namespace "
        f"{EVENT_NAMESPACE}, of `ce_subject`, `/` and `ce_sequence`; of a load's event, of `ce_subject`, `/` and "
        "the word of `ce_type` before its major. Consumers need only compare it.",
        str(uuid5(EVENT_NAMESPACE, f"{_RECORD}/1.4")),
    ),
    Header.SOURCE: HeaderMeaning(
        "The site whose publisher sent it; of a report of an erasure, or of a consent that is heeded, the consumer group: "
        "`/consumer/<group>`; of what a family asks, `/families`.",
        "/site/north",
    ),
    Header.TYPE: HeaderMeaning(
        "What happened: <network>.outcome.recorded, .amended or .withdrawn; <network>.load.started, .completed or .failed; "
        "<network>.subject.withdrawn, .given, .superseded or .separated; <network>.feedback.measured; <network>.erasure.reported, .heeded or .asked; the "
        "contract's major stands at its end.",
        "lhn.outcome.recorded.v1",
    ),
    Header.TIME: HeaderMeaning(
        "When the change was stored at the site, or what is told became so, UTC, to the second. All but a site's mark have it, and "
        "consumers on the kit refuse what lacks it.",
        "2026-03-02T05:00:00Z",
        "of outcomes",
    ),
    Header.SUBJECT: HeaderMeaning(
        "What it is about: the record's id; of a load, the load's; of a mark, the site's; of a subject event and of a report of an "
        "erasure, of a consent that is heeded or of what a family asks, the subject.",
        _RECORD,
    ),
    Header.DATA_SCHEMA: HeaderMeaning(
        "The value's JSON Schema, by record type; a withdrawal has it too. Of other topics load, subject, feedback, erasure, "
        "consent_heeded, consent_asked, site_published. The registry serves it under this path.",
        "/schemas/observation.v1.json",
    ),
    Header.SEQUENCE: HeaderMeaning(
        "Of an outcome or subject event, epoch.sequence, two numbers: of two events of a record, or of a subject, the one with the higher epoch, then the higher "
        "sequence, is the newer. Compare them as numbers.",
        "1.4",
        "of outcomes",
    ),
    Header.CONTENT_TYPE: HeaderMeaning("Of the value.", "application/json"),
    Header.REASON: HeaderMeaning(
        "Of some withdrawals: why. `source-unusable`: the source resource came again, and it or a part of it could not be used, so the "
        "value is unknown, not denied; it is recorded again when it comes usable. Without this header the source says that it is not "
        "true, or tells it no more: entered in error, deleted, not done, gone from a complete read, no longer a part; or the record "
        "goes on under the key of another subject; or it was computed and is no longer. Pass over words you do not know.",
        "source-unusable",
        "sometimes",
    ),
    Header.TRACE_PARENT: HeaderMeaning(
        "W3C trace context, where there is one.", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "sometimes"
    ),
    Header.REPLAY: HeaderMeaning(
        "The event was sent before and is sent again on purpose: tables may take it, messages to people must not.",
        "1",
        "sometimes",
    ),
}
"""In the order in which they are explained."""
