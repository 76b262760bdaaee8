"""JSON Schemas of everything that enters or leaves, made from the models; `make generated` writes them."""

import json
from typing import Any

from pydantic import BaseModel, create_model

from schemas.contract.asyncapi import asyncapi
from schemas.contract.catalogue import catalogue
from schemas.contract.released import is_contract
from schemas.contract.yaml import as_yaml
from schemas.events import CONTRACT_MAJOR, Change, OutcomeEvent, Provenance
from schemas.feedback import FeedbackEvent
from schemas.loads import LoadEvent
from schemas.outcomes import RECORD_TYPES
from schemas.problems import Reason
from schemas.published import SitePublished
from schemas.sites import Site
from schemas.subjects import ConsentAsked, ConsentHeeded, ErasureReport, SubjectEvent

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def generated() -> dict[str, str]:
    """Every generated file by its name: one schema an event of a record type, the load, the subject and the feedback event, an erasure report, a consent that is heeded, what a family asks, a site's mark, the site file, the reasons; and
    the AsyncAPI document."""
    schemas: dict[str, Any] = {
        f"{name}.v{CONTRACT_MAJOR}.json": _schema(_event_of(name, model)) for name, model in RECORD_TYPES.items()
    }
    schemas[f"outcome.v{CONTRACT_MAJOR}.json"] = _schema(OutcomeEvent)
    schemas[f"load.v{CONTRACT_MAJOR}.json"] = _schema(LoadEvent)
    schemas[f"site_published.v{CONTRACT_MAJOR}.json"] = _schema(SitePublished)
    schemas[f"feedback.v{CONTRACT_MAJOR}.json"] = _schema(FeedbackEvent)
    schemas[f"subject.v{CONTRACT_MAJOR}.json"] = _schema(SubjectEvent)
    schemas[f"erasure.v{CONTRACT_MAJOR}.json"] = _schema(ErasureReport)
    schemas[f"consent_heeded.v{CONTRACT_MAJOR}.json"] = _schema(ConsentHeeded)
    schemas[f"consent_asked.v{CONTRACT_MAJOR}.json"] = _schema(ConsentAsked)
    schemas["site.json"] = _schema(Site)
    schemas["reasons.json"] = {
        reason.value: {"meaning": reason.meaning, "fix": reason.fix, "expected": reason.expected} for reason in Reason
    }
    texts = {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}
    return texts | {"asyncapi.yaml": as_yaml(asyncapi())}


def event_catalogue() -> str:
    """docs/events.md."""
    return catalogue({name: json.loads(text) for name, text in generated().items() if is_contract(name)})


def _event_of(name: str, record: type[BaseModel]) -> type[BaseModel]:
    return create_model(
        f"{record.__name__}Event",
        __doc__=record.__doc__,
        record=(record, ...),
        change=(Change, ...),
        provenance=(Provenance, ...),
    )


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": DIALECT, **model.model_json_schema(mode="validation")}
