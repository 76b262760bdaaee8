"""The AsyncAPI 3 document: topics, keys, headers and values, with Kafka's bindings. Values are the JSON Schemas beside it."""

from typing import Any

from schemas.channels import (
    ERASURE,
    FEEDBACK,
    LOAD,
    OUTCOME,
    PARTITIONS,
    REPLICATION,
    SITE,
    SUBJECT,
    TOMBSTONE_DAYS,
    Channel,
)
from schemas.contract.headers import HEADERS
from schemas.events import CONTRACT_MAJOR, Header

DAY_MS = 24 * 60 * 60 * 1000
BINDING = "0.5.0"
JSON_SCHEMA = "application/schema+json;version=draft-2020-12"
SPOKEN = (OUTCOME, LOAD, SUBJECT, SITE, FEEDBACK, ERASURE)
KEYS = {
    "subject/record": {"type": "string", "pattern": "^s-[0-9a-f]{32}/r-[0-9a-f]{32}$"},
    "subject": {"type": "string", "pattern": "^s-[0-9a-f]{32}$"},
    "site": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,30}$"},
}


def asyncapi() -> dict[str, Any]:
    """The document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mainstem outcome events",
            "version": f"{CONTRACT_MAJOR}.0.0",
            "description": "Outcomes of a Learning Health Network. docs/events.md says the same for people.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {channel.kind: _channel(channel) for channel in SPOKEN},
        "operations": {
            f"{action}{channel.kind.capitalize()}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel.kind}"},
                "summary": summary,
            }
            for channel in SPOKEN
            for action, summary in (
                ("send", SENDERS.get(channel.kind, "By a site's publisher alone.")),
                ("receive", "By any consumer."),
            )
        },
        "components": {
            "messages": {
                "outcomeEvent": _message(
                    "A record was recorded or amended.", "outcome", "subject/record", _outcome(False)
                ),
                "withdrawal": _message(
                    "A record is no longer true: a tombstone.", None, "subject/record", _outcome(True)
                ),
                "loadEvent": _message("A site's load started, was completed or failed.", "load", "site", _about_site()),
                "subjectEvent": _message(
                    "How it stands with a subject's consent, and who it is.", "subject", "subject", _about_subject()
                ),
                "erasureReport": _message("What a consumer did about an erasure.", "erasure", "site", _about_site()),
                "consentHeeded": _message(
                    "That a consumer goes by a consent.", "consent_heeded", "site", _about_site()
                ),
                "consentAsked": _message("What a family asks of its site.", "consent_asked", "site", _about_site()),
                "feedbackEvent": _message("A site's result of a measure.", "feedback", "site", _about_site()),
                "sitePublished": _message("How far a site has published.", "site_published", "site", _about_site()),
            }
        },
    }


MESSAGES = {
    "outcome": ("outcomeEvent", "withdrawal"),
    "load": ("loadEvent",),
    "subject": ("subjectEvent",),
    "site": ("sitePublished",),
    "feedback": ("feedbackEvent",),
    "erasure": ("erasureReport", "consentHeeded", "consentAsked"),
}
SENDERS = {"feedback": "By the network's services.", "erasure": "By any consumer, and by the families' page."}


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "address": f"{{network}}.{channel.kind}.v{CONTRACT_MAJOR}",
        "description": f"{channel.carries.capitalize()}; by {channel.key}.",
        "parameters": {"network": {"description": "The network's name.", "default": "lhn"}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in MESSAGES[channel.kind]},
        "bindings": {
            "kafka": {
                "partitions": PARTITIONS if channel.by_subject else 1,
                "replicas": REPLICATION,
                "topicConfiguration": _configuration(channel),
                "bindingVersion": BINDING,
            }
        },
    }


def _configuration(channel: Channel) -> dict[str, Any]:
    if channel.days is not None:
        return {"cleanup.policy": ["delete"], "retention.ms": channel.days * DAY_MS}
    return {"cleanup.policy": ["compact"], "delete.retention.ms": TOMBSTONE_DAYS * DAY_MS}


def _message(summary: str, schema: str | None, key: str, headers: dict[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = (
        {"type": "null"}
        if schema is None
        else {"schemaFormat": JSON_SCHEMA, "schema": {"$ref": f"./{schema}.v{CONTRACT_MAJOR}.json"}}
    )
    return {
        "summary": summary,
        "contentType": "application/json",
        "headers": headers,
        "payload": payload,
        "bindings": {"kafka": {"key": KEYS[key], "bindingVersion": BINDING}},
    }


def _outcome(withdrawn: bool) -> dict[str, Any]:
    return _headers(
        [header for header in HEADERS if withdrawn or header is not Header.REASON], ("always", "of outcomes")
    )


def _about_subject() -> dict[str, Any]:
    return _headers(
        [header for header in HEADERS if header not in (Header.REASON, Header.REPLAY)], ("always", "of outcomes")
    )


def _about_site() -> dict[str, Any]:
    return _headers(
        [header for header in HEADERS if header not in (Header.REASON, Header.SEQUENCE, Header.REPLAY)], ("always",)
    )


def _headers(names: list[Header], needed: tuple[str, ...]) -> dict[str, Any]:
    shown = {
        str(name): {"type": "string", "description": HEADERS[name].meaning, "examples": [HEADERS[name].example]}
        for name in names
    }
    return {
        "type": "object",
        "properties": shown,
        "required": [str(name) for name in names if HEADERS[name].there in needed],
    }
