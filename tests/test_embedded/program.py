"""The stack's commands alone."""

from __future__ import annotations

import json
import sys

import typer

from etlfabric_dagster.cli import stack
from etlfabric_dagster.errors import FabricError

if __name__ == "__main__":
    app = typer.Typer()
    stack.register(app)
    try:
        app()
    except FabricError as exc:
        print(json.dumps({"error": exc.as_dict()}))
        sys.exit(1)
