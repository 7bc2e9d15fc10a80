"""Structured logs: events with fields, secrets redacted on the way out."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from etlfabric_dagster.security.redaction import redact_event

log: structlog.stdlib.BoundLogger = structlog.get_logger("etlfabric")

QUIET = (
    "httpx",
    "httpcore",
    "sqlalchemy.engine",
    "botocore",
    "s3fs",
    "fsspec",
    "asyncssh",
    "paramiko",
)


def configure(level: str = "INFO", json_lines: bool | None = None) -> None:
    """Log to stderr: JSON lines when it is not a terminal (or when told so), readable text
    otherwise.
    """
    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    renderer: Any = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        # looked up at every line: a program may replace standard error after this call
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    for name in QUIET:  # they log URLs and headers at INFO
        logging.getLogger(name).setLevel(logging.WARNING)
