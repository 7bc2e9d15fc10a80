"""The supervisor's last step: load the demo, unless this install has it. A line for each step.

A refusal is the last line it prints, as JSON, and status 1.
"""

from __future__ import annotations

import json
import sys

from etlfabric_dagster import demo
from etlfabric_dagster.errors import FabricError


def main() -> int:
    """Safe to repeat. Blocking."""
    try:
        if not demo.is_loaded():
            demo.load(lambda step: _tell(f"{step} …"))
    except FabricError as exc:
        _tell(json.dumps({"error": exc.as_dict()}))
        return 1
    return 0


def _tell(line: str) -> None:
    """At once, for who waits for it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
