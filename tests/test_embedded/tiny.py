"""A supervisor over shell commands: HOME and `{NAME: [SCRIPT, GRACE_S]}` as arguments.

What is called `later` is a step for when the rest is ready.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from etlfabric_dagster.embedded.home import Home
from etlfabric_dagster.embedded.processes import Process
from etlfabric_dagster.embedded.supervisor import Supervisor


def started() -> str:
    """Good enough for a shell."""
    return "started"


if __name__ == "__main__":
    home = Home(Path(sys.argv[1]))
    listed = [
        Process(
            name,
            ("/bin/sh", "-c", script),
            None if name == "later" else started,
            grace_s=grace_s,
            later=name == "later",
        )
        for name, (script, grace_s) in json.loads(sys.argv[2]).items()
    ]
    sys.exit(Supervisor(home, home.prepare(), listed).run())
