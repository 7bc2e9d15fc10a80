"""Runs one dbt job in this process and prints all it said, unredacted: what the guard tests read.

A child of the sandbox server redacts its answers, which would hide the leaks that are looked for.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.sandbox import jobs
from etlfabric_dagster.schemas.jobs import Job


def main() -> None:
    """Read a job (JSON) from stdin; write payload, events, error and every file it left."""
    job: Job = TypeAdapter(Job).validate_json(sys.stdin.buffer.read())
    events: list[Any] = []
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as workdir:
        try:
            told["payload"] = jobs.run(job, events.append, workdir)
        except FabricError as exc:
            told["error"] = exc.as_dict()
        told["files"] = {
            str(path.relative_to(workdir)): path.read_text(errors="replace")
            for path in Path(workdir).rglob("*")
            if path.is_file()
        }
    told["events"] = [event.model_dump(mode="json") for event in events]
    sys.__stdout__.write(json.dumps(told))


if __name__ == "__main__":
    main()
