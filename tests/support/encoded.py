"""A record of a Kafka batch as the protocol guide has it."""

from mainstem.kafka.record_format import NO_ATTRIBUTES_NO_DELAY, Record, varint


def encoded(record: Record) -> bytes:
    """Its bytes; the delay is left out."""
    fields = [text for name, value in record.headers for text in (name.encode(), value)]
    parts = [NO_ATTRIBUTES_NO_DELAY, varint(record.place), sized(record.key), sized(record.value)]
    body = b"".join([*parts, varint(len(record.headers)), *map(sized, fields)])
    return sized(body)


def sized(text: bytes | None) -> bytes:
    """Behind its length."""
    return varint(-1) if text is None else varint(len(text)) + text
