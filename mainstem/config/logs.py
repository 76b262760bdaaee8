"""Logs on standard error: ids of ours, site, type and counts; never a resource, a source id or a library's text."""

import logging
import sys

import structlog

from schemas.errors import OperatorError

FORMATS = ("none", "text", "json")


def configure(form: str) -> None:
    """Sets the format of all logs. Raises OperatorError for an unknown one."""
    if form not in FORMATS:
        raise OperatorError(f"log format {form!r} is unknown", f"Use one of {', '.join(FORMATS)}.")
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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def configure_once() -> None:
    """Keeps quiet where no format was chosen."""
    if not structlog.is_configured():
        configure("none")
