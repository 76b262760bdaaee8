"""Logs on standard error: ids of ours, site, type and counts; never a resource, a source id or a library's text.

Words of others stand in them too (a gap's cause, a server's answer), so every value is one printable line.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from schemas.errors import OperatorError
from schemas.showing import shown

FORMATS = ("none", "text", "json")
_chosen = ["none"]


def configure(form: str) -> None:
    """Sets the format of all logs. Raises OperatorError for an unknown one."""
    if form not in FORMATS:
        raise OperatorError(f"log format '{form}' is unknown", f"Use one of {', '.join(FORMATS)}.")
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(bool_as_flag=False)
    )
    level = logging.CRITICAL if form == "none" else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            printable,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # the one of now: who started us may close theirs
    )
    _chosen[:] = [form]


def chosen() -> str:
    """The format that was chosen here, for the processes that this one starts: they log as it does."""
    return _chosen[0]


def printable(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Each value of a line of log without what steers a terminal or begins another line; numbers stay numbers."""
    return {shown(name): _printable(value) for name, value in event.items()}


def _printable(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {shown(name): _printable(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_printable(each) for each in value]
    return shown(value)


def configure_once() -> None:
    """Keeps quiet where no format was chosen."""
    if not structlog.is_configured():
        configure("none")
