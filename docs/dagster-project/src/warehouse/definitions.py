"""What `dg` and Dagster's processes load: everything under `defs/`."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """The org of `defs/northwind/defs.yaml`, and what stands beside it."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__))
