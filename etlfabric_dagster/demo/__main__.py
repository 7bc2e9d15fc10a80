"""The supervisor's last step: load the demo, unless this install has it. A line for each step.

A refusal is the last line it prints, as JSON, and status 1.
"""

from __future__ import annotations

import json
import sys

import psycopg
from sqlalchemy.exc import DBAPIError
from tenacity import (
    RetryCallState,
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_fixed,
)

from etlfabric_dagster import demo
from etlfabric_dagster.errors import FabricError

TRIES = 3  # everything starts at once on a small machine: connections time out, locks meet


def main() -> int:
    """Safe to repeat. Blocking."""
    try:
        _load()
    except FabricError as exc:
        _tell(json.dumps({"error": exc.as_dict()}))
        return 1
    return 0


def _tell_again(call: RetryCallState) -> None:
    exc = call.outcome and call.outcome.exception()
    cause = exc.orig if isinstance(exc, DBAPIError) else exc
    said = next(iter(str(cause).splitlines()), "")
    _tell(f"Again, after {type(cause).__name__}: {said}")


@retry(
    retry=retry_if_exception_type((DBAPIError, psycopg.OperationalError)),
    stop=stop_after_attempt(TRIES),
    wait=wait_fixed(2),
    before_sleep=_tell_again,
    reraise=True,
)
def _load() -> None:
    if not demo.is_loaded():
        demo.load(lambda step: _tell(f"{step} …"))


def _tell(line: str) -> None:
    """At once, for who waits for it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
