"""What an erased org leaves in Dagster's own database: runs, events, assets."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from etlfabric_dagster.config import settings
from etlfabric_dagster.orchestration.instance import open_instance


def erase_records(slug: str, run_ids: Sequence[UUID]) -> int:
    """Delete these runs with their events, and the org's assets; returns the number of runs.

    Idempotent: runs that are gone are not counted.
    """
    with open_instance(settings) as instance:
        known = [str(run_id) for run_id in run_ids if instance.has_run(str(run_id))]
        for run_id in known:
            instance.delete_run(run_id)
        assets = instance.get_asset_keys(prefix=[slug])
        if assets:
            instance.wipe_assets(assets)
    return len(known)
